"""A script as users write it: it runs, and ``mypy --strict`` reads it without casts.

``pyproject.toml`` lists this file for mypy.
"""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

import lme4py
from lme4py.data import sleepstudy
from lme4py.export.coordinates import Coordinates

FORMULA = "Reaction ~ Days + (Days | Subject)"


def test_a_dense_design() -> None:
    design = lme4py.lformula(FORMULA, sleepstudy())
    assert_type(design.X, NDArray[np.float64])
    assert_type(design.y, NDArray[np.float64] | None)
    assert_type(design.fixed.names, list[str])
    gram = design.X.T @ design.X
    assert gram.shape == (2, 2)


def test_a_sparse_design() -> None:
    design = lme4py.lformula(FORMULA, sleepstudy(), sparse_X=True, reml=False)
    assert_type(design.X, csc_array)
    assert design.X.indptr.size == 3
    counts = {"n": [3, 4, 1, 2, 2, 5], "g": list("aabbcc")}
    counted = lme4py.glformula("n ~ 1 + (1 | g)", counts, family="poisson", sparse_X=True)
    assert_type(counted.X, csc_array)
    assert counted.family is not None


def test_the_random_part() -> None:
    random = lme4py.lformula(FORMULA, sleepstudy()).random
    assert_type(random.Zt, csc_array)
    assert_type(random.Lambdat, csc_array)
    assert_type(random.theta, NDArray[np.float64])
    assert_type(random.Lind, NDArray[np.int32])
    assert_type(random.cnms, list[tuple[str, list[str]]])
    assert_type(random.flist, dict[str, pd.Categorical])
    assert (random.Lambdat.data == random.theta[random.Lind]).all()


def test_views() -> None:
    design = lme4py.lformula(FORMULA, sleepstudy())
    assert_type(design.Zt, csc_array)
    assert_type(design.Z, csr_array)
    assert_type(design.frame, pd.DataFrame)
    assert_type(design.coordinates(), Coordinates)
    assert_type(design.to_arrow(), dict[str, Any])
    assert design.explain().text.startswith(FORMULA)
    assert design.cluster("308").Z.shape == (10, 2)


def test_new_rows() -> None:
    spec = lme4py.lformula(FORMULA, sleepstudy()).spec
    rows = spec.apply({"Days": [3, 4], "Subject": ["309", "new"]}, new_levels="zero")
    assert_type(rows.X, NDArray[np.float64])
    assert_type(rows.Zt, csc_array)
    assert lme4py.Spec.from_json(spec.to_json()).apply(sleepstudy()).X.shape == (180, 2)
