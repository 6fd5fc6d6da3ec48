"""lme4's own data sets, whole, R against us: ``pytest tests/live/test_real_data.py``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lme4py.rfiles.read_rds import read_rds
from tests.live.session import REPOSITORY, Judge
from tests.recorded.cases import verdict


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory):
    reason = Judge().unavailable
    if reason is not None:
        pytest.skip(reason)
    target = tmp_path_factory.mktemp("real") / "answers.rds"
    program = Path(__file__).with_name("real_data.R")
    subprocess.run(["Rscript", str(program), str(REPOSITORY), str(target)], check=True)
    return read_rds(target)


def test_same_as_r(answers):
    wrong = {record["formula"].values[0]: found for record in answers if (found := verdict(record))}

    assert len(answers) == 7
    assert wrong == {}
