"""A scan of blocks learns the spec that all rows in memory give, number for number."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

import lme4py.sources.scan
from lme4py.sources.scan import Scan, scan

from .models import FORMULAS, SOURCES, cut, design_of, frame, pieces


@pytest.fixture(params=[0, 4096], ids=["few rows kept", "all rows kept"])
def kept(request, monkeypatch):
    """Let the model be learned from the rows with all its levels, or from all rows."""
    monkeypatch.setattr(lme4py.sources.scan, "FIRST_ROWS", request.param)


def scanned(formula, source, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return scan(formula, source, **options).to_json()


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("library", SOURCES)
@pytest.mark.parametrize("formula", FORMULAS)
def test_the_spec_is_that_of_all_rows(formula, library):
    data, options = SOURCES[library](frame()), FORMULAS[formula]
    expected = design_of(formula, data, options).spec.to_json()
    dice = np.random.default_rng(len(formula))
    for _ in range(2):
        cuts = pieces(500, dice)
        blocks = [cut(data, piece) for piece in cuts]
        assert scanned(formula, blocks, **options) == expected, cuts
    assert scanned(formula, data, rows=1 + len(formula), **options) == expected


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("formula", FORMULAS)
def test_parts_are_read_anywhere_and_added(formula):
    data, options = frame(), FORMULAS[formula]
    expected = design_of(formula, data, options).spec.to_json()
    found = Scan(formula, data.columns, **options)
    sweeps = 0
    while not found.complete:
        found = pickle.loads(pickle.dumps(found))  # noqa: S301  # our own
        parts = [found.read(data.iloc[piece]) for piece in pieces(500, np.random.default_rng(3))]
        # Neighbours first, in any order.
        while len(parts) > 1:
            at = (sweeps * 7) % (len(parts) - 1)
            parts[at : at + 2] = [parts[at] + pickle.loads(pickle.dumps(parts[at + 1]))]  # noqa: S301
        found = found.advance(parts[0])
        sweeps += 1
    assert found.spec().to_json() == expected
    assert sweeps <= 5
