"""A model as a program in PyMC."""

from __future__ import annotations

import json

from lme4py.export.programs import Program, ProgramParts, ProgramTerm, ProgramWriter

__all__ = ["to_pymc"]

_MEANS = {
    "identity": "eta",
    "log": "pt.exp(eta)",
    "logit": "pt.sigmoid(eta)",
    "probit": "pm.math.invprobit(eta)",
    "cauchit": "0.5 + pt.arctan(eta) / np.pi",
    "cloglog": "1 - pt.exp(-pt.exp(eta))",
    "sqrt": "eta**2",
    "inverse": "1 / eta",
    "1/mu^2": "eta**-0.5",
}
_RESPONSES = {
    "trials": 'pm.Binomial("won", n=trials, p=mean, observed=won)',
    "binomial": 'pm.Bernoulli("y", p=mean, observed=y)',
    "gaussian": 'pm.Normal("y", mu=mean, sigma={spread}, observed=y)',
    "Gamma": 'pm.Gamma("y", mu=mean, sigma=mean * {spread}, observed=y)',
    "inverse.gaussian": 'pm.Wald("y", mu=mean, lam=({spread}) ** -2, observed=y)',
    "poisson": 'pm.Poisson("y", mu=mean, observed=y)',
    "negative.binomial": 'pm.NegativeBinomial("y", mu=mean, alpha={theta}, observed=y)',
}
# Weights are no part of a distribution of counts: they multiply its logarithm.
_WEIGHTED = {
    "poisson": "pm.Poisson.dist(mu=mean)",
    "negative.binomial": "pm.NegativeBinomial.dist(mu=mean, alpha={theta})",
}


def to_pymc(parts: ProgramParts) -> Program:
    """Return a program that builds a ``pymc.Model``: ``design.equations().pymc()``."""
    page = ProgramWriter("#")
    for comment in parts.heads:
        page.say(comment)
    page.add("import numpy as np\nimport pymc as pm\nimport pytensor.tensor as pt\n\n")
    page.add(f"def model(coords, {', '.join(parts.arrays)}):")
    page.add("with pm.Model(coords=coords) as found:", 4)
    if parts.coords["fixed"]:
        page.add('beta = pm.Flat("beta", dims="fixed")\neta = pt.dot(X, beta)', 8)
    else:
        page.add("eta = pt.zeros(len(X))", 8)
    for term in parts.terms:
        page.add("")
        page.say(term.comment, 8)
        _add_term(page, term)
    page.add("")
    if "o" in parts.arrays:
        page.add("eta += o", 8)
    if parts.sigma:
        page.add(f'sigma = pm.HalfStudentT("sigma", nu=3, sigma={parts.sigma})', 8)
    page.add(f"mean = {_MEANS[parts.link]}", 8)
    page.add(_response(parts), 8)
    page.add("return found\n\n", 4)
    page.say("with model(**data): trace = pm.sample()")
    return Program("PyMC", page.text, {"coords": parts.coords, **parts.arrays})


def _add_term(page: ProgramWriter, term: ProgramTerm) -> None:
    k, count = term.number, term.columns
    scales = term.scales[0] if term.hom else f"[{', '.join(term.scales)}]"
    page.add(f"dims_{k} = ({', '.join(json.dumps(name) for name in term.dims)})", 8)
    page.add(f'u_{k} = pm.Normal("u_{k}", dims=dims_{k})', 8)
    if term.structure == "us":
        page.add(
            f'L_{k}, _, sd_{k} = pm.LKJCholeskyCov(\n    "L_{k}",\n    n={count},\n    eta=1,\n'
            f"    sd_dist=pm.HalfStudentT.dist(nu=3, sigma={scales}),\n)\n"
            f'pm.Deterministic("sd_{k}", sd_{k}, dims=dims_{k}[1])',
            8,
        )
    else:
        dims = "" if term.hom else f", dims=dims_{k}[1]"
        page.add(f'sd_{k} = pm.HalfStudentT("sd_{k}", nu=3, sigma={scales}{dims})', 8)
    if term.structure in ("cs", "ar1"):
        page.add(f'rho_{k} = pm.Uniform("rho_{k}", {term.least}, 1)', 8)
    match term.structure:
        case "us":
            product = f"u_{k} @ L_{k}.T"
        case "diag":
            product = f"u_{k} * sd_{k}"
        case "cs":
            # The symmetric root of a matrix with 1 on its diagonal and rho elsewhere.
            page.add(f"own_{k} = pt.sqrt(1 - rho_{k})", 8)
            page.add(f"all_{k} = pt.sqrt(1 + {count - 1} * rho_{k}) - own_{k}", 8)
            total = f"all_{k} * u_{k}.mean(axis=1, keepdims=True)"
            product = f"(own_{k} * u_{k} + {total}) * sd_{k}"
        case _:
            page.add(f"v_{k} = [u_{k}[:, 0]]\nfor c in range(1, {count}):", 8)
            step = f"rho_{k} * v_{k}[-1] + pt.sqrt(1 - rho_{k}**2) * u_{k}[:, c]"
            page.add(f"v_{k}.append({step})", 12)
            product = f"pt.stack(v_{k}, axis=1) * sd_{k}"
    page.add(f'b_{k} = pm.Deterministic("b_{k}", {product}, dims=dims_{k})', 8)
    page.add(f"eta += (Z_{k} * b_{k}[j_{k}]).sum(axis=1)", 8)


def _response(parts: ProgramParts) -> str:
    """Return the distribution of the response."""
    spread = "sigma / np.sqrt(w)" if "w" in parts.arrays else "sigma"
    if parts.family in _WEIGHTED and "w" in parts.arrays:
        found = _WEIGHTED[parts.family].format(theta=parts.theta)
        return f'pm.Potential("y", w * pm.logp({found}, y))'
    response = _RESPONSES["trials" if parts.trials else parts.family]
    return response.format(spread=spread, theta=parts.theta)
