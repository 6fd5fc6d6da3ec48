"""Forty models and more, written by a running R, made again from their files alone."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from pathlib import Path

import pytest

import lme4py
from lme4py.proof.against_r import compare_either

SCRIPT = Path(__file__).resolve().parents[2] / "fixtures" / "make_compare.R"

pytestmark = pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("compare")
    subprocess.run(["Rscript", str(SCRIPT), str(path), "all"], check=True, capture_output=True)
    return path


def test_files_of_r_equal_what_is_made_from_them(folder):
    different = {}
    paths = sorted(path for path in folder.glob("*.rds") if not path.stem.startswith("tampered"))
    for path in paths:
        fixture = lme4py.read_fixture(path)
        make = lme4py.glformula if fixture.generalized else lme4py.lformula
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # The files do not say which lme4 wrote them.
            comparison = compare_either(
                fixture,
                lambda version, given=fixture, make=make: make(
                    given.formula, given.table(), **{**given.arguments, "lme4": version}
                ),
            )
        if not comparison:
            different[path.stem] = str(comparison)
    assert different == {}
    assert len(paths) >= 40


def test_tampered_files_differ(folder):
    paths = sorted(folder.glob("tampered*.rds"))
    for path in paths:
        fixture = lme4py.read_fixture(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            design = lme4py.lformula(fixture.formula, fixture.table(), **fixture.arguments)
        comparison = lme4py.compare(design, fixture)
        assert not comparison, path.stem
        assert comparison.causes, path.stem
    assert len(paths) >= 12
