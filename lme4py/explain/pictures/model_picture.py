"""The picture of a model: where its matrices have entries, and the numbers of small ones.

The picture of one cluster is its equation as annotated matrices of numbers.

Every random term has a colour, the same in all panels; the terms of X alternate between two
greys. A darker pixel holds larger absolute values (relative to the largest of the column of the
model matrix). The marks over X tell which of its columns stand again in the rows of which random
term. The model may have 20 or 1,000,000 columns.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np

from lme4py.argument_types import choice_of, count_of
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError
from lme4py.explain.clusters import Cluster
from lme4py.explain.expression import grid, operands_of, shortened
from lme4py.explain.pictures.figure import (
    FAINT,
    INK,
    PICTURE,
    Frame,
    Label,
    MatrixPanel,
    colours_of,
    paint,
    panel_figure,
    short,
    tint,
)
from lme4py.explain.pictures.raster import (
    BINS,
    PANELS,
    SQUARE,
    Side,
    TermAxis,
    Window,
    darkness,
    sampling_step,
    window,
)
from lme4py.explain.system import column_of_X
from lme4py.export.coordinates import fixed_terms

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot", "plot_cluster"]

_TITLES = {"Zt": "Zᵗ", "Lambdat": "Λᵗ", "ZtZ": "ZᵗZ"}
_MOST_NAMES = 60
_MOST_TERMS = 12
_MOST_FRAMES = 400
# Rows, and columns of all panels, up to which numbers are drawn; of a cluster's matrices so many.
_NUMBERED = (30, 44)
_MOST_CELLS = (14, 10)
_FIXED = ("#3b4252", "#7b8494")
_BETWEEN = "#8a8f98"


def plot(
    design: MixedDesign,
    panels: Sequence[str] = ("X", "Zt", "Lambdat", "ZtZ"),
    *,
    groups: int | None = None,
    by_group: bool = False,
) -> Figure:
    """Draw matrices of a model side by side; the arguments are those of ``design.plot``."""
    given: Any = panels
    names = given if np.iterable(given) else [given]
    wanted = list(dict.fromkeys(choice_of("panel", name, PANELS) for name in names))
    if not wanted:
        raise DataError("there is no panel to draw", hint=f"panels: {', '.join(PANELS)}")
    shown = window(design, None if groups is None else count_of("groups", groups, 1), by_group)
    sizes = [[int(shown.bounds(side)[-1]) for side in PANELS[name]] for name in wanted]
    rows, columns = max(size[0] for size in sizes), sum(size[1] for size in sizes)
    numbered = rows <= _NUMBERED[0] and columns <= _NUMBERED[1] and min(map(min, sizes)) > 0
    drawn = [_panel(name, shown, numbered) for name in wanted]
    figure = panel_figure(drawn, below=0.18 * min(len(design.random.terms), _MOST_TERMS + 1))
    _draw_legend(figure, shown, drawn, numbered)
    return figure


def _panel(name: str, shown: Window, numbered: bool) -> MatrixPanel:
    """Return a matrix, in numbers or as pixels."""
    sides = PANELS[name]
    square, thin = sides[0] == sides[1], name in ("X", "raw")
    down, across = (TermAxis(shown.bounds(side), SQUARE if square else BINS) for side in sides)
    p, above = int(across.Gp[-1]), [] if square else _labels(sides[1], shown, across, numbered)
    colours, cells = _pixels(name, shown, down, across), list[list[str]]()
    if numbered:
        setter = shown.model.notation.setter(PICTURE)
        cells = setter.cells(grid(_values(name, shown)))
        if name == "X":
            # What stands again in Z has the colour of its term, as in the picture of a cluster.
            colours = tint([colour for _, _, colour in above], cells)
    return MatrixPanel(
        name=name,
        title=f"{_TITLES.get(name, name)}   {int(down.Gp[-1]):,} × {p:,}",
        colours=colours,
        axes=(down, across),
        cells=cells,
        above=above,
        beside=_labels(sides[0], shown, down, numbered),
        marks=_marks(shown.design) if name == "X" and not numbered else (),
        frames=list(_frames(name, shown, down, across)),
        inches=max(0.14 * min(p, _MOST_NAMES), min(0.26 * p, 2.4), 1.1) if thin else 2.6,
    )


def _pixels(name: str, shown: Window, down: TermAxis, across: TermAxis) -> FloatArray:
    """Return the pixels of a matrix: the colour of its term, or of X's, darker for more."""
    weights, palette = darkness(name, shown, down, across), colours_of(shown.random.nl.size)
    if name == "X":
        return paint(weights, shown.design.fixed.assign[across.first] % 2, _FIXED)
    rows = down.terms[:, None]
    between = (rows != across.terms) & (name == "ZtZ")
    terms = rows if name == "Zt" else np.where(between, len(palette), across.terms)
    return paint(weights, terms, [*palette, _BETWEEN])


def _values(name: str, shown: Window) -> list[list[float]]:
    """Return the numbers of a small matrix."""
    side = PANELS[name][name not in ("Zt", "ZtZ")]
    found = (shown.random.Lambdat if name == "Lambdat" else shown.transposed(side)).toarray()
    values = found @ found.T if name == "ZtZ" else found.T if side == PANELS[name][1] else found
    return values.tolist()


def _labels(side: Side, shown: Window, axis: TermAxis, numbered: bool) -> list[Label]:
    """Return names along a side: of each line where they have room, else of its parts."""
    fixed, terms = shown.design.fixed, shown.random.terms
    palette = colours_of(len(terms))
    if side == "observations":
        return []
    if side == "fixed":
        again = {k: colour for colour, columns in reversed(_marks(shown.design)) for k in columns}
        names = [(k + 0.5, name, again.get(k, INK)) for k, name in enumerate(fixed.names)]
        if len(names) > _MOST_NAMES:
            spans = fixed_terms(shown.design).items()
            names = [((span.start + span.stop) / 2, label, INK) for label, span in spans]
        names = names[:: -(-len(names) // _MOST_NAMES) or 1]
    elif (side == "columns" or numbered) and axis.Gp[-1] <= _MOST_NAMES:
        found = zip(_names(side, shown), axis.terms.tolist(), strict=True)
        names = [(k + 0.5, name, palette[term]) for k, (name, term) in enumerate(found)]
    else:
        names = [
            (float(low + high) / 2, term.bar.label, colour)
            for (low, high), term, colour in zip(
                pairwise(axis.bounds), terms, palette, strict=False
            )
            if high - low > 0.05 * axis.bounds[-1]
        ]
    return [(place, short(name), colour) for place, name, colour in names]


def _names(side: Side, shown: Window) -> Iterator[str]:
    """Yield the names of levels, of raw columns, or the symbols of random effects."""
    setter = shown.model.notation.setter(PICTURE)
    for k, term in enumerate(shown.random.terms):
        levels = list(map(str, term.group.levels))
        if side == "columns":
            yield from term.plan.names
        elif side == "levels":
            yield from levels
        else:
            effects = [found.effect for found in shown.model.random if found.term == k]
            each = (replace(effect, part=level) for level, effect in product(levels, effects))
            yield from map(setter.inline, each)


def _marks(design: MixedDesign) -> list[tuple[str, list[int]]]:
    """Return for each term its colour, and the columns of X that stand again in its rows of Zt."""
    names, terms = design.fixed.names, design.random.terms
    places = {name: k for k, name in reversed(list(enumerate(names)))}
    found = []
    for term, colour in zip(terms, colours_of(len(terms)), strict=True):
        again = [
            places[name]
            for k, name in enumerate(term.plan.names)
            if name in places
            and np.array_equal(column_of_X(design, places[name]), term.plan.column(k))
        ]
        found.append((colour, again))
    return found[:_MOST_TERMS]


def _frames(name: str, shown: Window, down: TermAxis, across: TermAxis) -> Iterator[Frame]:
    """Yield frames around the terms, and in Z around each level of the outermost factor."""
    if 2 < down.bounds.size <= _MOST_TERMS + 1:
        yield from ((0, low, across.edges[-1], high) for low, high in pairwise(down.bounds))
    if 2 < across.bounds.size <= _MOST_TERMS + 1:
        yield from ((low, 0, high, down.edges[-1]) for low, high in pairwise(across.bounds))
    terms, runs = shown.random.terms, shown.runs.tolist()
    if name not in ("Z", "J") or across.enlarges or len(runs) * len(terms) > _MOST_FRAMES:
        return
    for k, begin in enumerate(across.Gp[:-1].tolist()):
        step, places = terms[k].columns if name == "Z" else 1, terms[k].group.codes
        for top, bottom in pairwise(runs):
            own = places[top:bottom]
            yield begin + int(own.min()) * step, top, begin + (int(own.max()) + 1) * step, bottom


def _draw_legend(
    figure: Figure, shown: Window, panels: Sequence[MatrixPanel], numbered: bool
) -> None:
    """Write one line for each random term below the panels, and how to read the picture."""
    from matplotlib.patches import Patch

    terms, Gp = shown.design.random.terms, shown.design.random.Gp.tolist()
    width = int(figure.get_figwidth() / 0.064)
    lines = []
    for term, begin, end in zip(terms[:_MOST_TERMS], Gp, Gp[1:], strict=False):
        columns = ", ".join(map(short, term.plan.names[:5]))
        columns += f", … {term.columns - 5} more" * (term.columns > 5)
        lines.append(
            f"({short(term.bar.label, 60)})   {term.levels:,} groups × {term.columns} "
            f"column{'s' * (term.columns != 1)}: {columns};   rows {begin:,} to {end - 1:,} of Zᵗ;"
            f"   {term.covariance.parameters} theta"
        )
    handles = [Patch(color=colour) for colour in colours_of(len(lines))]
    if len(terms) > _MOST_TERMS:
        lines.append(f"… and {len(terms) - _MOST_TERMS} more terms")
        handles.append(Patch(alpha=0))
    legend = figure.legend(
        handles,
        [textwrap.fill(line, width) for line in lines],
        loc="outside lower left",
        title=textwrap.fill(_how_to_read(shown, panels, numbered), int(1.15 * width)),
        title_fontsize=7.5,
        alignment="left",
        fontsize=8.5,
        handlelength=0.8,
        labelcolor=INK,
        frameon=False,
    )
    legend.get_title().set_color(FAINT)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _how_to_read(shown: Window, panels: Sequence[MatrixPanel], numbered: bool) -> str:
    """Return how to read the picture."""
    terms, drawn = shown.random.terms, {panel.name for panel in panels}
    structured = any(term.covariance.parameters > term.columns > 1 for term in terms)
    step = sampling_step(shown.transposed("effects")) if "ZtZ" in drawn else 1
    said = {
        "Darker: larger absolute values, added up where several share a pixel.": not numbered,
        "A column of X in a term's colour stands again in its columns of Z.": "X" in drawn,
        "Pale in Λᵗ: covariances, which start at 0.": structured
        and "Lambdat" in drawn
        and not numbered,
        "Grey in ZᵗZ: between different terms.": len(terms) > 1 and "ZtZ" in drawn,
        "Small terms are drawn larger than their share.": any(
            axis.enlarges for panel in panels for axis in panel.axes
        ),
        f"ZᵗZ was computed from one observation in {step}.": step > 1,
        "A row of Z: its row of J, the indicators, times its row of the raw columns.": {"J", "raw"}
        <= drawn,
        "Frames: the levels of the outermost factor.": shown.runs.size > 0,
    }
    return " ".join(sentence for sentence, holds in said.items() if holds)


def plot_cluster(design: MixedDesign, found: Cluster) -> Figure:
    """Draw one cluster's equation, y_j = X_j β + Z_j b_j + ε_j, as annotated blocks of numbers.

    The columns of Z_j have their term's colour, as in `plot`; columns of X_j that stand
    again in Z_j have it, too. Columns that the cluster's rows have in other grouping factors
    follow in a block of their own. The middle of long and wide blocks is left out.
    """
    sides = [(one.left, *operands_of("+", one.right)) for one in found.equation(_MOST_CELLS)]
    heads = _heads(design, found)
    setter = found.source.system.notation.setter(PICTURE, 5)
    panels = []
    for k, pair in enumerate(zip(*sides, strict=True)):
        letters, matrices = (operands_of("·", side) for side in pair)
        above = shortened(heads.pop(0) if len(letters) > 1 else [], _MOST_CELLS[1], ("", INK))
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
