"""The fixed part in words, term by term."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lme4py.explain.markup.page import Definitions, Paragraph, Passage, Prose, code
from lme4py.explain.words.reading import MOST_NAMES, MOST_TERMS, Reading, joined, listed
from lme4py.frame.values import Character, Factor, Matrix, Numeric

__all__ = ["fixed_part"]


_CODINGS = {
    "contr.sum": "each column compares a level with the mean of the levels' means",
    "contr.helmert": "each column compares a level with the mean of the levels before it",
    "contr.poly": "the columns are the linear, quadratic, ... trend over the ordered levels",
}


def fixed_part(reading: Reading) -> Iterator[Passage]:
    """Yield what each term of the fixed part says."""
    fixed, numbered = reading.design.fixed, reading.numbered_terms
    if numbered:
        shown = numbered[:MOST_TERMS]
        yield Definitions([(code(label), list(_term(reading, number))) for number, label in shown])
    if not numbered:
        yield Paragraph("The fixed part has no terms: X has no columns.")
    elif not reading.fixed_terms.intercept:
        yield Paragraph("The formula takes the intercept away (0 or -1): no column of ones in X.")
    if len(numbered) > MOST_TERMS:
        yield Paragraph(f"... and {len(numbered) - MOST_TERMS} more terms.")
    if fixed.dropped:
        names = listed(list(fixed.dropped))
        yield Paragraph(f"Left out of X, because they are combinations of others: {names}.")
    if fixed.scales:
        yield Paragraph("Columns of X were rescaled (check_scaleX).")


def _term(reading: Reading, number: int) -> Iterator[Prose]:
    columns, names = reading.column_names(number), reading.variables(number)
    if number == 0:
        yield (
            f"{_columns(columns)}{_expected(reading)} where all other columns of X are 0. "
            "R adds it unless the formula says 0 or -1."
        )
        return
    if len(names) == 1:
        said = _main_effect(reading, names[0], columns) + _where(reading, number)
    elif len(names) == 2:
        said = f"how the effect of {code(names[0])} changes with {code(names[1])}"
    else:
        inner = joined([code(name) for name in names[:-1]])
        said = f"how the interaction of {inner} changes with {code(names[-1])}"
    yield f"{_columns(columns)}{said}."
    yield from _level_effect(reading, names)


def _columns(columns: Sequence[str]) -> Prose:
    if not columns:
        return "No column of X is left of it: "
    if len(columns) == 1:
        return f"Column {code(columns[0])}: "
    return f"{len(columns)} columns, {listed(columns)}: "


def _expected(reading: Reading) -> str:
    linear = reading.design.family is None
    return "the expected response" if linear else "the linear predictor g(E[y])"


def _main_effect(reading: Reading, name: str, columns: Sequence[str]) -> Prose:
    match reading.value(name):
        case Factor(levels=levels):
            return _coding(reading, name, list(map(str, levels)), columns)
        case Character(pool=pool):
            return _coding(reading, name, list(pool), columns)
        case Numeric(kind="logical"):
            return _coding(reading, name, ["FALSE", "TRUE"], columns)
        case Matrix(values=values):
            return (
                f"together the {values.shape[1]} columns that {code(name)} makes; "
                "only all of them have a meaning (a curve, a basis)"
            )
        case _:
            return f"the change of {_expected(reading)} per unit of {code(name)}"


def _coding(reading: Reading, name: str, levels: list[str], columns: Sequence[str]) -> Prose:
    if len(columns) >= len(levels):
        return f"a factor without contrasts: one column per level, {_expected(reading)} there"
    factor = f"a factor with {len(levels)} levels"
    contrast = reading.design.fixed.contrasts.get(name)
    if contrast in ("contr.treatment", "contr.SAS"):
        base = levels[0] if contrast == "contr.treatment" else levels[-1]
        return f"{factor}: each column is the difference of a level from {code(base)}"
    if not isinstance(contrast, str):
        return f"{factor}, coded by the matrix that was given"
    meaning = _CODINGS.get(contrast)
    return f"{factor}, coded by {contrast}{f': {meaning}' if meaning else ''}"


def _where(reading: Reading, number: int) -> Prose:
    """Return what the other variables of a main effect's interactions are held at."""
    others = reading.beside(number)
    if not others:
        return ""
    held = joined([_held_at(reading, name) for name in others[:MOST_NAMES]])
    more = len(others) - MOST_NAMES
    return f", where {held}{f', ... {more} more' if more > 0 else ''}"


def _held_at(reading: Reading, name: str) -> Prose:
    """Return the value of a variable at which its columns are 0."""
    value = reading.value(name)
    treatment = reading.design.fixed.contrasts.get(name) == "contr.treatment"
    if isinstance(value, Factor) and treatment:
        return f"{code(name)} is {code(value.levels[0])}"
    if reading.is_number(name):
        return f"{code(name)} is 0"
    return f"the columns of {code(name)} are 0"


def _level_effect(reading: Reading, names: Sequence[str]) -> Iterator[Prose]:
    """Yield what variables that are constant within groups do: they move means of effects."""
    upper = [name for name in names if reading.home(name) is not None]
    lower = [name for name in names if reading.home(name) is None]
    home = reading.home(upper[0]) if upper else None
    if home is None:
        return
    who, verb = joined(list(map(code, upper))), "is" if len(upper) == 1 else "are"
    said = f"{who} {verb} constant within each {code(home)}"
    if not lower:
        yield (
            f"{said}, so its column has one value per group: it moves all observations of one "
            f"{code(home)} alike, a part of what makes their intercepts differ."
        )
        return
    slope = joined(list(map(code, lower)))
    rest = "; the slope is not random there, so it has no other differences between groups"
    if reading.has_effect(home, lower):
        rest = "; what is left of the slope's differences is in Z b"
    yield (
        f"{said}, {slope} is not: a cross-level interaction. It gives each {code(home)} "
        f"its own slope of {slope}, by what {who} {verb} there{rest}."
    )
