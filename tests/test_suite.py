"""The suite's own rules, which docs/contributing.md tells."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
MODULES = [path for path in sorted(TESTS.rglob("*.py")) if path.name.startswith("test_")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_test_looks_at_a_clock(path):
    """A busy machine must not fail a run: work is counted, by tests/bounded.py."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not {alias.name for alias in node.names} & {"time", "timeit"}
        elif isinstance(node, ast.ImportFrom):
            assert node.module not in ("time", "timeit")
        elif isinstance(node, ast.keyword):
            assert node.arg not in ("deadline", "timeout"), node.value.lineno


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_skip_gives_its_reason(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("skipif", "xfail"):
                assert any(item.arg == "reason" for item in node.keywords), node.lineno
            elif node.func.attr == "skip" and not node.keywords:
                assert node.args, node.lineno
