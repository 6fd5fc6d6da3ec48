"""A model as the text of a program, in Stan or in PyMC, and the arrays that it takes.

Templates name what is filled in: the words of a term, say ``k``, its place in the formula from 1.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError
from lme4py.export.coordinates import TermCoordinates, coordinates
from lme4py.matrices.covariance import Covariance
from lme4py.messages import rows_text

# Names that the programs give to variables; a dimension of the same name gets another.
_TAKEN = re.compile(r"beta|eta|sigma|y|won|trials|w|o|(b|u|v|sd|rho|own|all|L|Z|j)_\d+")
_PRIORS = "Flat priors for beta, as in lme4; those of deviations are weak: change them."
_COUNTED = ("binomial", "poisson", "negative.binomial")

_MEANS = {
    "identity": ("eta", "eta"),
    "log": ("exp(eta)", "pt.exp(eta)"),
    "logit": ("inv_logit(eta)", "pt.sigmoid(eta)"),
    "probit": ("Phi(eta)", "pm.math.invprobit(eta)"),
    "cauchit": ("0.5 + atan(eta) / pi()", "0.5 + pt.arctan(eta) / np.pi"),
    "cloglog": ("inv_cloglog(eta)", "1 - pt.exp(-pt.exp(eta))"),
    "sqrt": ("square(eta)", "eta**2"),
    "inverse": ("inv(eta)", "1 / eta"),
    "1/mu^2": ("inv_sqrt(eta)", "eta**-0.5"),
}
"""The mean by its link, in Stan and in PyMC."""


@dataclass(frozen=True, eq=False, repr=False)
class Program:
    """A model as the text of a program, and the arrays that it takes.

    Parameters
    ----------
    language : str
        ``Stan`` or ``PyMC``.
    text : str
        The program; ``str()`` gives it, too.
    data : mapping of str to object
        What it takes, by name: arrays of numbers; in PyMC the names along the dimensions, too.
    """

    language: str
    text: str
    data: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"<Program in {self.language}, which takes {', '.join(self.data)}>"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What a program in either language is written from.

    The response is `observed` as successes of several ``trials``, as a family of lme4, or as one
    of counts with weights. `sigma` is the scale of its prior, empty where there is no sigma. In the
    `arrays` codes count from 0.
    """

    heads: tuple[str, ...]
    terms: tuple[Mapping[str, Any], ...]
    observed: str
    link: str
    theta: float | None
    sigma: str
    coords: Mapping[str, tuple[str, ...]]
    arrays: Mapping[str, Any]


def program(
    language: Literal["Stan", "PyMC"],
    design: MixedDesign,
    fixed: Sequence[str],
    random: Sequence[Sequence[str]],
) -> Program:
    """Return a model as a program, with the symbols of its effects in the comments.

    Those of the random effects are in the order of the design's terms. A `DataError` tells of a
    response, or of values that the model needs, that are missing.
    """
    parts = _parts(design, fixed, random)
    return _in_stan(parts) if language == "Stan" else _in_pymc(parts)


def _parts(design: MixedDesign, fixed: Sequence[str], random: Sequence[Sequence[str]]) -> _Parts:
    plain, family = coordinates(design), design.family
    name, link = ("gaussian", "identity") if family is None else (family.name, family.link)
    y, weights = design.response.y, design.response.weights
    observed = name
    arrays: dict[str, Any] = {"X": plain.X}
    if name == "binomial" and bool((weights != 1).any()):
        observed = "trials"
        arrays |= {"won": _whole(y * weights), "trials": _whole(weights)}
    else:
        arrays["y"] = _whole(y) if name in _COUNTED else y
    if plain.weights is not None and name != "binomial":
        arrays["w"] = weights
        # They are no part of a distribution of counts: they multiply its logarithm.
        observed = f"weighted {name}" if name in _COUNTED else name
    if plain.offset is not None:
        arrays["o"] = plain.offset
    terms = []
    for k, place in enumerate(np.argsort(design.random.order)):
        found, covariance = plain.terms[k], design.random.terms[place].covariance
        arrays |= {f"j_{k + 1}": found.codes, f"Z_{k + 1}": found.block}
        terms.append(_term(k + 1, found, covariance, random[place], _spread(y, link)))
    for label, values in arrays.items():
        rows = values.reshape(len(values), -1)
        wrong = (~np.isfinite(rows) | (rows < 0 if label.startswith("j_") else False)).any(axis=1)
        if wrong.any():
            said = f"a program takes no missing values, but there are some in {label}"
            raise DataError(said, hint=rows_text(wrong, design.model_frame.positions))
    # The dispersion of inverse Gaussian responses is their variance over the mean cubed.
    powers = {"gaussian": 0.0, "Gamma": 1.0, "inverse.gaussian": 1.5}
    deviation = float(np.std(y) / np.mean(y) ** powers.get(name, 0.0))
    pairs = ", ".join(map(" ".join, zip(fixed, plain.coords["fixed"], strict=True)))
    return _Parts(
        heads=(f"{design.formula}", *([f"beta: {pairs}"] if pairs else []), _PRIORS),
        terms=tuple(terms),
        observed=observed,
        link=link,
        theta=None if family is None else family.theta,
        sigma="" if name in _COUNTED else _number(2.5 * deviation),
        coords={_dimension(key): labels for key, labels in plain.coords.items()},
        arrays=arrays,
    )


def _whole(counts: FloatArray) -> Any:
    whole = np.round(counts)
    if not (abs(counts - whole) < 1e-8).all():
        raise DataError("the counts of a program are whole numbers")
    return whole.astype(np.int64)


def _spread(y: FloatArray, link: str) -> float:
    """Return how far values of the linear predictor may lie apart."""
    centre = abs(float(np.mean(y))) or 1.0
    match link:
        case "identity" | "sqrt":
            return float(np.std(y if link == "identity" else np.sqrt(y))) or 1.0
        case "inverse":
            return 1.0 / centre
        case "1/mu^2":
            return 1.0 / centre**2
        case _:
            return 1.0


def _term(
    k: int, found: TermCoordinates, covariance: Covariance, symbols: Sequence[str], spread: float
) -> dict[str, Any]:
    """Return the words of a term; if it is ``hom``, its columns have one standard deviation."""
    sizes = np.sqrt((found.block**2).mean(axis=0))
    scales = [2.5 * spread / (float(size) or 1.0) for size in sizes]
    pairs = ", ".join(map(" ".join, zip(symbols, found.columns, strict=True)))
    columns = len(found.columns)
    return {
        "k": k,
        "comment": f"b_{k}, of ({found.label}): {pairs}",
        "structure": "diag" if columns == 1 else covariance.name,
        "hom": covariance.hom,
        "columns": columns,
        "others": columns - 1,
        "levels": len(found.levels),
        "scales": ", ".join(map(_number, [max(scales)] if covariance.hom else scales)),
        # The least correlation where all columns have the same.
        "least": f"-1.0 / {columns - 1}" if covariance.name == "cs" else "-1.0",
        "dims": ", ".join(json.dumps(_dimension(name)) for name in found.dims),
    }


def _dimension(name: str) -> str:
    return f"{name}_" if _TAKEN.fullmatch(name) else name


def _number(value: float) -> str:
    """Return a positive number as Python and Stan write it."""
    return repr(float(f"{value or 1.0:.2g}"))


def _comment(text: str, lead: str, depth: int = 0) -> str:
    """Return a comment, whatever is in the text; its lines will be indented by `depth`."""
    said = " ".join(text.split())
    return textwrap.fill(said, 88 - depth, initial_indent=lead, subsequent_indent=lead)


def _filled(words: Mapping[str, Any], *lines: str) -> str:
    """Return the lines that are not empty, with the words filled in."""
    return "\n".join(filter(None, lines)).format(**words)


# Stan ------------------------------------------------------------------------------------------

_STAN_RESPONSES = {
    "trials": "won ~ binomial(trials, mean);",
    "binomial": "y ~ bernoulli(mean);",
    "gaussian": "y ~ normal(mean, {spread});",
    "Gamma": "y ~ gamma(inv_square({spread}), inv_square({spread}) ./ mean);",
    "inverse.gaussian": "y ~ inverse_gaussian(mean, inv_square({spread}));",
    "poisson": "y ~ poisson(mean);",
    "weighted poisson": "for (i in 1:n) target += w[i] * poisson_lpmf(y[i] | mean[i]);",
    "negative.binomial": "y ~ neg_binomial_2(mean, {theta});",
    "weighted negative.binomial": (
        "for (i in 1:n) target += w[i] * neg_binomial_2_lpmf(y[i] | mean[i], {theta});"
    ),
}
_INVERSE_GAUSSIAN = """\
real inverse_gaussian_lpdf(vector y, vector mu, vector lambda) {
  return 0.5 * sum(log(lambda) - log(2 * pi()) - 3 * log(y)
                   - lambda .* square(y - mu) ./ (square(mu) .* y));
}"""
_STAN_DATA = """\
int<lower=1> J_{k};
array[n] int<lower=1, upper=J_{k}> j_{k};
matrix[n, {columns}] Z_{k};"""
_STAN_CORRELATIONS = {
    "us": "cholesky_factor_corr[{columns}] L_{k};",
    **dict.fromkeys(("cs", "ar1"), "real<lower={least}, upper=1> rho_{k};"),
}
_STAN_CORRELATED = {
    # The symmetric root of a matrix with 1 on its diagonal and rho elsewhere.
    "cs": """\
row_vector[J_{k}] mean_{k} = rep_row_vector(1.0 / {columns}, {columns}) * u_{k};
matrix[{columns}, J_{k}] v_{k} = sqrt(1 - rho_{k}) * u_{k}
  + rep_matrix((sqrt(1 + {others} * rho_{k}) - sqrt(1 - rho_{k})) * mean_{k}, {columns});""",
    "ar1": """\
matrix[{columns}, J_{k}] v_{k} = u_{k};
for (c in 2:{columns}) v_{k}[c] = rho_{k} * v_{k}[c - 1] + sqrt(1 - square(rho_{k})) * u_{k}[c];""",
}
_STAN_EFFECTS = {"us": "L_{k} * u_{k}", "diag": "u_{k}", "cs": "v_{k}", "ar1": "v_{k}"}


def _in_stan(parts: _Parts) -> Program:
    n, p = parts.arrays["X"].shape
    spread = "sigma" if parts.observed == "gaussian" else "rep_vector(sigma, n)"
    spread = "sigma ./ sqrt(w)" if "w" in parts.arrays else spread
    count = "array[n] int<lower=0>"
    y = "vector[n] y;" if parts.sigma else f"{count} y;"
    offset = "\n    + o" if "o" in parts.arrays else ""
    sums = "".join(
        "\n    + rows_dot_product(Z_{k}, b_{k}[j_{k}])".format(**term) for term in parts.terms
    )
    blocks = {
        "functions": [_INVERSE_GAUSSIAN] if parts.observed == "inverse.gaussian" else [],
        "data": [
            "int<lower=0> n, p;\nmatrix[n, p] X;",
            f"{count} won;\n{count} trials;" if parts.observed == "trials" else y,
            *(f"vector[n] {name};" for name in ("w", "o") if name in parts.arrays),
            *(_filled(term, _STAN_DATA) for term in parts.terms),
        ],
        "parameters": [
            "vector[p] beta;",
            *map(_stan_parameters, parts.terms),
            "real<lower=0> sigma;" if parts.sigma else "",
        ],
        "transformed parameters": [*map(_stan_effects, parts.terms)],
        "model": [
            f"vector[n] eta = X * beta{offset}{sums};",
            f"vector[n] mean = {_MEANS[parts.link][0]};",
            *map(_stan_priors, parts.terms),
            f"sigma ~ student_t(3, 0, {parts.sigma});" if parts.sigma else "",
            _STAN_RESPONSES[parts.observed].format(spread=spread, theta=parts.theta),
        ],
    }
    lines = [_comment(head, "// ") for head in parts.heads]
    for name, content in blocks.items():
        if content:
            inside = textwrap.indent("\n".join(filter(None, content)), "  ")
            lines += [f"{name} {{", inside, "}"]
    # Stan counts from 1.
    data = {name: x + 1 if name.startswith("j_") else x for name, x in parts.arrays.items()}
    sizes = {f"J_{term['k']}": term["levels"] for term in parts.terms}
    return Program("Stan", "\n".join(lines) + "\n", {"n": n, "p": p, **sizes, **data})


def _stan_parameters(term: Mapping[str, Any]) -> str:
    parameters = _filled(
        term,
        "vector<lower=0>[1] sd_{k};" if term["hom"] else "vector<lower=0>[{columns}] sd_{k};",
        _STAN_CORRELATIONS.get(term["structure"], ""),
        "matrix[{columns}, J_{k}] u_{k};",
    )
    return f"{_comment(term['comment'], '// ', 2)}\n{parameters}"


def _stan_effects(term: Mapping[str, Any]) -> str:
    deviations = "rep_vector(sd_{k}[1], {columns})" if term["hom"] else "sd_{k}"
    product = f"diag_pre_multiply({deviations}, {_STAN_EFFECTS[term['structure']]})'"
    return _filled(
        term,
        _STAN_CORRELATED.get(term["structure"], ""),
        f"matrix[J_{{k}}, {{columns}}] b_{{k}} = {product};",
    )


def _stan_priors(term: Mapping[str, Any]) -> str:
    return _filled(
        term,
        "sd_{k} ~ student_t(3, 0, [{scales}]');",
        "L_{k} ~ lkj_corr_cholesky(1);" if term["structure"] == "us" else "",
        "to_vector(u_{k}) ~ std_normal();",
    )


# PyMC ------------------------------------------------------------------------------------------

_PYMC_RESPONSES = {
    "trials": 'pm.Binomial("won", n=trials, p=mean, observed=won)',
    "binomial": 'pm.Bernoulli("y", p=mean, observed=y)',
    "gaussian": 'pm.Normal("y", mu=mean, sigma={spread}, observed=y)',
    "Gamma": 'pm.Gamma("y", mu=mean, sigma=mean * {spread}, observed=y)',
    "inverse.gaussian": 'pm.Wald("y", mu=mean, lam=({spread}) ** -2, observed=y)',
    "poisson": 'pm.Poisson("y", mu=mean, observed=y)',
    "weighted poisson": 'pm.Potential("y", w * pm.logp(pm.Poisson.dist(mu=mean), y))',
    "negative.binomial": 'pm.NegativeBinomial("y", mu=mean, alpha={theta}, observed=y)',
    "weighted negative.binomial": (
        'pm.Potential("y", w * pm.logp(pm.NegativeBinomial.dist(mu=mean, alpha={theta}), y))'
    ),
}
_PYMC_CHOLESKY = """\
L_{k}, _, sd_{k} = pm.LKJCholeskyCov(
    "L_{k}",
    n={columns},
    eta=1,
    sd_dist=pm.HalfStudentT.dist(nu=3, sigma=[{scales}]),
)
pm.Deterministic("sd_{k}", sd_{k}, dims=dims_{k}[1])"""
_PYMC_DEVIATIONS = {
    True: 'sd_{k} = pm.HalfStudentT("sd_{k}", nu=3, sigma={scales})',
    False: 'sd_{k} = pm.HalfStudentT("sd_{k}", nu=3, sigma=[{scales}], dims=dims_{k}[1])',
}
_PYMC_CORRELATED = {
    # The symmetric root of a matrix with 1 on its diagonal and rho elsewhere.
    "cs": """\
rho_{k} = pm.Uniform("rho_{k}", {least}, 1)
own_{k} = pt.sqrt(1 - rho_{k})
all_{k} = pt.sqrt(1 + {others} * rho_{k}) - own_{k}""",
    "ar1": """\
rho_{k} = pm.Uniform("rho_{k}", {least}, 1)
v_{k} = [u_{k}[:, 0]]
for c in range(1, {columns}):
    v_{k}.append(rho_{k} * v_{k}[-1] + pt.sqrt(1 - rho_{k}**2) * u_{k}[:, c])""",
}
_PYMC_EFFECTS = {
    "us": "u_{k} @ L_{k}.T",
    "diag": "u_{k} * sd_{k}",
    "cs": "(own_{k} * u_{k} + all_{k} * u_{k}.mean(axis=1, keepdims=True)) * sd_{k}",
    "ar1": "pt.stack(v_{k}, axis=1) * sd_{k}",
}


def _in_pymc(parts: _Parts) -> Program:
    spread = "sigma / np.sqrt(w)" if "w" in parts.arrays else "sigma"
    sigma = f'sigma = pm.HalfStudentT("sigma", nu=3, sigma={parts.sigma})'
    model = [
        'beta = pm.Flat("beta", dims="fixed")\neta = pt.dot(X, beta)'
        if parts.coords["fixed"]
        else "eta = pt.zeros(len(X))",
        *map(_pymc_term, parts.terms),
        "",
        *(["eta += o"] if "o" in parts.arrays else []),
        *([sigma] if parts.sigma else []),
        f"mean = {_MEANS[parts.link][1]}",
        _PYMC_RESPONSES[parts.observed].format(spread=spread, theta=parts.theta),
    ]
    lines = [
        *(_comment(head, "# ") for head in parts.heads),
        "import numpy as np\nimport pymc as pm\nimport pytensor.tensor as pt\n\n",
        f"def model(coords, {', '.join(parts.arrays)}):",
        "    with pm.Model(coords=coords) as found:",
        textwrap.indent("\n".join(model), " " * 8),
        "    return found\n\n",
        "# with model(**data): trace = pm.sample()\n",
    ]
    return Program("PyMC", "\n".join(lines), {"coords": parts.coords, **parts.arrays})


def _pymc_term(term: Mapping[str, Any]) -> str:
    structure = term["structure"]
    lines = _filled(
        term,
        "dims_{k} = ({dims})",
        'u_{k} = pm.Normal("u_{k}", dims=dims_{k})',
        _PYMC_CHOLESKY if structure == "us" else _PYMC_DEVIATIONS[term["hom"]],
        _PYMC_CORRELATED.get(structure, ""),
        f'b_{{k}} = pm.Deterministic("b_{{k}}", {_PYMC_EFFECTS[structure]}, dims=dims_{{k}})',
        "eta += (Z_{k} * b_{k}[j_{k}]).sum(axis=1)",
    )
    return f"\n{_comment(term['comment'], '# ', 8)}\n{lines}"
