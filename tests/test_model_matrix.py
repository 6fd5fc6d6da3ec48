"""R's ``model.matrix``: stored matrices of R's, and what belongs to a design without groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import lme4py
from tests.recorded.cases import FIXTURES, data, error_text, load, matrix_verdict

RECORDS = {
    f"{number}: {record['formula'].values[0]}": record
    for number, record in enumerate(load(FIXTURES / "model_matrix.rds"))
}


@pytest.mark.parametrize("name", RECORDS)
def test_same_as_r(name):
    assert matrix_verdict(RECORDS[name]) == ""


WHOLE = [  # of the calls that leave out no rows
    name
    for name, record in RECORDS.items()
    if error_text(record) is None and record["arguments"].names is None
]


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.filterwarnings("ignore::lme4py.Lme4pyWarning", "ignore::lme4py.Lme4pyAdvice")
def test_the_spec_gives_the_same_columns(name):
    record = RECORDS[name]
    design = lme4py.model_matrix(str(record["formula"].values[0]), data(record))
    spec = lme4py.Spec.from_json(design.spec.to_json())
    rows = spec.apply(data(record))
    assert rows.Zt.shape == (0, design.X.shape[0])
    # A polynomial's columns come of its recurrence there, as in R's predict().
    np.testing.assert_allclose(
        rows.X, design.X, rtol=0, atol=1e-12 * (1 + np.abs(design.X).max(initial=0))
    )


def test_a_formula_with_random_terms_is_refused():
    with pytest.raises(lme4py.FormulaError, match=r"(?s)without random terms.*\^.*lformula"):
        lme4py.model_matrix("y ~ x + (1 | g)", {"y": [1, 2], "x": [1, 2], "g": ["a", "b"]})


def test_what_belongs_to_the_matrix():
    table = {"y": [1.0, 2.0, 4.0], "x": [0.5, 1.5, 2.5], "f": ["a", "b", "a"]}
    design = lme4py.model_matrix("y ~ x * f", table)
    assert repr(design) == "<FixedDesign: y ~ x * f\n X 3 x 4: (Intercept), x, fb, x:fb>"
    assert design.y.tolist() == table["y"]
    assert design.frame.columns.tolist() == ["y", "x", "f"]
    assert design.to_patsy().design_info.column_names == design.fixed.names
    assert list(design.to_formulaic().columns) == design.fixed.names
    again = design.to_formulaic().model_spec.get_model_matrix(table, output="numpy")
    assert (np.asarray(again) == design.X).all()
    sparse = lme4py.model_matrix("y ~ x * f", table, sparse_X=True)
    assert (sparse.X.toarray() == design.X).all()
    assert (sparse.X_frame.to_numpy() == design.X).all()


def test_arrays_with_their_labels():
    """R: rownames(lf$X), colnames(lf$X), rownames(Zt); the columns of a term run fastest."""
    table = lme4py.data.sleepstudy().iloc[::-1]
    design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", table)
    assert design.X_frame.index.equals(table.index)
    assert design.X_frame.columns.tolist() == ["(Intercept)", "Days"]
    assert (design.X_frame.to_numpy() == design.X).all()
    assert design.random.row_index.names == ["group", "level", "column"]
    assert design.random.row_index[:3].tolist() == [
        ("Subject", "308", "(Intercept)"),
        ("Subject", "308", "Days"),
        ("Subject", "309", "(Intercept)"),
    ]
    assert design.random.row_index.get_level_values("level").tolist() == design.random.row_names
    assert (design.Z_frame.to_numpy() == design.Z.toarray()).all()
    assert isinstance(design.Z_frame.dtypes.iloc[0], pd.SparseDtype)
    mine = design.X_frame
    mine.iloc[:] = 0.0
    assert design.X.any()


def test_labels_of_a_model_with_several_terms():
    """R: rownames(lf$reTrms$Zt), lf$reTrms$cnms; the term with more levels comes first."""
    table = {"y": [1.0, 2, 3, 4, 5, 6], "x": [1.0, 2, 3, 1, 2, 3], "g": list("aabbcc")}
    table |= {"h": list("uvuvuv")}
    ignored = {"check_nobs_vs_nRE": "ignore", "check_nobs_vs_nlev": "ignore"}
    design = lme4py.lformula("y ~ x + (1 | h) + (0 + x | g)", table, control=ignored)
    assert design.random.row_index.tolist() == [
        *(("g", level, "x") for level in "abc"),
        *(("h", level, "(Intercept)") for level in "uv"),
    ]
    none = lme4py.lformula("Reaction ~ Days + (0 | Subject)", lme4py.data.sleepstudy())
    assert none.random.row_index.names == ["group", "level", "column"]
    assert none.Z_frame.shape == (180, 0)
