"""A design in words and numbers: a few lines, a page of text, a page of HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lme4py.design import FixedDesign, MixedDesign
from lme4py.explain.markup.page import Page, Paragraph, Table, aligned_numbers, code, one_line
from lme4py.frame.pandas_frame import row_labels

__all__ = ["brief", "html", "rows_and_columns_gone", "summary"]

_DIGITS = 6
_LONGEST_THETA = 6
_LONGEST_NAMES = 40


def brief(design: FixedDesign) -> str:
    """Return what the design is in a few lines, for ``repr(design)``.

    Examples
    --------
    >>> import lme4py
    >>> from lme4py.data import sleepstudy
    >>> print(brief(lme4py.lformula("Reaction ~ Days + (Days | Subject)", sleepstudy())))
    <MixedDesign: Reaction ~ Days + (Days | Subject)
     X 180 x 2: (Intercept), Days
     Zt 36 x 180: Subject 18 x ((Intercept), Days)>
    """
    lines = [
        f"<{type(design).__name__}: {one_line(str(design.formula))}",
        *(f" {said}" for said in rows_and_columns_gone(design)),
        f" X {_size(design.X)}: {_shortened(design.fixed.names, 8) or 'no columns'}",
    ]
    if isinstance(design, MixedDesign):
        random = design.random
        terms = [
            f"{group} {levels} x ({_shortened(columns, 4)})"
            for (group, columns), levels in zip(random.cnms, random.nl, strict=True)
        ]
        lines.append(f" Zt {_size(random.Zt)}: {'; '.join(terms)}")
    lines = [line if len(line) <= 100 else f"{line[:96]} ..." for line in lines]
    return "\n".join(lines) + ">"


def rows_and_columns_gone(design: FixedDesign) -> list[str]:
    """Return what of the data and the formula is not in the design, a line for each.

    Examples
    --------
    >>> import lme4py
    >>> data = lme4py.data.sleepstudy()
    >>> data.loc[data["Days"] == 9, "Reaction"] = None
    >>> rows_and_columns_gone(lme4py.lformula("Reaction ~ Days + (1 | Subject)", data))
    ['162 of 180 rows: 18 with missing values']
    """
    said = []
    frame, dropped = design.model_frame, list(design.fixed.dropped)
    if frame.omitted:
        every = frame.rows + frame.omitted
        lost = [
            f"{count} level{_plural(count)} of {name}"
            for name, count in design.lost_levels.items()
            if count
        ]
        said.append(
            f"{frame.rows} of {every} rows: {frame.omitted} with missing values"
            + (f", and with them {' and '.join(lost)}" if lost else "")
        )
    if dropped:
        columns = _shortened(dropped, _LONGEST_NAMES)
        said.append(f"{len(dropped)} column{_plural(len(dropped))} dropped from X: {columns}")
    return said


def summary(design: MixedDesign, *, rows: int = 6, width: int = 88) -> str:
    """Return the design as a page of text: dimensions, columns, random terms, head of X and Zt.

    Parameters
    ----------
    design : MixedDesign
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
    linear, REML · 180 rows · p = 2 · q = 36 · 3 theta
    <BLANKLINE>
    X 180 x 2: (Intercept), Days
    <BLANKLINE>
    Zt 36 x 180: 342 values
    <BLANKLINE>
      term            group    levels  rows of Zt  theta  columns
      Days | Subject  Subject      18  0:36        1 0 1  (Intercept), Days
    <BLANKLINE>
    y and X, first 2 rows
    <BLANKLINE>
         Reaction  (Intercept)  Days
      0  249.5600            1     0
      1  258.7047            1     1
    <BLANKLINE>
    Zt, first 2 rows and columns
    <BLANKLINE>
                        0  1
      308  (Intercept)  1  1
      308  Days         .  1
    """
    return _page(design, rows, lambda table: table.fitting(width)).text(width)


def html(design: MixedDesign, *, rows: int = 6) -> str:
    """Return the design as HTML for notebooks: the page of `summary`.

    Parameters
    ----------
    design : MixedDesign
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
    return _page(design, rows, lambda table: table.first(_LONGEST_NAMES)).html()


def _page(design: MixedDesign, rows: int, cut: Callable[[Table], Table]) -> Page:
    fixed, Zt = design.fixed, design.random.Zt
    coding = [
        f"{name}: {value if isinstance(value, str) else 'matrix'}"
        for name, value in fixed.contrasts.items()
    ]
    passages: list[Paragraph | Table] = [
        Paragraph(code(one_line(str(design.formula)))),
        Paragraph(_dimensions(design)),
        *map(Paragraph, rows_and_columns_gone(design)),
        Paragraph(
            f"X {_size(design.X)}: {_shortened(fixed.names, _LONGEST_NAMES) or 'no columns'}"
        ),
        *([Paragraph(f"contrasts {', '.join(coding)}")] if coding else []),
        Paragraph(f"Zt {_size(Zt)}: {Zt.nnz} values"),
        _random_terms(design),
    ]
    if rows > 0:
        table = _y_and_x(design, rows)
        shown, count = cut(table), len(table.rows)
        passages += [Paragraph(f"y and X, first {count} row{_plural(count)}"), shown]
        rest = len(table.names) - len(shown.names)
        passages += [Paragraph(f"... and {rest} more column{_plural(rest)}")] * (rest > 0)
        corner = _corner_of_zt(design, rows)
        count = len(corner.rows)
        title = f"Zt, first {count} row{_plural(count)} and columns"
        passages += [Paragraph(title), cut(corner)]
    for title, texts in (("messages", design.messages), ("advice", design.advice)):
        passages += map(Paragraph, [title, *texts] if texts else [])
    return Page(passages)


def _dimensions(design: MixedDesign) -> str:
    kind = f"linear, {'REML' if design.reml else 'ML'}"
    if design.family is not None:
        kind = f"generalized linear, {design.family}"
    n, p = design.X.shape
    theta, par = len(design.random.theta), len(design.random.par)
    parts = [kind, f"{n} rows", f"p = {p}", f"q = {design.random.Zt.shape[0]}", f"{theta} theta"]
    parts += [f"{par} par"] * (par != theta)
    parts += ["weights"] * (design.weights is not None)
    parts += ["offset"] * (design.offset is not None)
    return " · ".join(parts)


def _random_terms(design: MixedDesign) -> Table:
    """Return one line per random term: label, group, levels, rows, theta, columns."""
    random = design.random
    names = ["term", "structure", "group", "levels", "rows of Zt", "theta", "columns"]
    lines = []
    for term, begin, end in zip(random.terms, random.Gp[:-1], random.Gp[1:], strict=True):
        bar, covariance = term.bar, term.covariance
        theta = [f"{value:.{_DIGITS}g}" for value in covariance.theta()]
        if len(theta) > _LONGEST_THETA:
            theta = [*theta[: _LONGEST_THETA - 1], f"... ({len(theta)})"]
        spread = "" if covariance.name == "us" else " hom" if covariance.hom else " het"
        cells = [one_line(bar.label), f"{covariance.name}{spread}", bar.group_name]
        cells += [str(term.levels), f"{begin}:{end}", " ".join(theta)]
        cells += [_shortened(list(term.plan.names), 8)]
        lines.append(cells)
    if all(term.bar.structure == "us" for term in random.terms):
        return Table([names[0], *names[2:]], [[line[0], *line[2:]] for line in lines], {2})
    return Table(names, lines, {3})


def _y_and_x(design: MixedDesign, rows: int) -> Table:
    """Return the head of the response and X."""
    head: Any = design.X[:rows]
    dense = np.asarray(head.toarray() if hasattr(head, "toarray") else head)
    count = dense.shape[0]
    y = np.empty((count, 0)) if design.y is None else design.y[:rows].reshape(count, -1)
    label = one_line(str(design.formula)).partition(" ~ ")[0]
    labels = [label] if y.shape[1] == 1 else [f"y[{k + 1}]" for k in range(y.shape[1])]
    names = ["", *labels, *design.fixed.names]
    columns = [_labels(design, rows), *map(aligned_numbers, (*y.T, *dense.T))]
    return Table(names, list(zip(*columns, strict=True)), range(1, len(names)))


def _corner_of_zt(design: MixedDesign, rows: int) -> Table:
    """Return the corner of Zt: level, column of the term, then entries with dots for zeros."""
    random = design.random
    # Columns first, which costs nothing: rows of all columns are found by a pass over Zt.
    corner = random.Zt[:, :rows][:rows, :].tocoo()
    height, width = corner.shape
    cells = np.full(corner.shape, ".", dtype=object)
    for j in range(width):
        own = corner.col == j
        cells[corner.row[own], j] = aligned_numbers(corner.data[own])
    # The column of its term that each row belongs to.
    kinds = (
        columns[k % len(columns)]
        for (_, columns), levels in zip(random.cnms, random.nl, strict=True)
        for k in range(min(int(levels) * len(columns), height))
    )
    lines = zip(random.row_names[:height], kinds, cells.tolist(), strict=False)
    names = ["", "", *_labels(design, width)]
    return Table(names, [[level, kind, *line] for level, kind, line in lines], range(2, len(names)))


def _labels(design: MixedDesign, count: int) -> list[str]:
    """Return the labels of the first rows; all of the model frame is not made for them."""
    return list(map(str, row_labels(design.model_frame, design.index, slice(count))))


def _plural(count: int) -> str:
    return "" if count == 1 else "s"


def _size(matrix: Any) -> str:
    return f"{matrix.shape[0]} x {matrix.shape[1]}"


def _shortened(names: Sequence[str], most: int) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])}, ... {len(names) - most + 1} more"
