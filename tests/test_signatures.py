"""The two ways to a design are written out in full, and say the same where they mean the same."""

import inspect
import re

import pytest

from lme4py import glformula, lformula

LINEAR = inspect.signature(lformula).parameters
GENERALIZED = inspect.signature(glformula).parameters
SHARED = [name for name in LINEAR if name in GENERALIZED]


def test_each_has_what_the_other_has_not():
    assert [name for name in LINEAR if name not in GENERALIZED] == ["reml"]
    assert [name for name in GENERALIZED if name not in LINEAR] == ["family", "mustart", "etastart"]


@pytest.mark.parametrize("name", SHARED)
def test_shared_arguments_are_the_same(name):
    assert LINEAR[name] == GENERALIZED[name]


def test_shared_arguments_have_the_same_order():
    assert [name for name in GENERALIZED if name in LINEAR] == SHARED


@pytest.mark.parametrize("made", [lformula, glformula])
def test_every_argument_is_described(made):
    described = inspect.getdoc(made).partition("Parameters\n")[2].partition("Returns\n")[0]
    heads = ", ".join(re.findall(r"^\S.*?(?= :|$)", described, flags=re.MULTILINE))
    assert set(inspect.signature(made).parameters) <= set(heads.split(", "))
