"""R's mixed-model formulas and a data frame in, lme4's X and Zt out, exactly."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lme4py import data
from lme4py.api import glformula, glmer, lformula, lmer, model_matrix
from lme4py.control import Control
from lme4py.design import FixedDesign, MixedDesign
from lme4py.errors import (
    CheckError,
    DataError,
    FormulaError,
    FormulaSyntaxError,
    Lme4pyAdvice,
    Lme4pyError,
    Lme4pyMessage,
    Lme4pyWarning,
)
from lme4py.family import Family
from lme4py.formula.formula import Formula
from lme4py.functions.user_functions import register
from lme4py.matrices.fixed import FixedEffects
from lme4py.matrices.reterms import RandomEffects
from lme4py.spec.spec import NewRows, Spec

if TYPE_CHECKING:
    from lme4py.crossproducts import Crossproducts
    from lme4py.data.read_csv import read_csv
    from lme4py.export.files import load
    from lme4py.fit.generalized import mk_glmer_devfun
    from lme4py.fit.linear import mk_lmer_devfun
    from lme4py.fit.optimise import optimize_glmer, optimize_lmer
    from lme4py.fitted_model import FittedModel
    from lme4py.proof.against_r import compare
    from lme4py.proof.findings import Comparison
    from lme4py.proof.fixture import Fixture, read_fixture
    from lme4py.ready_arrays import TermArrays, mixed_design, mk_re_terms
    from lme4py.sources.scan import Scan, scan

__version__ = "0.1.0"

__all__ = [
    "CheckError",
    "Comparison",
    "Control",
    "Crossproducts",
    "DataError",
    "Family",
    "FittedModel",
    "FixedDesign",
    "FixedEffects",
    "Fixture",
    "Formula",
    "FormulaError",
    "FormulaSyntaxError",
    "Lme4pyAdvice",
    "Lme4pyError",
    "Lme4pyMessage",
    "Lme4pyWarning",
    "MixedDesign",
    "NewRows",
    "RandomEffects",
    "Scan",
    "Spec",
    "TermArrays",
    "compare",
    "data",
    "glformula",
    "glmer",
    "lformula",
    "lmer",
    "load",
    "mixed_design",
    "mk_glmer_devfun",
    "mk_lmer_devfun",
    "mk_re_terms",
    "model_matrix",
    "optimize_glmer",
    "optimize_lmer",
    "read_csv",
    "read_fixture",
    "register",
    "scan",
]

# Imported when they are first asked for: they need packages that a build does not.
_MODULES = {
    "lme4py.crossproducts": ["Crossproducts"],
    "lme4py.data.read_csv": ["read_csv"],
    "lme4py.export.files": ["load"],
    "lme4py.fit.generalized": ["mk_glmer_devfun"],
    "lme4py.fit.linear": ["mk_lmer_devfun"],
    "lme4py.fit.optimise": ["optimize_glmer", "optimize_lmer"],
    "lme4py.fitted_model": ["FittedModel"],
    "lme4py.proof.against_r": ["compare"],
    "lme4py.proof.findings": ["Comparison"],
    "lme4py.proof.fixture": ["Fixture", "read_fixture"],
    "lme4py.ready_arrays": ["TermArrays", "mixed_design", "mk_re_terms"],
    "lme4py.sources.scan": ["Scan", "scan"],
}
_LATER = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    globals()[name] = getattr(import_module(_LATER[name]), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
