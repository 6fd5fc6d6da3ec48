"""lme4's options: names, values, defaults (lme4 1.1-31; `autoscale` from 2.1-0)."""

from __future__ import annotations

import dataclasses

import pytest

import lme4py
from lme4py import CheckError, Control, DataError
from lme4py.control import control_of

# unlist(lmerControl()$checkControl), unlist(glmerControl()$checkControl)
DEFAULTS = {
    "check_nobs_vs_rankZ": "ignore",
    "check_nobs_vs_nlev": "stop",
    "check_nlev_gtreq_5": "ignore",
    "check_nlev_gtr_1": "stop",
    "check_nobs_vs_nRE": "stop",
    "check_rankX": "message+drop.cols",
    "check_scaleX": "warning",
    "check_formula_LHS": "stop",
    "check_response_not_const": "stop",
    "autoscale": None,
}
LEVELS = ["message", "warning", "stop", "ignore"]
ALLOWED = {
    **dict.fromkeys(DEFAULTS, LEVELS),
    "check_nobs_vs_rankZ": [*LEVELS, *(f"{level}Small" for level in LEVELS)],
    "check_rankX": [
        "message+drop.cols",
        "silent.drop.cols",
        "warn+drop.cols",
        "stop.deficient",
        "ignore",
    ],
    "check_scaleX": [
        "warning",
        "stop",
        "silent.rescale",
        "message+rescale",
        "warn+rescale",
        "ignore",
    ],
    "autoscale": [None, True, False],
}


def r_name(name):
    return name.replace("_", ".")


def test_defaults():
    assert dataclasses.asdict(Control()) == DEFAULTS
    assert control_of(None) == Control() == control_of({})


@pytest.mark.parametrize("name", DEFAULTS)
def test_values(name):
    for value in ALLOWED[name]:
        chosen = control_of({r_name(name): value})
        assert chosen == Control(**{name: value})
        assert getattr(chosen, name) == value


@pytest.mark.parametrize("wrong", ["foo", "Stop", "", 1, ["stop"], "warningSmall", "TRUE"])
@pytest.mark.parametrize("name", DEFAULTS)
def test_wrong_values(name, wrong):
    if wrong in ALLOWED[name]:
        return
    with pytest.raises(CheckError) as caught:
        Control(**{name: wrong})
    text = str(caught.value)
    if name in ("check_rankX", "check_scaleX"):
        assert text.startswith("'arg' should be one of “")
    elif name == "autoscale":
        assert "valid options are NULL, TRUE, FALSE" in text
    else:
        assert f"invalid control level ‘{wrong}’ in {r_name(name)}: valid options are {{‘" in text


@pytest.mark.parametrize("name", DEFAULTS)
def test_null(name):
    # R's doCheck(NULL) is FALSE; match.arg(NULL) is the first choice.
    chosen = getattr(Control(**{name: None}), name)
    if name in ("check_rankX", "check_scaleX", "autoscale"):
        assert chosen == DEFAULTS[name]
    else:
        assert chosen == "ignore"


def test_unknown_options_have_rs_words_and_the_nearest_name():
    with pytest.raises(DataError, match=r"unused argument \(check.nlev.gtr.2 = 'stop'\)") as found:
        control_of({"check.nlev.gtr.2": "stop"})
    assert "did you mean 'check.nlev.gtr.1'" in str(found.value)


def test_one_option_in_two_spellings():
    with pytest.raises(DataError, match="matched by multiple actual arguments"):
        control_of({"check.rankX": "ignore", "check_rankX": "ignore"})


def test_the_option_of_glmer_alone():
    # lmerControl(check.response.not.const = "stop"): unused argument
    data = {"y": [1.0, 0.0, 1.0, 0.0], "g": list("aabb")}
    options = {"check.response.not.const": "ignore"}
    with pytest.raises(DataError, match="unused argument"):
        lme4py.lformula("y ~ (1 | g)", data, control=options)
    lme4py.glformula("y ~ (1 | g)", data, control=options)


@pytest.mark.parametrize("name", ["optimizer", "optCtrl", "check.conv.grad", "restart_edge"])
def test_options_of_the_fit_are_noted(name):
    data = {"y": [1.0, 2.0, 3.0, 5.0], "g": list("aabb")}
    design = lme4py.lformula("y ~ (1 | g)", data, control={name: "bobyqa"})
    assert design.advice == [f"control option '{name}' concerns the fit and changes no matrix"]
    assert design.messages == []


@pytest.mark.parametrize("wrong", [5, "ignore", ["check.rankX"], object()])
def test_what_is_no_control(wrong):
    with pytest.raises(DataError, match=r"is.list\(ctrl\) is not TRUE"):
        control_of(wrong)
