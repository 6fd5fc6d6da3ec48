"""Explanations of many random designs: ``python -m tests.explain --designs 3000``.

Levels beside those that the variables were made for, equations and clusters evaluated, words and
pages within their width, and all LaTeX read by whatever of KaTeX, MathJax 3 and 4, pdfLaTeX and
XeLaTeX is there. Prints every fault and ends with status 1 if there is one.
"""

import argparse
import logging
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

from .engines import ENGINES, SCRIPTS, compile_with, has_package, read_by
from .random_designs import valid_design
from .test_equations import FURTHER_SCRIPTS, NOTATIONS, ODD_NAMES, odd_texts, views_in_latex
from .test_levels import level_faults

_CHUNK = 200


def _page_faults(design, number):
    """Yield what is wrong with the pages of a design."""
    for notation in NOTATIONS:
        width = 50 + number % 60
        equations = design.equations(notation=notation, width=width)
        if not equations.verify(number):
            yield f"{notation}: {equations.verify(number)}"
        pages = {
            "equations": equations.text(),
            "observation": equations.observation(number % design.X.shape[0]).text(),
            "cluster": design.clusters(design.random.cnms[0][0])[0].display().text(width),
        }
        for name, page in pages.items():
            if max(map(len, page.splitlines())) > width:
                yield f"{notation}: {name} is wider than {width}"
        design.explain(notation=notation, width=width)


def main():
    """Run the command."""
    reader = argparse.ArgumentParser(prog="python -m tests.explain", description=__doc__)
    reader.add_argument("--designs", type=int, default=300)
    reader.add_argument("--seed", type=int, default=1)
    chosen = reader.parse_args()
    logging.getLogger("lme4py").addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")
    failed, texts = 0, []

    def tell(name, found):
        nonlocal failed
        for line in found:
            failed += 1
            print(f"{name}: {line}", flush=True)

    for number in range(chosen.designs):
        tell(f"levels {number}", level_faults(chosen.seed * 100_000 + number))
        case, design = valid_design(chosen.seed, number)
        tell(f"design {number}, {case.formula}", _page_faults(design, number))
        texts += views_in_latex(design, number)
    further = [*odd_texts(FURTHER_SCRIPTS)]
    texts += odd_texts(ODD_NAMES)
    print(f"{chosen.designs} designs, {len(texts)} texts in LaTeX")
    for package in SCRIPTS:
        if has_package(package):
            tell(package, read_by(package, [*texts, *further]))
            print(f"{package} has read them")
    for engine in ENGINES:
        if shutil.which(engine):
            for start in range(0, len(texts), _CHUNK):
                own = texts[start : start + _CHUNK]
                own += further if engine == "xelatex" else []
                with tempfile.TemporaryDirectory() as folder:
                    said = compile_with(engine, own, Path(folder))
                tell(engine, [said] if said else [])
            print(f"{engine} has read them")
    print(f"{failed} faults")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
