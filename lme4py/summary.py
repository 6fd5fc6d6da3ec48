"""A design in words and numbers: one line, a page of text, a page of HTML."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.design import MixedDesign
from lme4py.matrices.covariance import Covariance

__all__ = ["brief", "html", "summary"]

_DIGITS = 6
_LONGEST_THETA = 6
_LONGEST_NAMES = 40


def brief(design: MixedDesign) -> str:
    """Return what the design is in a few lines, for ``repr(design)``.

    Parameters
    ----------
    design : Design
        The design.

    Examples
    --------
    >>> import lme4py
    >>> from lme4py.data import sleepstudy
    >>> print(brief(lme4py.lformula("Reaction ~ Days + (Days | Subject)", sleepstudy())))
    <MixedDesign: Reaction ~ Days + (Days | Subject)
     X 180 x 2: (Intercept), Days
     Zt 36 x 180: Subject 18 x ((Intercept), Days)>
    """
    blocks = [
        f"{group} {levels} x ({_shortened(columns, 4)})"
        for group, levels, columns in _blocks(design)
    ]
    lines = [
        f"<MixedDesign: {_one_line(str(design.formula))}",
        f" X {_size(design.X)}: {_shortened(design.fixed.names, 8) or 'no columns'}",
        f" Zt {_size(design.random.Zt)}: {'; '.join(blocks)}>",
    ]
    return "\n".join(line if len(line) <= 100 else f"{line[:96]} ...>"[:101] for line in lines)


def summary(design: MixedDesign, *, rows: int = 6, width: int = 88) -> str:
    """Return the design as a page of text: dimensions, columns, random terms, head of X and Zt.

    Parameters
    ----------
    design : Design
        The design.
    rows : int, default 6
        Rows of X, rows and columns of Zt to print.
    width : int, default 88
        Width of the page in characters; columns that do not fit are counted, not printed.

    Returns
    -------
    str
        Lines without a trailing newline.

    Examples
    --------
    >>> import lme4py
    >>> from lme4py.data import sleepstudy
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> print(summary(design, rows=2))
    Reaction ~ Days + (Days | Subject)
    <BLANKLINE>
      linear, REML   180 rows   p = 2   q = 36   3 theta
    <BLANKLINE>
    X  180 x 2
      (Intercept), Days
    <BLANKLINE>
    Zt  36 x 180, 342 values
      term            group    levels  rows of Zt  theta  columns
      Days | Subject  Subject      18  0:36        1 0 1  (Intercept), Days
    <BLANKLINE>
    y and X, first 2 rows
         Reaction  (Intercept)  Days
      0  249.5600            1     0
      1  258.7047            1     1
    <BLANKLINE>
    Zt, first 2 rows and columns
                        0  1
      308  (Intercept)  1  1
      308  Days         .  1
    """
    sections = [
        _wrapped(_one_line(str(design.formula)), width, ""),
        f"  {_dimensions(design)}",
        _fixed_part(design, width),
        _random_part(design, width),
    ]
    if rows > 0:
        sections += [_head_of_x(design, rows, width), _head_of_zt(design, rows, width)]
    if design.messages:
        sections.append(
            "\n".join(["messages", *(_wrapped(item, width) for item in design.messages)])
        )
    return "\n\n".join(section for section in sections if section)


def html(design: MixedDesign, *, rows: int = 6) -> str:
    """Return the design as HTML for notebooks: the content of `summary` in tables.

    Parameters
    ----------
    design : Design
        The design.
    rows : int, default 6
        Rows of X, rows and columns of Zt to show.

    Examples
    --------
    >>> import lme4py
    >>> from lme4py.data import sleepstudy
    >>> page = html(lme4py.lformula("Reaction ~ Days + (Days | Subject)", sleepstudy()))
    >>> page.startswith("<div"), "(Intercept)" in page
    (True, True)
    """
    formula = escape(_one_line(str(design.formula)))
    size = escape(_dimensions(design).replace("   ", " · "))
    parts = [
        f"<p><code>{formula}</code><br>{size}</p>",
        _html_table(*_random_table(design), right={2}),
    ]
    if rows > 0:
        names, lines = _x_table(design, rows)
        parts.append(f"<p>y and X, first {len(lines)} rows</p>")
        shown = min(len(names), _LONGEST_NAMES)
        heads = [line[:shown] for line in lines]
        parts.append(_html_table(names[:shown], heads, right=set(range(1, shown))))
        if shown < len(names):
            parts.append(f"<p>... and {len(names) - shown} more columns</p>")
        names, lines = _zt_table(design, rows)
        parts.append(f"<p>Zt, first {len(lines)} rows</p>")
        parts.append(_html_table(names, lines, right=set(range(2, len(names)))))
    parts += [f"<p>{escape(message)}</p>" for message in design.messages]
    return f"<div>{''.join(parts)}</div>"


def _blocks(design: MixedDesign) -> list[tuple[str, int, list[str]]]:
    """Return each random term's group, number of levels and columns."""
    return [
        (group, int(levels), list(columns))
        for (group, columns), levels in zip(design.random.cnms, design.random.nl, strict=True)
    ]


def _dimensions(design: MixedDesign) -> str:
    if design.family is None:
        kind = f"linear, {'REML' if design.reml else 'ML'}"
    else:
        kind = f"generalized linear, {design.family}"
    parts = [
        kind,
        f"{design.X.shape[0]} rows",
        f"p = {design.X.shape[1]}",
        f"q = {design.random.Zt.shape[0]}",
        f"{len(design.random.theta)} theta",
    ]
    if len(design.random.par) != len(design.random.theta):
        parts.append(f"{len(design.random.par)} par")
    if design.weights is not None:
        parts.append("weights")
    if design.offset is not None:
        parts.append("offset")
    return "   ".join(parts)


def _fixed_part(design: MixedDesign, width: int) -> str:
    fixed = design.fixed
    lines = [f"X  {_size(design.X)}", _wrapped(_shortened(fixed.names, _LONGEST_NAMES), width)]
    if fixed.contrasts:
        coding = [
            f"{name}: {value if isinstance(value, str) else 'matrix'}"
            for name, value in fixed.contrasts.items()
        ]
        lines.append(_wrapped(f"contrasts {', '.join(coding)}", width))
    if fixed.dropped:
        lines.append(_wrapped(f"dropped {_shortened(list(fixed.dropped), _LONGEST_NAMES)}", width))
    return "\n".join(line for line in lines if line)


def _random_table(design: MixedDesign) -> tuple[list[str], list[list[str]]]:
    """Return one line per random term: label, group, levels, rows, theta, columns."""
    random = design.random
    names = ["term", "group", "levels", "rows of Zt", "theta", "columns"]
    structured = any(term.bar.structure != "us" for term in random.terms)
    if structured:
        names.insert(1, "structure")
    lines = []
    for k, ((group, levels, columns), (label, _)) in enumerate(
        zip(_blocks(design), random.Ztlist, strict=True)
    ):
        begin, end = int(random.Gp[k]), int(random.Gp[k + 1])
        # The first level's block of Lambdat names all of the term's parameters.
        stored = random.Lambdat.indptr[[begin, min(begin + len(columns), end)]]
        places = np.unique(random.Lind[stored[0] : stored[1]])
        theta = [_plain(value) for value in random.theta[places]]
        if len(theta) > _LONGEST_THETA:
            theta = [*theta[: _LONGEST_THETA - 1], f"... ({len(theta)})"]
        lines.append(
            [
                _one_line(label),
                group,
                str(levels),
                f"{begin}:{end}",
                " ".join(theta),
                _shortened(columns, 8),
            ]
        )
        if structured:
            lines[-1].insert(1, _structure(random.terms[k].covariance))
    return names, lines


def _structure(covariance: Covariance) -> str:
    """Return a structure's name, and whether its standard deviations are common."""
    if covariance.name == "us":
        return covariance.name
    return f"{covariance.name} {'hom' if covariance.hom else 'het'}"


def _random_part(design: MixedDesign, width: int) -> str:
    names, lines = _random_table(design)
    stored = design.random.Zt.nnz
    right = {names.index("levels")}
    table = [_fold(line, width) for line in _aligned(names, lines, right=right)]
    return "\n".join([f"Zt  {_size(design.random.Zt)}, {stored} values", *table])


def _x_table(design: MixedDesign, rows: int) -> tuple[list[str], list[list[str]]]:
    """Return the head of the response and X: column names and lines of text."""
    head = design.X[:rows]
    dense = np.asarray(head.toarray() if hasattr(head, "toarray") else head)
    count = dense.shape[0]
    y = np.empty((count, 0)) if design.y is None else design.y[:rows].reshape(count, -1)
    label = _one_line(str(design.formula)).partition(" ~ ")[0]
    width = y.shape[1]
    labels = [label] if width == 1 else [f"y[{k + 1}]" for k in range(width)]
    columns = [
        [str(name) for name in design.frame.index[:rows]],
        *(_numbers(column) for column in y.T),
        *(_numbers(column) for column in dense.T),
    ]
    names = ["", *labels, *design.fixed.names]
    return names, [list(line) for line in zip(*columns, strict=True)]


def _head_of_x(design: MixedDesign, rows: int, width: int) -> str:
    names, lines = _x_table(design, rows)
    shown = _that_fit(names, lines, width)
    table = _aligned(names[:shown], [line[:shown] for line in lines], right=set(range(1, shown)))
    rest = len(names) - shown
    more = [f"  ... and {rest} more column{'s' if rest > 1 else ''}"] if rest else []
    return "\n".join([f"y and X, first {len(lines)} row{_s(lines)}", *table, *more])


def _zt_table(design: MixedDesign, rows: int) -> tuple[list[str], list[list[str]]]:
    """Return the corner of Zt: level, column of the term, then entries with dots for zeros."""
    random = design.random
    corner = random.Zt[:rows, :][:, :rows].tocsc()
    dense = corner.toarray()
    present = np.zeros(dense.shape, dtype=bool)
    present[corner.indices, np.repeat(np.arange(dense.shape[1]), np.diff(corner.indptr))] = True
    columns: list[list[str]] = [random.row_names[:rows], _row_columns(design, dense.shape[0])]
    for j in range(dense.shape[1]):
        text = iter(_numbers(dense[present[:, j], j]))
        columns.append([next(text) if stored else "." for stored in present[:, j]])
    names = ["", "", *(str(name) for name in design.frame.index[: dense.shape[1]])]
    return names, [list(line) for line in zip(*columns, strict=True)]


def _row_columns(design: MixedDesign, count: int) -> list[str]:
    """Return, for the first rows of Zt, the term's column that each row belongs to."""
    names: list[str] = []
    for _, levels, columns in _blocks(design):
        need = count - len(names)
        if need <= 0:
            break
        if columns:
            names += (columns * min(levels, need // len(columns) + 1))[:need]
    return names


def _head_of_zt(design: MixedDesign, rows: int, width: int) -> str:
    names, lines = _zt_table(design, rows)
    shown = _that_fit(names, lines, width)
    table = _aligned(names[:shown], [line[:shown] for line in lines], right=set(range(2, shown)))
    return "\n".join([f"Zt, first {len(lines)} row{_s(lines)} and columns", *table])


def _s(items: Sequence[object]) -> str:
    return "" if len(items) == 1 else "s"


def _size(matrix: Any) -> str:
    return f"{matrix.shape[0]} x {matrix.shape[1]}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _shortened(names: Sequence[str], most: int) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])}, ... {len(names) - most + 1} more"


def _wrapped(text: str, width: int, indent: str = "  ") -> str:
    return textwrap.fill(
        text,
        max(width, 20),
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _fold(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: max(width, 20) - 4]} ..."


def _plain(value: float) -> str:
    """Return a number in at most six significant digits."""
    return f"{value:.{_DIGITS}g}"


def _decimals(value: float, digits: int) -> int:
    """Return how many decimals `value` needs for that many significant digits."""
    mantissa, _, exponent = f"{abs(value):.{digits - 1}e}".partition("e")
    significant = len(mantissa.rstrip("0").replace(".", ""))
    return max(0, significant - 1 - int(exponent))


def _numbers(values: NDArray[Any]) -> list[str]:
    """Return a column of numbers as R prints it: common decimals, at most seven digits.

    Examples
    --------
    >>> _numbers(np.array([1.0, 0.25, np.nan]))
    ['1.00', '0.25', 'NaN']
    >>> _numbers(np.array([1e-10, 123456.0]))
    ['1.00000e-10', '1.23456e+05']
    """
    digits = _DIGITS + 1
    column = [float(value) for value in values]
    finite = [value for value in column if np.isfinite(value)]
    decimals = max((_decimals(value, digits) for value in finite), default=0)
    widest = max((len(f"{value:.{decimals}f}") for value in finite), default=0)
    mantissas = [f"{value:.{digits - 1}e}".partition("e")[0].rstrip("0") for value in finite]
    fraction = max((len(mantissa.partition(".")[2]) for mantissa in mantissas), default=0)
    scientific = max((len(f"{value:.{fraction}e}") for value in finite), default=0)
    pattern = f".{decimals}f" if widest <= scientific else f".{fraction}e"
    special = {"nan": "NaN", "inf": "Inf", "-inf": "-Inf"}
    return [
        format(value, pattern) if np.isfinite(value) else special[str(value)] for value in column
    ]


def _widths(names: Sequence[str], lines: Iterable[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(names, *lines, strict=True)]


def _that_fit(names: Sequence[str], lines: Sequence[Sequence[str]], width: int) -> int:
    """Return how many columns of a table fit on the page (at least the first two)."""
    room = np.cumsum([length + 2 for length in _widths(names, lines)])
    return max(min(2, len(names)), int(np.searchsorted(room, width, side="right")))


def _aligned(names: Sequence[str], lines: Sequence[Sequence[str]], right: set[int]) -> list[str]:
    """Return the lines of a table, columns two spaces apart, those in `right` flush right."""
    widths = _widths(names, lines)
    return [
        "".join(
            f"  {cell:>{size}}" if k in right else f"  {cell:<{size}}"
            for k, (cell, size) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [names, *lines]
    ]


def _html_table(
    names: Sequence[str], lines: Sequence[Sequence[str]], right: Collection[int] = ()
) -> str:
    """Return a table that scrolls by itself when it is wider than the page."""

    def row(tag: str, cells: Sequence[str]) -> str:
        return "".join(
            f"<{tag} style='text-align:{'right' if k in right else 'left'};padding:0.1em 0.6em'>"
            f"{escape(cell)}</{tag}>"
            for k, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{row('td', line)}</tr>" for line in lines)
    return (
        "<div style='overflow-x:auto'><table>"
        f"<thead><tr>{row('th', names)}</tr></thead><tbody>{body}</tbody></table></div>"
    )
