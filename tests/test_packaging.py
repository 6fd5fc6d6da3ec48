"""What is declared is what is there, and an installed package finds its own files."""

import subprocess
import sys
import tomllib
from importlib import metadata
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
needs_sources = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").is_file(), reason="tests run without the sources"
)


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@needs_sources
def test_every_package_is_declared(project):
    folders = {path.parent for path in (ROOT / "lme4py").rglob("*.py")}
    found = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert sorted({*found, "lme4py.grammar"}) == project["tool"]["setuptools"]["packages"]
    assert all((folder / "__init__.py").is_file() for folder in folders)


@needs_sources
def test_every_data_file_is_declared(project):
    patterns = project["tool"]["setuptools"]["package-data"]
    for package, folder in {"lme4py": "lme4py", "lme4py.grammar": "grammar"}.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_dir() or path.suffix in {".py", ".pyc"}:
                continue
            inner = ".".join([package, *path.parent.relative_to(ROOT / folder).parts])
            assert any(path.match(pattern) for pattern in patterns.get(inner, [])), path


@needs_sources
def test_top_level_of_the_repository_is_fixed():
    allowed = {"LICENSE", "README.md", "pyproject.toml"}
    allowed |= {"docs", "fixtures", "grammar", "lme4py", "tests"}
    generated = {"build", "dist", "lme4py.egg-info"}
    present = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert present - generated <= allowed


def test_installed_files_are_found():
    assert files("lme4py").joinpath("py.typed").is_file()
    assert files("lme4py.data").joinpath("sleepstudy.csv").is_file()
    assert any(entry.name.endswith(".lark") for entry in files("lme4py.grammar").iterdir())


def test_installed_command():
    (command,) = metadata.entry_points(group="console_scripts", name="lme4py")
    assert command.value == "lme4py.cli:main"


def test_import_is_cheap():
    # The optional packages, and those that only a view or a bridge needs, wait for their call.
    late = ["dask", "formulaic", "matplotlib", "patsy", "polars", "pyarrow", "rdata", "statsmodels"]
    code = f"import sys, lme4py; print([name for name in {late} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
