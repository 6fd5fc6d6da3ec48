"""What the coefficients of the observations are made of: means in X, deviations in Z."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lme4py.explain.expression import (
    Quantity,
    Relation,
    expanded,
    quantities_of,
    shortened,
    substituted,
)
from lme4py.explain.markup.page import Heading, Passage, Prose, code
from lme4py.explain.monomials import ALL, column_of_X
from lme4py.explain.system import ColumnProduct
from lme4py.explain.words.reading import MOST_NAMES, Reading, definitions, joined, listed

# Work (rows x columns x columns) up to which the span of X is computed.
_LARGEST_SPAN = 400_000_000
_TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True)
class _Coefficient:
    """A coefficient of the observations' equation with all that is put in for it."""

    equation: Relation  # the coefficient, and the sum of its fixed and random effects
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
            Relation((coefficient, right)),
            tuple(atoms),
            tuple(found for found, rest in fixed if not rest),
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
