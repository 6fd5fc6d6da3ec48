"""Questions about each element: missing, finite, infinite."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lme4py.frame.functions.coercion import elements, pack, shaped
from lme4py.frame.functions.mathematics.elementwise import Array, column_names
from lme4py.frame.functions.table import function
from lme4py.frame.values import Character, Factor, Kind, MalformedFactor, Numeric, Value


def _enter_tests() -> None:
    def missing(array: Array, kind: Kind) -> Array:  # noqa: ARG001
        return np.isnan(array)

    def not_a_number(array: Array, kind: Kind) -> Array:
        # One NaN stands for NA and NaN; only doubles can hold the latter.
        return np.isnan(array) if kind == "double" else np.zeros(array.shape, dtype=np.bool_)

    def finite(array: Array, kind: Kind) -> Array:  # noqa: ARG001
        return np.isfinite(array)

    def infinite(array: Array, kind: Kind) -> Array:  # noqa: ARG001
        return np.isinf(array)

    tests: dict[str, tuple[Callable[[Array, Kind], Array], str]] = {
        "is.na": (missing, "Whether missing."),
        "is.nan": (not_a_number, "Whether not a number; NA counts, too."),
        "is.finite": (finite, "Whether finite."),
        "is.infinite": (infinite, "Whether infinite."),
    }
    for name, (test, purpose) in tests.items():

        def answer(
            x: Value, _name: str = name, _test: Callable[[Array, Kind], Array] = test
        ) -> Value:
            if isinstance(x, Factor | Character):
                if _name == "is.na":
                    return pack(x.codes < 0, "logical")
                present = isinstance(x, Factor) and _name == "is.finite"
                return pack((x.codes >= 0) & present, "logical")
            if isinstance(x, MalformedFactor):
                x = Numeric(x.values, x.kind)
            array, kind = elements(x, "default method not implemented for type 'closure'")
            return shaped(_test(array, kind), "logical", column_names(x))

        function(name, "x", role="elementwise", purpose=purpose)(answer)


_enter_tests()
