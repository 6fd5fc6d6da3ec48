"""Functions that make factors, and those that code them: R's factor, cut, C, contr.*, ...

Levels are found from all rows; on new rows the same levels hold, and a value that
has none is an error, not a missing value.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.errors import DataError, nearest
from lme4py.formula.syntax import Constant, Symbol, Text
from lme4py.frame.coding import CONTRASTS, coding_matrix, complete_contrasts
from lme4py.frame.factors import as_factor, drop_unused, factor_of, recode
from lme4py.frame.functions.coercion import (
    as_flag,
    as_integer,
    as_number,
    as_string,
    flat,
    text,
)
from lme4py.frame.functions.table import Context, Dot, State, function, replays
from lme4py.frame.functions.timecuts import relabelled, time_breaks
from lme4py.frame.values import (
    Character,
    Codes,
    Factor,
    FunctionName,
    MalformedFactor,
    Matrix,
    Null,
    Numeric,
    Value,
    is_difftime,
    length,
)

_ONE_LEVEL = "contrasts can be applied only to factors with 2 or more levels"
_SHORT = {
    "poly": "contr.poly",
    "helmert": "contr.helmert",
    "sum": "contr.sum",
    "treatment": "contr.treatment",
    "SAS": "contr.SAS",
}
_SHOWN = 8

Levels = Sequence[str | None]


def _strings(value: Value) -> list[str | None]:
    """Return the elements of an argument as text; None is NA."""
    characters = text(value)
    return [None if code < 0 else characters.pool[code] for code in characters.codes.tolist()]


def _listed(items: Sequence[str | None]) -> str:
    shown = ", ".join("NA" if item is None else f"'{item}'" for item in items[:_SHOWN])
    return shown + (", ..." if len(items) > _SHOWN else "")


def _placed(value: Value, places: dict[str | None, int], name: str, strict: bool) -> Codes:
    """Return the place of each element's text; -1 for NA, and if not `strict` for others."""
    characters = text(value)
    table = np.array([places.get(item, -2) for item in characters.pool] + [-1], dtype=np.int32)
    table[-1] = places.get(None, -1)
    codes = table[characters.codes]
    unseen = np.unique(characters.codes[codes == -2])
    if strict and unseen.size:
        values = [characters.pool[code] for code in unseen.tolist()]
        known = [item for item in places if item is not None]
        raise DataError(
            f"{name}(): new data has the value{'s' if len(values) > 1 else ''} "
            f"{_listed(values)}, but the known levels are {_listed(known)}",
            hint=nearest(values[0], known),
        )
    return np.where(codes == -2, np.int32(-1), codes)


def _frozen(made: Factor) -> State:
    """Return the state of a factor whose levels are those of its argument's text."""
    return {"levels": made.levels, "ordered": made.ordered}


def _thawed(state: State, value: Value, name: str) -> Factor:
    """Return new rows with stored levels."""
    levels: tuple[str | None, ...] = tuple(state["levels"])
    places = {level: place for place, level in enumerate(levels)}
    return Factor(_placed(value, places, name, strict=True), levels, bool(state["ordered"]))


# factor and its kin --------------------------------------------------------------------


def _labelled(codes: Codes, levels: Levels, labels: Value | None) -> tuple[Codes, Levels]:
    """Return codes and levels after R's treatment of `labels`; equal labels are one level."""
    if labels is None:
        for place, level in enumerate(levels):
            if level in levels[:place]:
                raise DataError(f"factor level [{place + 1}] is duplicated")
        return codes, levels
    given = _strings(labels)
    if len(given) == len(levels):
        place_of = {label: place for place, label in enumerate(dict.fromkeys(given))}
        return recode(codes, [place_of[label] for label in given]), tuple(place_of)
    if len(given) == 1:
        stem = "NA" if given[0] is None else given[0]
        return codes, tuple(f"{stem}{number}" for number in range(1, len(levels) + 1))
    raise DataError(f"invalid 'labels'; length {len(given)} should be 1 or {len(levels)}")


def _found_levels(x: Value, context: Context) -> Levels:
    """Return the levels R finds in `x`, NA last if there is one."""
    made = factor_of(x, context.collation)
    missing = bool((made.codes < 0).any())
    return (*made.levels, None) if missing else made.levels


def _factor(
    x: Value,
    context: Context,
    levels: Value | None,
    labels: Value | None,
    exclude: Value | None,
    ordered: bool | None,
) -> tuple[Factor, State]:
    if isinstance(x, FunctionName):
        raise DataError("unique() applies only to vectors")
    excluded: list[str | None] = [None] if exclude is None else _strings(exclude)
    known = _found_levels(x, context) if levels is None else _strings(levels)
    kept = [level for level in known if level not in excluded]
    places: dict[str | None, int] = {}
    for place, level in enumerate(kept):
        places.setdefault(level, place)
    codes, final = _labelled(_placed(x, places, "factor", strict=False), kept, labels)
    is_ordered = (isinstance(x, Factor) and x.ordered) if ordered is None else ordered
    made = Factor(codes, tuple(final), is_ordered)
    renamed: list[int] = list(range(len(kept)))
    if labels is not None and len(final) != len(kept):
        given = _strings(labels)
        renamed = [final.index(label) for label in given]
    state = {
        "texts": tuple(kept),
        "codes": tuple(renamed),
        "levels": made.levels,
        "ordered": is_ordered,
        # Levels the user listed leave other values out, in old rows and in new ones.
        "strict": levels is None,
        "excluded": tuple(item for item in excluded if item is not None),
    }
    return made, state


def _factor_again(state: State, x: Value, name: str) -> Factor:
    places: dict[str | None, int] = {}
    for level, place in zip(state["texts"], state["codes"], strict=True):
        places.setdefault(level, int(place))
    for item in state["excluded"]:
        places.setdefault(item, -1)
    codes = _placed(x, places, name, strict=bool(state["strict"]))
    return Factor(codes, tuple(state["levels"]), bool(state["ordered"]))


_EMPTY = Character(np.zeros(0, dtype=np.int32), ())


@function(
    "factor",
    "x?, levels?, labels?, exclude = NA, ordered?, nmax = NA",
    role="basis",
    purpose="a factor, with levels in R's order or as listed",
)
def factor(
    context: Context,
    x: Value = _EMPTY,
    levels: Value | None = None,
    labels: Value | None = None,
    exclude: Value | None = None,
    ordered: Value | None = None,
    nmax: Value | None = None,
) -> tuple[Factor, State]:
    """Return R's ``factor``."""
    del nmax
    flag = None if ordered is None else as_flag(ordered, "ordered")
    return _factor(x, context, levels, labels, exclude, flag)


@replays("factor")
def factor_again(state: State, x: Value = _EMPTY, **options: Any) -> Factor:
    """Return new rows with the stored levels."""
    del options
    return _factor_again(state, x, "factor")


@function(
    "ordered",
    "x?, levels?, labels?, exclude = NA, nmax = NA",
    role="basis",
    purpose="an ordered factor",
)
def ordered(
    context: Context,
    x: Value = _EMPTY,
    levels: Value | None = None,
    labels: Value | None = None,
    exclude: Value | None = None,
    nmax: Value | None = None,
) -> tuple[Factor, State]:
    """Return R's ``ordered``."""
    del nmax
    return _factor(x, context, levels, labels, exclude, True)


@replays("ordered")
def ordered_again(state: State, x: Value = _EMPTY, **options: Any) -> Factor:
    """Return new rows with the stored levels."""
    del options
    return _factor_again(state, x, "ordered")


@function("as.factor", "x", role="basis", purpose="a factor; a factor stays as it is")
def to_factor(x: Value, context: Context) -> tuple[Factor, State]:
    """Return R's ``as.factor``."""
    made = as_factor(x, context.collation)
    return made, _frozen(made)


@replays("as.factor")
def to_factor_again(state: State, x: Value, **options: Any) -> Factor:
    """Return new rows with the stored levels."""
    del options
    return _thawed(state, x, "as.factor")


@function("as.ordered", "x", role="basis", purpose="an ordered factor; an ordered one stays")
def to_ordered(x: Value, context: Context) -> tuple[Factor, State]:
    """Return R's ``as.ordered``: unlike ``as.factor`` it drops unused levels."""
    if isinstance(x, Factor) and x.ordered:
        return x, _frozen(x)
    found = factor_of(x, context.collation)
    made = Factor(found.codes, found.levels, ordered=True)
    return made, _frozen(made)


@replays("as.ordered")
def to_ordered_again(state: State, x: Value, **options: Any) -> Factor:
    """Return new rows with the stored levels."""
    del options
    return _thawed(state, x, "as.ordered")


@function("relevel", "x, ref, ...", role="basis", package="stats", purpose="one level moved first")
def relevel(x: Value, ref: Value, dots: tuple[Dot, ...] = ()) -> tuple[Factor, State]:
    """Return R's ``relevel``."""
    del dots
    if not isinstance(x, Factor):
        raise DataError("'relevel' only for (unordered) factors")
    if x.ordered:
        raise DataError("'relevel' only for unordered factors")
    if length(ref) != 1:
        raise DataError("'ref' must be of length one")
    if isinstance(ref, Character | Factor):
        wanted = _strings(ref)[0]
        if wanted not in x.levels:
            known = [level for level in x.levels if level is not None]
            raise DataError("'ref' must be an existing level", hint=nearest(wanted or "NA", known))
        first = x.levels.index(wanted)
    else:
        number = as_number(ref, "ref")
        if math.isnan(number):
            raise DataError("'ref' must be an existing level")
        if number < 1 or number > len(x.levels):
            raise DataError(f"ref = {number:g} must be in 1L:{len(x.levels)}")
        first = int(number) - 1
    order = [first, *(place for place in range(len(x.levels)) if place != first)]
    position = np.empty(len(order), dtype=np.int32)
    position[order] = np.arange(len(order), dtype=np.int32)
    made = Factor(recode(x.codes, position), tuple(x.levels[place] for place in order))
    return made, _frozen(made)


@replays("relevel")
def relevel_again(
    state: State, x: Value, ref: Value | None = None, dots: tuple[Dot, ...] = ()
) -> Factor:
    """Return new rows with the stored levels."""
    del ref, dots
    return _thawed(state, x, "relevel")


@function("droplevels", "x, exclude?, ...", role="basis", purpose="unused levels dropped")
def droplevels(
    x: Value, context: Context, exclude: Value | None = None, dots: tuple[Dot, ...] = ()
) -> tuple[Factor, State]:
    """Return R's ``droplevels``."""
    del dots
    if not isinstance(x, Factor):
        raise DataError("no applicable method for 'droplevels': it takes a factor")
    if exclude is not None:
        return _factor(x, context, None, None, exclude, None)
    kept = drop_unused(x)
    made = Factor(kept.codes, kept.levels, kept.ordered)
    return made, {
        "texts": made.levels,
        "codes": tuple(range(len(made.levels))),
        "levels": made.levels,
        "ordered": made.ordered,
        "strict": True,
        "excluded": (),
    }


@replays("droplevels")
def droplevels_again(state: State, x: Value, **options: Any) -> Factor:
    """Return new rows with the stored levels."""
    del options
    return _factor_again(state, x, "droplevels")


@function("addNA", "x, ifany = FALSE", role="basis", purpose="missing values made a level")
def add_na(x: Value, context: Context, ifany: Value | None = None) -> tuple[Factor, State]:
    """Return R's ``addNA``."""
    made = as_factor(x, context.collation)
    missing = bool((made.codes < 0).any())
    only_if_any = ifany is not None and as_flag(ifany, "ifany")
    if missing or not only_if_any:
        levels = made.levels if None in made.levels else (*made.levels, None)
        codes = np.where(made.codes < 0, np.int32(levels.index(None)), made.codes)
        made = Factor(codes, levels, made.ordered)
    return made, _frozen(made)


@replays("addNA")
def add_na_again(state: State, x: Value, **options: Any) -> Factor:
    """Return new rows with the stored levels."""
    del options
    return _thawed(state, x, "addNA")


@function("levels", "x", role="summary", purpose="the levels of a factor")
def levels(x: Value) -> Value:
    """Return R's ``levels``."""
    if not isinstance(x, Factor | MalformedFactor):
        return Null()
    pool = tuple(level for level in x.levels if level is not None)
    places = {level: place for place, level in enumerate(pool)}
    codes = [-1 if level is None else places[level] for level in x.levels]
    return Character(np.array(codes, dtype=np.int32), pool)


@function("nlevels", "x", role="summary", purpose="the number of levels of a factor")
def nlevels(x: Value) -> Numeric:
    """Return R's ``nlevels``."""
    count = len(x.levels) if isinstance(x, Factor) else 0
    return Numeric(np.array([count], dtype=np.int64), "integer")


_MOST_PIECES = 100_000
_MOST_DIGITS = 22
_MOST_CODED = 5_000
_MOST_COMBINATIONS = 5_000_000

# cut and findInterval ------------------------------------------------------------------


def _breaks(x: NDArray[np.float64], breaks: Value) -> NDArray[np.float64]:
    """Return sorted breaks: those given, or equal pieces of the range, a little wider."""
    given, _ = flat(breaks, "'breaks' must be numeric")
    if given.size > _MOST_PIECES:
        raise DataError(f"cut() makes at most {_MOST_PIECES} intervals")
    if given.size != 1:
        return np.sort(given[~np.isnan(given)])
    if math.isnan(given[0]) or given[0] < 2:
        raise DataError("invalid number of intervals")
    if given[0] > _MOST_PIECES:
        raise DataError(f"cut() makes at most {_MOST_PIECES} intervals")
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


def _break_texts(breaks: NDArray[np.float64], digits: int) -> list[str]:
    infinite = [number for number in breaks.tolist() if math.isinf(number)]
    width = 4 if -math.inf in infinite else 3
    return [
        ("-Inf" if number < 0 else "Inf").rjust(width)
        if math.isinf(number)
        else f"{number + 0.0:.{max(digits, 1)}g}"
        for number in breaks.tolist()
    ]


def _interval_labels(
    breaks: NDArray[np.float64], digits: int, right: bool, closed: bool
) -> list[str]:
    """Return labels such as ``(0,5]`` with just enough digits to tell the breaks apart."""
    for places in range(min(digits, _MOST_DIGITS), max(12, min(digits, _MOST_DIGITS)) + 1):
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


def _bins(x: NDArray[np.float64], state: State) -> Codes:
    """Return the interval of each number, 0-based; -1 outside and for NaN."""
    breaks = np.asarray(state["breaks"], dtype=np.float64)
    right, closed = bool(state["right"]), bool(state["include_lowest"])
    codes = np.searchsorted(breaks, x, side="left" if right else "right") - 1
    outside = (codes < 0) | (codes >= breaks.size - 1) | np.isnan(x)
    codes[outside] = -1
    if closed and breaks.size > 1:
        end, place = (breaks[0], 0) if right else (breaks[-1], breaks.size - 2)
        codes[x == end] = place
    return codes.astype(np.int32)


def _cut_value(x: NDArray[np.float64], state: State) -> Value:
    codes = _bins(x, state)
    if state["labels"] is None:
        if (codes < 0).any():
            return Numeric(np.where(codes < 0, np.nan, codes + 1.0), "integer")
        return Numeric(codes.astype(np.int64) + 1, "integer")
    labels = list(state["labels"])
    named = (label for label in labels if label is not None)
    places = {label: place for place, label in enumerate(dict.fromkeys(named))}
    merged = recode(codes, [places.get(label, -1) for label in labels])
    return Factor(merged, tuple(places), bool(state["ordered"]))


def _cut_numbers(x: Value) -> NDArray[np.float64]:
    unfit = isinstance(x, Numeric) and is_difftime(x.time)
    if not isinstance(x, Numeric | Matrix) or x.kind == "logical" or unfit:
        raise DataError("'x' must be numeric")
    return flat(x, "'x' must be numeric")[0]


@function(
    "cut",
    "x, breaks, labels = NULL, include.lowest = FALSE, right = TRUE, dig.lab = 3, "
    "ordered_result = FALSE, ...",
    role="basis",
    purpose="intervals of numbers or times as a factor",
)
def cut(
    x: Value,
    breaks: Value,
    labels: Value | None = None,
    include_lowest: Value | None = None,
    right: Value | None = None,
    dig_lab: Value | None = None,
    ordered_result: Value | None = None,
    dots: tuple[Dot, ...] = (),
) -> tuple[Value, State]:
    """Return R's ``cut``."""
    numbers = _cut_numbers(x)
    times = None
    if isinstance(x, Numeric) and x.time is not None:
        monday = [dot.value for dot in dots if dot.name == "start.on.monday"]
        times = time_breaks(x, breaks, not monday or as_flag(monday[0], "start.on.monday"))
        breaks = Numeric(times.breaks.values, times.breaks.kind)
    found = _breaks(numbers, breaks)
    if np.unique(found).size < found.size:
        raise DataError("'breaks' are not unique")
    if not found.size:
        raise DataError("invalid number of intervals")
    closed = include_lowest is not None and as_flag(include_lowest, "include.lowest")
    from_right = times is None if right is None else as_flag(right, "right")
    names: list[str | None] | None
    if labels is None or isinstance(labels, Null):
        digits = 3 if dig_lab is None else as_integer(dig_lab, "dig.lab")
        names = list(_interval_labels(found, digits, from_right, closed))
    elif isinstance(labels, Numeric) and labels.kind == "logical" and not as_flag(labels, "labels"):
        names = None
    else:
        names = _strings(labels)
        if len(names) != found.size - 1:
            raise DataError("lengths of 'breaks' and 'labels' differ")
    named = labels is not None and not isinstance(labels, Null)
    if times is not None and times.labels is not None and not named:
        names = list(times.labels)
    state: dict[str, Any] = {
        "breaks": found,
        "labels": None if names is None else tuple(names),
        "right": from_right,
        "include_lowest": closed,
        "ordered": ordered_result is not None and as_flag(ordered_result, "ordered_result"),
    }
    if times is not None and times.labels is None and not named and isinstance(x, Numeric):
        state["labels"] = relabelled(x, _bins(numbers, state), found.size - 1)
    return _cut_value(numbers, state), state


@replays("cut")
def cut_again(state: State, x: Value, **options: Any) -> Value:
    """Return the stored intervals of new numbers; outside them is NA, as in R."""
    del options
    return _cut_value(_cut_numbers(x), state)


@function(
    "findInterval",
    "x, vec, rightmost.closed = FALSE, all.inside = FALSE, left.open = FALSE",
    role="elementwise",
    purpose="the number of the interval that holds each number",
    tables=("vec",),
)
def find_interval(
    x: Value,
    vec: Value,
    rightmost_closed: Value | None = None,
    all_inside: Value | None = None,
    left_open: Value | None = None,
) -> Numeric:
    """Return R's ``findInterval``."""
    numbers, _ = flat(x, "'x' must be numeric")
    ends, _ = flat(vec, "'vec' must be numeric")
    if np.isnan(ends).any() or (np.diff(ends) < 0).any():
        raise DataError("'vec' must be sorted non-decreasingly and not contain NAs")
    left = left_open is not None and as_flag(left_open, "left.open")
    found = np.searchsorted(ends, numbers, side="left" if left else "right")
    if ends.size:
        if all_inside is not None and as_flag(all_inside, "all.inside"):
            found = np.where(found == 0, 1, np.where(found == ends.size, ends.size - 1, found))
        if rightmost_closed is not None and as_flag(rightmost_closed, "rightmost.closed"):
            if left:
                found = np.where(numbers == ends[0], 1, found)
            else:
                found = np.where(numbers == ends[-1], ends.size - 1, found)
    missing = np.isnan(numbers)
    if missing.any():
        return Numeric(np.where(missing, np.nan, found), "integer")
    return Numeric(found.astype(np.int64), "integer")


# interaction ---------------------------------------------------------------------------


def _joined(levels: Levels) -> list[str]:
    return ["NA" if level is None else level for level in levels]


def _combined(factors: Sequence[Factor], separator: str, last_fastest: bool, drop: bool) -> Factor:
    """Return all combinations of factors, from the last to the first as R goes."""
    result = factors[-1]
    for current in reversed(factors[:-1]):
        missing = (current.codes < 0) | (result.codes < 0)
        outer, inner = _joined(current.levels), _joined(result.levels)
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
        codes[missing] = -1
        places = {label: place for place, label in enumerate(dict.fromkeys(texts))}
        merged = recode(codes.astype(np.int32), [places[label] for label in texts])
        result = Factor(merged, tuple(places))
        if drop:
            result = drop_unused(result)
    return Factor(result.codes, result.levels)


@function(
    "interaction",
    '..., drop = FALSE, sep = ".", lex.order = FALSE',
    role="basis",
    purpose="combinations of factors as one factor",
)
def interaction(
    context: Context,
    dots: tuple[Dot, ...] = (),
    drop: Value | None = None,
    sep: Value | None = None,
    lex_order: Value | None = None,
) -> tuple[Factor, State]:
    """Return R's ``interaction``."""
    if not dots:
        raise DataError("No factors specified")
    dropping = drop is not None and as_flag(drop, "drop")
    separator = "." if sep is None else as_string(sep, "sep")
    last_fastest = lex_order is not None and as_flag(lex_order, "lex.order")
    factors = [as_factor(dot.value, context.collation) for dot in dots]
    if dropping:
        factors = [drop_unused(item) for item in factors]
    if len({item.codes.size for item in factors}) > 1:
        raise DataError("variable lengths differ in interaction()")
    made = _combined(factors, separator, last_fastest, dropping)
    state = {
        "parts": tuple(item.levels for item in factors),
        "levels": made.levels,
        "sep": separator,
        "lex_order": last_fastest,
    }
    return made, state


@replays("interaction")
def interaction_again(state: State, dots: tuple[Dot, ...] = (), **options: Any) -> Factor:
    """Return new rows with the stored levels."""
    del options
    parts = state["parts"]
    if len(parts) != len(dots):
        raise DataError("interaction() of a different number of factors")
    factors = [
        _thawed({"levels": part, "ordered": False}, dot.value, "interaction")
        for part, dot in zip(parts, dots, strict=True)
    ]
    full = _combined(factors, state["sep"], bool(state["lex_order"]), drop=False)
    return _thawed({"levels": state["levels"], "ordered": False}, full, "interaction")


# Codings -------------------------------------------------------------------------------


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, count + 1))


def _levels_argument(n: Value, name: str) -> tuple[str, ...]:
    """Return the levels that the first argument of a contrast function stands for."""
    if isinstance(n, Numeric) and n.values.size == 1:
        count = as_number(n, "n")
        if math.isnan(count) or (count <= 1 and name != "contr.poly"):
            raise DataError("not enough degrees of freedom to define contrasts")
        if count > _MOST_CODED:
            raise DataError(f"a coding matrix of more than {_MOST_CODED} levels")
        return _numbered(int(count))
    if length(n) > _MOST_CODED:
        raise DataError(f"a coding matrix of more than {_MOST_CODED} levels")
    return tuple(_joined(_strings(n)))


def _options(name: str, given: dict[str, Value | None]) -> dict[str, Any]:
    """Return the options of a contrast function as Python values."""
    options: dict[str, Any] = {}
    for option, value in given.items():
        if value is None or option in ("sparse", "n"):
            continue
        if option == "contrasts":
            options[option] = as_flag(value, option)
        elif option == "base":
            options[option] = as_number(value, option)
        elif option == "scores":
            options[option] = flat(value, "'scores' must all be different numbers")[0]
        else:
            raise DataError(f"unused argument ({option}) in {name}()")
    return options


def _enter_contrast(name: str, signature: str) -> Callable[..., Matrix]:
    def compute(n: Value, **given: Value | None) -> Matrix:
        return coding_matrix(name, _levels_argument(n, name), **_options(name, given))

    compute.__doc__ = f"Return R's ``{name}``."
    function(
        name, signature, role="summary", package="stats", purpose="a coding matrix for a factor"
    )(compute)
    return compute


contr_treatment = _enter_contrast(
    "contr.treatment", "n, base = 1, contrasts = TRUE, sparse = FALSE"
)
contr_sas = _enter_contrast("contr.SAS", "n, contrasts = TRUE, sparse = FALSE")
contr_sum = _enter_contrast("contr.sum", "n, contrasts = TRUE, sparse = FALSE")
contr_helmert = _enter_contrast("contr.helmert", "n, contrasts = TRUE, sparse = FALSE")
contr_poly = _enter_contrast("contr.poly", "n, scores?, contrasts = TRUE, sparse = FALSE")


def _default(is_ordered: bool) -> str:
    return "contr.poly" if is_ordered else "contr.treatment"


def _coding_of(
    contr: Any, count: int, is_ordered: bool, options: dict[str, Value | None] | None
) -> str | Matrix:
    """Return what C() attaches: the name of a contrast function, or a matrix.

    `contr` is a syntax tree, or a value where it was evaluated. R calls a function
    that is given by its own symbol with the number of levels, so its columns are
    named by numbers; one given by text or a short name is only remembered.
    """
    called = False
    match contr:
        case None:
            name = _default(is_ordered)
        case Symbol():
            name = _SHORT.get(contr.name, contr.name)
            called = contr.name not in _SHORT
        case FunctionName():
            name, called = contr.name, True
        case Text():
            name = contr.value
        case Character():
            name = as_string(contr, "contr")
        case Matrix():
            return contr
        case Numeric() if contr.kind != "logical":
            return Matrix(contr.as_float().reshape(-1, 1), None, contr.kind)
        case Null() | Constant(name="NULL"):
            name = _default(is_ordered)
        case _:
            raise DataError("numeric contrasts or contrast name expected")
    if name not in CONTRASTS:
        raise DataError(
            f"object '{name}' of mode 'function' was not found", hint=nearest(name, CONTRASTS)
        )
    if not called and options is None:
        return name
    return coding_matrix(name, _numbered(count), **_options(name, options or {}))


@function(
    "C",
    "object, contr?, how.many?, ...",
    role="basis",
    package="stats",
    purpose="a factor with its own contrasts",
    quoted=("contr",),
)
def with_contrasts(
    object: Value,
    contr: Any = None,
    how_many: Value | None = None,
    dots: tuple[Dot, ...] = (),
) -> tuple[Factor, State]:
    """Return R's ``C``."""
    # R takes neither text nor truth for a factor here.
    if not isinstance(object, Factor) or not object.levels:
        raise DataError("object not interpretable as a factor")
    made = object
    if len(made.levels) < 2:
        raise DataError(_ONE_LEVEL)
    options: dict[str, Value | None] | None = None
    if dots or how_many is not None:
        options = {}
        for place, dot in enumerate(dots):
            options[dot.name or ("base", "contrasts")[min(place, 1)]] = dot.value
    coding = _coding_of(contr, len(made.levels), made.ordered, options)
    if isinstance(coding, Matrix):
        count = len(made.levels)
        if coding.values.shape[0] != count:
            raise DataError("wrong number of contrast matrix rows")
        wanted = count - 1 if how_many is None else as_integer(how_many, "how.many")
        coding = complete_contrasts(coding, wanted)
    made = Factor(made.codes, made.levels, made.ordered, coding)
    state = {
        **_frozen(made),
        "contrasts": coding if isinstance(coding, str) else None,
        "matrix": coding.values if isinstance(coding, Matrix) else None,
        "names": coding.names if isinstance(coding, Matrix) else None,
    }
    return made, state


@replays("C")
def with_contrasts_again(state: State, object: Value, **options: Any) -> Factor:
    """Return new rows with the stored levels and contrasts."""
    del options
    made = _thawed(state, object, "C")
    coding: str | Matrix
    if state["matrix"] is None:
        coding = str(state["contrasts"])
    else:
        names = None if state["names"] is None else tuple(state["names"])
        coding = Matrix(np.asfortranarray(state["matrix"], dtype=np.float64), names)
    return Factor(made.codes, made.levels, made.ordered, coding)


@function(
    "contrasts",
    "x, contrasts = TRUE",
    role="summary",
    package="stats",
    purpose="the coding matrix of a factor",
)
def contrasts(x: Value, contrasts: Value | None = None) -> Matrix:
    """Return R's ``contrasts``."""
    if isinstance(x, Numeric) and x.kind == "logical":
        x = Factor(np.zeros(0, dtype=np.int32), ("FALSE", "TRUE"))
    if not isinstance(x, Factor):
        raise DataError("contrasts apply only to factors")
    names = _joined(x.levels)
    if contrasts is not None and not as_flag(contrasts, "contrasts"):
        return Matrix(np.eye(len(names), order="F"), tuple(names))
    if isinstance(x.contrasts, Matrix):
        return x.contrasts
    return coding_matrix(x.contrasts or _default(x.ordered), names)


@function(
    "dummy",
    "f, levelsToKeep?",
    role="basis",
    package="lme4",
    purpose="indicators of some levels of a factor",
)
def dummy(f: Value, context: Context, levelstokeep: Value | None = None) -> tuple[Matrix, State]:
    """Return lme4's ``dummy``: by default every level but the first has a column."""
    made = as_factor(f, context.collation)
    if len(made.levels) < 2:
        raise DataError(_ONE_LEVEL)
    kept = list(made.levels[1:]) if levelstokeep is None else _strings(levelstokeep)
    if not any(level in kept for level in made.levels):
        raise DataError("at least some of the levels in f must also be present in levelsToKeep")
    if not all(level in made.levels for level in kept):
        raise DataError("all of the levelsToKeep must be levels of f")
    state = {**_frozen(made), "kept": tuple(kept)}
    present = Factor(made.codes[made.codes >= 0], made.levels)
    return _indicators(present, kept), state


def _indicators(made: Factor, kept: Levels) -> Matrix:
    values = np.empty((made.codes.size, len(kept)), order="F")
    for place, level in enumerate(kept):
        values[:, place] = made.codes == made.levels.index(level)
    values[made.codes < 0] = np.nan
    return Matrix(values, tuple(_joined(kept)))


@replays("dummy")
def dummy_again(state: State, f: Value, **options: Any) -> Matrix:
    """Return the indicators of new rows; a missing value has missing ones."""
    del options
    return _indicators(_thawed(state, f, "dummy"), tuple(state["kept"]))
