"""The saved form of a spec: JSON, read without running anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lme4py.errors import DataError, Lme4pyError
from lme4py.formula.formula import Formula
from lme4py.frame.collation import Collation
from lme4py.frame.modelframe import NA_ACTIONS
from lme4py.frame.state import NOTHING, State
from lme4py.frame.values import Character, Factor, FunctionName, Matrix, Null, Numeric
from lme4py.matrices.fixed import LearnedColumns
from lme4py.matrices.grouping import LearnedGroup
from lme4py.spec.plain_data import from_plain, to_plain, type_from_plain, type_to_plain
from lme4py.spec.spec import Spec

__all__ = ["read", "write"]

_FORMAT = "lme4py.Spec"
_VERSION = 2


def write(spec: Spec) -> str:
    """Return a spec as JSON text, every number to the last bit."""
    text, expansion = _writing(spec.formula)
    plain = {
        "format": _FORMAT,
        "version": _VERSION,
        "formula": text,
        "double_bar": expansion,
        "names": list(spec.names),
        "columns": {name: type_to_plain(item) for name, item in spec.columns.items()},
        "frame_names": list(spec.frame_names),
        "variables": {name: type_to_plain(item) for name, item in spec.variables.items()},
        "states": {
            name: _state_to_plain(state)
            for name, state in spec.states.items()
            if state is not NOTHING
        },
        "grouping": {name: list(levels) for name, levels in spec.grouping.items()},
        "groups": [
            {
                "levels": list(group.levels),
                "ordered": group.ordered,
                "state": _state_to_plain(group.state),
            }
            for group in spec.groups
        ],
        "fixed": {
            "contrasts": {name: to_plain(item) for name, item in spec.fixed.contrasts.items()},
            "kept": list(spec.fixed.kept),
            "names": list(spec.fixed.names),
            "centers": to_plain(spec.fixed.centers),
            "divisors": to_plain(spec.fixed.divisors),
        },
        "collation": spec.collation,
        "na_action": spec.na_action,
        "offset": spec.offset,
    }
    try:
        return json.dumps(plain, ensure_ascii=False, allow_nan=False)
    except RecursionError:
        raise DataError("an expression of this model is nested too deeply to be saved") from None


def read(text: str) -> Spec:
    """Return what `write` wrote as a spec; `DataError` for any other text."""
    try:
        return _from_plain(json.loads(text))
    except DataError:
        raise
    except Lme4pyError as error:
        raise DataError(f"not a saved spec: {error.message}") from error
    except (
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise DataError(f"not a saved spec: {type(error).__name__}: {error}") from error


def _from_plain(plain: Any) -> Spec:
    if not isinstance(plain, dict) or plain.get("format") != _FORMAT:
        raise DataError("not a saved spec: the text does not say so")
    version = plain.get("version")
    if version != _VERSION:
        raise DataError(
            f"a spec of version {version!r}; this lme4py reads version {_VERSION}",
            hint="save it again with this lme4py, from the model's data",
        )
    fixed = plain["fixed"]
    spec = Spec(
        formula=_read_formula(plain["formula"], plain["double_bar"]),
        names=_read_texts(plain["names"]),
        columns={name: type_from_plain(item) for name, item in plain["columns"].items()},
        frame_names=_read_texts(plain["frame_names"]),
        variables={name: type_from_plain(item) for name, item in plain["variables"].items()},
        states={name: _state_from_plain(item) for name, item in plain["states"].items()},
        grouping={
            name: _read_texts(item, missing=True) for name, item in plain["grouping"].items()
        },
        groups=tuple(
            LearnedGroup(
                _read_texts(item["levels"]),
                bool(item["ordered"]),
                _state_from_plain(item["state"]),
            )
            for item in plain["groups"]
        ),
        fixed=LearnedColumns(
            contrasts={name: from_plain(item) for name, item in fixed["contrasts"].items()},
            kept=tuple(fixed["kept"]),
            names=tuple(fixed["names"]),
            centers=_read_floats(fixed["centers"]),
            divisors=_read_floats(fixed["divisors"]),
        ),
        collation=plain["collation"],
        na_action=plain["na_action"],
        offset=plain["offset"],
    )
    _check(spec)
    return spec


def _check(spec: Spec) -> None:
    """Raise an error if the parts do not fit together."""
    Collation(spec.collation)
    fixed = spec.fixed
    fits = (
        len(fixed.names) == len(fixed.centers) == len(fixed.divisors) == len(fixed.kept)
        and all(type(place) is int and place >= 0 for place in fixed.kept)
        and all(isinstance(name, str) for name in fixed.names)
        and len(spec.groups) == len(spec.formula.bars) > 0
        and all(group.levels for group in spec.groups)
        and all(isinstance(item, str | Matrix) for item in fixed.contrasts.values())
        and spec.na_action in NA_ACTIONS
        and (isinstance(spec.offset, str | bool))
    )
    if not fits:
        raise DataError("not a saved spec: its parts do not fit together")


def _state_to_plain(state: State) -> Any:
    """Return a state as plain data; null where nothing was learned."""
    if state is NOTHING:
        return None
    return {
        "kind": state.kind,
        "kept": to_plain(state.kept),
        "parts": [_state_to_plain(part) for part in state.parts],
    }


_KEPT = {
    "parts": type(None),
    "value": Numeric | Matrix | Character | Factor | FunctionName | Null,
    "basis": Mapping,
    "unit": str,
}


def _state_from_plain(plain: Any) -> State:
    if plain is None:
        return NOTHING
    kind, kept = plain["kind"], from_plain(plain["kept"])
    if (
        kind not in _KEPT
        or not isinstance(kept, _KEPT[kind])
        or not isinstance(plain["parts"], list)
    ):
        raise DataError("not a saved spec: a state of an unknown form")
    return State(kind, kept, tuple(map(_state_from_plain, plain["parts"])))


def _writing(formula: Formula) -> tuple[str, str]:
    """Return text, and how its ``||`` are expanded, that make the formula again."""
    for expansion in ("none", "split", "diag"):
        try:
            if _read_formula(formula.text, expansion) == formula:
                return formula.text, expansion
        except Lme4pyError:
            continue
    return str(formula), "none"


def _read_formula(text: Any, expansion: Any) -> Formula:
    formula = Formula.parse(text)
    match expansion:
        case "none":
            return formula
        case "split":
            return formula.expanded("split")
        case "diag":
            return formula.expanded("diag")
        case _:
            raise DataError("not a saved spec: unknown double_bar")


def _read_texts(plain: Any, *, missing: bool = False) -> tuple[Any, ...]:
    if not isinstance(plain, list) or not all(
        isinstance(item, str) or (missing and item is None) for item in plain
    ):
        raise DataError("not a saved spec: a list of texts expected")
    if len(set(plain)) != len(plain):
        raise DataError("not a saved spec: texts that repeat")
    return tuple(plain)


def _read_floats(plain: Any) -> tuple[float, ...]:
    items = from_plain(plain)
    if not isinstance(items, tuple) or not all(isinstance(item, int | float) for item in items):
        raise DataError("not a saved spec: a list of numbers expected")
    return tuple(float(item) for item in items)
