"""A design put together again from its stored parts, of which nothing is believed.

Zt, Lambdat and theta are made anew from the terms and compared with what the file says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.collation import Collation
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError, Lme4pyError
from lme4py.export.dense_blocks import dense
from lme4py.export.npz_archive import damaged
from lme4py.export.stored_parts import FORMAT, VERSION, StoredDesign, StoredTerm, codec
from lme4py.formula.terms import terms
from lme4py.functions.table import Context
from lme4py.matrices.fixed import FixedEffects
from lme4py.matrices.grouping import Grouping, random_term
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.plan import Plan
from lme4py.matrices.randomterm import RandomTerm
from lme4py.matrices.reterms import RandomEffects, random_effects

__all__ = ["design_of_parts"]

Arrays = Mapping[str, NDArray[Any]]


def design_of_parts(arrays: Arrays, metadata: Mapping[str, Any]) -> MixedDesign:
    """Put a design together again.

    Raises
    ------
    DataError
        If the parts are not those of one.
    """
    if metadata.get("format") != FORMAT:
        raise damaged("it does not say that it is one")
    if metadata.get("version") != VERSION:
        raise DataError(
            f"the design was stored in version {metadata.get('version')!r} of the layout",
            hint=f"this lme4py reads version {VERSION}",
        )
    try:
        return _design(arrays, _stored(arrays, metadata))
    except DataError:
        raise
    except Lme4pyError as error:
        raise damaged(error.message) from None
    except (IndexError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise damaged(f"its parts do not fit together ({error})") from None


def _stored(arrays: Arrays, metadata: Mapping[str, Any]) -> StoredDesign:
    plain = {name: part for name, part in metadata.items() if name not in ("format", "version")}
    found = codec(get=lambda name: _array(arrays, name)).from_plain(plain)
    if not isinstance(found, StoredDesign):
        raise damaged("its metadata are those of something else")
    rows = found.frame.rows
    if arrays.get("positions") is None:
        return found
    positions = _array(arrays, "positions", "i", rows).astype(np.int64, copy=False)
    return replace(found, frame=replace(found.frame, positions=positions))


def _array(arrays: Arrays, name: str, kinds: str = "biuf", *shape: int | None) -> NDArray[Any]:
    """Return an array of these dtype kinds and this shape; None stands for any length."""
    if name not in arrays:
        raise damaged(f"there is no array {name!r}")
    array = arrays[name]
    fits = not shape or (
        array.ndim == len(shape)
        and all(wanted in (None, found) for wanted, found in zip(shape, array.shape, strict=True))
    )
    if array.dtype.kind not in kinds or not fits:
        raise damaged(f"array {name!r} is {array.dtype} of shape {array.shape}")
    return array


def _floats(arrays: Arrays, name: str, *shape: int | None) -> FloatArray | None:
    """Return an array of doubles, None where there is none."""
    if name not in arrays:
        return None
    return _array(arrays, name, "f", *shape).astype(np.float64, copy=False)


def _sparse(arrays: Arrays, name: str, shape: tuple[int, int]) -> Any:
    """Return a matrix in compressed columns whose indices are all inside of it."""
    from scipy.sparse import csc_array

    values = _array(arrays, f"{name}_data", "f", None)
    indices = _array(arrays, f"{name}_indices", "i", values.size)
    pointers = _array(arrays, f"{name}_indptr", "i", shape[1] + 1)
    found = csc_array((values, indices, pointers), shape=shape)
    found.check_format(full_check=True)
    if _array(arrays, f"{name}_shape", "i", 2).tolist() != list(shape):
        raise damaged(f"the indices of {name} do not fit its shape")
    return found


def _design(arrays: Arrays, stored: StoredDesign) -> MixedDesign:
    frame, spec = stored.frame, stored.spec
    context = Context(frame.rows, Collation("icu"), lambda _: None, lme4=stored.formula.lme4)
    if spec is not None:
        collation = Collation(spec.collation)
        context = replace(context, collation=collation, default_contrasts=spec.default_contrasts)
    y_shape = (frame.rows, None)[: arrays["y"].ndim] if "y" in arrays else ()
    y = _floats(arrays, "y", *y_shape or (frame.rows,))
    fixed, X = _fixed_part(arrays, stored, context)
    return MixedDesign(
        formula=stored.formula,
        X=X,
        fixed=fixed,
        y=y if y is None or y.ndim == 1 else np.asfortranarray(y),
        weights=_floats(arrays, "weights", frame.rows),
        offset=_floats(arrays, "offset", frame.rows),
        random=_random_part(arrays, stored, context),
        reml=stored.reml,
        family=stored.family,
        messages=list(stored.messages),
        model_frame=frame,
        index=_index(stored),
        advice=list(stored.advice),
        control=stored.control,
        learned=spec,
        lost_levels=stored.lost_levels,
    )


def _index(stored: StoredDesign) -> Any:
    """Return the labels of the rows as pandas has them, or None."""
    if stored.index is None:
        return None
    index, frame = stored.index.index(), stored.frame
    places = np.arange(len(index)) if frame.positions is None else frame.positions
    if places.size != frame.rows or not -1 <= places.min(initial=0) <= places.max(initial=-1) < len(
        index
    ):
        raise damaged("it has rows without labels")
    return index


def _fixed_part(arrays: Arrays, stored: StoredDesign, context: Context) -> tuple[FixedEffects, Any]:
    """Return the description of X, and X."""
    columns = stored.fixed
    shape = (stored.frame.rows, len(columns.names))
    X: Any = _floats(arrays, "X", *shape)
    X = _sparse(arrays, "X", shape) if X is None else np.asfortranarray(X)
    assign = _array(arrays, "assign", "i", shape[1]).astype(np.int64, copy=False)
    if not 0 <= assign.min(initial=0) <= assign.max(initial=0) <= len(columns.terms):
        raise damaged("columns of X belong to terms that are not there")
    fixed = FixedEffects(
        names=list(columns.names),
        assign=assign,
        contrasts=dict(columns.contrasts),
        dropped=dict(columns.dropped),
        terms=list(columns.terms),
        scales=dict(columns.scales),
        centers=dict(columns.centers),
        plan=Plan.given(dense(X), columns.names, assign.tolist()),
    )
    known = _plan_of_X(stored, fixed, dense(X), context)
    return fixed if known is None else replace(fixed, plan=known), X


def _plan_of_X(
    stored: StoredDesign, fixed: FixedEffects, X: FloatArray, context: Context
) -> Plan | None:
    """Return how X is made of the frame's variables; None where that cannot be told."""
    frame = stored.frame
    try:
        found = plan(
            terms(stored.formula.nobars().node, frame.names), frame, context, fixed.contrasts
        )
    except Lme4pyError:
        return None
    changed = bool(fixed.scales or fixed.centers)
    places = iter(range(len(found.names)))
    for k, name in enumerate(fixed.names):
        # Columns that depend on others were dropped; the others are in order.
        same = (
            changed or np.array_equal(found.column(number), X[:, k], equal_nan=True)
            for number in places
            if found.names[number] == name
        )
        if not any(same):
            return None
    return found


def _random_part(arrays: Arrays, stored: StoredDesign, context: Context) -> RandomEffects:
    """Return the random part made anew, if it is what the file says."""
    rows, bars = stored.frame.rows, stored.formula.bars
    sizes = [len(term.factor.levels) * len(term.columns) for term in stored.random]
    order = _array(arrays, "order", "i", len(sizes)).tolist()
    if not order or sorted(order) != list(range(len(bars))):
        raise damaged("its random terms are not those of its formula")
    if any(term.factor.codes.size != rows for term in stored.random):
        raise damaged("its grouping factors have other rows than its frame")
    Zt = _sparse(arrays, "Zt", (sum(sizes), rows))
    places = np.argsort(order)
    grouping = Grouping.learn(stored.frame, bars, context)
    try:
        made = [
            random_term(bar, stored.random[place].factor, grouping)
            for bar, place in zip(bars, places, strict=True)
        ]
    except Lme4pyError:
        made = []
    names = [stored.random[place].columns for place in places]
    if [term.plan.names for term in made] == names:
        random = random_effects(made, rows)
        if _equal(random, arrays, Zt):
            return random
    # The columns were given as arrays.
    starts = np.cumsum([0, *sizes])
    given = [
        RandomTerm(
            bar,
            stored.random[place].factor,
            _given(stored.random[place], Zt[starts[place] : starts[place + 1]]),
        )
        for bar, place in zip(bars, places, strict=True)
    ]
    random = random_effects(given, rows)
    if not _equal(random, arrays, Zt):
        raise damaged("Zt and theta are not those of its random terms")
    return random


def _given(term: StoredTerm, Zt: Any) -> Plan:
    """Return the left side of a bar from its rows of Zt."""
    width = len(term.columns)
    if len(term.assign) != width:
        raise damaged("columns of a random term belong to terms that are not there")
    values = np.zeros((Zt.shape[1], width), order="F")
    entries = Zt.tocoo()
    values[entries.col, entries.row % max(width, 1)] = entries.data
    return Plan.given(values, term.columns, term.assign)


def _equal(random: RandomEffects, arrays: Arrays, Zt: Any) -> bool:
    """Tell whether Zt and the covariance template are what the file says."""
    return all(
        np.array_equal(getattr(random.Zt, name), getattr(Zt, name), equal_nan=True)
        for name in ("indptr", "indices", "data")
    ) and all(
        np.array_equal(_array(arrays, name), getattr(random, name))
        for name in ("order", "theta", "lower", "upper", "Lind", "Gp", "nl")
    )
