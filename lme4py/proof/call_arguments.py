"""The arguments of R's call, found in what the call returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.frame.values import Matrix
from lme4py.matrices.rank import rank_of
from lme4py.rfiles.rvalues import RFactor, RFrame, RList, RMatrix, RVector, coding_of

__all__ = ["CallArguments", "floats_of"]


@dataclass(frozen=True, slots=True)
class CallArguments:
    """Finds the arguments of R's call in what the call returned."""

    data: RFrame | None
    frame: RFrame | None
    X: RMatrix | None
    model: tuple[Any, Any, Any]
    notes: list[str]

    def found(self) -> dict[str, Any]:
        """Return the keyword arguments."""
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
        elif any(has_missing(column) for column in self.frame.columns.values()):
            arguments["na_action"] = "pass"
        if self.data is not None:
            arguments |= self._by_rows(self.data, self.frame, action)
        return arguments

    def _control(self) -> dict[str, Any]:
        """Leave out what R has checked, and rescale or drop columns where it did."""
        options: dict[str, Any] = dict.fromkeys(
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
            if "scaled:center" in attributes:
                options["autoscale"] = True
            elif "scaled:scale" in attributes:
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
            name: coding_of(value) for name, value in zip(found.names or (), found, strict=True)
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
            values[kept] = floats_of(column)
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


def floats_of(value: Any) -> NDArray[np.float64]:
    """Return the numbers of a vector, or of the first column of a matrix."""
    if isinstance(value, RVector):
        return value.as_float()
    found: NDArray[np.float64] = value.values.reshape(len(value.values), -1)[:, 0]
    return found.astype(np.float64)


def has_missing(column: Any) -> bool:
    """Tell whether a column has missing values."""
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
