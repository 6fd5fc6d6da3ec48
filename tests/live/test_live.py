"""Random cases of a fixed seed: R and we say the same about every one.

Not collected by default, because it needs R: ``pytest tests/live/test_live.py``.
"""

from __future__ import annotations

import pytest

from tests.live.borderline import make_borderline
from tests.live.contrasts import make_contrasted
from tests.live.generator import make_case
from tests.live.session import Judge
from tests.live.wild import make_wild
from tests.recorded.cases import verdict

SEED = 20240301
JUDGE = Judge()
NUMBERS = {
    make_case: range(300),
    make_contrasted: range(300),
    make_borderline: range(500),
    make_wild: range(0, 943, 3),
}


@pytest.mark.parametrize("make", NUMBERS)
def test_same_as_r(make):
    reason = JUDGE.unavailable
    if reason is not None:
        pytest.skip(reason)
    cases = [make(SEED, number) for number in NUMBERS[make]]
    wrong = {
        f"{case.name}  {case.formula}": found
        for case, record in JUDGE.records(cases)
        if (found := verdict(record))
    }
    assert wrong == {}


def test_a_case_is_the_same_every_time():
    assert make_case(7, 1) == make_case(7, 1)
    assert make_case(7, 1) != make_case(7, 2)
