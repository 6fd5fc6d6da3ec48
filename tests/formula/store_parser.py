"""Store the parser beside its grammar: ``python -m tests.formula.store_parser``."""

from __future__ import annotations

from pathlib import Path

from lme4py.formula import lark_parser


def write(path: Path) -> None:
    """Write what `lark_parser.loaded` reads."""
    with path.open("wb") as file:
        file.write(lark_parser.label())
        lark_parser.built().save(file)


if __name__ == "__main__":
    write(Path(__file__).resolve().parents[2] / "grammar" / lark_parser.STORED)
