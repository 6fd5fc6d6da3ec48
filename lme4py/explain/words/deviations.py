"""Columns that stand in X and in Z: the mean and the deviations from it, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lme4py.explain.markup.page import Definitions, Heading, Paragraph, Passage, Prose, code
from lme4py.explain.words.means import Effect, effects_of, in_span_of_x
from lme4py.explain.words.reading import MOST_TERMS, Reading, joined, listed

__all__ = ["columns_in_both"]


def columns_in_both(reading: Reading) -> Iterator[Passage]:
    """Yield why columns stand in X and in Z; columns of several terms are told once."""
    effects = [e for term in reading.design.random.terms for e in effects_of(reading, term)]
    by_column: dict[tuple[str, object], list[Effect]] = {}
    for effect in effects:
        by_column.setdefault((effect.name, effect.mean), []).append(effect)
    items: list[tuple[Prose, list[Prose]]] = []
    # Slopes first: they are what surprises in X and Z. The reason is given once.
    known = False
    for (name, _), same in sorted(by_column.items(), key=lambda item: item[1][0].is_intercept):
        if same[0].mean is not None:
            items.append((code(name), list(_mean_and_deviations(reading, same, known))))
            known = known or same[0].shared
    if not items:
        return
    shared = any(effect.shared for effect in effects)
    title = "Why columns of X stand again in Z" if shared else "What the effects deviate from"
    yield Heading(title)
    yield Definitions(items[:MOST_TERMS])
    if len(items) > MOST_TERMS:
        yield Paragraph(f"... and {len(items) - MOST_TERMS} more columns.")


def _mean_and_deviations(reading: Reading, same: Sequence[Effect], known: bool) -> Iterator[Prose]:
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
        number
        for number, _ in reading.numbered_terms
        if number and any(_moves(reading, number, effect) for effect in same)
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


def _moves(reading: Reading, number: int, effect: Effect) -> bool:
    """Return whether a fixed term is this column's term times variables of the group."""
    members = set(reading.variables(number))
    own = set(reading.effect_variables(effect.term, effect.number))
    return (
        own < members
        and bool(reading.columns(number))
        and all(effect.term.bar.group_name == reading.home(name) for name in members - own)
    )


def _without_mean(reading: Reading, effect: Effect, what: Prose, owner: Prose) -> Prose:
    if effect.is_intercept:
        return (
            f"X has no such column; b moves all observations of one {owner} up or down from what "
            "X β says."
        )
    if in_span_of_x(reading, effect):
        return "X has no such column, but others that add up to it; b is the deviation from X β."
    return (
        f"X has no such column: the mean {what} is held at 0, and the effects of {owner} lie "
        "around 0. Add it to the fixed part, unless that is meant."
    )


def _moved(reading: Reading, effect: Effect, number: int) -> str:
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
