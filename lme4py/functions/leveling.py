"""Factors: made of values or intervals, their levels moved, dropped, added, combined.

Levels are found from all rows; on new rows the same levels hold, and a value that
has none is an error, not a missing value.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lme4py.data.collation import Collation
from lme4py.data.factors import as_factor, drop_unused, factor_of, named_factor, recode
from lme4py.data.schema import listed
from lme4py.data.values import Character, Factor, FunctionName, Matrix, Numeric, Value, length
from lme4py.errors import DataError, nearest
from lme4py.functions.coercion import FloatArray, elements, level_texts, pack, strings_of, text
from lme4py.functions.table import MISSING, NA, Context, Dot, State, as_flag, as_number, function

Levels = Sequence[str | None]

ONE_LEVEL = "contrasts can be applied only to factors with 2 or more levels"
_MOST_COMBINATIONS = 5_000_000
_MOST_INDICATORS = 5_000


# Levels as state --------------------------------------------------------------------------


def frozen(made: Factor) -> State:
    """Return the state of a factor whose levels are those of its argument's text."""
    codes = np.arange(len(made.levels), dtype=np.int32)
    return {"texts": made.levels, "factor": replace(made, codes=codes)}


def thawed(state: State, called: str, x: Value) -> Factor:
    """Return rows as a factor: of the stored one each takes the element that its text stands for.

    A value without one is an error, unless the user listed the levels: these leave
    other values out, in old rows and in new ones.
    """
    known: Factor = state["factor"]
    pairs = list(zip(state["texts"], known.codes.tolist(), strict=True))
    places: dict[str | None, int] = dict(reversed(pairs))  # the first of equal ones
    words = text(x)
    found = [*(places.get(item, -2) for item in words.pool), places.get(None, -1)]
    codes = np.array(found, dtype=np.int32)[words.codes]
    unseen = np.unique(words.codes[codes == -2])
    if unseen.size and state.get("strict", True):
        values = [words.pool[code] for code in unseen.tolist()]
        texts = [item for item, _ in pairs if item is not None]
        raise DataError(
            f"{called}(): new data has the value{'s' if len(values) > 1 else ''} "
            f"{listed(values)}, but the known levels are {listed(texts)}",
            hint=nearest(values[0], texts),
        )
    return replace(known, codes=np.maximum(codes, -1))


# Factors of values ------------------------------------------------------------------------


def _labelled(kept: Levels, labels: Value) -> tuple[Levels, list[int]]:
    """Return the levels after R's treatment of `labels`, and which one each of `kept` becomes."""
    places = list(range(len(kept)))
    if labels is MISSING:
        if len(set(kept)) < len(kept):
            twice = next(place for place in places if kept.index(kept[place]) < place)
            raise DataError(f"factor level [{twice + 1}] is duplicated")
        return kept, places
    given = strings_of(labels)
    if len(given) == len(kept):
        # Equal labels are one level.
        final = {label: place for place, label in enumerate(dict.fromkeys(given))}
        return list(final), [final[label] for label in given]
    if len(given) == 1:
        stem = level_texts(given)[0]
        return [f"{stem}{number + 1}" for number in places], places
    raise DataError(f"invalid 'labels'; length {len(given)} should be 1 or {len(kept)}")


@function(
    {"factor": "A factor, with levels in R's order or as listed.", "ordered": "An ordered factor."},
    role="basis",
    replay=thawed,
    rows="distinct",
)
def _factor(
    x: Value,
    context: Context,
    called: str,
    levels: Value = MISSING,
    labels: Value = MISSING,
    exclude: Value = NA,
    ordered: bool = MISSING,
) -> State:
    if isinstance(x, FunctionName):
        raise DataError("unique() applies only to vectors")
    excluded = dict.fromkeys(strings_of(exclude))
    known: Levels
    if levels is MISSING:
        found = factor_of(x, context.collation)
        known = (*found.levels, None) if (found.codes < 0).any() else found.levels
    else:
        known = strings_of(levels)
    kept = [level for level in known if level not in excluded]
    final, codes = _labelled(kept, labels)
    if ordered is MISSING:
        ordered = called == "ordered" or (isinstance(x, Factor) and x.ordered)
    codes += [-1 for item in excluded if item is not None]
    return {
        "texts": (*kept, *(item for item in excluded if item is not None)),
        "factor": Factor(np.array(codes, dtype=np.int32), tuple(final), ordered),
        "strict": levels is MISSING,
    }


@function("droplevels", role="basis", replay=thawed, rows="distinct")
def _droplevels(x: Value) -> tuple[Factor, State]:
    """Return a factor with unused levels dropped."""
    if not isinstance(x, Factor):
        raise DataError("no applicable method for 'droplevels': it takes a factor")
    kept = drop_unused(x)
    return Factor(kept.codes, kept.levels, kept.ordered), frozen(kept)


@function(
    {
        "as.factor": "A factor; a factor stays as it is.",
        "as.ordered": "An ordered factor; an ordered one stays, others lose unused levels.",
    },
    role="basis",
    replay=thawed,
    rows="distinct",
)
def _as_factor(x: Value, context: Context, called: str) -> tuple[Factor, State]:
    if isinstance(x, Factor) and (x.ordered or called == "as.factor"):
        return x, frozen(x)
    found = factor_of(x, context.collation)
    made = Factor(found.codes, found.levels, ordered=called == "as.ordered")
    return made, frozen(made)


# Levels moved and added -------------------------------------------------------------------


@function("relevel", role="basis", package="stats", replay=thawed, rows="distinct")
def _relevel(x: Value, ref: Value) -> tuple[Factor, State]:
    """Return a factor with one level moved first."""
    if not isinstance(x, Factor):
        hint = "write relevel(factor(x), ref = 'b')" if isinstance(x, Character) else None
        raise DataError("'relevel' only for (unordered) factors", hint=hint)
    if x.ordered:
        raise DataError("'relevel' only for unordered factors")
    if length(ref) != 1:
        raise DataError("'ref' must be of length one")
    if isinstance(ref, Character | Factor):
        wanted = strings_of(ref)[0]
        if wanted not in x.levels:
            known = [level for level in x.levels if level is not None]
            raise DataError("'ref' must be an existing level", hint=nearest(wanted or "NA", known))
    else:
        number = as_number(ref, "ref")
        if math.isnan(number):
            raise DataError("'ref' must be an existing level")
        if number < 1 or number > len(x.levels):
            raise DataError(f"ref = {number:g} must be in 1L:{len(x.levels)}")
        wanted = x.levels[int(number) - 1]
    levels = (wanted, *(level for level in x.levels if level != wanted))
    places = {level: place for place, level in enumerate(levels)}
    made = Factor(recode(x.codes, [places[level] for level in x.levels]), levels)
    return made, frozen(made)


@function("addNA", role="basis", replay=thawed, rows="distinct")
def _add_na(x: Value, context: Context, ifany: bool = False) -> tuple[Factor, State]:
    """Return a factor with missing values made a level."""
    made = as_factor(x, context.collation)
    if not ifany or (made.codes < 0).any():
        levels = made.levels if None in made.levels else (*made.levels, None)
        codes = np.where(made.codes < 0, np.int32(levels.index(None)), made.codes)
        made = Factor(codes, levels, made.ordered)
    return made, frozen(made)


# Combinations and indicators --------------------------------------------------------------


def crossed(
    values: Sequence[Value],
    collation: Collation,
    *,
    separator: str = ".",
    last_fastest: bool = False,
    drop: bool = False,
) -> Factor:
    """Return all combinations of factors as one factor, as R's ``interaction`` does."""
    if not values:
        raise DataError("No factors specified")
    factors = [as_factor(value, collation) for value in values]
    if drop:
        factors = [drop_unused(item) for item in factors]
    if len({item.codes.size for item in factors}) > 1:
        raise DataError("variable lengths differ in interaction()")
    result = factors[-1]
    # R goes from the last to the first.
    for current in reversed(factors[:-1]):
        outer, inner = level_texts(current.levels), level_texts(result.levels)
        if len(outer) * len(inner) > _MOST_COMBINATIONS:
            raise DataError(
                f"an interaction of more than {_MOST_COMBINATIONS} combinations",
                hint="a:b has only those that occur",
            )
        if last_fastest:
            codes = current.codes.astype(np.int64) * len(inner) + result.codes
            texts = [f"{a}{separator}{b}" for a in outer for b in inner]
        else:
            codes = result.codes.astype(np.int64) * len(outer) + current.codes
            texts = [f"{a}{separator}{b}" for b in inner for a in outer]
        codes[(current.codes < 0) | (result.codes < 0)] = -1
        result = named_factor(codes.astype(np.int32), texts)
        if drop:
            result = drop_unused(result)
    return Factor(result.codes, result.levels)


def _recrossed(state: State, context: Context, dots: tuple[Dot, ...] = ()) -> Factor:
    parts = state["parts"]
    if len(parts) != len(dots):
        raise DataError("interaction() of a different number of factors")
    pairs = zip(parts, dots, strict=True)
    factors = [thawed(part, "interaction", dot.value) for part, dot in pairs]
    how = {"separator": state["sep"], "last_fastest": bool(state["lex_order"])}
    full = crossed(factors, context.collation, **how)
    return thawed(state, "interaction", full)


@function("interaction", role="basis", replay=_recrossed, rows="distinct")
def _interaction(
    context: Context,
    dots: tuple[Dot, ...] = (),
    drop: bool = False,
    sep: str = ".",
    lex_order: bool = False,
) -> tuple[Factor, State]:
    """Return combinations of factors as one factor."""
    factors = [as_factor(dot.value, context.collation) for dot in dots]
    made = crossed(factors, context.collation, separator=sep, last_fastest=lex_order, drop=drop)
    state = {
        **frozen(made),
        "parts": tuple(frozen(drop_unused(item) if drop else item) for item in factors),
        "sep": sep,
        "lex_order": lex_order,
    }
    return made, state


def _indicators(state: State, f: Value) -> Matrix:
    """Return the indicators of rows: R's are those of a model matrix, without missing ones."""
    made, kept = thawed(state, "dummy", f), list(state["kept"])
    if len(kept) > _MOST_INDICATORS:
        raise DataError(f"dummy() of more than {_MOST_INDICATORS} levels")
    places = {level: place for place, level in enumerate(made.levels)}
    wanted = [places[level] for level in kept]
    codes = made.codes[made.codes >= 0]
    values = np.asfortranarray(codes[:, None] == wanted, dtype=np.float64)
    return Matrix(values, tuple(level_texts(kept)))


@function("dummy", role="basis", package="lme4", replay=_indicators, rows="distinct")
def _dummy(f: Value, context: Context, levelsToKeep: Value = MISSING) -> tuple[Matrix, State]:
    """Return indicators of some levels of a factor; by default of all but the first."""
    made = as_factor(f, context.collation)
    if len(made.levels) < 2:
        raise DataError(ONE_LEVEL)
    kept = made.levels[1:] if levelsToKeep is MISSING else tuple(strings_of(levelsToKeep))
    known, wanted = set(made.levels), set(kept)
    if not known & wanted:
        raise DataError("at least some of the levels in f must also be present in levelsToKeep")
    if not wanted <= known:
        raise DataError("all of the levelsToKeep must be levels of f")
    state = {**frozen(made), "kept": kept}
    return _indicators(state, made), state


# Intervals of numbers -----------------------------------------------------------------------

_MOST_PIECES = 100_000
_MOST_DIGITS = 22


def _breaks(x: FloatArray, breaks: Value) -> FloatArray:
    """Return sorted breaks: those given, or equal pieces of the range, a little wider."""
    given, _ = elements(breaks, "'breaks' must be numeric")
    if (given[0] if given.size == 1 else given.size) > _MOST_PIECES:
        raise DataError(f"cut() makes at most {_MOST_PIECES} intervals")
    if given.size != 1:
        return np.sort(given[~np.isnan(given)])
    if math.isnan(given[0]) or given[0] < 2:
        raise DataError("invalid number of intervals")
    count = int(given[0] + 1)
    present = x[~np.isnan(x)]
    if not present.size or not np.isfinite(present).all():
        raise DataError("'from' must be a finite number")
    low, high = float(present.min()), float(present.max())
    width = high - low
    if width == 0:
        width = abs(low) if low != 0 else 1.0
        return np.linspace(low - width / 1000, high + width / 1000, count)
    found = np.linspace(low, high, count)
    found[[0, -1]] = low - width / 1000, high + width / 1000
    return found


def _break_texts(breaks: FloatArray, digits: int) -> list[str]:
    width = 4 if -math.inf in breaks else 3
    return [
        ("-Inf" if number < 0 else "Inf").rjust(width)
        if math.isinf(number)
        else f"{number + 0.0:.{max(digits, 1)}g}"
        for number in breaks.tolist()
    ]


def _interval_labels(breaks: FloatArray, digits: int, right: bool, closed: bool) -> list[str]:
    """Return labels such as ``(0,5]`` with just enough digits to tell the breaks apart."""
    digits = min(digits, _MOST_DIGITS)
    for places in range(digits, max(12, digits) + 1):
        ends = _break_texts(breaks, places)
        if all(a != b for a, b in itertools.pairwise(ends)):
            break
    else:
        return [f"Range_{number}" for number in range(1, breaks.size)]
    opening, closing = ("(", "]") if right else ("[", ")")
    labels = [f"{opening}{a},{b}{closing}" for a, b in itertools.pairwise(ends)]
    if closed and right:
        labels[0] = "[" + labels[0][1:]
    elif closed:
        labels[-1] = labels[-1][:-1] + "]"
    return labels


def _intervals(state: State, x: Value) -> Value:
    """Return the stored intervals of numbers; outside them is NA, as in R."""
    numbers, breaks = _cut_numbers(x), np.asarray(state["breaks"], dtype=np.float64)
    right = bool(state["right"])
    codes = np.searchsorted(breaks, numbers, side="left" if right else "right") - 1
    codes[(codes < 0) | (codes >= breaks.size - 1) | np.isnan(numbers)] = -1
    if state["include_lowest"] and breaks.size > 1:
        end, place = (breaks[0], 0) if right else (breaks[-1], breaks.size - 2)
        codes[numbers == end] = place
    if state["labels"] is None:
        return pack(np.where(codes < 0, np.nan, codes + 1.0), "integer")
    return named_factor(codes.astype(np.int32), tuple(state["labels"]), bool(state["ordered"]))


def _cut_numbers(x: Value) -> FloatArray:
    if isinstance(x, Numeric) and x.time is not None:
        raise DataError(
            "cut() is for numbers here", hint="cut(as.numeric(x), 3), or format(x, '%Y-%m')"
        )
    if not isinstance(x, Numeric | Matrix) or x.kind == "logical":
        raise DataError("'x' must be numeric")
    return elements(x, "")[0]


@function("cut", role="basis", replay=_intervals, rows="extremes")
def _cut(
    x: Value,
    breaks: Value,
    context: Context,
    labels: Value | None = None,
    include_lowest: bool = False,
    right: bool = True,
    dig_lab: int = 3,
    ordered__result: bool = False,
) -> State:
    """Return intervals of numbers as a factor."""
    found = _breaks(_cut_numbers(x), breaks)
    if np.unique(found).size < found.size:
        raise DataError("'breaks' are not unique")
    if not found.size:
        raise DataError("invalid number of intervals")
    names: list[str | None] | None = None
    if labels is None:
        names = [*_interval_labels(found, dig_lab, right, include_lowest)]
    elif not isinstance(labels, Numeric) or labels.kind != "logical" or as_flag(labels, "labels"):
        names = strings_of(labels)
        if len(names) != found.size - 1:
            raise DataError(context.lme4.unequal_labels)
    return {
        "breaks": found,
        "right": right,
        "include_lowest": include_lowest,
        "ordered": ordered__result,
        "labels": None if names is None else tuple(names),
    }


@function("findInterval", role="elementwise", tables=("vec",))
def _find_interval(x: Value, vec: Value) -> Numeric:
    """Return the number of the interval that holds each number, closed on the left."""
    numbers, _ = elements(x, "'x' must be numeric")
    ends, _ = elements(vec, "'vec' must be numeric")
    if np.isnan(ends).any() or (np.diff(ends) < 0).any():
        raise DataError("'vec' must be sorted non-decreasingly and not contain NAs")
    found = np.searchsorted(ends, numbers, side="right")
    return pack(np.where(np.isnan(numbers), np.nan, found), "integer")
