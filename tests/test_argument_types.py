"""Arguments of a wrong type, for every public function: always our error, naming the argument."""

import enum
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import lme4py
from lme4py.data import sleepstudy

FORMULA = "Reaction ~ Days + (Days | Subject)"
SLEEP = sleepstudy()
DESIGN = lme4py.lformula(FORMULA, SLEEP)
FIT = lme4py.lmer("Reaction ~ Days + (1 | Subject)", SLEEP)

ODD = (
    1,
    2.5,
    float("nan"),
    True,
    "odd",
    b"odd",
    [1, "a"],
    [[1], [2, 3]],
    {"odd": 1},
    (1,),
    {1},
    1j,
    object(),
    np.zeros(3),
    np.zeros((2, 2)),
    np.array("odd"),
    SLEEP,
    iter([1]),
    len,
)

# What takes the odd value, and the types that it may take after all.
CALLS = {
    "formula": (lambda v: lme4py.lformula(v, SLEEP), ()),
    "data": (lambda v: lme4py.lformula(FORMULA, v), (pd.DataFrame,)),
    "subset": (lambda v: lme4py.lformula(FORMULA, SLEEP, subset=v), ()),
    "weights": (lambda v: lme4py.lformula(FORMULA, SLEEP, weights=v), ()),
    "offset": (lambda v: lme4py.lformula(FORMULA, SLEEP, offset=v), ()),
    "control": (lambda v: lme4py.lformula(FORMULA, SLEEP, control=v), ()),
    "collation": (lambda v: lme4py.lformula(FORMULA, SLEEP, collation=v), ()),
    "double_bar": (lambda v: lme4py.lformula(FORMULA, SLEEP, double_bar=v), ()),
    "sparse_X": (lambda v: lme4py.lformula(FORMULA, SLEEP, sparse_X=v), (bool,)),
    "na_action": (lambda v: lme4py.lformula(FORMULA, SLEEP, na_action=v), ()),
    "env": (lambda v: lme4py.lformula(FORMULA, SLEEP, env=v), (dict,)),
    "family": (lambda v: lme4py.glformula(FORMULA, SLEEP, family=v), ()),
    "mustart": (
        lambda v: lme4py.glformula(FORMULA, SLEEP, family="poisson", mustart=v),
        (pd.DataFrame,),
    ),
    "load": (lme4py.load, ()),
    "read_fixture": (lme4py.read_fixture, ()),
    "save": (DESIGN.save, (str, bytes)),
    "export to": (lambda v: DESIGN.export(v, "npz"), (str, bytes)),
    "export format": (lambda v: DESIGN.export("nowhere", v), ()),
    "compare a design": (lambda v: lme4py.compare(v, None), ()),
    "compare a fixture": (lambda v: lme4py.compare(DESIGN, v), ()),
    "bars": (lambda v: lme4py.mk_re_terms(v, SLEEP), ()),
    "names": (
        lambda v: lme4py.mixed_design(DESIGN.X, "(1 | Subject)", frame=SLEEP, names=v),
        (list,),
    ),
    "newdata": (DESIGN.spec.apply, (pd.DataFrame,)),
    "new_levels": (lambda v: DESIGN.spec.apply(SLEEP, new_levels=v), ()),
    "new env": (lambda v: DESIGN.spec.apply(SLEEP, env=v), (dict,)),
    "new offset": (lambda v: DESIGN.spec.apply(SLEEP, offset=v), ()),
    "from_json": (lme4py.Spec.from_json, ()),
    "cluster": (DESIGN.cluster, ()),
    "clusters": (DESIGN.clusters, ()),
    "notation": (lambda v: DESIGN.equations(notation=v), ()),
    "notation of words": (lambda v: DESIGN.explain(notation=v), ()),
    "notation of a cluster": (lambda v: DESIGN.cluster("308").display(notation=v), ()),
    "levels": (lambda v: DESIGN.equations(levels=v), ()),
    "other names": (lambda v: DESIGN.equations(names=v), ()),
    "another name": (lambda v: DESIGN.equations(names={"Days": v}), (str,)),
    "coefficients": (lambda v: DESIGN.equations(coefficients=v), ()),
    "digits": (lambda v: DESIGN.equations(digits=v), (int,)),
    "terms_per_line": (lambda v: DESIGN.equations(terms_per_line=v), (int,)),
    "seed": (lambda v: DESIGN.equations().verify(v), (int,)),
    "width": (lambda v: DESIGN.explain(width=v), (int,)),
    "rows": (lambda v: DESIGN.cluster("308").display(rows=v), (int,)),
    "shown digits": (lambda v: DESIGN.cluster("308").display(digits=v), (int,)),
    "output": (DESIGN.to_formulaic, ()),
    "par": (DESIGN.random.lambdat_at, (np.ndarray,)),
    "parameters": (lme4py.mk_lmer_devfun(DESIGN), (np.ndarray,)),
    "parameters of a solution": (lme4py.mk_lmer_devfun(DESIGN).at, (np.ndarray,)),
    "width of equations": (DESIGN.equations().text, (int,)),
    "panels": (DESIGN.plot, ()),
    "predictor": (lambda v: DESIGN.plot_groups(predictor=v), ()),
    "type of residuals": (FIT.residuals, ()),
    "read_csv": (lme4py.read_csv, ()),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_a_wrong_type_is_our_error(name):
    call, taken = CALLS[name]
    for value in ODD:
        if isinstance(value, taken) and not (isinstance(value, bool) and bool not in taken):
            continue
        if name == "subset" and value is ODD[3]:
            continue  # all rows
        with pytest.raises(lme4py.Lme4pyError) as caught:
            call(value)
        assert str(caught.value)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: DESIGN.equations(digits=0), "digits must be between 1 and 17, not 0"),
        (lambda: DESIGN.equations(digits="4"), "digits must be a whole number, not '4'"),
        (lambda: DESIGN.equations(levels="Days"), 'such as levels={"M": "g"}'),
        (lambda: DESIGN.equations(coefficients=[1.0]), "1 coefficients for 2 columns of X"),
        (lambda: DESIGN.equations(names={"Dayz": "X"}), "did you mean 'Days'?"),
        (lambda: lme4py.lformula(FORMULA, SLEEP, env=3), "env must be a mapping, not 3"),
        (lambda: lme4py.lformula(FORMULA, SLEEP, sparse_X=[1]), "sparse_X must be True or False"),
        (lambda: lme4py.load(None), "the path of a file must be text or a path, not None"),
        (lambda: lme4py.compare(DESIGN, "m.rds"), "lme4py.read_fixture"),
    ],
)
def test_the_error_says_what_is_wanted(call, words):
    with pytest.raises(lme4py.DataError) as caught:
        call()
    assert words in str(caught.value)


def test_clusters_are_a_sequence_as_pythons_are():
    clusters = DESIGN.clusters()
    assert clusters[np.int64(-1)].level == "372"
    with pytest.raises(TypeError):
        clusters["308"]
    with pytest.raises(IndexError, match="18 clusters"):
        clusters[18]


def _lazy(method):
    return type("Lazy", (), {method: SLEEP.copy})()


STRUCTURED = np.array([(1.0, "a")], dtype=[("y", float), ("g", "U1")])


@pytest.mark.parametrize(
    "data, hint",
    [
        (pl.DataFrame({"y": [1]}).lazy(), "call .collect() first"),
        (_lazy("compute"), "call .compute() first"),
        (_lazy("toPandas"), "call .toPandas() first"),
        (_lazy("to_dataframe"), "call .to_dataframe() first"),
        (_lazy("df"), "call .df() first"),
        ("sleep.csv", "read the file first"),
        (STRUCTURED, "pandas.DataFrame(data)"),
        (np.zeros((3, 3)), "its columns have no names"),
        ([{"y": 1.0}], "pandas.DataFrame(data)"),
        (SLEEP["Days"], "give a pandas, polars or pyarrow frame"),
    ],
)
def test_data_of_another_kind_say_how_they_become_a_frame(data, hint):
    with pytest.raises(lme4py.DataError, match="first argument must be a named list") as caught:
        lme4py.lformula(FORMULA, data)
    assert hint in caught.value.hint


def test_a_record_batch_is_a_table():
    batch = pa.RecordBatch.from_pandas(SLEEP, preserve_index=False)
    assert np.array_equal(lme4py.lformula(FORMULA, batch).X, DESIGN.X)


class _Tensor:
    """Something that numpy can read."""

    def __init__(self, values):
        self.values_inside = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return self.values_inside


def test_columns_that_numpy_can_read_are_columns():
    columns = {name: _Tensor(SLEEP[name].to_numpy()) for name in SLEEP}
    assert np.array_equal(lme4py.lformula(FORMULA, columns).X, DESIGN.X)


@pytest.mark.parametrize(
    "column",
    [
        [Fraction(1, 3)] * 180,
        [enum.Enum("E", "A").A] * 180,
        pd.period_range("2020", periods=180, freq="M"),
        (item for item in range(180)),
    ],
)
def test_a_column_without_a_type_of_rs_is_pointed_at(column):
    with pytest.raises(lme4py.DataError, match="invalid type") as caught:
        lme4py.lformula("Reaction ~ z + (1 | Subject)", dict(SLEEP.items(), z=column))
    assert "           ^" in str(caught.value)


def test_arrays_without_dimensions_are_single_rows():
    data = {"y": np.array(1.0), "g": np.array("a")}
    with pytest.raises(lme4py.CheckError, match="> 1 sampled level"):
        lme4py.lformula("y ~ 1 + (1 | g)", data)


def test_unsigned_numbers_beyond_the_signed_ones_stay_positive():
    large = np.arange(180, dtype="uint64") + np.uint64(2**63)
    for column in (large, pd.Series(large), pl.Series(large), pa.array(large)):
        data = {**SLEEP.to_dict("series"), "u": column}
        frame = lme4py.lformula(FORMULA, data, offset="u")
        assert np.array_equal(frame.offset, large.astype(float))


def test_a_name_like_no_other_is_told_what_the_data_have():
    indexed = SLEEP.set_index("Subject")
    with pytest.raises(lme4py.FormulaError, match="not found") as caught:
        lme4py.lformula(FORMULA, indexed)
    assert caught.value.hint == "'Subject' is in the index of the data: call .reset_index() first"
    with pytest.raises(lme4py.FormulaError, match="not found") as caught:
        lme4py.lformula("quantity ~ (1 | Subject)", SLEEP.rename(columns={"Days": "day no"}))
    assert caught.value.hint == "the data have: Reaction, `day no`, Subject"


@pytest.mark.parametrize("argument", ["weights", "offset"])
def test_missing_weights_are_named_when_no_row_is_left(argument):
    with pytest.raises(lme4py.DataError) as caught:
        lme4py.lformula(FORMULA, SLEEP, **{argument: np.full(180, np.nan)})
    assert caught.value.hint == f"missing values in {argument}"


def test_a_generalized_model_without_rows_says_which_variable_is_missing():
    data = SLEEP.assign(Reaction=np.nan)
    with pytest.raises(lme4py.FormulaError, match="Invalid grouping factor") as caught:
        lme4py.glformula(FORMULA, data, family="poisson")
    assert caught.value.hint == "missing values: Reaction in every row"


@pytest.mark.parametrize("family", [("binomial", "nolink"), ("nofamily", "log"), ("poisson", 1)])
def test_a_family_made_by_hand_is_one_of_rs(family):
    with pytest.raises(lme4py.FormulaError):
        lme4py.glformula(FORMULA, SLEEP, family=lme4py.Family(*family))


@pytest.mark.parametrize("name, link", [("binomial", "probit"), ("inverse.gaussian", "1/mu^2")])
def test_a_family_of_rs_may_be_made_by_hand(name, link):
    design = lme4py.glformula(FORMULA, SLEEP, family=lme4py.Family(name, link))
    assert design.family == lme4py.Family(name, link)
