"""Random cases at the edge of lme4's checks: does an error or a warning arise, or not?"""

from __future__ import annotations

from random import Random
from typing import Any

from .generator import Case, Column

__all__ = ["make_borderline"]

_LEVELS = ["message", "warning", "stop", "ignore"]
_OPTIONS: dict[str, list[str]] = {
    "check.nobs.vs.rankZ": [*_LEVELS, *(f"{level}Small" for level in _LEVELS)],
    "check.nobs.vs.nlev": _LEVELS,
    "check.nlev.gtreq.5": _LEVELS,
    "check.nlev.gtr.1": _LEVELS,
    "check.nobs.vs.nRE": _LEVELS,
    "check.rankX": [
        "message+drop.cols",
        "silent.drop.cols",
        "warn+drop.cols",
        "stop.deficient",
        "ignore",
    ],
    "check.scaleX": [
        "warning",
        "stop",
        "silent.rescale",
        "message+rescale",
        "warn+rescale",
        "ignore",
    ],
    "check.formula.LHS": _LEVELS,
}


def make_borderline(seed: int, number: int) -> Case:
    """Return a case in which counts, scales, ranks or missing values lie near a limit."""
    dice = Random(f"borderline-{seed}-{number}")
    n = dice.choice([6, 8, 9, 12, 16, 24])
    glm = dice.random() < 0.35
    columns = _columns(dice, n)
    response = dice.choice(["b", "lg", "y > 0"]) if glm else "y"
    formula = f"{response} ~ {_fixed(dice)} + {_random(dice)}"
    if dice.random() < 0.04:
        formula = formula.partition("~")[1] + formula.partition("~")[2]
    if dice.random() < 0.04:
        formula = f"{response} ~ {_fixed(dice)}"
    arguments: dict[str, Any] = {"family": "binomial"} if glm else {}
    if dice.random() < 0.25:
        arguments["na.action"] = dice.choice(["na.omit", "na.exclude", "na.pass", "na.fail"])
    if dice.random() < 0.3:
        arguments["subset"] = dice.choice(
            ["x > 0", f"1:{n - 2}", f"1:{max(2, n // 2)}", "g == 'a'", "x > 99", "-1", f"1:{n - 1}"]
        )
    chosen = {name: dice.choice(values) for name, values in _OPTIONS.items() if dice.random() < 0.3}
    if chosen:
        arguments["control"] = chosen
    return Case(f"borderline-{seed}-{number}", columns, formula, glm, arguments)


def _columns(dice: Random, n: int) -> dict[str, Column]:
    def some_missing(values: list[Any], chance: float = 0.12) -> list[Any]:
        if dice.random() < chance:
            for _ in range(dice.choice([1, 1, 2, n])):
                values[dice.randrange(n)] = None
        return values

    def factor(levels: list[str], values: list[Any]) -> Column:
        return Column("factor", some_missing(values), levels)

    def spread(levels: list[str]) -> list[Any]:
        values = [levels[row % len(levels)] for row in range(n)]
        if dice.random() < 0.5:
            dice.shuffle(values)
        return values

    x = [dice.gauss(0, 1) for _ in range(n)]
    mean = sum(x) / n
    sd = (sum((value - mean) ** 2 for value in x) / (n - 1)) ** 0.5
    factor_of_scale = dice.choice([999.0, 1001.0, 1 / 999.0, 1 / 1001.0, 30.0, 1.0])
    count = dice.choice([n - 1, n, n // 2, max(2, n // 3)])
    many = [f"i{row}" for row in range(count)]
    x_values: list[Any] = x[:]
    if dice.random() < 0.06:
        x_values[dice.randrange(n)] = float("inf")
    return {
        "y": Column("double", some_missing([dice.gauss(0, 1) for _ in range(n)])),
        "b": Column("integer", [dice.randint(0, 1) for _ in range(n)]),
        "lg": Column("logical", [dice.random() < 0.5 for _ in range(n)]),
        "x": Column("double", some_missing(x_values)),
        "z": Column("double", [dice.gauss(0, 1) for _ in range(n)]),
        "near": Column(
            "double", [value + dice.choice([0.9e-7, 2e-7, 0.0]) * (-1) ** at * sd
                       for at, value in enumerate(x)]
        ),
        "big": Column("double", [value / sd * factor_of_scale for value in x]),
        "two": Column("double", [dice.choice([2.0, 2.0, 2.0, 1.0])] * n),
        "g": factor(["a", "b", "c", "d"], spread(["a", "b", "c", "d"])),
        "k": factor(["u", "v"], spread(["u", "v"])),
        "one": factor(["only", "unused"], ["only"] * n),
        "id": factor(many, spread(many)),
        "t": Column("character", some_missing(spread(["q", "r", "s"]))),
        "five": factor(list("vwxyz")[: dice.choice([4, 5])], spread(list("vwxyz")[:4])),
        "void": Column("logical", [None] * n),
    }  # fmt: skip


def _fixed(dice: Random) -> str:
    terms = ["x", "z", "x + big", "big", "x + near", "x + I(2 * x)", "two", "k", "t", "g*k", "1"]
    terms += ["0", "lg", "poly(z, 3)", "factor(z)", "x*z*k", "one", "log(z + 9)", "void", "g + k"]
    return str(dice.choice(terms if dice.random() < 0.6 else terms[:6]))


def _random(dice: Random) -> str:
    groups = ["g", "g", "k", "id", "id", "one", "five", "g:k", "g/k", "void", "t", "b", "lg"]
    slopes = ["1", "1", "x", "0 + x", "x + z", "k", "0 + k", "z", "lg", "g", "poly(z, 2)"]
    bars = [
        f"({dice.choice(slopes)} {dice.choice(['|', '|', '|', '||'])} {dice.choice(groups)})"
        for _ in range(dice.choice([1, 1, 2]))
    ]
    bars = [bar.replace("(1 ||", "(1 |") for bar in bars]
    return " + ".join(bars)
