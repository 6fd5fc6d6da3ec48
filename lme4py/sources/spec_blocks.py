"""The rows of a source by what was learned: X, Zt and y block by block, and cross-products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from lme4py.argument_types import count_of
from lme4py.crossproducts import Crossproducts
from lme4py.errors import DataError
from lme4py.frame.modelframe import na_action_of
from lme4py.messages import Messages
from lme4py.sources.dask_partitions import total_of_partitions
from lme4py.sources.running_sum import RunningSum
from lme4py.sources.source import source_of
from lme4py.spec.apply import apply
from lme4py.spec.spec import NewRows, Spec
from lme4py.versions import following

__all__ = ["blocks", "computed", "crossproducts"]


def blocks(spec: Spec, data: Any, rows: int) -> Iterator[NewRows]:
    """Yield the rows of a source in blocks; `Spec.blocks` tells of it."""
    count_of("rows", rows, 1)
    messages = Messages()
    for block in source_of(data).blocks(tuple(spec.columns), rows):
        with block.telling():
            found = computed(spec, block.frame, messages)
        yield replace(found, positions=found.positions + block.start)
    messages.tell(stacklevel=3)


def computed(spec: Spec, frame: Any, messages: Messages) -> NewRows:
    """Return some rows of a model, with their response."""
    with np.errstate(all="ignore"), following(spec.formula.lme4):
        return apply(
            spec,
            frame,
            new_levels="error",
            na_action=na_action_of(spec.na_action),
            random=True,
            offset=None,
            response=True,
            env=spec.env,
            messages=messages,
        )


def crossproducts(spec: Spec, data: Any, rows: int) -> Crossproducts:
    """Return the cross-products of all rows of a source; `Spec.crossproducts` tells of it."""
    count_of("rows", rows, 1)
    source, messages = source_of(data), Messages()
    if source.partitions is not None:
        read = partial(_products, spec, messages=messages)
        total = total_of_partitions(source.partitions, tuple(spec.columns), read)
    else:
        running = RunningSum()
        for block in source.blocks(tuple(spec.columns), rows):
            with block.telling():
                running.add(_rows_of_numbers(spec, block.frame, messages))
        total = running.total()
    messages.tell(stacklevel=3)
    if total is None:
        raise DataError("the source has no rows")
    return total


def _rows_of_numbers(spec: Spec, frame: Any, messages: Messages) -> NewRows:
    rows = computed(spec, frame, messages)
    if rows.y is None or rows.y.ndim > 1:
        raise DataError("cross-products need a response that is one column of numbers")
    return rows


def _products(spec: Spec, frame: Any, messages: Messages) -> Crossproducts:
    rows = _rows_of_numbers(spec, frame, messages)
    y: Any = rows.y
    return Crossproducts.of(rows.X, rows.Zt, y, weights=rows.weights, offset=rows.offset)
