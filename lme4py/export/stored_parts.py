"""A design taken apart into named arrays and JSON, which another language can use by itself.

X, the three arrays of Zt and of Lambdat, theta with its bounds, Lind, the codes of every
grouping factor, the variables of the model frame; everything else is plain data.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.codec import Codec
from lme4py.design import MixedDesign
from lme4py.errors import DataError, Lme4pyError
from lme4py.frame.modelframe import ModelFrame
from lme4py.matrices.fixed import FixedEffects
from lme4py.matrices.randomterm import RandomTerm
from lme4py.spec.saved import VALUES

__all__ = ["FORMAT", "VERSION", "StoredParts", "stored_parts", "write_metadata"]

FORMAT = "lme4py design"
VERSION = 2


@dataclass(frozen=True, eq=False, slots=True)
class StoredParts:
    """A design taken apart.

    Parameters
    ----------
    arrays : dict of str to ndarray
        float64, integers, bool; one or two dimensions.
    metadata : dict
        Everything else, as JSON can hold it.
    """

    arrays: dict[str, NDArray[Any]]
    metadata: dict[str, Any]


def stored_parts(design: MixedDesign) -> StoredParts:
    """Take a design apart.

    Raises
    ------
    DataError
        If the rows are labelled by something other than numbers, text or times.
    """
    random = design.random
    arrays: dict[str, NDArray[Any]] = {
        **({"X": design.X} if isinstance(design.X, np.ndarray) else _sparse("X", design.X)),
        "assign": design.fixed.assign,
        **_given(y=design.y, weights=design.weights, offset=design.offset),
        **_sparse("Zt", random.Zt),
        **_sparse("Lambdat", random.Lambdat),
        "theta": random.theta,
        "lower": random.lower,
        "upper": random.upper,
        "Lind": random.Lind,
        "Gp": random.Gp,
        "nl": random.nl,
        "order": random.order,
        **{f"codes_{k}": term.group.codes for k, term in enumerate(random.terms)},
    }
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "formula": {
            "text": str(design.formula),
            "written": design.formula.text,
            "lme4": design.formula.lme4.version,
        },
        "reml": design.reml,
        "family": None
        if design.family is None
        else {"name": design.family.name, "link": design.family.link},
        "fixed": _fixed(design.fixed, arrays),
        "random": [_term(term) for term in random.terms],
        "row_names": random.row_names,
        "messages": list(design.messages),
        "advice": list(design.advice),
        "control": asdict(design.control),
        "lost_levels": dict(design.lost_levels),
        "spec": _spec(design),
        "frame": _frame(design.model_frame, arrays),
        "index": _index(design.index, arrays),
    }
    return StoredParts(arrays, metadata)


def write_metadata(design: MixedDesign, folder: Path) -> Path:
    """Write everything about a design but its arrays as ``design.json`` into a folder."""
    path = folder / "design.json"
    text = json.dumps(stored_parts(design).metadata, ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def _given(**values: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    return {name: value for name, value in values.items() if value is not None}


def _sparse(name: str, matrix: Any) -> dict[str, NDArray[Any]]:
    return {
        f"{name}_data": matrix.data,
        f"{name}_indices": matrix.indices,
        f"{name}_indptr": matrix.indptr,
        f"{name}_shape": np.array(matrix.shape, dtype=np.int64),
    }


def _plain(value: Any, arrays: dict[str, NDArray[Any]], name: str) -> Any:
    """Return a value as plain data, its array beside them, and the contrasts' of a factor."""

    def put(values: NDArray[Any]) -> Any:
        key = f"{name}_contrasts" if name in arrays else name
        arrays[key] = values
        return {"array": key}

    return Codec("a stored design", VALUES, put=put).to_plain(value)


def _fixed(fixed: FixedEffects, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    return {
        "names": fixed.names,
        "terms": fixed.terms,
        "contrasts": {
            name: _plain(value, arrays, f"contrast_{k}")
            for k, (name, value) in enumerate(fixed.contrasts.items())
        },
        "dropped": {name: int(place) for name, place in fixed.dropped.items()},
        "scales": {name: float(value) for name, value in fixed.scales.items()},
        "centers": {name: float(value) for name, value in fixed.centers.items()},
    }


def _term(term: RandomTerm) -> dict[str, Any]:
    return {
        "label": term.bar.label,
        "group": term.bar.group_name,
        "levels": list(term.group.levels),
        "ordered": term.group.ordered,
        "columns": list(term.plan.names),
        "assign": list(term.plan.assign),
        "covariance": term.covariance.name,
        "hom": term.covariance.hom,
    }


def _spec(design: MixedDesign) -> Any:
    """Return what new rows need as plain data; None where that cannot be written."""
    try:
        return json.loads(design.spec.to_json())
    except Lme4pyError:
        return None


def _frame(frame: ModelFrame, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    if frame.positions is not None:
        arrays["positions"] = frame.positions
    return {
        "variables": [
            {"name": name, "value": _plain(value, arrays, f"frame_{k}")}
            for k, (name, value) in enumerate(frame.variables.items())
        ],
        "response": frame.response,
        "offset_terms": frame.offset_terms,
        "rows": frame.rows,
        "omitted": frame.omitted,
        "spans": {
            name: None if span is None else [span.text, span.start, span.end]
            for name, span in frame.spans.items()
        },
    }


def _index(index: Any, arrays: dict[str, NDArray[Any]]) -> dict[str, Any] | None:
    """Describe the labels of the rows: a range, numbers, times or text."""
    if index is None:
        return None
    import pandas as pd

    name = None if index.name is None else str(index.name)
    if isinstance(index, pd.RangeIndex):
        return {"type": "range", "name": name, "range": [index.start, index.stop, index.step]}
    if index.dtype.kind in "iuf" and isinstance(index.dtype, np.dtype):
        arrays["index"] = index.to_numpy()
        return {"type": "numbers", "name": name}
    if index.dtype.kind == "M" and isinstance(index.dtype, np.dtype):
        arrays["index"] = index.to_numpy().astype(np.int64)
        return {"type": "times", "name": name, "dtype": str(index.dtype)}
    if index.nlevels == 1 and all(isinstance(label, str) for label in index):
        return {"type": "text", "name": name, "labels": index.tolist()}
    raise DataError(
        f"row labels of type {index.dtype} cannot be stored",
        hint="numbers, text and times can; data.reset_index() makes columns of the labels",
    )
