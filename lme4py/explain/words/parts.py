"""The fixed and the random part in words, term by term, and what their coefficients are made of.

A `Reading` is a design as the words see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lme4py.data.values import Character, Factor, Matrix, Numeric
from lme4py.design import MixedDesign
from lme4py.explain.expression import (
    Operation,
    Quantity,
    Tree,
    expanded,
    quantities_of,
    shortened,
    substituted,
)
from lme4py.explain.markup.page import (
    Definitions,
    Heading,
    Paragraph,
    Passage,
    Prose,
    code,
    one_line,
)
from lme4py.explain.system import ALL, ColumnProduct, column_of_X, fixed_terms, left_side, system
from lme4py.family import has_dispersion
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Call, Node, Number, strip_parentheses
from lme4py.matrices.randomterm import RandomTerm

MOST_NAMES = 6
_MOST_TERMS = 30
_CODINGS = {
    "contr.sum": "each column compares a level with the mean of the levels' means",
    "contr.helmert": "each column compares a level with the mean of the levels before it",
    "contr.poly": "the columns are the linear, quadratic, ... trend over the ordered levels",
}
_MOST_PARAMETERS = 10
_STRUCTURES = {
    "diag": "its effects are independent of each other: variances, no covariances",
    "cs": "every two of its effects have the same correlation",
    "ar1": "effects k columns apart have correlation rho to the power k",
}
# Work (rows x columns x columns) up to which the span of X is computed.
_LARGEST_SPAN = 400_000_000
_TOLERANCE = 1e-8


class Reading:
    """A design with its equations, whose symbols the words have."""

    def __init__(self, design: MixedDesign, notation: str = "raudenbush-bryk") -> None:
        self.design = design
        self.rows: int = design.X.shape[0]
        self.fixed_terms = fixed_terms(design)
        self.system = system(design).written_in(notation)
        self.hierarchy = self.system.hierarchy
        self._setter = self.system.notation.setter()

    def symbol(self, tree: Tree) -> Prose:
        """Return a quantity, or an equation, as the equations write it."""
        return code(self._setter.inline(tree))

    def symbols(self, columns: Iterable[ColumnProduct]) -> list[Prose]:
        """Return the effects of columns, the middle of many left out."""
        return shortened([self.symbol(found.effect) for found in columns], 3, "…")

    def level(self, factor: str) -> Prose:
        """Return the level of a grouping factor with its name; the observations are level 1."""
        return f"level {1 + self.hierarchy.stage[factor]}: {code(factor)}"

    def is_number(self, name: str) -> bool:
        """Tell whether a variable is one of numbers."""
        value = self.design.model_frame.get(name)
        return isinstance(value, Numeric) and value.kind != "logical"

    @property
    def numbered_terms(self) -> list[tuple[int, str]]:
        """The terms of the fixed part with R's numbers; the intercept is term 0."""
        labels = list(enumerate(self.fixed_terms.labels, start=1))
        return [(0, "1"), *labels] if self.fixed_terms.intercept else labels

    def columns(self, term: int) -> list[ColumnProduct]:
        """Return the columns of X that a term makes."""
        return [found for found in self.system.fixed if found.term == term]

    def random_columns(self, term: int) -> list[ColumnProduct]:
        """Return the columns of a term of the random part, by its position."""
        return [found for found in self.system.random if found.term == term]

    def variables(self, member: int) -> list[str]:
        """Return the variables of a member of the terms of the fixed part."""
        names = self.fixed_terms.frame_names
        return [names[place] for place in self.fixed_terms.positions(member)]


def spans(columns: Sequence[int]) -> str:
    """Return positions as ranges, their ends included: 0 to 3, 7."""
    breaks = [k for k in range(1, len(columns)) if columns[k] != columns[k - 1] + 1]
    ends = zip([0, *breaks], [*breaks, len(columns)], strict=True) if columns else ()
    runs = [(columns[begin], columns[end - 1]) for begin, end in ends]
    return ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in runs) or "none"


def definitions(told: Sequence[tuple[Prose, Iterable[Prose]]], what: str) -> Iterator[Passage]:
    """Yield what is told of each thing; those beyond a number are counted."""
    yield Definitions([(label, list(said)) for label, said in told[:_MOST_TERMS]])
    if len(told) > _MOST_TERMS:
        yield Paragraph(f"... and {len(told) - _MOST_TERMS} more {what}.")


def joined(parts: Sequence[Prose]) -> Prose:
    """Return parts in a row: a, b and c."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def listed(names: Sequence[str], most: int = MOST_NAMES) -> Prose:
    """Return names as code, the middle of a long list left out."""
    if len(names) <= most:
        return joined([code(name) for name in names])
    shown = [code(name) for name in names[: most - 2]]
    return ", ".join([*shown, f"... {len(names) - most + 1} more ...", code(names[-1])])


def written(term: RandomTerm) -> str:
    """Return a term with its bars expanded and its structure named."""
    structure = "" if term.covariance.name == "us" else term.covariance.name
    return f"{structure}({one_line(term.bar.label)})"


def fixed_part(reading: Reading) -> Iterator[Passage]:
    """Yield what each term of the fixed part says."""
    fixed, numbered = reading.design.fixed, reading.numbered_terms
    if numbered:
        told = [(code(label), _fixed_term(reading, number)) for number, label in numbered]
        yield from definitions(told, "terms")
    if not numbered:
        yield Paragraph("The fixed part has no terms: X has no columns.")
    elif not reading.fixed_terms.intercept:
        yield Paragraph("The formula takes the intercept away (0 or -1): no column of ones in X.")
    if fixed.dropped:
        names = listed(list(fixed.dropped))
        yield Paragraph(f"Left out of X, because they are combinations of others: {names}.")
    if fixed.centers:
        yield Paragraph("Columns of X were centred and rescaled (autoscale).")
    elif fixed.scales:
        yield Paragraph("Columns of X were rescaled (check_scaleX).")


def _fixed_term(reading: Reading, number: int) -> Iterator[Prose]:
    columns = reading.columns(number)
    made, names = "No column of X is left of it: ", [found.name for found in columns]
    if len(columns) == 1:
        made = f"{reading.symbols(columns)[0]}, column {code(names[0])}: "
    elif columns:
        made = f"{joined(reading.symbols(columns))}, {len(columns)} columns, {listed(names)}: "
    if number == 0:
        yield (
            f"{made}{_expected(reading)} where all other columns of X are 0. "
            "R adds it unless the formula says 0 or -1."
        )
        return
    *inner, last = reading.variables(reading.fixed_terms.members[number - 1])
    if not inner:
        said = _main_effect(reading, last, len(columns)) + _where(reading, number)
    else:
        what = "effect" if len(inner) == 1 else "interaction"
        said = f"how the {what} of {joined(list(map(code, inner)))} changes with {code(last)}"
    yield f"{made}{said}."
    yield from _level_effect(reading, columns)


def _expected(reading: Reading) -> str:
    linear = reading.design.family is None
    return "the expected response" if linear else "the linear predictor g(E[y])"


def _main_effect(reading: Reading, name: str, columns: int) -> Prose:
    match reading.design.model_frame.get(name):
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


def _coding(reading: Reading, name: str, levels: list[str], columns: int) -> Prose:
    if columns >= len(levels):
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
    members = reading.fixed_terms.members
    own = members[number - 1]
    beside = [member & ~own for member in members if member != own and member & own == own]
    others = list(dict.fromkeys(name for each in beside for name in reading.variables(each)))
    if not others:
        return ""
    held = joined([_held_at(reading, name) for name in others[:MOST_NAMES]])
    more = len(others) - MOST_NAMES
    return f", where {held}{f', ... {more} more' if more > 0 else ''}"


def _held_at(reading: Reading, name: str) -> Prose:
    """Return the value of a variable at which its columns are 0."""
    value = reading.design.model_frame.get(name)
    treatment = reading.design.fixed.contrasts.get(name) == "contr.treatment"
    if isinstance(value, Factor) and treatment:
        return f"{code(name)} is {code(value.levels[0])}"
    if reading.is_number(name):
        return f"{code(name)} is 0"
    return f"the columns of {code(name)} are 0"


def _level_effect(reading: Reading, columns: Sequence[ColumnProduct]) -> Iterator[Prose]:
    """Yield what variables that are constant within groups do: they move means of effects."""
    within, inside = reading.hierarchy.within, reading.system.inside
    atoms = [atom for found in columns[:1] for atom in found.atoms]
    lower, upper = (
        [atom for atom in atoms if bool(atom.factors) is constant] for constant in (False, True)
    )
    if not upper:
        return
    factors = dict.fromkeys(atom.factors[0] for atom in upper)
    # The product is constant within the finest of these groups, or where crossed ones meet.
    finest = [f for f in factors if not any(o != f and within(o, f) for o in factors)]
    unit = joined([code(factor) for factor in finest])
    unit = unit if len(finest) == 1 else f"combination of {unit}"
    if not lower:
        yield (
            f"It has one value per {unit}: it moves all observations of one {unit} alike, a part "
            "of what makes their intercepts differ."
        )
        return

    # Whatever is computed of the same variables counts: poly(x, 2) lets the slope of x differ.
    def variables(atoms: Sequence[Quantity]) -> set[str]:
        return {name for atom in atoms for name in inside[atom.name]}

    rest = "the slope is not random there, so its differences are those that X says"
    if any(
        variables(column.atoms) == variables(lower)
        and any(within(column.effect.factors[0], factor) for factor in factors)
        for column in reading.system.random
    ):
        rest = "what is left of the slope's differences is in Z b"
    yield (
        f"It gives each {unit} its own slope of {joined([code(a.name) for a in lower])}, by what "
        f"{joined([code(a.name) for a in upper])} {'is' if len(upper) == 1 else 'are'} there: "
        f"a cross-level interaction; {rest}."
    )


def random_part(reading: Reading) -> Iterator[Passage]:
    """Yield what each random term says."""
    random = reading.design.random
    starts = np.cumsum([0, *(term.covariance.parameters for term in random.terms)]).tolist()
    told = [
        (code(written(term)), _random_term(reading, k, term, starts[k]))
        for k, term in enumerate(random.terms)
    ]
    yield from definitions(told, "terms")
    by_group: dict[str, list[RandomTerm]] = {}
    for term in random.terms:
        by_group.setdefault(term.bar.group_name, []).append(term)
    for group, together in by_group.items():
        if len(together) > 1:
            said = (
                f"{listed([written(term) for term in together])} have the same groups, "
                f"{code(group)}, but blocks of their own in Λ: effects of different terms are "
                "uncorrelated."
            )
            if any("||" in _source(term) for term in together):
                said += (
                    " That is what || asks for; it parts terms, not columns, so the columns of a "
                    "factor stay correlated."
                )
            yield Paragraph(said)
    if len(random.terms) > 1 and np.any(np.diff(random.order) < 0):
        yield Paragraph("Terms stand in lme4's order: those with more groups come first.")


def _source(term: RandomTerm) -> str:
    span = term.bar.source.span
    return "" if span is None else one_line(span.source)


def _random_term(reading: Reading, k: int, term: RandomTerm, theta: int) -> Iterator[Prose]:
    columns, levels = reading.random_columns(k), term.group.levels
    group, names = term.bar.group_name, [found.name for found in columns]
    source, label = _source(term), one_line(term.bar.label)
    if source and source.replace(" ", "") != label.replace(" ", ""):
        yield f"Written {code(f'({source})')} in the formula."
    if not columns:
        yield "The left side has no columns: the term adds nothing."
        return
    one = len(columns) == 1
    yield (
        f"Each of the {len(levels):,} groups of {code(group)} has "
        f"{'an effect' if one else f'{len(columns)} effects'} of its own in b, "
        f"{joined(reading.symbols(columns))}, for the column{'' if one else 's'} "
        f"{listed(names)}. An effect is zero on average: it is a deviation from what X β says."
    )
    if left_side(reading.design, term).intercept and not _writes_one(term.bar.effects):
        explicit = f"(1 + {one_line(deparse(term.bar.effects))} | {group})"
        yield f"R adds the 1 that is not written: it means {code(explicit)}."
    begin, end = map(int, reading.design.random.Gp[k : k + 2])
    rows = []
    for number in shortened(range(end - begin), 5, -1):
        level, column = divmod(number, len(names))
        row = f"row {begin + number} is {code(levels[level])} {code(names[column])}"
        rows.append(row if number >= 0 else "...")
    yield (
        f"It makes the rows {spans(range(begin, end))} of Zt, group by group: "
        f"{', '.join(rows)}. An observation has entries only in the rows of its own group."
    )
    yield _parameters(reading, term, theta)


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


def _parameters(reading: Reading, term: RandomTerm, theta: int) -> Prose:
    covariance, scaled = term.covariance, has_dispersion(reading.design.family)
    scale, relative = ("σ² ", ", relative to σ") if scaled else ("", "")
    count = covariance.parameters
    if count == 1 and covariance.columns == 1:
        return (
            f"theta[{theta}] is the standard deviation of the effects{relative}: "
            f"their variance is {scale}theta[{theta}]²."
        )
    said = (
        f"theta {spans(range(theta, theta + count))} {'fills' if count == 1 else 'fill'} "
        f"one block T of Λ, {covariance.columns} x "
        f"{covariance.columns}, the same for every group; the effects of one group have the "
        f"covariance {scale}T Tᵗ. "
    )
    if covariance.name != "us":
        return f"{said}Structure {covariance.name}: {_STRUCTURES[covariance.name]}."
    names = listed(covariance.par_names(list(term.plan.names)), _MOST_PARAMETERS)
    return (
        f"{said}theta is the lower triangle of T by columns: {names}. "
        "Every variance and covariance is free."
    )


@dataclass(frozen=True, slots=True)
class _Coefficient:
    """A coefficient of the observations' equation with all that is put in for it."""

    equation: Operation  # the coefficient, and the sum of its fixed and random effects
    atoms: tuple[Quantity, ...]  # what it is multiplied by; empty for an intercept
    means: tuple[ColumnProduct, ...]  # columns of X whose effects stand alone
    moving: tuple[ColumnProduct, ...]  # those whose effects stand beside variables of the groups
    deviations: tuple[ColumnProduct, ...]  # columns of Z


def _coefficients(reading: Reading) -> Iterator[_Coefficient]:
    model = reading.system
    columns = {found.effect: found for found in (*model.fixed, *model.random)}
    for term in model.observations:
        coefficient, *atoms = quantities_of(term)
        right = expanded(substituted(coefficient, model.meanings))
        # An effect stands before what it is multiplied by.
        products = [list(quantities_of(product)) for product in right.operands]
        fixed = [(columns[effect], rest) for effect, *rest in products if effect.kind == "fixed"]
        yield _Coefficient(
            Operation("=", (coefficient, right)),
            tuple(atoms),
            # A column that was centred stands beside the intercept, too.
            tuple(f for f, rest in fixed if not rest and set(f.atoms) == set(atoms)),
            tuple(found for found, rest in fixed if rest),
            tuple(columns[effect] for effect, *_ in products if effect.kind == "random"),
        )


def random_coefficients(reading: Reading) -> Iterator[Passage]:
    """Yield why the column of each random coefficient stands in X, in Z or in both."""
    found = [each for each in _coefficients(reading) if each.deviations]
    # Slopes first: they are what surprises in X and Z. The reason is given once.
    found.sort(key=lambda each: not each.atoms)
    first = next((each for each in found if each.means), None)
    if found:
        yield Heading("Why columns of X stand again in Z" if first else "What Z adds to X")
        yield from definitions(
            [
                (reading.symbol(each.equation), _told(reading, each, each is not first))
                for each in found
            ],
            "coefficients",
        )


def _told(reading: Reading, one: _Coefficient, known: bool) -> Iterator[Prose]:
    """Yield what is said of a coefficient; `known` when the reader has met the reason before."""
    factors = dict.fromkeys(found.effect.factors[0] for found in one.deviations)
    groups = [reading.hierarchy.factors[factor] for factor in factors]
    owner = joined([code(group.name) for group in groups])
    kind = "slope" if all(reading.is_number(atom.name) for atom in one.atoms) else "effect"
    column = ":".join(atom.name + atom.part for atom in one.atoms)
    what = f"{kind} of {code(column)}" if one.atoms else "intercept"
    effects = [((*one.means, *one.moving), "X"), (one.deviations, "Z")]
    where = [_columns(reading, own, matrix) for own, matrix in effects if own]
    yield f"The {what} in one {owner}: {'; '.join(where)}."
    if not (one.means or one.moving):
        yield _without_mean(reading, one, what, owner)
    elif one.means and known:
        yield "Likewise, the mean stands in X and the deviations in Z."
    elif one.means:
        columns = joined([f"the {group.size:,} groups of {code(group.name)}" for group in groups])
        mean = joined([reading.symbol(found.effect) for found in one.means])
        yield (
            f"In X the column stands once, for all {reading.rows:,} rows; its coefficient "
            f"{mean} is the mean. In Z the same numbers stand again, split "
            f"up: one column for each of {columns}, filled on the rows of that group only; its "
            "coefficient in b is the deviation of that group from the mean."
        )
        yield (
            "Without the column in X the mean would be held at 0; without it in Z all groups "
            "would be alike."
        )
    if one.moving:
        names = [found.name for found in one.moving]
        yield (
            f"{listed(names)} {'belongs' if len(names) == 1 else 'belong'} to the mean: it is "
            "not the same for all groups, but what X says for a group with its values. "
            f"{joined([reading.symbol(found.effect) for found in one.deviations])} "
            f"{'is' if len(one.deviations) == 1 else 'are'} the deviation from that."
        )


def _columns(reading: Reading, columns: Sequence[ColumnProduct], matrix: str) -> Prose:
    """Return the effects of columns with their names."""
    pairs = [f"{reading.symbol(found.effect)} of {code(found.name)}" for found in columns]
    return f"in {matrix} {joined(shortened(pairs, MOST_NAMES, '...'))}"


def _without_mean(reading: Reading, one: _Coefficient, what: Prose, owner: Prose) -> Prose:
    if not one.atoms:
        return (
            f"X has no such column; b moves all observations of one {owner} up or down from what "
            "X β says."
        )
    if _in_span_of_x(reading, one.atoms):
        return "X has no such column, but others that add up to it; b is the deviation from X β."
    return (
        f"X has no such column: the mean {what} is held at 0, and the effects of {owner} lie "
        "around 0. Add it to the fixed part, unless that is meant."
    )


def _in_span_of_x(reading: Reading, atoms: Sequence[Quantity]) -> bool:
    """Tell whether columns of X add up to a product; where that is too much work, say yes."""
    design = reading.design
    p = len(design.fixed.names)
    if reading.rows * p * p > _LARGEST_SPAN:
        return True
    column = np.prod([reading.system.values[atom](ALL) for atom in atoms], axis=0)
    both = np.column_stack([*(column_of_X(design, k) for k in range(p)), column])
    if not np.isfinite(both).all():
        return True
    X = both[:, :-1]
    left = column - X @ np.linalg.lstsq(X, column, rcond=None)[0]
    return bool(np.abs(left).max(initial=0.0) <= _TOLERANCE * np.abs(column).max(initial=0.0))
