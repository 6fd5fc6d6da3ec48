"""Designs of the random formulas of the live comparison, without R."""

import logging
import warnings
from datetime import date, timedelta
from xml.parsers import expat

import numpy as np
import pandas as pd

import lme4py
from tests.live.generator import Matrix, make_case

NAMES = {"na.action": "na_action", "REML": "reml"}


def _column(column):
    match column.kind:
        case "factor" | "ordered":
            return pd.Categorical(column.values, column.levels, ordered=column.kind == "ordered")
        case "character":
            return np.array(column.values, dtype=object)
        case "logical":
            return pd.array(column.values, dtype="boolean")
        case "integer":
            return pd.array(column.values, dtype="Int64")
        case "date":
            start = date(1970, 1, 1)
            days = [None if v is None else start + timedelta(days=v) for v in column.values]
            return pd.to_datetime(pd.Series(days, dtype=object)).to_numpy()
        case "moment":
            return pd.to_datetime(pd.Series(column.values, dtype="float64"), unit="s").to_numpy()
        case _:
            return np.array(column.values, dtype=float)


def _argument(name, value, rows):
    if name == "contrasts":
        return {key: _coding(coding) for key, coding in value.items()}
    if name == "subset" and isinstance(value, list):
        return np.array(value)
    if isinstance(value, list) and len(value) == rows:
        return np.array(value, dtype=float)
    return value


def _coding(coding):
    if isinstance(coding, Matrix):
        return pd.DataFrame(coding.rows, columns=coding.names)
    return coding


def random_design(seed, number):
    """Return (case, design), the design None where the case stops with an error."""
    case = make_case(seed, number)
    rows = len(next(iter(case.columns.values())).values)
    data = {name: _column(column) for name, column in case.columns.items()}
    arguments = {
        NAMES.get(name, name): _argument(name, value, rows)
        for name, value in case.arguments.items()
    }
    make = lme4py.glformula if case.glm else lme4py.lformula
    logging.getLogger("lme4py").addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return case, make(case.formula, data, **arguments)
        except lme4py.Lme4pyError:
            return case, None


def valid_design(seed, number):
    """Return the number-th case that is a design; cases with errors give way to later ones."""
    while True:
        case, design = random_design(seed, number)
        if design is not None:
            return case, design
        number += 10_000


def check_markup(text):
    """Raise unless the text is well-formed XML."""
    expat.ParserCreate().Parse(text, True)
