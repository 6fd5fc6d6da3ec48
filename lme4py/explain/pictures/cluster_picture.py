"""The picture of one cluster: its equation as annotated matrices of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lme4py.design import MixedDesign
from lme4py.explain.clusters import Cluster
from lme4py.explain.expression import shortened
from lme4py.explain.pictures.figure import INK, PictureSetter, colours_of, short, tint
from lme4py.explain.pictures.panel import Label, MatrixPanel, cell_edges, number_figure

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
    left, terms = found.equation(_MOST)
    heads = _heads(design, found)
    setter = PictureSetter(found.write, digits=5)
    panels = []
    for k, factors in enumerate([[left], *terms]):
        above, sign = next(heads) if len(factors) > 1 else [], "=" if k == 1 else "+" * bool(k)
        for letter, entries in factors:
            cells, symbol = setter.cells(entries), setter.inline(letter)
            down, across = cell_edges(cells)
            panels.append(
                MatrixPanel(
                    name=symbol,
                    title=symbol,
                    colours=tint([colour for _, _, colour in above], cells),
                    cells=cells,
                    down=down,
                    across=across,
                    above=above,
                    sign=sign,
                )
            )
            # What follows in a product is a vector.
            above, sign = [], ""
    return number_figure(panels, found.title)


def _heads(design: MixedDesign, found: Cluster) -> Iterator[list[Label]]:
    """Yield the names over the columns of X and of each part of Z, and their colours."""
    Gp = design.random.Gp
    palette = colours_of(Gp.size)
    # The colour of the term that a column of Z belongs to.
    own, *others = (
        [palette[term] for term in np.searchsorted(Gp[1:], part.columns, side="right")]
        for part in found.parts
    )
    places = dict(zip(found.names, range(len(found.names)), strict=True))
    if found.fixed_names:
        same = [
            name in places and np.array_equal(found.Z[:, places[name]], found.X[:, k])
            for k, name in enumerate(found.fixed_names)
        ]
        pairs = zip(found.fixed_names, same, strict=True)
        yield _above(found.fixed_names, [own[places[n]] if alike else INK for n, alike in pairs])
    if found.columns.size:
        yield _above(found.names, own)
    for part, colours in zip(found.others, others, strict=True):
        if part.columns.size:
            yield _above([f"{level} {name}" for level, name in part.names], colours)


def _above(names: Sequence[str], colours: Sequence[str]) -> list[Label]:
    pairs = shortened(list(zip(map(short, names), colours, strict=True)), _MOST[1], ("", INK))
    return [(k + 0.5, name, colour) for k, (name, colour) in enumerate(pairs)]
