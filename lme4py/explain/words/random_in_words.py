"""The random part in words, term by term."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lme4py.explain.markup.page import Definitions, Paragraph, Passage, Prose, code, one_line
from lme4py.explain.monomials import left_side
from lme4py.explain.words.reading import MOST_TERMS, Reading, listed, written
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


def random_part(reading: Reading) -> Iterator[Passage]:
    """Yield what each random term says."""
    random = reading.design.random
    counts = [term.covariance.parameters for term in random.terms]
    starts = np.cumsum([0, *counts]).tolist()
    yield Definitions(
        [
            (code(written(term)), list(_term(reading, k, term, starts[k])))
            for k, term in enumerate(random.terms[:MOST_TERMS])
        ]
    )
    if len(random.terms) > MOST_TERMS:
        yield Paragraph(f"... and {len(random.terms) - MOST_TERMS} more terms.")
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


def _term(reading: Reading, k: int, term: RandomTerm, theta: int) -> Iterator[Prose]:
    group, columns = reading.group(term), list(term.plan.names)
    source, label = _source(term), one_line(term.bar.label)
    if source and source.replace(" ", "") != label.replace(" ", ""):
        yield f"Written {code(f'({source})')} in the formula."
    if not columns:
        yield "The left side has no columns: the term adds nothing."
        return
    one = len(columns) == 1
    yield (
        f"Each of the {group.size:,} groups of {code(group.name)} has "
        f"{'an effect' if one else f'{len(columns)} effects'} of its own in b, for the "
        f"column{'' if one else 's'} {listed(columns)}. An effect is zero on average: it is a "
        "deviation from what X β says."
    )
    if left_side(reading.design, term).intercept and not _writes_one(term.bar.effects):
        explicit = f"(1 + {one_line(deparse(term.bar.effects))} | {group.name})"
        yield f"R adds the 1 that is not written: it means {code(explicit)}."
    yield _rows_of_zt(reading, k, term)
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


def _rows_of_zt(reading: Reading, k: int, term: RandomTerm) -> Prose:
    """Return which row of Zt belongs to which group and column, the first three and the last."""
    begin, end = map(int, reading.design.random.Gp[k : k + 2])
    columns, count = term.plan.names, end - begin
    shown = []
    for number in [*range(min(count, 3)), *([count - 1] if count > 3 else [])]:
        level, column = divmod(number, len(columns))
        gap = "..., " if number > 3 else ""
        name = f"{code(term.group.levels[level])} {code(columns[column])}"
        shown.append(f"{gap}row {begin + number} is {name}")
    return (
        f"It makes the rows {begin}:{end} of Zt, group by group: {', '.join(shown)}. An "
        "observation has entries only in the rows of its own group."
    )


def _parameters(reading: Reading, term: RandomTerm, theta: int) -> Prose:
    covariance, family = term.covariance, reading.design.family
    scaled = family is None or family.name in _SCALED
    scale, relative = ("σ² ", ", relative to σ") if scaled else ("", "")
    count = covariance.parameters
    if count == 1 and covariance.columns == 1:
        return (
            f"theta[{theta}] is the standard deviation of the effects{relative}: "
            f"their variance is {scale}theta[{theta}]²."
        )
    said = (
        f"theta[{theta}:{theta + count}] fills one block T of Λ, {covariance.columns} x "
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
