"""A model as a program: run with numpy in PyMC's place, its mean is lme4's X beta + Z Lambda u."""

import ast
import re
import runpy
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import sqrtm
from scipy.special import expit, ndtr

import lme4py
from lme4py.links import mean_of_link
from lme4py.matrices.covariance import relative_factor


def _data(rows=60):
    dice = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "y": dice.gamma(2.0, size=rows),
            "x": dice.normal(size=rows),
            "f": dice.choice(list("abc"), rows),
            "n": dice.integers(5, 20, rows),
            "won": dice.integers(0, 2, rows),
            "w": dice.uniform(0.5, 3.0, rows),
            "g": np.arange(rows) % 6,
            "h": dice.integers(0, 5, rows),
        }
    )


def _design(formula, family=None, **options):
    if family is None:
        return lme4py.lformula(formula, _data(), **options)
    return lme4py.glformula(formula, _data(), family=family, **options)


MODELS = [
    _design("y ~ x + (x | g)"),
    _design("y ~ x*f + (x || g) + offset(w)"),
    _design("y ~ 0 + (1 | g) + (1 | h)", weights="w"),
    _design("y ~ 1 + (1 | h/g)"),
    _design("y ~ x + (1 | h) + cs(0 + f | g)"),
    _design("y ~ x + cs(0 + f | g, hom = TRUE)"),
    _design("y ~ x + ar1(0 + f | g)", sparse_X=True),
    _design("y ~ x + ar1(0 + f | g, hom = FALSE)"),
    _design("y ~ x + diag(0 + f | g)"),
    _design("y ~ x + diag(0 + f | g, hom = TRUE)"),
    _design("won ~ x + (x | g)", "binomial"),
    _design("won ~ x + (1 | g)", "binomial(link = 'probit')"),
    _design("won ~ x + (1 | g)", "binomial(link = 'cloglog')"),
    _design("cbind(n, 30 - n) ~ x + (1 | g)", "binomial(link = 'cauchit')"),
    _design("n/30 ~ x + (1 | g)", "binomial", weights=np.full(60, 30)),
    _design("n ~ x + (1 | g)", "poisson"),
    _design("n ~ x + (1 | g)", "poisson(link = 'sqrt')", weights="w"),
    _design("n ~ x + (1 | g)", "negative.binomial(theta = 2)"),
    _design("n ~ x + (1 | g)", "negative.binomial(theta = 0.5)", weights="w"),
    _design("y ~ x + (1 | g)", "Gamma"),
    _design("y ~ x + (1 | g)", "Gamma(link = 'log')", weights="w"),
    _design("y ~ x + (1 | g)", "inverse.gaussian"),
    _design("y ~ x + (1 | g)", "gaussian(link = 'log')", weights="w"),
]
NAMES = [f"{d.formula} {d.family or ''} {'w' * (d.weights is not None)}" for d in MODELS]
everywhere = pytest.mark.parametrize("design", MODELS, ids=NAMES)


class _Kind:
    """A distribution or function of PyMC."""

    def __init__(self, sampler, kind):
        self.sampler, self.kind = sampler, kind

    def __call__(self, name="", *values, **arguments):
        return self.sampler.draw(self.kind, name, values, arguments)

    def dist(self, **arguments):
        return SimpleNamespace(kind=self.kind, arguments=arguments)


class _Sampler:
    """In PyMC's place: parameters have the values given, the distribution of y is kept."""

    math = SimpleNamespace(invprobit=ndtr)

    def __init__(self, values):
        self.values, self.last = values, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def __getattr__(self, kind):
        return _Kind(self, kind)

    def draw(self, kind, name, values, arguments):
        match kind:
            case "Model":
                return self
            case "Deterministic":
                return values[0]
            case "LKJCholeskyCov":
                return self.values[name], None, None
            case "logp":
                self.last = name.kind, {**name.arguments, "observed": values[0]}
                return 1.0
            case "Potential":
                np.testing.assert_array_equal(values[0], _data()["w"])
                return None
        if name not in self.values:
            self.last = kind, arguments
        return self.values.get(name)

    def modules(self):
        tensor = SimpleNamespace(
            zeros=np.zeros,
            dot=np.dot,
            exp=np.exp,
            arctan=np.arctan,
            sigmoid=expit,
            sqrt=np.sqrt,
            stack=np.stack,
        )
        package = SimpleNamespace(tensor=tensor)
        return {"pymc": self, "pytensor": package, "pytensor.tensor": tensor}


def _values(design, dice):
    """Return values of a program's parameters, and the b of lme4's layout that they make."""
    random, values, b = design.random, {"beta": dice.normal(size=design.X.shape[1])}, []
    values["sigma"] = 0.5
    for place, term in enumerate(random.terms):
        k = int(random.order[place]) + 1
        covariance = term.covariance
        u = values[f"u_{k}"] = dice.normal(size=(term.levels, term.columns))
        par = dice.uniform(0.3, 0.8, covariance.par().size)
        factor = values[f"L_{k}"] = relative_factor(covariance, covariance.theta(par))
        if covariance.name == "cs":
            # Another root of the same matrix.
            deviations = np.sqrt((factor**2).sum(axis=1))
            factor = deviations[:, None] * sqrtm(
                (factor @ factor.T) / np.outer(deviations, deviations)
            )
        correlated = covariance.par_names(term.plan.names)[-1] == "rho"
        values |= {f"sd_{k}": par[: len(par) - correlated], f"rho_{k}": par[-1]}
        b.append((u @ factor.T).ravel())
    return values, np.concatenate(b)


@everywhere
def test_the_mean_of_a_pymc_program_is_the_model(design, monkeypatch, tmp_path):
    values, b = _values(design, np.random.default_rng(2))
    if design.family is not None and design.family.link in ("inverse", "1/mu^2"):
        values["beta"], b = np.array([4.0, 0.1]), b * 0.1
        values["u_1"] = values["u_1"] * 0.1
    drawn = _Sampler(values)
    for name, module in drawn.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    program = design.equations().pymc()
    path = tmp_path / "model.py"
    path.write_text(str(program), encoding="utf-8")
    runpy.run_path(str(path))["model"](**program.data)
    kind, found = drawn.last
    eta = design.X @ values["beta"] + design.Z @ b
    eta = eta if design.offset is None else eta + design.offset
    family = design.family
    mean = eta if family is None else mean_of_link(family.link, eta)
    given = found["p"] if "p" in found else found["mu"]
    np.testing.assert_allclose(given, mean, rtol=1e-10)
    weights = np.ones(60) if design.weights is None else design.weights
    y = design.y
    match kind:
        case "Bernoulli":
            np.testing.assert_array_equal(found["observed"], y)
        case "Binomial":
            share = y[:, 0] / y.sum(axis=1) if y.ndim == 2 else y
            np.testing.assert_allclose(found["observed"] / found["n"], share)
        case "Poisson" | "NegativeBinomial":
            assert family.name == ("poisson" if kind == "Poisson" else "negative.binomial")
            assert found.get("alpha") == family.theta
            np.testing.assert_array_equal(found["observed"], y)
        case "Gamma":
            np.testing.assert_allclose((found["sigma"] / mean) ** 2, 0.25 / weights)
        case "Wald":
            np.testing.assert_allclose(found["lam"], 4 * weights)
        case _:
            assert family is None or family.name == "gaussian"
            np.testing.assert_allclose(found["sigma"] ** 2 + np.zeros(60), 0.25 / weights)


@everywhere
def test_a_stan_program_declares_the_data_it_is_given(design):
    program = design.equations().stan()
    block = re.search(r"^data \{\n(.*?)^\}", str(program), re.DOTALL | re.MULTILINE).group(1)
    declared = {
        name: kind
        for line in block.splitlines()
        for kind, names in [re.fullmatch(r"  (.*?) (\w+(?:, \w+)*);", line).groups()]
        for name in names.split(", ")
    }
    assert set(declared) == set(program.data)
    for name, kind in declared.items():
        value = np.asarray(program.data[name])
        assert (value.dtype.kind == "i") == ("int<" in kind), name
        if "upper=J_" in kind:
            assert value.min() == 1
            assert value.max() == program.data[name.replace("j", "J")]


@everywhere
def test_a_stan_program_compiles(design, tmp_path):
    httpstan = pytest.importorskip("httpstan", reason="stanc comes with httpstan")
    path = tmp_path / "model.stan"
    path.write_text(str(design.equations().stan()), encoding="utf-8")
    compiler = f"{httpstan.__path__[0]}/stanc"
    done = subprocess.run([compiler, "--o", tmp_path / "model.cpp", path], check=False)
    assert done.returncode == 0


def test_programs_carry_the_symbols_of_the_equations():
    design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    for notation, symbols in {
        "raudenbush-bryk": ["γ_00 (Intercept)", "γ_10 Days", "U_0j (Intercept)", "U_1j Days"],
        "gelman-hill": ["γ_0^α (Intercept)", "γ_0^{β_1} Days"],
    }.items():
        equations = design.equations(notation=notation)
        for program in (equations.stan(), equations.pymc()):
            assert all(symbol in str(program) for symbol in symbols)


def test_names_cannot_leave_their_comment_or_string():
    evil = '"""\n}; import os # \\'
    data = _data().rename(columns={"x": evil, "g": f"{evil}\u2028g"})
    quoted = "`" + evil.replace("\\", "\\\\") + "`"
    group = "`" + f"{evil}\u2028g".replace("\\", "\\\\") + "`"
    design = lme4py.lformula(f"y ~ {quoted} + (1 | {group})", data)
    tree = ast.parse(str(design.equations().pymc()))
    assert [type(node).__name__ for node in tree.body] == [
        "Import",
        "Import",
        "Import",
        "FunctionDef",
    ]
    code = [line for line in str(design.equations().stan()).splitlines() if "import os" in line]
    assert code
    assert all(line.lstrip().startswith("//") for line in code)


def test_a_dimension_is_not_called_like_a_variable():
    data = _data().rename(columns={"g": "sigma", "h": "b_1"})
    design = lme4py.lformula("y ~ x + (1 | sigma) + (1 | b_1)", data)
    program = design.equations().pymc()
    assert not {"sigma", "b_1"} & set(program.data["coords"])
    assert '("sigma_", "sigma_effects")' in str(program)


def test_missing_values_are_refused():
    data = _data()
    data.loc[3, "x"] = np.nan
    ignored = {"check_rankX": "ignore", "check_scaleX": "ignore"}
    design = lme4py.lformula("y ~ x + (1 | g)", data, na_action="pass", control=ignored)
    with pytest.raises(lme4py.DataError, match=r"(?s)takes no missing values.*in X.*row 3"):
        design.equations().pymc()
