"""Whatever a user comes to hold prints in a few lines, however many rows and columns there are."""

import dataclasses
import warnings
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lme4py

ROWS = 600
LONG = "a_rather_long_name_of_a_column_as_questionnaires_have_them_number_{}"


def _data():
    dice = np.random.default_rng(2)
    numbers = {LONG.format(i): dice.normal(size=ROWS) for i in range(30)}
    return pd.DataFrame(
        {
            "y": dice.normal(size=ROWS),
            "x": dice.normal(size=ROWS),
            "f": pd.Categorical.from_codes(np.arange(ROWS) % 40, [f"level {i}" for i in range(40)]),
            "o": pd.Categorical(np.arange(ROWS) % 5, ordered=True),
            "g": np.arange(ROWS) // 6,
            "h": [f"{LONG.format(i % 70)}" for i in range(ROWS)],
            **numbers,
        }
    )


DATA = _data()
WIDE = " + ".join(LONG.format(i) for i in range(30))
FORMULAS = {
    "small": "y ~ x + (x | g)",
    "many columns": f"y ~ {WIDE} + f * o + (1 | g)",
    "many terms": "y ~ x + " + " + ".join(f"(0 + {LONG.format(i)} | g)" for i in range(9)),
    "long labels": f"y ~ scale(x) + poly(x, 3) + splines::bs(x, 7) + (0 + o | h) + ({WIDE} | g)",
    "structures": "y ~ x + cs(0 + o | g) + diag(1 + x | h)",
    "crossed": "y ~ cut(x, c(-9, 0, 9)) + (1 | g/h) + (x || h)",
}
IGNORE = {
    "check_nobs_vs_nRE": "ignore",
    "check_nobs_vs_nlev": "ignore",
    "check_nobs_vs_rankZ": "ignore",
}


def _designs():
    for name, formula in FORMULAS.items():
        for sparse in (False, True):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield (
                    f"{name}{' sparse' * sparse}",
                    lme4py.lformula(formula, DATA, control=IGNORE, sparse_X=sparse),
                )


DESIGNS = dict(_designs())


def _reached(item, found):
    """Collect the objects of lme4py that stand in fields and properties, and in what these hold.

    But for syntax trees, which are as large as their texts.
    """
    if isinstance(item, dict):
        for part in list(item.values())[:20]:
            _reached(part, found)
    elif isinstance(item, list | tuple) and not hasattr(item, "_fields"):
        for part in item[:20]:
            _reached(part, found)
    elif dataclasses.is_dataclass(item) and id(item) not in found:
        if type(item).__module__ == "lme4py.formula.syntax":
            return
        found[id(item)] = item
        names = [field.name for field in dataclasses.fields(item)]
        names += [name for name, member in vars(type(item)).items() if _is_read(member)]
        for name in names:
            if not name.startswith("_"):
                _reached(getattr(item, name), found)


def _is_read(member):
    return isinstance(member, property | cached_property)


def _too_long(item):
    text = repr(item)
    # A formula's is the user's own text.
    most = 1_000 + len(str(item)) * isinstance(item, lme4py.Formula)
    return len(text) > most or text.count("\n") >= 10 or " object at 0x" in text


@pytest.mark.parametrize("name", DESIGNS)
def test_what_a_design_holds_prints_in_a_few_lines(name):
    design = DESIGNS[name]
    found = {}
    for item in (design.fixed, design.random, design.model_frame, design.spec, design.control):
        _reached(item, found)
    found[0], found[1] = design, design.spec.apply(DATA.head(7), new_levels="zero")
    assert len(found) > 20
    long = [
        f"{type(item).__name__}: {repr(item)[:200]}" for item in found.values() if _too_long(item)
    ]
    assert long == []


FIXTURE = Path(__file__).resolve().parent.parent / "fixtures" / "compare" / "slope_and_factor.rds"
DOORS = {
    "blocks": lambda design: design.blocks(),
    "cluster": lambda design: design.cluster("5", group="g"),
    "clusters": lambda design: design.clusters("g"),
    "comparison": lambda design: lme4py.compare(design, lme4py.read_fixture(FIXTURE)),
    "coordinates": lambda design: design.coordinates(),
    "covariance": lambda design: design.random.covariance()[0],
    "display": lambda design: design.cluster("5", group="g").display(),
    "equations": lambda design: design.equations(),
    "explanation": lambda design: design.explain(),
    "fixture": lambda _: lme4py.read_fixture(FIXTURE),
    "levels": lambda design: design.equations().levels,
    "response": lambda design: design.response,
    "terms": lambda design: design.coordinates().terms[0],
    "variance": lambda design: design.cluster("5", group="g").variance(),
    "verification": lambda design: design.equations().verify(),
}


@pytest.mark.parametrize("door", DOORS)
def test_what_a_door_leads_to_prints_in_a_few_lines(door):
    assert not _too_long(DOORS[door](DESIGNS["small"]))
