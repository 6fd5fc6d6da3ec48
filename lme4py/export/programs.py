"""What programs in Stan and PyMC are written from: the arrays they take, priors, comments."""

from __future__ import annotations

import json
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

    Its structure is ``diag`` where it has one column; if it is `hom`, its columns have one standard
    deviation. The words are what templates name: ``k``, its place in the formula from 1;
    ``columns``, ``others`` beside the first, and ``levels``, how many there are; ``scales`` of the
    priors of the deviations; ``least``, the least correlation where all have one; ``dims``, the
    names of the dimensions in quotes.
    """

    comment: str
    structure: str
    hom: bool
    words: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramParts:
    """What a program is written from.

    Comments at its head; the terms in the order of the formula; the distribution of the response
    (``trials`` where it counts successes of several), its link, and the shape of a negative
    binomial one; the scale of sigma's prior, empty where there is no sigma; the names along the
    dimensions; the data by their names, codes counting from 0.
    """

    heads: tuple[str, ...]
    terms: tuple[ProgramTerm, ...]
    family: str
    link: str
    theta: float | None
    sigma: str
    coords: Mapping[str, tuple[str, ...]]
    arrays: Mapping[str, Any]


def comment(text: str, lead: str, depth: int = 0) -> str:
    """Return a comment, whatever is in the text; its lines will be indented by `depth`.

    Examples
    --------
    >>> comment("y ~ x", "# ")
    '# y ~ x'
    """
    said = " ".join(text.split())
    return textwrap.fill(said, 88 - depth, initial_indent=lead, subsequent_indent=lead)


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
    y, weights = design.response.y, design.response.weights
    trials = name == "binomial" and bool((weights != 1).any())
    arrays: dict[str, Any] = {"X": plain.X}
    if trials:
        arrays |= {"won": _whole(y * weights), "trials": _whole(weights)}
    else:
        arrays["y"] = _whole(y) if name in _COUNTED else y
    if plain.weights is not None and name != "binomial":
        arrays["w"] = weights
    if plain.offset is not None:
        arrays["o"] = plain.offset
    terms = []
    for k, place in enumerate(np.argsort(design.random.order)):
        found, covariance = plain.terms[k], design.random.terms[place].covariance
        arrays |= {f"j_{k + 1}": found.codes, f"Z_{k + 1}": found.block}
        terms.append(_term(k + 1, found, covariance, random[place], _spread(y, link)))
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
        family="trials" if trials else name,
        link=link,
        theta=None if family is None else family.theta,
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
        case "identity" | "sqrt":
            return float(np.std(y if link == "identity" else np.sqrt(y))) or 1.0
        case "inverse":
            return 1.0 / centre
        case "1/mu^2":
            return 1.0 / centre**2
        case _:
            return 1.0


def _term(
    k: int, found: TermCoordinates, covariance: Covariance, symbols: Sequence[str], spread: float
) -> ProgramTerm:
    sizes = np.sqrt((found.block**2).mean(axis=0))
    scales = [2.5 * spread / (float(size) or 1.0) for size in sizes]
    pairs = ", ".join(map(" ".join, zip(symbols, found.columns, strict=True)))
    columns = len(found.columns)
    return ProgramTerm(
        comment=f"b_{k}, of ({found.label}): {pairs}",
        structure="diag" if columns == 1 else covariance.name,
        hom=covariance.hom,
        words={
            "k": k,
            "columns": columns,
            "others": columns - 1,
            "levels": len(found.levels),
            "scales": ", ".join(map(_number, [max(scales)] if covariance.hom else scales)),
            "least": f"-1.0 / {columns - 1}" if covariance.name == "cs" else "-1.0",
            "dims": ", ".join(json.dumps(_dimension(name)) for name in found.dims),
        },
    )


def _dimension(name: str) -> str:
    return f"{name}_" if _TAKEN.fullmatch(name) else name


def _number(value: float) -> str:
    """Return a positive number as Python and Stan write it."""
    return repr(float(f"{value or 1.0:.2g}"))
