"""The saved form of a spec: JSON, read without running anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from lme4py.errors import DataError, Lme4pyError
from lme4py.formula.formula import Formula
from lme4py.frame.coding import DEFAULT_CONTRASTS, default_contrasts_of
from lme4py.frame.collation import Collation
from lme4py.frame.plain import from_plain, to_plain, type_from_plain, type_to_plain
from lme4py.frame.values import Matrix
from lme4py.modelspec.recipe import Group, Recipe

__all__ = ["RecipeT", "read", "write"]


_FORMAT = "lme4py.Spec"
_VERSION = 1

RecipeT = TypeVar("RecipeT", bound=Recipe)


def write(recipe: Recipe) -> str:
    """Return a recipe as JSON text, every number to the last bit."""
    text, expansion = _writing(recipe.formula)
    plain = {
        "format": _FORMAT,
        "version": _VERSION,
        "formula": text,
        "double_bar": expansion,
        "names": list(recipe.names),
        "columns": {name: type_to_plain(item) for name, item in recipe.columns.items()},
        "frame_names": list(recipe.frame_names),
        "variables": {name: type_to_plain(item) for name, item in recipe.variables.items()},
        "grouping": {name: list(levels) for name, levels in recipe.grouping.items()},
        "groups": [
            {
                "levels": list(group.levels),
                "ordered": group.ordered,
                "frozen": _frozen_to_plain(group.frozen),
            }
            for group in recipe.groups
        ],
        "frozen": _frozen_to_plain(recipe.frozen),
        "contrasts": {name: to_plain(item) for name, item in recipe.contrasts.items()},
        "kept": list(recipe.kept),
        "names_of_X": list(recipe.names_of_X),
        "centers": to_plain(recipe.centers),
        "divisors": to_plain(recipe.divisors),
        "collation": recipe.collation,
        "na_action": recipe.na_action,
        "offset": recipe.offset,
        "default_contrasts": list(recipe.default_contrasts),
    }
    return json.dumps(plain, ensure_ascii=False, allow_nan=False)


def read(text: str, kind: type[RecipeT]) -> RecipeT:
    """Return what `write` wrote as a recipe of that kind; `DataError` for any other text."""
    try:
        plain = json.loads(text)
        return _from_plain(plain, kind)
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


def _from_plain(plain: Any, kind: type[RecipeT]) -> RecipeT:
    if not isinstance(plain, dict) or plain.get("format") != _FORMAT:
        raise DataError("not a saved spec: the text does not say so")
    version = plain.get("version")
    if version != _VERSION:
        raise DataError(
            f"a spec of version {version!r}; this lme4py reads version {_VERSION}",
            hint="a newer lme4py may read it",
        )
    formula = _read_formula(plain["formula"], plain["double_bar"])
    recipe = kind(
        formula,
        _read_texts(plain["names"]),
        {name: type_from_plain(item) for name, item in plain["columns"].items()},
        _read_texts(plain["frame_names"]),
        {name: type_from_plain(item) for name, item in plain["variables"].items()},
        {name: _read_texts(item, missing=True) for name, item in plain["grouping"].items()},
        tuple(
            Group(
                _read_texts(item["levels"]),
                bool(item["ordered"]),
                _frozen_from_plain(item["frozen"]),
            )
            for item in plain["groups"]
        ),
        _frozen_from_plain(plain["frozen"]),
        {name: from_plain(item) for name, item in plain["contrasts"].items()},
        tuple(plain["kept"]),
        tuple(plain["names_of_X"]),
        _read_floats(plain["centers"]),
        _read_floats(plain["divisors"]),
        plain["collation"],
        plain["na_action"],
        plain["offset"],
        default_contrasts=default_contrasts_of(plain.get("default_contrasts", DEFAULT_CONTRASTS)),
    )
    _check(recipe)
    return recipe


def _check(recipe: Recipe) -> None:
    """Raise an error if the parts do not fit together."""
    Collation(recipe.collation)
    width = len(recipe.kept)
    contrasts = recipe.contrasts.values()
    fits = (
        len(recipe.names_of_X) == len(recipe.centers) == len(recipe.divisors) == width
        and all(type(place) is int and place >= 0 for place in recipe.kept)
        and all(isinstance(name, str) for name in recipe.names_of_X)
        and len(recipe.groups) == len(recipe.formula.bars) > 0
        and all(group.levels for group in recipe.groups)
        and all(isinstance(item, str | Matrix) for item in contrasts)
        and recipe.na_action in ("omit", "exclude", "fail", "pass")
        and (isinstance(recipe.offset, str | bool))
    )
    if not fits:
        raise DataError("not a saved spec: its parts do not fit together")


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


def _frozen_to_plain(frozen: Mapping[str, Any]) -> Any:
    return {key: to_plain(item) for key, item in frozen.items()}


def _frozen_from_plain(plain: Any) -> dict[str, Any]:
    return {key: from_plain(item) for key, item in plain.items()}


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
