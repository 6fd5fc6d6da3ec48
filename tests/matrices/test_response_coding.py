"""A response that is a factor or logical, in terms and in ``contrasts=``, as R codes it.

Every row was given by R 4.2.2 with lme4 1.1-31:
``colnames(lFormula(formula, D, contrasts = contrasts, control = K)$X)``, or its error, with
``D$ok <- rep(c(TRUE, FALSE, FALSE), 8)``, ``D$o <- factor(D$f, ordered = TRUE)`` and
``D$one <- factor(rep("a", 24))``.
"""

import warnings

import numpy as np
import pandas as pd
import pytest

import lme4py
from tests.rules import IGNORE, D, linear

DATA = D.assign(
    ok=D["lg"],
    o=pd.Categorical(D["f"], ordered=True),
    one=pd.Categorical(["a"] * 24),
)
COLUMNS = [
    ("ok ~ x * ok", None, "(Intercept) | x | okTRUE:x"),
    ("ok ~ x:ok", None, "(Intercept) | okFALSE:x | okTRUE:x"),
    ("ok ~ 0 + x:ok", None, "okFALSE:x | okTRUE:x"),
    ("ok ~ 0 + k:ok", None, "okFALSE:ku | okTRUE:ku | okFALSE:kv | okTRUE:kv"),
    ("ok ~ 0 + x * ok", None, "x | okTRUE:x"),
    ("ok ~ 0 + k * ok", None, "ku | kv | okTRUE:kv"),
    ("ok ~ x + f", {"ok": "contr.sum"}, "(Intercept) | x | fq | fr"),
    ("ok ~ x * ok", {"ok": "contr.sum"}, "(Intercept) | x | ok1:x"),
    ("ok ~ x * ok", {"ok": pd.DataFrame({"A": [1, 2]})}, "(Intercept) | x | okA:x"),
    ("f ~ x * f", None, "(Intercept) | x | fq:x | fr:x"),
    ("f ~ x:f", None, "(Intercept) | fp:x | fq:x | fr:x"),
    ("f ~ f", None, "(Intercept)"),
    ("f ~ f:k + k", None, "(Intercept) | kv | fq:ku | fr:ku | fq:kv | fr:kv"),
    ("f ~ x * f", {"f": "contr.sum"}, "(Intercept) | x | f1:x | f2:x"),
    ("f ~ x * f", {"f": np.array([[1], [2], [3]])}, "(Intercept) | x | f1:x"),
    ("o ~ x * o", None, "(Intercept) | x | o.L:x | o.Q:x"),
    ("o ~ 0 + x * o", None, "x | o.L:x | o.Q:x"),
    ("s ~ x * s", {"s": "contr.sum"}, "(Intercept) | x | s1:x | s2:x"),
    ("s ~ x + f", {"s": "contr.sum"}, "(Intercept) | x | fq | fr"),
    ("k ~ x + f", {"k": "contr.sum"}, "(Intercept) | x | fq | fr"),
    ("k ~ x + f", {"k": np.arange(1, 5).reshape(2, 2)}, "(Intercept) | x | fq | fr"),
    ("k ~ x + f", {"k": "contr.none"}, "(Intercept) | x | fq | fr"),
    ("y ~ x + ok", {"ok": "contr.sum"}, "(Intercept) | x | ok1"),
]
ERRORS = [
    ("k ~ x + f", {"k": np.arange(3)}, "wrong number of contrast matrix rows"),
    ("f ~ x * f", {"f": "contr.none"}, "object 'contr.none' of mode 'function' was not found"),
    ("y ~ x + f", {"y": "contr.sum"}, "contrasts apply only to factors"),
    (
        "one ~ x",
        {"one": "contr.sum"},
        "contrasts can be applied only to factors with 2 or more levels",
    ),
]


def built(formula, contrasts):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return linear(f"{formula} + (1 | g)", DATA, contrasts=contrasts, control=IGNORE)


@pytest.mark.parametrize(("formula", "contrasts", "names"), COLUMNS)
def test_columns_are_named_as_in_r(formula, contrasts, names):
    assert " | ".join(built(formula, contrasts).fixed.names) == names


@pytest.mark.parametrize(("formula", "contrasts", "text"), ERRORS)
def test_errors_are_those_of_r(formula, contrasts, text):
    with pytest.raises(lme4py.Lme4pyError, match=text):
        built(formula, contrasts)


def test_the_numbers_are_those_of_the_rows():
    design = built("ok ~ x * ok", None)

    np.testing.assert_array_equal(design.X[:, 2], np.where(D["lg"], D["x"], 0.0))
    assert design.fixed.contrasts == {}
