"""The partitions of a Dask data frame, read by its scheduler, here or on other machines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import uuid4

from lme4py.errors import DataError, Lme4pyError

_T = TypeVar("_T")


def total_of_partitions(
    data: Any, names: Sequence[str], read: Callable[[Any], _T | None]
) -> _T | None:
    """Return the sum of what is read of each partition, in their order.

    Parameters
    ----------
    data : dask.dataframe.DataFrame
    names : sequence of str
        The columns that are read.
    read : callable
        Takes a partition and returns something that can be added and pickled, or None.

    Raises
    ------
    DataError
        If a partition cannot be read, or a worker is lost; it names the block.
    """
    from dask import base
    from dask.delayed import delayed

    # Its types may be there or not.
    compute: Any = base.compute

    run = uuid4().hex
    told = delayed(_told, pure=False)
    parts = [
        told(read, part, number, dask_key_name=f"block-{number}-of-{run}")
        for number, part in enumerate(data[list(names)].to_delayed(), start=1)
    ]
    # Neighbours are added, so that no machine holds more than a few of them; the name of a sum
    # tells the first of its blocks.
    add, width = delayed(_sum, pure=False), 1
    while len(parts) > 1:
        width *= 2
        pairs = [parts[place : place + 2] for place in range(0, len(parts), 2)]
        parts = [
            add(*pair, dask_key_name=f"block-{place * width + 1}-of-{run}-to-{(place + 1) * width}")
            if len(pair) > 1
            else pair[0]
            for place, pair in enumerate(pairs)
        ]
    try:
        (total,) = compute(parts[0])
    except Lme4pyError:
        raise
    except Exception as fault:  # a scheduler's own exceptions are not known here
        raise _unread(fault, run) from fault
    found: _T | None = total
    return found


def _unread(fault: Exception, run: str) -> DataError:
    """Return the error of a partition that was not made, or of a worker that was lost."""
    # A worker that was killed is told with its task, which ends in the number of a partition.
    task = re.search(rf"block-(\d+)-of-{run}|, (\d+)\)", str(getattr(fault, "task", "")))
    block = "a partition"
    if task is not None:
        number = int(task[1]) if task[1] else int(task[2]) + 1
        block = f"block {number} of the source (partition {number - 1})"
    text = " ".join(str(fault).split())
    return DataError(f"{block} could not be read: {type(fault).__name__}: {text}")


def _told(read: Callable[[Any], _T | None], part: Any, number: int) -> _T | None:
    try:
        return read(part)
    except Lme4pyError as error:
        place = f"in block {number} of the source (partition {number - 1})"
        error.hint = place if error.hint is None else f"{error.hint}\n{place}"
        raise
    except Exception as fault:  # nor are those of what makes a partition
        raise DataError(
            f"block {number} of the source could not be read: {type(fault).__name__}: {fault}"
        ) from fault


def _sum(one: Any, two: Any) -> Any:
    if one is None or two is None:
        return two if one is None else one
    return one + two
