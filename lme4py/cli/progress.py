"""What the command is doing, on a terminal's standard error, one line that the next replaces."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["doing"]

_CLEAR = "\r\x1b[K"


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Tell what is being done while it is; nothing when standard error is no terminal."""
    if not sys.stderr.isatty():
        yield
        return
    print(f"{_CLEAR}{what} ...", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print(_CLEAR, end="", file=sys.stderr, flush=True)
