"""The comparison finds nothing in R's own record, and finds every single change to it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from lme4py.rfiles.read_rds import read_rds

from .cases import FIXTURES
from .components import differences
from .mirror import mirror

PATHS = sorted((FIXTURES / "lme4").glob("*.rds"))
RICH = FIXTURES / "lme4" / "holes_everywhere.rds"


def test_r_agrees_with_itself():
    compared = 0
    for path in PATHS:
        record = read_rds(path)
        if record["error"] is None:
            assert differences(mirror(record), record, record["warnings"].values) == [], path.name
            compared += 1
    assert compared > 100


def _nudge(array: Any) -> None:
    array[-1] = array[-1] * (1 + 1e-9) + 1e-9


CHANGES = {
    "X": lambda d: _nudge(d.X),
    "fixed.names": lambda d: d.fixed.names.reverse(),
    "fixed.assign": lambda d: setattr(d.fixed, "assign", d.fixed.assign + 1),
    "fixed.contrasts": lambda d: d.fixed.contrasts.popitem(),
    "fixed.contrasts['word']": lambda d: d.fixed.contrasts.update(word="contr.sum"),
    "fixed.dropped": lambda d: d.fixed.dropped.update(X=1),
    "y": lambda d: _nudge(d.y),
    "weights": lambda d: setattr(d, "weights", None),
    "offset": lambda d: setattr(d, "offset", d.y),
    "frame.names": lambda d: setattr(d, "frame", d.frame.rename(columns={"X": "x"})),
    "frame.row_names": lambda d: setattr(d, "frame", d.frame.reset_index(drop=True)),
    "frame['X']": lambda d: setattr(d, "frame", d.frame.assign(X=d.frame["X"] + 1e-9)),
    "frame['g']: levels": lambda d: setattr(
        d, "frame", d.frame.assign(g=d.frame["g"].cat.rename_categories({"a": "aa"}))
    ),
    "Zt: 1 of": lambda d: _nudge(d.random.Zt.data),
    "Zt": lambda d: d.random.Zt.indices.__setitem__(0, 2),
    "random.row_names": lambda d: d.random.row_names.pop(),
    "Ztlist labels": lambda d: setattr(d.random, "Ztlist", []),
    "Lambdat": lambda d: _nudge(d.random.Lambdat.data),
    "Lind": lambda d: setattr(d.random, "Lind", d.random.Lind + np.int32(1)),
    "Gp": lambda d: setattr(d.random, "Gp", d.random.Gp + np.int32(1)),
    "nl": lambda d: setattr(d.random, "nl", d.random.nl.astype(np.int64)),
    "theta": lambda d: _nudge(d.random.theta),
    "lower": lambda d: d.random.lower.__setitem__(1, 0.0),
    "cnms": lambda d: d.random.cnms.reverse() or d.random.cnms[0][1].reverse(),
    "flist['g']: 50 of 52": lambda d: setattr(d.random, "flist", {"g": d.random.flist["g"][::-1]}),
    "flist['g']": lambda d: setattr(d.random, "flist", {"g": d.random.flist["g"].as_ordered()}),
    "flist assign": lambda d: setattr(d.random, "assign", d.random.assign + 1),
    "reml": lambda d: setattr(d, "reml", False),
    "says 'something else'": lambda d: d.messages.append("something else"),
}


@pytest.mark.parametrize("component", CHANGES)
def test_every_change_is_found(component: str):
    record = read_rds(RICH)
    changed = copy.deepcopy(mirror(record))
    CHANGES[component](changed)
    found = differences(changed, record, [])
    assert found
    assert found[0].startswith(component)


def test_other_warnings_are_found():
    record = read_rds(FIXTURES / "lme4" / "scale_warning.rds")
    design = mirror(record)
    assert differences(design, record, record["warnings"].values) == []
    assert differences(design, record, [])[0].startswith("does not warn 'Some predictor")
    assert "warns 'more', R does not" in differences(design, record, ["more"])
