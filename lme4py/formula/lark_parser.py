"""Lark's parser for the grammar ``r.lark``; lark is imported with the first formula.

Building the parser takes 0.3 s, loading it a tenth of that, so it stands beside the grammar as
`Lark.save` wrote it, below a line that tells the grammar and the release of lark that it was
made from. With any other the parser is built from the grammar. After a change of the grammar
store it anew with ``python -m tests.formula.store_parser``; a test tells when it is old.
"""

from __future__ import annotations

import hashlib
import threading
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, cast

import lark
from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from lme4py.formula.syntax import Node
from lme4py.formula.syntax_errors import refuse_character, refuse_token
from lme4py.formula.tokens import Lexer
from lme4py.formula.tree_builder import build

__all__ = ["STORED", "built", "label", "loaded", "read"]

STORED = "r.parser"

_getting = threading.Lock()
_parsers: list[Lark] = []


def read(text: str) -> Node:
    """Return the syntax tree of one expression."""
    try:
        tree = _parser().parse(text)
    except UnexpectedToken as fault:
        refuse_token(text, fault.token, _last_token(fault.state))
    except UnexpectedCharacters as fault:
        refuse_character(text, cast("int", fault.pos_in_stream))
    return build(text, tree)


def _parser() -> Lark:
    """Return the parser, loaded or built on first use."""
    if not _parsers:
        with _getting:
            if not _parsers:
                _parsers.append(loaded() or built())
    return _parsers[0]


def loaded() -> Lark | None:
    """Return the stored parser, None where it is for something else."""
    path = _folder().joinpath(STORED)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return Lark.load(file) if file.readline() == label() else None


def built() -> Lark:
    """Return the parser, built from the grammar."""
    return Lark(
        _grammar(),
        start="program",
        parser="lalr",
        lexer=Lexer,
        strict=True,
        maybe_placeholders=False,
    )


def label() -> bytes:
    """Return the line that tells what a stored parser was made from."""
    release = ".".join(lark.__version__.split(".")[:2])
    digest = hashlib.sha256(_grammar().encode()).hexdigest()
    return f"lark {release}, grammar {digest}\n".encode()


def _folder() -> Traversable:
    """Return the folder of the grammar."""
    try:
        return files("lme4py.grammar")
    except ModuleNotFoundError:
        # A checkout that Python imports from where it stands: the grammar lies beside us.
        return Path(__file__).resolve().parents[2] / "grammar"


def _grammar() -> str:
    return _folder().joinpath("r.lark").read_text(encoding="utf-8")


def _last_token(state: Any) -> Token | None:
    """Return the token that lark's parser took last."""
    item = state.value_stack[-1] if state.value_stack else None
    while isinstance(item, Tree):
        item = item.children[-1] if item.children else None
    return item if isinstance(item, Token) else None
