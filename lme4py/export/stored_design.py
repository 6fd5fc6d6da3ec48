"""A design taken apart into named arrays and JSON, which another language can use by itself.

X, the three arrays of Zt and of Lambdat, theta with its bounds, Lind, the codes of every
grouping factor, the variables of the model frame; everything else is plain data. What is put
together again is taken apart once more, and must give the same parts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.archive import Arrays
from lme4py.codec import Codec
from lme4py.control import Control
from lme4py.data.coding import DEFAULT_CONTRASTS
from lme4py.data.collation import Collation
from lme4py.data.values import Factor, FloatArray, Matrix, length
from lme4py.design import MixedDesign
from lme4py.errors import DataError, Lme4pyError, Span
from lme4py.export.coordinates import dense
from lme4py.family import Family
from lme4py.formula.formula import Formula
from lme4py.formula.terms import terms
from lme4py.frame.modelframe import ModelFrame
from lme4py.functions.table import Context
from lme4py.matrices.fixed import FixedEffects
from lme4py.matrices.grouping import Grouping, left_side
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.plan import Plan
from lme4py.matrices.randomterm import RandomTerm
from lme4py.matrices.response import response
from lme4py.matrices.reterms import RandomEffects, random_effects
from lme4py.spec.saved import FORMULA, VALUES
from lme4py.spec.spec import Spec

_MODEL = ("formula", "reml", "family", "control", "messages", "advice", "lost_levels")
_FIXED = ("names", "terms", "contrasts", "dropped", "scales", "centers")
_RANDOM = ("theta", "lower", "upper", "Lind", "Gp", "nl", "order")
_SPARSE = ("data", "indices", "indptr", "shape")
"""What is kept of a `MixedDesign`, of its fixed and random part, and of a sparse matrix."""

_NUMBERED = {"contrasts": "contrast", "factors": "codes"}
"""How the arrays of a part of the plain data are called: ``codes_0``, ``codes_1``, ..."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class StoredDesign:
    """The plain data of a design.

    Random terms are in stored order; their labels, groups and structures are there for other
    readers. The rows are labelled by text, by numbers whose type is `labelled`, or, if that is
    ``"range"``, by what start, stop and step say.
    """

    formula: Formula
    reml: bool | None
    family: Family | None
    control: Control
    messages: tuple[str, ...]
    advice: tuple[str, ...]
    lost_levels: Mapping[str, int]
    names: tuple[str, ...]
    terms: tuple[str, ...]
    contrasts: Mapping[str, str | Matrix]
    dropped: Mapping[str, int]
    scales: Mapping[str, float]
    centers: Mapping[str, float]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    structures: tuple[str, ...]
    hom: tuple[bool, ...]
    factors: tuple[Factor, ...]
    columns: tuple[tuple[str, ...], ...]
    column_terms: tuple[tuple[int, ...], ...]
    frame: ModelFrame
    index: NDArray[Any] | tuple[str, ...] | None
    index_name: str | None
    labelled: str
    spec: Spec | None


def _frame_fits(frame: ModelFrame) -> bool:
    used = (*frame.offset_terms, *([] if frame.response is None else [frame.response]))
    return frame.rows >= 0 and (
        all(length(value) == frame.rows for value in frame.variables.values())
        and all(name in frame.variables for name in used)
    )


def _codec(arrays: dict[str, NDArray[Any]], part: str = "") -> Codec:
    """Return the codec of a part of the plain data, whose arrays stand among these."""

    def put(values: NDArray[Any]) -> dict[str, str]:
        start = f"{_NUMBERED.get(part, part)}_"
        name = f"{start}{sum(known.startswith(start) for known in arrays)}"
        arrays[name] = values
        return {"array": name}

    return Codec(
        "a stored design",
        {
            **VALUES,
            **dict.fromkeys((Control, Family), lambda _: True),
            StoredDesign: lambda stored: (
                len(stored.formula.bars) > 0
                and all(factor.codes.size == stored.frame.rows for factor in stored.factors)
            ),
            ModelFrame: _frame_fits,
            Span: lambda span: 0 <= span.start <= span.end <= len(span.text),
        },
        {
            Formula: FORMULA,
            Spec: (
                lambda spec: json.loads(spec.to_json()),
                lambda plain: Spec.from_json(json.dumps(plain)),
            ),
        },
        root=StoredDesign,
        version=7,
        put=put,
        get=arrays.__getitem__,
    )


damaged = _codec({}).damaged
"""Returns the error for what is no stored design."""


def stored_parts(design: MixedDesign) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return a design's arrays by name, and everything else as JSON can hold it."""
    arrays, stored = _arrays(design), _stored(design)
    plain = {
        item.name: _codec(arrays, item.name).to_plain(getattr(stored, item.name))
        for item in fields(stored)
    }
    return arrays, _codec(arrays).labelled({"is": StoredDesign.__name__, **plain})


def _arrays(design: MixedDesign) -> dict[str, NDArray[Any]]:
    """Return the arrays of the matrices and of what goes with their rows and columns."""
    random = design.random
    found: dict[str, Any] = {
        "assign": design.fixed.assign,
        **{name: getattr(design, name) for name in ("y", "weights", "offset")},
        "positions": design.model_frame.positions,
        **{name: getattr(random, name) for name in _RANDOM},
    }
    for name, matrix in (("X", design.X), ("Zt", random.Zt), ("Lambdat", random.Lambdat)):
        if isinstance(matrix, np.ndarray):
            found[name] = matrix
        else:
            found |= {f"{name}_{part}": np.asarray(getattr(matrix, part)) for part in _SPARSE}
    return {name: values for name, values in found.items() if values is not None}


def _matrix(arrays: Arrays, name: str) -> Any:
    """Return a matrix of the file; ValueError if its indices are not inside of it."""
    from scipy.sparse import csc_array

    if name in arrays:
        return np.asfortranarray(arrays[name])
    data, indices, indptr, shape = (arrays[f"{name}_{part}"] for part in _SPARSE)
    found = csc_array((data, indices, indptr), shape=tuple(shape.tolist()))
    found.check_format(full_check=True)
    return found


def _stored(design: MixedDesign) -> StoredDesign:
    spec = design.learned
    index, labelled = _labels(design.index)
    try:
        if spec is not None:
            spec.to_json()
    except Lme4pyError:
        spec = None
    return StoredDesign(
        **{name: _frozen(getattr(design, name)) for name in _MODEL},
        **{name: _frozen(getattr(design.fixed, name)) for name in _FIXED},
        **_described(design.random),
        factors=tuple(term.group for term in design.random.terms),
        frame=replace(design.model_frame, positions=None),
        index=index,
        index_name=None if getattr(design.index, "name", None) is None else str(design.index.name),
        labelled=labelled,
        spec=spec,
    )


def _described(random: RandomEffects) -> dict[str, Any]:
    """Return what is told of the random terms."""
    return {
        "labels": tuple(term.bar.label for term in random.terms),
        "groups": tuple(term.bar.group_name for term in random.terms),
        "structures": tuple(term.covariance.name for term in random.terms),
        "hom": tuple(term.covariance.hom for term in random.terms),
        "columns": tuple(term.plan.names for term in random.terms),
        "column_terms": tuple(term.plan.assign for term in random.terms),
    }


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _thawed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _labels(index: Any) -> tuple[Any, str]:
    """Return the labels of the rows, and what numbers among them are."""
    import pandas as pd

    if index is None:
        return None, ""
    if isinstance(index, pd.RangeIndex):
        return np.array([index.start, index.stop, index.step]), "range"
    if isinstance(index.dtype, np.dtype) and index.dtype.kind in "iufM":
        numbers = index.to_numpy()
        return numbers.astype(np.int64) if index.dtype.kind == "M" else numbers, str(index.dtype)
    if index.nlevels == 1 and all(isinstance(label, str) for label in index):
        return tuple(index), ""
    raise DataError(
        f"row labels of type {index.dtype} cannot be stored",
        hint="numbers, text and times can; data.reset_index() makes columns of the labels",
    )


def _index(stored: StoredDesign, frame: ModelFrame) -> Any:
    """Return the labels of the rows as pandas has them."""
    import pandas as pd

    labels, name, kind = stored.index, stored.index_name, stored.labelled
    places = np.arange(frame.rows) if frame.positions is None else frame.positions
    if places.shape != (frame.rows,):
        raise damaged("it has rows without positions")
    if labels is None:
        return None
    found: Any
    if isinstance(labels, tuple):
        found = pd.Index(labels, name=name)
    elif kind == "range":
        start, stop, step = labels.tolist()
        found = pd.RangeIndex(start, stop, step, name=name)
    else:
        found = pd.Index(labels.astype(kind), name=name)
    outside = places.size and not -1 <= places.min() <= places.max() < len(found)
    if outside or (frame.positions is None and len(found) != frame.rows):
        raise damaged("it has rows without labels")
    return found


def design_of_parts(arrays: dict[str, NDArray[Any]], metadata: Any) -> MixedDesign:
    """Put a design together again; `DataError` if the parts are not those of one."""
    try:
        stored: StoredDesign = _codec(arrays).opened(metadata)
        return _compared(_put_together(stored, arrays), stored, arrays)
    except DataError:
        raise
    except KeyError as error:
        raise damaged(f"there is no array {error}") from None
    except (IndexError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise damaged(f"its parts do not fit together ({error})") from None


def _compared(design: MixedDesign, stored: StoredDesign, arrays: Arrays) -> MixedDesign:
    """Return a design that comes apart into these parts."""
    if any(getattr(stored, name) != told for name, told in _described(design.random).items()):
        raise damaged("its random terms are not those of its formula and its variables")
    for name, values in _arrays(design).items():
        found = arrays[name]
        if found.dtype != values.dtype or not np.array_equal(found, values, equal_nan=True):
            raise damaged(f"its {name} is not that of its formula and its variables")
    return design


def _put_together(stored: StoredDesign, arrays: Arrays) -> MixedDesign:
    spec = stored.spec
    frame = replace(stored.frame, positions=arrays.get("positions"))
    context = Context(
        frame.rows,
        Collation("icu" if spec is None else spec.collation),
        lambda _: None,
        DEFAULT_CONTRASTS if spec is None else spec.default_contrasts,
        stored.formula.lme4,
    )
    X = _matrix(arrays, "X")
    return MixedDesign(
        **{name: _thawed(getattr(stored, name)) for name in _MODEL},
        X=X,
        fixed=_fixed_part(stored, dense(X), arrays["assign"], context),
        y=response(frame, generalized=stored.family is not None),
        weights=frame.weights(),
        offset=frame.offset(),
        random=_random_part(stored, _matrix(arrays, "Zt"), arrays["order"], context),
        model_frame=frame,
        index=_index(stored, frame),
        learned=spec,
    )


def _fixed_part(
    stored: StoredDesign, X: FloatArray, assign: NDArray[Any], context: Context
) -> FixedEffects:
    frame = stored.frame
    if (
        X.shape != (frame.rows, len(stored.names))
        or assign.shape != X.shape[1:]
        or not 0 <= assign.min(initial=0) <= assign.max(initial=0) <= len(stored.terms)
    ):
        raise damaged("its X is not as large as its names and rows say")
    fixed = FixedEffects(
        **{name: _thawed(getattr(stored, name)) for name in _FIXED},
        assign=assign,
        plan=Plan.given(X, stored.names, assign.tolist()),
        kept=tuple(range(len(stored.names))),
    )
    try:
        # How X is made of the frame's variables.
        node = stored.formula.nobars().node
        found = plan(terms(node, frame.names), frame, context, fixed.contrasts)
    except Lme4pyError:
        return fixed
    # Columns that depend on others were dropped; the others are in order.
    labels = enumerate(zip(found.names, found.assign, strict=True))
    kept = tuple(
        next((place for place, label in labels if label == wanted), -1)
        for wanted in zip(fixed.names, assign.tolist(), strict=True)
    )
    same = -1 not in kept and (
        bool(fixed.scales or fixed.centers)
        or all(
            np.array_equal(found.column(place), column, equal_nan=True)
            for place, column in zip(kept, X.T, strict=True)
        )
    )
    return replace(fixed, plan=found, kept=kept) if same else fixed


def _random_part(
    stored: StoredDesign, Zt: Any, order: NDArray[Any], context: Context
) -> RandomEffects:
    """Return the random part made of the frame's variables, or where that is another, of Zt."""
    bars, rows = stored.formula.bars, stored.frame.rows
    if sorted(order.tolist()) != list(range(len(bars))):
        raise damaged("its order is not that of its terms")
    in_formula = np.argsort(order).tolist()
    pairs = [(bar, stored.factors[place]) for bar, place in zip(bars, in_formula, strict=True)]
    grouping = Grouping.of(stored.frame, bars, context)
    with suppress(Lme4pyError):
        made = [RandomTerm(bar, factor, left_side(bar, grouping)) for bar, factor in pairs]
        random = random_effects(made, rows)
        if all(
            np.array_equal(getattr(random.Zt, part), getattr(Zt, part), equal_nan=True)
            for part in _SPARSE
        ):
            return random
    # The columns were given as arrays.
    sizes = [len(f.levels) * len(c) for f, c in zip(stored.factors, stored.columns, strict=True)]
    blocks = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    given = [
        RandomTerm(bar, factor, _given(Zt[blocks[at]], stored.columns[at], stored.column_terms[at]))
        for (bar, factor), at in zip(pairs, in_formula, strict=True)
    ]
    return random_effects(given, rows)


def _given(block: Any, columns: tuple[str, ...], assign: tuple[int, ...]) -> Plan:
    """Return the left side of a bar from its rows of Zt."""
    values = np.zeros((block.shape[1], len(columns)), order="F")
    entries = block.tocoo()
    values[entries.col, entries.row % max(len(columns), 1)] = entries.data
    return Plan.given(values, columns, assign)
