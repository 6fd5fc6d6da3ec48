"""Covariance structures against their closed forms, and against values of lme4 2.1-0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lme4py
from lme4py.formula.bars import STRUCTURES
from lme4py.matrices.covariance import (
    Autoregressive,
    CompoundSymmetry,
    Diagonal,
    Unstructured,
    relative_factor,
    structure,
)

DEVIATIONS = st.floats(0, 100, allow_subnormal=False)


def _correlation(name, columns, rho):
    apart = np.abs(np.subtract.outer(np.arange(columns), np.arange(columns)))
    match name:
        case "diag":
            return np.eye(columns)
        case "cs":
            return np.where(apart == 0, 1.0, rho)
        case _:
            return np.power(float(rho), apart)


def _closed_form(covariance, par):
    """The covariance written down from its definition."""
    correlated = covariance.name != "diag" and covariance.columns > 1
    rho = par[-1] if correlated else 0.0
    deviations = np.broadcast_to(par[:-1] if correlated else par, covariance.columns)
    return np.outer(deviations, deviations) * _correlation(covariance.name, covariance.columns, rho)


def _product(covariance, par):
    factor = relative_factor(covariance, covariance.theta(par))
    assert np.array_equal(factor, np.tril(factor))
    return factor @ factor.T


@st.composite
def _cases(draw):
    covariance = structure(
        draw(st.sampled_from(["diag", "cs", "ar1"])),
        draw(st.sampled_from([1, 2, 3, 4, 7, 50])),
        draw(st.booleans()),
    )
    par = []
    for lower, upper in zip(covariance.lower(), covariance.upper(), strict=True):
        par.append(draw(DEVIATIONS if upper == np.inf else st.floats(lower, upper)))
    return covariance, np.array(par)


@given(_cases())
def test_product_is_the_closed_form(case):
    covariance, par = case
    expected = _closed_form(covariance, par)
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(_product(covariance, par), expected, rtol=1e-12, atol=1e-12 * scale)


@pytest.mark.parametrize("hom", [False, True])
@pytest.mark.parametrize("columns", [2, 3, 10, 50])
@pytest.mark.parametrize("kind", [CompoundSymmetry, Autoregressive])
def test_edges_are_positive_semidefinite(kind, columns, hom):
    covariance = kind(columns, hom)
    for rho in (covariance.lower()[-1], 0.0, covariance.upper()[-1]):
        par = covariance.par()
        par[:-1] = np.linspace(0, 3, par.size - 1) if not hom else 2.0
        par[-1] = rho
        found = _product(covariance, par)
        assert np.isfinite(found).all()
        assert np.linalg.eigvalsh(found).min() > -1e-12 * max(1, columns)
        np.testing.assert_allclose(found, _closed_form(covariance, par), atol=1e-12)


@pytest.mark.parametrize("kind", [CompoundSymmetry, Autoregressive])
@pytest.mark.parametrize("step", [1e-16, 3e-16, 1e-15, 1e-12, 1e-8])
def test_next_to_the_edges(kind, step):
    covariance = kind(50, True)
    for edge, inside in ((covariance.lower()[-1], 1), (covariance.upper()[-1], -1)):
        par = np.array([1.0, edge + inside * step])
        np.testing.assert_allclose(
            _product(covariance, par), _closed_form(covariance, par), atol=1e-12
        )


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("hom", [None, False, True])
@pytest.mark.parametrize("columns", [0, 1, 2, 3, 50])
def test_parts_fit_together(name, hom, columns):
    covariance = structure(name, columns, hom)
    names = [f"c{i}" for i in range(columns)]
    par, theta = covariance.par(), covariance.theta()
    counts, rows, index = covariance.template()

    assert theta.size == covariance.parameters == len(covariance.theta_names(names))
    assert par.size == covariance.lower().size == covariance.upper().size
    assert par.size == len(covariance.par_names(names))
    assert ((covariance.lower() <= par) & (par <= covariance.upper())).all()
    assert counts.sum() == rows.size == index.size
    assert counts.size == columns
    # Every theta has its place in Lambda, and the template is in order of storage.
    assert set(index.tolist()) == set(range(theta.size))
    starts = np.cumsum(counts) - counts
    for start, count in zip(starts, counts, strict=True):
        assert (np.diff(rows[start : start + count]) > 0).all()
    # At the start it is the identity.
    assert np.array_equal(relative_factor(covariance, theta), np.eye(columns))


@given(st.integers(0, 8), st.randoms(use_true_random=False))
def test_unstructured_is_any_triangle(columns, random):
    covariance = Unstructured(columns)
    factor = np.tril([[random.gauss(0, 1) for _ in range(columns)] for _ in range(columns)])
    factor = factor.reshape(columns, columns)
    by_columns = factor.T[np.triu_indices(columns)]
    assert np.array_equal(relative_factor(covariance, covariance.theta(by_columns)), factor)


@pytest.mark.parametrize("hom", [None, False, True])
def test_one_column_has_one_deviation(hom):
    for name in STRUCTURES:
        covariance = structure(name, 1, hom)
        assert covariance.lower().tolist() == [0]
        assert covariance.upper().tolist() == [np.inf]
        assert covariance.theta(np.array([3.5])).tolist() == [3.5]


def test_common_deviation_is_lme4s_default_for_ar1_only():
    assert [structure(name, 2).hom for name in STRUCTURES] == [False, False, False, True]
    assert not structure("us", 2, hom=True).hom


# lme4 2.1-0: signif(getTheta(new("Covariance.cs", nc =, hom =, par =)), 7)
@pytest.mark.parametrize(
    "covariance, par, expected",
    [
        (CompoundSymmetry(3), [2, 3, 5, 0.4], [2, 1.2, 2, 2.749545, 1.309307, 4.39155]),
        (
            CompoundSymmetry(4, hom=True),
            [1, -0.2],
            [1, -0.2, 0.9797959, -0.244949, 0.9486833, -0.3162278, 0.8944272],
        ),
        (Autoregressive(3, hom=False), [2, 3, 5, 0.4], [2, 1.2, 0.8, 2.749545, 1.83303, 4.582576]),
        (
            Autoregressive(4),
            [1, -0.5],
            [1, -0.5, 0.25, -0.125, 0.8660254, -0.4330127, 0.2165064],
        ),
        (Autoregressive(3), [1, 1], [1, 1, 1, 0, 0]),
        (CompoundSymmetry(3, hom=True), [1, -0.5], [1, -0.5, 0.8660254, -0.8660254, 0]),
        (Diagonal(3), [2, 3, 5], [2, 3, 5]),
    ],
)
def test_theta_of_lme4(covariance, par, expected):
    found = covariance.theta(np.array(par, dtype=float))
    np.testing.assert_allclose(found, expected, rtol=5e-7)


def test_equal_variables_have_a_factor():
    # lme4 2.1-0 gives 1 1 0 NaN NaN here; the matrix of ones has a factor.
    assert CompoundSymmetry(3, hom=True).theta(np.array([1.0, 1.0])).tolist() == [1, 1, 0, 0, 0]


# lme4 2.1-0: getParNames, getThetaNames for cs without the group; the others by the same rule
def test_names():
    assert CompoundSymmetry(2).par_names(["A", "B"]) == ["A", "B", "rho"]
    assert CompoundSymmetry(2).theta_names(["A", "B"]) == ["A", "B.A", "B"]
    assert CompoundSymmetry(2, hom=True).par_names(["A", "B"]) == ["*", "rho"]
    assert Diagonal(2, hom=True).par_names(["A", "B"]) == ["*"]
    assert Unstructured(2).par_names(["A", "B"]) == ["A", "B.A", "B"]


def test_bounds_themselves_are_allowed():
    design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    assert design.random.theta_at([0.0, -1.0, 0.0]).tolist() == [0.0, -1.0, 0.0]
