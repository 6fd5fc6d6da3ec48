"""Store the parser beside its grammar: ``python -m tests.formula.store_parser``."""

from __future__ import annotations

from pathlib import Path

from lme4py.formula import parse as reading


def write(path: Path) -> None:
    """Write what `reading.loaded` reads."""
    with path.open("wb") as file:
        file.write(reading.label())
        reading.built().save(file)


if __name__ == "__main__":
    write(Path(__file__).resolve().parents[2] / "grammar" / reading.STORED)
