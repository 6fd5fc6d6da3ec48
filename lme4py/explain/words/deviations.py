"""Columns that stand in X and in Z: the mean and the deviations from it, in words.

The mean is found from the columns: those of X that lie in the span of a term's columns Z_c are
Z_c A for one matrix A, so the mean of the effect of column c is row c of A times β. A slope
whose column stands in X, too, is the common case (A = 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lme4py.data.values import FloatArray
from lme4py.explain.markup.page import Heading, Passage, Prose, code
from lme4py.explain.monomials import column_of_X
from lme4py.explain.words.reading import Reading, definitions, joined, listed
from lme4py.matrices.randomterm import RandomTerm

__all__ = ["columns_in_both", "effects_of"]

# Work (rows x columns x columns) up to which the span of a term's columns is computed.
_LARGEST_SPAN = 400_000_000
_TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True)
class _Effect:
    """One column of a random term with the mean of its effects, in elements of β."""

    term: RandomTerm
    number: int
    mean: tuple[tuple[float, str], ...] | None
    shared: bool

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.term.plan.names[self.number]

    @property
    def is_intercept(self) -> bool:
        """Whether it is its term's intercept."""
        return self.term.plan.assign[self.number] == 0


def effects_of(reading: Reading, term: RandomTerm) -> list[_Effect]:
    """Return the columns of a term, each with the mean of its effects where it can be told."""
    design, names = reading.design, term.plan.names
    fixed = {name: number for number, name in enumerate(design.fixed.names)}
    shared = [
        name in fixed and np.array_equal(column_of_X(design, fixed[name]), term.plan.column(number))
        for number, name in enumerate(names)
    ]
    own: list[tuple[tuple[float, str], ...]] = [((1.0, name),) for name in names]
    means = own if all(shared) else _means(reading, term)
    return [
        _Effect(term, number, mean, shared[number] and mean == own[number])
        for number, mean in enumerate(means)
    ]


def _means(reading: Reading, term: RandomTerm) -> list[tuple[tuple[float, str], ...]] | list[None]:
    """Return the mean of each effect: rows of A, where Z A are the columns of X in Z's span."""
    names = reading.design.fixed.names
    count = len(term.plan.names)
    if reading.rows * count * (count + len(names)) > _LARGEST_SPAN:
        return [None] * count
    Z = np.empty((reading.rows, count))
    term.plan.fill(Z)
    X = _dense_X(reading)
    if not (np.isfinite(Z).all() and np.isfinite(X).all()):
        return [None] * count
    solution, _, rank, _ = np.linalg.lstsq(Z, X, rcond=None)
    if rank < count:
        return [None] * count
    left = np.abs(X - Z @ solution).max(axis=0, initial=0.0)
    inside = left <= _TOLERANCE * np.abs(X).max(axis=0, initial=0.0)
    A = np.where(np.abs(solution) > _TOLERANCE, np.round(solution, 9), 0.0) * inside
    return [tuple((float(row[k]), names[k]) for k in np.flatnonzero(row)) for row in A]


def _dense_X(reading: Reading) -> FloatArray:
    columns = [column_of_X(reading.design, k) for k in range(len(reading.design.fixed.names))]
    return np.column_stack([np.empty((reading.rows, 0)), *columns])


def _in_span_of_x(reading: Reading, effect: _Effect) -> bool:
    """Tell whether columns of X add up to an effect's column."""
    column = effect.term.plan.column(effect.number)
    X = _dense_X(reading)
    left = column - X @ np.linalg.lstsq(X, column, rcond=None)[0]
    return bool(np.abs(left).max(initial=0.0) <= _TOLERANCE * np.abs(column).max(initial=0.0))


def columns_in_both(reading: Reading) -> Iterator[Passage]:
    """Yield why columns stand in X and in Z; columns of several terms are told once."""
    effects = [e for term in reading.design.random.terms for e in effects_of(reading, term)]
    by_column: dict[tuple[str, object], list[_Effect]] = {}
    for effect in effects:
        by_column.setdefault((effect.name, effect.mean), []).append(effect)
    # Slopes first: they are what surprises in X and Z. The reason is given once.
    found = sorted(by_column.values(), key=lambda same: same[0].is_intercept)
    known = [same for same in found if same[0].mean is not None]
    first = next((same for same in known if same[0].shared), None)
    told = [
        (code(same[0].name), _mean_and_deviations(reading, same, same is not first))
        for same in known
    ]
    if told:
        shared = any(effect.shared for effect in effects)
        yield Heading(
            "Why columns of X stand again in Z" if shared else "What the effects deviate from"
        )
        yield from definitions(told, "columns")


def _mean_and_deviations(reading: Reading, same: Sequence[_Effect], known: bool) -> Iterator[Prose]:
    """Yield what is said of one column; `known` when the reader has met the reason before."""
    first = same[0]
    groups = [reading.group(effect.term) for effect in same]
    owner = joined([code(group.name) for group in groups])
    kind = "slope" if reading.is_number(first.name) else "effect"
    what = "intercept" if first.is_intercept else f"{kind} of {code(first.name)}"
    if not first.mean:
        yield _without_mean(reading, first, what, owner)
        return
    moving = [
        number for number, _ in reading.numbered_terms if number and _moves(reading, number, same)
    ]
    total = [_product(coefficient, f"β[{name}]") for coefficient, name in first.mean]
    total += [_moved(reading, first, number) for number in moving]
    total += [f"b[{group.name}, {first.name}]" for group in groups]
    yield f"The {what} in one {owner} is {code(' + '.join(total).replace('+ -', '- '))}."
    if not first.shared:
        yield "This column is not in X, but those of X give the effects this mean."
    elif known:
        yield "Likewise, the mean stands in X and the deviations in Z."
    else:
        columns = joined([f"the {group.size:,} groups of {code(group.name)}" for group in groups])
        yield (
            f"In X the column stands once, for all {reading.rows:,} rows; its coefficient "
            f"{code(f'β[{first.name}]')} is the mean. In Z the same numbers stand again, split "
            f"up: one column for each of {columns}, filled on the rows of that group only; its "
            "coefficient in b is the deviation of that group from the mean."
        )
        yield (
            "Without the column in X the mean would be held at 0; without it in Z all groups "
            "would be alike."
        )
    if moving:
        labels = [reading.fixed_terms.labels[number - 1] for number in moving]
        yield (
            f"{listed(labels)} {'belongs' if len(labels) == 1 else 'belong'} to the mean: it is "
            "not the same for all groups, but what X says for a group with its values. b is the "
            "deviation from that."
        )


def _moves(reading: Reading, number: int, same: Sequence[_Effect]) -> bool:
    """Return whether a fixed term is this column's term times variables of its groups."""
    members = set(reading.variables(number))
    own = set(reading.effect_variables(same[0].term, same[0].number))
    groups = [effect.term.bar.group_name for effect in same]
    homes = [reading.home(name) for name in members - own]
    inside = all(home and any(reading.within(group, home) for group in groups) for home in homes)
    return own < members and bool(reading.columns(number)) and inside


def _without_mean(reading: Reading, effect: _Effect, what: Prose, owner: Prose) -> Prose:
    if effect.is_intercept:
        return (
            f"X has no such column; b moves all observations of one {owner} up or down from what "
            "X β says."
        )
    if _in_span_of_x(reading, effect):
        return "X has no such column, but others that add up to it; b is the deviation from X β."
    return (
        f"X has no such column: the mean {what} is held at 0, and the effects of {owner} lie "
        "around 0. Add it to the fixed part, unless that is meant."
    )


def _moved(reading: Reading, effect: _Effect, number: int) -> str:
    """Return what a fixed term adds to the mean of an effect, e.g. β[x:M]·M."""
    columns, names = reading.column_names(number), reading.variables(number)
    own = reading.effect_variables(effect.term, effect.number)
    if len(columns) == 1 and all(map(reading.is_number, names)):
        return "·".join([f"β[{columns[0]}]", *(name for name in names if name not in own)])
    return f"(term {reading.fixed_terms.labels[number - 1]})"


def _product(coefficient: float, symbol: str) -> str:
    if coefficient == 1:
        return symbol
    return f"-{symbol}" if coefficient == -1 else f"{coefficient:.4g} {symbol}"
