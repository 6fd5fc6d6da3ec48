"""Columns that stand in X and in Z: the mean and the deviations from it, in words."""

from __future__ import annotations

from collections.abc import Sequence

from lme4py.explain.document import Block, Code, Entries, Heading, Paragraph, Prose
from lme4py.explain.words.means import Effect, effects_of, in_span_of_x, is_intercept, moves
from lme4py.explain.words.model import (
    Group,
    Model,
    is_number,
    left_side,
    numbered_terms,
    variables_of,
)
from lme4py.explain.words.phrases import MOST_TERMS, joined, listed

__all__ = ["columns_in_both"]


def columns_in_both(model: Model) -> list[Block]:
    """Return why columns stand in X and in Z; columns of several terms are told once."""
    effects = [effect for term in model.matrices.random.terms for effect in effects_of(model, term)]
    by_column: dict[tuple[str, object], list[Effect]] = {}
    for effect in effects:
        by_column.setdefault((effect.name, effect.mean), []).append(effect)
    items: list[tuple[Prose, list[Prose]]] = []
    # Slopes first: they are what surprises in X and Z. The reason is given once.
    known = False
    for (name, _), same in sorted(by_column.items(), key=lambda item: is_intercept(item[1][0])):
        said = _mean_and_deviations(model, same, known)
        if said:
            items.append(([Code(name)], said))
            known = known or same[0].shared
    if not items:
        return []
    title = "Why columns of X stand again in Z"
    if not any(effect.shared for effect in effects):
        title = "What the effects deviate from"
    blocks: list[Block] = [Heading([title]), Entries(items[:MOST_TERMS])]
    if len(items) > MOST_TERMS:
        blocks.append(Paragraph([f"... and {len(items) - MOST_TERMS} more columns."]))
    return blocks


def _mean_and_deviations(model: Model, same: Sequence[Effect], known: bool) -> list[Prose]:
    """Return what is said of one column; `known` when the reader has met the reason before."""
    first = same[0]
    if first.mean is None:
        return []
    groups = [model.groups[effect.term.bar.group_name] for effect in same]
    what = _effect_word(model, first)
    owner = joined([[Code(group.name)] for group in groups])
    moving = [
        number
        for number, _ in numbered_terms(model)
        if number and any(moves(model, number, effect) for effect in same)
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
                *listed(labels),
                (
                    f" {verb} to the mean: it is not the same for all groups, but what X says for "
                    "a group with its values. b is the deviation from that."
                ),
            ]
        )
    return said


def _effect_word(model: Model, effect: Effect) -> Prose:
    if is_intercept(effect):
        return ["intercept"]
    return ["slope of " if is_number(model, effect.name) else "effect of ", Code(effect.name)]


def _twice(model: Model, name: str, groups: Sequence[Group]) -> list[Prose]:
    columns = joined([[f"the {group.size:,} groups of ", Code(group.name)] for group in groups])
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


def _without_mean(model: Model, effect: Effect, what: Prose, owner: Prose) -> Prose:
    if is_intercept(effect):
        return [
            "X has no such column; b moves all observations of a ",
            *owner,
            " up or down from what X β says.",
        ]
    if in_span_of_x(model, effect):
        return ["X has no such column, but others that add up to it; b is the deviation from X β."]
    return [
        "X has no such column: the mean ",
        *what,
        " is held at 0, and the effects of ",
        *owner,
        " lie around 0. Add it to the fixed part, unless that is meant.",
    ]


def _total(model: Model, effect: Effect, groups: Sequence[Group], moving: Sequence[int]) -> str:
    """Return mean + deviations, e.g. β[x] + β[x:M]·M + b[g, x]."""
    parts = [_product(coefficient, f"β[{name}]") for coefficient, name in effect.mean or ()]
    left = left_side(model, effect.term)
    place = effect.term.plan.assign[effect.number]
    own = set(variables_of(left, left.members[place - 1])) if place else set()
    for number in moving:
        columns = [model.name(k) for k in model.columns(number)]
        names = variables_of(model.fixed_terms, model.fixed_terms.members[number - 1])
        rest = [name for name in names if name not in own]
        if all(is_number(model, name) for name in names) and len(columns) == 1:
            parts.append(f"β[{columns[0]}]·{'·'.join(rest)}")
        else:
            parts.append(f"(term {model.fixed_terms.labels[number - 1]})")
    parts += [f"b[{group.name}, {effect.name}]" for group in groups]
    return " + ".join(parts).replace("+ -", "- ")


def _product(coefficient: float, symbol: str) -> str:
    if coefficient == 1:
        return symbol
    return f"-{symbol}" if coefficient == -1 else f"{coefficient:.4g} {symbol}"
