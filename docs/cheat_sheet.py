"""Write the table of docs/cheat-sheet.md; ``--check`` tells whether it is current."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np

import lme4py

PAGE = Path(__file__).with_name("cheat-sheet.md")
BEGIN, END = "| Formula |", "\n\n<!-- the table ends -->"

MEANINGS = {
    "y ~ 1 + (1 | g)": "the mean, and how far groups lie from it",
    "y ~ x + (1 | g)": "parallel lines: groups differ by level",
    "y ~ x + (x | g)": "lines of their own: level and slope differ, correlated",
    "y ~ x + (x || g)": "the same without the correlation",
    "y ~ x + (0 + x | g)": "one level, slopes of their own",
    "y ~ x * M + (x | g)": "a predictor M of the groups, and what it does to the slope",
    "y ~ x + (1 | g) + (1 | h)": "two crossed factors, such as subjects and items",
    "y ~ x + (1 | a/b)": "b within a, such as classes in schools: (1 \\| a) + (1 \\| a:b)",
    "y ~ f + (1 | g)": "a factor: differences from its first level",
    "y ~ 0 + f + (1 | g)": "the same model: a mean for each level",
    "y ~ x + (f | g)": "the differences between f's levels vary by group",
    "y ~ x + (0 + f | g)": "the same: each group has an effect at each level",
    "y ~ x + cs(f | g)": "these with one correlation for all pairs (lme4 2)",
    "y ~ x + diag(f | g)": "these without correlations (lme4 2)",
    "y ~ x:f + (1 | g)": "a slope for each level of f, one intercept",
    "y ~ x + I(x^2) + (1 | g)": "a parabola; `x^2` alone would be `x`",
    "y ~ poly(x, 2) + (1 | g)": "the same parabola, of orthogonal columns",
    "y ~ x + offset(z) + (1 | g)": "z is added as it is, without a coefficient",
}
"""Formulas, and what they mean."""


def table() -> str:
    """Return the table: what lme4py makes of each formula."""
    lines = [f"{BEGIN} Meaning | Equation | X | Columns of a bar | θ |", "| " + "--- | " * 6]
    for formula, meaning in MEANINGS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            design = lme4py.lformula(formula, _data(), control=_CONTROL)
        bars = "; ".join(f"{group}: {', '.join(names)}" for group, names in design.random.cnms)
        equation = " ".join(design.equations().combined.text().split())
        cells = (_code(formula), meaning, _code(equation), ", ".join(design.fixed.names), bars)
        lines.append(f"| {' | '.join(cells)} | {design.random.theta.size} |")
    return "\n".join(line.rstrip() for line in lines)


_CHECKS = ("nobs_vs_nRE", "nobs_vs_nlev", "nobs_vs_rankZ")
_CONTROL = {f"check.{check.replace('_', '.', 2)}": "ignore" for check in _CHECKS}


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _data() -> dict[str, np.ndarray]:
    dice = np.random.default_rng(1)
    columns = {name: dice.normal(size=48) for name in ("y", "x", "z")}
    factors = {
        "f": np.tile(["a", "b", "c"], 16),
        "g": np.repeat([f"g{k}" for k in range(8)], 6),
        "h": np.tile([f"h{k}" for k in range(6)], 8),
        "a": np.repeat(["u", "v"], 24),
        "b": np.repeat(["1", "2", "3", "4"] * 2, 6),
    }
    return {**columns, **factors, "M": np.repeat(dice.normal(size=8), 6)}


def page() -> str:
    """Return the page with its table as it must be."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    return f"{before}{table()}{END}{after}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(page() != PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(page(), encoding="utf-8")
