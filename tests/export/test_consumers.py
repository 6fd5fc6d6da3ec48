"""What a consumer makes of an export are the model's own numbers: a row each for every kind."""

import warnings

import numpy as np
import pytest

import lme4py
from lme4py.data import sleepstudy
from lme4py.export.files import export
from lme4py.rfiles.read_rds import read_rds
from tests.export.designs import DESIGNS, make


def _numbers(path):
    """Return a table of numbers, each read to its last bit by every pandas."""
    import pandas as pd

    return pd.read_csv(path, dtype=str, keep_default_na=False).replace("NA", "nan").astype(float)


def _x(design):
    return design.X if isinstance(design.X, np.ndarray) else design.X.toarray()


def _npz(design, folder):
    (path,) = export(design, folder / "d.npz", "npz")
    loaded = lme4py.load(path)
    return {"X": _x(loaded), "Zt": loaded.Zt.toarray(), "theta": loaded.random.theta, "y": loaded.y}


def _numpy(design, folder):
    from scipy.sparse import csc_array

    (path,) = export(design, folder / "d.npz", "npz")
    with np.load(path) as file:
        sparse = [file[f"Zt_{part}"] for part in ("data", "indices", "indptr", "shape")]
        Zt = csc_array(tuple(sparse[:3]), shape=tuple(sparse[3]))
        y = file["y"] if design.y is not None else None
        return {"X": file["X"], "Zt": Zt.toarray(), "theta": file["theta"], "y": y}


def _rds(design, folder):
    (path,) = export(design, folder / "d.rds", "rds")
    lf = read_rds(path)
    terms = lf["reTrms"]
    y = lf["y"]
    return {
        "X": lf["X"].values,
        "Zt": terms["Zt"].matrix.toarray(),
        "theta": terms["theta"].values,
        "y": None if y is None else y.values,
    }


def _matrix_market(design, folder):
    from scipy.io import mmread

    export(design, folder / "d", "mtx")
    y = _numbers(folder / "d" / "response.csv").filter(regex="^y[0-9]*$").to_numpy()
    return {
        "X": mmread(folder / "d" / "X.mtx").toarray(),
        "Zt": mmread(folder / "d" / "Zt.mtx").toarray(),
        "theta": _numbers(folder / "d" / "theta.csv")["theta"].to_numpy(),
        "y": y[:, 0] if y.shape[1] == 1 else y,
    }


def _arrow(design, folder):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    export(design, folder / "d", "arrow")
    tables = {
        path.stem: pa.ipc.open_file(pa.OSFile(str(path))).read_all()
        for path in (folder / "d").glob("*.arrow")
    }
    Zt = np.zeros(design.Zt.shape)
    entries = tables["Zt"]
    Zt[entries["row"].to_numpy(), entries["column"].to_numpy()] = entries["value"].to_numpy()
    X = [column.to_numpy() for column in tables["X"].columns]
    answers = [
        tables["response"][name].to_numpy()
        for name in tables["response"].column_names
        if name.startswith("y")
    ]
    return {
        "X": np.column_stack(X) if X else np.empty((len(design.frame), 0)),
        "Zt": Zt,
        "theta": tables["theta"]["theta"].to_numpy(),
        "y": answers[0] if len(answers) == 1 else np.column_stack(answers),
    }


def _patsy(design, folder):
    del folder
    return {"X": np.asarray(design.to_patsy())}


def _formulaic(design, folder):
    del folder
    return {"X": np.asarray(design.to_formulaic("numpy").__wrapped__)}


def _tabmat(design, folder):
    del folder
    pytest.importorskip("tabmat", reason="tabmat is not installed")
    whole = design.to_tabmat().toarray()
    width = design.X.shape[1]
    return {"X": whole[:, :width], "Zt": whole[:, width:].T}


def _coordinates(design, folder):
    del folder
    plain = design.coordinates()
    Zt = np.zeros(design.Zt.shape)
    for term in plain.terms:
        place = next(
            k for k, stored in enumerate(design.random.terms) if stored.bar.label == term.label
        )
        begin, columns = int(design.random.Gp[place]), len(term.columns)
        for row, code in enumerate(term.codes.tolist()):
            if code >= 0:
                at = begin + code * columns
                Zt[at : at + columns, row] = term.block[row]
    return {"X": plain.X, "Zt": Zt, "y": plain.y}


CONSUMERS = [_npz, _numpy, _rds, _matrix_market, _arrow, _patsy, _formulaic, _tabmat, _coordinates]


@pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda consumer: consumer.__name__[1:])
@pytest.mark.parametrize("name", DESIGNS)
def test_reads_the_models_own_numbers(name, consumer, tmp_path):
    design = make(name)
    expected = {
        "X": _x(design),
        "Zt": design.Zt.toarray(),
        "theta": design.random.theta,
        "y": design.y,
    }
    for part, found in consumer(design, tmp_path).items():
        np.testing.assert_array_equal(found, expected[part], err_msg=part)


# New rows: the columns R's predict would take, or a refusal; never other numbers.

NEW = [
    "Reaction ~ Days + (1 | Subject)",
    "Reaction ~ f * poly(Days, 2) + (Days | Subject)",
    "Reaction ~ scale(Days) + splines::ns(Days, 3) + (1 | Subject)",
    "Reaction ~ 0 + f:Days + (0 + f | Subject)",
    "Reaction ~ Days + I(2 * Days) + log(Days + 1) + (1 | Subject)",
    "Reaction ~ 1 + (1 | Subject)",
]
ROWS = sleepstudy().assign(f=np.tile(["u", "v", "w"], 60))


@pytest.fixture(params=NEW)
def design(request):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lme4py.lformula(request.param, ROWS, control={"check.nobs.vs.nRE": "ignore"})


def test_formulaic_computes_new_rows(design):
    from formulaic import model_matrix

    picked = [5, 20, 33, 149]
    matrix = design.to_formulaic()
    new = ROWS.drop(columns=["Reaction", "Subject"]).iloc[picked]
    for found in (matrix.model_spec.get_model_matrix(new), model_matrix(matrix, new)):
        np.testing.assert_allclose(found, design.X[picked], rtol=1e-12, atol=1e-12)
        assert list(found.columns) == design.fixed.names
        assert found.index.tolist() == picked
    sparse = matrix.model_spec.get_model_matrix(new, output="sparse")
    np.testing.assert_allclose(sparse.toarray(), design.X[picked], rtol=1e-12, atol=1e-12)


def test_formulaic_takes_subsets_and_missing_values():
    spec = lme4py.lformula(NEW[1], ROWS).to_formulaic().model_spec
    found = spec.subset("f").get_model_matrix(ROWS.iloc[:3])
    assert found.to_numpy().tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    holes = ROWS.iloc[:4].copy()
    holes.loc[1, "Days"] = np.nan
    dropped = set()
    assert spec.get_model_matrix(holes, drop_rows=dropped).index.tolist() == [0, 2, 3]
    assert dropped == {1}
    assert np.isnan(spec.get_model_matrix(holes, na_action="ignore").to_numpy()[1, 4])
    with pytest.raises(lme4py.DataError, match="missing values"):
        spec.get_model_matrix(holes, na_action="raise")


def test_formulaic_is_pickled():
    import pickle

    matrix = pickle.loads(pickle.dumps(lme4py.lformula(NEW[1], ROWS).to_formulaic()))  # noqa: S301
    assert matrix.model_spec.get_model_matrix(ROWS[:2]).shape == (2, 9)


def test_formulaic_refuses_its_own_ways():
    from formulaic import Formula
    from formulaic.materializers import PandasMaterializer

    spec = lme4py.lformula(NEW[0], ROWS).to_formulaic().model_spec
    ready = lme4py.mixed_design(
        np.ones((180, 1)), "(1 | Subject)", ROWS["Reaction"], frame=ROWS
    ).to_formulaic()
    for ask in (
        lambda: PandasMaterializer(ROWS).get_model_matrix(spec),
        lambda: spec.differentiate("Days"),
        lambda: spec.update(formula=Formula("Days - 1")).get_model_matrix(ROWS),
        lambda: ready.model_spec.get_model_matrix(ROWS),
    ):
        with pytest.raises(lme4py.FormulaError, match="formulaic cannot make"):
            ask()
    with pytest.raises(lme4py.DataError, match="object 'Days' not found in the new data"):
        spec.get_model_matrix(ROWS.drop(columns="Days"))


def test_patsy_never_fills_in_numbers(design):
    from patsy import build_design_matrices

    info = design.to_patsy().design_info
    if design.fixed.names == ["(Intercept)"]:
        np.testing.assert_array_equal(build_design_matrices([info], ROWS)[0], design.X)
        return
    with pytest.raises(lme4py.FormulaError, match="patsy cannot make the columns of"):
        build_design_matrices([info], ROWS)
