"""The pages say what is so: examples run, commands print what is shown, links lead somewhere."""

import contextlib
import doctest
import io
import re
import runpy
import shlex
from pathlib import Path

import pytest

from lme4py.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [path for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))] if path.is_file()]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")

pytestmark = pytest.mark.skipif(not PAGES, reason="tests run without the sources")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def _fences(page, language):
    text = page.read_text(encoding="utf-8")
    return [
        (match[2], text[: match.start(2)].count("\n"))
        for match in FENCE.finditer(text)
        if match[1] == language
    ]


@each_page
def test_examples(page, monkeypatch, tmp_path):
    """All the `>>>` blocks of a page run in order in one namespace, as a reader would run them."""
    monkeypatch.chdir(tmp_path)
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    names = {}
    for code, line in _fences(page, "python"):
        assert ">>>" in code, f"{page.name}:{line}: an example that no test can run"
        example = doctest.DocTestParser().get_doctest(code, names, page.name, str(page), line)
        runner.run(example, out=report.write, clear_globs=False)
        names = example.globs
    assert runner.failures == 0, report.getvalue()


@each_page
def test_commands(page):
    """Blocks of language `console` show a command and exactly what it prints."""
    for session, line in _fences(page, "console"):
        command, _, expected = session.partition("\n")
        words = shlex.split(command.removeprefix("$ "))
        assert words[0] == "lme4py", f"{page.name}:{line}"
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            main(words[1:])
        assert printed.getvalue() == expected, f"{page.name}:{line}"


@each_page
def test_links(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if "://" not in target and not target.startswith("#"):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_picture_is_current():
    script = runpy.run_path(str(ROOT / "docs" / "picture.py"))
    picture = script["PICTURE"].read_text(encoding="utf-8")
    assert script["lines_of"](picture) == script["shown"]()
    # Drawn anew it says the same, however this release of rich writes it.
    assert script["lines_of"](script["draw"]()) == script["shown"]()
    assert "http" not in re.sub(r'xmlns="[^"]*"|<!--.*?-->', "", picture)


def test_pictures_of_the_tutorial_are_current():
    pytest.importorskip("matplotlib")
    script = runpy.run_path(str(ROOT / "docs" / "tutorial_pictures.py"))
    for name, picture in script["draw"]().items():
        assert script["is_current"](name, picture), name


def test_the_cheat_sheet_is_current():
    script = runpy.run_path(str(ROOT / "docs" / "cheat_sheet.py"))
    assert script["page"]() == script["PAGE"].read_text(encoding="utf-8"), "docs/cheat_sheet.py"


def test_readme_gives_two_commands():
    commands = [line for code, _ in _fences(ROOT / "README.md", "sh") for line in code.splitlines()]
    assert [line.startswith("python3 -m venv .venv && ") for line in commands] == [True, True]
