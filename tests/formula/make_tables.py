"""Write the tables of the parser beside its grammar: ``python -m tests.formula.make_tables``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lark import Lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

from lme4py.formula import tables
from lme4py.formula.reader.lexer import Lexer


def made(parser: Lark) -> dict[str, Any]:
    """Return the tables of a parser, less its lexer, which is a class."""
    data, memo = parser.memo_serialize([TerminalDef, Rule])
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = None
    return {"lark": tables.released(), "grammar": tables.digest(), "data": data, "memo": memo}


if __name__ == "__main__":
    text = json.dumps(made(tables.built(Lexer)), separators=(",", ":"), sort_keys=True)
    path = Path(__file__).resolve().parents[2] / "grammar" / tables.FILE
    path.write_text(text + "\n", encoding="utf-8")
