"""The fixed part in words, term by term."""

from __future__ import annotations

from collections.abc import Sequence

from lme4py.explain.document import Block, Code, Entries, Paragraph, Prose
from lme4py.explain.words.model import Model, is_number, left_side, numbered_terms, variables_of
from lme4py.explain.words.phrases import MOST_NAMES, MOST_TERMS, joined, listed
from lme4py.frame.values import Character, Factor, Matrix, Numeric

__all__ = ["fixed_part"]


_CODINGS = {
    "contr.sum": "each column compares a level with the mean of the levels' means",
    "contr.helmert": "each column compares a level with the mean of the levels before it",
    "contr.poly": "the columns are the linear, quadratic, ... trend over the ordered levels",
}


def fixed_part(model: Model) -> list[Block]:
    """Return what each term of the fixed part says."""
    fixed = model.matrices.fixed
    items: list[tuple[Prose, list[Prose]]] = []
    numbered = numbered_terms(model)
    for number, label in numbered[:MOST_TERMS]:
        items.append(([Code(label)], _fixed_term(model, number)))
    blocks: list[Block] = [Entries(items)] if items else []
    if not numbered:
        blocks.append(Paragraph(["The fixed part has no terms: X has no columns."]))
    elif not model.fixed_terms.intercept:
        blocks.append(
            Paragraph(["The formula takes the intercept away (0 or -1): no column of ones in X."])
        )
    if len(numbered) > MOST_TERMS:
        blocks.append(Paragraph([f"... and {len(numbered) - MOST_TERMS} more terms."]))
    if fixed.dropped:
        dropped = listed(list(fixed.dropped))
        blocks.append(
            Paragraph(["Left out of X, because they are combinations of others: ", *dropped, "."])
        )
    if fixed.scales:
        blocks.append(Paragraph(["Columns of X were rescaled (check_scaleX)."]))
    return blocks


def _fixed_term(model: Model, number: int) -> list[Prose]:
    columns = [model.name(k) for k in model.columns(number)]
    if number == 0:
        return [
            [
                *_column_words(columns),
                (
                    f"{_expected(model)} where all other columns of X are 0. "
                    "R adds it unless the formula says 0 or -1."
                ),
            ]
        ]
    member = model.fixed_terms.members[number - 1]
    names = variables_of(model.fixed_terms, member)
    said: list[str | Code] = [*_column_words(columns)]
    if len(names) == 1:
        said += _main_effect(model, names[0], columns)
        said += _where(model, member)
    else:
        said += _interaction(names)
    return [[*said, "."], *_level_effect(model, names)]


def _column_words(columns: Sequence[str]) -> Prose:
    if not columns:
        return ["No column of X is left of it: "]
    if len(columns) == 1:
        return ["Column ", Code(columns[0]), ": "]
    return [f"{len(columns)} columns, ", *listed(columns), ": "]


def _expected(model: Model) -> str:
    return (
        "the expected response" if model.matrices.family is None else "the linear predictor g(E[y])"
    )


def _main_effect(model: Model, name: str, columns: Sequence[str]) -> Prose:
    match model.value(name):
        case Factor(levels=levels):
            shown = [str(level) for level in levels]
            return _coding(model, name, shown, columns)
        case Character(pool=pool):
            return _coding(model, name, list(pool), columns)
        case Numeric(kind="logical"):
            return _coding(model, name, ["FALSE", "TRUE"], columns)
        case Matrix(values=values):
            return [
                f"together the {values.shape[1]} columns that ",
                Code(name),
                " makes; only all of them have a meaning (a curve, a basis)",
            ]
        case _:
            return [f"the change of {_expected(model)} per unit of ", Code(name)]


def _coding(model: Model, name: str, levels: list[str], columns: Sequence[str]) -> Prose:
    if len(columns) >= len(levels):
        return ["a factor without contrasts: ", f"one column per level, {_expected(model)} there"]
    contrast = model.matrices.fixed.contrasts.get(name)
    begin: list[str | Code] = [f"a factor with {len(levels)} levels"]
    if contrast == "contr.treatment":
        return [*begin, ": each column is the difference of a level from ", Code(levels[0])]
    if contrast == "contr.SAS":
        return [*begin, ": each column is the difference of a level from ", Code(levels[-1])]
    if not isinstance(contrast, str):
        return [*begin, ", coded by the matrix that was given"]
    meaning = _CODINGS.get(contrast)
    return [*begin, f", coded by {contrast}", *([f": {meaning}"] if meaning else [])]


def _where(model: Model, member: int) -> Prose:
    """Return what the other variables of a main effect's interactions are held at."""
    others = {
        name: None
        for larger in model.fixed_terms.members
        if larger != member and larger & member == member
        for name in variables_of(model.fixed_terms, larger & ~member)
    }
    if not others:
        return []
    held = [_held_at(model, name) for name in list(others)[:MOST_NAMES]]
    more = len(others) - len(held)
    return [", where ", *joined(held), *([f", ... {more} more"] if more else [])]


def _held_at(model: Model, name: str) -> Prose:
    """Return the value of a variable at which its columns are 0."""
    value = model.value(name)
    if isinstance(value, Factor) and model.matrices.fixed.contrasts.get(name) == "contr.treatment":
        return [Code(name), " is ", Code(str(value.levels[0]))]
    if is_number(model, name):
        return [Code(name), " is 0"]
    return ["the columns of ", Code(name), " are 0"]


def _interaction(names: Sequence[str]) -> Prose:
    *first, last = names
    if len(first) == 1:
        return ["how the effect of ", Code(first[0]), " changes with ", Code(last)]
    inner = joined([[Code(name)] for name in first])
    return ["how the interaction of ", *inner, " changes with ", Code(last)]


def _level_effect(model: Model, names: Sequence[str]) -> list[Prose]:
    """Return what variables that are constant within groups do: they move means of effects."""
    upper = [name for name in names if model.home(name) is not None]
    lower = [name for name in names if model.home(name) is None]
    home = model.home(upper[0]) if upper else None
    if home is None:
        return []
    who = joined([[Code(name)] for name in upper])
    verb = "is" if len(upper) == 1 else "are"
    said: list[str | Code] = [*who, f" {verb} constant within each ", Code(home)]
    if lower:
        said += [", ", *joined([[Code(n)] for n in lower]), " is not: a cross-level interaction. "]
        said += ["It gives each ", Code(home), " its own slope of "]
        said += [*joined([[Code(n)] for n in lower]), ", by what "]
        said += [*who, f" {verb} there" + _residual(model, lower, home) + "."]
    else:
        said += [", so its column has one value per group: it moves all observations of a "]
        said += [Code(home), " alike, a part of what makes their intercepts differ."]
    return [said]


def _residual(model: Model, lower: Sequence[str], home: str) -> str:
    """Return whether the slope that a cross-level interaction moves is random as well."""
    for term in model.matrices.random.terms:
        left = left_side(model, term)
        members = [set(variables_of(left, member)) for member in left.members]
        if term.bar.group_name == home and set(lower) in members:
            return "; what is left of the slope's differences is in Z b"
    return "; the slope is not random there, so it has no other differences between groups"
