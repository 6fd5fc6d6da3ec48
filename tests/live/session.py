"""The judges: R processes that are asked for batches of cases; what they recorded, read back.

A judge is an Rscript, or a folder with an R inside that is entered by ``chroot``, so that
several releases of R and lme4 can be asked on one machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lme4py.rfiles.read_rds import read_rds
from lme4py.rfiles.rvalues import RList
from lme4py.versions import Lme4, lme4_of

from .generator import Case
from .rcode import call
from .structured import structured

__all__ = ["BATCH", "REPOSITORY", "Judge"]

BATCH = 200
REPOSITORY = Path(__file__).resolve().parents[2]
_RECORD = REPOSITORY / "fixtures" / "record.R"
_COMPARE = REPOSITORY / "tests" / "live" / "compare.R"
_KEEP = """
source("record.R"); library(splines)
case <- function(id, data, formula, glm, arguments)
  saveRDS(record(data, formula, glm, arguments), "kept.rds", compress = "xz")
source("cases.R")
"""
# The order of text levels is ICU's in any UTF-8 locale; C.UTF-8 exists everywhere.
_LOCALE = "LC_ALL=C.UTF-8"
# Kilobytes. A random formula may ask for more than the machine has, which would end R wordlessly.
_MEMORY = 8_000_000


@dataclass(frozen=True)
class Judge:
    """One R.

    Parameters
    ----------
    path : str
        A command (``Rscript``), or a folder to ``chroot`` into.
    """

    path: str = "Rscript"

    @property
    def _root(self) -> Path | None:
        return Path(self.path).resolve() if Path(self.path).is_dir() else None

    def run(self, program: str, folder: Path, *arguments: str) -> str:
        """Run a program of the folder in the folder; return what it printed."""
        inside = folder if self._root is None else Path("/", folder.relative_to(self._root))
        command = f'exec env {_LOCALE} {self._command} {program} "$@"'
        line = f'ulimit -v {_MEMORY} && cd "{inside}" && {command}'
        entry = [] if self._root is None else ["chroot", str(self._root)]
        done = subprocess.run(
            [*entry, "sh", "-c", line, "sh", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "R_DEFAULT_INTERNET_TIMEOUT": "1"},
        )
        if done.returncode != 0:
            raise RuntimeError(f"{self.path}: {done.stderr.strip()}")
        return done.stdout

    @property
    def _command(self) -> str:
        return f'"{self.path}"' if self._root is None else "Rscript"

    def folder(self) -> tempfile.TemporaryDirectory[str]:
        """Return a folder for files, which the judge sees."""
        return tempfile.TemporaryDirectory(dir=None if self._root is None else self._root / "tmp")

    def ask(self, expression: str) -> str:
        """Return what an expression prints."""
        with self.folder() as name:
            Path(name, "ask.R").write_text(expression, encoding="utf-8")
            return self.run("ask.R", Path(name)).strip()

    @cached_property
    def unavailable(self) -> str | None:
        """Why this R cannot be asked, None when it can."""
        if self._root is None and shutil.which(self.path) is None:
            return f"there is no {self.path}"
        try:
            self.ask("stopifnot(requireNamespace('lme4', quietly = TRUE), capabilities('ICU'))")
        except (RuntimeError, OSError) as error:
            return f"R lacks lme4 or ICU: {error}"
        return None

    @cached_property
    def title(self) -> str:
        """The versions."""
        return self.ask(
            "cat(R.version.string, '- lme4', as.character(packageVersion('lme4')))"
        ).replace("R version ", "R ")

    @cached_property
    def lme4(self) -> Lme4:
        """The generation of lme4."""
        return lme4_of(self.ask("cat(as.character(packageVersion('lme4')))"))

    def posed(self, cases: Iterable[Case]) -> list[Case]:
        """Return the cases with what this lme4 alone takes."""
        return [structured(case) for case in cases] if self.lme4.structures else list(cases)

    def records(
        self, cases: Sequence[Case], program: Path = _COMPARE
    ) -> Iterator[tuple[Case, RList]]:
        """Yield each case with R's record of it, one R process for each `BATCH` of them."""
        for start in range(0, len(cases), BATCH):
            batch = cases[start : start + BATCH]
            with self.folder() as name:
                folder = Path(name)
                self._write(folder, batch)
                shutil.copy(program, folder)
                self.run(program.name, folder)
                answers: RList = read_rds(folder / "records.rds")
            for case in batch:
                yield case, answers[case.name]

    def keep(self, case: Case, target: Path) -> Path:
        """Have R write the record of one case as a fixture of its own; return its path."""
        target.mkdir(parents=True, exist_ok=True)
        path = target / f"case_{case.name}.rds"
        with self.folder() as name:
            folder = Path(name)
            self._write(folder, [case])
            Path(folder, "keep.R").write_text(_KEEP, encoding="utf-8")
            self.run("keep.R", folder)
            shutil.copy(folder / "kept.rds", path)
        return path

    def _write(self, folder: Path, cases: Sequence[Case]) -> None:
        shutil.copy(_RECORD, folder)
        text = "".join(call(case) for case in cases)
        Path(folder, "cases.R").write_text(text, encoding="utf-8")
