"""A model as a program in Stan."""

from __future__ import annotations

import textwrap

from lme4py.export.programs import Program, ProgramParts, ProgramTerm, comment

_MEANS = {
    "identity": "eta",
    "log": "exp(eta)",
    "logit": "inv_logit(eta)",
    "probit": "Phi(eta)",
    "cauchit": "0.5 + atan(eta) / pi()",
    "cloglog": "inv_cloglog(eta)",
    "sqrt": "square(eta)",
    "inverse": "inv(eta)",
    "1/mu^2": "inv_sqrt(eta)",
}
_RESPONSES = {
    "trials": "won ~ binomial(trials, mean);",
    "binomial": "y ~ bernoulli(mean);",
    "gaussian": "y ~ normal(mean, {spread});",
    "Gamma": "y ~ gamma(inv_square({spread}), inv_square({spread}) ./ mean);",
    "inverse.gaussian": "y ~ inverse_gaussian(mean, inv_square({spread}));",
    "poisson": "y ~ poisson(mean);",
    "negative.binomial": "y ~ neg_binomial_2(mean, {theta});",
}
# Weights are no part of a distribution of counts: they multiply its logarithm.
_WEIGHTED = {
    "poisson": "for (i in 1:n) target += w[i] * poisson_lpmf(y[i] | mean[i]);",
    "negative.binomial": (
        "for (i in 1:n) target += w[i] * neg_binomial_2_lpmf(y[i] | mean[i], {theta});"
    ),
}
_INVERSE_GAUSSIAN = """\
real inverse_gaussian_lpdf(vector y, vector mu, vector lambda) {
  return 0.5 * sum(log(lambda) - log(2 * pi()) - 3 * log(y)
                   - lambda .* square(y - mu) ./ (square(mu) .* y));
}"""
_DATA = """\
int<lower=1> J_{k};
array[n] int<lower=1, upper=J_{k}> j_{k};
matrix[n, {columns}] Z_{k};"""
_CORRELATIONS = {
    "us": "cholesky_factor_corr[{columns}] L_{k};",
    **dict.fromkeys(("cs", "ar1"), "real<lower={least}, upper=1> rho_{k};"),
}
_CORRELATED = {
    # The symmetric root of a matrix with 1 on its diagonal and rho elsewhere.
    "cs": """\
row_vector[J_{k}] mean_{k} = rep_row_vector(1.0 / {columns}, {columns}) * u_{k};
matrix[{columns}, J_{k}] v_{k} = sqrt(1 - rho_{k}) * u_{k}
  + rep_matrix((sqrt(1 + {others} * rho_{k}) - sqrt(1 - rho_{k})) * mean_{k}, {columns});""",
    "ar1": """\
matrix[{columns}, J_{k}] v_{k} = u_{k};
for (c in 2:{columns}) v_{k}[c] = rho_{k} * v_{k}[c - 1] + sqrt(1 - square(rho_{k})) * u_{k}[c];""",
}
_EFFECTS = {"us": "L_{k} * u_{k}", "diag": "u_{k}", "cs": "v_{k}", "ar1": "v_{k}"}


def to_stan(parts: ProgramParts) -> Program:
    """Return a program that Stan compiles: ``design.equations().stan()``."""
    n, p = parts.arrays["X"].shape
    spread = "sigma" if parts.family == "gaussian" else "rep_vector(sigma, n)"
    spread = "sigma ./ sqrt(w)" if "w" in parts.arrays else spread
    weighted = _WEIGHTED if "w" in parts.arrays else {}
    response = weighted.get(parts.family, _RESPONSES[parts.family])
    count = "array[n] int<lower=0>"
    y = "vector[n] y;" if parts.sigma else f"{count} y;"
    offset = "\n    + o" if "o" in parts.arrays else ""
    sums = "".join(
        "\n    + rows_dot_product(Z_{k}, b_{k}[j_{k}])".format(**term.words) for term in parts.terms
    )
    blocks = {
        "functions": [_INVERSE_GAUSSIAN] if parts.family == "inverse.gaussian" else [],
        "data": [
            "int<lower=0> n, p;\nmatrix[n, p] X;",
            f"{count} won;\n{count} trials;" if parts.family == "trials" else y,
            *(f"vector[n] {name};" for name in ("w", "o") if name in parts.arrays),
            *(_DATA.format(**term.words) for term in parts.terms),
        ],
        "parameters": [
            "vector[p] beta;",
            *map(_parameters, parts.terms),
            "real<lower=0> sigma;" if parts.sigma else "",
        ],
        "transformed parameters": [*map(_effects, parts.terms)],
        "model": [
            f"vector[n] eta = X * beta{offset}{sums};",
            f"vector[n] mean = {_MEANS[parts.link]};",
            *map(_priors, parts.terms),
            f"sigma ~ student_t(3, 0, {parts.sigma});" if parts.sigma else "",
            response.format(spread=spread, theta=parts.theta),
        ],
    }
    lines = [comment(head, "// ") for head in parts.heads]
    for name, content in blocks.items():
        if content:
            inside = textwrap.indent("\n".join(filter(None, content)), "  ")
            lines += [f"{name} {{", inside, "}"]
    # Stan counts from 1.
    data = {name: x + 1 if name.startswith("j_") else x for name, x in parts.arrays.items()}
    sizes = {f"J_{term.words['k']}": term.words["levels"] for term in parts.terms}
    return Program("Stan", "\n".join(lines) + "\n", {"n": n, "p": p, **sizes, **data})


def _parameters(term: ProgramTerm) -> str:
    deviations = "vector<lower=0>[1] sd_{k};" if term.hom else "vector<lower=0>[{columns}] sd_{k};"
    correlations = _CORRELATIONS.get(term.structure, "")
    lines = filter(None, (deviations, correlations, "matrix[{columns}, J_{k}] u_{k};"))
    return comment(term.comment, "// ", 2) + "\n" + "\n".join(lines).format(**term.words)


def _effects(term: ProgramTerm) -> str:
    deviations = "rep_vector(sd_{k}[1], {columns})" if term.hom else "sd_{k}"
    product = f"diag_pre_multiply({deviations}, {_EFFECTS[term.structure]})'"
    effects = f"matrix[J_{{k}}, {{columns}}] b_{{k}} = {product};"
    lines = filter(None, (_CORRELATED.get(term.structure), effects))
    return "\n".join(lines).format(**term.words)


def _priors(term: ProgramTerm) -> str:
    priors = ["sd_{k} ~ student_t(3, 0, [{scales}]');", "to_vector(u_{k}) ~ std_normal();"]
    if term.structure == "us":
        priors.insert(1, "L_{k} ~ lkj_corr_cholesky(1);")
    return "\n".join(priors).format(**term.words)
