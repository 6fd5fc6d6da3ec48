"""Bounds on work that is counted, not timed: a busy machine changes no count.

Calls of Python's and of C's functions are counted as they are made, and memory by its peak, that
of numpy's arrays included.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ["bounded_work"]


class _TooManyCallsError(BaseException):
    """Ends what runs on and on; no handler of `Exception` can keep it going."""


@contextmanager
def bounded_work(*, calls: int, megabytes: float = 100) -> Iterator[None]:
    """Fail if the block makes more calls, or needs more memory at a time."""
    made = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal made
        if event in ("call", "c_call"):
            made += 1
            if made > calls:
                raise _TooManyCallsError

    before = sys.getprofile()
    tracemalloc.start()
    sys.setprofile(count)
    try:
        yield
    except _TooManyCallsError:
        pytest.fail(f"more than {calls:,} calls")
    finally:
        sys.setprofile(before)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
    if peak > megabytes:
        pytest.fail(f"{peak:,.0f} MB at a time, at most {megabytes:,.0f} were allowed")
