"""Numbers for the symbols of a model: given one by one, or read off a fitted model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lme4py.abbreviation import few
from lme4py.argument_types import coefficients_of
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError
from lme4py.explain.expression import Operation, Quantity, QuantityKind, Tree, grid, times
from lme4py.explain.system import ColumnProduct, System
from lme4py.export.to_statsmodels import covariances_of
from lme4py.family import has_dispersion
from lme4py.matrices.covariance import relative_factor
from lme4py.rfiles.rvalues import RList, RSlots, RVector

# What fits call their parts.
_PARTS = ("beta", "fixef", "theta", "sigma", "b")


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Estimates:
    """What is known of a model's parameters."""

    beta: FloatArray  # the fixed effects, NaN where not known
    covariances: tuple[FloatArray, ...] | None = None  # of each term's effects, σ² multiplied in
    sigma: float | None = None  # None in families without one, or if not known
    b: FloatArray | None = None  # the conditional modes of the random effects

    def __repr__(self) -> str:
        return f"<Estimates: {int(np.isfinite(self.beta).sum())} fixed effects>"


def estimates(
    design: MixedDesign,
    *,
    coefficients: Sequence[float] | Mapping[str, float] | None = None,
    par: ArrayLike | None = None,
    sigma: float | None = None,
    fit: object = None,
) -> Estimates:
    """Return what is known of a model's parameters; arguments as `equations` takes them."""
    if fit is None:
        given = {} if coefficients is None else coefficients
        parts: dict[str, Any] = {"beta": coefficients_of(given, design.fixed.names)}
        if par is not None:
            parts["theta"] = design.random.theta_at(par)
            if has_dispersion(design.family) and sigma is None:
                raise DataError("par is relative to sigma: give sigma, too")
        return _of_parts(design, {**parts, "sigma": sigma})
    if not (coefficients is None and par is None and sigma is None):
        raise DataError("give coefficients, par and sigma, or a fit that has them all")
    terms = getattr(fit, "terms", None)
    if isinstance(terms, RList):
        return _of_parts(design, dict(_of_record(terms)))
    if hasattr(fit, "fe_params") and hasattr(fit, "cov_re"):
        found = Estimates(
            beta=_vector(fit.fe_params, len(design.fixed.names), "fixed effects"),
            covariances=covariances_of(design, fit),
            sigma=float(np.sqrt(getattr(fit, "scale", np.nan))),
        )
        return replace(found, b=modes(design, found))
    parts = {name: getattr(fit, name) for name in _PARTS if hasattr(fit, name)}
    if "fixef" in parts:
        parts.setdefault("beta", parts["fixef"])
    if not {"beta", "theta"} <= set(parts):
        raise DataError(
            f"fit is no fitted model: {type(fit).__name__} has no beta and theta",
            hint="give a fit of lme4py.lmer or glmer, what lme4py.read_fixture read of an R file "
            "with getME(fit, 'ALL'), or a result of statsmodels' MixedLM",
        )
    names: Any = getattr(fit, "names", None)
    if isinstance(names, tuple):
        # Of the same sizes another model's would do.
        own = [names, *((term.group, *term.names) for term in terms or ())]
        of_design = [tuple(design.fixed.names), *((g, *each) for g, each in design.random.cnms)]
        for has, wanted in zip(own, of_design, strict=False):
            if has != wanted and len(has) == len(wanted):
                raise DataError(
                    f"the fit is of {few(has)}, the design of {few(wanted)}",
                    hint="it must be a fit of the same model",
                )
    return _of_parts(design, parts)


def _of_record(terms: RList) -> Iterator[tuple[str, Any]]:
    """Yield what R's record of a fitted model tells."""
    if "beta" not in terms:
        raise DataError(
            "the R file has no estimates",
            hint='it needs getME(fit, "ALL"), or the fit itself: saveRDS(fit, "fit.rds")',
        )
    for name in ("beta", "theta", "b", "u"):
        value = terms.get(name)
        # A vector, a matrix of one column, or a dense matrix of R's package Matrix.
        value = value.slots.get("x") if isinstance(value, RSlots) else value
        if isinstance(value, RVector):
            yield name, value.values
    named = terms.by_name("devcomp", "cmp") | terms.by_name("devcomp", "dims")
    sigma = named.get("sigmaREML" if named.get("REML") else "sigmaML")
    yield "sigma", terms["sigma"].values[0] if "sigma" in terms else sigma


def _of_parts(design: MixedDesign, parts: Mapping[str, Any]) -> Estimates:
    """Return estimates of the arrays that a fit holds in lme4's order."""
    random, p, q = design.random, len(design.fixed.names), int(design.random.Gp[-1])
    sigma = None if parts.get("sigma") is None else _scale(parts["sigma"])
    sigma = sigma if has_dispersion(design.family) else None
    covariances, b = None, parts.get("b")
    if "theta" in parts:
        theta = _vector(parts["theta"], random.theta.size, "elements of theta")
        ends = np.cumsum([term.covariance.parameters for term in random.terms])
        each = zip(random.terms, np.split(theta, ends[:-1]), strict=True)
        factors = [relative_factor(term.covariance, own) for term, own in each]
        variance = 1.0 if sigma is None else sigma**2
        covariances = tuple(variance * (factor @ factor.T) for factor in factors)
        if b is None and "u" in parts:
            blocks = np.split(_vector(parts["u"], q, "random effects"), random.Gp[1:-1])
            pairs = zip(blocks, factors, strict=True)
            each_b = ((u.reshape(-1, len(T)) @ T.T).ravel() for u, T in pairs if len(T))
            b = np.concatenate([np.empty(0), *each_b])
    return Estimates(
        beta=_vector(parts["beta"], p, "fixed effects"),
        covariances=covariances,
        sigma=sigma,
        b=None if b is None else _vector(b, q, "random effects"),
    )


def _scale(sigma: object) -> float:
    try:
        value = float(np.asarray(sigma() if callable(sigma) else sigma, dtype=np.float64))
    except (TypeError, ValueError):
        value = -1.0
    if not (value >= 0 and value * value < np.inf):
        what = "a number that is not negative, with a finite square"
        raise DataError(f"sigma must be {what}, not {sigma!r:.60}")
    return value


def _vector(values: Any, size: int, what: str) -> FloatArray:
    """Return numbers that a fit holds, in whatever they are."""
    values = values() if callable(values) else values
    if isinstance(values, Mapping):
        values = list(values.values())
    found = np.asarray(values, dtype=np.float64).ravel()
    if found.size != size:
        raise DataError(
            f"the fit has {found.size} {what}, the design {size}",
            hint="it must be a fit of the same model",
        )
    return found


def modes(design: MixedDesign, found: Estimates) -> FloatArray | None:
    """Return the conditional modes of a linear model: (σ² I + G ZᵗZ) b = G Zᵗ (y - X β)."""
    from scipy.sparse import block_diag, eye_array
    from scipy.sparse.linalg import spsolve

    if design.y is None or found.covariances is None or found.sigma is None:
        return None
    pairs = zip(found.covariances, design.random.terms, strict=True)
    G: Any = block_diag([each for each, term in pairs for _ in range(term.levels)], format="csc")
    Zt, offset = design.Zt, 0.0 if design.offset is None else design.offset
    left = design.y - offset - design.X @ found.beta
    system = found.sigma**2 * eye_array(Zt.shape[0]) + G @ (Zt @ Zt.T)
    return np.asarray(spsolve(system.tocsc(), G @ (Zt @ left)))


def covariance_symbols(
    system: System, factor: str
) -> tuple[Operation, dict[Quantity, list[ColumnProduct]]]:
    """Return the covariance matrix of a factor's random effects: τ, or by deviations ρ·σ·σ.

    Beside it stand its symbols, each with the columns whose effects it tells of.
    """
    columns, meaning = system.columns_of(factor), dict[Quantity, list[ColumnProduct]]()
    terms = list(dict.fromkeys(found.term for found in columns))
    # An effect has its own number in tau; all its numbers where the first is not enough.
    numbers = {found.effect.numbers for found in columns}
    short = len({first for first, *_ in numbers}) == len(numbers)

    def of(kind: QuantityKind, one: ColumnProduct, two: ColumnProduct) -> Quantity:
        pair = tuple(dict.fromkeys((one.effect, two.effect)))
        first = (one.effect.numbers[0], two.effect.numbers[0]) if short else ()
        copy = one.effect.copy
        symbol = Quantity(kind, numbers=first, factors=(factor,), of=pair, copy=copy)
        meaning[symbol] = [one, two]
        return symbol

    def common(kind: QuantityKind, term: int) -> Quantity:
        symbol = Quantity(kind, factors=(factor,), copy=terms.index(term))
        own = [found for found in columns if found.term == term]
        meaning[symbol] = own[:2] if kind == "correlation" else own[:1]
        return symbol

    def entry(one: ColumnProduct, two: ColumnProduct) -> Tree:
        structure = system.design.random.terms[one.term].covariance
        if one.term != two.term or (structure.name == "diag" and one is not two):
            return 0.0
        if one is two:
            return common("variance", one.term) if structure.hom else of("variance", one, two)
        if structure.name == "us" and not system.notation.by_deviation:
            return of("variance", one, two)
        spread: list[Tree]
        if structure.hom:
            spread = [common("variance", one.term)]
        elif system.notation.by_deviation:
            spread = [of("deviation", each, each) for each in (one, two)]
        else:
            spread = [
                Operation("√", (times(*(of("variance", each, each) for each in (one, two))),))
            ]
        if structure.name == "us":
            # One correlation for both halves of the matrix.
            return times(of("correlation", *sorted((one, two), key=lambda c: c.place)), *spread)
        rho: Tree = common("correlation", one.term)
        steps = abs(one.place - two.place)
        if structure.name == "ar1" and steps > 1:
            rho = Operation("^", (rho, steps))
        return times(rho, *spread)

    return grid([[entry(one, two) for two in columns] for one in columns]), meaning


def known_values(system: System, known: Estimates) -> dict[Quantity, float]:
    """Return the numbers of the symbols whose estimates are known."""
    pairs = zip(system.fixed, known.beta.tolist(), strict=True)
    found = {each.effect: value for each, value in pairs if not np.isnan(value)}
    if known.sigma is not None:
        found[Quantity("residual variance")] = known.sigma**2
    for factor in system.factors if known.covariances is not None else ():
        _, meaning = covariance_symbols(system, factor)
        for symbol, own in meaning.items():
            one, two = own[0].place, own[-1].place
            matrix = (known.covariances or ())[own[0].term]
            value, spread = matrix[one, two], np.sqrt(matrix[one, one]) * np.sqrt(matrix[two, two])
            if symbol.kind == "deviation":
                value = np.sqrt(value)
            elif symbol.kind == "correlation":
                value = value / spread if spread else np.nan
            found[symbol] = float(value)
    return found
