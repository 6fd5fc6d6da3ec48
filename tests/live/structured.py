"""What lme4 2.x alone takes, written into a case: covariance structures and autoscale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from lme4py.errors import FormulaSyntaxError, Span
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Call, calls_in

from .generator import Case

__all__ = ["structured"]

_BARS = 0.25
_NAMES = ["us", "diag", "diag", "cs", "cs", "ar1", "ar1"]
_ARGUMENTS = [
    *("", "", "", "", "", "", ", hom = TRUE", ", hom = TRUE", ", hom = FALSE", ", hom = FALSE"),
    *(", homo = TRUE", ", hom = T", ", hom = NA", ", TRUE", ", d = 2", ", hom = TRUE, d = 2"),
]


def structured(case: Case) -> Case:
    """Return the case with structures around some of its bars, the same every time."""
    dice = Random(f"structured-{case.name}")
    text = case.formula
    for span in reversed(list(_enclosed(text))):
        if dice.random() < _BARS:
            wrap = "({})" if dice.random() < 0.05 else "{}"
            bar = wrap.format(text[span.start + 1 : span.end - 1])
            call = f"{dice.choice(_NAMES)}({bar}{dice.choice(_ARGUMENTS)})"
            text = text[: span.start] + call + text[span.end :]
    arguments = case.arguments
    if dice.random() < 0.04:
        control = {**arguments.get("control", {}), "autoscale": dice.random() < 0.8}
        arguments = {**arguments, "control": control}
    return replace(case, formula=text, arguments=arguments)


def _enclosed(text: str) -> Iterator[Span]:
    """Yield the parentheses that hold a bar, left to right."""
    try:
        calls = list(calls_in(parse(text)))
    except FormulaSyntaxError:
        return
    spans = [
        item.span
        for item in calls
        if item.name == "(" and isinstance(item.operands[0], Call) and item.span is not None
        if item.operands[0].name in {"|", "||"}
    ]
    end = 0
    for span in sorted(spans, key=lambda span: span.start):
        if span.start >= end:
            yield span
            end = span.end
