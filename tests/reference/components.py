"""Every component of a design against what R recorded: the list of differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from lme4py.bridge.rds import RFactor, RFrame, RList, RMatrix, RSparse, RVector

TOLERANCE = 1e-12

_STRAIGHT_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"'})


def differences(design: Any, reference: RList, said: Iterable[str] | None = None) -> list[str]:
    """Compare a `MixedDesign` with a record of R's.

    Parameters
    ----------
    design : lme4py.MixedDesign
    reference : RList
        What fixtures/record.R wrote: `lf`, `model`, `warnings`, `messages`; or the
        plain ``list(data =, lf =)`` of a user, where `model` is found from `lf$fr`.
    said : iterable of str, optional
        The warnings that came with the design; None leaves R's warnings and
        messages uncompared.

    Returns
    -------
    list of str
        One line for each component that differs; empty when all agree.
    """
    lf = reference["lf"]
    found: list[str] = []
    found += _fixed(design, lf["X"])
    found += _rows(design, lf, reference.get("model"))
    found += _random(design.random, lf["reTrms"])
    found += _kind(design, lf)
    if said is not None:
        found += _conditions(design.messages, said, reference)
    return found


def numbers_differ(name: str, ours: Any, theirs: Any, tolerance: float = TOLERANCE) -> list[str]:
    """Compare arrays: same shape, NaN at the same places, close by column."""
    left, right = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if left.shape != right.shape:
        return [f"{name}: shape {left.shape}, R has {right.shape}"]
    if left.size == 0:
        return []
    usual = np.isfinite(right)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    scale = np.max(np.where(usual, np.abs(right), 0.0), axis=0)
    with np.errstate(invalid="ignore"):
        close = usual & (np.abs(left - right) <= tolerance * np.maximum(np.abs(right), scale))
    wrong = ~(same | close)
    if not wrong.any():
        return []
    first = tuple(int(at) for at in np.argwhere(wrong)[0])
    return [
        (
            f"{name}: {int(wrong.sum())} of {left.size} numbers differ, first at {first}: "
            f"{float(left[first])!r}, R has {float(right[first])!r}"
        )
    ]


def texts_differ(name: str, ours: Iterable[Any] | None, theirs: Iterable[Any] | None) -> list[str]:
    """Compare sequences of texts (or other exact values); None equals an empty one."""
    left, right = list(() if ours is None else ours), list(() if theirs is None else theirs)
    if left == right:
        return []
    if len(left) != len(right) or len(left) < 12:
        return [f"{name}: {_short(left)}, R has {_short(right)}"]
    at = next(i for i, pair in enumerate(zip(left, right, strict=True)) if pair[0] != pair[1])
    return [f"{name}: element {at} is {left[at]!r}, R has {right[at]!r}"]


def sparse_differ(name: str, ours: Any, theirs: RSparse) -> list[str]:
    """Compare compressed columns: pattern exactly, stored numbers within the tolerance."""
    right = theirs.matrix
    if not sparse.issparse(ours) or ours.format != "csc":
        return [f"{name}: {type(ours).__name__} is not csc"]
    if ours.shape != right.shape:
        return [f"{name}: shape {ours.shape}, R has {right.shape}"]
    found = []
    if ours.indices.dtype != np.int32 or ours.indptr.dtype != np.int32:
        found.append(f"{name}: indices are {ours.indices.dtype}, not int32")
    pattern = texts_differ(f"{name}.indptr", ours.indptr.tolist(), right.indptr.tolist())
    pattern += texts_differ(f"{name}.indices", ours.indices.tolist(), right.indices.tolist())
    if pattern:
        return found + pattern
    found += numbers_differ(f"{name}.data", ours.data, right.data)
    return found


def _fixed(design: Any, theirs: RMatrix) -> list[str]:
    fixed = design.fixed
    X = design.X.toarray() if sparse.issparse(design.X) else design.X
    found = numbers_differ("X", X, theirs.values)
    if X.dtype != np.float64:
        found.append(f"X: dtype {X.dtype}")
    found += texts_differ("fixed.names", fixed.names, theirs.column_names)
    assign = theirs.attributes.get("assign")
    if assign is not None:
        found += texts_differ("fixed.assign", np.asarray(fixed.assign).tolist(), assign.values)
    contrasts = theirs.attributes.get("contrasts")
    named = contrasts if isinstance(contrasts, RList) else RList((), ())
    found += texts_differ("fixed.contrasts", fixed.contrasts, named.names)
    for variable, coding in zip(named.names or (), named, strict=True):
        if variable in fixed.contrasts:
            found += _coding(f"fixed.contrasts[{variable!r}]", fixed.contrasts[variable], coding)
    return found + _dropped(fixed.dropped, theirs.attributes.get("col.dropped"))


def _dropped(ours: Any, theirs: RVector | None) -> list[str]:
    """Compare names and positions in order.

    lme4 1.1-31 writes the names in column order beside positions in pivot order, also
    where the two differ; so do we.
    """
    names = () if theirs is None else theirs.names
    positions = [] if theirs is None else [int(at) - 1 for at in theirs.values]
    # A name that repeats keeps its last position only.
    expected = dict(zip(names or (), positions, strict=True))
    return texts_differ("fixed.dropped", ours.items(), expected.items())


def _coding(name: str, ours: Any, theirs: Any) -> list[str]:
    if isinstance(theirs, RVector):
        return [] if ours == theirs.values[0] else [f"{name}: {ours!r}, R has {theirs.values[0]!r}"]
    if isinstance(theirs, RMatrix):
        values = ours if isinstance(ours, np.ndarray) else getattr(ours, "values", ours)
        if isinstance(values, str):
            return [f"{name}: {values!r}, R has a matrix"]
        return numbers_differ(name, values, theirs.values)
    return []


def _rows(design: Any, lf: RList, model: RList | None) -> list[str]:
    frame: RFrame = lf["fr"]
    response, weights, offset = _model(lf) if model is None else tuple(model)
    found = []
    if response is not None:
        found += _response(design.y, response, "family" in lf)
    elif design.y is not None:
        found.append("y: present, R has none")
    for name, ours, theirs in (
        ("weights", design.weights, weights),
        ("offset", design.offset, offset),
    ):
        if (ours is None) != (theirs is None):
            found.append(f"{name}: {'absent' if ours is None else 'present'} unlike R's")
        elif theirs is not None:
            found += numbers_differ(name, ours, _numbers(theirs))
    return found + _frame(design.frame, frame)


def _model(lf: RList) -> tuple[Any, Any, Any]:
    """Return response, weights and offset of a frame that came without them."""
    frame: RFrame = lf["fr"]
    names = list(frame.columns)
    offsets = [name for name in names if name.startswith("offset(") or name == "(offset)"]
    total = sum((_numbers(frame.columns[name]) for name in offsets), np.zeros(len(frame)))
    return (
        frame.columns[names[0]] if names else None,
        frame.columns.get("(weights)"),
        RVector(np.asarray(total), "double") if offsets else None,
    )


def _numbers(value: Any) -> Any:
    if isinstance(value, RVector):
        return value.as_float()
    return value.values


def _response(ours: Any, theirs: Any, generalized: bool) -> list[str]:
    if isinstance(theirs, RFactor):
        # lme4's response module: the first level is failure, every other success.
        codes = np.minimum(theirs.codes, 1) if generalized else theirs.codes + 1
        return numbers_differ("y", ours, np.where(theirs.codes < 0, np.nan, codes))
    if isinstance(theirs, RVector) and theirs.kind == "character":
        return [] if ours is None else ["y: present, R has text"]
    return numbers_differ("y", ours, _numbers(theirs))


def _frame(ours: Any, theirs: RFrame) -> list[str]:
    columns = dict(_split(theirs))
    found = texts_differ("frame.names", ours.columns, columns)
    found += texts_differ("frame.row_names", _unique(ours.index), theirs.row_names)
    if found:
        return found
    for at, (name, column) in enumerate(columns.items()):
        found += _column(f"frame[{name!r}]", ours.iloc[:, at], column)
    return found


def _unique(labels: Iterable[Any]) -> list[str]:
    """Return labels as R makes them unique (13, 13.1, ...); pandas repeats a row's label."""
    texts = [str(label) for label in labels]
    taken, result, count = set(texts), [], dict[str, int]()
    seen: set[str] = set()
    for text in texts:
        name = text
        while name in seen or (name != text and name in taken):
            count[text] = count.get(text, 0) + 1
            name = f"{text}.{count[text]}"
        seen.add(name)
        result.append(name)
    return result


def _split(frame: RFrame) -> Iterator[tuple[str, Any]]:
    """Yield the columns, a matrix as one column for each of its own (pandas holds no matrix)."""
    for name, column in frame.columns.items():
        if not isinstance(column, RMatrix):
            yield name, column
            continue
        labels = column.column_names or [str(at + 1) for at in range(column.values.shape[1])]
        for at, label in enumerate(labels):
            yield f"{name}.{label}", RVector(column.values[:, at], column.kind)


def _column(name: str, ours: Any, theirs: Any) -> list[str]:
    if isinstance(theirs, RFactor):
        if not isinstance(ours.dtype, pd.CategoricalDtype):
            return [f"{name}: {ours.dtype}, R has a factor"]
        return _factor(name, ours.cat.categories, ours.cat.codes, ours.cat.ordered, theirs)
    if isinstance(ours.dtype, pd.CategoricalDtype):
        return [f"{name}: categorical, R has {getattr(theirs, 'kind', type(theirs).__name__)}"]
    if theirs.kind == "character":
        values = [None if pd.isna(text) else str(text) for text in ours]
        return texts_differ(name, values, theirs.texts())
    if pd.api.types.is_datetime64_any_dtype(ours.dtype) or ours.dtype == object:
        # Times and other objects: their numbers are compared where they enter X or Zt.
        return []
    numbers = pd.to_numeric(ours).to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers_differ(name, numbers, theirs.as_float())


def _factor(name: str, levels: Any, codes: Any, ordered: bool, theirs: RFactor) -> list[str]:
    # An NA level (addNA) has no counterpart in pandas: it is called "NA" there.
    expected = ["NA" if level is None else level for level in theirs.levels]
    found = texts_differ(f"{name} levels", list(levels), expected)
    found += texts_differ(f"{name} codes", np.asarray(codes).tolist(), theirs.codes.tolist())
    if bool(ordered) != theirs.ordered:
        found.append(f"{name}: ordered is {ordered}, R has {theirs.ordered}")
    return found


def _random(ours: Any, theirs: RList) -> list[str]:
    found = sparse_differ("Zt", ours.Zt, theirs["Zt"])
    found += texts_differ("random.row_names", ours.row_names, theirs["Zt"].row_names)
    blocks = theirs["Ztlist"]
    found += texts_differ("Ztlist labels", [label for label, _ in ours.Ztlist], blocks.names)
    if len(blocks) == len(ours.Ztlist):
        for at, ((label, block), expected) in enumerate(zip(ours.Ztlist, blocks, strict=True)):
            found += sparse_differ(f"Ztlist[{at}] {label!r}", block, expected)
    found += sparse_differ("Lambdat", ours.Lambdat, theirs["Lambdat"])
    for name, values, shift in (
        ("Lind", theirs["Lind"], 1),
        ("Gp", theirs["Gp"], 0),
        ("nl", theirs["nl"], 0),
    ):
        array = np.asarray(getattr(ours, name))
        found += texts_differ(name, array.tolist(), (values.values.astype(int) - shift).tolist())
        if array.dtype != np.int32:
            found.append(f"{name}: dtype {array.dtype}, not int32")
    found += numbers_differ("theta", ours.theta, theirs["theta"].values)
    found += numbers_differ("lower", ours.lower, theirs["lower"].values)
    found += _names_of_columns(ours.cnms, theirs["cnms"])
    return found + _groups(ours, theirs["flist"])


def _names_of_columns(ours: Sequence[tuple[str, Sequence[str]]], theirs: RList) -> list[str]:
    expected = [
        (group, [] if names is None else list(names.values))
        for group, names in zip(theirs.names or (), theirs, strict=True)
    ]
    found = [(group, list(names)) for group, names in ours]
    return [] if found == expected else [f"cnms: {_short(found)}, R has {_short(expected)}"]


def _groups(ours: Any, theirs: Any) -> list[str]:
    columns = (
        theirs.columns
        if isinstance(theirs, RFrame)
        else dict(zip(theirs.names or (), theirs, strict=True))
    )
    found = texts_differ("flist names", ours.flist, columns)
    for group, factor in columns.items():
        if group in ours.flist:
            mine = ours.flist[group]
            found += _factor(f"flist[{group!r}]", mine.categories, mine.codes, mine.ordered, factor)
    assign = (theirs.attributes["assign"].values.astype(int) - 1).tolist()
    return found + texts_differ("flist assign", np.asarray(ours.assign).tolist(), assign)


def _kind(design: Any, lf: RList) -> list[str]:
    if "REML" in lf:
        expected = lf["REML"]
        reml = bool(expected.values[0]) if isinstance(expected, RVector) else None
        return [] if reml is None or design.reml == reml else [f"reml: {design.reml}, R has {reml}"]
    family = lf["family"]
    theirs = family["family"].values[0], family["link"].values[0]
    ours = getattr(design.family, "name", design.family), getattr(design.family, "link", theirs[1])
    if str(ours[0]).split("(")[0] != theirs[0] or ours[1] != theirs[1]:
        return [f"family: {ours}, R has {theirs}"]
    return []


def _conditions(ours: Iterable[str], said: Iterable[str], reference: RList) -> list[str]:
    """Compare the sets of texts.

    Warnings are R's warnings. `messages` must hold all that R said, and may hold
    besides what R keeps without saying it (`wmsgs`, X's `msgScaleX`, `msgRankdrop`).
    """
    lf = reference["lf"]
    warned, told = _strings(reference.get("warnings")), _strings(reference.get("messages"))
    kept = _strings(lf.get("wmsgs"))
    for name in ("msgScaleX", "msgRankdrop"):
        kept |= _strings(lf["X"].attributes.get(name))
    messages = {plain_quotes(text) for text in ours}
    warnings = {plain_quotes(text) for text in said}
    found = [f"warns {text!r}, R does not" for text in sorted(warnings - warned)]
    found += [f"does not warn {text!r}, R does" for text in sorted(warned - warnings)]
    found += [f"says {text!r}, R does not" for text in sorted(messages - warned - told - kept)]
    return found + [f"does not say {text!r}, R does" for text in sorted(told - messages)]


def plain_quotes(text: str) -> str:
    """Return the text with straight quotes and without blank ends."""
    return text.translate(_STRAIGHT_QUOTES).strip()


def _strings(value: Any) -> set[str]:
    if not isinstance(value, RVector):
        return set()
    return {plain_quotes(str(text)) for text in value.values}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else text[:297] + "..."
