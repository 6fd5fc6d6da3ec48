"""A design as the list that lme4's ``lFormula`` returns, for R's ``readRDS``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import Character, Factor, Matrix, Numeric, Value
from lme4py.design import MixedDesign
from lme4py.export.coordinates import dense
from lme4py.formula.syntax import Argument, Call, Constant, Node, Symbol, Text, call
from lme4py.formula.terms import Terms, terms
from lme4py.matrices.covariance import Covariance
from lme4py.rfiles.rvalues import (
    RFrame,
    RLanguage,
    RList,
    RSlots,
    RSparse,
    RUnread,
    RVector,
    character,
    doubles,
    integers,
)
from lme4py.unique_names import make_unique

_ARGUMENTS = ("(weights)", "(offset)", "(mustart)", "(etastart)")
_GLOBAL = RUnread("environment")
_REFITTED = frozenset({"poly", "scale", "bs", "ns"})
"""Functions of all rows together that R's ``makepredictcall`` knows to freeze."""
_KEPT = (
    "{} of new data needs the coefficients of the first data, which lme4py keeps: take "
    "design.spec.apply in Python"
)


def design_as_list(design: MixedDesign) -> RList:
    """Return a design as the list that lme4's ``lFormula`` or ``glFormula`` returns.

    It has their components ``fr``, ``X``, ``reTrms``, ``REML`` or ``family``, ``formula``
    and ``wmsgs``, then ``y``, ``weights`` and ``offset``, and ``lme4``, the oldest version
    that can fit it: before 2.0 lme4 knows no ``cs`` and ``ar1``. ``reTrms`` holds what both
    lines of versions put there. Positions count from 1, as R's do.
    """
    family = design.family
    kind = (
        RVector(np.array([bool(design.reml)]), "logical")
        if family is None
        else RList.of({"family": character([family.label]), "link": character([family.link])})
    )
    y, weights, offset = (
        None if values is None else doubles(values)
        for values in (design.y, design.weights, design.offset)
    )
    structured = any(term.covariance.name in ("cs", "ar1") for term in design.random.terms)
    return RList.of(
        {
            "fr": RFrame(
                dict(design.model_frame.variables),
                tuple(row_names(design)),
                {
                    "terms": _terms(design),
                    "class": character(["data.frame"]),
                    "formula": _formula(design.formula.node),
                    **_omitted(design),
                },
            ),
            "X": _X(design),
            "reTrms": _random(design),
            "REML" if family is None else "family": kind,
            "formula": _formula(design.formula.node),
            "wmsgs": character(design.messages),
            "y": Matrix(design.y) if design.y is not None and design.y.ndim > 1 else y,
            "weights": weights,
            "offset": offset,
            "lme4": character(["2.0" if structured else "1.1"]),
        }
    )


def _formula(node: Node) -> RLanguage:
    return RLanguage(node, {"class": character(["formula"]), ".Environment": _GLOBAL})


def _numbered(design: MixedDesign) -> NDArray[np.int64] | None:
    """Return the position of each row where the data's rows have no names of their own.

    None where they have. It is -1 for a row that ``subset`` asked for in vain.
    """
    import pandas as pd

    index, frame = design.index, design.model_frame
    unnamed = index is None or (
        isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1
    )
    if not unnamed:
        return None
    return np.arange(frame.rows) if frame.positions is None else frame.positions


def row_names(design: MixedDesign, given: Sequence[str] | None = None) -> list[str]:
    """Return the names of a design's rows as R would give them.

    Rows that have none here get those `given`, R's names of the rows of the data, or count from 1.
    """
    places = _numbered(design)
    # pandas repeats a row's label; R makes it unique: 13, 13.1, ...
    if places is None:
        return make_unique(map(str, design.frame.index))
    if given is not None and places.size and int(places.max()) < len(given):
        return make_unique(given[at] if at >= 0 else "NA" for at in places.tolist())
    return make_unique(str(at + 1) if at >= 0 else "NA" for at in places.tolist())


def _omitted(design: MixedDesign) -> dict[str, RVector]:
    """Return which rows missing values took; with ``subset`` their names are unknown."""
    lost, spec = design.model_frame.lost, design.learned
    if not lost.size or spec is None or spec.subset is not False:
        return {}
    labels = lost + 1 if _numbered(design) is not None else design.index[lost]
    action = "exclude" if spec.na_action == "exclude" else "omit"
    own = {"class": character([action])}
    return {"na.action": RVector((lost + 1).astype("i4"), "integer", tuple(map(str, labels)), own)}


def _terms(design: MixedDesign) -> RLanguage:
    """Return what R's ``terms`` makes of the formula, with lme4's attributes."""
    spec, formula, frame = design.learned, design.formula, design.model_frame
    node = formula.subbars().node
    found = terms(node, frame.names if spec is None else spec.names)
    fixed = terms(formula.nobars().node, frame.names)
    varying = reduce(
        lambda left, right: call("+", left, right),
        (call("+", bar.effects, bar.group) for bar in formula.expanded("split").bars),
    )
    response = () if formula.response is None else (formula.response,)
    extras = [name for name in frame.names if name in _ARGUMENTS]
    kinds = [_class_of(*item, design) for item in frame.variables.items()]
    codes = integers(np.zeros(0, dtype=np.int64))
    if found.members:
        table = found.codes().astype(np.int32)
        codes = RVector(table, "integer", found.names, column_names=found.labels)
    attributes = {
        "variables": RLanguage(call("list", *found.variables)),
        "offset": integers(np.array(found.offsets, dtype=np.int64) + 1),
        "factors": codes,
        "term.labels": character(found.labels),
        "order": integers(np.array(found.order, dtype=np.int64)),
        "intercept": integers(np.array([found.intercept])),
        "response": integers(np.array([len(response)])),
        "class": character(["terms", "formula"]),
        ".Environment": _GLOBAL,
        "predvars": _predicted(found),
        "dataClasses": character(kinds, frame.names),
        "predvars.fixed": _predicted(fixed),
        "varnames.fixed": character([*fixed.frame_names, *extras]),
        "predvars.random": _predicted(terms(call("~", *response, varying), frame.names)),
    }
    if not found.offsets:
        del attributes["offset"]
    return RLanguage(node, attributes)


def _predicted(found: Terms) -> RLanguage:
    """Return what R evaluates in new data.

    R keeps there the coefficients of ``poly`` and its kin; without them it would compute these
    functions anew from the new rows. They stay on our side, so R is told to stop.
    """
    false = Argument(Constant("FALSE"), "call.")
    parts = [
        Call(Symbol("stop"), (Argument(Text(_KEPT.format(name))), false)) if _refits(node) else node
        for name, node in zip(found.frame_names, found.variables, strict=True)
    ]
    return RLanguage(call("list", *parts))


def _refits(node: Node) -> bool:
    if not isinstance(node, Call):
        return False
    function = node.function
    if isinstance(function, Call) and function.name in ("::", ":::"):
        function = function.operands[-1]
    if isinstance(function, Symbol) and function.name in _REFITTED:
        raw = Argument(Constant("TRUE"), "raw")
        return function.name != "poly" or raw not in node.arguments
    return any(_refits(part) for part in node.operands)


def _class_of(name: str, value: Value, design: MixedDesign) -> str:
    """Return R's name for the kind of a variable (``.MFclass``), text before it is a factor."""
    if design.learned is not None and isinstance(design.learned.columns.get(name), Character):
        return "character"
    match value:
        case Factor(ordered=ordered):
            return "ordered" if ordered else "factor"
        case Character():
            return "character"
        case Matrix(values=values):
            return f"nmatrix.{values.shape[1]}"
        case Numeric(kind="logical"):
            return "logical"
        case Numeric(time=time) if time is not None:
            return "other"
        case _:
            return "numeric"


def _X(design: MixedDesign) -> RVector:
    fixed = design.fixed
    attributes: dict[str, Any] = {"assign": integers(fixed.assign)}
    codings = {
        name: character([coding]) if isinstance(coding, str) else coding
        for name, coding in fixed.contrasts.items()
    }
    if codings:
        attributes["contrasts"] = RList.of(codings)
    if fixed.dropped:
        places = np.array(list(fixed.dropped.values()), dtype=np.int64) + 1
        attributes["col.dropped"] = integers(places, names=tuple(fixed.dropped))
    for name, numbers in (("scaled:center", fixed.centers), ("scaled:scale", fixed.scales)):
        if numbers:
            attributes[name] = doubles(list(numbers.values()), tuple(numbers))
    return RVector(dense(design.X), "double", None, attributes, tuple(fixed.names))


def _random(design: MixedDesign) -> RList:
    random = design.random
    groups = tuple(group for group, _ in random.cnms)
    blocks = [
        RSparse(block, tuple(random.row_names[begin:end]), None)
        for (_, block), begin, end in zip(random.Ztlist, random.Gp[:-1], random.Gp[1:], strict=True)
    ]
    return RList.of(
        {
            "Zt": RSparse(random.Zt, tuple(random.row_names), None),
            "theta": doubles(random.theta),
            "Lind": integers(random.Lind.astype(np.int64) + 1),
            "Gp": integers(random.Gp),
            "lower": doubles(random.lower),
            "Lambdat": RSparse(random.Lambdat, None, None),
            # R has each factor once, in the order of first use.
            "flist": RList.of(random.groups, assign=integers(random.assign + 1)),
            "cnms": RList(tuple(character(columns) for _, columns in random.cnms), groups),
            "Ztlist": RList(tuple(blocks), tuple(label for label, _ in random.Ztlist)),
            "nl": integers(random.nl, names=groups),
            "ord": integers(random.order + 1),
            "par": doubles(random.par),
            "upper": doubles(random.upper),
            "reCovs": RList(tuple(_covariance(term.covariance) for term in random.terms)),
        }
    )


def _covariance(structure: Covariance) -> RSlots:
    """Return what lme4 2.x calls a covariance object: how par becomes theta."""
    nc, par = integers(np.array([structure.columns])), doubles(structure.par())
    hom = RVector(np.array([structure.hom]), "logical")
    slots = {"nc": nc, "par": par} | ({} if structure.name == "us" else {"hom": hom})
    return RSlots(f"Covariance.{structure.name}", slots, "lme4")
