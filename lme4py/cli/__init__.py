"""The command ``lme4py``: a formula and a file in, the design on the screen."""

from lme4py.cli.program import main

__all__ = ["main"]
