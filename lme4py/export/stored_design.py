"""A design taken apart into named arrays and JSON, which another language can use by itself.

X, the three arrays of Zt and of Lambdat, theta with its bounds, Lind, the codes of every
grouping factor, the variables of the model frame; everything else is plain data. Of what is put
together again nothing is believed: Zt and theta are made anew from the terms, and compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import count
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lme4py.archive import Arrays
from lme4py.codec import Codec
from lme4py.control import Control
from lme4py.data.collation import Collation
from lme4py.data.values import Factor, FloatArray, Matrix, length
from lme4py.design import MixedDesign
from lme4py.errors import DataError, Lme4pyError, Span
from lme4py.export.dense_blocks import dense
from lme4py.family import Family
from lme4py.formula.formula import Formula
from lme4py.formula.terms import terms
from lme4py.frame.modelframe import ModelFrame
from lme4py.functions.table import Context
from lme4py.matrices.fixed import FixedEffects
from lme4py.matrices.grouping import Grouping, random_term
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.plan import Plan
from lme4py.matrices.randomterm import RandomTerm
from lme4py.matrices.reterms import RandomEffects, random_effects
from lme4py.spec.saved import FORMULA, VALUES
from lme4py.spec.spec import Spec

_ARRAYS = {"fixed": "contrast", "random": "codes"}
"""How the arrays of a part are called in the file: ``codes_0``, ``codes_1``, ..."""

_TEMPLATE = ("theta", "lower", "upper", "Lind", "Gp", "nl", "order")
"""What of `RandomEffects` is kept as it is called there."""

_AS_THEY_ARE = (
    *("formula", "reml", "family", "y", "weights", "offset"),
    *("control", "lost_levels", "messages", "advice"),
)
"""What of `MixedDesign` is."""

_COLUMNS = ("names", "terms", "contrasts", "dropped", "scales", "centers")
"""What of `FixedEffects` is."""

Integers: TypeAlias = NDArray[np.integer]


@dataclass(frozen=True, eq=False, slots=True)
class StoredSparse:
    """A matrix in compressed columns."""

    data: FloatArray
    indices: Integers
    indptr: Integers
    shape: Integers

    @classmethod
    def of(cls, matrix: Any) -> StoredSparse:
        """Return the arrays of scipy's matrix."""
        shape = np.array(matrix.shape, dtype=np.int64)
        return cls(matrix.data, matrix.indices, matrix.indptr, shape)

    def matrix(self) -> Any:
        """Return scipy's matrix; ValueError if its indices are not inside of it."""
        from scipy.sparse import csc_array

        rows, columns = self.shape.tolist()
        found = csc_array((self.data, self.indices, self.indptr), shape=(rows, columns))
        found.check_format(full_check=True)
        return found


@dataclass(frozen=True, eq=False, slots=True)
class StoredColumns:
    """What `FixedEffects` says of X."""

    names: tuple[str, ...]
    terms: tuple[str, ...]
    contrasts: Mapping[str, str | Matrix]
    dropped: Mapping[str, int]
    scales: Mapping[str, float]
    centers: Mapping[str, float]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class StoredTerm:
    """One random term; label, name of the group and covariance are there for other readers."""

    label: str
    group: str
    covariance: str
    hom: bool
    factor: Factor
    columns: tuple[str, ...]
    assign: tuple[int, ...]


@dataclass(frozen=True, eq=False, slots=True)
class RowLabels:
    """The labels of the rows of the data.

    Parameters
    ----------
    kind : str
        ``"range"``, whose start, stop and step are kept; ``"text"``; or numpy's name of a type.
    name : str or None
    labels : ndarray or tuple of str
    """

    kind: str
    name: str | None
    labels: NDArray[Any] | tuple[str, ...]

    @classmethod
    def of(cls, index: Any) -> RowLabels | None:
        """Return the labels that pandas has.

        Raises
        ------
        DataError
            If they are something other than numbers, text or times.
        """
        import pandas as pd

        if index is None:
            return None
        name = None if index.name is None else str(index.name)
        if isinstance(index, pd.RangeIndex):
            return cls("range", name, np.array([index.start, index.stop, index.step]))
        if isinstance(index.dtype, np.dtype) and index.dtype.kind in "iufM":
            numbers = index.to_numpy()
            times = index.dtype.kind == "M"
            return cls(str(index.dtype), name, numbers.astype(np.int64) if times else numbers)
        if index.nlevels == 1 and all(isinstance(label, str) for label in index):
            return cls("text", name, tuple(index))
        raise DataError(
            f"row labels of type {index.dtype} cannot be stored",
            hint="numbers, text and times can; data.reset_index() makes columns of the labels",
        )

    def index(self, rows: int, positions: NDArray[np.int64] | None) -> Any:
        """Return the labels as pandas has them; ValueError or TypeError if they are none."""
        import pandas as pd

        index: Any
        if isinstance(self.labels, tuple):
            index = pd.Index(self.labels, name=self.name)
        elif self.kind == "range":
            start, stop, step = self.labels.tolist()
            index = pd.RangeIndex(start, stop, step, name=self.name)
        else:
            index = pd.Index(self.labels.astype(self.kind), name=self.name)
        places = np.arange(rows) if positions is None else positions
        absent = places.size and not -1 <= places.min() <= places.max() < len(index)
        if absent or (positions is None and len(index) != rows):
            raise damaged("it has rows without labels")
        return index


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class StoredDesign:
    """Everything of a design; what is an array stands in the file under its name here."""

    formula: Formula
    reml: bool | None
    family: Family | None
    X: FloatArray | StoredSparse
    assign: Integers
    fixed: StoredColumns
    y: FloatArray | None
    weights: FloatArray | None
    offset: FloatArray | None
    Zt: StoredSparse
    Lambdat: StoredSparse
    theta: FloatArray
    lower: FloatArray
    upper: FloatArray
    Lind: Integers
    Gp: Integers
    nl: Integers
    order: Integers
    random: tuple[StoredTerm, ...]
    messages: tuple[str, ...]
    advice: tuple[str, ...]
    control: Control
    lost_levels: Mapping[str, int]
    spec: Spec | None
    frame: ModelFrame
    positions: NDArray[np.int64] | None
    index: RowLabels | None


def _fits(stored: StoredDesign) -> bool:
    """Tell whether the arrays that go by rows and columns are as long as these."""
    n, p = stored.frame.rows, len(stored.fixed.names)
    shape = stored.X.shape if isinstance(stored.X, np.ndarray) else tuple(stored.X.shape.tolist())
    y = () if stored.y is None else (stored.y,)
    by_rows = (stored.weights, stored.offset, stored.positions)
    return (
        shape == (n, p)
        and stored.assign.shape == (p,)
        and stored.assign.min(initial=0) >= 0
        and stored.assign.max(initial=0) <= len(stored.fixed.terms)
        and all(array.ndim in (1, 2) and array.shape[0] == n for array in y)
        and all(array is None or array.shape == (n,) for array in by_rows)
        and sorted(stored.order.tolist()) == list(range(len(stored.formula.bars)))
        and len(stored.random) == len(stored.formula.bars) > 0
        and all(term.factor.codes.size == n for term in stored.random)
        and all(len(term.assign) == len(term.columns) for term in stored.random)
    )


def _frame_fits(frame: ModelFrame) -> bool:
    used = (*frame.offset_terms, *([] if frame.response is None else [frame.response]))
    return frame.rows >= 0 and (
        all(length(value) == frame.rows for value in frame.variables.values())
        and all(name in frame.variables for name in used)
    )


def _codec(
    put: Callable[[NDArray[Any]], Any] | None = None,
    get: Callable[[str], NDArray[Any]] | None = None,
) -> Codec:
    """Return the codec of stored designs, whose arrays stand elsewhere."""
    plain = (Control, Family, RowLabels, StoredColumns, StoredTerm, StoredSparse)
    return Codec(
        "a stored design",
        {
            **VALUES,
            **dict.fromkeys(plain, lambda _: True),
            StoredDesign: _fits,
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
        version=6,
        put=put,
        get=get,
    )


damaged = _codec().damaged
"""Returns the error for what is no stored design."""


def stored_parts(design: MixedDesign) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return a design's arrays by name, and everything else as JSON can hold it.

    Raises
    ------
    DataError
        If the rows are labelled by something other than numbers, text or times.
    """
    arrays: dict[str, NDArray[Any]] = {}
    content: dict[str, Any] = {"is": StoredDesign.__name__}
    stored = _stored(design)
    for item in fields(stored):
        part = getattr(stored, item.name)
        numbered = f"{_ARRAYS.get(item.name, item.name)}_{{}}"
        names: Iterator[str] = map(numbered.format, count())
        if isinstance(part, np.ndarray):
            names = iter([item.name])
        elif isinstance(part, StoredSparse):
            names = iter([f"{item.name}_{array.name}" for array in fields(part)])

        def put(values: NDArray[Any], names: Iterator[str] = names) -> Any:
            arrays[name := next(names)] = values
            return {"array": name}

        content[item.name] = _codec(put).to_plain(part)
    return arrays, _codec().labelled(content)


def _stored(design: MixedDesign) -> StoredDesign:
    fixed, random, spec = design.fixed, design.random, design.learned
    try:
        if spec is not None:
            spec.to_json()
    except Lme4pyError:
        spec = None
    return StoredDesign(
        X=design.X if isinstance(design.X, np.ndarray) else StoredSparse.of(design.X),
        assign=fixed.assign,
        fixed=StoredColumns(**{name: _kept(getattr(fixed, name)) for name in _COLUMNS}),
        Zt=StoredSparse.of(random.Zt),
        Lambdat=StoredSparse.of(random.Lambdat),
        random=tuple(
            StoredTerm(
                label=term.bar.label,
                group=term.bar.group_name,
                covariance=term.covariance.name,
                hom=term.covariance.hom,
                factor=term.group,
                columns=tuple(term.plan.names),
                assign=tuple(term.plan.assign),
            )
            for term in random.terms
        ),
        spec=spec,
        frame=replace(design.model_frame, positions=None),
        positions=design.model_frame.positions,
        index=RowLabels.of(design.index),
        **{name: getattr(random, name) for name in _TEMPLATE},
        **{name: _kept(getattr(design, name)) for name in _AS_THEY_ARE},
    )


def _kept(value: Any) -> Any:
    """Return a value as JSON keeps it apart from others: lists are tuples."""
    return tuple(value) if isinstance(value, list) else value


def design_of_parts(arrays: Arrays, metadata: Any) -> MixedDesign:
    """Put a design together again.

    Raises
    ------
    DataError
        If the parts are not those of one.
    """
    try:
        stored: StoredDesign = _codec(get=arrays.__getitem__).opened(metadata)
        frame, spec, labels = stored.frame, stored.spec, stored.index
        frame = replace(frame, positions=stored.positions)
        context = Context(frame.rows, Collation("icu"), lambda _: None, lme4=stored.formula.lme4)
        if spec is not None:
            order, codings = Collation(spec.collation), spec.default_contrasts
            context = replace(context, collation=order, default_contrasts=codings)
        X = stored.X.matrix() if isinstance(stored.X, StoredSparse) else stored.X
        X = np.asfortranarray(X) if isinstance(X, np.ndarray) else X
        return MixedDesign(
            X=X,
            fixed=_fixed_part(stored, dense(X), context),
            random=_random_part(stored, context),
            model_frame=frame,
            index=None if labels is None else labels.index(frame.rows, frame.positions),
            learned=spec,
            **{name: _lists(getattr(stored, name)) for name in _AS_THEY_ARE},
        )
    except DataError:
        raise
    except KeyError as error:
        raise damaged(f"there is no array {error}") from None
    except (IndexError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise damaged(f"its parts do not fit together ({error})") from None


def _lists(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _fixed_part(stored: StoredDesign, X: FloatArray, context: Context) -> FixedEffects:
    columns, assign = stored.fixed, stored.assign.astype(np.int64, copy=False)
    fixed = FixedEffects(
        **{name: _lists(getattr(columns, name)) for name in _COLUMNS},
        assign=assign,
        plan=Plan.given(X, columns.names, assign.tolist()),
    )
    try:
        # How X is made of the frame's variables.
        node = stored.formula.nobars().node
        frame = stored.frame
        found = plan(terms(node, frame.names), frame, context, fixed.contrasts)
    except Lme4pyError:
        return fixed
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
            return fixed
    return replace(fixed, plan=found)


def _random_part(stored: StoredDesign, context: Context) -> RandomEffects:
    """Return the random part made anew, if it is what the file says."""
    bars, Zt = stored.formula.bars, stored.Zt.matrix()
    grouping = Grouping.of(stored.frame, bars, context)
    sizes = [len(term.factor.levels) * len(term.columns) for term in stored.random]
    blocks = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    in_formula = [(stored.random[place], blocks[place]) for place in np.argsort(stored.order)]
    pairs = list(zip(bars, in_formula, strict=True))
    try:
        made = [random_term(bar, term.factor, grouping) for bar, (term, _) in pairs]
    except Lme4pyError:
        made = []
    if [term.plan.names for term in made] == [term.columns for term, _ in in_formula]:
        random = random_effects(made, stored.frame.rows)
        if _equal(random, stored, Zt):
            return random
    # The columns were given as arrays.
    given = [RandomTerm(bar, term.factor, _given(term, Zt[rows])) for bar, (term, rows) in pairs]
    random = random_effects(given, stored.frame.rows)
    if not _equal(random, stored, Zt):
        raise damaged("Zt and theta are not those of its random terms")
    return random


def _given(term: StoredTerm, Zt: Any) -> Plan:
    """Return the left side of a bar from its rows of Zt."""
    width = len(term.columns)
    values = np.zeros((Zt.shape[1], width), order="F")
    entries = Zt.tocoo()
    values[entries.col, entries.row % max(width, 1)] = entries.data
    return Plan.given(values, term.columns, term.assign)


def _equal(random: RandomEffects, stored: StoredDesign, Zt: Any) -> bool:
    """Tell whether Zt and the covariance template are what the file says."""
    return all(
        np.array_equal(getattr(random.Zt, name), getattr(Zt, name), equal_nan=True)
        for name in ("shape", "indptr", "indices", "data")
    ) and all(np.array_equal(getattr(stored, name), getattr(random, name)) for name in _TEMPLATE)
