"""The list we write for R is the one R's lFormula made: attributes, terms, covariance objects."""

from pathlib import Path

import numpy as np
import pytest

import lme4py
from lme4py.data.values import Character, Factor, Matrix, Numeric
from lme4py.export.to_rds import design_as_list
from lme4py.formula.deparse import deparse
from lme4py.rfiles.rvalues import (
    RFrame,
    RLanguage,
    RList,
    RSlots,
    RSparse,
    RVector,
)
from lme4py.rfiles.serialize import as_r

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
# Groups that only lme4 2.x expands, and components of fits.
OTHERS = ("19_star", "35_nested3", "41_paren_group", "getME", "fit", "tampered", "two_shape")
FILES = [
    path
    for folder in ("compare", "lme4-2.1")
    for path in sorted(FIXTURES.glob(f"{folder}/*.rds"))
    if not any(word in path.stem for word in OTHERS)
]
# What depends on the version that wrote the file, on its data's attributes, or is a message.
NOT_OURS = {"Lambdat", "msgScaleX", "msgRankdrop", ".Environment"}
# Rows that missing values took beside subset; the expression of the offset, given as values here.
NOT_TOLD = {"na.action", "offset"}

# lme4 says what it drops; here it is compared.
pytestmark = pytest.mark.filterwarnings("ignore::lme4py.errors.Lme4pyMessage")


def _design(path):
    fixture = lme4py.read_fixture(path)
    make = lme4py.glformula if "family" in fixture.arguments else lme4py.lformula
    options = {"lme4": fixture.generations[-1], **fixture.arguments}
    return make(fixture.formula, fixture.table(), **options)


def _differences(place, ours, theirs):
    """Yield where our value is not R's."""
    if isinstance(ours, Matrix) and isinstance(theirs, RVector):
        ours = as_r(ours)
    if isinstance(theirs, Numeric):
        # Of a zone that R takes from its session the file knows nothing.
        same = (ours.time or "").startswith(theirs.time or "")
        values = [ours.as_float(), theirs.as_float()]
        if not same or not np.allclose(*values, rtol=1e-12, equal_nan=True):
            yield place, ours, theirs
    elif isinstance(theirs, Character):
        if ours.texts().tolist() != theirs.texts().tolist():
            yield place, ours, theirs
    elif isinstance(theirs, Matrix):
        same = np.allclose(ours.values, theirs.values, rtol=1e-12, atol=1e-13, equal_nan=True)
        if not same or ours.names != theirs.names:
            yield place, ours, theirs
    elif isinstance(theirs, RVector) and theirs.is_matrix:
        if not np.allclose(ours.values, theirs.values, rtol=1e-12, atol=1e-13, equal_nan=True):
            yield place, ours.values, theirs.values
        if ours.column_names != theirs.column_names:
            yield f"{place} names", ours.column_names, theirs.column_names
    elif isinstance(theirs, RVector) and isinstance(ours, RVector):
        same = ours.values.tolist() == theirs.values.tolist()
        if not same and theirs.kind != "character" and len(ours) == len(theirs):
            same = np.allclose(ours.as_float(), theirs.as_float(), rtol=1e-12, equal_nan=True)
        if not same or (theirs.names or ()) != (ours.names or ()):
            yield place, ours, theirs
    elif isinstance(theirs, Factor):
        if ours.codes.tolist() != theirs.codes.tolist() or ours.levels != theirs.levels:
            yield place, ours, theirs
        if ours.ordered != theirs.ordered or not _same_coding(ours.contrasts, theirs.contrasts):
            yield f"{place} coding", ours, theirs
    elif isinstance(theirs, RLanguage):
        written = deparse(ours.node)
        # R's own coefficients are values that have no words in its grammar.
        expected = "" if theirs.node is None else deparse(theirs.node)
        refused = "needs the coefficients" in written and (not expected or "scale(" in expected)
        if written != expected and not refused:
            yield place, written, expected
    elif isinstance(theirs, RSparse):
        if (ours.matrix != theirs.matrix).nnz or ours.row_names != theirs.row_names:
            yield place, ours, theirs
    elif isinstance(theirs, RSlots):
        if (ours.name, ours.package) != (theirs.name, theirs.package):
            yield place, ours, theirs
        yield from _entries(place, ours.slots, theirs.slots)
    elif isinstance(theirs, RFrame):
        if ours.row_names != theirs.row_names:
            yield f"{place} row names", ours.row_names, theirs.row_names
        yield from _entries(f"{place} ", ours.columns, theirs.columns)
    elif isinstance(theirs, RList):
        named = ours.names == theirs.names
        if not named and "reTrms" not in place:
            yield f"{place} names", ours.names, theirs.names
        keys = theirs.names or range(len(theirs))
        for key in keys:
            if key not in NOT_OURS:
                yield from _differences(f"{place}${key}", ours[key], theirs[key])
    if hasattr(theirs, "attributes"):
        yield from _entries(f"{place}@", ours.attributes, theirs.attributes)


def _same_coding(ours, theirs):
    if isinstance(ours, Matrix) and isinstance(theirs, Matrix):
        return np.allclose(ours.values, theirs.values) and ours.names == theirs.names
    return ours == theirs


def _entries(place, ours, theirs):
    for name, value in theirs.items():
        if name in NOT_OURS or value is None or (name in NOT_TOLD and name not in ours):
            continue
        if name not in ours:
            yield f"{place}{name}", None, value
        else:
            yield from _differences(f"{place}{name}", ours[name], value)


@pytest.mark.filterwarnings("ignore::lme4py.Lme4pyMessage")  # columns are dropped in one
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_list_is_rs(path):
    from lme4py.rfiles.read_rds import read_rds

    lf = read_rds(path)["lf"]
    ours = design_as_list(_design(path))
    assert list(_differences("reTrms", ours["reTrms"], lf["reTrms"])) == []
    for part in ("fr", "X", "formula"):
        assert list(_differences(part, ours[part], lf[part])) == []
