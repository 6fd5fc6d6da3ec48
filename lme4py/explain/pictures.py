"""Pictures of a model: where X, Zt, Lambdat and ZᵗZ have entries, and one cluster's blocks.

A matrix of any size is drawn as a few hundred pixels each way. Its stored entries are
sorted into them a few million at a time; nothing dense of the matrix's own size is formed.
Where a pixel holds many rows, a small random term is drawn larger than its share, so that
500 rows beside 200,000 can still be seen.
Figures are made without pyplot: no window opens, no backend is chosen, nothing stays open.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import Lme4pyError
from lme4py.explain.clusters import Cluster
from lme4py.frame.values import FloatArray
from lme4py.matrices.mixed import MixedMatrices
from lme4py.matrices.randomterm import RandomTerm

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from scipy.sparse import csc_array

__all__ = ["plot", "plot_cluster"]

# Pixels each way of X and Zt, and of the square matrices, whose diagonal would be too thin.
_BINS = 220
_SQUARE = 115
# Entries in one pixel up to which it shows the largest; beyond, it shows how many.
_CROWDED = 16
_LEAST_SHARE = 0.07
# Entries sorted into pixels at a time.
_CHUNK = 4_000_000
# Products of entries up to which ZᵗZ is counted in full.
_MOST_PRODUCTS = 200_000_000
_PALEST = 0.28
_TINY = 1e-300

_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#b58900",
    "#56b4e9",
    "#7a5195",
    "#8c6d31",
)
_FIXED = ("#3b4252", "#7b8494")
_BETWEEN = "#8a8f98"
_LINE_COLOUR = "#9aa1ab"
_INK = "#1f2328"
_FAINT = "#6b7280"

# Inches.
_HEIGHT, _ZT_WIDTH = 2.3, 2.9
_LEFT, _GAP, _RIGHT, _TITLE = 0.62, 0.58, 0.15, 0.34
# More room left of Zt, for its terms' labels.
_LABELS = 0.35
_LINE = 0.21
_NOTE_LINE = 0.16
_MOST_LABELS = 14
_MOST_TERMS = 12
_LONGEST_LABEL = 18
# Characters that fit between X and Zt.
_ROOM = 14


def plot(matrices: MixedMatrices) -> Figure:
    """Draw the structure of X, Zt, Lambdat and ZᵗZ side by side.

    Every random term has a colour, the same in all panels; the terms of X alternate
    between two greys. A darker pixel holds a larger absolute value (relative to the largest of
    its column of the model matrix). The marks over X tell which of its columns stand again
    in the rows of which random term.

    Parameters
    ----------
    matrices : MixedMatrices
        A model of any size: 20 or 1,000,000 columns.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown: ``figure.savefig("model.png")``, or the last line of a notebook cell.

    Raises
    ------
    Lme4pyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> plot(design).savefig("model.png")  # doctest: +SKIP
    """
    sheet = _Sheet.of(matrices)
    figure = _figure(sheet.width, sheet.height)
    axes = [_axes(figure, sheet, begin, width) for begin, width in sheet.panels()]
    _draw_x(axes[0], matrices, sheet)
    _draw_zt(axes[1], matrices)
    _draw_square(axes[2], matrices, _lambdat_pixels(matrices), "Lambdat", "Λᵗ")
    pixels, step = _ztz_pixels(matrices)
    _draw_square(axes[3], matrices, pixels, "ZtZ", "ZᵗZ")
    _draw_legend(figure, sheet, matrices, step)
    return figure


@cache
def _figure_class() -> type[Figure]:
    """Return a Figure that a notebook shows also when pyplot was never imported."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Lme4pyError(
            "plots need matplotlib, which is not installed", hint="pip install 'lme4py[plot]'"
        ) from error

    return type("Picture", (Figure,), {"_repr_png_": _png})


def _png(figure: Figure) -> bytes:
    from io import BytesIO

    page = BytesIO()
    figure.savefig(page, format="png")
    return page.getvalue()


def _figure(width: float, height: float) -> Figure:
    figure = _figure_class()(figsize=(width, height), dpi=100)
    figure.set_facecolor("white")
    return figure


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Sizes in inches that depend on the model."""

    x_width: float
    above: float
    legend: float
    named: bool

    @classmethod
    def of(cls, matrices: MixedMatrices) -> _Sheet:
        names = matrices.fixed.names
        named = len(names) <= _MOST_LABELS
        longest = max((len(_short(name)) for name in names), default=0)
        marks = _mark_height(matrices) + 0.06
        above = _TITLE + marks + 0.05
        if named:
            above += 0.063 * longest + 0.02 if len(names) > 1 else 0.14
        width = float(np.clip(0.26 * len(names), 0.85, 2.4))
        lines = min(len(matrices.random.terms), _MOST_TERMS + 1)
        return cls(width, above, 0.5 + _LINE * (lines + 1) + 2 * _NOTE_LINE, named)

    @property
    def width(self) -> float:
        return _LEFT + self.x_width + _ZT_WIDTH + 2 * _HEIGHT + 3 * _GAP + _LABELS + _RIGHT

    @property
    def height(self) -> float:
        return self.above + _HEIGHT + self.legend + 0.1

    def panels(self) -> Iterator[tuple[float, float]]:
        """Yield where each panel begins and how wide it is."""
        begin = _LEFT
        # Zt's labels stand left of it.
        for width, gap in (
            (self.x_width, _GAP + _LABELS),
            (_ZT_WIDTH, _GAP),
            (_HEIGHT, _GAP),
            (_HEIGHT, 0.0),
        ):
            yield begin, width
            begin += width + gap


def _axes(figure: Figure, sheet: _Sheet, begin: float, width: float) -> Axes:
    bottom = sheet.legend
    axes = figure.add_axes(
        (
            begin / sheet.width,
            bottom / sheet.height,
            width / sheet.width,
            _HEIGHT / sheet.height,
        )
    )
    for spine in axes.spines.values():
        spine.set_color("#c4c9d1")
    axes.tick_params(length=2, width=0.6, labelsize=7, color=_FAINT, labelcolor=_FAINT, pad=2)
    return axes


# Matrices as pixels.


@dataclass(frozen=True, slots=True)
class _Plain:
    """An axis of equal pixels: observations, or columns of X."""

    size: int
    limit: int = _BINS

    @property
    def pixels(self) -> int:
        return min(self.size, self.limit)

    def pixel(self, places: NDArray[Any]) -> NDArray[np.int64]:
        return places.astype(np.int64) * self.pixels // max(self.size, 1)

    def starts(self) -> NDArray[np.int64]:
        """Return the first place of each pixel."""
        return -(-np.arange(self.pixels, dtype=np.int64) * self.size // max(self.pixels, 1))


class _TermRows:
    """The rows of Zt as an axis: exact where they fit, else each term with a share it can use.

    Parameters
    ----------
    Gp : ndarray
        First row of each term, and q.
    limit : int
        Number of rows that still fit one to a pixel.
    pixels : int
        Pixels to use when they do not.
    """

    def __init__(self, Gp: NDArray[Any], limit: int, pixels: int) -> None:
        self.Gp = Gp.astype(np.int64)
        rows = np.diff(self.Gp)
        self.exact = bool(self.Gp[-1] <= limit)
        if self.exact:
            self.counts, self.repeats = rows, np.ones_like(rows)
        else:
            least = max(1, int(pixels * min(_LEAST_SHARE, 0.5 / rows.size)))
            share = np.maximum(least, pixels * rows // max(int(self.Gp[-1]), 1))
            self.counts = np.minimum(rows, share)
            self.repeats = -(-share // np.maximum(self.counts, 1)) * (rows > 0)
        self.first = np.concatenate(([0], np.cumsum(self.counts)))
        self.edges = np.concatenate(([0], np.cumsum(self.counts * self.repeats)))

    @property
    def pixels(self) -> int:
        return int(self.first[-1])

    def term(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return the term of each row; terms without columns have no rows."""
        found: NDArray[np.int64] = np.searchsorted(self.Gp[1:], rows, side="right")
        return found

    def pixel(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        if self.exact:
            return rows.astype(np.int64)
        term = self.term(rows)
        inside = rows - self.Gp[term]
        found: NDArray[np.int64] = (
            self.first[term] + inside * self.counts[term] // np.diff(self.Gp)[term]
        )
        return found

    @property
    def enlarges(self) -> bool:
        """Whether terms are not drawn to scale."""
        drawn = self.edges / max(int(self.edges[-1]), 1)
        return bool(np.abs(drawn - self.Gp / max(int(self.Gp[-1]), 1)).max() > 0.01)

    def capacity(self) -> int:
        """Return how many rows the fullest pixel holds."""
        return int((-(-np.diff(self.Gp) // np.maximum(self.counts, 1))).max(initial=1))

    def terms(self) -> NDArray[np.int64]:
        """Return the term of each pixel."""
        return np.repeat(np.arange(self.counts.size), self.counts)

    def spread(self, pixels: FloatArray, axis: int) -> FloatArray:
        """Return an image with each term as large as it is shown."""
        return np.repeat(pixels, np.repeat(self.repeats, self.counts), axis=axis)


def _chunks(matrix: csc_array) -> Iterator[tuple[NDArray[Any], NDArray[Any], slice]]:
    """Yield rows, columns and places of the stored entries, some columns at a time."""
    pointers = matrix.indptr
    begin, last = 0, matrix.shape[1]
    while begin < last:
        limit = int(pointers[begin]) + _CHUNK
        end = max(begin + 1, int(np.searchsorted(pointers, limit, side="right")) - 1)
        places = slice(int(pointers[begin]), int(pointers[end]))
        columns = np.repeat(np.arange(begin, end), np.diff(pointers[begin : end + 1]))
        yield matrix.indices[places], columns, places
        begin = end


def _painted(weights: FloatArray, colours: NDArray[np.int64], palette: Sequence[str]) -> FloatArray:
    """Return RGB pixels: white without a weight, else the colour, paler for small weights."""
    from matplotlib.colors import to_rgb

    table = np.array([to_rgb(colour) for colour in palette])
    strength = np.where(weights > 0, _PALEST + (1 - _PALEST) * np.clip(weights, 0, 1), 0.0)
    pixels: FloatArray = 1 - strength[..., None] * (1 - table[colours])
    return pixels


def _colour(k: int) -> str:
    return _COLOURS[k % len(_COLOURS)]


def _palette(terms: Sequence[RandomTerm]) -> list[str]:
    return [_colour(k) for k in range(len(terms))]


def _x_pixels(matrices: MixedMatrices) -> FloatArray:
    n, p = matrices.X.shape
    down, across = _Plain(n), _Plain(p)
    starts = down.starts()
    sizes = np.diff(np.append(starts, n))
    weights = np.zeros((down.pixels, across.pixels))
    colours = np.zeros(weights.shape, dtype=np.int64)
    pixel = across.pixel(np.arange(p))
    for k in range(p):
        found = np.abs(_column_of_x(matrices, k))
        unknown = ~np.isfinite(found)
        found[unknown] = 0.0
        found[unknown] = found.max(initial=1.0)
        mean = np.add.reduceat(found, starts) / sizes
        share = mean / max(float(mean.max(initial=0.0)), _TINY)
        np.maximum(weights[:, pixel[k]], share, out=weights[:, pixel[k]])
        colours[:, pixel[k]] = int(matrices.fixed.assign[k]) % 2
    return _painted(weights, colours, _FIXED)


def _column_of_x(matrices: MixedMatrices, number: int) -> FloatArray:
    X: Any = matrices.X
    column = X[:, [number]]
    dense: FloatArray = np.asarray(column.toarray() if hasattr(column, "toarray") else column)
    return dense.ravel()


def _zt_pixels(matrices: MixedMatrices) -> tuple[FloatArray, _TermRows]:
    random, Zt = matrices.random, matrices.random.Zt
    down, across = _TermRows(random.Gp, _BINS, _BINS), _Plain(Zt.shape[1])
    crowded = down.capacity() * -(-across.size // across.pixels) > _CROWDED
    first = np.concatenate(([0], np.cumsum(random.nc)))
    largest = np.zeros(int(first[-1]))

    def kinds(rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return for each row the column of its term, counted through all terms."""
        term = down.term(rows)
        kind: NDArray[np.int64] = first[term] + (rows - down.Gp[term]) % random.nc[term]
        return kind

    if not crowded:
        for rows, _, places in _chunks(Zt):
            found = np.abs(Zt.data[places])
            found[~np.isfinite(found)] = 0.0
            np.maximum.at(largest, kinds(rows), found)
    flat = np.zeros(down.pixels * across.pixels)
    for rows, columns, places in _chunks(Zt):
        pixel = down.pixel(rows) * across.pixels + across.pixel(columns)
        if crowded:
            flat += np.bincount(pixel, minlength=flat.size)
        else:
            share = np.abs(Zt.data[places]) / np.maximum(largest[kinds(rows)], _TINY)
            np.maximum.at(flat, pixel, np.where(np.isfinite(share), share, 1.0))
    weights = flat.reshape(down.pixels, across.pixels)
    colours = np.repeat(down.terms()[:, None], across.pixels, axis=1)
    if crowded:
        for number in range(down.counts.size):
            part = weights[down.first[number] : down.first[number + 1]]
            part /= max(float(part.max(initial=0.0)), _TINY)
    return down.spread(_painted(weights, colours, _palette(random.terms)), 0), down


def _square_axis(matrices: MixedMatrices) -> _TermRows:
    return _TermRows(matrices.random.Gp, _BINS, _SQUARE)


def _lambdat_pixels(matrices: MixedMatrices) -> FloatArray:
    random = matrices.random
    axis = _square_axis(matrices)
    flat = np.zeros(axis.pixels * axis.pixels)
    for rows, columns, _ in _chunks(random.Lambdat):
        pixel = axis.pixel(rows) * axis.pixels + axis.pixel(columns)
        np.maximum.at(flat, pixel, np.where(rows == columns, 1.0, 0.35))
    weights = flat.reshape(axis.pixels, axis.pixels)
    colours = np.repeat(axis.terms()[:, None], axis.pixels, axis=1)
    painted = _painted(weights, colours, _palette(random.terms))
    return axis.spread(axis.spread(painted, 0), 1)


def _ztz_pixels(matrices: MixedMatrices) -> tuple[FloatArray, int]:
    """Return the pixels of ZᵗZ, and which observations were counted: each `step`-th."""
    from scipy.sparse import coo_array, csr_array

    random, Zt = matrices.random, matrices.random.Zt
    axis = _square_axis(matrices)
    size = axis.pixels
    entries = np.diff(Zt.indptr).astype(np.float64)
    step = max(1, int(np.ceil(float(entries @ entries) / _MOST_PRODUCTS)))
    counted = Zt if step == 1 else Zt[:, ::step]
    counts = np.zeros((size, size))
    for rows, columns, _ in _chunks(counted):
        if not rows.size:
            continue
        first, last = int(columns[0]), int(columns[-1])
        places = (axis.pixel(rows), columns - first)
        shape = (size, last - first + 1)
        indicator = csr_array(coo_array((np.ones(rows.size), places), shape=shape))
        counts += (indicator @ indicator.T).toarray()
    term = axis.terms()
    weights = np.log1p(counts)
    weights /= max(float(weights.max(initial=0.0)), _TINY)
    colours = np.where(term[:, None] == term, term[:, None], len(random.terms))
    painted = _painted(weights, colours, [*_palette(random.terms), _BETWEEN])
    return axis.spread(axis.spread(painted, 0), 1), step


# Panels.


def _show(axes: Axes, pixels: FloatArray, rows: int, columns: int, name: str, title: str) -> None:
    """Draw an image over the axes of its matrix, from row and column 0."""
    axes.set_label(name)
    if pixels.size:
        axes.imshow(
            pixels,
            aspect="auto",
            # A few times more screen pixels than columns: whole ones would make stripes.
            interpolation="bilinear" if name == "X" and columns > 4 * _MOST_LABELS else "nearest",
            extent=(0, columns, rows, 0),
        )
    axes.set_xlim(0, max(columns, 1))
    axes.set_ylim(max(rows, 1), 0)
    axes.text(
        0.0,
        1.0,
        f"{title}   {rows:,} × {columns:,}",
        transform=axes.transAxes,
        fontsize=10,
        color=_INK,
        va="bottom",
        ha="left",
    ).set_gid("title")
    axes.set_xticks(_ticks(columns))
    axes.set_yticks(_ticks(rows))
    axes.xaxis.set_major_formatter(_thousands)
    axes.yaxis.set_major_formatter(_thousands)


def _thousands(value: float, _: float | None = None) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}"


def _ticks(count: int) -> list[int]:
    """Return about four round positions from 0."""
    if count < 5:
        return list(range(count + 1))
    rough = count / 4
    power = 10 ** int(np.floor(np.log10(rough)))
    step = next(unit * power for unit in (1, 2, 5, 10) if unit * power >= rough)
    return list(range(0, count + 1, step))


def _short(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"


def _mark_height(matrices: MixedMatrices) -> float:
    return min(0.09 * len(matrices.random.terms), 0.36)


def _draw_x(axes: Axes, matrices: MixedMatrices, sheet: _Sheet) -> None:
    n, p = matrices.X.shape
    pixels = _x_pixels(matrices) if p else np.zeros((0, 0, 3))
    _show(axes, pixels, n, p, "X", "X")
    _raise_title(axes, sheet.above - _TITLE)
    axes.set_ylabel("observations", fontsize=8, color=_FAINT, labelpad=2)
    if not p:
        axes.set_xticks([])
        axes.text(
            0.5, 0.5, "no columns", transform=axes.transAxes, ha="center", color=_FAINT, fontsize=8
        )
        return
    marks = _marks(axes, matrices)
    if sheet.named:
        axes.set_xticks([])
        for k, name in enumerate(matrices.fixed.names):
            axes.annotate(
                _short(name),
                ((k + 0.5) / p, 1.0),
                xycoords="axes fraction",
                xytext=(0, (marks + 0.07) * 72),
                textcoords="offset points",
                rotation=90 if p > 1 else 0,
                ha="center",
                va="bottom",
                fontsize=7.5,
                color=_INK,
                parse_math=False,
            )


def _marks(axes: Axes, matrices: MixedMatrices) -> float:
    """Mark over X the columns that stand again in a random term; return the height used."""
    p = matrices.X.shape[1]
    terms = matrices.random.terms
    height = _mark_height(matrices)
    across = _Plain(p)
    weights = np.zeros((len(terms), across.pixels))
    fixed = {name: k for k, name in enumerate(matrices.fixed.names)}
    for number, term in enumerate(terms):
        for place, name in enumerate(term.plan.names):
            k = fixed.get(name)
            if k is not None and np.array_equal(_column_of_x(matrices, k), term.plan.column(place)):
                weights[number, across.pixel(np.array([k]))] = 1.0
    colours = np.repeat(np.arange(len(terms))[:, None], across.pixels, axis=1)
    inset = axes.inset_axes((0.0, 1.0 + 0.05 / _HEIGHT, 1.0, height / _HEIGHT))
    inset.imshow(
        _painted(weights, colours, _palette(terms)),
        aspect="auto",
        interpolation="nearest",
        extent=(0, p, len(terms), 0),
    )
    for k in range(1, p if p <= _MOST_LABELS else 0):
        inset.axvline(k, color="white", linewidth=1.5)
    inset.set_axis_off()
    return height


def _raise_title(axes: Axes, inches: float) -> None:
    for text in axes.texts:
        if text.get_gid() == "title":
            text.set_position((0.0, 1.0 + inches / _HEIGHT))


def _draw_zt(axes: Axes, matrices: MixedMatrices) -> None:
    random = matrices.random
    q, n = random.Zt.shape
    pixels, rows = _zt_pixels(matrices)
    _show(axes, pixels, q, n, "Zt", "Zᵗ")
    axes.set_xlabel("observations", fontsize=8, color=_FAINT, labelpad=2)
    axes.set_yticks([])
    edges = rows.edges / max(int(rows.edges[-1]), 1)
    band = axes.inset_axes((-0.1 / _ZT_WIDTH, 0.0, 0.06 / _ZT_WIDTH, 1.0))
    band.set_axis_off()
    band.set_xlim(0, 1)
    band.set_ylim(1, 0)
    for k, term in enumerate(random.terms):
        begin, end = float(edges[k]), float(edges[k + 1])
        band.axhspan(begin, end, color=_colour(k), linewidth=0)
        if k > 0 and len(random.terms) <= _MOST_TERMS:
            axes.axhline(begin * q, color=_LINE_COLOUR, linewidth=0.5)
        room = (end - begin) * _HEIGHT
        if room < 0.13:
            continue
        label = _short(term.bar.label)
        level = room < 0.062 * len(label)
        if level and len(label) > _ROOM:
            label = f"{label[: _ROOM - 1]}…"
        axes.annotate(
            label,
            (0.0, 1 - (begin + end) / 2),
            xycoords="axes fraction",
            xytext=(-0.15 * 72, 0),
            textcoords="offset points",
            rotation=0 if level else 90,
            ha="right",
            va="center",
            fontsize=7.5,
            color=_colour(k),
            parse_math=False,
        )


def _draw_square(
    axes: Axes, matrices: MixedMatrices, pixels: FloatArray, name: str, title: str
) -> None:
    q = int(matrices.random.Gp[-1])
    _show(axes, pixels, q, q, name, title)
    axis = _square_axis(matrices)
    edges = axis.edges * q / max(int(axis.edges[-1]), 1)
    if axis.enlarges:
        # Terms are not drawn to scale: only their bounds have a place.
        for set_ticks, room in ((axes.set_xticks, 0.2), (axes.set_yticks, 0.05)):
            far = [0]
            for k in range(1, len(edges)):
                if edges[k] - edges[far[-1]] >= room * q:
                    far.append(k)
            set_ticks(edges[far], [f"{axis.Gp[k]:,}" for k in far])
    for edge in edges[1:-1] if len(edges) <= _MOST_TERMS + 2 else ():
        axes.axhline(float(edge), color=_LINE_COLOUR, linewidth=0.5)
        axes.axvline(float(edge), color=_LINE_COLOUR, linewidth=0.5)


def _draw_legend(figure: Figure, sheet: _Sheet, matrices: MixedMatrices, step: int) -> None:
    """Write one line for each random term below the panels, and how to read the picture."""
    random = matrices.random
    top = sheet.legend - 0.48
    for k, term in enumerate(random.terms[:_MOST_TERMS]):
        y = (top - k * _LINE) / sheet.height
        figure.text(
            _LEFT / sheet.width, y, "■", color=_colour(k), fontsize=10, va="center", ha="left"
        )
        columns = ", ".join(_short(name) for name in term.plan.names[:5])
        if term.columns > 5:
            columns += f", … {term.columns - 5} more"
        label = " ".join(term.bar.label.split())
        line = (
            f"({label})   {term.levels:,} groups × {term.columns} "
            f"column{'' if term.columns == 1 else 's'}: {columns};   rows "
            f"{int(random.Gp[k]):,} to {int(random.Gp[k + 1]) - 1:,} of Zᵗ;   "
            f"{term.covariance.parameters} theta"
        )
        longest = int((sheet.width - _LEFT - 0.3) / 0.074)
        figure.text(
            (_LEFT + 0.18) / sheet.width,
            y,
            line if len(line) <= longest else f"{line[: longest - 1]}…",
            fontsize=8.5,
            color=_INK,
            va="center",
            ha="left",
            parse_math=False,
        )
    shown = min(len(random.terms), _MOST_TERMS)
    y = top - shown * _LINE
    if len(random.terms) > _MOST_TERMS:
        more = f"… and {len(random.terms) - _MOST_TERMS} more terms"
        figure.text(
            (_LEFT + 0.18) / sheet.width,
            y / sheet.height,
            more,
            fontsize=8.5,
            color=_INK,
            va="center",
        )
        y -= _LINE
    reading = [
        "Darker: larger absolute value, or more entries in one pixel.",
        "Colour over a column of X: it stands again in that term's rows of Zᵗ.",
    ]
    if any(term.columns > 1 and term.covariance.parameters > term.columns for term in random.terms):
        reading.append("Pale in Λᵗ: covariances, which start at 0.")
    if len(random.terms) > 1:
        reading.append("Grey in ZᵗZ: between different terms.")
        if _square_axis(matrices).enlarges:
            reading.append("Small terms are drawn larger than their share.")
    if step > 1:
        reading.append(f"ZᵗZ was counted on one observation in {step}.")
    note = textwrap.fill(" ".join(reading), int((sheet.width - _LEFT - _RIGHT) / 0.052))
    figure.text(
        _LEFT / sheet.width,
        (y + 0.06) / sheet.height,
        note,
        fontsize=7.5,
        color=_FAINT,
        va="top",
        ha="left",
        linespacing=1.35,
    )


# One cluster.


def plot_cluster(matrices: MixedMatrices, found: Cluster) -> Figure:
    """Draw one cluster's equation, y_j = X_j β + Z_j b_j + ε_j, as annotated blocks of numbers.

    The columns of Z_j have their term's colour, as in `plot`; columns of X_j that stand
    again in Z_j have it, too. Columns that the cluster's rows have in other grouping factors
    follow in a block of their own. The middle of long and wide blocks is left out.

    Parameters
    ----------
    matrices : MixedMatrices
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
    blocks: list[_Block | str] = [_left_side(found), "="]
    if names:
        tints = [_tint_of_x(matrices, found, k) for k in range(len(names))]
        blocks += [
            _matrix("Xⱼ", found.X, names, tints),
            _vector("β", [f"β[{_short(name)}]" for name in names]),
        ]
    for part in found.parts:
        if not part.columns.size:
            continue
        own = part is found.own
        tints = [_tint(matrices, int(column)) for column in part.columns]
        heads = [name if own else f"{level} {name}" for level, name in part.names]
        effects = [f"b[{_short(level)}, {_short(name)}]" for level, name in part.names]
        symbol = "ⱼ" if own else f" of {_short(part.group)}"
        blocks += ["+"] if len(blocks) > 2 else []
        blocks += [_matrix(f"Z{symbol}", part.Z, heads, tints), _vector(f"b{symbol}", effects)]
    if found.offset is not None:
        blocks += ["+", _matrix("offset", found.offset[:, None], [""], [None])]
    if found.linear:
        blocks += ["+", _vector("εⱼ", [f"ε{_below(i)}" for i in range(1, found.rows.size + 1)])]
    count = found.rows.size
    title = f"{found.group} = {found.level}:  {count} observation{'' if count == 1 else 's'}"
    return _equation(title, blocks)


def _left_side(found: Cluster) -> _Block:
    if found.linear and found.y is not None and found.y.ndim == 1:
        return _matrix("yⱼ", found.y[:, None], [""], [None])
    return _vector("ηⱼ", [f"η{_below(i)}" for i in range(1, found.rows.size + 1)])


def _below(number: int) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(number))


def _tint(matrices: MixedMatrices, column: int) -> str:
    """Return the colour of the term that a column of Z belongs to."""
    return _colour(int(np.searchsorted(matrices.random.Gp[1:], column, side="right")))


def _tint_of_x(matrices: MixedMatrices, found: Cluster, number: int) -> str | None:
    """Return the colour of the cluster's own column that a column of X is equal to."""
    for place, name in enumerate(found.names):
        if name == found.fixed_names[number] and np.array_equal(
            found.own.Z[:, place], found.X[:, number]
        ):
            return _tint(matrices, int(found.columns[place]))
    return None


@dataclass(frozen=True, slots=True)
class _Block:
    """A matrix of the cluster's equation as cells of text.

    Parameters
    ----------
    symbol : str
        What it is called in the equation.
    cells : sequence of sequence of str
        Rows of cells.
    names : sequence of str
        What stands over the columns.
    tints : sequence of (str or None)
        Colour of each column.
    """

    symbol: str
    cells: Sequence[Sequence[str]]
    names: Sequence[str]
    tints: Sequence[str | None]

    @property
    def widths(self) -> list[float]:
        return [
            max([_CELL, *(_CHARACTER * len(row[k]) + 0.14 for row in self.cells)])
            for k in range(len(self.tints))
        ]

    @property
    def width(self) -> float:
        return sum(self.widths) + 0.12

    @property
    def upright(self) -> bool:
        """Whether the names over the columns have to stand."""
        return any(
            _CHARACTER * len(name) > width
            for name, width in zip(self.names, self.widths, strict=False)
        )

    @property
    def above(self) -> float:
        if not any(self.names):
            return 0.0
        return 0.061 * max(map(len, self.names)) + 0.05 if self.upright else 0.2


_CELL, _ROW, _CHARACTER = 0.34, 0.225, 0.072
_MOST_ROWS, _MOST_COLUMNS = 14, 10
_OPERATOR = 0.3


def _kept(count: int, most: int) -> list[int | None]:
    """Return the positions to show; None stands for those left out."""
    if count <= most:
        return list(range(count))
    return [*range(most - 3), None, count - 2, count - 1]


def _number(value: float) -> str:
    text = f"{value:.5g}"
    return text.replace("-", "\N{MINUS SIGN}")


def _vector(symbol: str, entries: Sequence[str]) -> _Block:
    cells = [["⋮" if k is None else entries[k]] for k in _kept(len(entries), _MOST_ROWS)]
    return _Block(symbol, cells, [""], [None])


def _matrix(
    symbol: str, values: FloatArray, names: Sequence[str], tints: Sequence[str | None]
) -> _Block:
    rows = _kept(values.shape[0], _MOST_ROWS)
    columns = _kept(values.shape[1], _MOST_COLUMNS)

    def cell(i: int | None, k: int | None) -> str:
        if i is None:
            return "⋮" if k is not None else "⋱"
        return "⋯" if k is None else _number(float(values[i, k]))

    return _Block(
        symbol,
        [[cell(i, k) for k in columns] for i in rows],
        ["" if k is None or not names else _short(names[k]) for k in columns],
        [None if k is None else tints[k] for k in columns],
    )


def _equation(title: str, blocks: Sequence[_Block | str]) -> Figure:
    """Draw matrices and the signs between them in one line, centred on each other."""
    tall = max(len(block.cells) for block in blocks if isinstance(block, _Block)) * _ROW
    above = max(block.above for block in blocks if isinstance(block, _Block))
    width = 0.5 + sum(
        block.width + 0.08 if isinstance(block, _Block) else _OPERATOR for block in blocks
    )
    height = 0.55 + above + tall + 0.45
    width = max(width, 0.085 * len(title) + 0.5)
    figure = _figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    axes.text(0.25, height - 0.25, title, fontsize=10, color=_INK, va="center", parse_math=False)
    middle = 0.45 + tall / 2
    x = 0.25
    for block in blocks:
        if isinstance(block, str):
            axes.text(x + 0.11, middle, block, fontsize=13, color=_INK, ha="center", va="center")
            x += _OPERATOR
        else:
            _draw_block(axes, block, x, middle)
            axes.text(
                x + block.width / 2,
                0.22,
                block.symbol,
                fontsize=9.5,
                color=_FAINT,
                ha="center",
                va="center",
            )
            x += block.width + 0.08
    return figure


def _draw_block(axes: Axes, block: _Block, left: float, middle: float) -> None:
    from matplotlib.patches import Rectangle

    tall = len(block.cells) * _ROW
    top, bottom = middle + tall / 2, middle - tall / 2
    x = left + 0.06
    for k, width in enumerate(block.widths):
        tint = block.tints[k]
        if tint is not None:
            axes.add_patch(
                Rectangle((x, bottom), width, tall, facecolor=tint, alpha=0.16, linewidth=0)
            )
        for i, row in enumerate(block.cells):
            axes.text(
                x + width / 2,
                top - (i + 0.5) * _ROW,
                row[k],
                fontsize=8.5,
                color=_INK,
                ha="center",
                va="center",
                parse_math=False,
            )
        if block.names[k]:
            axes.text(
                x + width / 2,
                top + 0.06,
                block.names[k],
                fontsize=7.5,
                color=_INK if tint is None else tint,
                ha="center",
                va="bottom",
                rotation=90 if block.upright else 0,
                parse_math=False,
            )
        x += width
    for edge, inward in ((left + 0.03, 0.05), (left + block.width - 0.03, -0.05)):
        axes.plot(
            [edge + inward, edge, edge, edge + inward],
            [top, top, bottom, bottom],
            color=_INK,
            linewidth=1.0,
            solid_capstyle="butt",
        )
