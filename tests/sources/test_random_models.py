"""Random models, learned in memory and from random blocks: the same spec, or the same refusal."""

from __future__ import annotations

import functools
import operator
import warnings

import numpy as np
import pytest

import lme4py
import lme4py.sources.scan
from lme4py.errors import Lme4pyError
from tests.live.generator import make_case
from tests.replay import REFUSALS, arguments_of, frame_of

from .models import cut, pieces

VALUES = (
    "is an expression here",
    "numbers of rows",
    "has no value for each row",
    "row by row in all blocks",
)


def _result(make, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return make(*arguments, **options)
        except Lme4pyError as error:
            return error


def _added(formula, names, parts, **options):
    """Scan parts apart from each other, and add what they tell."""
    scan = lme4py.Scan(formula, names, **options)
    while not scan.complete:
        scan = scan.advance(functools.reduce(operator.add, map(scan.read, parts)))
    return scan.spec()


@pytest.mark.parametrize("seed", [5, 9])
def test_random_models(seed, monkeypatch):
    monkeypatch.setattr(lme4py.sources.scan, "FIRST_ROWS", 0)
    compared = 0
    for number in range(60):
        case = make_case(seed, number)
        if case.glm:
            continue
        data, options = frame_of(case), arguments_of(case)
        design = _result(lme4py.lformula, case.formula, data, **options)
        cuts = pieces(len(data), np.random.default_rng(number))
        found = _result(lme4py.scan, case.formula, [cut(data, piece) for piece in cuts], **options)
        told = (case.formula, options, cuts, found, design)
        if isinstance(found, Lme4pyError):
            refused = any(text in str(found) for text in (*REFUSALS, *VALUES))
            assert refused or isinstance(design, Lme4pyError), told
            continue
        assert not isinstance(design, Lme4pyError), told
        assert found.to_json() == design.spec.to_json(), told
        parts = [cut(data, piece) for piece in cuts]
        added = _result(_added, case.formula, data.columns, parts, **options)
        assert added.to_json() == design.spec.to_json(), told
        compared += 1
    assert compared > 15
