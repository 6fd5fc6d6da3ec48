"""Every check of lme4's, its words, its order; the texts are those of lme4 1.1-31, R 4.2.2."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import lme4py
from lme4py import CheckError, Control, DataError
from lme4py.matrices import fixed, rank
from lme4py.matrices.randomterm import Entries
from lme4py.matrices.rank import has_full_row_rank

from . import rules
from .bounded import bounded_work
from .rules import IGNORE, D, I, generalized, linear, said, with_columns

pytestmark = pytest.mark.filterwarnings("ignore::lme4py.Lme4pyAdvice")

V = with_columns
L, G = linear, generalized
X_Q = "NA/NaN/Inf in foreign function call (arg 1)"
UNIDENTIFIED = (
    "the random-effects parameters and the residual variance (or scale parameter) are probably "
    "unidentifiable"
)
NA_IN_Z = (
    "NA in Z (random-effects model matrix): please use \"na.action='na.omit'\" or "
    "\"na.action='na.exclude'\""
)
SCALES = "Some predictor variables are on very different scales:"


def holes(name, rows, value=np.nan):
    column = D[name].copy()
    column = column.astype(object) if name in "gkf" else column
    column.iloc[[row - 1 for row in rows]] = None if name in "gkf" else value
    return column.astype("category") if name in "gkf" else column


# Rule, call, and what R says to it: E error, W warning, M message.
RULES = [
    # 3: model frame
    ("3.6", lambda: L("y ~ x + (1|g)", V(x=holes("x", [1])), na_action="na.fail"),
     ["E: missing values in object"]),
    ("3.7 fixed", lambda: L("y ~ x + (1|g)", V(x=holes("x", [1])), na_action="na.pass"),
     [f"E: {X_Q}"]),
    ("3.7 slope", lambda: L("y ~ (x|g)", V(x=holes("x", [1])), na_action="na.pass"),
     [f"E: {NA_IN_Z}"]),
    ("3.7 glm", lambda: G("I(y>2) ~ (x|g)", V(x=holes("x", [1])), na_action="na.pass"), []),
    ("3.8", lambda: L("y ~ log(x - .5) + (1|g)"), [f"E: {X_Q}"]),
    ("3.9", lambda: L("y ~ C(f, contr.sum) + (1|g)", subset='f != "r"'),
     ["W: contrasts dropped from factor C(f, contr.sum) due to missing levels"]),
    ("3.11 list", lambda: L("y ~ v + (1|g)", V(v=[[1]] * 24)), ["E: invalid type (list"]),
    ("3.11 function", lambda: L("y ~ mean + (1|g)"),
     ["E: invalid type (closure) for variable 'mean'"]),
    ("3.14 scalar", lambda: L("y ~ I(1) + (1|g)"),
     ["E: variable lengths differ (found for 'I(1)')"]),
    ("3.14 weights", lambda: L("y ~ x + (1|g)", weights="c(1, 2)"),
     ["E: variable lengths differ (found for '(weights)')"]),
    ("3.17", lambda: L("y ~ x + (1|g)", subset="x > 99"), ["E: 0 (non-NA) cases"]),
    ("3.17 glm", lambda: G("I(y>2) ~ x + (1|g)", subset="x > 99"),
     ["E: Invalid grouping factor specification, g"]),
    ("3.18 text", lambda: G("s ~ x + (1|g)").response, ["E: response must be numeric or factor"]),
    ("3.18 share", lambda: G("h/4 ~ x + (1|g)").response,
     ["W: non-integer #successes in a binomial glm!"]),
    ("3.18 poisson", lambda: G("z ~ x + (1|g)", family="poisson").response,
     ["E: negative values not allowed for the 'Poisson' family"]),
    ("3.18 linear", lambda: L("f ~ x + (1|g)").response, ["E: response must be numeric"]),
    # 9: rank and scale of X
    ("9.1", lambda: L("y ~ one + x2 + x + zero + (1|g)",
                      V(x2=2 * D.x, one=1.0, zero=0.0), control={"check.scaleX": "ignore"}),
     ["M: fixed-effect model matrix is rank deficient so dropping 3 columns / coefficients"]),
    ("9.2", lambda: L("y ~ x + I(2*x) + (1|g)"),
     ["M: fixed-effect model matrix is rank deficient so dropping 1 column / coefficient"]),
    ("9.2 one name", lambda: L("y ~ cbind(x, x, x) + (1|g)"),
     ["M: fixed-effect model matrix is rank deficient so dropping 2 columns / coefficients"]),
    ("9.5 silent", lambda: L("y ~ x + I(2*x) + (1|g)",
                             control={"check.rankX": "silent.drop.cols"}), []),
    ("9.5 warn", lambda: L("y ~ x + I(2*x) + (1|g)", control={"check.rankX": "warn+drop.cols"}),
     ["W: fixed-effect model matrix is rank deficient so dropping 1 column / coefficient"]),
    ("9.5 stop", lambda: L("y ~ x + I(2*x) + (1|g)", control={"check.rankX": "stop.deficient"}),
     [("E: the fixed-effects model matrix is column rank deficient (rank(X) = 2 < 3 = p);\n"
      "the fixed effects will be jointly unidentifiable")]),
    ("9.5 ignore", lambda: L("y ~ x + I(2*x) + (1|g)", control={"check.rankX": "ignore"}), []),
    ("9.5 ignore Inf", lambda: L("y ~ log(x - .5) + (1|g)", control={"check.rankX": "ignore"}),
     ["E: missing value where TRUE/FALSE needed"]),
    ("9.5 stop, fewer rows than columns",
     lambda: L("y ~ poly(x, 5) * z + (1|g)", subset="1:8", control={
         **IGNORE, "check.rankX": "stop.deficient"}),
     ["W: rankMatrix(x, method='qr'): computing t(x) as nrow(x) < ncol(x)",
      ("E: the fixed-effects model matrix is column rank deficient (rank(X) = 8 < 12 = p);\n"
      "the fixed effects will be jointly unidentifiable")]),
    ("9.6", lambda: L("y ~ I(x*1e4) + (1|g)"), [f"W: {SCALES} consider rescaling"]),
    ("9.6 within", lambda: L("y ~ I(999*x/sd(x)) + (1|g)"), []),
    ("9.6 pair", lambda: L("y ~ I(40*x/sd(x)) + I(z/sd(z)*.03) + (1|g)"),
     [f"W: {SCALES} consider rescaling"]),
    ("9.6 constant", lambda: L("y ~ 0 + I(0*x + 2) + (1|g)"), [f"W: {SCALES} consider rescaling"]),
    ("9.7 stop", lambda: L("y ~ I(x*1e4) + (1|g)", control={"check.scaleX": "stop"}),
     [f"E: {SCALES} consider rescaling"]),
    ("9.7 warn+rescale", lambda: L("y ~ I(x*1e4) + (1|g)",
                                   control={"check.scaleX": "warn+rescale"}),
     [f"W: {SCALES} auto-rescaled (results NOT adjusted)"]),
    ("9.7 ignore", lambda: L("y ~ I(x*1e4) + (1|g)", control={"check.scaleX": "ignore"}), []),
    ("9.8", lambda: L("y ~ 0 + (1|g)"), []),
    # 10: checks and messages
    ("10.2 level", lambda: L("y ~ x + (1|g)", control={"check.nobs.vs.nlev": "foo"}),
     [("E: invalid control level ‘foo’ in check.nobs.vs.nlev: valid options are "
      "{‘message’,‘warning’,‘stop’,‘ignore’}")]),
    ("10.2 rankX", lambda: Control(check_rankX="foo"),
     [("E: 'arg' should be one of “message+drop.cols”, “silent.drop.cols”, “warn+drop.cols”, "
      "“stop.deficient”, “ignore”")]),
    ("10.3 gtr.1", lambda: L("y ~ (1|v)", V(v=1), control={"check.nlev.gtr.1": "message"}),
     ["E: unknown check level for 'check.nlev.gtr.1'"]),
    ("10.3 gtreq.5", lambda: L("y ~ (1|g)", control={"check.nlev.gtreq.5": "message"}),
     ["E: unknown check level for 'check.nlev.gtreq.5'"]),
    ("10.3 nRE", lambda: L("y ~ (x|v)", V(v=np.tile(range(12), 2)),
                           control={"check.nobs.vs.nRE": "message"}),
     ["E: unknown check level for 'check.nobs.vs.nRE'"]),
    ("10.3 rankZ", lambda: L("y ~ (1|x)", control={**IGNORE, "check.nobs.vs.rankZ": "message"}),
     ["E: unknown check level for 'check.nobs.vs.rankZ'"]),
    ("10.3 rankZ ignoreSmall",
     lambda: L("y ~ (1|x)", control={**IGNORE, "check.nobs.vs.rankZ": "ignoreSmall"}),
     ["E: unknown check level for 'check.nobs.vs.rankZ'"]),
    ("10.5", lambda: L("y ~ x"), ["E: No random effects terms specified in formula"]),
    ("10.5 after the frame", lambda: L("y ~ zz"), ["E: object 'zz' not found"]),
    ("10.6", lambda: L("y ~ (1|v)", V(v="a")),
     ["E: grouping factors must have > 1 sampled level"]),
    ("10.6 after removal", lambda: L("y ~ (1|k)", subset="1:12"),
     ["E: grouping factors must have > 1 sampled level"]),
    ("10.7", lambda: L("y ~ (1|x) + (1|g) + (1|v)", V(v=-D.x)),
     [("E: number of levels of each grouping factor must be < number of observations "
      "(problems: v, x)")]),
    ("10.7 glm", lambda: G("I(y>2) ~ (1|x)"), []),
    ("10.8", lambda: L("y ~ (1|g)", control={"check.nlev.gtreq.5": "warning"}),
     ["W: grouping factors with < 5 sampled levels may give unreliable estimates"]),
    ("10.9", lambda: L("y ~ (x|v)", V(v=np.tile(range(1, 13), 2))),
     ["E: number of observations (=24) <= number of random effects (=24) for term (x | v); "
      + UNIDENTIFIED]),
    ("10.9 glm equal", lambda: G("I(y>2) ~ (x|v)", V(v=np.tile(range(12), 2))), []),
    ("10.9 glm", lambda: G("I(y>2) ~ (x + z|v)", V(v=np.tile(range(12), 2))),
     [("E: number of observations (=24) < number of random effects (=36) for term (x + z | v); "
      "the random-effects parameters are probably unidentifiable")]),
    ("10.11", lambda: L("y ~ (1|x)", control={**IGNORE, "check.nobs.vs.rankZ": "warningSmall"}),
     [f"W: number of observations (=24) <= rank(Z) (=24); {UNIDENTIFIED}"]),
    ("10.11 stop", lambda: L("y ~ (x|v)", V(v=np.tile(range(12), 2)),
                             control={**IGNORE, "check.nobs.vs.rankZ": "stopSmall"}),
     [f"E: number of observations (=24) <= rank(Z) (=24); {UNIDENTIFIED}"]),
    ("10.11 less", lambda: L("y ~ (1|v) + (1|g:h) + (1|v)", V(v=np.tile(range(12), 2)),
                             control={**IGNORE, "check.nobs.vs.rankZ": "stop"}), []),
    ("10.11 not finite", lambda: L("y ~ (x|g)", V(x=holes("x", [1], np.inf)),
                                   control={**IGNORE, "check.nobs.vs.rankZ": "warning"}),
     [f"E: rank(Z) is NA: invalid random effect factors? {UNIDENTIFIED}"]),
    ("10.12", lambda: L("~ x + (1|g)"),
     ["E: !checkLHS || length(as.formula(formula, env = denv)) == 3 is not TRUE"]),
    ("10.12 off", lambda: L("~ x + (1|g)", control={"check.formula.LHS": "ignore"}), []),
    ("10.13 matrices", lambda: G("v ~ (1|g)", V(v=1.0)), []),
    ("10.13 response", lambda: G("v ~ (1|g)", V(v=1.0)).response, ["E: Response is constant"]),
    ("10.13 linear", lambda: L("v ~ (1|g)", V(v=1.0)).response, []),
    ("10.13 warning", lambda: G("v ~ (1|g)", V(v=1.0), control={
        "check.response.not.const": "warning"}).response, ["W: Response is constant"]),
    ("10.13 message", lambda: G("v ~ (1|g)", V(v=1.0), control={
        "check.response.not.const": "message"}).response,
     ["E: unknown check level for 'check.response.not.const'"]),
    ("10.14", lambda: L("y ~ (1|v)", V(v=np.nan), na_action="na.pass"),
     ["E: Invalid grouping factor specification, v"]),
    ("10.14 omitted", lambda: L("y ~ (1|v)", V(v=np.nan)), ["E: 0 (non-NA) cases"]),
    ("10.15 fixed", lambda: L("y ~ zz + (1|g)"), ["E: object 'zz' not found"]),
    ("10.15 group", lambda: L("y ~ x + (1|zz)"), ["E: object 'zz' not found"]),
    ("10.15 slope", lambda: L("y ~ x + (zz|g)"), ["E: object 'zz' not found"]),
    ("10.15 response", lambda: L("zz ~ x + (1|g)"), ["E: object 'zz' not found"]),
    ("10.15 weights", lambda: L("y ~ x + (1|g)", weights="zz"), ["E: object 'zz' not found"]),
    ("10.15 subset", lambda: L("y ~ x + (1|g)", subset="zz > 1"), ["E: object 'zz' not found"]),
    ("10.15 data", lambda: L("y ~ x + (1|g)", 5), ["E: first argument must be a named list"]),
    ("10.16 quasi", lambda: G("y ~ (1|g)", family="quasipoisson"),
     ['E: "quasi" families cannot be used in glmer']),
    ("10.16 unknown", lambda: G("y ~ (1|g)", family="nofam"),
     ["E: object 'nofam' of mode 'function' was not found"]),
    ("10.18", lambda: L("y ~ (1|g)", control=[("check.rankX", "ignore")]),
     ["E: is.list(ctrl) is not TRUE"]),
    ("10.21 built", lambda: L("y ~ (1|g)", weights="z"), []),
    ("10.21 weights", lambda: L("y ~ (1|g)", weights="z").response,
     ["E: all(weights >= 0) is not TRUE"]),
    ("10.21 infinite", lambda: L("y ~ (1|g)", V(y=holes("y", [1], np.inf))).response,
     ["E: NA/NaN/Inf in 'y'"]),
]  # fmt: skip


@pytest.mark.parametrize("call, expected", [row[1:] for row in RULES], ids=[r[0] for r in RULES])
def test_rule(call, expected):
    found = said(call)
    assert len(found) == len(expected), found
    for text, wanted in zip(found, expected, strict=True):
        assert text.startswith(wanted), found


def test_r_names_of_unknown_arguments_are_refused():
    # Rule 10.17: R warns "extra argument(s) ... disregarded"; here they are refused.
    for name in ("famly", "nAGQ", "method", "sparseX"):
        with pytest.raises(TypeError, match=name):
            linear("y ~ (1|g)", **{name: 1})


def test_order_of_the_checks():
    # Rule 10.4: each fault hides the next.
    data = V(one="a", id=I, bad=holes("x", [1]))
    sequence = [
        ("~ zz + (1|one)", {}, "!checkLHS"),
        ("y ~ zz + (1|one)", {}, "object 'zz' not found"),
        ("y ~ x + (1|one)", {"subset": "x > 99"}, "0 (non-NA) cases"),
        ("y ~ x", {}, "No random effects"),
        ("y ~ (1|one) + (1|id)", {}, "grouping factors must have > 1"),
        ("y ~ (1|id) + (x + z + h|g:f:k)", {}, "number of levels"),
        ("y ~ (bad + z + h|g:f)", {"na_action": "pass"}, "number of observations"),
        ("y ~ bad + (bad|g)", {"na_action": "pass"}, "NA in Z"),
        ("y ~ bad + (1|g)", {"na_action": "pass"}, "NA/NaN/Inf"),
    ]
    for formula, options, words in sequence:
        with pytest.raises(lme4py.Lme4pyError) as caught:
            linear(formula, data, **options)
        assert words in str(caught.value), formula


def test_collected_warnings():
    # Rule 10.4: Nlev, Zdims, Zrank, in this order, each once.
    warning = dict.fromkeys(["check.nobs.vs.nlev", "check.nobs.vs.nRE", "check.nobs.vs.rankZ"],
                            "warning")  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = linear("y ~ (1|x) + (1|x)", control=warning)
    starts = [text[:28] for text in design.messages]
    assert starts == [
        "number of levels of each gro",
        "number of observations (=24)",
        "number of observations (=24)",
    ]


def test_message_level_of_levels_is_silent():
    # Rule 10.3: lme4 accepts the word here and then says nothing.
    control = {"check.nobs.vs.nlev": "message", "check.nobs.vs.nRE": "ignore"}
    assert not [text for text in said(lambda: linear("y ~ (1|x)", control=control))
                if not text.startswith("M: number of levels")]  # fmt: skip


def test_dropped_columns():
    # Rule 9.3; positions count from 0 here.
    with pytest.warns(lme4py.Lme4pyMessage, match="so dropping 2 columns"):
        fixed = linear("y ~ x + I(2*x) + f + I(3*x) + (1|g)").fixed
    assert fixed.names == ["(Intercept)", "x", "fq", "fr"]
    assert fixed.dropped == {"I(2 * x)": 2, "I(3 * x)": 5}
    assert fixed.assign.tolist() == [0, 1, 3, 3]


@pytest.mark.parametrize("action", ["silent.rescale", "message+rescale"])
def test_rescaling_in_silence(action):
    # Rule 9.7: message+rescale says nothing, either.
    design = linear("y ~ I(x*1e4) + k + (1|g)", control={"check.scaleX": action})
    np.testing.assert_allclose(design.fixed.scales["I(x * 10000)"], 35355.3390593274, rtol=1e-14)
    np.testing.assert_allclose(design.X[:, 1].std(ddof=1), 1)
    assert design.X[:, 2].tolist() == [0] * 12 + [1] * 12
    assert design.messages == [f"{SCALES} auto-rescaled (results NOT adjusted)"]


def test_autoscale():
    # Rule 9.9, lme4 2.1-0: l$X[1, ] and scaled:center.
    design = linear("y ~ x + k + (1|g)", control={"autoscale": True})
    np.testing.assert_allclose(design.X[0], [1, -1.626346, -0.978945], rtol=1e-6)
    assert list(design.fixed.centers.values()) == [6.25, 0.5]
    assert list(design.fixed.scales) == ["x", "kv"]
    for off in (None, False):
        assert linear("y ~ x + (1|g)", control={"autoscale": off}).X[0, 1] == 0.5


def test_autoscale_comes_before_the_rank_check():
    with pytest.raises(CheckError, match="NA/NaN/Inf"):
        linear("y ~ I(0 * x + 2) + (1|g)", control={"autoscale": True})


def test_dropping_that_does_not_help(monkeypatch):
    # lme4 checks again after dropping; R's rule never fails it twice on the same numbers.
    answers = iter([rank.rank_of, lambda _: (2, None)])

    def answered(*given):
        return next(answers)(*given)

    monkeypatch.setattr(fixed, "rank_of", answered)
    with pytest.raises(CheckError, match="Dropping columns failed to produce full column rank"):
        linear("y ~ x + f + I(2*x) + (1|g)")


def entries(matrix):
    return Entries(matrix.data, matrix.indices, matrix.indptr, matrix.shape)


@pytest.mark.parametrize("dense_up_to", [0, 1_000_000])
def test_rank_of_z_by_every_way(monkeypatch, dense_up_to):
    monkeypatch.setattr(rank, "_DENSE", dense_up_to)
    random = np.random.default_rng(4)
    for _ in range(200):
        n = int(random.integers(2, 14))
        q = n + int(random.integers(0, 6))
        dense = random.choice([0, 0, 0, 1, 1, 2, -1, 0.5], (q, n))
        matrix = sparse.csc_array(dense)
        full = np.linalg.matrix_rank(dense) == n
        assert has_full_row_rank(entries(matrix)) is bool(full)


def test_rank_of_a_large_z_is_bounded():
    n = 100_000
    effects = sparse.vstack([sparse.eye_array(n), sparse.eye_array(1000, n)]).tocsc()
    twice = sparse.csc_array((np.ones(n), np.arange(n) // 2, np.arange(n + 1)), shape=(n, n))
    # What is imported with the first call is not counted.
    assert has_full_row_rank(entries(sparse.eye_array(2).tocsc()))
    # Dense they would be 80 GB each; nothing is done row by row.
    with bounded_work(calls=5_000, megabytes=50):
        assert has_full_row_rank(entries(effects))
        assert not has_full_row_rank(entries(twice))


def test_small_variants_skip_large_matrices():
    n = 1001
    data = {"y": np.arange(float(n)), "id": np.arange(n)}
    control = {**IGNORE, "check.nobs.vs.rankZ": "stopSmall"}
    assert linear("y ~ (1|id)", data, control=control).Zt.shape == (n, n)
    with pytest.raises(CheckError, match="rank"):
        linear("y ~ (1|id)", data, control={**control, "check.nobs.vs.rankZ": "stop"})


def test_errors_name_rows_columns_and_values():
    with pytest.raises(CheckError) as caught:
        linear("y ~ log(x - .5) + (1|g)")
    assert "'log(x - 0.5)' in X: row 0 (-inf): 1 of 24 rows" in str(caught.value)
    with pytest.raises(CheckError) as caught:
        linear("y ~ (x|g)", V(x=holes("x", [3, 5])), na_action="pass", subset="-1")
    assert "'x' in (x | g): row 2, row 4: 2 of 23 rows" in str(caught.value)
    with pytest.raises(DataError) as caught:
        linear("y ~ x + v + (1|g)", V(v=np.nan))
    assert "v in every row" in str(caught.value)
    with pytest.raises(DataError) as caught:
        _ = generalized("h ~ x + (1|g)").response
    assert "row 0 (3.0), row 2 (2.0), row 3 (3.0)" in str(caught.value)
    assert "16 of 24 rows" in str(caught.value)


def test_messages_reach_the_logger_and_warnings_do_not(caplog):
    with caplog.at_level(logging.INFO, logger="lme4py"):
        with pytest.warns(lme4py.Lme4pyMessage):  # the columns are others than asked for
            linear("y ~ x + I(2*x) + (1|g)")
        with pytest.warns(lme4py.Lme4pyWarning) as told:
            linear("y ~ I(x*1e4) + (1|g)")
    assert [message[:25] for message in caplog.messages] == [
        "fixed-effect model matrix",
        "1 column dropped from X: ",
    ]
    assert len(told) == 1
    assert told[0].filename == rules.__file__


def test_data_are_left_alone():
    data = V(m=np.where(I % 5 == 0, np.nan, D.x))
    before = data.copy(deep=True)
    linear("y ~ scale(m) + f + (m|g)", data, control={"check.scaleX": "silent.rescale"})
    linear("y ~ x + (1|g)", data, control={"autoscale": True}, weights="x")
    pd.testing.assert_frame_equal(data, before)
