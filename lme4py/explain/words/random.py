"""The random part in words, term by term."""

from __future__ import annotations

import numpy as np

from lme4py.explain.document import Block, Code, Entries, Paragraph, Prose
from lme4py.explain.words.model import Model, left_side
from lme4py.explain.words.phrases import MOST_TERMS, listed, one_line, written
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Call, Node, Number, strip_parentheses
from lme4py.matrices.randomterm import RandomTerm

__all__ = ["random_part"]


_MOST_PARAMETERS = 10
# Families whose dispersion is estimated, so that Λ is relative to it.
_SCALED = frozenset({"gaussian", "Gamma", "inverse.gaussian"})
_STRUCTURES = {
    "diag": "its effects are independent of each other: variances, no covariances",
    "cs": "every two of its effects have the same correlation",
    "ar1": "effects k columns apart have correlation rho to the power k",
}


def random_part(model: Model) -> list[Block]:
    """Return what each random term says."""
    random = model.matrices.random
    items: list[tuple[Prose, list[Prose]]] = []
    theta = 0
    for k, term in enumerate(random.terms):
        if k < MOST_TERMS:
            items.append(([Code(written(term))], _random_term(model, k, term, theta)))
        theta += term.covariance.parameters
    blocks: list[Block] = [Entries(items)]
    if len(random.terms) > MOST_TERMS:
        blocks.append(Paragraph([f"... and {len(random.terms) - MOST_TERMS} more terms."]))
    by_group: dict[str, list[RandomTerm]] = {}
    for term in random.terms:
        by_group.setdefault(term.bar.group_name, []).append(term)
    for group, together in by_group.items():
        if len(together) > 1:
            labels = listed([written(term) for term in together])
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


def _source(term: RandomTerm) -> str:
    span = term.bar.source.span
    return "" if span is None else span.source


def _random_term(model: Model, k: int, term: RandomTerm, theta: int) -> list[Prose]:
    random = model.matrices.random
    group, columns = model.groups[term.bar.group_name], list(term.plan.names)
    begin, end = int(random.Gp[k]), int(random.Gp[k + 1])
    said: list[Prose] = []
    label = one_line(term.bar.label)
    source = one_line(_source(term))
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
            *listed(columns),
            ". An effect is zero on average: it is a deviation from what X β says.",
        ]
    )
    if left_side(model, term).intercept and not _writes_one(term.bar.effects):
        explicit = f"(1 + {one_line(deparse(term.bar.effects))} | {group.name})"
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


def _parameters(model: Model, term: RandomTerm, theta: int) -> Prose:
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
        said += [*listed(covariance.par_names(list(term.plan.names)), _MOST_PARAMETERS)]
        said.append(". Every variance and covariance is free.")
    else:
        said.append(f"Structure {covariance.name}: {_STRUCTURES[covariance.name]}.")
    return said
