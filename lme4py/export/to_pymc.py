"""A model as a program in PyMC."""

from __future__ import annotations

import textwrap

from lme4py.export.programs import Program, ProgramParts, ProgramTerm, comment

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
_POTENTIAL = 'pm.Potential("y", w * pm.logp({}, y))'
_WEIGHTED = {
    "poisson": _POTENTIAL.format("pm.Poisson.dist(mu=mean)"),
    "negative.binomial": _POTENTIAL.format("pm.NegativeBinomial.dist(mu=mean, alpha={theta})"),
}
_TERM = """\
dims_{{k}} = ({{dims}})
u_{{k}} = pm.Normal("u_{{k}}", dims=dims_{{k}})
{deviations}
{correlated}\
b_{{k}} = pm.Deterministic("b_{{k}}", {effects}, dims=dims_{{k}})
eta += (Z_{{k}} * b_{{k}}[j_{{k}}]).sum(axis=1)"""
_CHOLESKY = """\
L_{k}, _, sd_{k} = pm.LKJCholeskyCov(
    "L_{k}",
    n={columns},
    eta=1,
    sd_dist=pm.HalfStudentT.dist(nu=3, sigma=SCALES),
)
pm.Deterministic("sd_{k}", sd_{k}, dims=dims_{k}[1])"""
_DEVIATIONS = 'sd_{k} = pm.HalfStudentT("sd_{k}", nu=3, sigma=SCALES, dims=dims_{k}[1])'
_DEVIATION = 'sd_{k} = pm.HalfStudentT("sd_{k}", nu=3, sigma={scales})'
_CORRELATION = 'rho_{k} = pm.Uniform("rho_{k}", {least}, 1)\n'
_CORRELATED = {
    # The symmetric root of a matrix with 1 on its diagonal and rho elsewhere.
    "cs": f"""\
{_CORRELATION}own_{{k}} = pt.sqrt(1 - rho_{{k}})
all_{{k}} = pt.sqrt(1 + {{others}} * rho_{{k}}) - own_{{k}}
""",
    "ar1": f"""\
{_CORRELATION}v_{{k}} = [u_{{k}}[:, 0]]
for c in range(1, {{columns}}):
    v_{{k}}.append(rho_{{k}} * v_{{k}}[-1] + pt.sqrt(1 - rho_{{k}}**2) * u_{{k}}[:, c])
""",
}
_EFFECTS = {
    "us": "u_{k} @ L_{k}.T",
    "diag": "u_{k} * sd_{k}",
    "cs": "(own_{k} * u_{k} + all_{k} * u_{k}.mean(axis=1, keepdims=True)) * sd_{k}",
    "ar1": "pt.stack(v_{k}, axis=1) * sd_{k}",
}


def to_pymc(parts: ProgramParts) -> Program:
    """Return a program that builds a ``pymc.Model``: ``design.equations().pymc()``."""
    spread = "sigma / np.sqrt(w)" if "w" in parts.arrays else "sigma"
    weighted = _WEIGHTED if "w" in parts.arrays else {}
    response = weighted.get(parts.family, _RESPONSES[parts.family])
    sigma = f'sigma = pm.HalfStudentT("sigma", nu=3, sigma={parts.sigma})'
    model = [
        'beta = pm.Flat("beta", dims="fixed")\neta = pt.dot(X, beta)'
        if parts.coords["fixed"]
        else "eta = pt.zeros(len(X))",
        *map(_term, parts.terms),
        "",
        *(["eta += o"] if "o" in parts.arrays else []),
        *([sigma] if parts.sigma else []),
        f"mean = {_MEANS[parts.link]}",
        response.format(spread=spread, theta=parts.theta),
    ]
    lines = [
        *(comment(head, "# ") for head in parts.heads),
        "import numpy as np\nimport pymc as pm\nimport pytensor.tensor as pt\n\n",
        f"def model(coords, {', '.join(parts.arrays)}):",
        "    with pm.Model(coords=coords) as found:",
        textwrap.indent("\n".join(model), " " * 8),
        "    return found\n\n",
        "# with model(**data): trace = pm.sample()\n",
    ]
    return Program("PyMC", "\n".join(lines), {"coords": parts.coords, **parts.arrays})


def _term(term: ProgramTerm) -> str:
    deviations = _CHOLESKY if term.structure == "us" else _DEVIATION if term.hom else _DEVIATIONS
    scales = "{scales}" if term.hom else "[{scales}]"
    text = _TERM.format(
        deviations=deviations.replace("SCALES", scales),
        correlated=_CORRELATED.get(term.structure, ""),
        effects=_EFFECTS[term.structure],
    )
    return f"\n{comment(term.comment, '# ', 8)}\n{text.format(**term.words)}"
