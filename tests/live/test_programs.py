"""Programs in PyMC beside lme4's estimates: ``pytest tests/live/test_programs.py``, in minutes.

Needs pymc, R and lme4. Flat and weak priors leave the posterior near the likelihood: its means
are held to lme4's estimates within a share of the posterior's own standard deviations.
"""

from __future__ import annotations

import runpy
import subprocess
from pathlib import Path

import numpy as np
import pytest

import lme4py
from tests.live.session import Judge

# Formula, R's data, family of glmer.
MODELS = {
    "correlated": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", None),
    "independent": ("Reaction ~ Days + (Days || Subject)", "sleepstudy", None),
    "crossed": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", None),
    "nested": ("strength ~ 1 + (1 | batch/cask)", "Pastes", None),
    "counts": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", "binomial"),
    "poisson": ("TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)", "grouseticks", "poisson"),
    "probit": (
        "won ~ poly(Days, 1) + (1 | Subject)",
        "transform(sleepstudy, won = +(Reaction > 300))",
        "binomial(link = 'probit')",
    ),
}
# Means of standard deviations lie above the estimates where groups are few.
NEAR = 0.75
PROGRAM = """
suppressMessages(library(lme4))
data <- as.data.frame({data})
kept <- data
kept[] <- lapply(data, function(v) if (is.factor(v)) paste0("l", v) else v)
write.csv(kept, "data.csv", row.names = FALSE)
factors <- vapply(data, is.factor, NA)
data[factors] <- lapply(kept[factors], factor)
fit <- {fit}
found <- as.data.frame(VarCorr(fit))
sd <- found$sdcor[is.na(found$var2) & found$grp != "Residual"]
cat(fixef(fit), "\\n", sd, "\\n", sigma(fit), "\\n")
"""


@pytest.mark.parametrize("name", MODELS)
def test_posterior_means_are_near_the_estimates(name: str, tmp_path: Path):
    pymc = pytest.importorskip("pymc", reason="programs are run by PyMC")
    if (reason := Judge().unavailable) is not None:
        pytest.skip(reason)
    formula, data, family = MODELS[name]
    options = "" if family is None else f", family = {family}"
    fit = f"{'lmer' if family is None else 'glmer'}({formula}, data{options})"
    (tmp_path / "fit.R").write_text(PROGRAM.format(data=data, fit=fit), encoding="utf-8")
    done = subprocess.run(
        ["Rscript", "fit.R"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    beta, sd, sigma = (np.array(line.split(), float) for line in done.stdout.strip().splitlines())
    table = lme4py.read_csv(tmp_path / "data.csv")
    if family is None:
        design = lme4py.lformula(formula, table)
    else:
        design = lme4py.glformula(formula, table, family=family)
    program = design.equations().pymc()
    path = tmp_path / "program.py"
    path.write_text(str(program), encoding="utf-8")
    with runpy.run_path(str(path))["model"](**program.data):
        trace = pymc.sample(
            1000, tune=1000, chains=2, cores=1, random_seed=1, target_accept=0.9, progressbar=False
        )
    # Terms are numbered as in the formula; lme4 prints them in its stored order.
    expected = {"beta": beta}
    sizes = np.cumsum(design.random.nc)[:-1]
    for place, deviations in zip(design.random.order, np.split(sd, sizes), strict=True):
        expected[f"sd_{place + 1}"] = deviations
    if family is None:
        expected["sigma"] = sigma
    for variable, estimates in expected.items():
        drawn = trace.posterior[variable].values.reshape(2000, -1)
        apart = abs(drawn.mean(axis=0) - estimates) / drawn.std(axis=0)
        assert apart.max() < NEAR, (variable, drawn.mean(axis=0), estimates)
