"""Formula text to syntax tree, by the grammar ``r.lark``.

The tree is R's own: ``parse("y ~ x + z")`` is what ``quote(y ~ x + z)`` is in R.
A function literal is a call of ``function`` whose named arguments are the
parameters (with their defaults) and whose last, unnamed argument is the body.
"""

from __future__ import annotations

from lme4py.errors import FormulaSyntaxError
from lme4py.formula.syntax import Node

LONGEST = 250_000
"""The most characters a formula may have."""


def parse(text: str) -> Node:
    """Parse one R expression without loops, as R 4.2's ``str2lang`` does.

    Each node of the tree knows its span in the text. A text that is not exactly one expression,
    is longer than `LONGEST` or nested deeper than `NESTING` is a `FormulaSyntaxError`, with R's
    words and a caret.

    Examples
    --------
    >>> parse("y ~ -x:z").operands[1].name
    ':'
    """
    if len(text) > LONGEST:
        raise FormulaSyntaxError(
            f"the formula has {len(text)} characters; at most {LONGEST} are read"
        )
    # Lark comes with the first formula, so that `import lme4py` is fast.
    from lme4py.formula.lark_parser import read

    return read(text)
