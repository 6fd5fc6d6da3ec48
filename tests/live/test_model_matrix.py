"""``model_matrix`` against R's ``model.matrix(f, model.frame(f, d))`` on random formulas.

Not collected by default, because it needs R: ``pytest tests/live/test_model_matrix.py``; more
cases with ``LIVE_CASES=2000``.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

import lme4py
from tests.live.contrasts import make_contrasted
from tests.live.generator import make_case
from tests.live.session import Judge
from tests.live.wild import make_wild
from tests.recorded.cases import matrix_verdict

SEED = 20240301
JUDGES = [Judge(), *(Judge(root) for root in [os.environ.get("LME4PY_R_ROOT")] if root)]
CASES = int(os.environ.get("LIVE_CASES", "300"))
PROGRAM = Path(__file__).with_name("model_matrix.R")


def fixed(case):
    """Return a case with the fixed part of its formula; an erroneous one stays as it is."""
    try:
        return replace(case, formula=str(lme4py.Formula.parse(case.formula).nobars()))
    except lme4py.Lme4pyError:
        return case


@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: judge.path)
@pytest.mark.parametrize("make", [make_case, make_contrasted, make_wild])
def test_same_as_model_matrix(judge, make):
    reason = judge.unavailable
    if reason is not None:
        pytest.skip(reason)
    cases = [fixed(make(SEED, number)) for number in range(CASES)]
    wrong = {
        f"{case.name}  {case.formula}": said
        for case, record in judge.records(cases, PROGRAM)
        if (said := matrix_verdict(record))
    }
    assert wrong == {}
