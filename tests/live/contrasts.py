"""The random cases with contrasts attached to their factors, and other default ones."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from .generator import Case, Column, Matrix, make_case

__all__ = ["make_contrasted"]

_NAMES = ["contr.sum", "contr.helmert", "contr.treatment", "contr.poly", "contr.SAS"]


def make_contrasted(seed: int, number: int) -> Case:
    """Return the case; the same for the same seed and number, on every machine."""
    name = f"contrasts-{seed}-{number}"
    dice, case = Random(name), make_case(seed, number)
    given: dict[str, Any] = {}
    if dice.random() < 0.6:
        given["default_contrasts"] = [dice.choice(_NAMES), dice.choice(_NAMES)]
    attached = {
        column: _coding(dice, values)
        for column, values in case.columns.items()
        if dice.random() < _likely(values)
    }
    if attached:
        given["attached_contrasts"] = attached
    formula = _sloped(dice, case)
    return replace(case, name=name, formula=formula, arguments={**case.arguments, **given})


def _likely(column: Column) -> float:
    """Return how often a column gets contrasts; R stops at those that are no factors."""
    return {"factor": 0.5, "ordered": 0.5, "logical": 0.3}.get(column.kind, 0.005)


def _sloped(dice: Random, case: Case) -> str:
    """Return the formula, mostly with a random slope of a factor besides."""
    coded = [name for name, column in case.columns.items() if column.kind in _CODED]
    groups = [name for name in coded if case.columns[name].kind != "logical"]
    if not groups or dice.random() < 0.2:
        return case.formula
    slope, group = _quoted(dice.choice(coded)), _quoted(dice.choice(groups))
    form = dice.choice(
        ["({} | {})", "(0 + {} | {})", "({} || {})", "{} + ({} | {})", "(x * {} | {})"]
    )
    parts = [slope, group] if form.count("{}") == 2 else [slope, slope, group]
    if form.startswith("(x") and "x" not in case.columns:
        form = "({} | {})"
    return f"{case.formula} + {form.format(*parts)}"


_CODED = ("factor", "ordered", "logical", "character")


def _quoted(name: str) -> str:
    return name if name.replace("_", "").replace(".", "").isalnum() else f"`{name}`"


def _coding(dice: Random, column: Column) -> Any:
    count = 2 if column.kind == "logical" else len(column.levels)
    if count < 2 or dice.random() < 0.5:
        return dice.choice(_NAMES)
    if dice.random() < 0.03:
        count += 1
    width = dice.choice([0, 1, count - 1, count - 1, count])
    rows = [[float(dice.randint(-3, 3)) for _ in range(max(width, 1))] for _ in range(count)]
    if width == 0:
        return [row[0] for row in rows]
    names = [f"c{at}" for at in range(width)] if dice.random() < 0.5 else None
    return Matrix(rows, names)
