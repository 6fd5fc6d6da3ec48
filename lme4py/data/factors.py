"""Factors from values, and the interaction of grouping factors, in integer arithmetic.

Work per row is done on whole arrays of codes; strings are made once per level.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.collation import Collation
from lme4py.data.values import (
    Character,
    Codes,
    Factor,
    Matrix,
    Numeric,
    Time,
    Value,
    time_class,
    used_codes,
)
from lme4py.errors import DataError
from lme4py.numerals import labels
from lme4py.versions import followed

_MOST_DAYS = 2**31 - 1  # as many as R can write
_SECONDS_PER_DAY = 86400
# The largest table of presences that is still linear work: four places a row.
_DENSE, _SMALL = 4, 1 << 16
# Years below 1000 are not padded by R.
_PADDING = re.compile(r"^(-?)0+(?=[0-9])")
_PIECE = 1 << 15


def _distinct_integers(values: NDArray[Any], low: int, high: int) -> tuple[NDArray[Any], Codes]:
    """Return the sorted distinct integers of `values` and each value's position among them."""
    size = high - low + 1
    if size > max(_DENSE * values.size, _SMALL):
        found, codes = np.unique(values, return_inverse=True)
        return found, codes.astype(np.int32)
    shifted = (values - low if low else values).astype(np.int64, copy=False)
    present = np.zeros(size, dtype=bool)
    for begin in range(0, shifted.size, _PIECE):
        present[shifted[begin : begin + _PIECE]] = True
    position = np.cumsum(present, dtype=np.int32) - np.int32(1)
    return (np.flatnonzero(present) + low).astype(values.dtype), recode(shifted, position)


def distinct(values: NDArray[Any]) -> tuple[NDArray[Any], Codes]:
    """Return the sorted distinct numbers, and each number's position among them, -1 for NaN.

    They are bool, int64 or float64; -0.0 and 0.0 are one number.

    Examples
    --------
    >>> distinct(np.array([2.0, np.nan, 1.0, 2.0]))
    (array([1., 2.]), array([ 1, -1,  0,  1], dtype=int32))
    """
    if values.dtype == np.bool_:
        values = values.astype(np.int64)
    if values.dtype.kind == "f":
        missing = np.isnan(values)
        if missing.any():
            found, kept = distinct(values[~missing])
            codes = np.full(values.size, -1, dtype=np.int32)
            codes[~missing] = kept
            return found, codes
    if not values.size:
        return values, np.zeros(0, dtype=np.int32)
    low, high = values.min(), values.max()
    small = low > -(2.0**53) and high < 2.0**53
    if small and (values.dtype.kind != "f" or bool((values == np.floor(values)).all())):
        return _distinct_integers(values, int(low), int(high))
    found, inverse = np.unique(values, return_inverse=True)
    return found, inverse.astype(np.int32)


def first_rows(values: Sequence[Value]) -> NDArray[np.int64]:
    """Return the rows that are the first with their combination of values, in order.

    Missing values count as a value.

    Examples
    --------
    >>> x = Numeric(np.array([2.0, 1.0, 2.0, np.nan, np.nan]), "double")
    >>> first_rows([x]).tolist()
    [0, 1, 3]
    """
    keys = np.zeros(0, dtype=np.int64)
    for codes in (codes for value in values for codes in _codes_of(value)):
        shifted = codes.astype(np.int64) + 1
        width = int(shifted.max(initial=0)) + 1
        if not keys.size:
            keys = shifted
            continue
        if int(keys.max(initial=0)) >= 2**62 // width:
            keys = np.unique(keys, return_inverse=True)[1]
        keys = keys * width + shifted
    size = int(keys.max(initial=-1)) + 1
    if size > max(_DENSE * keys.size, _SMALL):
        import pandas as pd

        # By a table, for which sorting would be several times too slow.
        return np.flatnonzero(~pd.Series(keys).duplicated().to_numpy())
    # Of rows with one key the last that is written stays: the first of all.
    first = np.full(size, -1, dtype=np.int64)
    first[keys[::-1]] = np.arange(keys.size - 1, -1, -1)
    return np.sort(first[first >= 0])


def _codes_of(value: Value) -> list[Codes]:
    match value:
        case Character(codes=codes) | Factor(codes=codes):
            return [codes]
        case Numeric(values=values):
            return [distinct(values)[1]]
        case Matrix(values=matrix):
            return [distinct(column)[1] for column in matrix.T]
        case _:
            raise DataError("a function or NULL has no rows")


def extreme_rows(values: Sequence[Value]) -> NDArray[np.int64]:
    """Return rows with the least and the greatest number of each value, and a missing one.

    Of text and factors every first row is returned.

    Examples
    --------
    >>> extreme_rows([Numeric(np.array([2.0, 1.0, 3.0, np.nan, 2.0]), "double")]).tolist()
    [1, 2, 3]
    """
    found: list[Any] = []
    for value in values:
        if not isinstance(value, Numeric | Matrix):
            found.append(first_rows([value]))
            continue
        for column in np.atleast_2d(value.values.T):
            missing = np.isnan(column)
            known = np.flatnonzero(~missing) if missing.any() else slice(None)
            if column[known].size:
                places = [column[known].argmin(), column[known].argmax()]
                found.append(places if isinstance(known, slice) else known[places])
            found.append(np.flatnonzero(missing)[:1])
    return np.unique(np.concatenate(found)).astype(np.int64)


def on_clock(seconds: NDArray[np.float64], time: Time | None) -> NDArray[np.float64]:
    """Return moments in UTC as whole seconds on the clock of a POSIXct's zone.

    Infinite and missing ones stay.

    Examples
    --------
    >>> on_clock(np.array([0.0]), "POSIXct Asia/Kathmandu")
    array([19800.])
    """
    zone = (*(time or "").split(" ")[1:2], "UTC")[0]
    whole = np.floor(seconds)
    if zone == "UTC" or not whole.size:
        return whole
    import pandas as pd

    finite = np.isfinite(whole)
    try:
        stamps = pd.DatetimeIndex(whole[finite].astype("M8[s]"))
        shown = stamps.tz_localize("UTC").tz_convert(zone).tz_localize(None)
    except (LookupError, ValueError, OverflowError, OSError) as fault:
        raise DataError(f"unknown time zone '{zone}'") from fault
    whole[finite] = shown.to_numpy().astype("M8[s]").astype(np.int64)
    return whole


def shows_clock(time: Time | None, seconds: NDArray[np.float64]) -> bool:
    """Tell whether moments are written with the hour: R does if one of them is no midnight."""
    if (time or "").endswith(" clock"):
        return True
    return bool((on_clock(seconds, time) % _SECONDS_PER_DAY != 0).any())


def _time_labels(values: NDArray[np.float64], unit: str) -> list[str]:
    """Return the days or seconds since 1970 as R's text."""
    with np.errstate(invalid="ignore"):
        moments = np.floor(values).astype(f"datetime64[{unit}]")
    if np.isnat(moments).any() or (unit == "D" and (np.abs(values) > _MOST_DAYS).any()):
        raise DataError("a date is out of range")
    return [_PADDING.sub(r"\1", text.replace("T", " ")) for text in moments.astype("U32")]


def _moments_one_by_one(seconds: NDArray[np.float64]) -> list[str]:
    """Return date-times as R 4.6 writes each: no midnight, and up to six digits of seconds."""
    whole = np.floor(seconds)
    found = []
    for text, second, part in zip(_time_labels(whole, "s"), whole, seconds - whole, strict=True):
        if part:
            ending = labels(np.round(np.array([second % 60 + part]), 6))[0]
            found.append(f"{text[:-2]}{'0' if second % 60 < 10 else ''}{ending}")
        else:
            found.append(text.removesuffix(" 00:00:00"))
    return found


def value_labels(value: Numeric, numbers: NDArray[Any], *, together: bool = False) -> list[str]:
    """Return R's ``as.character`` of some numbers of a vector, none of which is missing.

    The times of midnights are left out one by one, or only if there are no others (`together`), as
    R's ``format`` does.

    Examples
    --------
    >>> value_labels(Numeric(np.array([0.0, 1.0]), "logical"), np.array([0.0, 1.0]))
    ['FALSE', 'TRUE']
    """
    if value.kind == "logical":
        return ["TRUE" if number else "FALSE" for number in numbers.tolist()]
    if time_class(value.time) in ("Date", "POSIXct"):
        ends = numbers.astype(np.float64)
        finite = np.isfinite(ends)
        known = ends[finite]
        if value.time == "Date":
            texts = iter(_time_labels(known, "D"))
        elif followed().times_one_by_one and not together:
            texts = iter(_moments_one_by_one(on_clock(known, value.time) + known % 1))
        elif shows_clock(value.time, known):
            texts = iter(_time_labels(on_clock(known, value.time), "s"))
        else:
            days = on_clock(known, value.time) // _SECONDS_PER_DAY
            texts = iter(_time_labels(days, "D"))
        return [
            next(texts) if plain else "Inf" if number > 0 else "-Inf"
            for plain, number in zip(finite, ends, strict=True)
        ]
    if value.kind == "integer":
        return [str(int(number)) for number in numbers.tolist()]
    return labels(numbers.astype(np.float64))


def recode(codes: NDArray[Any], positions: Sequence[int] | NDArray[Any]) -> Codes:
    """Return ``positions[codes]`` where -1 stays -1.

    Examples
    --------
    >>> recode(np.array([0, -1, 1], dtype=np.int32), [1, 0])
    array([ 1, -1,  0], dtype=int32)
    """
    table = np.empty(len(positions) + 1, dtype=np.int32)
    table[:-1] = positions
    table[-1] = -1
    recoded = np.empty(codes.size, dtype=np.int32)
    # In pieces, because take() makes 64-bit indices of all it gets.
    for begin in range(0, codes.size, _PIECE):
        piece = slice(begin, begin + _PIECE)
        np.take(table, codes[piece], out=recoded[piece], mode="wrap")
    return recoded


def named_factor(codes: Codes, texts: Sequence[str | None], ordered: bool = False) -> Factor:
    """Return a factor whose levels have these names: alike ones are one, None is missing.

    Examples
    --------
    >>> named_factor(np.array([0, 1, 2], dtype=np.int32), ("a", "b", "a")).codes.tolist()
    [0, 1, 0]
    """
    levels = tuple(dict.fromkeys(text for text in texts if text is not None))
    if len(levels) == len(texts):
        return Factor(codes, levels, ordered)
    places: dict[str | None, int] = {text: place for place, text in enumerate(levels)}
    return Factor(recode(codes, [places.get(text, -1) for text in texts]), levels, ordered)


def _dropped(factor: Factor, used: NDArray[np.intp]) -> Factor:
    position = np.full(len(factor.levels), -1, dtype=np.int32)
    position[used] = np.arange(used.size, dtype=np.int32)
    kept = tuple(factor.levels[index] for index in used)
    return Factor(recode(factor.codes, position), kept, factor.ordered)


def drop_unused(factor: Factor) -> Factor:
    """Return the factor without levels that no row has (R's ``droplevels``).

    The factor itself comes back when every level is used; else its contrasts go, as
    they no longer fit.

    Examples
    --------
    >>> drop_unused(Factor(np.array([2, 0], dtype=np.int32), ("z", "q", "a"))).levels
    ('z', 'a')
    """
    return factor if factor.used is None else _dropped(factor, factor.used)


def logical_factor(values: NDArray[Any]) -> Factor:
    """Return a logical vector as R codes it: both levels, whichever are present.

    Examples
    --------
    >>> made = logical_factor(np.array([1.0, np.nan]))
    >>> made.levels, made.codes.tolist()
    (('FALSE', 'TRUE'), [1, -1])
    """
    codes = np.where(np.isnan(values), -1, values) if values.dtype.kind == "f" else values
    return Factor(codes.astype(np.int32), ("FALSE", "TRUE"))


def factor_of(value: Value, collation: Collation) -> Factor:
    """Return R's ``factor(x)``.

    Numbers are ordered as numbers, FALSE before TRUE, text by `collation`, a factor keeps its
    order and drops what is not used. Missing values, and an NA level, have code -1. Numbers that
    print alike are one level.

    Examples
    --------
    >>> factor_of(Numeric(np.array([10.0, 9.0, 1e5]), "double"), Collation()).levels
    ('9', '10', '1e+05')
    """
    match value:
        case Factor():
            every = range(len(value.levels)) if value.used is None else value.used
            kept = [place for place in every if value.levels[place] is not None]
            return _dropped(value, np.array(kept, dtype=np.intp))
        case Character():
            pool, places = value.pool, used_codes(value.codes, len(value.pool))
            if places is None:
                order = collation.order(pool)
            else:
                known = places.tolist()
                order = [known[place] for place in collation.order([pool[i] for i in known])]
            position = np.full(len(pool), -1, dtype=np.int32)
            position[order] = np.arange(len(order), dtype=np.int32)
            return Factor(recode(value.codes, position), tuple(map(pool.__getitem__, order)))
        case Numeric():
            numbers, codes = distinct(value.values)
            return named_factor(codes, value_labels(value, numbers))
        case _:
            # R reads a matrix column after column; of one column that is the vector.
            values = getattr(value, "values", None)
            if isinstance(values, np.ndarray):
                column = Numeric(values.ravel(order="F"), "double")
                return factor_of(column, collation)
            raise DataError("a function or NULL cannot be made a factor")


def as_factor(value: Value, collation: Collation) -> Factor:
    """Return R's ``as.factor(x)``: a factor unchanged, `factor_of` anything else.

    Examples
    --------
    >>> as_factor(Character(np.array([1, 0], dtype=np.int32), ("b", "a")), Collation()).levels
    ('a', 'b')
    """
    return value if isinstance(value, Factor) else factor_of(value, collation)


def _texts(levels: Sequence[str | None], places: NDArray[Any]) -> list[str]:
    """Return some levels as text; behind the last stands the missing one."""
    found: list[Any] = list(map((*levels, None).__getitem__, places.tolist()))
    return ["NA" if level is None else level for level in found] if None in found else found


def interaction_of(first: Factor, second: Factor) -> Factor:
    """Return the grouping factor ``a:b`` of two factors as lme4 forms it.

    Its levels are the combinations that occur, ordered by the first factor, then the second;
    combinations whose texts are equal are one level. A row with a missing part has a level such as
    ``"NA:u"``, after all complete ones.

    Examples
    --------
    >>> a = Factor(np.array([1, 0, 1], dtype=np.int32), ("p", "q"))
    >>> b = Factor(np.array([0, 1, 1], dtype=np.int32), ("u", "v"))
    >>> interaction_of(a, b).levels
    ('p:v', 'q:u', 'q:v')
    """
    if first.codes.size != second.codes.size:
        raise DataError("variable lengths differ in an interaction of factors")
    width = len(second.levels) + 1
    # A missing code takes the last place, so that it sorts after every level.
    pair = first.codes.astype(np.int64)
    pair[first.codes < 0] = len(first.levels)
    pair *= width
    pair += second.codes
    pair[second.codes < 0] += width
    found, codes = _distinct_integers(pair, 0, (len(first.levels) + 1) * width - 1)
    outer, inner = _texts(first.levels, found // width), _texts(second.levels, found % width)
    texts = list(map("{}:{}".format, outer, inner))
    if len(set(texts)) == len(texts) and not (first.incomplete or second.incomplete):
        return Factor(codes, tuple(texts))
    # R pastes first: of pairs with one text the first row's pair gives the rank, and
    # pairs with a missing part have none, so they follow in order of appearance.
    seen = np.empty(found.size, dtype=np.int64)
    seen[codes[::-1]] = np.arange(codes.size - 1, -1, -1)
    earliest: dict[str, int] = {}
    for index in np.argsort(seen, kind="stable").tolist():
        earliest.setdefault(texts[index], index)
    lost = (found // width == len(first.levels)) | (found % width == width - 1)
    ordered = sorted(
        earliest.items(), key=lambda item: (1, seen[item[1]]) if lost[item[1]] else (0, item[1])
    )
    place = {text: rank for rank, (text, _) in enumerate(ordered)}
    return Factor(recode(codes, [place[text] for text in texts]), tuple(place))
