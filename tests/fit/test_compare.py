"""A fit is judged by a file of R's fit: saveRDS(fit), or its getME components."""

from dataclasses import replace
from pathlib import Path

import pytest

import lme4py

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "lme4-2.1"
FILES = {
    "r46_f26_weighted_fit": "lmer",
    "r46_f28_glmer_fit": "glmer",
    "v21_25_getME_slope": "lmer",
    "v21_27_getME_ALL": "lmer",
    "v21_33_fit_S4": "lmer",
}
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def _fitted(name):
    fixture = lme4py.read_fixture(FOLDER / f"{name}.rds")
    fit = getattr(lme4py, FILES[name])(fixture.formula, fixture.table(), **fixture.arguments)
    return fit, fixture


@pytest.mark.parametrize("name", FILES)
def test_estimates_are_found_equal(name):
    fit, fixture = _fitted(name)
    report = lme4py.compare(fit, fixture)
    judged = {found.component: found for found in report.findings}
    assert {"fit.fixef", "fit.theta"} <= set(judged)
    told = [
        f"{c}: {f.summary}"
        for c, f in judged.items()
        if c.startswith("fit.") and f.verdict != "equal"
    ]
    assert told == []


def test_other_estimates_are_found_different():
    fit, fixture = _fitted("v21_33_fit_S4")
    wrong = replace(
        fit,
        beta=fit.beta + 0.1 * fit.std_errors.to_numpy(),
        criterion=fit.criterion + 1e-4,
        theta=fit.theta * 1.1,
        sigma=fit.sigma * 1.1,
    )
    report = lme4py.compare(wrong, fixture)
    different = {found.component for found in report.findings if found.verdict == "different"}
    assert {"fit.criterion", "fit.fixef", "fit.theta", "fit.sigma"} <= different
    assert not report
