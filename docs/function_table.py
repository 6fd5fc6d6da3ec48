"""Writes the table of docs/functions.md from the functions themselves; ``--check`` compares."""

import inspect
import sys
from pathlib import Path
from typing import Any

from lme4py.data.values import FunctionName, Numeric
from lme4py.functions.table import MISSING, Function, lookup, names
from lme4py.numerals import label

PAGE = Path(__file__).parent / "functions.md"
BEGIN = "<!-- The table is written by docs/function_table.py. -->\n"
ROLES = {
    "elementwise": "row by row",
    "shape": "row by row, or frozen",
    "index": "row by row, or frozen",
    "summary": "frozen",
    "basis": "its state is frozen",
    "whole": "not for new rows",
}


def _shown(name: str, default: Any) -> str:
    """Return a formal argument as R's signatures show it."""
    match default:
        case _ if name == "..." or default in (MISSING, inspect.Parameter.empty):
            return name
        case None:
            written = "NULL"
        case bool():
            written = str(default).upper()
        case str():
            written = '"' + default.encode("unicode_escape").decode() + '"'
        case FunctionName(name=written):
            pass
        case Numeric(kind="logical"):
            written = {0.0: "FALSE", 1.0: "TRUE"}.get(float(default.values[0]), "NA")
        case _:
            written = label(default)
    return f"{name} = {written}"


def _row(entry: Function) -> str:
    package = "" if entry.package == "base" else f"{entry.package}::"
    call = f"{package}{entry.name}" if entry.name[0].isalpha() else f"{entry.name}"
    arguments = ", ".join(_shown(name, item.default) for name, item in entry.formals.items())
    signature = f"`{call}({arguments})`" if entry.name[0].isalpha() else f"`{call}`"
    purpose = entry.purpose[:1].upper() + entry.purpose[1:].rstrip(".") + "."
    cells = [signature, purpose, ROLES[entry.role]]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def table() -> str:
    """Return the table, one row for each function of R's."""
    entries = [lookup(name) for name in names()]
    known = [entry for entry in entries if entry is not None and entry.package in PACKAGES]
    known.sort(key=lambda entry: (entry.name[0].isalpha(), entry.name.lower(), entry.name))
    rows = [_row(entry) for entry in known]
    return "\n".join(["| function | value | new rows |", "| --- | --- | --- |", *rows]) + "\n"


PACKAGES = ("base", "stats", "splines", "utils", "lme4")


def main() -> int:
    """Write the page, or tell whether it is current."""
    head, mark, _ = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    wanted = f"{head}{mark}\n{table()}"
    if "--check" in sys.argv:
        return int(PAGE.read_text(encoding="utf-8") != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
