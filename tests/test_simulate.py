"""Simulated responses: their moments are those of the model, in the form of its response."""

import numpy as np
import pandas as pd
import pytest

import lme4py
from lme4py.links import mean_of_link

# make.link(name)$linkinv of R 4.2.2, printed to 17 digits.
ETA = [-1e9, -40, -3, -0.5, 0.25, 1, 2.5, 40, 1e9]
POSITIVE = [0.01, 0.25, 1, 2.5, 40]
LEAST, MOST = 2.2204460492503131e-16, 9.9999999999999978e-01
R_MEANS = {
    "logit": [LEAST, LEAST, 4.7425873177566788e-02, 3.7754066879814546e-01,
              5.6217650088579807e-01, 7.3105857863000490e-01, 9.2414181997875644e-01, MOST, MOST],
    "probit": [LEAST, LEAST, 1.3498980316300946e-03, 3.0853753872598694e-01,
               5.9870632568292370e-01, 8.4134474606854293e-01, 9.9379033467422384e-01, MOST, MOST],
    "cauchit": [3.1830988618379070e-10, 7.9560899120258138e-03, 1.0241638234956672e-01,
                3.5241638234956674e-01, 5.7797913037736937e-01, 7.5000000000000000e-01,
                8.7888105840915665e-01, 9.9204391008797421e-01, 9.9999999968169018e-01],
    "cloglog": [LEAST, LEAST, 4.8568007099546597e-02, 4.5476078810739495e-01,
                7.2307966590009110e-01, 9.3401196415468746e-01, 9.9999488070570131e-01, MOST,
                MOST],
    "log": [LEAST, LEAST, 4.9787068367863944e-02, 6.0653065971263342e-01,
            1.2840254166877414e+00, 2.7182818284590451e+00, 1.2182493960703473e+01,
            2.3538526683702000e+17, np.inf],
    "identity": ETA,
    "sqrt": [1e-4, 6.25e-2, 1, 6.25, 1600],
    "inverse": [100, 4, 1, 0.4, 0.025],
    "1/mu^2": [10, 2, 1, 0.63245553203367588, 0.15811388300841897],
}  # fmt: skip


@pytest.mark.parametrize("link", R_MEANS)
def test_means_are_those_of_r(link):
    expected = np.array(R_MEANS[link])
    eta = ETA if len(expected) == len(ETA) else POSITIVE
    np.testing.assert_allclose(mean_of_link(link, np.array(eta)), expected, rtol=1e-14)


def _data(rows=60):
    dice = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "y": dice.gamma(2.0, size=rows),
            "x": dice.uniform(0.5, 2.0, rows),
            "n": dice.integers(1, 20, rows),
            "w": dice.uniform(0.5, 3.0, rows),
            "won": pd.Categorical(dice.choice(["no", "yes"], rows)),
            "g": np.arange(rows) % 6,
            "h": np.arange(rows) % 5,
        }
    )


def _draws(design, beta, par, sigma, count=4000):
    dice = np.random.default_rng(8)
    return np.array([design.simulate(beta, par, sigma, dice) for _ in range(count)])


def _agree(draws, mean, variance):
    """Sample moments lie within five of their standard errors of what they should be."""
    count = len(draws)
    assert (abs(draws.mean(axis=0) - mean) < 5 * np.sqrt(variance / count)).all()
    squares = (draws - mean) ** 2
    error = np.sqrt(squares.var(axis=0) / count)
    assert (abs(squares.mean(axis=0) - variance) < 5 * error + 1e-12).all()


@pytest.mark.parametrize(
    ("formula", "par"),
    [
        ("y ~ x + (x | g)", [1.5, -0.4, 0.8]),
        ("y ~ x + (1 | g) + (1 | h)", [1.5, 0.5]),
        ("y ~ x + cs(x | g) + offset(n)", [1.0, 2.0, 0.6]),
    ],
)
def test_linear_responses_have_the_covariance_of_the_model(formula, par):
    design = lme4py.lformula(formula, _data(), weights="w")
    draws = _draws(design, [2.0, 3.0], par, 0.7)
    mean = design.X @ [2.0, 3.0] + (0.0 if design.offset is None else design.offset)
    # Bates et al. (2015), equation 4 and section 1.1: b = Lambda u, both relative to sigma.
    root = (design.random.lambdat_at(par) @ design.Zt).toarray()
    covariance = 0.7**2 * (root.T @ root + np.diag(1 / design.weights))
    _agree(draws, mean, np.diag(covariance))
    products = (draws - mean)[:, :, None] * (draws - mean)[:, None, :]
    error = np.sqrt(products.var(axis=0) / len(draws))
    assert (abs(products.mean(axis=0) - covariance) < 5.5 * error).all()


# Response, family, beta, sigma, and the variance of one response at its mean.
GENERALIZED = [
    ("won", "binomial", [-0.5, 1.0], None, lambda m: m * (1 - m)),
    ("won", "binomial(link = 'cauchit')", [-0.5, 1.0], None, lambda m: m * (1 - m)),
    ("y / 20", "binomial", [-0.5, 1.0], None, lambda m: m * (1 - m)),
    ("n", "poisson", [0.5, 1.0], None, lambda m: m),
    ("n", "poisson(link = 'sqrt')", [0.5, 1.0], None, lambda m: m),
    ("y", "Gamma(link = 'log')", [0.5, 1.0], 0.6, lambda m: 0.36 * m**2),
    ("y", "Gamma", [0.5, 1.0], 0.6, lambda m: 0.36 * m**2),
    ("y", "inverse.gaussian(link = 'log')", [0.1, 0.2], 0.5, lambda m: 0.25 * m**3),
    ("y", "gaussian(link = 'log')", [0.5, 1.0], 0.6, lambda m: 0.36 + 0 * m),
]


@pytest.mark.parametrize(("response", "family", "beta", "sigma", "variance"), GENERALIZED)
def test_generalized_responses_have_mean_and_variance_of_their_family(
    response, family, beta, sigma, variance
):
    data = _data()
    formula = f"{response} ~ x + (1 | g)"
    weights = "n" if "/" in response else None
    if weights:
        data["y"] = np.round(data["n"] / 2) / data["n"] * 20
    design = lme4py.glformula(formula, data, family=family, weights=weights)
    mean = mean_of_link(design.family.link, design.X @ beta)
    trials = data["n"].to_numpy() if weights else 1
    _agree(_draws(design, beta, [0.0], sigma), mean, variance(mean) / trials)


@pytest.mark.parametrize("family", ["Gamma(link = 'log')", "inverse.gaussian(link = 'log')"])
def test_weights_divide_the_dispersion(family):
    design = lme4py.glformula("y ~ x + (1 | g)", _data(), family=family, weights="w")
    mean = np.exp(design.X @ [0.1, 0.2])
    power = 2 if family.startswith("Gamma") else 3
    draws = _draws(design, [0.1, 0.2], [0.0], 0.5)
    _agree(draws, mean, 0.25 * mean**power / design.weights)


def test_random_effects_of_generalized_models_are_not_relative_to_sigma():
    """As in lme4: the log of the means of a group has the standard deviation theta."""
    design = lme4py.glformula("y ~ 1 + (1 | g)", _data(), family="Gamma(link = 'log')")
    draws = np.log(_draws(design, [0.0], [1.5], 1e-3)[:, :6])
    _agree(draws, np.zeros(6), np.full(6, 2.25))


def test_two_columns_stay_successes_and_failures():
    design = lme4py.glformula("cbind(n, 20 - n) ~ x + (1 | g)", _data(), family="binomial")
    drawn = design.simulate([0.0, 0.3], [0.5], seed=1)
    np.testing.assert_array_equal(drawn.sum(axis=1), 20)
    mean = mean_of_link("logit", design.X @ [0.0, 0.3])
    won = _draws(design, [0.0, 0.3], [0.0], None)[:, :, 0]
    _agree(won, 20 * mean, 20 * mean * (1 - mean))


def test_a_seed_repeats_and_a_generator_goes_on():
    design = lme4py.lformula("y ~ x + (1 | g)", _data(), sparse_X=True)
    one, same = (design.simulate({"x": 1.0, "(Intercept)": 0}, [1], 1, 5) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    dice = np.random.default_rng(5)
    first, second = (design.simulate([0, 1.0], [1], 1, dice) for _ in range(2))
    np.testing.assert_array_equal(first, one)
    assert (second != first).all()


@pytest.mark.parametrize(
    ("family", "arguments", "text"),
    [
        (None, ([1.0], [1.0], 1), "1 coefficients for 2 columns of X"),
        (None, ({"x": 1.0}, [1.0], 1), "beta has no value for (Intercept)"),
        (None, ({"z": 1.0}, [1.0], 1), "'z' is not a column of X"),
        (None, (["a", "b"], [1.0], 1), "coefficients must be numbers"),
        (None, ([1.0, 1.0], [-1.0], 1), "not between 0 and inf"),
        (None, ([1.0, 1.0], [1.0]), "sigma must be a positive number, not None"),
        (None, ([1.0, 1.0], [1.0], -1), "sigma must be a positive number, not -1"),
        (None, ([1.0, 1.0], [1.0], 1, "a"), "seed must be a whole number"),
        ("poisson", ([1.0, 1.0], [1.0], 2), "a poisson model has no sigma"),
        ("poisson(link = 'identity')", ([-9.0, 1.0], [0.0]), "the poisson family has no such mean"),
        ("poisson", ([99.0, 1.0], [0.0]), "the poisson family has no such mean"),
    ],
)
def test_what_cannot_be_drawn_is_said(family, arguments, text):
    data = _data()
    if family is None:
        design = lme4py.lformula("n ~ x + (1 | g)", data)
    else:
        design = lme4py.glformula("n ~ x + (1 | g)", data, family=family)
    with pytest.raises(lme4py.DataError) as caught:
        design.simulate(*arguments)
    assert text in str(caught.value)


def test_trials_are_whole_numbers():
    data = _data()
    design = lme4py.glformula("won ~ x + (1 | g)", data, family="binomial", weights="w")
    with pytest.raises(lme4py.DataError, match=r"cannot simulate from non-integer prior\.weights"):
        design.simulate([0, 1], [1])
