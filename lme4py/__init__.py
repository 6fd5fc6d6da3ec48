"""R's mixed-model formulas and a data frame in, lme4's X and Zt out, exactly."""

from __future__ import annotations

from lme4py import data
from lme4py.bridge.compare import compare
from lme4py.bridge.findings import Comparison
from lme4py.bridge.fixture import Fixture, read_fixture
from lme4py.control import Control
from lme4py.design import MixedDesign, glformula, lformula, load
from lme4py.errors import (
    CheckError,
    DataError,
    FormulaError,
    FormulaSyntaxError,
    Lme4pyAdvice,
    Lme4pyError,
    Lme4pyWarning,
)
from lme4py.family import Family
from lme4py.formula.formula import Formula
from lme4py.frame.functions.user import register
from lme4py.matrices.mixed import FixedEffects
from lme4py.matrices.reterms import RandomEffects
from lme4py.spec import NewRows, Spec

__version__ = "0.1.0"

__all__ = [
    "CheckError",
    "Comparison",
    "Control",
    "DataError",
    "Family",
    "FixedEffects",
    "Fixture",
    "Formula",
    "FormulaError",
    "FormulaSyntaxError",
    "Lme4pyAdvice",
    "Lme4pyError",
    "Lme4pyWarning",
    "MixedDesign",
    "NewRows",
    "RandomEffects",
    "Spec",
    "compare",
    "data",
    "glformula",
    "lformula",
    "load",
    "read_fixture",
    "register",
]
