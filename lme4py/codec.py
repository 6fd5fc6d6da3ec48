"""Values of a closed set of dataclasses as JSON's plain data, and back without running anything.

Every number comes back to the last bit. What is read is held against the classes' own
annotations: whatever does not have the form that is written here is a `DataError`.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError, Lme4pyError

Plain: TypeAlias = Any
"""None, bool, int, float, str, list and dict with str keys."""

_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_DTYPES = {"float64": (int, float), "int64": (int,), "int32": (int,), "bool": (bool,)}
"""The arrays that are written, and what stands for their elements."""


@dataclass(frozen=True, slots=True)
class Codec:
    """Plain data for the instances of some dataclasses, with whatever they are made of.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Range:
    ...     low: float
    ...     high: float
    >>> codec = Codec("a range", {Range: lambda item: item.low <= item.high}, {}, root=Range)
    >>> codec.to_plain(Range(1.0, math.inf))
    {'is': 'Range', 'low': 1.0, 'high': {'float': 'Infinity'}}
    >>> codec.from_plain({"is": "Range", "low": 1.0, "high": 2.0})
    Range(low=1.0, high=2.0)
    """

    # What the plain data are a form of; errors say that they are none.
    what: str
    # Each callable tells of a new instance, whose fields have their types, whether they fit
    # together. A field whose metadata say ``saved=False`` is left out.
    classes: Mapping[type, Callable[[Any], bool]]
    # Classes that are written as plain data in a way of their own, and read back.
    texts: Mapping[type, tuple[Callable[[Any], Plain], Callable[[Plain], Any]]]
    # The class of what is written as a whole, and the version of its layout.
    root: type
    version: int = 1
    # What stands for an array, by default all its numbers; and an array by what stands for it.
    put: Callable[[NDArray[Any]], Plain] | None = None
    get: Callable[[str], NDArray[Any]] | None = None

    def to_plain(self, item: Any) -> Plain:
        """Return instances of the classes, arrays, numbers, text and what is made of these."""
        match item:
            case None | bool() | str():
                return item
            case int():
                return int(item)
            case float():
                return _number(float(item))
            case np.generic():
                return self.to_plain(item.item())
            case np.ndarray():
                return _array(item) if self.put is None else self.put(item)
            case list():
                return {"list": [self.to_plain(part) for part in item]}
            case tuple():
                return [self.to_plain(part) for part in item]
            case Mapping() if all(isinstance(key, str) for key in item):
                return {"map": {key: self.to_plain(part) for key, part in item.items()}}
        kind: Any = type(item)
        if kind in self.texts:
            return {"is": kind.__name__, "text": self.texts[kind][0](item)}
        if kind in self.classes:
            values = {name: self.to_plain(getattr(item, name)) for name in _saved(kind)}
            return {"is": kind.__name__, **values}
        raise DataError(
            f"a {kind.__name__} cannot be saved",
            hint="a state is made of numbers, text, arrays, lists and dicts with text keys",
        )

    def from_plain(self, plain: Plain) -> Any:
        """Return what `to_plain` made plain."""
        match plain:
            case None | bool() | int() | float() | str():
                return plain
            case list():
                return tuple(self.from_plain(part) for part in plain)
            case {"float": str(word)} if word in _WORDS:
                return _WORDS[word]
            case {"array": str(name)} if self.get is not None and len(plain) == 1:
                return self.get(name)
            case {"array": str(dtype), "shape": list(shape), "items": list(items)}:
                return self._read_array(dtype, shape, items)
            case {"list": list(items)}:
                return [self.from_plain(part) for part in items]
            case {"map": dict(entries)}:
                return {key: self.from_plain(part) for key, part in entries.items()}
            case {"is": str(name)}:
                return self._read_instance(name, {key: plain[key] for key in plain if key != "is"})
            case _:
                raise self.damaged("an entry of an unknown form")

    def labelled(self, plain: Plain) -> dict[str, Plain]:
        """Return plain data of the root, with what they are and the version of their layout."""
        label = f"lme4py.{self.root.__name__}"
        return {"format": label, "version": self.version, "content": plain}

    def opened(self, document: Plain) -> Any:
        """Return the instance of the root in data that `labelled` made; `DataError` for others."""
        label = self.labelled(None)
        if not isinstance(document, dict) or document.get("format") != label["format"]:
            raise self.damaged("it does not say that it is one")
        if document.get("version") != self.version:
            raise DataError(
                f"{self.what} of version {document.get('version')!r}",
                hint=f"this lme4py reads version {self.version}: save it again, from the data",
            )
        try:
            found = self.from_plain(document.get("content"))
        except Lme4pyError as error:
            raise error if isinstance(error, DataError) else self.damaged(error.message) from None
        except (IndexError, OverflowError, RecursionError, TypeError, ValueError) as error:
            raise self.damaged(f"its parts do not fit together ({error})") from None
        if not isinstance(found, self.root):
            raise self.damaged("it is something else")
        return found

    def write(self, item: Any) -> str:
        """Return an instance of the root as JSON text, every number to the last bit."""
        try:
            document = self.labelled(self.to_plain(item))
            return json.dumps(document, ensure_ascii=False, allow_nan=False)
        except RecursionError:
            raise DataError("an expression in it is nested too deeply to be saved") from None

    def read(self, text: str) -> Any:
        """Return what `write` wrote; `DataError` for any other text."""
        try:
            document = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise self.damaged(f"{type(error).__name__}: {error}") from error
        return self.opened(document)

    def damaged(self, why: str) -> DataError:
        """Return the error of plain data that are not what they should be."""
        return DataError(f"not {self.what}: {why}")

    def _read_instance(self, name: str, parts: Mapping[str, Plain]) -> Any:
        kinds = {kind.__name__: kind for kind in (*self.texts, *self.classes)}
        kind = kinds.get(name)
        if kind is None:
            raise self.damaged("a value of an unknown type")
        hints = _saved(kind) if kind in self.classes else {"text": Any}
        if set(parts) != set(hints):
            raise self.damaged(f"a {name} of other parts")
        if kind in self.texts:
            return self.texts[kind][1](parts["text"])
        values = {part: self.from_plain(plain) for part, plain in parts.items()}
        for part, value in values.items():
            if not _conforms(value, hints[part]):
                raise self.damaged(f"the {part} of a {name} has an unknown form")
        made = kind(**values)
        if not self.classes[kind](made):
            raise self.damaged(f"the parts of a {name} do not fit together")
        return made

    def _read_array(self, dtype: Plain, shape: list[Plain], items: list[Plain]) -> NDArray[Any]:
        sized = len(shape) <= 2 and all(type(size) is int and size >= 0 for size in shape)
        if dtype not in _DTYPES or not sized or math.prod(shape) != len(items):
            raise self.damaged("an array of another size than its shape")
        numbers = [_WORDS.get(item) if isinstance(item, str) else item for item in items]
        if not all(type(item) in _DTYPES[dtype] for item in numbers):
            raise self.damaged("an array of mixed types")
        try:
            return np.array(numbers, dtype=dtype).reshape(shape, order="F")
        except OverflowError:
            raise self.damaged("a number beyond its type") from None


def _number(value: float) -> Plain:
    if math.isfinite(value):
        return value
    return {"float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}


def _array(values: NDArray[Any]) -> Plain:
    if values.dtype.name not in _DTYPES:
        raise DataError(f"an array of {values.dtype} cannot be saved")
    flat: list[Any] = values.ravel(order="F").tolist()
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        flat = [item if math.isfinite(item) else _number(item)["float"] for item in flat]
    return {"array": values.dtype.name, "shape": list(values.shape), "items": flat}


@cache
def _saved(kind: Any) -> dict[str, Any]:
    """Return the fields of a class that are saved, with their annotations."""
    hints = get_type_hints(kind)
    return {
        item.name: hints[item.name] for item in fields(kind) if item.metadata.get("saved", True)
    }


def _conforms(value: Any, hint: Any) -> bool:
    """Tell whether a value is what an annotation says; arrays by their dtype."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if origin in (Union, types.UnionType):
        return any(_conforms(value, part) for part in arguments)
    if origin in (tuple, list):
        return isinstance(value, origin) and all(_conforms(part, arguments[0]) for part in value)
    if origin is np.ndarray:
        (wanted,) = get_args(arguments[1])
        fits = isinstance(value, np.ndarray)
        kind = get_origin(wanted) or wanted
        return fits and (wanted is Any or np.issubdtype(value.dtype, kind))
    if origin is not None:
        # Keys are texts in JSON.
        inside = value.values() if isinstance(value, Mapping) else None
        return inside is not None and all(_conforms(part, arguments[1]) for part in inside)
    return type(value) in ((int, float) if hint is float else (hint,))
