"""Parser and deparser against R itself, on random expressions."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from lme4py.errors import FormulaSyntaxError
from lme4py.formula.deparse import term_label, variable_name
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Symbol

pytestmark = pytest.mark.skipif(shutil.which("Rscript") is None, reason="Rscript is not installed")

SEED, COUNT = 20, 1500
OPERATORS = [
    "+",
    "-",
    "*",
    "/",
    ":",
    "^",
    "**",
    "%in%",
    "%o%",
    "%%",
    "%/%",
    "==",
    "!=",
    "<",
    ">",
    "<=",
    ">=",
    "&",
    "&&",
    "|",
    "||",
    "~",
    "<-",
    "<<-",
    "->",
    "->>",
    "=",
    "?",
    ":=",
    "$",
]
ATOMS = [
    "x",
    "y",
    "g",
    "a.b",
    ".c",
    "é",
    "`a",
    "b`",
    "x_1",
    "T",
    "..1",
    "1",
    "2L",
    "1e5",
    "100000L",
    "0x1F",
    ".5",
    "1.",
    "1e-5",
    "2i",
    "1e400",
    "TRUE",
    "NULL",
    "NA",
    "Inf",
    "NA_real_",
    "'a'",
    'r"(b\\)"',
    "'\\u{e9}'",
    "pkg::f",
    "`é é`",
    "'it\\'s'",
    '"b\\"c"',
]
R_PROGRAM = r"""
paths <- commandArgs(TRUE)
source <- strsplit(paste(readLines(paths[1]), collapse = "\n"), "\n@@\n", fixed = TRUE)[[1]]
text <- function(e) c(
  paste(deparse(e, 500L), collapse = " "),
  paste(deparse(e, 500L, control = NULL, backtick = TRUE), collapse = "\n"))
out <- vapply(source, function(s) {
  p <- suppressWarnings(tryCatch(parse(text = s, keep.source = FALSE), error = function(e) NULL))
  if (length(p) == 1) paste(text(p[[1]]), collapse = "\n@\n") else "refused"
}, "")
writeLines(paste(out, collapse = "\n@@\n"), paths[2])
"""


class Writer:
    """Writes random R expressions, some of them faulty."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def expression(self, depth: int) -> str:
        pick = self.random.choice
        kind = self.random.random()
        if depth <= 0 or kind < 0.2:
            return pick(ATOMS)
        if kind < 0.65:
            operator = pick(OPERATORS)
            right = "m" if operator == "$" else self.expression(depth - 1)
            left = self.expression(depth - 1)
            return left + pick(["", " "]) + operator + pick([" ", "\n"]) + right
        if kind < 0.75:
            return pick("-+!~") + self.expression(depth - 1)
        if kind < 0.85:
            return f"( {self.expression(depth - 1)})"
        if kind < 0.93:
            given = [pick(["", "a = ", "`b c`="]) + self.expression(depth - 1) for _ in range(2)]
            return pick(["f(%s)", "x[%s]", "x[[%s]]", "'h'(%s)"]) % ",".join(given)
        if kind < 0.97:
            return pick(["function(q) ", "\\(q, r=2) "]) + self.expression(depth - 1)
        return self.expression(depth - 1) + pick([" ", ")", " x", " |> f()", ","])


def test_expressions_read_and_written_as_in_r(tmp_path: Path) -> None:
    writer = Writer(SEED)
    texts = [writer.expression(writer.random.choice([1, 2, 3, 4])) for _ in range(COUNT)]
    texts += [" + ".join(["longer_name", "log(é, 2L)"] * n) for n in range(10, 60, 10)]
    given, taken, program = tmp_path / "in", tmp_path / "out", tmp_path / "program.R"
    given.write_text("\n@@\n".join(texts), encoding="utf-8")
    program.write_text(R_PROGRAM, encoding="utf-8")
    subprocess.run(["Rscript", str(program), str(given), str(taken)], check=True)
    answers = taken.read_text(encoding="utf-8").removesuffix("\n").split("\n@@\n")
    assert len(answers) == len(texts)
    different = []
    for text, answer in zip(texts, answers, strict=True):
        try:
            node = parse(text)
        except FormulaSyntaxError:
            ours = "refused"
        else:
            ours = f"{variable_name(node)}\n@\n{term_label(node)}"
            if isinstance(node, Symbol):
                ours = answer if answer.startswith(f"{node.name}\n") else ours
        if ours != answer:
            different.append((text, ours, answer))
    assert different == []
