"""Numbers and strings as R reads them."""

from __future__ import annotations

import re

from lme4py.errors import FormulaSyntaxError, Span
from lme4py.formula.syntax import Number

__all__ = ["ESCAPE", "number_of", "resolved"]


_LARGEST_INTEGER = 2**31 - 1
ESCAPE = re.compile(
    r"\\(?:x(?P<byte>[0-9a-fA-F]{1,2})|(?P<octal>[0-7]{1,3})"
    r"|u(?:\{(?P<braced>[0-9a-fA-F]{1,4})\}|(?P<short>[0-9a-fA-F]{1,4}))"
    r"|U(?:\{(?P<wide>[0-9a-fA-F]{1,8})\}|(?P<long>[0-9a-fA-F]{1,8}))"
    r"|(?P<plain>.))",
    re.DOTALL,
)
_PLAIN = {
    "n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
    "\\": "\\", '"': '"', "'": "'", "`": "`", " ": " ", "\n": "\n",
}  # fmt: skip


def resolved(escape: re.Match[str], span: Span) -> str:
    """Return the character that one escape sequence stands for."""
    plain = escape["plain"]
    if plain is not None:
        if plain in _PLAIN:
            return _PLAIN[plain]
        if plain in "xuU":
            raise FormulaSyntaxError(
                f"'\\{plain}' used without hex digits in character string", span
            )
        raise FormulaSyntaxError(
            f"'\\{plain}' is an unrecognized escape in character string",
            span,
            "write a backslash as two backslashes",
        )
    if escape["octal"] is not None:
        code = int(escape["octal"], 8)
    else:
        code = int(next(group for group in escape.groups() if group is not None), 16)
    if code == 0:
        raise FormulaSyntaxError("nul character not allowed", span)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise FormulaSyntaxError("invalid \\u{xxxx} sequence", span)
    return chr(code)


def number_of(text: str, span: Span) -> Number:
    """Return the constant that R reads from `text`: 1e400 is Inf, 1.5L is no integer."""
    suffix = text[-1] if text[-1] in "Li" else ""
    digits = text.removesuffix(suffix) if suffix else text
    if digits[:2] in ("0x", "0X"):
        try:
            value = float.fromhex(digits)
        except OverflowError:
            value = float("inf")
    else:
        value = float(digits)
    if suffix == "i":
        return Number(complex(0.0, value), span=span)
    integer = suffix == "L" and value <= _LARGEST_INTEGER and value == int(value)
    return Number(value, integer, span)
