"""How a save and the command end where the disk is full, memory short, or somebody interrupts."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lme4py
from lme4py.cli import main
from lme4py.cli.command import Answer
from lme4py.replacing import replacing

FORMULA = "Reaction ~ Days + (Days | Subject)"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits and devices")


def _bytes(path):
    files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    return {file.name: file.read_bytes() for file in files}


def _limited(size):
    """Return what makes every file of the process at most so long, as a full disk does."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@LINUX
@pytest.mark.parametrize("name", ["d.npz", "d.rds", "mtx", "arrow"])
def test_a_failed_save_leaves_the_old_one_whole(tmp_path, name):
    target = tmp_path / name
    old = lme4py.lformula("Reaction ~ 1 + (1 | Subject)", lme4py.data.sleepstudy())
    kind = name.rpartition(".")[2]
    old.export(target, kind)
    before = _bytes(target)
    script = (
        "import lme4py, sys\n"
        f"design = lme4py.lformula({FORMULA!r}, lme4py.data.sleepstudy())\n"
        "try:\n"
        f"    design.export({str(target)!r}, {kind!r})\n"
        "except lme4py.DataError as error:\n"
        "    sys.exit(error.message)\n"
    )
    # Enough for small files: the last ones of a folder fail.
    for size in (100, 1_000, 2_500):
        ended = subprocess.run(
            [sys.executable, "-c", script],
            preexec_fn=_limited(size),
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 1, ended
        # The oldest numpy leaves its archive open, of which Python tells before.
        said = ended.stderr.splitlines()[-1]
        assert said.startswith(f"cannot write '{target}': "), ended.stderr
        assert _bytes(target) == before
        assert list(tmp_path.iterdir()) == [target]


def test_a_failed_save_leaves_nothing(tmp_path, monkeypatch):
    target = tmp_path / "new.npz"
    design = lme4py.lformula(FORMULA, lme4py.data.sleepstudy())

    def full(*_args, **_arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    for save in (design.save, design.crossproducts().save):
        with pytest.raises(lme4py.DataError, match="No space left"):
            save(target)
    assert list(tmp_path.iterdir()) == []


def test_what_is_replaced(tmp_path):
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old", encoding="utf-8")
    link.symlink_to(real)
    with replacing(link) as unfinished:
        unfinished.write_text("new", encoding="utf-8")
    assert link.is_symlink()
    assert real.read_text(encoding="utf-8") == "new"

    def half_done():
        with replacing(real) as unfinished:
            unfinished.write_text("half", encoding="utf-8")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_done()
    assert real.read_text(encoding="utf-8") == "new"
    folder = tmp_path / "folder"
    for name in ("a", "b"):
        with replacing(folder) as unfinished:
            unfinished.mkdir()
            (unfinished / name).write_text(name, encoding="utf-8")
    assert sorted(item.name for item in folder.iterdir()) == ["a", "b"]
    assert {item.name for item in tmp_path.iterdir()} == {"real.txt", "link.txt", "folder"}
    with pytest.raises(lme4py.DataError, match="cannot write"), replacing(tmp_path / "no" / "f"):
        pass


@LINUX
def test_a_device_is_written_to():
    with replacing("/dev/null") as unfinished:
        assert unfinished == Path("/dev/null")
    assert not Path("/dev/null").is_file()


def _command(*words, **options):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-m", "lme4py", *words], env=environment, check=False, **options
    )


@LINUX
def test_a_full_disk_behind_standard_output():
    with Path("/dev/full").open("wb") as full:
        ended = _command("show", stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == 2
    assert b"cannot write the answer: No space left on device" in ended.stderr
    with Path("/dev/full").open("wb") as full:
        assert _command("show", "y ~", stdout=full, stderr=full).returncode == 2


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (KeyboardInterrupt, 130, ""),
        (MemoryError, 2, "lme4py: there is not enough memory\n"),
        (ZeroDivisionError, 3, "ZeroDivisionError"),
    ],
)
def test_codes(fault, code, words, monkeypatch, capsys):
    def fail(*_):
        raise fault

    monkeypatch.setattr(Answer, "__init__", fail)
    assert main(["show"]) == code
    said = capsys.readouterr().err
    assert words in said
    assert ("Traceback" in said) == (code == 3)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_that_cannot_print_greek(encoding):
    ended = _command("explain", env={"PYTHONIOENCODING": encoding}, capture_output=True)
    assert ended.returncode == 0, ended.stderr
    page = ended.stdout.decode(encoding)
    assert "beta" in page
    assert "?" not in page
    shown = _command("explain", "--json", env={"PYTHONIOENCODING": encoding}, capture_output=True)
    plain = _command("explain", "--json", env={"PYTHONIOENCODING": "utf-8"}, capture_output=True)
    assert json.loads(shown.stdout) == json.loads(plain.stdout)
    assert "β" in json.loads(plain.stdout)["equations"]
