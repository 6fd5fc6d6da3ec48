"""A record of what R made: the model in a ``.rds`` file, and how to make it again here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.bridge.rds import read_rds
from lme4py.bridge.rvalues import (
    RFactor,
    RFrame,
    RLanguage,
    RList,
    RMatrix,
    RSlots,
    RSparse,
    RVector,
)
from lme4py.errors import DataError
from lme4py.formula.deparse import deparse
from lme4py.formula.formula import Formula
from lme4py.formula.syntax import Call
from lme4py.frame.values import Factor, Matrix
from lme4py.matrices.rank import rank_of

__all__ = ["Fixture", "fixture_of", "named_items", "read_fixture"]

_HOW = "in R: saveRDS(list(data = d, lf = lme4::lFormula(f, d)), 'm.rds')"
_TERMS = ("Zt", "Lambdat", "Lind", "theta", "cnms", "flist")


@dataclass(frozen=True, eq=False)
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
        ``family``, and a ``control`` that repeats no check R has passed already.
    notes : tuple of str
        What the file does not tell.
    X : RMatrix or None
    frame : RFrame or None
        The model frame (``lf$fr``).
    terms : RList
        The elements of ``reTrms``, or those that ``getME`` gave.
    model : tuple
        Response, weights and offset, None where absent.
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
    X: RMatrix | None
    frame: RFrame | None
    terms: RList
    model: tuple[Any, Any, Any]
    reml: bool | None
    family: tuple[str, str] | None
    fitted: bool
    versions: dict[str, str]

    def table(self) -> Any:
        """Return the data as `lformula` takes them.

        A pandas DataFrame; a mapping of columns where pandas cannot hold one (a matrix,
        a factor with contrasts of its own or with an NA level).

        Raises
        ------
        DataError
            If the file holds no data.
        """
        if self.data is None:
            raise DataError(f"{self.name} holds no data frame", hint=_HOW)
        special = {name: _own(column) for name, column in self.data.columns.items()}
        if not any(value is not None for value in special.values()):
            return self.data.to_pandas()
        plain = {
            name: column for name, column in self.data.columns.items() if special[name] is None
        }
        rest = RFrame(plain, self.data.row_names, self.data.automatic).to_mapping()
        return {name: rest.get(name, special[name]) for name in self.data.columns}

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
        ``getME(fit, c("X", "Zt", "Lambdat", "Lind", "theta", "lower", "flist", "cnms",
        "Gp", "beta", "b", "devcomp"))`` of a fitted model, beside a ``formula = formula(fit)``.

    Returns
    -------
    Fixture

    Raises
    ------
    DataError
        If the file is damaged, not R's, or holds no model.
    """
    content = read_rds(path)
    name = os.fspath(path)
    if isinstance(content, RSlots) and content.name in ("lmerMod", "glmerMod"):
        raise DataError(f"{name} holds a fitted model, not its components", hint=_HOW)
    if not isinstance(content, RList):
        raise DataError(f"{name} holds no list with a model", hint=_HOW)
    return fixture_of(content, str(name))


def fixture_of(record: RList, name: str = "the record") -> Fixture:
    """Return the fixture in a list that was read already.

    Raises
    ------
    DataError
        If no element of it is what ``lFormula``, ``glFormula`` or ``getME`` returns.
    """
    try:
        return _fixture(record, name)
    except DataError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as fault:
        raise DataError(
            f"the components of the model in {name} are not what lme4 writes ({fault})", hint=_HOW
        ) from fault


def _fixture(record: RList, name: str) -> Fixture:
    lf = _model_list(record)
    if lf is None:
        raise DataError(
            f"{name} holds no model: no element of its list is what lFormula returns", hint=_HOW
        )
    terms = lf["reTrms"] if isinstance(lf.get("reTrms"), RList) else lf
    absent = [item for item in _TERMS if item not in terms]
    if "nl" not in terms and "Gp" not in terms:
        absent.append("Gp")
    if absent:
        raise DataError(f"the model in {name} has no {', '.join(absent)}", hint=_HOW)
    _well_formed(terms, lf.get("X"), name)
    fitted = "reTrms" not in lf
    frame = lf.get("fr") if isinstance(lf.get("fr"), RFrame) else None
    data = next((item for item in record if isinstance(item, RFrame)), None)
    given = record.get("model")
    model = tuple(given) if isinstance(given, RList) and len(given) == 3 else _model(frame)
    family = _family(lf.get("family"))
    X: RMatrix | None = lf.get("X")
    notes: list[str] = []
    arguments = _Arguments(data, frame, X, model, notes).found()
    reml = _truth(lf.get("REML"))
    if reml is None and fitted:
        reml = _reml_of(lf.get("devcomp"))
    if family is not None:
        arguments["family"] = f"{family[0]}(link = '{family[1]}')"
        if family[0].startswith("Negative Binomial"):
            notes.append(f"the family {family[0]} has no counterpart here")
    elif reml is not None:
        arguments["reml"] = reml
    if fitted:
        notes.append(
            "the components are a fitted model's (getME): theta holds estimates, of which only "
            "their number and their places in Lambdat are compared; the arguments of the call "
            "(weights, offset, subset, family) are not in the file"
        )
    formula = _formula(lf, record, notes)
    if formula is not None and formula.response is None:
        arguments["control"]["check_formula_LHS"] = "ignore"
    return Fixture(
        name,
        data,
        formula,
        family is not None,
        arguments,
        tuple(notes),
        X,
        frame,
        terms,
        (model[0], model[1], model[2]),
        reml,
        family,
        fitted,
        _versions(record),
    )


def _model_list(record: RList) -> RList | None:
    """Return the list that lFormula or getME made: an element, or the record itself."""
    elements = [item for item in record if isinstance(item, RList)]
    for candidate in (*elements, record):
        if "reTrms" in candidate:
            return candidate
    for candidate in (*elements, record):
        if sum(item in candidate for item in _TERMS) >= 3:
            return candidate
    return None


def _well_formed(terms: RList, X: Any, name: str) -> None:
    """Refuse components whose types are not lme4's."""
    for item, fits in _SHAPES.items():
        if item in terms and not fits(terms[item]):
            raise DataError(f"{item} in {name} is not what lme4 writes")
    if X is not None and not isinstance(X, RMatrix):
        raise DataError(f"X in {name} is not a dense matrix")


def _numeric(value: Any) -> bool:
    return isinstance(value, RVector) and value.kind in ("integer", "double")


def _counts(value: Any) -> bool:
    return _numeric(value) and bool(np.isfinite(value.as_float()).all())


def _column_names(value: Any) -> bool:
    return isinstance(value, RList) and all(
        names is None or (isinstance(names, RVector) and names.kind == "character")
        for names in value
    )


def _factors(value: Any) -> bool:
    if not isinstance(value, RList | RFrame):
        return False
    assign = value.attributes.get("assign")
    factors = all(isinstance(factor, RFactor) for _, factor in named_items(value))
    return factors and (assign is None or _counts(assign))


_SHAPES: Mapping[str, Callable[[Any], bool]] = {
    "Zt": lambda value: isinstance(value, RSparse),
    "Lambdat": lambda value: isinstance(value, RSparse),
    "Ztlist": lambda value: (
        isinstance(value, RList) and all(isinstance(block, RSparse) for block in value)
    ),
    **dict.fromkeys(("Lind", "Gp", "nl", "ord"), _counts),
    **dict.fromkeys(("theta", "lower", "upper", "par"), _numeric),
    "cnms": _column_names,
    "flist": _factors,
}
"""What each element of ``reTrms`` must be."""


def _own(column: Any) -> Factor | Matrix | None:
    """Return a column that pandas cannot hold as our own value, None for all others."""
    if isinstance(column, RMatrix):
        return Matrix(
            np.asfortranarray(column.values.astype(np.float64)),
            column.column_names,
            column.kind if column.kind in ("logical", "integer", "double") else "double",
        )
    if not isinstance(column, RFactor):
        return None
    contrasts = column.attributes.get("contrasts")
    if contrasts is None and None not in column.levels:
        return None
    return Factor(column.codes, column.levels, column.ordered, _coding(contrasts))


def _coding(value: Any) -> str | Matrix | None:
    match value:
        case RVector(kind="character") if len(value) == 1:
            return str(value.values[0])
        case RMatrix():
            return Matrix(
                np.asfortranarray(value.values.astype(np.float64)), value.column_names, "double"
            )
        case _:
            return None


def _truth(value: Any) -> bool | None:
    if isinstance(value, RVector) and len(value) == 1 and value.missing is None:
        return bool(value.values[0])
    return None


def _reml_of(devcomp: Any) -> bool | None:
    dims = devcomp.get("dims") if isinstance(devcomp, RList) else None
    if not isinstance(dims, RVector) or dims.names is None or "REML" not in dims.names:
        return None
    return bool(dims.values[dims.names.index("REML")])


def _family(value: Any) -> tuple[str, str] | None:
    if not isinstance(value, RList) or "family" not in value:
        return None
    return str(value["family"].values[0]), str(value["link"].values[0])


def _versions(record: RList) -> dict[str, str]:
    found = record.get("versions")
    if not isinstance(found, RList) or found.names is None:
        return {}
    return {
        name: str(value.values[0])
        for name, value in zip(found.names, found, strict=True)
        if isinstance(value, RVector) and len(value) == 1
    }


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


def _model(frame: RFrame | None) -> tuple[Any, Any, Any]:
    """Return response, weights and offset of a frame."""
    if frame is None:
        return None, None, None
    names = list(frame.columns)
    offsets = [name for name in names if name.startswith("offset(") or name == "(offset)"]
    total = sum((_floats(frame.columns[name]) for name in offsets), np.zeros(len(frame)))
    return (
        frame.columns[names[0]] if names else None,
        frame.columns.get("(weights)"),
        RVector(np.asarray(total), "double") if offsets else None,
    )


def _floats(value: Any) -> NDArray[np.float64]:
    if isinstance(value, RVector):
        return value.as_float()
    found: NDArray[np.float64] = value.values.reshape(len(value.values), -1)[:, 0]
    return found.astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Arguments:
    """Finds the arguments of R's call in what the call returned."""

    data: RFrame | None
    frame: RFrame | None
    X: RMatrix | None
    model: tuple[Any, Any, Any]
    notes: list[str]

    def found(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {"control": self._control()}
        if self.X is not None:
            contrasts = self._contrasts(self.X)
            if contrasts:
                arguments["contrasts"] = contrasts
        if self.frame is None:
            return arguments
        action = self.frame.attributes.get("na.action")
        if action is not None:
            arguments["na_action"] = "exclude" if "exclude" in _classes(action) else "omit"
        elif any(_missing(column) for column in self.frame.columns.values()):
            arguments["na_action"] = "pass"
        if self.data is not None:
            arguments |= self._by_rows(self.data, self.frame, action)
        return arguments

    def _control(self) -> dict[str, str]:
        """Leave out what R has checked, and rescale or drop columns where it did."""
        options = dict.fromkeys(
            (
                "check_nobs_vs_rankZ",
                "check_nobs_vs_nlev",
                "check_nlev_gtreq_5",
                "check_nlev_gtr_1",
                "check_nobs_vs_nRE",
            ),
            "ignore",
        )
        options["check_scaleX"] = "ignore"
        if self.X is not None:
            attributes = self.X.attributes
            if "scaled:scale" in attributes:
                options["check_scaleX"] = "silent.rescale"
            values = self.X.values
            if "col.dropped" not in attributes and values.size:
                known = bool(np.isfinite(values).all())
                if not known or rank_of(values)[0] < values.shape[1]:
                    options["check_rankX"] = "ignore"
        return options

    @staticmethod
    def _contrasts(X: RMatrix) -> dict[str, Any]:
        found = X.attributes.get("contrasts")
        if not isinstance(found, RList):
            return {}
        codings = {
            name: _coding(value) for name, value in zip(found.names or (), found, strict=True)
        }
        return {
            name: coding.values if isinstance(coding, Matrix) and not coding.names else coding
            for name, coding in codings.items()
            if coding is not None and not name.startswith("C(")
        }

    def _by_rows(self, data: RFrame, frame: RFrame, action: Any) -> dict[str, Any]:
        """Return subset and the vectors that go by rows, spread over the rows of the data."""
        places = {name: at for at, name in enumerate(data.row_names)}
        kept = [_place(name, places) for name in frame.row_names]
        # Rows that an NA in subset made are named NA, NA.1, ...; they are no rows of the data.
        names = getattr(action, "names", None) or ()
        omitted = [places[name] for name in names if name in places]
        if -1 in kept:
            if len(kept) != len(data):
                self.notes.append(
                    "the rows of the model frame are not named as rows of the data: subset, "
                    "weights and offset cannot be told from the file"
                )
                return {}
            kept, omitted = list(range(len(data))), []
        used = np.zeros(len(data), dtype=np.bool_)
        used[kept] = True
        used[omitted] = True
        arguments: dict[str, Any] = {}
        if len(set(kept)) < len(kept):
            arguments["subset"] = np.array(kept, dtype=np.int64) + 1
        elif not used.all():
            arguments["subset"] = used
        spelled = {"(weights)": "weights", "(offset)": "offset"}
        spelled |= {"(mustart)": "mustart", "(etastart)": "etastart"}
        for label, argument in spelled.items():
            column = frame.columns.get(label)
            if column is None:
                continue
            values = np.ones(len(data))
            values[omitted] = np.nan
            values[kept] = _floats(column)
            arguments[argument] = values
        return arguments


def _place(name: str, places: Mapping[str, int]) -> int:
    """Return the row of a name, which R makes unique (13, 13.1, ...) where a row repeats."""
    if name in places:
        return places[name]
    base, _, number = name.rpartition(".")
    return places.get(base, -1) if number.isdecimal() else -1


def _classes(value: Any) -> tuple[str, ...]:
    return value.classes if isinstance(value, RVector) else ()


def _missing(column: Any) -> bool:
    match column:
        case RVector(kind="character"):
            return any(text is None for text in column.values)
        case RVector():
            return bool(np.isnan(column.as_float()).any()) if column.kind != "complex" else False
        case RFactor():
            return bool((column.codes < 0).any())
        case RMatrix():
            return bool(np.isnan(column.values.astype(np.float64)).any())
        case _:
            return False


def named_items(value: RList | RFrame) -> Iterator[tuple[str, Any]]:
    """Yield name and value of the elements of a list or of the columns of a frame."""
    if isinstance(value, RFrame):
        yield from value.columns.items()
    else:
        yield from zip(value.names or (), value, strict=True)
