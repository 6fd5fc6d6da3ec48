"""The command ``lme4py``: a formula and a file in, the design on the screen.

Exit codes: 0, done (and, for ``compare``, everything equal); 1, ``compare`` found a
difference; 2, the formula, the data, a file or the arguments are at fault, and the
reason is on standard error.
"""

from lme4py.cli.program import main

__all__ = ["main"]
