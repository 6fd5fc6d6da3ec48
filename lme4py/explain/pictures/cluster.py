"""The picture of one cluster: its equation as annotated blocks of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lme4py.design import MixedDesign
from lme4py.explain.clusters.cluster import Cluster
from lme4py.explain.pictures.blocks import Block, draw_equation
from lme4py.explain.pictures.figure import short
from lme4py.explain.pictures.palette import colour_of
from lme4py.frame.values import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_cluster"]


def plot_cluster(matrices: MixedDesign, found: Cluster) -> Figure:
    """Draw one cluster's equation, y_j = X_j β + Z_j b_j + ε_j, as annotated blocks of numbers.

    The columns of Z_j have their term's colour, as in `plot`; columns of X_j that stand
    again in Z_j have it, too. Columns that the cluster's rows have in other grouping factors
    follow in a block of their own. The middle of long and wide blocks is left out.

    Parameters
    ----------
    matrices : MixedDesign
        The model.
    found : Cluster
        One of its clusters.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown, as for `plot`.

    Raises
    ------
    Lme4pyError
        If matplotlib is not installed.
    """
    names = found.fixed_names
    blocks: list[Block | str] = [_left_side(found), "="]
    if names:
        tints = [_tint_of_x(matrices, found, k) for k in range(len(names))]
        blocks += [
            _matrix("Xⱼ", found.X, names, tints),
            _vector("β", [f"β[{short(name)}]" for name in names]),
        ]
    for part in found.parts:
        if not part.columns.size:
            continue
        own = part is found.own
        tints = [_tint(matrices, int(column)) for column in part.columns]
        heads = [name if own else f"{level} {name}" for level, name in part.names]
        effects = [f"b[{short(level)}, {short(name)}]" for level, name in part.names]
        symbol = "ⱼ" if own else f" of {short(part.group)}"
        blocks += ["+"] if len(blocks) > 2 else []
        blocks += [_matrix(f"Z{symbol}", part.Z, heads, tints), _vector(f"b{symbol}", effects)]
    if found.offset is not None:
        blocks += ["+", _matrix("offset", found.offset[:, None], [""], [None])]
    if found.linear:
        blocks += ["+", _vector("εⱼ", [f"ε{_below(i)}" for i in range(1, found.rows.size + 1)])]
    count = found.rows.size
    title = f"{found.group} = {found.level}:  {count} observation{'' if count == 1 else 's'}"
    return draw_equation(title, blocks)


def _left_side(found: Cluster) -> Block:
    if found.linear and found.y is not None and found.y.ndim == 1:
        return _matrix("yⱼ", found.y[:, None], [""], [None])
    return _vector("ηⱼ", [f"η{_below(i)}" for i in range(1, found.rows.size + 1)])


def _below(number: int) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(number))


def _tint(matrices: MixedDesign, column: int) -> str:
    """Return the colour of the term that a column of Z belongs to."""
    return colour_of(int(np.searchsorted(matrices.random.Gp[1:], column, side="right")))


def _tint_of_x(matrices: MixedDesign, found: Cluster, number: int) -> str | None:
    """Return the colour of the cluster's own column that a column of X is equal to."""
    for place, name in enumerate(found.names):
        if name == found.fixed_names[number] and np.array_equal(
            found.own.Z[:, place], found.X[:, number]
        ):
            return _tint(matrices, int(found.columns[place]))
    return None


_MOST_ROWS = 14
_MOST_COLUMNS = 10


def _kept(count: int, most: int) -> list[int | None]:
    """Return the positions to show; None stands for those left out."""
    if count <= most:
        return list(range(count))
    return [*range(most - 3), None, count - 2, count - 1]


def _number(value: float) -> str:
    text = f"{value:.5g}"
    return text.replace("-", "\N{MINUS SIGN}")


def _vector(symbol: str, entries: Sequence[str]) -> Block:
    cells = [["⋮" if k is None else entries[k]] for k in _kept(len(entries), _MOST_ROWS)]
    return Block(symbol, cells, [""], [None])


def _matrix(
    symbol: str, values: FloatArray, names: Sequence[str], tints: Sequence[str | None]
) -> Block:
    rows = _kept(values.shape[0], _MOST_ROWS)
    columns = _kept(values.shape[1], _MOST_COLUMNS)

    def cell(i: int | None, k: int | None) -> str:
        if i is None:
            return "⋮" if k is not None else "⋱"
        return "⋯" if k is None else _number(float(values[i, k]))

    return Block(
        symbol,
        [[cell(i, k) for k in columns] for i in rows],
        ["" if k is None or not names else short(names[k]) for k in columns],
        [None if k is None else tints[k] for k in columns],
    )
