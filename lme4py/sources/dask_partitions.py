"""The partitions of a Dask data frame, read by its scheduler, here or on other machines."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import uuid4

from lme4py.errors import Lme4pyError
from lme4py.sources.source import telling, unread

_T = TypeVar("_T")


def total_of_partitions(data: Any, names: Sequence[str], read: Callable[[Any], _T]) -> _T:
    """Return the sum of what is read of some columns of each partition, in their order.

    That can be pickled. The error of a partition that cannot be read, or of a worker that is
    lost, names the block.
    """
    from dask import base
    from dask.delayed import delayed

    # Its types may be there or not.
    compute: Any = base.compute

    run = uuid4().hex
    told, add = delayed(_told, pure=False), delayed(operator.add, pure=False)
    # By the block that each begins with, which the name of its task tells.
    parts = {
        number: told(read, part, number, dask_key_name=f"block-{number}-of-{run}")
        for number, part in enumerate(data[list(names)].to_delayed(), start=1)
    }
    # Neighbours are added, so that no machine holds more than a few of them.
    while len(parts) > 1:
        begins = list(parts)
        for one, two in zip(begins[::2], begins[1::2], strict=False):
            key = f"block-{one}-of-{run}-with-{two}"
            parts[one] = add(parts[one], parts.pop(two), dask_key_name=key)
    try:
        (total,) = compute(parts[1])
    except Lme4pyError:
        raise
    except Exception as fault:  # a scheduler's own exceptions are not known here
        # A worker that was killed is told with its task, which ends in the number of a partition.
        task = re.search(rf"block-(\d+)-of-{run}|, (\d+)\)", str(getattr(fault, "task", "")))
        number = task and (int(task[1]) if task[1] else int(task[2]) + 1)
        raise unread("a partition" if number is None else _place(number), fault) from fault
    found: _T = total
    return found


def _told(read: Callable[[Any], _T], part: Any, number: int) -> _T:
    with telling(_place(number)):
        return read(part)


def _place(number: int) -> str:
    return f"block {number} of the source (partition {number - 1})"
