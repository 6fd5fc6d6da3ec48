"""A row depends on that row and the spec alone: batches of one, and of none, are the whole.

Every model that builds can be applied, unless it looks at all rows together, which it then says.
"""

import numpy as np
import pandas as pd
import pytest

import lme4py

RANDOM = np.random.default_rng(2)
ROWS = 24
DATA = pd.DataFrame(
    {
        "y": RANDOM.normal(size=ROWS),
        "x": np.round(RANDOM.normal(size=ROWS) + 5, 2),
        "z": RANDOM.integers(1, 9, ROWS),
        "b": RANDOM.random(ROWS) > 0.5,
        "s": list("rts") * 8,
        "k": list("xy") * 12,
        "f": pd.Categorical(list("uvwq") * 6),
        "o": pd.Categorical(list("lmh") * 8, ["l", "m", "h"], ordered=True),
        "g": list("aabbccdd") * 3,
        "h": [1, 2, 3] * 8,
        "d": pd.date_range("2020-01-01", periods=ROWS, freq="36h").astype("M8[s]"),
        "t": pd.date_range("2020-01-01", periods=ROWS, freq="D"),
    }
)
FEW = DATA.iloc[[0, 5, 7, 20]]
EXPRESSIONS = """
x; log(x); I(x^2); x:z; f; o; s; b; factor(z); factor(s); ordered(s); relevel(f, 'v'); C(f, sum);
addNA(f); droplevels(f); as.factor(z); interaction(f, k); interaction(s, k, drop = TRUE); f:k; f*x;
poly(x, 3); poly(x, 3)[, -1]; poly(x, 2, raw = TRUE); poly(x, z, degree = 2); polym(x, z);
poly(x, 3)[, 2]; scale(x); scale(x)[, 1]; scale(x)[, 1, drop = FALSE]; scale(cbind(x, z));
splines::ns(x, 3); splines::bs(x, df = 5); splines::bs(x, df = 5)[, 2:3]; cut(x, 3);
cut(x, c(0, 4, 5, 9)); findInterval(x, c(4, 5, 6)); ifelse(x > 5, 1, 0); ifelse(b, x, z);
ifelse(x > 5, 'hi', 'lo'); replace(x, x > 5, 0); reorder(f, x); pmin(x, 5); pmax(x, z);
I(x > 5); I(x %in% c(5, 6)); I(s == 'r'); paste0(s, k); paste('a', x); nchar(s); substr(s, 1, 1);
toupper(s); gsub('r', 'q', s); grepl('r', s); is.na(x); as.numeric(f); as.character(z); I(!b);
format(d, '%m'); format(d); as.character(d); format(t); weekdays(d); months(d); as.numeric(d);
as.Date(d); difftime(d, as.POSIXct('2020-01-01', tz = 'UTC')); as.numeric(difftime(d, t));
cbind(x, z); cbind(x, z)[, 1]; matrix(x); matrix(x, 24, 1); matrix(x, nrow = 24);
matrix(x, ncol = 1); matrix(x, 24, 1)[, 1]; contrasts(f)[f, ]; contr.sum(4)[f, ];
contr.sum(4)[f, 2]; contr.helmert(3)[h, ]; c(10, 20, 30)[h]; c(1, 2, 3, 4)[f]; letters[z];
rowSums(cbind(x, z));
rep(x, 1); rep(x, length.out = 24); c(x); x[]; I(x - mean(x)); I(x / max(x)); I(min(x) + x);
I(quantile(x, 0.5) * x); I(x * 0); offset(x); offset(scale(x)); offset(matrix(x)); offset(cbind(x))
"""
CONTROL = dict.fromkeys(
    ("check.nobs.vs.nlev", "check.nobs.vs.nRE", "check.nobs.vs.rankZ", "check.rankX"), "ignore"
)

pytestmark = pytest.mark.filterwarnings("ignore::lme4py.Lme4pyWarning")


def _same(found, expected, place):
    np.testing.assert_allclose(found.X, expected.X[place], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(
        found.Z.toarray(), expected.Z.toarray()[place], rtol=1e-9, atol=1e-11
    )
    assert (found.offset is None) == (expected.offset is None)
    if found.offset is not None:
        np.testing.assert_allclose(found.offset, expected.offset[place], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("saved", [False, True], ids=["spec", "json"])
@pytest.mark.parametrize("expression", [text.strip() for text in EXPRESSIONS.split(";")])
def test_batches_of_one_and_none(expression, saved):
    parts = [f"y ~ {expression} + (1 | g)"]
    if not expression.startswith("offset"):
        parts.append(f"y ~ 1 + (0 + {expression} | g)")
    for formula in parts:
        design = lme4py.lformula(formula, DATA, control=CONTROL)
        spec = lme4py.Spec.from_json(design.spec.to_json()) if saved else design.spec
        whole = spec.apply(FEW)
        _same(whole, design, FEW.index)
        for place in range(len(FEW)):
            _same(spec.apply(FEW.iloc[[place]]), whole, [place])
        nothing = spec.apply(FEW.iloc[:0])
        assert nothing.X.shape == (0, whole.X.shape[1])
        assert nothing.Zt.shape == (whole.Zt.shape[0], 0)


@pytest.mark.parametrize(
    "expression", ["rev(x)", "cumsum(x)", "rank(x)", "x[order(x)]", "x + c(0, 1)", "1:24 * x"]
)
def test_what_looks_at_all_rows_says_so(expression):
    design = lme4py.lformula(f"y ~ I({expression}) + (1 | g)", DATA, control=CONTROL)
    with pytest.raises(lme4py.FormulaError):
        design.spec.apply(FEW)
