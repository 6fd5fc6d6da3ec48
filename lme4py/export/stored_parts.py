"""A design taken apart into named arrays and JSON, which another language can use by itself.

X, the three arrays of Zt and of Lambdat, theta with its bounds, Lind, the codes of every
grouping factor, the variables of the model frame; everything else is plain data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lme4py.codec import Codec
from lme4py.control import Control
from lme4py.data.values import Factor, Matrix, length
from lme4py.design import MixedDesign
from lme4py.errors import DataError, Lme4pyError, Span
from lme4py.family import Family
from lme4py.formula.formula import Formula
from lme4py.frame.modelframe import ModelFrame
from lme4py.matrices.randomterm import RandomTerm
from lme4py.spec.saved import FORMULA, VALUES
from lme4py.spec.spec import Spec

__all__ = [
    "FORMAT",
    "VERSION",
    "RowLabels",
    "StoredColumns",
    "StoredDesign",
    "StoredTerm",
    "codec",
    "stored_parts",
    "write_metadata",
]

FORMAT = "lme4py design"
VERSION = 3


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
    """The labels of the rows of the data: ``values`` are start, stop and step of a range."""

    kind: Literal["range", "numbers", "times", "text"]
    name: str | None
    values: NDArray[Any] | None = None
    texts: tuple[str, ...] = ()
    dtype: str = ""

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
        numpys = isinstance(index.dtype, np.dtype)
        if isinstance(index, pd.RangeIndex):
            return cls("range", name, np.array([index.start, index.stop, index.step]))
        if numpys and index.dtype.kind in "iuf":
            return cls("numbers", name, index.to_numpy())
        if numpys and index.dtype.kind == "M":
            numbers = index.to_numpy().astype(np.int64)
            return cls("times", name, numbers, dtype=str(index.dtype))
        if index.nlevels == 1 and all(isinstance(label, str) for label in index):
            return cls("text", name, texts=tuple(index))
        raise DataError(
            f"row labels of type {index.dtype} cannot be stored",
            hint="numbers, text and times can; data.reset_index() makes columns of the labels",
        )

    def index(self) -> Any:
        """Return the labels as pandas has them; ValueError or TypeError if they are none."""
        import pandas as pd

        if self.kind == "text":
            return pd.Index(self.texts, name=self.name)
        numbers = np.asarray(self.values)
        if self.kind == "range":
            start, stop, step = numbers.tolist()
            return pd.RangeIndex(start, stop, step, name=self.name)
        return pd.Index(numbers.astype(self.dtype) if self.dtype else numbers, name=self.name)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class StoredDesign:
    """Everything of a design but the arrays that stand in the file under names of their own."""

    formula: Formula
    reml: bool | None
    family: Family | None
    fixed: StoredColumns
    random: tuple[StoredTerm, ...]
    messages: tuple[str, ...]
    advice: tuple[str, ...]
    control: Control
    lost_levels: Mapping[str, int]
    spec: Spec | None
    frame: ModelFrame
    index: RowLabels | None


_NAMES = {"fixed": "contrast", "random": "codes", "frame": "frame", "index": "index"}
"""How the arrays of a part are called in the file: ``frame_0``, ``frame_1``, ..."""


def _frame_fits(frame: ModelFrame) -> bool:
    used = (*frame.offset_terms, *([] if frame.response is None else [frame.response]))
    return frame.rows >= 0 and (
        all(length(value) == frame.rows for value in frame.variables.values())
        and all(name in frame.variables for name in used)
    )


def codec(
    put: Callable[[NDArray[Any]], Any] | None = None,
    get: Callable[[str], NDArray[Any]] | None = None,
) -> Codec:
    """Return the codec of stored designs, whose arrays stand elsewhere."""
    return Codec(
        "a stored design",
        {
            **VALUES,
            **dict.fromkeys((Control, Family, RowLabels, StoredColumns), lambda _: True),
            **dict.fromkeys((StoredTerm, StoredDesign), lambda _: True),
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
        put,
        get,
    )


def stored_parts(design: MixedDesign) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return a design's arrays by name, and everything else as JSON can hold it.

    Raises
    ------
    DataError
        If the rows are labelled by something other than numbers, text or times.
    """
    random, frame = design.random, design.model_frame
    known = {
        "assign": design.fixed.assign,
        "y": design.y,
        "weights": design.weights,
        "offset": design.offset,
        **{name: getattr(random, name) for name in ("theta", "lower", "upper")},
        **{name: getattr(random, name) for name in ("Lind", "Gp", "nl", "order")},
        "positions": frame.positions,
    }
    arrays: dict[str, NDArray[Any]] = {
        **({"X": design.X} if isinstance(design.X, np.ndarray) else _sparse("X", design.X)),
        **_sparse("Zt", random.Zt),
        **_sparse("Lambdat", random.Lambdat),
        **{name: array for name, array in known.items() if array is not None},
    }
    metadata: dict[str, Any] = {"format": FORMAT, "version": VERSION, "is": StoredDesign.__name__}
    stored = _stored(design)
    for item in fields(stored):
        name = _NAMES.get(item.name, item.name)
        metadata[item.name] = codec(_put(name, arrays)).to_plain(getattr(stored, item.name))
    return arrays, metadata


def _put(name: str, arrays: dict[str, NDArray[Any]]) -> Callable[[NDArray[Any]], Any]:
    """Return what puts arrays beside others under a name with a number."""
    count = iter(range(10**9))

    def put(values: NDArray[Any]) -> Any:
        key = f"{name}_{next(count)}"
        arrays[key] = values
        return {"array": key}

    return put


def _stored(design: MixedDesign) -> StoredDesign:
    fixed, spec = design.fixed, design.learned
    try:
        if spec is not None:
            spec.to_json()
    except Lme4pyError:
        spec = None
    return StoredDesign(
        formula=design.formula,
        reml=design.reml,
        family=design.family,
        fixed=StoredColumns(
            tuple(fixed.names),
            tuple(fixed.terms),
            fixed.contrasts,
            fixed.dropped,
            fixed.scales,
            fixed.centers,
        ),
        random=tuple(_term(term) for term in design.random.terms),
        messages=tuple(design.messages),
        advice=tuple(design.advice),
        control=design.control,
        lost_levels=design.lost_levels,
        spec=spec,
        frame=replace(design.model_frame, positions=None),
        index=RowLabels.of(design.index),
    )


def _term(term: RandomTerm) -> StoredTerm:
    return StoredTerm(
        label=term.bar.label,
        group=term.bar.group_name,
        covariance=term.covariance.name,
        hom=term.covariance.hom,
        factor=term.group,
        columns=tuple(term.plan.names),
        assign=tuple(term.plan.assign),
    )


def _sparse(name: str, matrix: Any) -> dict[str, NDArray[Any]]:
    return {
        f"{name}_data": matrix.data,
        f"{name}_indices": matrix.indices,
        f"{name}_indptr": matrix.indptr,
        f"{name}_shape": np.array(matrix.shape, dtype=np.int64),
    }


def write_metadata(design: MixedDesign, folder: Path) -> Path:
    """Write everything about a design but its arrays as ``design.json`` into a folder."""
    path = folder / "design.json"
    text = json.dumps(stored_parts(design)[1], ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return path
