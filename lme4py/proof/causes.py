"""Why a design and R's differ: the causes that people meet, each with its signs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from lme4py.data.coding import CONTRASTS, DefaultContrasts
from lme4py.data.collation import Collation
from lme4py.data.values import Factor, Matrix
from lme4py.design import MixedDesign
from lme4py.errors import Lme4pyError
from lme4py.formula.bars import find_bars
from lme4py.functions.table import Context
from lme4py.matrices.grouping import Grouping, left_side
from lme4py.matrices.reterms import RandomEffects, random_effects
from lme4py.proof.components import Components
from lme4py.proof.findings import Finding
from lme4py.proof.fixture import Fixture
from lme4py.rfiles.rvalues import RVector
from lme4py.versions import LME4_1, LME4_2

_CLOSE = 1e-9


@dataclass(frozen=True, eq=False, slots=True)
class _Case:
    """What the causes are found from: both sides, and the findings that are not equal."""

    design: MixedDesign
    fixture: Fixture
    ours: Components
    theirs: Components
    unequal: dict[str, Finding]

    def differs(self, *names: str) -> bool:
        """Tell whether one of these components, or of those within, is not equal."""
        return any(name in self.unequal or self.within(name) for name in names)

    def within(self, name: str) -> dict[str, Finding]:
        """Return the findings on the variables or groups of a component, by their names."""
        start = f"{name}["
        parts = self.unequal.items()
        return {part[len(start) : -1]: found for part, found in parts if part.startswith(start)}

    def both(self, name: str) -> tuple[Any, Any]:
        """Return our value of a component and R's, None for one that is absent."""
        return self.ours.parts.get(name), self.theirs.parts.get(name)

    def verdict(self, name: str) -> str:
        """Return the verdict on a component."""
        return self.unequal[name].verdict if name in self.unequal else "equal"

    def other_numbers(self, name: str) -> bool:
        """Tell whether a component has other numbers, in a shape that is the same."""
        return name in self.unequal and "numbers differ" in self.unequal[name].summary


def causes(
    design: MixedDesign,
    fixture: Fixture,
    ours: Components,
    theirs: Components,
    findings: Sequence[Finding],
) -> list[str]:
    """Return what probably caused the findings, the likeliest first, each once."""
    unequal = {found.component: found for found in findings if found.verdict != "equal"}
    if not unequal:
        return []
    case = _Case(design, fixture, ours, theirs, unequal)
    found = list(dict.fromkeys(chain.from_iterable(rule(case) for rule in _RULES)))
    if not found:
        names = ", ".join(list(unequal)[:3])
        found.append(
            f"no usual cause fits: only {names} differ{'s' if len(unequal) == 1 else ''}; "
            "the record or the design may have been edited after it was made"
        )
    return found


def _missing_values(case: _Case) -> Iterator[str]:
    frame, Zt = case.fixture.frame, case.fixture.terms["Zt"].matrix
    here = case.design.Zt.shape[1]
    if frame is None and here != Zt.shape[1]:
        yield (
            f"other rows: {here} here, {Zt.shape[1]} in R; missing values "
            "(na_action), subset, or other data"
        )
    if frame is not None and case.verdict("frame.row_names") == "different":
        action = frame.attributes.get("na.action")
        removed = len(action) if isinstance(action, RVector) else 0
        yield (
            f"missing values (NA handling) or subset: {here} rows here, {len(frame)} in R, which "
            f"removed {removed} rows with NA; compare na_action and subset, and whether NaN, empty "
            "text or 'NA' in the data is missing in both"
        )


def _types(case: _Case) -> Iterator[str]:
    for name, finding in case.within("frame").items():
        here, _, there = finding.summary.partition(", R has ")
        if there == "a factor":
            yield (
                f"factor against character: {name} is a factor in R, but {here} here; "
                "make it a pandas Categorical with R's levels"
            )
        elif here == "a factor":
            yield f"factor against character: {name} is a factor here, but {there} in R"
        elif "ordered" in finding.summary:
            yield f"{name} is {finding.summary}: contr.poly codes ordered factors"


def _levels(case: _Case) -> Iterator[str]:
    if case.verdict("frame.row_names") == "different":
        return
    for component, finding in case.unequal.items():
        factors = case.both(component)
        name = component[component.find("[") + 1 : -1]
        # A factor of the model frame is told of there.
        told = component.startswith("flist[") and isinstance(case.both(f"frame[{name}]")[1], Factor)
        if told or not all(isinstance(factor, Factor) for factor in factors):
            continue
        ours, theirs = ([x for x in factor.levels if x is not None] for factor in factors)
        if set(ours) != set(theirs):
            gone = sorted(set(theirs) - set(ours))[:3]
            new = sorted(set(ours) - set(theirs))[:3]
            parts = [f"only in R: {gone}"] * bool(gone) + [f"only here: {new}"] * bool(new)
            yield f"{name} has other levels ({'; '.join(parts)}): unused levels, or other data"
        elif ours != theirs:
            yield _order_of_levels(name, ours, theirs)
        elif component.startswith("frame[") and finding.verdict == "different":
            yield f"the rows have other levels of {name}: the data differ"


def _order_of_levels(name: str, ours: list[str], theirs: list[str]) -> str:
    """Return why the same levels stand in another order."""
    point, icu = Collation("C").sort(theirs), Collation("icu").sort(theirs)
    if (ours, theirs) == (icu, point):
        return (
            f"locale order of levels: R sorted {name} in the C locale (code points), here it is "
            "sorted as in a UTF-8 locale; give collation='C'"
        )
    if (ours, theirs) == (point, icu):
        return (
            f"locale order of levels: R sorted {name} as in a UTF-8 locale, here it is sorted by "
            "code points; give collation='icu'"
        )
    if ours in (point, icu):
        return (
            f"factor against character: {name} has levels in an order of its own in R "
            f"({', '.join(theirs[:5])}), here they are sorted as text; make it a pandas "
            "Categorical with R's levels"
        )
    if theirs in (point, icu):
        return (
            f"factor against character: the levels of {name} are sorted in R, but have an order "
            f"of their own here ({', '.join(ours[:5])})"
        )
    return f"the levels of {name} stand in another order (relevel, factor(levels = ...))"


def _codings(case: _Case) -> Iterator[str]:
    """Yield what of the difference is explained by another coding of a factor.

    R keeps contrasts attached to a factor in its model frame, and what coded X in X; of its
    ``options(contrasts = )`` the random terms bear no trace but their columns.
    """
    coded = case.within("fixed.contrasts")
    if not coded and not case.differs("cnms", "Zt"):
        return
    attached: list[str] = []
    for component in case.theirs.parts:
        mine, other = case.both(component)
        if not (component.startswith("frame[") and isinstance(mine, Factor)):
            continue
        if isinstance(other, Factor) and not _same(mine.contrasts, other.contrasts):
            name, there = component[len("frame['") : -2], other.contrasts
            attached.append(repr(name))
            remedy = repr(there) if there is None or isinstance(there, str) else "..."
            yield (
                f"attached contrasts: '{name}' carries {_told(there)} in R (contrasts(d${name}) "
                f"<- ), {_told(mine.contrasts)} here, in X and in random slopes; give "
                f"attached_contrasts={{'{name}': {remedy}}}"
            )
    option = None if attached else _explaining_option(case)
    if option is not None:
        yield (
            "contrasts option: R ran with another options(contrasts = ), which codes X and random "
            f"slopes; give default_contrasts={option}"
        )
        return
    for name in coded:
        if name not in attached:
            here, there = case.both(f"fixed.contrasts[{name}]")
            yield (
                f"contrasts: {name} is coded by {_told(here)} here and "
                f"by {_told(there)} in R (the contrasts argument, or, for factors in "
                f"fixed effects only, options(contrasts = )); give contrasts={{{name}: ...}}"
            )
    widths = [sorted(len(names) for _, names in cnms) for cnms in case.both("cnms")]
    renamed = {case.verdict("cnms"), case.verdict("Zt")} == {"different"}
    if not coded and not attached and renamed and widths[0] == widths[1]:
        yield (
            "contrasts option: the columns of the random terms are coded otherwise in R "
            "(options(contrasts = ) or contrasts(f) <- ; the contrasts argument reaches X only); "
            "give default_contrasts or attached_contrasts"
        )


def _told(coding: Any) -> str:
    """Return contrasts in words: of a factor, or as a component of X."""
    match coding:
        case None:
            return "no contrasts of its own"
        case str(name) | [str(name)]:
            return name
        case _:
            return "a matrix of its own"


def _same(ours: str | Matrix | None, theirs: str | Matrix | None) -> bool:
    if isinstance(ours, Matrix) and isinstance(theirs, Matrix):
        return (
            ours.values.shape == theirs.values.shape
            and np.allclose(ours.values, theirs.values, rtol=_CLOSE, atol=_CLOSE)
            and ours.names == theirs.names
        )
    return type(ours) is type(theirs) and ours == theirs


def _explaining_option(case: _Case) -> DefaultContrasts | None:
    """Return the option under which our random terms are R's, None where there is none."""
    design, spec = case.design, case.design.learned
    if spec is None or _fits(design.random, case.theirs):
        return None
    # What R says of X goes first, then the nearest: what codes no factor of the model stays.
    likely = list(spec.default_contrasts)
    for component, coding in reversed(list(case.theirs.parts.items())):
        if component.startswith("fixed.contrasts["):
            factor = case.both(component.replace("fixed.contrasts", "frame", 1))[1]
            match coding:
                case [str(name)] if isinstance(factor, Factor) and factor.contrasts is None:
                    likely[factor.ordered] = name
    options = [(plain, ordered) for plain in CONTRASTS for ordered in CONTRASTS]
    options.sort(key=lambda option: sum(a != b for a, b in zip(option, likely, strict=True)))
    frame, bars = design.model_frame, design.random.in_formula
    for option in options:
        context = Context(
            frame.rows, Collation(spec.collation), lambda _: None, option, design.formula.lme4
        )
        try:
            grouping = Grouping.of(frame, [term.bar for term in bars], context)
            terms = [replace(term, plan=left_side(term.bar, grouping)) for term in bars]
            if _fits(random_effects(terms, frame.rows), case.theirs):
                return option
        except Lme4pyError:
            continue
    return None


def _fits(random: RandomEffects, theirs: Components) -> bool:
    """Tell whether random terms have R's names and numbers."""
    names, Zt = theirs.parts["cnms"], theirs.parts["Zt"].matrix
    wanted, own = (sorted(columns for _, columns in cnms) for cnms in (names, random.cnms))
    if own != wanted or random.Zt.shape != Zt.shape:
        return False
    difference = abs(random.Zt - Zt)
    return not difference.nnz or float(difference.max()) <= _CLOSE * float(abs(Zt).max())


def _random_terms(case: _Case) -> Iterator[str]:
    """Yield what explains other terms, or another layout of theta."""
    if "cnms" in case.unequal:
        ours, theirs = case.both("cnms")
        for group in dict(ours):
            here, there = ([names for g, names in side if g == group] for side in (ours, theirs))
            split, whole = sorted((here, there), key=len, reverse=True)
            same = sorted(chain(*split)) == sorted(chain(*whole))
            if len(split) > len(whole) and (same or len(whole) == 1):
                which = "here" if split is here else "in R"
                yield (
                    f"meaning of ||: {which} the effects of '{group}' are {len(split)} "
                    f"uncorrelated terms, on the other side {len(whole)}; look for || against | in "
                    "the formulas, and for packages that expand || otherwise (afex), or double_bar"
                )
    layout = ("theta", "lower", "upper", "par", "ord", "Lind", "Lambdat", "Lambdat@x")
    if case.fixture.two and case.differs(*layout) and "Zt" not in case.unequal:
        yield (
            "lme4 version: the file was written by lme4 2.x, whose covariance structures "
            "(diag, cs, ar1) and meaning of theta differ from 1.1's"
        )
    if "cnms" not in case.unequal:
        return
    formula = case.design.formula
    other = LME4_1 if formula.lme4 == LME4_2 else LME4_2
    try:
        expanded = {bar.group_name for bar in find_bars(formula.right, other)}
    except Lme4pyError:
        return
    if expanded == {group for group, _ in theirs} != {group for group, _ in ours}:
        yield (
            "lme4 version: the grouping factors are those that lme4 "
            f"{'before' if other == LME4_1 else 'since'} 1.1-36 makes of the formula; give "
            f'lme4="{other.version}"'
        )


_SIGNS = {
    ("frame.row_names", "order"): (
        "the rows of the data stand in another order: sort the data alike in both"
    ),
    ("fixed.dropped", ""): (
        "rank: other columns of X were dropped as dependent (check_rankX, or numbers close to "
        "the tolerance of 1e-7)"
    ),
    ("Zt", "zeros are stored"): (
        "stored zeros: Zt is the same matrix with other stored places; lme4 drops zeros from Zt"
    ),
    ("Lambdat", "zeros are stored"): (
        "stored zeros: Lambdat is the same matrix with other stored places; lme4 keeps the "
        "starting zeros of Lambdat"
    ),
    ("cnms", "order"): (
        "the random terms stand in another order: lme4 sorts them by their number of levels "
        "(other data or versions give another order)"
    ),
    ("weights", ""): "weights: give the same weights in both calls",
    ("offset", ""): "offset: give the same offset in both calls",
    ("reml", ""): "REML against ML: give reml=False for lFormula(REML = FALSE)",
    ("family", ""): "family or link: give the family of glFormula",
}
"""The causes of single components, by a verdict or by words of the summary."""


def _signs(case: _Case) -> Iterator[str]:
    for (component, sign), cause in _SIGNS.items():
        found = case.unequal.get(component)
        if found is not None and sign in f"{found.verdict}: {found.summary}":
            yield cause


def _columns(case: _Case) -> Iterator[str]:
    """Yield what explains other columns of X, or R's in another unit or with fewer digits."""
    X = case.fixture.X
    if X is None:
        return
    if "X" in case.unequal and {"scaled:scale", "scaled:center"} & set(X.attributes):
        yield "scale: R rescaled the columns of X (check.scaleX or autoscale); give check_scaleX"
    names, others = case.design.fixed.names, X.column_names or ()
    only = [sorted(set(a) - set(b))[:3] for a, b in ((names, others), (others, names))]
    if any(only) and not case.differs("fixed.dropped", "fixed.contrasts", "frame"):
        yield (
            f"the formulas differ: X has other columns (only here: {only[0]}, only in R: {only[1]})"
        )
    if "fixed.names" in case.unequal or not case.other_numbers("X"):
        return
    ours, theirs = case.both("X")
    for name, left, right in zip(names, ours.T, theirs.T, strict=True):
        scale, gap = np.abs(right).max(), np.abs(left - right).max()
        if not np.isfinite(scale) or not gap > 1e-12 * scale:
            continue
        ratio = np.unique((left[right != 0] / right[right != 0]).round(12))
        if ratio.size == 1 and gap > 1e-6 * scale:
            yield f"column '{name}' of X is {ratio[0]:g} times R's: another unit, sign or scale"
        elif gap <= 1e-6 * scale:
            yield (
                f"rounding: column '{name}' of X differs by {gap / scale:.1e} of its size; the "
                "data were written with fewer digits on the way (write.csv keeps 15)"
            )


def _values(case: _Case) -> Iterator[str]:
    """Tell numbers of the data that differ from numbers that were computed otherwise."""
    if case.fixture.frame is None or "frame.row_names" in case.unequal:
        return
    changed = [name for name in case.within("frame") if case.other_numbers(f"frame[{name}]")]
    if changed:
        yield f"the data differ: {', '.join(changed[:5])} hold other numbers"
    elif case.other_numbers("y"):
        yield "the response differs although the frames agree: another left side of the formula"


def _record(case: _Case) -> Iterator[str]:
    """Point at a record whose own parts contradict each other, or were edited."""
    terms, agreed = case.fixture.terms, not case.differs("frame", "frame.names", "frame.row_names")
    if terms["Gp"].values[-1:].tolist() != [terms["Zt"].matrix.shape[0]]:
        yield "the record contradicts itself: Gp does not end at the number of rows of Zt"
    blocks = "Ztlist" in terms and not case.differs("Ztlist", "Ztlist labels")
    if blocks and case.verdict("Zt") == "different":
        yield (
            "the record contradicts itself: its Ztlist equals ours, its Zt does not; Zt was "
            "changed after lme4 made it"
        )
    groups = list(case.within("flist"))
    if "Zt" not in case.unequal and agreed and groups:
        yield (
            f"the record contradicts itself: its model frame and Zt equal ours, flist[{groups[0]}] "
            "does not; flist was changed after lme4 made it"
        )
    known = case.fixture.frame is not None and agreed
    if known and case.other_numbers("X") and not any(n.startswith("fixed") for n in case.unequal):
        yield (
            "the model frames and the contrasts agree, the numbers of X do not: X was changed "
            "after lme4 made it, or a function of the formula gives other values"
        )
    made = case.differs("theta", "Lambdat", "Lambdat@x") and not case.differs("Zt", "cnms", "Lind")
    starting = np.isin(terms["theta"].as_float(), (0.0, 1.0)).all()
    if made and not case.fixture.fitted and not starting:
        yield "theta is no starting value in the file: it was taken from a fitted model, or edited"


_RULES: tuple[Callable[[_Case], Iterator[str]], ...] = (
    _missing_values,
    _types,
    _levels,
    _codings,
    _random_terms,
    _signs,
    _columns,
    _values,
    _record,
)
