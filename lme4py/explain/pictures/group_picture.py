"""The picture of what random effects do: each group's line beside that of the fixed effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lme4py.argument_types import count_of
from lme4py.data.values import FloatArray, Numeric
from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
from lme4py.explain.estimates import Estimates, modes
from lme4py.explain.expression import Quantity, evaluate
from lme4py.explain.pictures.figure import FAINT, INK, PICTURE, colours_of, new_figure, short
from lme4py.explain.system import system
from lme4py.links import mean_of_link

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_LINES, _MOST_POINTS = 200, 20_000
_MOST_EFFECTS = 4


def plot_groups(
    design: MixedDesign,
    found: Estimates,
    predictor: str | None = None,
    *,
    group: str | None = None,
    groups: int = 5,
) -> Figure:
    """Draw y against a predictor with the lines of a model; see ``design.plot_groups``."""
    lines = _Lines(design, found, predictor, group)
    factor, (colour,) = lines.factor, colours_of(1)
    count = min(count_of("groups", groups, 0), factor.size)
    across = min(count + 1, 3)
    down = -(-(count + 1) // across)
    size = 3.4 * across, 2.6 * down
    figure, every = new_figure(*size, down, across, sharex=True, sharey=True)
    fixed = {"color": INK, "linewidth": 1.4, "linestyle": "--"}
    title = f"the fixed part, and {factor.size:,} groups of {short(factor.name)}"
    _draw_frame(every[0], "all", title, INK)
    some = slice(None, None, -(-lines.x.size // _MOST_POINTS))
    every[0].scatter(lines.x[some], lines.y[some], s=6, color=FAINT, alpha=0.5, linewidths=0)
    for level in range(min(factor.size, _MOST_LINES)):
        x, _, own = lines.of_rows(np.flatnonzero(factor.codes == level))
        every[0].plot(x, own, color=colour, linewidth=0.7, alpha=0.6)
    x, mean, _ = lines.of_rows(np.arange(lines.x.size))
    every[0].plot(x, mean, **{**fixed, "linewidth": 2})
    for axes in every[count + 1 :]:
        axes.set_visible(False)
    for axes, level in zip(every[1:], range(count), strict=False):
        rows, name = np.flatnonzero(factor.codes == level), factor.levels[level]
        title = f"{short(name)}:  {lines.effects_in(rows[0])}"
        _draw_frame(axes, name, title, colour)
        axes.scatter(lines.x[rows], lines.y[rows], s=14, color=FAINT, linewidths=0)
        x, mean, own = lines.of_rows(rows)
        axes.plot(x, mean, **fixed)
        axes.plot(x, own, color=colour, linewidth=2)
        for place in (0, -1):
            # From the line of the fixed part to that of the group.
            ends = {"xy": (x[place], own[place]), "xytext": (x[place], mean[place])}
            arrow = {"arrowstyle": "->", "color": colour, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", **ends, arrowprops=arrow)
    style = {"fontsize": 9, "color": INK, "parse_math": False}
    figure.supxlabel(short(lines.name, 60), **style)
    figure.supylabel(short(design.model_frame.response or "y", 60), **style)
    return figure


def _draw_frame(axes: Axes, name: str, title: str, colour: str) -> None:
    axes.set_label(name)
    axes.set_title(title, fontsize=8.5, color=colour, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)


class _Lines:
    """The lines of a model along one variable, `x`; all others stay at their means."""

    def __init__(
        self, design: MixedDesign, found: Estimates, predictor: str | None, group: str | None
    ) -> None:
        model = system(design)
        first = next(iter(model.hierarchy.factors))
        self.factor = model.hierarchy.named(first if group is None else group)
        columns = model.columns_of(self.factor.name)
        self._own = [column.effect for column in columns]
        inside = model.inside
        numeric = {
            name: value.as_float()
            for name in inside
            if isinstance(value := design.model_frame.get(name), Numeric)
        }
        if not numeric:
            raise DataError("the model has no numeric variable to draw y against")
        # The first with a random slope, else the first.
        slopes = [atom.name for column in columns for atom in column.atoms]
        chosen = next(name for name in (*slopes, *numeric) if name in numeric)
        self.name = chosen if predictor is None else str(predictor)
        if self.name not in numeric:
            hint = nearest(self.name, numeric) or f"its numeric variables: {', '.join(numeric)}"
            raise DataError(f"'{predictor}' is not a numeric variable of the model", hint=hint)
        self.x, self.y = numeric[self.name], design.response.y
        b = found.b if found.b is not None else modes(design, found)
        if b is None or not np.isfinite(found.beta).all():
            raise DataError(
                "lines need estimates",
                hint="give a fit, such as fit=lme4py.lmer(...), or coefficients, par and sigma",
            )
        self._values = model.values_at(found.beta, b)
        self._along = {name for name in inside if inside[name] & inside[self.name]}
        self._predictor = model.combined_predictor()
        self._link = "identity" if design.family is None else design.family.link
        self._setter = model.notation.setter(PICTURE)

    def of_rows(self, rows: NDArray[np.int64]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return x, the mean of the fixed part, and that with the groups' own effects."""
        x, first = np.unique(self.x[rows], return_index=True)

        def held(quantity: Quantity, values: Any) -> Any:
            if quantity.kind == "fixed":
                return values
            if quantity.kind == "random":
                return values[rows][first] if quantity in self._own else 0.0
            return values[rows][first] if quantity.name in self._along else values[rows].mean()

        here = {quantity: held(quantity, values) for quantity, values in self._values.items()}
        without = {**here, **dict.fromkeys(self._own, 0.0)}
        mean, own = (evaluate(self._predictor, at) + np.zeros(x.size) for at in (without, here))
        return x, mean_of_link(self._link, mean), mean_of_link(self._link, own)

    def effects_in(self, row: int) -> str:
        """Return the random effects of a row's group with their numbers."""
        pairs = []
        for effect in self._own[:_MOST_EFFECTS]:
            number = PICTURE.number(f"{self._values[effect][row]:.3g}")
            pairs.append(f"{self._setter.inline(effect)} = {number}")
        return ", ".join(pairs) + ", …" * (len(self._own) > _MOST_EFFECTS)
