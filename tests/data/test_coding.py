"""Coding matrices against R 4.2.2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lme4py.data.coding import coding_matrix
from lme4py.errors import DataError

# sprintf("%a", contr.poly(n)), column by column
POLY = {
    3: (
        "-0x1.6a09e667f3bcdp-1 -0x1.6a09e667f3bcdp-54 0x1.6a09e667f3bccp-1 "
        "0x1.a20bd700c2c3fp-2 -0x1.a20bd700c2c3ep-1 0x1.a20bd700c2c3fp-2 "
    ),
    4: (
        "-0x1.5775c544ff263p-1 -0x1.c9f25c5bfedd9p-3 0x1.c9f25c5bfedd9p-3 "
        "0x1.5775c544ff263p-1 0x1p-1 -0x1p-1 -0x1p-1 0x1p-1 -0x1.c9f25c5bfedd7p-3 "
        "0x1.5775c544ff262p-1 -0x1.5775c544ff263p-1 0x1.c9f25c5bfeddap-3 "
    ),
    7: (
        "-0x1.2246d6cfdf9edp-1 -0x1.83091e6a7f7e8p-2 -0x1.83091e6a7f7e5p-3 "
        "0x1.83091e6a7f7e6p-56 0x1.83091e6a7f7e5p-3 0x1.83091e6a7f7e6p-2 0x1.2246d6cfdf9edp-1 "
        "0x1.1751a365d41a2p-1 0x1.bee9056fb9c39p-54 -0x1.4f2ec413cb527p-2 "
        "-0x1.bee9056fb9c3bp-2 -0x1.4f2ec413cb52cp-2 0x0p+0 0x1.1751a365d41a4p-1 "
        "-0x1.a20bd700c2c4p-2 0x1.a20bd700c2c4p-2 0x1.a20bd700c2c4p-2 0x1.a20bd700c2c3ep-55 "
        "-0x1.a20bd700c2c39p-2 -0x1.a20bd700c2c3dp-2 0x1.a20bd700c2c3ap-2 "
        "0x1.ef18fe3873958p-3 -0x1.20ce944b98c1bp-1 0x1.4a10a97af7b5dp-4 0x1.ef18fe3873961p-2 "
        "0x1.4a10a97af7b9p-4 -0x1.20ce944b98c22p-1 0x1.ef18fe387396p-3 -0x1.bee9056fb9c47p-4 "
        "0x1.bee9056fb9c46p-2 -0x1.1751a365d41abp-1 0x1.33f2f7589600ep-51 "
        "0x1.1751a365d419cp-1 -0x1.bee9056fb9c2ap-2 0x1.bee9056fb9c25p-4 0x1.0d7f3c53851d3p-5 "
        "-0x1.943eda7d47aap-3 0x1.f94e911c9993fp-2 -0x1.50df0b6866631p-1 0x1.f94e911c99961p-2 "
        "-0x1.943eda7d47ac8p-3 0x1.0d7f3c53851dbp-5 "
    ),
}


@pytest.mark.parametrize("count", POLY)
def test_poly_has_the_digits_of_r(count: int) -> None:
    expected = [float.fromhex(text) for text in POLY[count].split()]
    found = coding_matrix("contr.poly", [str(k) for k in range(count)])
    assert found.values.ravel(order="F").tolist() == expected


def test_poly_keeps_the_noise_in_place_of_zero() -> None:
    assert coding_matrix("contr.poly", "abc").values[1, 0] == pytest.approx(-7.850462e-17, rel=1e-6)


def test_poly_names() -> None:
    assert coding_matrix("contr.poly", "ab").names == (".L",)
    assert coding_matrix("contr.poly", "abcdef").names == (".L", ".Q", ".C", "^4", "^5")
    full = coding_matrix("contr.poly", "abc", contrasts=False)
    assert full.names == ("^0", "^1", "^2")
    assert full.values[:, 0].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "name, options, names, rows",
    [
        ("contr.treatment", {}, ("b", "c"), [[0, 0], [1, 0], [0, 1]]),
        ("contr.treatment", {"base": 2}, ("a", "c"), [[1, 0], [0, 0], [0, 1]]),
        ("contr.SAS", {}, ("a", "b"), [[1, 0], [0, 1], [0, 0]]),
        ("contr.sum", {}, None, [[1, 0], [0, 1], [-1, -1]]),
        ("contr.helmert", {}, None, [[-1, -1], [1, -1], [0, 2]]),
        ("contr.sum", {"contrasts": False}, ("a", "b", "c"), np.eye(3).tolist()),
    ],
)
def test_three_levels(
    name: str, options: dict[str, Any], names: tuple[str, ...] | None, rows: list[list[float]]
) -> None:
    found = coding_matrix(name, ("a", "b", "c"), **options)
    assert found.names == names
    assert found.values.tolist() == rows


@pytest.mark.parametrize(
    "name, levels, options, words",
    [
        ("contr.treatment", "a", {}, "contrasts not defined for 0 degrees of freedom"),
        ("contr.sum", "a", {}, "not enough degrees of freedom to define contrasts"),
        ("contr.helmert", "a", {}, "not enough degrees of freedom to define contrasts"),
        ("contr.poly", "a", {}, "contrasts not defined for 0 degrees of freedom"),
        ("contr.poly", "a" * 96, {}, "represented accurately enough for 95 degrees of freedom"),
        ("contr.poly", "abc", {"scores": [1, 2]}, "'scores' argument is of the wrong length"),
        ("contr.poly", "abc", {"scores": [1, 2, 1]}, "'scores' must all be different numbers"),
        ("contr.treatment", "abc", {"base": 4}, "baseline group number out of range"),
        ("contr.sum", "abc", {"base": 1}, "unused argument"),
        ("nope", "abc", {}, "object 'nope' of mode 'function' was not found"),
    ],
)
def test_errors(name: str, levels: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        coding_matrix(name, list(levels), **options)
