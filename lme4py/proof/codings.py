"""Whether a difference comes from contrasts attached to a factor, or from R's option.

R keeps contrasts attached to a factor in its model frame, and what coded X in X; of its
``options(contrasts = )`` the random terms bear no trace but their columns, so the options
there are get tried out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from lme4py.data.coding import CONTRASTS, DefaultContrasts
from lme4py.data.collation import Collation
from lme4py.data.values import Factor, Matrix
from lme4py.design import MixedDesign
from lme4py.errors import Lme4pyError
from lme4py.functions.table import Context
from lme4py.matrices.grouping import Grouping, random_term
from lme4py.matrices.reterms import RandomEffects, random_effects
from lme4py.proof.components import Components
from lme4py.rfiles.rvalues import RSparse

__all__ = ["attached_contrasts", "explaining_option", "told"]

_CLOSE = 1e-9

Coding: TypeAlias = str | Matrix | None


def told(coding: Any) -> str:
    """Return contrasts in words: of a factor, or as a component of X."""
    match coding:
        case None:
            return "no contrasts of its own"
        case str(name) | [str(name)]:
            return name
        case _:
            return "a matrix of its own"


def attached_contrasts(
    ours: Components, theirs: Components
) -> Iterator[tuple[str, Coding, Coding]]:
    """Yield name, our contrasts and R's of the frame's factors whose own contrasts differ."""
    for component, part in theirs.parts.items():
        mine = ours.parts[component].value if component in ours.parts else None
        if not component.startswith("frame[") or not isinstance(part.value, Factor):
            continue
        if isinstance(mine, Factor):
            here, there = mine.contrasts, part.value.contrasts
            if not _same(here, there):
                yield component[len("frame['") : -2], here, there


def _same(ours: Coding, theirs: Coding) -> bool:
    if isinstance(ours, Matrix) and isinstance(theirs, Matrix):
        return (
            ours.values.shape == theirs.values.shape
            and np.allclose(ours.values, theirs.values, rtol=_CLOSE, atol=_CLOSE)
            and ours.names == theirs.names
        )
    return type(ours) is type(theirs) and ours == theirs


def explaining_option(design: MixedDesign, theirs: Components) -> DefaultContrasts | None:
    """Return the option under which our random terms are R's, None where there is none."""
    spec = design.learned
    if spec is None or _fits(design.random, theirs):
        return None
    now = spec.default_contrasts
    options = [(plain, ordered) for plain in CONTRASTS for ordered in CONTRASTS]
    # What R says of X goes first, then the nearest: what codes no factor of the model stays.
    likely = [_of_x(theirs, ordered=ordered) or now[ordered] for ordered in (False, True)]
    options.sort(key=lambda option: sum(a != b for a, b in zip(option, likely, strict=True)))
    for option in options:
        try:
            if _fits(_recoded(design, option, Collation(spec.collation)), theirs):
                return option
        except Lme4pyError:
            continue
    return None


def _of_x(theirs: Components, *, ordered: bool) -> str | None:
    """Return the coding that R's X has of an ordered, or another, factor without its own."""
    for component, part in theirs.parts.items():
        factor = theirs.parts.get(component.replace("fixed.contrasts", "frame", 1))
        if not component.startswith("fixed.contrasts[") or factor is None:
            continue
        match factor.value, part.value:
            case Factor() as found, [str(name)]:
                if found.ordered == ordered and found.contrasts is None:
                    return name
            case _:
                pass
    return None


def _fits(random: RandomEffects, theirs: Components) -> bool:
    """Tell whether random terms have R's names and numbers."""
    names, Zt = theirs.parts["cnms"].value, theirs.parts["Zt"].value
    if not isinstance(names, list) or not isinstance(Zt, RSparse):
        return False
    wanted = sorted(columns for _, columns in names)
    if sorted(columns for _, columns in random.cnms) != wanted:
        return False
    if random.Zt.shape != Zt.matrix.shape:
        return False
    difference = abs(random.Zt - Zt.matrix)
    return not difference.nnz or float(difference.max()) <= _CLOSE * float(abs(Zt.matrix).max())


def _recoded(design: MixedDesign, option: DefaultContrasts, collation: Collation) -> RandomEffects:
    """Return the random terms under another option."""
    frame, random = design.model_frame, design.random
    context = Context(frame.rows, collation, lambda _: None, option, design.formula.lme4)
    bars = random.in_formula
    grouping = Grouping.learn(frame, [term.bar for term in bars], context)
    terms = [random_term(term.bar, term.group, grouping) for term in bars]
    return random_effects(terms, frame.rows)
