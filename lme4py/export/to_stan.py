"""A model as a program in Stan."""

from __future__ import annotations

from lme4py.export.programs import Program, ProgramParts, ProgramTerm, ProgramWriter

__all__ = ["to_stan"]

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
    "poisson": "target += w[i] * poisson_lpmf(y[i] | mean[i]);",
    "negative.binomial": "target += w[i] * neg_binomial_2_lpmf(y[i] | mean[i], {theta});",
}
_INVERSE_GAUSSIAN = """\
functions {
  real inverse_gaussian_lpdf(vector y, vector mu, vector lambda) {
    return 0.5 * sum(log(lambda) - log(2 * pi()) - 3 * log(y)
                     - lambda .* square(y - mu) ./ (square(mu) .* y));
  }
}"""


def to_stan(parts: ProgramParts) -> Program:
    """Return a program that Stan compiles: ``design.equations().stan()``."""
    n, p = parts.arrays["X"].shape
    page = ProgramWriter("//")
    for comment in parts.heads:
        page.say(comment)
    if parts.family == "inverse.gaussian":
        page.add(_INVERSE_GAUSSIAN)
    page.add("data {")
    page.add("int<lower=0> n, p;\nmatrix[n, p] X;", 2)
    count = "array[n] int<lower=0>"
    if parts.trials:
        page.add(f"{count} won;\n{count} trials;", 2)
    else:
        page.add("vector[n] y;" if parts.sigma else f"{count} y;", 2)
    for name in ("w", "o"):
        if name in parts.arrays:
            page.add(f"vector[n] {name};", 2)
    for term in parts.terms:
        k = term.number
        page.add(f"int<lower=1> J_{k};\narray[n] int<lower=1, upper=J_{k}> j_{k};", 2)
        page.add(f"matrix[n, {term.columns}] Z_{k};", 2)
    page.add("}\nparameters {")
    page.add("vector[p] beta;", 2)
    for term in parts.terms:
        page.say(term.comment, 2)
        _add_parameters(page, term)
    if parts.sigma:
        page.add("real<lower=0> sigma;", 2)
    page.add("}\ntransformed parameters {")
    for term in parts.terms:
        _add_effects(page, term)
    page.add("}\nmodel {")
    sums = [f"rows_dot_product(Z_{t.number}, b_{t.number}[j_{t.number}])" for t in parts.terms]
    offset = ["o"] if "o" in parts.arrays else []
    page.add("vector[n] eta = " + "\n    + ".join(["X * beta", *offset, *sums]) + ";", 2)
    page.add(f"vector[n] mean = {_MEANS[parts.link]};", 2)
    for term in parts.terms:
        _add_priors(page, term)
    if parts.sigma:
        page.add(f"sigma ~ student_t(3, 0, {parts.sigma});", 2)
    page.add(_response(parts), 2)
    page.add("}")
    # Stan counts from 1.
    data = {name: x + 1 if name.startswith("j_") else x for name, x in parts.arrays.items()}
    sizes = {f"J_{term.number}": term.levels for term in parts.terms}
    return Program("Stan", page.text, {"n": n, "p": p, **sizes, **data})


def _add_parameters(page: ProgramWriter, term: ProgramTerm) -> None:
    k, count = term.number, term.columns
    page.add(f"vector<lower=0>[{1 if term.hom else count}] sd_{k};", 2)
    if term.structure == "us":
        page.add(f"cholesky_factor_corr[{count}] L_{k};", 2)
    elif term.structure != "diag":
        page.add(f"real<lower={term.least}, upper=1> rho_{k};", 2)
    page.add(f"matrix[{count}, J_{k}] u_{k};", 2)


def _add_effects(page: ProgramWriter, term: ProgramTerm) -> None:
    k, count = term.number, term.columns
    deviations = f"rep_vector(sd_{k}[1], {count})" if term.hom else f"sd_{k}"
    effects = {"us": f"L_{k} * u_{k}", "diag": f"u_{k}"}.get(term.structure, f"v_{k}")
    if term.structure == "cs":
        # The symmetric root of a matrix with 1 on its diagonal and rho elsewhere.
        own, every = f"sqrt(1 - rho_{k})", f"sqrt(1 + {count - 1} * rho_{k})"
        page.add(f"row_vector[J_{k}] mean_{k} = rep_row_vector(1.0 / {count}, {count}) * u_{k};", 2)
        page.add(f"matrix[{count}, J_{k}] v_{k} = {own} * u_{k}", 2)
        page.add(f"+ rep_matrix(({every} - {own}) * mean_{k}, {count});", 4)
    if term.structure == "ar1":
        step = f"rho_{k} * v_{k}[c - 1] + sqrt(1 - square(rho_{k})) * u_{k}[c]"
        page.add(f"matrix[{count}, J_{k}] v_{k} = u_{k};", 2)
        page.add(f"for (c in 2:{count}) v_{k}[c] = {step};", 2)
    page.add(f"matrix[J_{k}, {count}] b_{k} = diag_pre_multiply({deviations}, {effects})';", 2)


def _add_priors(page: ProgramWriter, term: ProgramTerm) -> None:
    k = term.number
    page.add(f"sd_{k} ~ student_t(3, 0, [{', '.join(term.scales)}]');", 2)
    if term.structure == "us":
        page.add(f"L_{k} ~ lkj_corr_cholesky(1);", 2)
    page.add(f"to_vector(u_{k}) ~ std_normal();", 2)


def _response(parts: ProgramParts) -> str:
    """Return the distribution of the response."""
    plain = "sigma" if parts.family == "gaussian" else "rep_vector(sigma, n)"
    spread = "sigma ./ sqrt(w)" if "w" in parts.arrays else plain
    if parts.family in _WEIGHTED and "w" in parts.arrays:
        return "for (i in 1:n) " + _WEIGHTED[parts.family].format(theta=parts.theta)
    response = _RESPONSES["trials" if parts.trials else parts.family]
    return response.format(spread=spread, theta=parts.theta)
