"""Whether a difference comes from the coding of factors: an argument, the factor's own, the option.

R keeps contrasts attached to a factor in its model frame, and what coded X in X; of its
``options(contrasts = )`` the random terms bear no trace but their columns, so the options
there are get tried out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lme4py.errors import Lme4pyError
from lme4py.formula.syntax import call
from lme4py.formula.terms import terms
from lme4py.frame.coding import CONTRASTS, DefaultContrasts
from lme4py.frame.collation import Collation
from lme4py.frame.values import Factor, Matrix
from lme4py.functions.table import Context
from lme4py.matrices.grouping import BarFrame, Grouping
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.reterms import RandomEffects, random_effects
from lme4py.proof.findings import Finding
from lme4py.proof.fixture import Fixture
from lme4py.proof.shapes import named_items
from lme4py.rfiles.rvalues import RFactor, RFrame, RList, coding_of

__all__ = ["coding_causes"]

_CLOSE = 1e-9


def coding_causes(design: Any, fixture: Fixture, unequal: Mapping[str, Finding]) -> Iterator[str]:
    """Yield what of the difference is explained by another coding of a factor."""
    coded = {name for name in unequal if name.startswith("fixed.contrasts[")}
    if not coded and not {"cnms", "Zt"} & set(unequal):
        return
    attached = list(_attached(design, fixture))
    for name, here, there in attached:
        remedy = "None" if there is None else repr(there) if isinstance(there, str) else "..."
        yield (
            f"attached contrasts: '{name}' carries {_told(there)} in R (contrasts(d${name}) <- ), "
            f"{_told(here)} here, in X and in random slopes; give "
            f"attached_contrasts={{'{name}': {remedy}}}"
        )
    option = None if attached else _explaining_option(design, fixture)
    if option is not None:
        yield (
            "contrasts option: R ran with another options(contrasts = ), which codes X and random "
            f"slopes; give default_contrasts={option}"
        )
        return
    found = None if fixture.X is None else fixture.X.attributes.get("contrasts")
    theirs = dict(named_items(found)) if isinstance(found, RList) else {}
    explained = {name for name, _, _ in attached}
    for name, coding in theirs.items():
        if f"fixed.contrasts[{name!r}]" in coded and name not in explained:
            yield (
                f"contrasts: '{name}' is coded by {_told(design.fixed.contrasts[name])} here and "
                f"by {_told(coding_of(coding))} in R (the contrasts argument, or, for factors in "
                f"fixed effects only, options(contrasts = )); give contrasts={{'{name}': ...}}"
            )
    if not coded and not attached and _names_alone(design, fixture, unequal):
        yield (
            "contrasts option: the columns of the random terms are coded otherwise in R "
            "(options(contrasts = ) or contrasts(f) <- ; the contrasts argument reaches X only); "
            "give default_contrasts or attached_contrasts"
        )


def _told(coding: str | Matrix | None) -> str:
    if coding is None:
        return "no contrasts of its own"
    return coding if isinstance(coding, str) else "a matrix of its own"


def _attached(
    design: Any, fixture: Fixture
) -> Iterator[tuple[str, str | Matrix | None, str | Matrix | None]]:
    """Yield name, our contrasts and R's of the factors whose own contrasts differ."""
    frame = getattr(design, "model_frame", None)
    columns = fixture.frame.columns if isinstance(fixture.frame, RFrame) else {}
    for name, column in columns.items():
        ours = None if frame is None else frame.get(name)
        if not isinstance(column, RFactor) or not isinstance(ours, Factor):
            continue
        theirs = coding_of(column.attributes.get("contrasts"))
        if not _same(ours.contrasts, theirs):
            yield name, ours.contrasts, theirs


def _same(ours: str | Matrix | None, theirs: str | Matrix | None) -> bool:
    if isinstance(ours, Matrix) and isinstance(theirs, Matrix):
        return (
            ours.values.shape == theirs.values.shape
            and np.allclose(ours.values, theirs.values, rtol=_CLOSE, atol=_CLOSE)
            and ours.names == theirs.names
        )
    return type(ours) is type(theirs) and ours == theirs


def _explaining_option(design: Any, fixture: Fixture) -> DefaultContrasts | None:
    """Return the option under which our random terms are R's, None where there is none."""
    spec = getattr(design, "learned", None)
    if spec is None:
        return None
    theirs = fixture.terms["Zt"].matrix
    wanted = sorted(
        () if names is None else tuple(names.values)
        for _, names in named_items(fixture.terms["cnms"])
    )
    if _fits(design.random, wanted, theirs):
        return None
    options = [(plain, ordered) for plain in CONTRASTS for ordered in CONTRASTS]
    now = spec.default_contrasts
    # The nearest first: what codes no factor of the model stays.
    for option in sorted(
        options, key=lambda pair: sum(a != b for a, b in zip(pair, now, strict=True))
    ):
        try:
            random = _recoded(design, option, Collation(spec.collation))
        except Lme4pyError:
            continue
        if _fits(random, wanted, theirs):
            return option
    return None


def _fits(random: RandomEffects, names: list[tuple[str, ...]], theirs: Any) -> bool:
    """Tell whether random terms have R's names and numbers."""
    if sorted(tuple(found) for _, found in random.cnms) != names:
        return False
    if random.Zt.shape != theirs.shape:
        return False
    difference = abs(random.Zt - theirs)
    return not difference.nnz or float(difference.max()) <= _CLOSE * float(abs(theirs).max())


def _recoded(design: Any, option: DefaultContrasts, collation: Collation) -> RandomEffects:
    """Return the random terms under another option."""
    frame = design.model_frame
    context = Context(frame.rows, collation, lambda _: None, option)
    grouping = Grouping.learn(frame, [term.bar for term in design.random.terms], context)
    recoded = [
        replace(
            term,
            plan=plan(
                terms(call("~", term.bar.effects), frame.names),
                BarFrame.of(term.bar, grouping),
                context,
            ),
        )
        for term in design.random.terms
    ]
    in_formula = [recoded[place] for place in np.argsort(design.random.order)]
    return random_effects(in_formula, frame.rows)


def _names_alone(design: Any, fixture: Fixture, unequal: Mapping[str, Finding]) -> bool:
    """Tell whether the random terms have as many columns as R's, but other ones."""
    if "cnms" not in unequal or "Zt" not in unequal:
        return False
    ours = sorted(len(names) for _, names in design.random.cnms)
    theirs = sorted(
        0 if names is None else len(names) for _, names in named_items(fixture.terms["cnms"])
    )
    return ours == theirs and "order" not in (unequal["cnms"].verdict, unequal["Zt"].verdict)
