"""Families as text, against what R's calls give: fixtures/edges/families.R."""

import csv
from pathlib import Path

import pytest

import lme4py
from lme4py.family import family_of
from lme4py.versions import LME4_1, LME4_2

EDGES = Path(__file__).resolve().parents[1] / "fixtures" / "edges"
WRITTEN = {LME4_1: EDGES / "families.csv", LME4_2: EDGES / "families-2.1.csv"}
# R's family functions take these words; glFormula then loses them, comparing the family.
WORDS = {"binomial": ("logit", "probit", "cauchit", "cloglog")} | dict.fromkeys(
    ("Gamma", "inverse.gaussian", "gaussian"), ("inverse",)
)


def _rows():
    for lme4, path in WRITTEN.items():
        lines = path.read_text(encoding="utf-8").splitlines()[1:] if path.is_file() else []
        for row in csv.DictReader(lines):
            yield pytest.param(row, lme4, id=f"{lme4.version} {row['call']}")


@pytest.mark.parametrize(("row", "lme4"), list(_rows()))
def test_what_r_makes_of_it(row, lme4):
    call, words = row["call"], row["error"]
    lost = words.split("'")[1] if words.startswith("object '") else ""
    if lost in WORDS.get(call.partition("(")[0], ()):
        assert family_of(call, lme4).link == lost
        return
    if words or "make.link" in call:
        with pytest.raises(lme4py.Lme4pyError) as caught:
            family_of(call, lme4)
        if "link not recognised" in words or "unused" in words or "available" in words:
            assert caught.value.message.replace('"', "'") == words.replace('"', "'")
        return
    found = family_of(call, lme4)
    assert (found.label, found.link) == (row["family"], row["link"])
    assert family_of(str(found), lme4) == found


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("foo", "log"), "object 'foo' of mode 'function' was not found"),
        (("binomial", "bar"), "‘bar’ link not recognised"),
        (("negative.binomial", "log"), "'theta' must be specified"),
        (("poisson", "log", 2.0), r"unused argument \(theta = 2.0\)"),
    ],
)
def test_families_made_by_hand(arguments, words):
    with pytest.raises(lme4py.Lme4pyError, match=words):
        lme4py.Family(*arguments)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("nbinom2", "negative.binomial(theta"),
        ("bernoulli", "binomial"),
        ("normal", "gaussian"),
        ("gamma", "did you mean 'Gamma'"),
        ("binom", "did you mean 'binomial'"),
        ("tweedie", "known families: binomial, poisson"),
        ("MASS::poisson", "did you mean 'poisson'"),
    ],
)
def test_the_word_that_is_meant(name, meant):
    with pytest.raises(lme4py.FormulaError, match="was not found") as caught:
        family_of(name)
    assert meant in str(caught.value)
