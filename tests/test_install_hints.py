"""Hints to install something are commands that work in a checkout, for extras that there are."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").is_file(), reason="tests run without the sources"
)


def test_hints_are_commands_of_a_checkout():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    pages = [*ROOT.glob("lme4py/**/*.py"), *ROOT.glob("docs/*.md"), ROOT / "README.md"]
    named = set()
    for page in pages:
        text = " ".join(page.read_text(encoding="utf-8").split())
        # There is no release on an index: a name alone would install what somebody else put there.
        assert not re.search(r"pip install (-U )?'?lme4py\b", text), page
        named |= {
            extra
            for found in re.findall(r"pip install -e '\.\[([\w,]+)\]'", text)
            for extra in found.split(",")
        }
    assert named
    assert named <= set(extras)
