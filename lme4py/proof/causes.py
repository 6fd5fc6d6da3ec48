"""Why a design and R's differ: the causes that people meet, each with its signs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from lme4py.errors import Lme4pyError
from lme4py.formula.formula import Formula
from lme4py.frame.collation import Collation
from lme4py.proof.codings import coding_causes
from lme4py.proof.findings import Comparison, Finding
from lme4py.proof.fixture import Fixture
from lme4py.proof.shapes import named_items
from lme4py.rfiles.rvalues import RFactor, RFrame, RList, RMatrix, RVector
from lme4py.versions import LME4_1, LME4_2

__all__ = ["causes"]


def causes(design: Any, fixture: Fixture, comparison: Comparison) -> list[str]:
    """Return what probably caused the findings, the likeliest first, each once."""
    unequal = {finding.component: finding for finding in comparison.different}
    if not unequal:
        return []
    found: list[str] = []
    for rule in _RULES:
        found += [text for text in rule(design, fixture, unequal) if text not in found]
    if not found:
        names = ", ".join(list(unequal)[:3])
        found.append(
            f"no usual cause fits: only {names} differ{'s' if len(unequal) == 1 else ''}; "
            "the record or the design may have been edited after it was made"
        )
    return found


_Unequal = dict[str, Finding]
_SAME = Finding("", "equal")


def _missing_values(design: Any, fixture: Fixture, unequal: _Unequal) -> Iterator[str]:
    found = unequal.get("frame.row_names")
    if fixture.frame is None:
        rows = fixture.terms["Zt"].matrix.shape[1]
        if design.random.Zt.shape[1] != rows:
            yield (
                f"other rows: {design.random.Zt.shape[1]} here, {rows} in R; missing values "
                "(na_action), subset, or other data"
            )
        return
    if found is None or found.verdict == "order":
        return
    here, there = len(design.frame), len(fixture.frame)
    action = fixture.frame.attributes.get("na.action")
    removed = len(action) if isinstance(action, RVector) else 0
    yield (
        f"missing values (NA handling) or subset: {here} rows here, {there} in R, which removed "
        f"{removed} rows with NA; compare na_action and subset, and whether NaN, empty text or "
        "'NA' in the data is missing in both"
    )


def _row_order(_: Any, __: Fixture, unequal: _Unequal) -> Iterator[str]:
    found = unequal.get("frame.row_names")
    if found is not None and found.verdict == "order":
        yield "the rows of the data stand in another order: sort the data alike in both"


def _types(design: Any, fixture: Fixture, unequal: _Unequal) -> Iterator[str]:
    if fixture.frame is None:
        return
    for component, finding in unequal.items():
        if not component.startswith("frame["):
            continue
        name = component[7:-2]
        if "R has a factor" in finding.summary:
            yield (
                f"factor against character: '{name}' is a factor in R, but {_kind(design, name)} "
                "here; make it a pandas Categorical with R's levels"
            )
        elif finding.summary.startswith("a factor, R has"):
            yield (
                f"factor against character: '{name}' is a factor here, but"
                f"{finding.summary.removeprefix('a factor, R has')} in R"
            )
        elif "ordered" in finding.summary:
            yield f"'{name}' is {finding.summary}: contr.poly codes ordered factors"


def _kind(design: Any, name: str) -> str:
    dtype = design.frame[name].dtype
    return "text" if dtype.kind in "OU" else f"of type {dtype}"


def _factors(design: Any, fixture: Fixture) -> Iterator[tuple[str, list[str], RFactor]]:
    """Yield name, our levels and R's factor for the frame's factors and the groups'."""
    import pandas as pd

    seen: set[str] = set()
    columns = {} if fixture.frame is None else fixture.frame.columns
    for name, theirs in columns.items():
        if not isinstance(theirs, RFactor) or name not in design.frame.columns:
            continue
        ours = design.frame[name]
        if isinstance(ours, pd.Series) and isinstance(ours.dtype, pd.CategoricalDtype):
            seen.add(name)
            yield name, [str(level) for level in ours.cat.categories], theirs
    for group, theirs in named_items(fixture.terms["flist"]):
        if group not in seen and group in design.random.flist and isinstance(theirs, RFactor):
            levels = [str(level) for level in design.random.flist[group].categories]
            yield group, levels, theirs


def _levels(design: Any, fixture: Fixture, unequal: _Unequal) -> Iterator[str]:
    rows = unequal.get("frame.row_names")
    if rows is not None and rows.verdict == "different":
        return
    for name, ours, factor in _factors(design, fixture):
        if f"frame[{name!r}]" not in unequal and f"flist[{name!r}]" not in unequal:
            continue
        theirs = [str(level) for level in factor.levels if level is not None]
        if set(ours) != set(theirs):
            gone = sorted(set(theirs) - set(ours))[:3]
            new = sorted(set(ours) - set(theirs))[:3]
            parts = [f"only in R: {gone}"] * bool(gone) + [f"only here: {new}"] * bool(new)
            yield f"'{name}' has other levels ({'; '.join(parts)}): unused levels, or other data"
        elif ours != theirs:
            yield _order_of_levels(name, ours, theirs)
        elif unequal.get(f"frame[{name!r}]", _SAME).verdict == "different":
            yield f"the rows have other levels of '{name}': the data differ"


def _order_of_levels(name: str, ours: list[str], theirs: list[str]) -> str:
    point, icu = Collation("C").sort(theirs), Collation("icu").sort(theirs)
    if theirs == point != icu and ours == icu:
        return (
            f"locale order of levels: R sorted '{name}' in the C locale (code points), here it is "
            "sorted as in a UTF-8 locale; give collation='C'"
        )
    if theirs == icu != point and ours == point:
        return (
            f"locale order of levels: R sorted '{name}' as in a UTF-8 locale, here it is sorted by "
            "code points; give collation='icu'"
        )
    if ours in (point, icu):
        return (
            f"factor against character: '{name}' has levels in an order of its own in R "
            f"({', '.join(theirs[:5])}), here they are sorted as text; make it a pandas "
            "Categorical with R's levels"
        )
    if theirs in (point, icu):
        return (
            f"factor against character: the levels of '{name}' are sorted in R, but have an order "
            f"of their own here ({', '.join(ours[:5])})"
        )
    return f"the levels of '{name}' stand in another order (relevel, factor(levels = ...))"


def _double_bars(design: Any, fixture: Fixture, unequal: _Unequal) -> Iterator[str]:
    if "cnms" not in unequal:
        return
    ours = [(group, list(names)) for group, names in design.random.cnms]
    theirs = [
        (group, [] if names is None else list(names.values))
        for group, names in named_items(fixture.terms["cnms"])
    ]
    for group in dict(ours):
        here = [names for label, names in ours if label == group]
        there = [names for label, names in theirs if label == group]
        if len(here) == len(there):
            continue
        split, whole = (here, there) if len(here) > len(there) else (there, here)
        if sorted(chain(*split)) == sorted(chain(*whole)) or len(whole) == 1:
            which = "here" if split is here else "in R"
            yield (
                f"meaning of ||: {which} the effects of '{group}' are {len(split)} uncorrelated "
                f"terms, on the other side {len(whole)}; look for || against | in the formulas, "
                "and for packages that expand || otherwise (afex), or double_bar"
            )


def _versions(_: Any, fixture: Fixture, unequal: _Unequal) -> Iterator[str]:
    names = {"theta", "lower", "upper", "par", "ord", "Lind", "Lambdat"}
    if fixture.two and names & set(unequal) and "Zt" not in unequal:
        yield (
            "lme4 version: the file was written by lme4 2.x, whose covariance structures "
            "(diag, cs, ar1) and meaning of theta differ from 1.1's"
        )


def _generations(design: Any, fixture: Fixture, unequal: _Unequal) -> Iterator[str]:
    # Whatever has a design's components is compared; they need not come with a formula.
    formula: Formula | None = getattr(design, "formula", None)
    if "cnms" not in unequal or formula is None:
        return
    other = LME4_1 if formula.lme4 == LME4_2 else LME4_2
    try:
        theirs = {bar.group_name for bar in formula.followed(other).bars}
    except Lme4pyError:
        return
    cnms = fixture.terms["cnms"]
    if theirs == set(cnms.names or ()) and theirs != {group for group, _ in design.random.cnms}:
        yield (
            "lme4 version: the grouping factors are those that lme4 "
            f"{'before' if other == LME4_1 else 'since'} 1.1-36 makes of the formula; give "
            f'lme4="{other.version}"'
        )


def _theta(_: Any, fixture: Fixture, unequal: _Unequal) -> Iterator[str]:
    started = {"theta", "Lambdat"} & set(unequal)
    if started and not {"Zt", "cnms", "Lind"} & set(unequal) and not fixture.fitted:
        theta = np.asarray(fixture.terms["theta"].values)
        if not np.isin(theta, (0.0, 1.0)).all():
            yield (
                "theta is no starting value in the file: it was taken from a fitted model, or "
                "edited"
            )


def _stored_zeros(design: Any, fixture: Fixture, unequal: _Unequal) -> Iterator[str]:
    for name in ("Zt", "Lambdat"):
        if name not in unequal or "zeros are stored" not in unequal[name].summary:
            continue
        rule = "drops zeros from Zt" if name == "Zt" else "keeps the starting zeros of Lambdat"
        yield f"stored zeros: {name} is the same matrix with other stored places; lme4 {rule}"
    del design, fixture


def _columns(design: Any, fixture: Fixture, unequal: _Unequal) -> Iterator[str]:
    X = fixture.X
    if X is None:
        return
    if "fixed.dropped" in unequal:
        yield (
            "rank: other columns of X were dropped as dependent (check_rankX, or numbers close to "
            "the tolerance of 1e-7)"
        )
    if "X" in unequal and ("scaled:scale" in X.attributes or "scaled:center" in X.attributes):
        yield "scale: R rescaled the columns of X (check.scaleX or autoscale); give check_scaleX"
    if "fixed.names" not in unequal and "X" in unequal:
        yield from _scaled(design, X)
    if unequal.get("fixed.names") is not None and "fixed.dropped" not in unequal:
        here, there = set(design.fixed.names), set(X.column_names or ())
        coded = any(name.startswith(("fixed.contrasts", "frame[")) for name in unequal)
        if here != there and not coded:
            yield (
                "the formulas differ: X has other columns "
                f"(only here: {sorted(here - there)[:3]}, only in R: {sorted(there - here)[:3]})"
            )


def _scaled(design: Any, X: RMatrix) -> Iterator[str]:
    ours = design.X if isinstance(design.X, np.ndarray) else design.X.toarray()
    theirs = X.values.astype(np.float64)
    if ours.shape != theirs.shape or not np.isfinite(theirs).all():
        return
    for at, name in enumerate(design.fixed.names):
        left, right = ours[:, at], theirs[:, at]
        scale = np.abs(right).max(initial=0.0)
        gap = np.abs(left - right).max(initial=0.0)
        if gap <= 1e-12 * scale:
            continue
        used = right != 0
        ratio = np.unique((left[used] / right[used]).round(12))
        if ratio.size == 1 and used.any() and gap > 1e-6 * scale:
            yield f"column '{name}' of X is {ratio[0]:g} times R's: another unit, sign or scale"
        elif gap <= 1e-6 * scale:
            yield (
                f"rounding: column '{name}' of X differs by {gap / scale:.1e} of its size; the "
                "data were written with fewer digits on the way (write.csv keeps 15)"
            )


def _values(design: Any, fixture: Fixture, unequal: _Unequal) -> Iterator[str]:
    """Tell numbers of the data that differ from numbers that were computed otherwise."""
    if fixture.frame is None or "frame.row_names" in unequal:
        return
    del design
    changed = [
        name
        for name, column in fixture.frame.columns.items()
        if f"frame[{name!r}]" in unequal
        and isinstance(column, RVector)
        and "numbers differ" in unequal[f"frame[{name!r}]"].summary
    ]
    if changed:
        yield f"the data differ: {', '.join(repr(name) for name in changed[:5])} hold other numbers"
    elif "y" in unequal and "numbers differ" in unequal["y"].summary:
        yield "the response differs although the frames agree: another left side of the formula"
    for name in ("weights", "offset"):
        if name in unequal:
            yield f"{name}: give the same {name} in both calls"


def _inconsistent(_: Any, fixture: Fixture, unequal: _Unequal) -> Iterator[str]:
    """Point at a record whose own parts contradict each other."""
    terms = fixture.terms
    Zt, gp = terms["Zt"].matrix, terms.get("Gp")
    if isinstance(gp, RVector) and len(gp) and int(gp.values[-1]) != Zt.shape[0]:
        yield "the record contradicts itself: Gp does not end at the number of rows of Zt"
    blocks = terms.get("Ztlist")
    whole = "Zt" in unequal and unequal["Zt"].verdict == "different"
    if (
        whole
        and isinstance(blocks, RList)
        and not any(name.startswith("Ztlist") for name in unequal)
    ):
        yield (
            "the record contradicts itself: its Ztlist equals ours, its Zt does not; Zt was "
            "changed after lme4 made it"
        )
    if "Zt" not in unequal and not any(name.startswith("frame") for name in unequal):
        groups = [name for name in unequal if name.startswith("flist[")]
        if groups:
            yield (
                f"the record contradicts itself: its model frame and Zt equal ours, {groups[0]} "
                "does not; flist was changed after lme4 made it"
            )
    X, frame = fixture.X, fixture.frame
    if X is not None and "X" in unequal and isinstance(frame, RFrame):
        agreed = not any(name.startswith("frame") for name in unequal)
        same = not any(name.startswith("fixed") for name in unequal)
        if agreed and same and "numbers differ" in unequal["X"].summary:
            yield (
                "the model frames and the contrasts agree, the numbers of X do not: X was changed "
                "after lme4 made it, or a function of the formula gives other values"
            )


def _kinds(design: Any, fixture: Fixture, unequal: _Unequal) -> Iterator[str]:
    del design, fixture
    if "reml" in unequal:
        yield "REML against ML: give reml=False for lFormula(REML = FALSE)"
    if "family" in unequal:
        yield "family or link: give the family of glFormula"


def _order_of_terms(design: Any, fixture: Fixture, unequal: _Unequal) -> Iterator[str]:
    del design, fixture
    found = unequal.get("cnms")
    if found is not None and found.verdict == "order":
        yield (
            "the random terms stand in another order: lme4 sorts them by their number of levels "
            "(other data or versions give another order)"
        )


_RULES: tuple[Callable[[Any, Fixture, _Unequal], Iterator[str]], ...] = (
    _missing_values,
    _row_order,
    _types,
    _levels,
    coding_causes,
    _double_bars,
    _versions,
    _generations,
    _stored_zeros,
    _columns,
    _values,
    _inconsistent,
    _theta,
    _order_of_terms,
    _kinds,
)
