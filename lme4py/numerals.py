"""R's text form of numbers, written and read: labels of levels, constants, numbers in texts.

R takes the fewest digits, at most 15, that show the number to 15 digits, and writes
them in fixed notation unless scientific notation is shorter.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.versions import followed

LARGEST_INTEGER = 2**31 - 1
"""Of R's integers, whose type holds no more."""
BLANK = " \t\n\v\f\r"
_DECIMAL = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?(?P<power>[0-9]*))?")
_HEXADECIMAL = re.compile(r"0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?[0-9]+)?")
_DIGITS = 15
_LEAST_EXPONENT = -308
_TABLE_END = 27
# R counts the digits in long double arithmetic, which numpy has too. The powers of ten up
# to 1e27 are doubles in R (so 1e23 and above are inexact), the others long doubles.
_TENS = np.array([float(f"1e{power}") for power in range(_TABLE_END + 1)])
_FAR_TEN = np.longdouble(10)


def number(text: str, decimal: str = ".") -> float | None:
    """Return the number that R reads in a text, None if it is none.

    Examples
    --------
    >>> [number(text) for text in (" 1e3 ", "0x1A", "-inf", "1e400", "1,5", "")]
    [1000.0, 26.0, -inf, inf, None, None]
    """
    given = text.strip(BLANK).lower()
    sign = -1.0 if given.startswith("-") else 1.0
    bare = given[1:] if given.startswith(("+", "-")) else given
    if bare in ("inf", "infinity", "nan"):
        return sign * float(bare)
    if decimal != ".":
        bare = bare.replace(".", "\0").replace(decimal, ".")
    if _HEXADECIMAL.fullmatch(bare):
        try:
            return sign * float.fromhex(bare)
        except OverflowError:
            return sign * float("inf")
    found = _DECIMAL.fullmatch(bare)
    if found is None or (found["power"] == "" and not followed().reads_open_exponents):
        return None
    return sign * float(f"{bare}0" if found["power"] == "" else bare)


def label(value: float) -> str:
    """Return `value` as R's ``as.character`` writes a double, -0 as ``0``.

    Examples
    --------
    >>> [label(value) for value in (100000.0, 123456.0, 0.1 + 0.2, -0.0)]
    ['1e+05', '123456', '0.3', '0']
    """
    return labels(np.array([value], dtype=np.float64))[0]


def labels(values: NDArray[np.float64]) -> list[str]:
    """Return the label of each value, R's ``as.character`` of a double vector.

    Examples
    --------
    >>> labels(np.array([1.0, 2.5, 1e-4, np.nan]))
    ['1', '2.5', '1e-04', 'NaN']
    """
    values = np.asarray(values, dtype=np.float64)
    whole = np.isfinite(values) & (np.abs(values) < 1e15)
    with np.errstate(invalid="ignore"):
        whole &= values == np.trunc(values)
    if whole.all():
        return [_whole(number) for number in values.astype(np.int64).tolist()]
    written = np.empty(values.shape, dtype=object)
    written[whole] = [_whole(number) for number in values[whole].astype(np.int64).tolist()]
    written[~whole] = [_without_trailing_zeros(text) for text in _written(values[~whole])]
    return list(written.tolist())


def constant(value: float) -> str:
    """Return `value` as R's ``deparse`` writes a double constant.

    It differs from `label` only in that a zero left by rounding stays at the end.

    Examples
    --------
    >>> constant(0.00001)
    '1e-05'
    """
    if abs(value) < 1e15 and value == int(value):
        return _whole(int(value))
    return _written(np.array([value], dtype=np.float64))[0]


def _whole(number: int) -> str:
    """Write an integral value below 1e15 in absolute size."""
    text = str(number)
    if text[-1] != "0":
        return text
    digits = len(text.lstrip("-"))
    significant = len(text.strip("-0"))
    if significant and significant + (significant > 1) + 4 < digits:
        return f"{float(number):.{significant - 1}e}"
    return text


def _without_trailing_zeros(text: str) -> str:
    if "." not in text:
        return text
    mantissa, exponent, power = text.partition("e")
    return mantissa.rstrip("0").rstrip(".") + exponent + power


def _written(values: NDArray[np.float64]) -> list[str]:
    finite = np.isfinite(values)
    significant, power, widened = _significant_digits(np.abs(np.where(finite, values, 0.0)))
    right = np.maximum(0, significant - power - 1)
    left = np.maximum(1, power + 1 - widened)
    fixed_width = left + np.where(right > 0, right + 1, 0)
    scientific_width = significant + (significant > 1) + np.where(np.abs(power) >= 100, 5, 4)
    scientific = fixed_width > scientific_width
    decimals = np.where(scientific, significant - 1, right)
    texts = []
    for value, places, exponent, is_finite in zip(
        values.tolist(), decimals.tolist(), scientific.tolist(), finite.tolist(), strict=True
    ):
        if not is_finite:
            texts.append("Inf" if value > 0 else "-Inf" if value < 0 else "NaN")
        else:
            texts.append(f"{value or 0.0:.{places}{'e' if exponent else 'f'}}")
    return texts


def _significant_digits(sizes: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
    """Return the digits needed, the power of ten, and whether rounding reached that power."""
    zero = sizes == 0
    sizes = np.where(zero, 1.0, sizes)
    power = np.floor(np.log10(sizes)).astype(np.int64) - _DIGITS + 1
    wide = sizes.astype(np.longdouble)
    near = np.abs(power) <= _TABLE_END
    tiny = ~near & (power <= _LEAST_EXPONENT)
    far = ~near & ~tiny
    scaled = np.empty_like(wide)
    down, up = near & (power > 0), near & (power <= 0)
    scaled[down] = wide[down] / _TENS[power[down]]
    scaled[up] = wide[up] * _TENS[-power[up]]
    scaled[tiny] = wide[tiny] * 1e303 / np.power(_FAR_TEN, power[tiny] + 303)
    scaled[far] = wide[far] / np.power(_FAR_TEN, power[far])
    low = scaled < _TENS[_DIGITS - 1]
    scaled[low] *= 10
    power = power - low
    digits = np.rint(scaled).astype(np.int64)
    significant = np.full(sizes.shape, _DIGITS, dtype=np.int64)
    stripping = np.ones(sizes.shape, dtype=bool)
    for _ in range(_DIGITS):
        stripping &= digits % 10 == 0
        if not stripping.any():
            break
        digits = np.where(stripping, digits // 10, digits)
        significant -= stripping
    carried = significant == 0
    significant[carried] = 1
    power = power + carried + _DIGITS - 1
    inside = (power > 0) & (power <= _TABLE_END)
    bounded = np.clip(power, 0, _TABLE_END)
    fuzz = 0.5 / _TENS[np.clip(_DIGITS - power, 0, _TABLE_END)]
    widened = inside & (sizes < _TENS[bounded] - fuzz)
    significant[zero], power[zero], widened[zero] = 1, 0, False
    return significant, power, widened
