"""A record of what R made: the model in a ``.rds`` file, and how to make it again here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lme4py.argument_types import path_of
from lme4py.data.values import FloatArray, Matrix, missing, without_dim
from lme4py.errors import DataError
from lme4py.formula.deparse import deparse
from lme4py.formula.formula import Formula
from lme4py.formula.syntax import Call
from lme4py.frame.modelframe import ModelFrame
from lme4py.matrices.rank import rank_of
from lme4py.matrices.response import response
from lme4py.rfiles.read_rds import read_rds
from lme4py.rfiles.rvalues import (
    RFrame,
    RLanguage,
    RList,
    RSlots,
    RSparse,
    RVector,
    coding_of,
    named_items,
    own_value,
)
from lme4py.versions import LME4_1, LME4_2

if TYPE_CHECKING:
    import pandas as pd

_HOW = "in R: saveRDS(list(data = d, lf = lme4::lFormula(f, d)), 'm.rds')"
_FITTED = (
    "the components are a fitted model's (getME): theta holds estimates, of which only "
    "their number and their places in Lambdat are compared"
)
_CALL_UNKNOWN = "; the arguments of the call (weights, offset, subset, family) are not in the file"
_FRAME_ONLY = (
    "the file holds the model frame only, without the rows that subset and missing values "
    "took and the variables inside of calls: write the data beside it, "
    "saveRDS(list(data = d, fit = fit), 'm.rds')"
)


_CHECKED = (
    "check_nobs_vs_rankZ",
    "check_nobs_vs_nlev",
    "check_nlev_gtreq_5",
    "check_nlev_gtr_1",
    "check_nobs_vs_nRE",
    "check_scaleX",
)
_CLOSE = 1e-8
_BY_ROWS = ("weights", "offset", "mustart", "etastart")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Fixture:
    """What R recorded of one model.

    Parameters
    ----------
    name : str
        The file it came from.
    data : RFrame or None
        The data frame, when the file has one.
    formula : Formula or None
        The formula, from R's own call; None when the file has none.
    generalized : bool
        Whether ``glFormula`` made it.
    arguments : dict
        The keyword arguments of `lformula` or `glformula` that the file tells of:
        ``subset``, ``weights``, ``offset``, ``contrasts``, ``na_action``, ``reml``,
        ``family``, ``lme4``, and a ``control`` that repeats no check R has passed already.
    notes : tuple of str
        What the file does not tell.
    X : RVector or None
    frame : RFrame or None
        The model frame (``lf$fr``).
    terms : RList
        The elements of ``reTrms``, or those that ``getME`` gave.
    model : tuple of ndarray of float64 or None
        Response, weights and offset.
    reml : bool or None
    family : tuple of str or None
        Name and link.
    fitted : bool
        Whether theta holds estimates (``getME`` of a fitted model), not starting values.
    versions : dict
        Of R and lme4, as far as the file tells.

    Examples
    --------
    ``lme4py.lformula(m.formula, m.table(), **m.arguments)`` makes the model again.
    """

    name: str
    data: RFrame | None
    formula: Formula | None
    generalized: bool
    arguments: dict[str, Any]
    notes: tuple[str, ...]
    X: RVector | None
    frame: RFrame | None
    terms: RList
    model: tuple[FloatArray | None, FloatArray | None, FloatArray | None]
    reml: bool | None
    family: tuple[str, str] | None
    fitted: bool
    versions: dict[str, str]

    def __repr__(self) -> str:
        rows = "no data" if self.data is None else f"{len(self.data)} rows of data"
        return f"Fixture({self.name!r}: {self.formula or 'no formula'}, {rows})"

    def table(self) -> pd.DataFrame | dict[str, Any]:
        """Return the data as `lformula` takes them.

        Returns
        -------
        pandas.DataFrame or dict
            A mapping of columns where pandas cannot hold one of them: a matrix, a factor
            with contrasts of its own or with an NA level.

        Raises
        ------
        DataError
            If the file holds no data.

        Examples
        --------
        >>> import lme4py, os, tempfile
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> path = os.path.join(tempfile.mkdtemp(), "m.rds")
        >>> design.export(path, "rds")  # here by us; in a port, R writes it
        >>> lme4py.read_fixture(path).table().columns.tolist()
        ['Reaction', 'Days', 'Subject']
        """
        if self.data is None:
            raise DataError(f"{self.name} holds no data frame", hint=_HOW)
        return self.data.table()

    @property
    def generations(self) -> tuple[str, ...]:
        """The versions of lme4 that may have written it, the likeliest first."""
        told = self.arguments.get("lme4")
        if told is not None:
            return (str(told),)
        return (LME4_2.version,) if self.two else (LME4_2.version, LME4_1.version)

    @property
    def two(self) -> bool:
        """Whether lme4 2.x wrote it: its ``reTrms`` has ``par`` and ``ord``."""
        return "par" in self.terms or "ord" in self.terms or "reCovs" in self.terms


def read_fixture(path: str | os.PathLike[str]) -> Fixture:
    """Read what R made of a model.

    Parameters
    ----------
    path : path-like
        A file that ``saveRDS(list(data = d, lf = lme4::lFormula(f, d)), path)`` wrote;
        ``glFormula`` will do, and so will, in the place of ``lf``, a list with
        ``getME(fit, "ALL")`` or ``getME(fit, c("X", "Zt", "Lambdat", "Lind", "theta", "lower",
        "flist", "cnms", "Gp", "beta", "b", "devcomp"))`` of a fitted model, beside a
        ``formula = formula(fit)``. Of ``saveRDS(fit, path)``, the model frame stands for the
        data.

    Returns
    -------
    Fixture

    Raises
    ------
    DataError
        If the file is damaged, not R's, or holds no model.

    Examples
    --------
    >>> import lme4py, os, tempfile
    >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
    >>> path = os.path.join(tempfile.mkdtemp(), "m.rds")
    >>> design.export(path, "rds")  # here by us; in a port, R writes it
    >>> fixture = read_fixture(path)
    >>> print(fixture.formula)
    Reaction ~ Days + (1 | Subject)
    """
    content = read_rds(path)
    name = path_of(path)
    if isinstance(content, RSlots):
        content = RList((content,))
    if not isinstance(content, RList):
        raise DataError(f"{name} holds no list with a model", hint=_HOW)
    return fixture_of(content, name)


def fixture_of(record: RList, name: str = "the record") -> Fixture:
    """Return the fixture in a list that was read already; `DataError` where it holds no model."""
    with held_to_lme4(name, _HOW):
        # A fitted model is the list of its components.
        items = tuple(_components(item) if isinstance(item, RSlots) else item for item in record)
        alone = len(items) == 1 and isinstance(items[0], RList) and "fr" in items[0]
        opened: Any = items[0] if alone else replace(record, items=items)
        return _fixture(opened, name)


@contextmanager
def held_to_lme4(name: str, hint: str | None = None) -> Iterator[None]:
    """Raise what goes wrong with the parts of a record, whose numbers may be any, as ours."""
    try:
        with np.errstate(all="ignore"):
            yield
    except DataError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as fault:
        said = f"the components of the model in {name} are not what lme4 writes ({fault})"
        raise DataError(said, hint=hint) from fault


def _components(fit: RSlots) -> RList | None:
    """Return what the slots of a fitted model hold of its components; None for another object."""
    try:
        inside, response = (fit.slots[slot].slots[".xData"].variables for slot in ("pp", "resp"))
        frame = fit.slots["frame"]
        found = {
            "fr": frame,
            "formula": frame.attributes.get("formula"),
            # A field that is checked when it is set keeps its value under this name.
            **{name: inside[f".->{name}"] for name in ("X", "Zt", "Lambdat", "Lind")},
            **{name: fit.slots[name] for name in ("theta", "lower", "flist", "cnms", "Gp")},
            "devcomp": fit.slots["devcomp"],
            "family": response.get(".->family", response.get("family")),
        }
    except (AttributeError, KeyError):
        return None
    further = ("upper", "reCovs", "beta", "u")
    found |= {name: fit.slots[name] for name in further if name in fit.slots}
    return RList.of(found)


def _fixture(record: RList, name: str) -> Fixture:
    lf = _model_list(record)
    if lf is None:
        raise DataError(
            f"{name} holds no model: no element of its list is what lFormula returns", hint=_HOW
        )
    fitted = lf.find("reTrms", RList) is None
    terms: RList = lf if fitted else lf["reTrms"]
    _check(terms, name)
    X: Any = lf.get("X")
    if X is not None and not (isinstance(X, RVector) and X.is_matrix):
        raise DataError(f"X in {name} is not a dense matrix")
    frame = lf.find("fr", RFrame)
    data = next((item for item in record if isinstance(item, RFrame)), None)
    notes: list[str] = []
    formula = _formula(lf, record, notes)
    arguments = _call_arguments(data, frame, X, notes)
    if formula is not None and formula.response is None:
        arguments["control"]["check_formula_LHS"] = "ignore"
    family, reml = _family(lf), _reml(lf)
    if family is not None:
        # R's call; of a negative binomial's theta it says four decimals.
        kind, _, theta = family[0].partition("(")
        known = f"theta = {theta.removesuffix(')')}, " if theta else ""
        call = "negative.binomial" if theta else kind
        arguments["family"] = f"{call}({known}link = '{family[1]}')"
    elif reml is not None:
        arguments["reml"] = reml
    if fitted:
        terms = _with_known_blocks(terms)
        notes.append(_FITTED + (_CALL_UNKNOWN if frame is None else ""))
    if data is not None and data is frame:
        notes.append(_FRAME_ONLY)
    texts = named_items(record.find("versions", RList) or RList(()))
    versions = {name: str(text.values[0]) for name, text in texts if isinstance(text, RVector)}
    if "lme4" in versions:
        arguments["lme4"] = versions["lme4"]
    parts = record.find("model", RList)
    columns: dict[str, Any] = {} if frame is None else frame.columns
    if parts is not None:
        pairs = zip(("y", "(weights)", "(offset)"), map(own_value, parts), strict=True)
        columns = {name: value for name, value in pairs if value is not None}
    return Fixture(
        name=name,
        data=data,
        formula=formula,
        generalized=family is not None,
        arguments=arguments,
        notes=tuple(notes),
        X=X,
        frame=frame,
        terms=terms,
        model=_model(columns, formula is None or formula.response is not None, family is not None),
        reml=reml,
        family=family,
        fitted=fitted,
        versions=versions,
    )


def _check(terms: RList, name: str) -> None:
    """Raise unless the elements of lme4's ``reTrms`` are there, each an object of its kind."""
    absent = [item for item in _NEEDED if item not in terms]
    if absent:
        raise DataError(f"the model in {name} has no {', '.join(absent)}", hint=_HOW)
    for item, kinds in _KINDS.items():
        if item in terms and not isinstance(terms[item], kinds):
            raise DataError(f"{item} in {name} is not what lme4 writes")


_NEEDED = ("Zt", "Lambdat", "Lind", "theta", "cnms", "flist", "Gp")
_KINDS: Mapping[str, Any] = {
    **dict.fromkeys(("Zt", "Lambdat"), RSparse),
    **dict.fromkeys(("Ztlist", "cnms"), RList),
    "flist": RList | RFrame,
    **dict.fromkeys(("Lind", "Gp", "nl", "ord", "theta", "lower", "upper", "par"), RVector),
}


def _model_list(record: RList) -> RList | None:
    """Return the list that lFormula or getME made: an element, or the record itself."""
    candidates = [*(item for item in record if isinstance(item, RList)), record]
    named = [item for item in candidates if "reTrms" in item]
    similar = [item for item in candidates if sum(name in item for name in _NEEDED) >= 3]
    return next(iter(named + similar), None)


def _with_known_blocks(terms: RList) -> RList:
    """Return the components of a fit, the blocks of Zt unnamed where the names tell nothing.

    getME names them by parameters: where these are shared there are fewer names than blocks.
    """
    blocks = terms.find("Ztlist", RList) or RList(())
    wrong = (
        name in (None, "", "NA") or name.endswith((".*", ".rho")) for name in blocks.names or ()
    )
    return terms.put("Ztlist", RList(blocks.items)) if any(wrong) else terms


def _family(lf: RList) -> tuple[str, str] | None:
    """Return name and link of a family."""
    given = lf.find("family", RList)
    if given is None or "family" not in given:
        return None
    return str(given["family"].values[0]), str(given["link"].values[0])


def _reml(lf: RList) -> bool | None:
    """Return whether REML was asked for: of a fit, its ``devcomp`` tells; None for a GLMM."""
    value, known = lf.find("REML", RVector), lf.by_name("devcomp", "dims")
    if known.get("GLMM"):
        return None
    if value is not None and len(value) == 1 and not np.isnan(value.as_float()).any():
        return bool(value.values[0])
    return bool(known["REML"]) if "REML" in known else None


def _formula(lf: RList, record: RList, notes: list[str]) -> Formula | None:
    for value in (lf.get("formula"), record.get("formula"), record.get("f")):
        if isinstance(value, RVector) and value.kind == "character" and len(value) == 1:
            return Formula.parse(str(value.values[0]))
        if not isinstance(value, RLanguage):
            continue
        if value.node is None:
            notes.append("the formula holds values that R's grammar has no words for")
        elif isinstance(value.node, Call) and value.node.name == "~":
            return Formula(value.node, deparse(value.node))
    notes.append("the file holds no formula")
    return None


def _model(
    columns: Mapping[str, Any], answered: bool, generalized: bool
) -> tuple[FloatArray | None, FloatArray | None, FloatArray | None]:
    """Return response (the first column, where there is one), weights and offset of a frame."""
    names = list(columns)
    frame = ModelFrame(
        variables=columns,
        response=names[0] if names and answered else None,
        offset_terms=tuple(name for name in names if name.startswith("offset(")),
        rows=0,
    )
    return response(frame, generalized=generalized), frame.weights(), frame.offset()


def _call_arguments(
    data: RFrame | None, frame: RFrame | None, X: RVector | None, notes: list[str]
) -> dict[str, Any]:
    """Return the keyword arguments of R's call; what cannot be told joins the notes."""
    given = None if X is None else X.attributes.get("contrasts")
    codings = dict(named_items(given)) if isinstance(given, RList) else {}
    contrasts = {
        name: coding.values if isinstance(coding, Matrix) and not coding.names else coding
        for name, value in codings.items()
        if (coding := coding_of(value)) is not None and not name.startswith("C(")
    }
    arguments: dict[str, Any] = {"contrasts": contrasts} if contrasts else {}
    arguments["control"] = _control(X)
    if frame is None:
        return arguments
    action = frame.attributes.get("na.action")
    omitted: Sequence[str] = ()
    if isinstance(action, RVector):
        arguments["na_action"] = "exclude" if "exclude" in action.classes else "omit"
        omitted = action.names or ()
    elif any(missing(column) is not None for column in frame.columns.values()):
        arguments["na_action"] = "pass"
    return arguments if data is None else arguments | _by_rows(data, frame, omitted, notes)


def _control(X: RVector | None) -> dict[str, Any]:
    """Leave out what R has checked, and rescale or drop columns where it did."""
    options: dict[str, Any] = dict.fromkeys(_CHECKED, "ignore")
    if X is None:
        return options
    # lme4 loses the attributes of scaling where it drops columns.
    dropped = "col.dropped" in X.attributes
    if "scaled:center" in X.attributes or (dropped and _standardized(X)):
        options["autoscale"] = True
    elif "scaled:scale" in X.attributes:
        options["check_scaleX"] = "silent.rescale"
    known = bool(np.isfinite(X.values).all())
    if X.values.size and not dropped and not (known and rank_of(X.values)[0] == X.values.shape[1]):
        options["check_rankX"] = "ignore"
    return options


def _standardized(X: RVector) -> bool:
    """Tell whether every column but the intercept has mean 0 and standard deviation 1."""
    names = X.column_names or ()
    values = X.values[:, [at for at, name in enumerate(names) if name != "(Intercept)"]]
    if values.shape[0] < 2 or not values.shape[1] or not np.isfinite(values).all():
        return False
    moments = np.array([values.mean(axis=0), values.std(axis=0, ddof=1) - 1])
    return bool((np.abs(moments) < _CLOSE).all())


def _by_rows(
    data: RFrame, frame: RFrame, omitted_names: Sequence[str], notes: list[str]
) -> dict[str, Any]:
    """Return subset and the vectors that go by rows, spread over the rows of the data."""
    places = {name: at for at, name in enumerate(data.row_names)}
    kept = []
    for name in frame.row_names:
        # R makes names unique (13, 13.1, ...) where a row repeats.
        base, _, number = name.rpartition(".")
        kept.append(places.get(name, places.get(base, -1) if number.isdecimal() else -1))
    # Rows that an NA in subset made are named NA, NA.1, ...; they are no rows of the data.
    omitted = [places[name] for name in omitted_names if name in places]
    if -1 in kept:
        if len(kept) != len(data):
            notes.append(
                "the rows of the model frame are not named as rows of the data: subset, "
                "weights and offset cannot be told from the file"
            )
            return {}
        kept, omitted = list(range(len(data))), []
    used = np.zeros(len(data), dtype=np.bool_)
    used[[*kept, *omitted]] = True
    arguments: dict[str, Any] = {}
    if len(set(kept)) < len(kept):
        arguments["subset"] = np.array(kept, dtype=np.int64) + 1
    elif not used.all():
        arguments["subset"] = used
    for name in _BY_ROWS:
        if f"({name})" in frame.columns:
            values = np.ones(len(data))
            values[omitted] = np.nan
            given: Any = without_dim(frame.columns[f"({name})"])
            values[kept] = given.as_float()
            arguments[name] = values
    return arguments
