"""Lark's parser for the grammar ``r.lark``, from tables that were worked out beforehand.

Working out the tables takes 0.2 s, reading them a few milliseconds, so they stand beside
the grammar in ``r.json``: what Lark's own generator of stand-alone parsers writes, as
JSON. They count only for the grammar and the release of Lark that they were made from;
with any other the parser is built from the grammar. After a change of the grammar write
them anew with ``python -m tests.formula.make_tables``; a test tells when they are old.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import lark
from lark import Lark
from lark.lexer import Lexer

__all__ = ["FILE", "built", "digest", "loaded", "parser", "released"]

FILE = "r.json"

_START = "program"


def _folder() -> Traversable:
    """Return the folder of the grammar."""
    try:
        return files("lme4py.grammar")
    except ModuleNotFoundError:
        # A checkout that Python imports from where it stands: the grammar lies beside us.
        return Path(__file__).resolve().parents[2] / "grammar"


def _grammar() -> str:
    return _folder().joinpath("r.lark").read_text(encoding="utf-8")


def digest() -> str:
    """Return the digest of the grammar that tables are good for."""
    return hashlib.sha256(_grammar().encode()).hexdigest()


def released() -> str:
    """Return the release of Lark that tables are good for: its first two numbers."""
    return ".".join(lark.__version__.split(".")[:2])


def parser(lexer: type[Lexer]) -> Lark:
    """Return a parser of R's expressions with this lexer, quickly where that can be done."""
    found = loaded(lexer)
    return built(lexer) if found is None else found


def built(lexer: type[Lexer]) -> Lark:
    """Return the parser, built from the grammar."""
    return Lark(
        _grammar(),
        start=_START,
        parser="lalr",
        lexer=lexer,
        strict=True,
        maybe_placeholders=False,
    )


def loaded(lexer: type[Lexer]) -> Lark | None:
    """Return the parser from the stored tables, None where they are for something else."""
    path = _folder().joinpath(FILE)
    if not path.is_file():
        return None
    tables = json.loads(path.read_text(encoding="utf-8"))
    if tables["lark"] != released() or tables["grammar"] != digest():
        return None
    data, memo = tables["data"], tables["memo"]
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = lexer
    # The keys of JSON's objects are texts.
    table = data["parser"]["parser"]
    table["tokens"] = {int(key): token for key, token in table["tokens"].items()}
    table["states"] = {
        int(state): {int(token): action for token, action in actions.items()}
        for state, actions in table["states"].items()
    }
    numbered = {int(key): item for key, item in memo.items()}
    load: Callable[..., Lark] = Lark._load_from_dict  # noqa: SLF001  (as its own parsers do)
    return load(data, numbered)
