"""The comparison finds nothing in R's own record, and finds every single change to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lme4py.proof.components import components
from lme4py.proof.fixture import fixture_of
from lme4py.proof.measures import findings
from lme4py.rfiles.read_rds import read_rds
from lme4py.rfiles.rvalues import RList, RVector, character

from . import components as recorded
from .cases import FIXTURES

PATHS = sorted((FIXTURES / "lme4").glob("*.rds"))
RICH = FIXTURES / "lme4" / "holes_everywhere.rds"


def _different(changed: RList, record: RList) -> list[str]:
    """Compare a record with another, as a design is compared that is written as R's list."""
    found = findings(components(fixture_of(changed)), components(fixture_of(record)))
    return [str(finding) for finding in found if finding.verdict != "equal"]


def test_r_agrees_with_itself():
    compared = 0
    for path in PATHS:
        record = read_rds(path)
        if record["error"] is None:
            assert _different(record, record) == [], path.name
            compared += 1
    assert compared > 100


def _put(path: str, change: Any) -> Any:
    """Return what changes the value at ``a$b@attribute`` of a list of R's."""
    name, mark, rest = path.partition("$")

    def changed(record: RList) -> RList:
        own, _, attribute = name.partition("@")
        value = record[own]
        if mark:
            return record.put(own, _put(rest, change)(value))
        if not attribute:
            return record.put(own, change(value))
        attributes = {**value.attributes, attribute: change(value.attributes.get(attribute))}
        return record.put(own, replace(value, attributes=attributes))

    return changed


def _nudged(numbers: Any) -> Any:
    changed = np.array(numbers, copy=True, order="F")
    changed[-1] = changed[-1] * (1 + 1e-9) + 1e-9
    return changed


def _matrix(name: str, value: Any) -> Any:
    """Return what changes one of the arrays of a sparse matrix."""

    def change(given: Any) -> Any:
        matrix = given.matrix.copy()
        setattr(matrix, name, value(getattr(matrix, name)))
        return replace(given, matrix=matrix)

    return change


def _values(change: Any) -> Any:
    return lambda given: replace(given, values=change(given.values))


def _column(name: str, change: Any) -> Any:
    return lambda frame: replace(
        frame, columns={**frame.columns, name: change(frame.columns[name])}
    )


def _first(numbers: Any, value: Any) -> Any:
    changed = numbers.copy()
    changed[0] = value
    return changed


CHANGES = {
    "X": _put("lf$X", _values(_nudged)),
    "fixed.names": _put("lf$X", lambda X: replace(X, column_names=X.column_names[::-1])),
    "fixed.assign": _put("lf$X@assign", _values(lambda assign: assign + 1)),
    "fixed.contrasts": _put(
        "lf$X@contrasts", lambda given: RList(given.items[:-1], given.names[:-1])
    ),
    "fixed.contrasts['word']": _put(
        "lf$X@contrasts", lambda given: given.put("word", character(["contr.sum"]))
    ),
    "fixed.dropped": _put(
        "lf$X@col.dropped", lambda _: RVector(np.array([2]), "integer", names=("X",))
    ),
    "y": _put("model$y", _values(_nudged)),
    "weights": _put("model$weights", lambda _: None),
    "offset": _put("model", lambda model: model.put("offset", model["y"])),
    "frame.names": _put(
        "lf$fr",
        lambda frame: replace(
            frame, columns={name.lower(): item for name, item in frame.columns.items()}
        ),
    ),
    "frame.row_names": _put(
        "lf$fr", lambda frame: replace(frame, row_names=tuple(f"r{n}" for n in frame.row_names))
    ),
    "frame['X']": _put("lf$fr", _column("X", _values(lambda numbers: numbers + 1e-9))),
    "frame['g']: levels": _put(
        "lf$fr", _column("g", lambda g: replace(g, levels=("aa", *g.levels[1:])))
    ),
    "Zt: 1 of": _put("lf$reTrms$Zt", _matrix("data", _nudged)),
    "Zt": _put("lf$reTrms$Zt", _matrix("indices", lambda places: _first(places, 2))),
    "random.row_names": _put("lf$reTrms$Zt", lambda Zt: replace(Zt, row_names=Zt.row_names[:-1])),
    "Ztlist labels": _put("lf$reTrms$Ztlist", lambda _: RList((), ())),
    "Lambdat": _put("lf$reTrms$Lambdat", _matrix("data", _nudged)),
    "Lind": _put("lf$reTrms$Lind", _values(lambda places: places + 1)),
    "Gp": _put("lf$reTrms$Gp", _values(lambda places: places + 1)),
    "nl": _put("lf$reTrms$nl", _values(lambda counts: counts + 1)),
    "theta": _put("lf$reTrms$theta", _values(_nudged)),
    "lower": _put("lf$reTrms$lower", _values(lambda numbers: np.zeros(len(numbers)))),
    "cnms": _put(
        "lf$reTrms$cnms",
        lambda cnms: replace(cnms, items=tuple(_values(np.flip)(names) for names in cnms)),
    ),
    "flist['g']: 50 of 52": _put(
        "lf$reTrms$flist$g", lambda factor: replace(factor, codes=factor.codes[::-1])
    ),
    "flist['g']": _put("lf$reTrms$flist$g", lambda factor: replace(factor, ordered=True)),
    "flist assign": _put("lf$reTrms$flist@assign", _values(lambda places: places + 1)),
    "reml": _put("lf$REML", _values(lambda flag: ~flag)),
}


@pytest.mark.parametrize("component", CHANGES)
def test_every_change_is_found(component: str):
    record = read_rds(RICH)
    found = _different(CHANGES[component](record), record)
    assert found
    assert any(text.startswith(component) for text in found), found


def test_other_warnings_and_messages_are_found():
    record = read_rds(FIXTURES / "lme4" / "scale_warning.rds")
    warned = list(record["warnings"].values)
    told = [*warned, *record["messages"].values]
    assert recorded.conditions(told, warned, record) == []
    assert recorded.conditions(told, [], record)[0].startswith("does not warn 'Some predictor")
    assert "warns 'more', R does not" in recorded.conditions(told, ["more"], record)
    said = recorded.conditions([*told, "something else"], warned, record)
    assert "says 'something else', R does not" in said
