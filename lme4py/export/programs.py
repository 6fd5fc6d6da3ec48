"""What programs in Stan and PyMC are written from: the arrays they take, priors, comments."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lme4py.data.missing_rows import rows_text
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError
from lme4py.export.coordinates import TermCoordinates, coordinates
from lme4py.matrices.covariance import Covariance

__all__ = ["Program", "ProgramParts", "ProgramTerm", "ProgramWriter", "program_parts"]

# Names that the programs give to variables; a dimension of the same name gets another.
_TAKEN = re.compile(r"beta|eta|sigma|y|won|trials|w|o|(b|u|v|sd|rho|own|all|L|Z|j)_\d+")
_PRIORS = "Flat priors for beta, as in lme4; those of deviations are weak: change them."
_COUNTED = ("binomial", "poisson", "negative.binomial")


@dataclass(frozen=True, eq=False, repr=False)
class Program:
    """A model as the text of a program, and the arrays that it takes.

    Parameters
    ----------
    language : str
        ``Stan`` or ``PyMC``.
    text : str
        The program; ``str()`` gives it, too.
    data : mapping of str to object
        What it takes, by name: arrays of numbers; in PyMC the names along the dimensions, too.
    """

    language: str
    text: str
    data: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"<Program in {self.language}, which takes {', '.join(self.data)}>"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTerm:
    """A random term in a program.

    Parameters
    ----------
    number : int
        Its place in the formula, from 1.
    comment : str
        The bar, and the symbols of its effects beside their columns.
    columns, levels : int
        How many there are.
    structure : {"us", "diag", "cs", "ar1"}
        Of the covariance; ``diag`` where there is one column.
    hom : bool
        One standard deviation for all columns.
    scales : tuple of str
        Of the priors of the standard deviations, in numbers.
    least : str
        The least correlation, where all have one.
    dims : tuple of str
        Names of levels and columns as dimensions.
    """

    number: int
    comment: str
    columns: int
    levels: int
    structure: str
    hom: bool
    scales: tuple[str, ...]
    least: str
    dims: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramParts:
    """What a program is written from.

    Parameters
    ----------
    heads : tuple of str
        Comments at the head: the formula, the symbols of beta beside the columns of X, and
        what the priors are.
    terms : tuple of ProgramTerm
        The random terms in the order of the formula.
    family, link : str
        The distribution of the response.
    theta : float or None
        The shape of a negative binomial one.
    trials : bool
        Whether the response counts successes of several trials.
    sigma : str
        Scale of the prior of sigma, in numbers; empty where there is none.
    coords : mapping of str to tuple of str
        Names along the dimensions.
    arrays : mapping of str to ndarray
        The data, codes counting from 0.
    """

    heads: tuple[str, ...]
    terms: tuple[ProgramTerm, ...]
    family: str
    link: str
    theta: float | None
    trials: bool
    sigma: str
    coords: Mapping[str, tuple[str, ...]]
    arrays: Mapping[str, Any]


class ProgramWriter:
    """The lines of a program."""

    def __init__(self, comment: str) -> None:
        self._comment = comment
        self._lines: list[str] = []

    def add(self, text: str, depth: int = 0) -> None:
        """Add lines, indented."""
        self._lines += textwrap.indent(text, " " * depth).split("\n")

    def say(self, text: str, depth: int = 0) -> None:
        """Add a comment; whatever is in it, it stays one."""
        lead = f"{' ' * depth}{self._comment} "
        self._lines += textwrap.wrap(
            " ".join(text.split()), 88, initial_indent=lead, subsequent_indent=lead
        )

    @property
    def text(self) -> str:
        """What was written."""
        return "\n".join(self._lines) + "\n"


def program_parts(
    design: MixedDesign, fixed: Sequence[str], random: Sequence[Sequence[str]]
) -> ProgramParts:
    """Return what programs of a model are written from.

    Parameters
    ----------
    design : MixedDesign
        The model.
    fixed : sequence of str
        The symbols of the fixed effects.
    random : sequence of sequence of str
        The symbols of the effects of each random term, in the order of the design's terms.

    Raises
    ------
    DataError
        If the response, or a value that the model needs, is missing.
    """
    plain, family = coordinates(design), design.family
    name, link = ("gaussian", "identity") if family is None else (family.name, family.link)
    response = design.response
    y, weights = response.y, response.weights
    arrays: dict[str, Any] = {"X": plain.X}
    if name == "binomial" and (weights != 1).any():
        arrays |= {"won": _whole(y * weights), "trials": _whole(weights)}
    else:
        arrays["y"] = _whole(y) if name in _COUNTED else y
    if plain.weights is not None and name != "binomial":
        arrays["w"] = weights
    if plain.offset is not None:
        arrays["o"] = plain.offset
    spread = _spread(y, link)
    order = np.argsort(design.random.order)
    terms = []
    for number, (found, place) in enumerate(zip(plain.terms, order, strict=True), start=1):
        arrays |= {f"j_{number}": found.codes, f"Z_{number}": found.block}
        covariance = design.random.terms[place].covariance
        terms.append(_term(number, found, covariance, random[place], spread))
    for label, values in arrays.items():
        rows = values.reshape(len(values), -1)
        wrong = (~np.isfinite(rows) | (rows < 0 if label.startswith("j_") else False)).any(axis=1)
        if wrong.any():
            said = f"a program takes no missing values, but there are some in {label}"
            raise DataError(said, hint=rows_text(wrong, design.model_frame.positions))
    # The dispersion of inverse Gaussian responses is their variance over the mean cubed.
    powers = {"gaussian": 0.0, "Gamma": 1.0, "inverse.gaussian": 1.5}
    deviation = float(np.std(y) / np.mean(y) ** powers.get(name, 0.0))
    pairs = ", ".join(map(" ".join, zip(fixed, plain.coords["fixed"], strict=True)))
    return ProgramParts(
        heads=(f"{design.formula}", *([f"beta: {pairs}"] if pairs else []), _PRIORS),
        terms=tuple(terms),
        family=name,
        link=link,
        theta=None if family is None else family.theta,
        trials="trials" in arrays,
        sigma="" if name in _COUNTED else _number(2.5 * deviation),
        coords={_dimension(key): labels for key, labels in plain.coords.items()},
        arrays=arrays,
    )


def _whole(counts: FloatArray) -> Any:
    whole = np.round(counts)
    if not (abs(counts - whole) < 1e-8).all():
        raise DataError("the counts of a program are whole numbers")
    return whole.astype(np.int64)


def _spread(y: FloatArray, link: str) -> float:
    """Return how far values of the linear predictor may lie apart."""
    centre = abs(float(np.mean(y))) or 1.0
    match link:
        case "identity":
            return float(np.std(y)) or 1.0
        case "sqrt":
            return float(np.std(np.sqrt(y))) or 1.0
        case "inverse":
            return 1.0 / centre
        case "1/mu^2":
            return 1.0 / centre**2
        case _:
            return 1.0


def _term(
    number: int,
    found: TermCoordinates,
    covariance: Covariance,
    symbols: Sequence[str],
    spread: float,
) -> ProgramTerm:
    sizes = np.sqrt((found.block**2).mean(axis=0))
    scales = [2.5 * spread / (float(size) or 1.0) for size in sizes]
    pairs = ", ".join(map(" ".join, zip(symbols, found.columns, strict=True)))
    return ProgramTerm(
        number=number,
        comment=f"b_{number}, of ({found.label}): {pairs}",
        columns=len(found.columns),
        levels=len(found.levels),
        structure="diag" if len(found.columns) == 1 else covariance.name,
        hom=covariance.hom,
        scales=tuple(map(_number, [max(scales)] if covariance.hom else scales)),
        least=f"-1.0 / {len(found.columns) - 1}" if covariance.name == "cs" else "-1.0",
        dims=(_dimension(found.dims[0]), _dimension(found.dims[1])),
    )


def _dimension(name: str) -> str:
    return f"{name}_" if _TAKEN.fullmatch(name) else name


def _number(value: float) -> str:
    """Return a positive number as Python and Stan write it."""
    return repr(float(f"{value or 1.0:.2g}"))
