"""Designs with all that a stored or exported design can hold."""

import warnings
from functools import cache

import numpy as np

import lme4py
from lme4py.data import sleepstudy

IGNORE = {"check.nobs.vs.nRE": "ignore", "check.nlev.gtreq.5": "ignore"}


def _rows():
    generator = np.random.default_rng(20240611)
    d = sleepstudy()
    d["Reaction"] *= np.pi
    d["x"] = generator.normal(size=180) * 10.0 ** generator.integers(-250, 250, 180)
    d["f"] = np.tile(["u", 'é"v,\nw\\', "NA"], 60)
    d["l"] = np.tile([True, False, True, True], 45)
    d["k"] = generator.integers(0, 5, 180)
    d["n"] = generator.integers(1, 9, 180)
    return d


def _holes():
    d = _rows()
    d.loc[[3, 17, 99], "Reaction"] = np.nan
    d.loc[[5, 40], "f"] = None
    return d


def _linear(formula, data=_rows, **options):
    return lambda: lme4py.lformula(formula, data(), control=IGNORE, **options)


DESIGNS = {
    "small": lambda: lme4py.lformula(
        "y ~ x + (1 | g)", {"y": [1.0, 2, 4, 3], "x": [0, 1, 0, 1], "g": list("aabb")}
    ),
    "interactions": _linear(
        "Reaction ~ f * poly(Days, 2) + (Days | Subject) + (1 | f:Subject)",
        offset="Days^2",
        contrasts={"f": "contr.sum"},
    ),
    "double bar": _linear(
        "log(Reaction) ~ scale(Days) + l + (0 + f + Days || Subject)", reml=False
    ),
    "any double": _linear("Reaction ~ x + I(1 / x) + (0 + x | Subject) + (1 | k)"),
    "weights and holes": _linear(
        "Reaction ~ f + Days + offset(2 * Days) + (1 | Subject/f)",
        _holes,
        weights="n",
        subset="Days > 1",
    ),
    "rows without a level": _linear(
        "Reaction ~ Days + (1 | Subject) + (1 | f)", _holes, na_action="pass"
    ),
    "matrix of contrasts": _linear(
        "Reaction ~ f + (1 | Subject)",
        contrasts={"f": np.array([[1.0, 0.0], [0.0, 1.0], [-1.0 / 3, -2.0 / 3]])},
    ),
    "dropped columns": _linear("Reaction ~ Days + I(2 * Days) + f + (1 | Subject)"),
    "no fixed part": _linear("Reaction ~ 0 + (1 | Subject)"),
    "counts": lambda: lme4py.glformula(
        "cbind(k, n) ~ Days + f + (1 | Subject)",
        _rows(),
        family="binomial(link='probit')",
        control=IGNORE,
    ),
    "structures": _linear(
        "Reaction ~ Days + diag(Days | Subject) + cs(0 + f | k) + ar1(0 + f | n, hom = TRUE)"
    ),
}


@cache
def make(name):
    """Return the design of this name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return DESIGNS[name]()
