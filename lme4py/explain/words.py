"""A model told in words: what each part of the formula adds, and where it stands.

Three facts are found from the data, not from the formula's look:

* the level of a variable: the coarsest grouping factor within which it never changes;
* the order of the grouping factors: one is nested in another if each of its levels
  lies within one level of the other;
* the mean of a random effect: the columns of X that lie in the span of a term's
  columns Z_c are Z_c A for one matrix A, so the mean of the effect of column c is row c
  of A times β. A slope whose column stands in X, too, is the common case (A = 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lme4py.explain.document import Block, Code, Document, Entries, Heading, Paragraph, Prose, Table
from lme4py.explain.levels import Grouping, hierarchy, place_of
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Call, Node, Number, call, strip_parentheses
from lme4py.formula.terms import Terms, terms
from lme4py.frame.values import Character, Factor, FloatArray, Matrix, Numeric, Value
from lme4py.matrices.mixed import MixedMatrices
from lme4py.matrices.randomterm import RandomTerm

__all__ = ["Explanation", "explain"]

_MOST_NAMES = 6
_MOST_TERMS = 30
_MOST_PARAMETERS = 10
# Work (rows x columns x columns) up to which the span of a term's columns is computed.
_LARGEST_SPAN = 400_000_000
_TOLERANCE = 1e-8
# Families whose dispersion is estimated, so that Λ is relative to it.
_SCALED = frozenset({"gaussian", "Gamma", "inverse.gaussian"})
_STRUCTURES = {
    "diag": "its effects are independent of each other: variances, no covariances",
    "cs": "every two of its effects have the same correlation",
    "ar1": "effects k columns apart have correlation rho to the power k",
}
_CODINGS = {
    "contr.sum": "each column compares a level with the mean of the levels' means",
    "contr.helmert": "each column compares a level with the mean of the levels before it",
    "contr.poly": "the columns are the linear, quadratic, ... trend over the ordered levels",
}


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """A model in words, in three renderings of the same content.

    Parameters
    ----------
    text : str
        For a terminal; also ``str()`` and ``repr()``.
    markdown : str
        For a document.
    html : str
        For a notebook, which shows it by itself.
    """

    text: str
    markdown: str
    html: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def explain(matrices: MixedMatrices, *, width: int = 88) -> Explanation:
    r"""Tell the model in words, term by term.

    For every part of the formula: what it adds to the model, the level at which it acts,
    the columns of X, rows of Zt and elements of theta it makes. Columns that stand both in
    X and in Z are pointed out: X holds the mean, Z the deviations from it.

    Parameters
    ----------
    matrices : MixedMatrices
        The model.
    width : int, default 88
        Width of the plain text in characters.

    Returns
    -------
    Explanation
        The same content as ``.text``, ``.markdown`` and ``.html``.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> print("\n".join(explain(design).text.splitlines()[7:11]))
      part              acts at                columns of X  rows of Zt  theta
      1                 all observations       0:1
      Days              level 1: observations  1:2
      (Days | Subject)  level 2: Subject                     0:36        0:3
    """
    model = _Model(matrices)
    blocks: list[Block] = [
        Heading([Code(_one_line(str(matrices.formula)))], 1),
        Paragraph(_opening(model)),
        _overview(model),
        Paragraph(_levels(model)),
        Heading(["Fixed part: X β"]),
        *_fixed_part(model),
        Heading(["Random part: Z b"]),
        *_random_part(model),
        *_both(model),
    ]
    page = Document(blocks)
    return Explanation(page.text(width), page.markdown(), page.html())


@dataclass(frozen=True, slots=True)
class _Group:
    """A grouping factor with its level and the coarser factors that it lies in."""

    grouping: Grouping
    level: int
    inside: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.grouping.name

    @property
    def size(self) -> int:
        return len(self.grouping.levels)


class _Model:
    """The matrices with what is found from the data once."""

    def __init__(self, matrices: MixedMatrices) -> None:
        self.matrices = matrices
        self.rows = matrices.X.shape[0]
        frame = matrices.model_frame
        self.fixed_terms = terms(matrices.formula.nobars().node, frame.names)
        self.hierarchy = hierarchy(matrices)
        factors, stages = self.hierarchy.factors, self.hierarchy.stage
        self.groups = {
            factor.name: _Group(
                factor, 1 + stages[i], tuple(factors[k].name for k in self.hierarchy.above(i))
            )
            for i, factor in enumerate(factors)
        }
        self._homes: dict[str, str | None] = {}
        response = matrices.formula.response
        self.response = "the response" if response is None else _one_line(deparse(response))

    def value(self, name: str) -> Value | None:
        return self.matrices.model_frame.get(name)

    def home(self, name: str) -> str | None:
        """Return the coarsest group within which a variable never changes; None for level 1."""
        if name not in self._homes:
            value = self.value(name)
            place = None if value is None else place_of(value, name, self.hierarchy, {})
            group = None if place is None else self.hierarchy.factors[place].name
            # In a factor with one level per observation nothing can change.
            alone = group is not None and self.groups[group].size == self.rows
            self._homes[name] = None if alone else group
        return self._homes[name]

    def columns(self, term: int) -> list[int]:
        """Return the columns of X that a term makes; term 0 is the intercept."""
        return np.flatnonzero(self.matrices.fixed.assign == term).tolist()

    def name(self, column: int) -> str:
        return self.matrices.fixed.names[column]


# What the model is as a whole.


def _opening(model: _Model) -> Prose:
    matrices = model.matrices
    offset = " + offset" if matrices.offset is not None else ""
    if matrices.family is None:
        equation = f"y = X β + Z b{offset} + ε"
        spread = "ε between observations"
    else:
        family = matrices.family
        equation = f"g(E[y]) = X β + Z b{offset}"
        spread = f"the {family.name} distribution between observations, with link g = {family.link}"
    said: list[str | Code] = [
        f"{model.rows:,} observations of ",
        Code(model.response),
        ": ",
        Code(equation),
        (
            ". X β is the part that all groups share, Z b what each group adds to it, "
            f"{spread}. One column of X for each element of β ({matrices.X.shape[1]:,}), one "
            f"column of Z (a row of Zt) for each element of b ({matrices.random.Zt.shape[0]:,})."
        ),
    ]
    if matrices.weights is not None and matrices.family is None:
        said.append(" Weights divide the variance of each observation.")
    return said


def _overview(model: _Model) -> Table:
    """Return the table of parts: where each acts and what it makes."""
    random = model.matrices.random
    rows: list[list[Prose]] = []
    for number, label in _numbered_terms(model):
        columns = model.columns(number)
        rows.append([[Code(label)], _acts_at(model, number), _spans(columns), [], []])
    rows = _elided(rows, _MOST_TERMS)
    theta = 0
    for k, term in enumerate(random.terms):
        group = model.groups[term.bar.group_name]
        following = theta + term.covariance.parameters
        rows.append(
            [
                [Code(_written(term))],
                [f"level {group.level}: ", Code(group.name)],
                [],
                [f"{int(random.Gp[k])}:{int(random.Gp[k + 1])}"],
                [f"{theta}:{following}"],
            ]
        )
        theta = following
    return Table(["part", "acts at", "columns of X", "rows of Zt", "theta"], rows)


def _numbered_terms(model: _Model) -> list[tuple[int, str]]:
    """Return the terms of the fixed part with R's numbers; the intercept is term 0."""
    labels = list(enumerate(model.fixed_terms.labels, start=1))
    return [(0, "1"), *labels] if model.fixed_terms.intercept else labels


def _elided(rows: list[list[Prose]], most: int) -> list[list[Prose]]:
    if len(rows) <= most:
        return rows
    rest = len(rows) - most + 1
    return [*rows[: most - 1], [[f"... {rest} more"], *([[]] * (len(rows[0]) - 1))]]


def _spans(columns: Sequence[int]) -> Prose:
    """Return positions as half-open ranges, as Python counts them."""
    if not columns:
        return ["none"]
    breaks = [k for k in range(1, len(columns)) if columns[k] != columns[k - 1] + 1]
    runs = [
        (columns[begin], columns[end - 1] + 1)
        for begin, end in zip([0, *breaks], [*breaks, len(columns)], strict=True)
    ]
    return [", ".join(f"{begin}:{end}" for begin, end in runs)]


def _variables(expanded: Terms, member: int) -> list[str]:
    return [expanded.frame_names[i] for i in expanded.positions(member)]


def _acts_at(model: _Model, number: int) -> Prose:
    """Return the level of a fixed term: that of its variables that change fastest."""
    if number == 0:
        return ["all observations"]
    names = _variables(model.fixed_terms, model.fixed_terms.members[number - 1])
    homes = list(dict.fromkeys(model.home(name) for name in names))
    if homes == [None]:
        return ["level 1: observations"]
    said: list[str | Code] = ["level 1"] if None in homes else []
    for home in homes:
        if home is not None:
            said += [" × " if said else "", f"level {model.groups[home].level}: ", Code(home)]
    return said


def _levels(model: _Model) -> Prose:
    """Return which levels there are, and how the grouping factors lie to each other."""
    said: list[str | Code] = [f"Level 1 is the observation ({model.rows:,})."]
    for group in sorted(model.groups.values(), key=lambda item: item.level):
        codes = group.grouping.codes
        counts = np.bincount(codes[codes >= 0], minlength=group.size)
        few, many = int(counts.min()), int(counts.max())
        each = f"{few:,}" if few == many else f"{few:,} to {many:,}"
        said += [f" Level {group.level} is ", Code(group.name)]
        said.append(f": {group.size:,} groups of {each} observation{'' if many == 1 else 's'}")
        if group.inside:
            said += [", each inside one ", *_joined([[Code(name)] for name in group.inside])]
        said.append(".")
    names = list(model.groups)
    crossed = [
        (first, second)
        for k, first in enumerate(names)
        for second in names[k + 1 :]
        if second not in model.groups[first].inside and first not in model.groups[second].inside
    ]
    for first, second in crossed[:_MOST_NAMES]:
        said += [
            " ",
            Code(first),
            " and ",
            Code(second),
            " are crossed: neither lies in the other.",
        ]
    variables = model.fixed_terms.frame_names[0 if model.fixed_terms.response is None else 1 :]
    found = [(name, home) for name in variables if (home := model.home(name)) is not None]
    for name, home in found[:_MOST_NAMES]:
        said += [" ", Code(name), " is constant within each ", Code(home), "."]
    if len(found) > _MOST_NAMES:
        said.append(f" {len(found) - _MOST_NAMES} more variables are constant within groups.")
    return said


def _joined(parts: Sequence[Prose]) -> Prose:
    said: list[str | Code] = []
    for k, part in enumerate(parts):
        if k:
            said.append(" and " if k == len(parts) - 1 else ", ")
        said += part
    return said


def _listed(names: Sequence[str], most: int = _MOST_NAMES) -> Prose:
    """Return names as code, the middle of a long list left out."""
    said: list[str | Code] = []
    if len(names) <= most:
        return _joined([[Code(name)] for name in names])
    for name in names[: most - 2]:
        said += [Code(name), ", "]
    return [*said, f"... {len(names) - most + 1} more ..., ", Code(names[-1])]


def _one_line(text: str) -> str:
    return " ".join(text.split())


# The fixed part.


def _fixed_part(model: _Model) -> list[Block]:
    fixed = model.matrices.fixed
    items: list[tuple[Prose, list[Prose]]] = []
    numbered = _numbered_terms(model)
    for number, label in numbered[:_MOST_TERMS]:
        items.append(([Code(label)], _fixed_term(model, number)))
    blocks: list[Block] = [Entries(items)] if items else []
    if not numbered:
        blocks.append(Paragraph(["The fixed part has no terms: X has no columns."]))
    elif not model.fixed_terms.intercept:
        blocks.append(
            Paragraph(["The formula takes the intercept away (0 or -1): no column of ones in X."])
        )
    if len(numbered) > _MOST_TERMS:
        blocks.append(Paragraph([f"... and {len(numbered) - _MOST_TERMS} more terms."]))
    if fixed.dropped:
        dropped = _listed(list(fixed.dropped))
        blocks.append(
            Paragraph(["Left out of X, because they are combinations of others: ", *dropped, "."])
        )
    if fixed.scales:
        blocks.append(Paragraph(["Columns of X were rescaled (check_scaleX)."]))
    return blocks


def _fixed_term(model: _Model, number: int) -> list[Prose]:
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
    names = _variables(model.fixed_terms, member)
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
    return [f"{len(columns)} columns, ", *_listed(columns), ": "]


def _expected(model: _Model) -> str:
    return (
        "the expected response" if model.matrices.family is None else "the linear predictor g(E[y])"
    )


def _main_effect(model: _Model, name: str, columns: Sequence[str]) -> Prose:
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


def _coding(model: _Model, name: str, levels: list[str], columns: Sequence[str]) -> Prose:
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


def _where(model: _Model, member: int) -> Prose:
    """Return what the other variables of a main effect's interactions are held at."""
    others = {
        name: None
        for larger in model.fixed_terms.members
        if larger != member and larger & member == member
        for name in _variables(model.fixed_terms, larger & ~member)
    }
    if not others:
        return []
    held = [_held_at(model, name) for name in list(others)[:_MOST_NAMES]]
    more = len(others) - len(held)
    return [", where ", *_joined(held), *([f", ... {more} more"] if more else [])]


def _held_at(model: _Model, name: str) -> Prose:
    """Return the value of a variable at which its columns are 0."""
    value = model.value(name)
    if isinstance(value, Factor) and model.matrices.fixed.contrasts.get(name) == "contr.treatment":
        return [Code(name), " is ", Code(str(value.levels[0]))]
    if _is_number(model, name):
        return [Code(name), " is 0"]
    return ["the columns of ", Code(name), " are 0"]


def _interaction(names: Sequence[str]) -> Prose:
    *first, last = names
    if len(first) == 1:
        return ["how the effect of ", Code(first[0]), " changes with ", Code(last)]
    inner = _joined([[Code(name)] for name in first])
    return ["how the interaction of ", *inner, " changes with ", Code(last)]


def _level_effect(model: _Model, names: Sequence[str]) -> list[Prose]:
    """Return what variables that are constant within groups do: they move means of effects."""
    upper = [name for name in names if model.home(name) is not None]
    lower = [name for name in names if model.home(name) is None]
    home = model.home(upper[0]) if upper else None
    if home is None:
        return []
    who = _joined([[Code(name)] for name in upper])
    verb = "is" if len(upper) == 1 else "are"
    said: list[str | Code] = [*who, f" {verb} constant within each ", Code(home)]
    if lower:
        said += [", ", *_joined([[Code(n)] for n in lower]), " is not: a cross-level interaction. "]
        said += ["It gives each ", Code(home), " its own slope of "]
        said += [*_joined([[Code(n)] for n in lower]), ", by what "]
        said += [*who, f" {verb} there" + _residual(model, lower, home) + "."]
    else:
        said += [", so its column has one value per group: it moves all observations of a "]
        said += [Code(home), " alike, a part of what makes their intercepts differ."]
    return [said]


def _residual(model: _Model, lower: Sequence[str], home: str) -> str:
    """Return whether the slope that a cross-level interaction moves is random as well."""
    for term in model.matrices.random.terms:
        left = _left_side(model, term)
        members = [set(_variables(left, member)) for member in left.members]
        if term.bar.group_name == home and set(lower) in members:
            return "; what is left of the slope's differences is in Z b"
    return "; the slope is not random there, so it has no other differences between groups"


def _left_side(model: _Model, term: RandomTerm) -> Terms:
    return terms(call("~", term.bar.effects), model.matrices.model_frame.names)


# The random part.


def _random_part(model: _Model) -> list[Block]:
    random = model.matrices.random
    items: list[tuple[Prose, list[Prose]]] = []
    theta = 0
    for k, term in enumerate(random.terms):
        if k < _MOST_TERMS:
            items.append(([Code(_written(term))], _random_term(model, k, term, theta)))
        theta += term.covariance.parameters
    blocks: list[Block] = [Entries(items)]
    if len(random.terms) > _MOST_TERMS:
        blocks.append(Paragraph([f"... and {len(random.terms) - _MOST_TERMS} more terms."]))
    by_group: dict[str, list[RandomTerm]] = {}
    for term in random.terms:
        by_group.setdefault(term.bar.group_name, []).append(term)
    for group, together in by_group.items():
        if len(together) > 1:
            labels = _listed([_written(term) for term in together])
            said: list[str | Code] = [*labels, " have the same groups, ", Code(group)]
            said.append(", but blocks of their own in Λ: effects of different terms are ")
            said.append("uncorrelated.")
            if any("||" in _source(term) for term in together):
                said.append(" That is what || asks for; it parts terms, not columns, so the ")
                said.append("columns of a factor stay correlated.")
            blocks.append(Paragraph(said))
    if len(random.terms) > 1 and np.any(np.diff(random.order) < 0):
        blocks.append(
            Paragraph(["Terms stand in lme4's order: those with more groups come first."])
        )
    return blocks


def _written(term: RandomTerm) -> str:
    """Return a term with its bars expanded and its structure named."""
    structure = "" if term.covariance.name == "us" else term.covariance.name
    return f"{structure}({_one_line(term.bar.label)})"


def _source(term: RandomTerm) -> str:
    span = term.bar.source.span
    return "" if span is None else span.source


def _random_term(model: _Model, k: int, term: RandomTerm, theta: int) -> list[Prose]:
    random = model.matrices.random
    group, columns = model.groups[term.bar.group_name], list(term.plan.names)
    begin, end = int(random.Gp[k]), int(random.Gp[k + 1])
    said: list[Prose] = []
    label = _one_line(term.bar.label)
    source = _one_line(_source(term))
    if source and source.replace(" ", "") != label.replace(" ", ""):
        said.append(["Written ", Code(f"({source})"), " in the formula."])
    if not columns:
        return [*said, ["The left side has no columns: the term adds nothing."]]
    effects = "an effect" if len(columns) == 1 else f"{len(columns)} effects"
    said.append(
        [
            f"Each of the {group.size:,} groups of ",
            Code(group.name),
            f" has {effects} of its own in b, for the column{'' if len(columns) == 1 else 's'} ",
            *_listed(columns),
            ". An effect is zero on average: it is a deviation from what X β says.",
        ]
    )
    if _left_side(model, term).intercept and not _writes_one(term.bar.effects):
        explicit = f"(1 + {_one_line(deparse(term.bar.effects))} | {group.name})"
        said.append(["R adds the 1 that is not written: it means ", Code(explicit), "."])
    return [*said, _rows_of_zt(term, begin, end), _parameters(model, term, theta)]


def _writes_one(effects: Node) -> bool:
    """Return whether a sum has a 1 among its terms."""
    pending = [effects]
    while pending:
        node = strip_parentheses(pending.pop())
        if isinstance(node, Number) and node.value == 1:
            return True
        if isinstance(node, Call) and node.name in ("+", "-"):
            pending.extend(node.operands)
    return False


def _rows_of_zt(term: RandomTerm, begin: int, end: int) -> Prose:
    """Return which row of Zt belongs to which group and column, the first three and the last."""
    levels, columns = term.group.levels, term.plan.names
    count = end - begin
    numbers = [*range(min(count, 3)), *([count - 1] if count > 3 else [])]
    said: list[str | Code] = [f"It makes the rows {begin}:{end} of Zt, group by group: "]
    for place, number in enumerate(numbers):
        if place:
            said.append(", ..., " if number > numbers[place - 1] + 1 else ", ")
        level, column = divmod(number, len(columns))
        said += [f"row {begin + number} is ", Code(str(levels[level])), " ", Code(columns[column])]
    said.append(". An observation has entries only in the rows of its own group.")
    return said


def _parameters(model: _Model, term: RandomTerm, theta: int) -> Prose:
    covariance, family = term.covariance, model.matrices.family
    scaled = family is None or family.name in _SCALED
    scale, relative = ("σ² ", ", relative to σ") if scaled else ("", "")
    if covariance.parameters == 1 and covariance.columns == 1:
        return [
            (
                f"theta[{theta}] is the standard deviation of the effects{relative}: "
                f"their variance is {scale}theta[{theta}]²."
            )
        ]
    count = covariance.parameters
    said: list[str | Code] = [
        (
            f"theta[{theta}:{theta + count}] fills one block T of Λ, {covariance.columns} x "
            f"{covariance.columns}, the same for every group; the effects of one group have the "
            f"covariance {scale}T Tᵗ. "
        )
    ]
    if covariance.name == "us":
        said += ["theta is the lower triangle of T by columns: "]
        said += [*_listed(covariance.par_names(list(term.plan.names)), _MOST_PARAMETERS)]
        said.append(". Every variance and covariance is free.")
    else:
        said.append(f"Structure {covariance.name}: {_STRUCTURES[covariance.name]}.")
    return said


# Columns that stand in X and in Z.


@dataclass(frozen=True, slots=True)
class _Effect:
    """One column of a random term with the mean of its effects, in elements of β."""

    term: RandomTerm
    number: int
    mean: tuple[tuple[float, str], ...] | None
    shared: bool

    @property
    def name(self) -> str:
        return self.term.plan.names[self.number]


def _both(model: _Model) -> list[Block]:
    """Return why columns stand in X and in Z; columns of several terms are told once."""
    effects = [effect for term in model.matrices.random.terms for effect in _effects(model, term)]
    by_column: dict[tuple[str, object], list[_Effect]] = {}
    for effect in effects:
        by_column.setdefault((effect.name, effect.mean), []).append(effect)
    items: list[tuple[Prose, list[Prose]]] = []
    # Slopes first: they are what surprises in X and Z. The reason is given once.
    known = False
    for (name, _), same in sorted(by_column.items(), key=lambda item: _is_intercept(item[1][0])):
        said = _mean_and_deviations(model, same, known)
        if said:
            items.append(([Code(name)], said))
            known = known or same[0].shared
    if not items:
        return []
    title = "Why columns of X stand again in Z"
    if not any(effect.shared for effect in effects):
        title = "What the effects deviate from"
    blocks: list[Block] = [Heading([title]), Entries(items[:_MOST_TERMS])]
    if len(items) > _MOST_TERMS:
        blocks.append(Paragraph([f"... and {len(items) - _MOST_TERMS} more columns."]))
    return blocks


def _column(model: _Model, number: int) -> FloatArray:
    X: Any = model.matrices.X
    column = X[:, [number]]
    return np.asarray(column.toarray() if hasattr(column, "toarray") else column).ravel()


def _is_intercept(effect: _Effect) -> bool:
    return effect.term.plan.assign[effect.number] == 0


def _columns_of_x(model: _Model) -> list[FloatArray]:
    return [_column(model, k) for k in range(len(model.matrices.fixed.names))]


def _effects(model: _Model, term: RandomTerm) -> list[_Effect]:
    """Return the columns of a term, each with the mean of its effects where it can be told."""
    fixed = {name: number for number, name in enumerate(model.matrices.fixed.names)}
    names = term.plan.names
    shared = [
        name in fixed and np.array_equal(_column(model, fixed[name]), term.plan.column(k))
        for k, name in enumerate(names)
    ]
    if all(shared):
        return [_Effect(term, k, ((1.0, name),), True) for k, name in enumerate(names)]
    means = _means(model, term)
    return [
        _Effect(term, k, mean, shared[k] and mean == ((1.0, names[k]),))
        for k, mean in enumerate(means)
    ]


def _means(model: _Model, term: RandomTerm) -> list[tuple[tuple[float, str], ...] | None]:
    """Return the mean of each effect: rows of A, where Z A are the columns of X in Z's span."""
    count, p = len(term.plan.names), len(model.matrices.fixed.names)
    unknown: list[tuple[tuple[float, str], ...] | None] = [None] * count
    if model.rows * count * (count + p) > _LARGEST_SPAN:
        return unknown
    Z = np.empty((model.rows, count))
    term.plan.fill(Z)
    X = np.column_stack([np.empty((model.rows, 0)), *_columns_of_x(model)])
    if not (np.isfinite(Z).all() and np.isfinite(X).all()):
        return unknown
    solution, _, rank, _ = np.linalg.lstsq(Z, X, rcond=None)
    if rank < count:
        return unknown
    left = np.abs(X - Z @ solution).max(axis=0, initial=0.0)
    inside = left <= _TOLERANCE * np.abs(X).max(axis=0, initial=0.0)
    A = np.where(np.abs(solution) > _TOLERANCE, np.round(solution, 9), 0.0) * inside
    names = model.matrices.fixed.names
    return [tuple((float(row[k]), names[k]) for k in np.flatnonzero(row)) for row in A]


def _mean_and_deviations(model: _Model, same: Sequence[_Effect], known: bool) -> list[Prose]:
    """Return what is said of one column; `known` when the reader has met the reason before."""
    first = same[0]
    if first.mean is None:
        return []
    groups = [model.groups[effect.term.bar.group_name] for effect in same]
    what = _effect_word(model, first)
    owner = _joined([[Code(group.name)] for group in groups])
    moving = [
        number
        for number, _ in _numbered_terms(model)
        if number and any(_moves(model, number, effect) for effect in same)
    ]
    if not first.mean:
        return [_without_mean(model, first, what, owner)]
    total = _total(model, first, groups, moving)
    said: list[Prose] = [["The ", *what, " in one ", *owner, " is ", Code(total), "."]]
    if first.shared and known:
        said.append(["Likewise, the mean stands in X and the deviations in Z."])
    elif first.shared:
        said += _twice(model, first.name, groups)
    else:
        said.append(["This column is not in X, but those of X give the effects this mean."])
    if moving:
        labels = [model.fixed_terms.labels[number - 1] for number in moving]
        verb = "belongs" if len(labels) == 1 else "belong"
        said.append(
            [
                *_listed(labels),
                (
                    f" {verb} to the mean: it is not the same for all groups, but what X says for "
                    "a group with its values. b is the deviation from that."
                ),
            ]
        )
    return said


def _effect_word(model: _Model, effect: _Effect) -> Prose:
    if _is_intercept(effect):
        return ["intercept"]
    return ["slope of " if _is_number(model, effect.name) else "effect of ", Code(effect.name)]


def _is_number(model: _Model, name: str) -> bool:
    value = model.value(name)
    return isinstance(value, Numeric) and value.kind != "logical"


def _twice(model: _Model, name: str, groups: Sequence[_Group]) -> list[Prose]:
    columns = _joined([[f"the {group.size:,} groups of ", Code(group.name)] for group in groups])
    return [
        [
            f"In X the column stands once, for all {model.rows:,} rows; its coefficient ",
            Code(f"β[{name}]"),
            " is the mean. In Z the same numbers stand again, split up: one column for each of ",
            *columns,
            (
                ", filled on the rows of that group only; its coefficient in b is the deviation of "
                "that group from the mean."
            ),
        ],
        [
            (
                "Without the column in X the mean would be held at 0; without it in Z all groups "
                "would be alike."
            ),
        ],
    ]


def _without_mean(model: _Model, effect: _Effect, what: Prose, owner: Prose) -> Prose:
    if _is_intercept(effect):
        return [
            "X has no such column; b moves all observations of a ",
            *owner,
            " up or down from what X β says.",
        ]
    if _in_span_of_x(model, effect):
        return ["X has no such column, but others that add up to it; b is the deviation from X β."]
    return [
        "X has no such column: the mean ",
        *what,
        " is held at 0, and the effects of ",
        *owner,
        " lie around 0. Add it to the fixed part, unless that is meant.",
    ]


def _in_span_of_x(model: _Model, effect: _Effect) -> bool:
    column = effect.term.plan.column(effect.number)
    X = np.column_stack([np.zeros(model.rows), *_columns_of_x(model)])
    left = column - X @ np.linalg.lstsq(X, column, rcond=None)[0]
    return bool(np.abs(left).max(initial=0.0) <= _TOLERANCE * np.abs(column).max(initial=0.0))


def _moves(model: _Model, number: int, effect: _Effect) -> bool:
    """Return whether a fixed term is this column's term times variables of the group."""
    members = set(_variables(model.fixed_terms, model.fixed_terms.members[number - 1]))
    left = _left_side(model, effect.term)
    place = effect.term.plan.assign[effect.number]
    own = set(_variables(left, left.members[place - 1])) if place else set()
    rest = members - own
    return (
        own < members
        and bool(model.columns(number))
        and all(effect.term.bar.group_name == model.home(name) for name in rest)
    )


def _total(model: _Model, effect: _Effect, groups: Sequence[_Group], moving: Sequence[int]) -> str:
    """Return mean + deviations, e.g. β[x] + β[x:M]·M + b[g, x]."""
    parts = [_product(coefficient, f"β[{name}]") for coefficient, name in effect.mean or ()]
    left = _left_side(model, effect.term)
    place = effect.term.plan.assign[effect.number]
    own = set(_variables(left, left.members[place - 1])) if place else set()
    for number in moving:
        columns = [model.name(k) for k in model.columns(number)]
        names = _variables(model.fixed_terms, model.fixed_terms.members[number - 1])
        rest = [name for name in names if name not in own]
        if all(_is_number(model, name) for name in names) and len(columns) == 1:
            parts.append(f"β[{columns[0]}]·{'·'.join(rest)}")
        else:
            parts.append(f"(term {model.fixed_terms.labels[number - 1]})")
    parts += [f"b[{group.name}, {effect.name}]" for group in groups]
    return " + ".join(parts).replace("+ -", "- ")


def _product(coefficient: float, symbol: str) -> str:
    if coefficient == 1:
        return symbol
    return f"-{symbol}" if coefficient == -1 else f"{coefficient:.4g} {symbol}"
