"""How long, and how deeply nested, a formula may be."""

from __future__ import annotations

__all__ = ["LEFT_DEEP", "LONGEST", "NESTING"]


LONGEST = 250_000
"""The most characters a formula may have."""

NESTING = 200
"""How deep brackets, or operators inside right operands, may be nested.

Chains of binary operators (``a + b + c``) nest to the left and may have any length.
"""

LEFT_DEEP = frozenset(
    [
        "RIGHT_ASSIGN",
        "TILDE",
        "BAR",
        "AND",
        "COMPARE",
        "PLUS",
        "MINUS",
        "TIMES",
        "DIVIDE",
        "SPECIAL",
        "COLON",
        "QUERY",
    ]
)
"""Tokens of chains that nest to the left; everything else counts as nesting."""
