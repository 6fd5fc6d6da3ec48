"""The rows of a source by what was learned: X, Zt and y block by block, and cross-products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from lme4py.argument_types import count_of
from lme4py.crossproducts import Crossproducts, RunningSum
from lme4py.data.values import Character, Factor, Levels
from lme4py.errors import DataError
from lme4py.frame.modelframe import na_action_of
from lme4py.messages import Messages
from lme4py.sources.source import Block, Source, source_of, telling, total_of_partitions
from lme4py.spec.apply import apply
from lme4py.spec.spec import NewRows, Spec
from lme4py.versions import following


def blocks(spec: Spec, data: Any, rows: int) -> Iterator[NewRows]:
    """Yield the rows of a source in blocks; `Spec.blocks` tells of it."""
    messages = Messages()
    for block in _read(spec, source_of(data), rows):
        with telling(block.place):
            found = computed(spec, block.columns, messages)
        yield replace(found, positions=found.positions + block.start)
    messages.tell()


def _read(spec: Spec, source: Source, rows: int) -> Iterator[Block]:
    count_of("rows", rows, 1)
    return source.blocks(tuple(spec.columns), rows, text_levels(spec))


def text_levels(spec: Spec) -> dict[str, Levels]:
    """Return the levels that columns of text have in a model."""
    factors = {n: value for n, value in spec.variables.items() if isinstance(value, Factor)}
    known = {name: factor.levels for name, factor in factors.items()} | dict(spec.grouping)
    texts = {name for name, value in spec.columns.items() if isinstance(value, Character)}
    # The levels themselves, so that nobody need compare them.
    return {name: levels for name, levels in known.items() if name in texts and None not in levels}


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
    source, messages = source_of(data), Messages()
    if source.partitions is not None:
        for joined in filter(None, spec.combinations):
            _ = joined.known  # found once here, not by every worker
        read = partial(_products, spec, messages)
        total = total_of_partitions(source.partitions, tuple(spec.columns), read)
    else:
        sums: RunningSum | None = None
        for block in _read(spec, source, rows):
            with telling(block.place):
                sums = _added(spec, messages, block.columns, sums)
        if sums is None:
            raise DataError("the source has no rows")
        total = sums.total()
    messages.tell()
    return total


def _added(spec: Spec, messages: Messages, frame: Any, sums: RunningSum | None) -> RunningSum:
    """Return the sum of some rows and those before them."""
    rows = computed(spec, frame, messages)
    if rows.y is None or rows.y.ndim > 1:
        raise DataError("cross-products need a response that is one column of numbers")
    sums = sums or RunningSum(rows.Zt.shape[0], rows.X.shape[1])
    sums.add(rows.X, rows.Zt, rows.y, weights=rows.weights, offset=rows.offset)
    return sums


def _products(spec: Spec, messages: Messages, frame: Any) -> Crossproducts:
    return _added(spec, messages, frame, None).total()
