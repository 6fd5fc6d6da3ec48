"""The picture of one cluster: its equation as annotated matrices of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lme4py.design import MixedDesign
from lme4py.explain.clusters import Cluster
from lme4py.explain.expression import factors_of, shortened, terms_of
from lme4py.explain.pictures.figure import (
    INK,
    PICTURE,
    MatrixPanel,
    colours_of,
    panel_figure,
    short,
    tint,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_cluster"]

_MOST = (14, 10)


def plot_cluster(design: MixedDesign, found: Cluster) -> Figure:
    """Draw one cluster's equation, y_j = X_j β + Z_j b_j + ε_j, as annotated blocks of numbers.

    The columns of Z_j have their term's colour, as in `plot`; columns of X_j that stand
    again in Z_j have it, too. Columns that the cluster's rows have in other grouping factors
    follow in a block of their own. The middle of long and wide blocks is left out.
    """
    sides = [(one.left, *terms_of(one.right)) for one in found.equation(_MOST)]
    heads = _heads(design, found)
    setter = found.source.system.notation().setter(PICTURE, 5)
    panels = []
    for k, pair in enumerate(zip(*sides, strict=True)):
        letters, matrices = map(factors_of, pair)
        above = shortened(heads.pop(0) if len(letters) > 1 else [], _MOST[1], ("", INK))
        sign = "=" if k == 1 else "+" * bool(k)
        for letter, entries in zip(letters, matrices, strict=True):
            cells, symbol = setter.cells(entries), setter.inline(letter)
            panels.append(
                MatrixPanel(
                    name=symbol,
                    title=symbol,
                    colours=tint([colour for _, colour in above], cells),
                    cells=cells,
                    above=[
                        (k + 0.5, short(name), colour) for k, (name, colour) in enumerate(above)
                    ],
                    sign=sign,
                )
            )
            # What follows in a product is a vector.
            above, sign = [], ""
    return panel_figure(panels, found.title)


def _heads(design: MixedDesign, found: Cluster) -> list[list[tuple[str, str]]]:
    """Return the names over the columns of X and of each part of Z, and their colours."""
    Gp, palette, heads = design.random.Gp, colours_of(design.random.Gp.size), []
    for part in found.parts:
        names = [name if part is found.own else f"{level} {name}" for level, name in part.names]
        terms = np.searchsorted(Gp[1:], part.columns, side="right")
        heads.append([(name, palette[term]) for name, term in zip(names, terms, strict=True)])
    own = zip(heads[0], found.Z.T, strict=True)
    again = {(name, (0.0 + column).tobytes()): colour for (name, colour), column in own}
    fixed = zip(design.fixed.names, found.X.T, strict=True)
    above_X = [(name, again.get((name, (0.0 + column).tobytes()), INK)) for name, column in fixed]
    return [head for head in [above_X, *heads] if head]
