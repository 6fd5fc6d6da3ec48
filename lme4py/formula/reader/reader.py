"""Formula text to syntax tree, by the grammar ``r.lark``."""

from __future__ import annotations

import threading
from typing import Any, cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from lme4py.formula import tables
from lme4py.formula.reader.builder import build
from lme4py.formula.reader.faults import refuse_character, refuse_token
from lme4py.formula.reader.lexer import Lexer
from lme4py.formula.syntax import Node

__all__ = ["read"]


_building = threading.Lock()
_built: list[Lark] = []


def read(text: str) -> Node:
    """Return the syntax tree of one expression."""
    try:
        tree = _grammar().parse(text)
    except UnexpectedToken as fault:
        refuse_token(text, fault.token, _last_token(fault.state))
    except UnexpectedCharacters as fault:
        refuse_character(text, cast("int", fault.pos_in_stream))
    return build(text, tree)


def _grammar() -> Lark:
    """Return the parser, built on first use."""
    if not _built:
        with _building:
            if not _built:
                _built.append(tables.parser(Lexer))
    return _built[0]


def _last_token(state: Any) -> Token | None:
    """Return the token that lark's parser took last."""
    item = state.value_stack[-1] if state.value_stack else None
    while isinstance(item, Tree):
        item = item.children[-1] if item.children else None
    return item if isinstance(item, Token) else None
