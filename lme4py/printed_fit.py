"""A fit as lme4 prints it: ``print(fit)``, ``print(VarCorr(fit))`` and ``summary(fit)``."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from lme4py.design import MixedDesign
from lme4py.explain.markup.page import aligned_numbers
from lme4py.fitted_model import CHECKS_OF_X, FittedModel
from lme4py.formula.deparse import deparsed_lines
from lme4py.formula.parse import parse
from lme4py.matrices.reterms import TermCovariance
from lme4py.spec.spec import Spec
from lme4py.unique_names import make_names

# Characters of a line, and after how many R breaks one of a formula.
_WIDTH, _CUTOFF = 80, 60


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class VarCorr:
    """Standard deviations and correlations of a fit's random effects; prints as lme4's."""

    fit: FittedModel

    def __repr__(self) -> str:
        return _variances(self.fit, 5)


def _variances(fit: FittedModel, digits: int, *, with_variances: bool = False) -> str:
    """Return standard deviations and correlations as lme4 prints them (``formatVC``)."""
    # At terms without columns R's print stops.
    lme4, terms = fit.model.formula.lme4, [term for term in fit.terms if term.names]
    version_2, groups = bool(lme4.structures), [term.group for term in terms]
    if len(set(groups)) < len(groups):
        groups = make_names(groups)
    rows: list[tuple[str, str, float, list[str]]] = []
    structures = [own.covariance for own in fit.model.random.terms if own.columns]
    for term, group, own in zip(terms, groups, structures, strict=True):
        cells = _correlations(term, max(2, digits - 2), version_2=version_2)
        first = [group, *[""] * (len(term.names) - 1)]
        # lme4 2.x writes what structures have in common once.
        once = version_2 and own.hom and term.structure in ("cs", "ar1")
        found = zip(first, term.names, term.deviations.tolist(), cells, strict=True)
        rows += list(found)[: 1 if once else None]
    if fit.family is None or (fit.has_scale and not lme4.profiles_dispersion):
        rows.append(("Residual", "", fit.sigma, []))
    labels, names, deviations, correlations = zip(*rows, strict=True)
    columns = [[""] * (len(rows) + 1), ["Groups", *labels], ["Name", *names]]
    numbers = np.array(deviations)
    shown = {"Variance": numbers**2} if with_variances else {}
    for name, values in {**shown, "Std.Dev.": numbers}.items():
        texts = aligned_numbers(values, digits)
        columns.append([name, *(text.rjust(max(map(len, texts))) for text in texts)])
    if any(map(any, correlations)):
        columns += map(list, zip_longest(["Corr"], *correlations, fillvalue=""))
    return _table(columns)


def _correlations(term: TermCovariance, digits: int, *, version_2: bool) -> list[list[str]]:
    """Return the cells of a term's correlations, a list for each of its rows."""
    size = len(term.names)
    if version_2 and term.structure in ("diag", "cs", "ar1"):
        rho = term.correlation[min(1, size - 1), 0]
        first = [] if term.structure == "diag" else [f"{rho:.{digits}f} ({term.structure})"]
        return [first, *[[]] * (size - 1)]
    texts = [[f"{value:.{digits}f}" for value in row] for row in term.correlation]
    width = max(len(text) for row in texts for text in row)
    # The last column has nothing; lme4 2.x keeps it.
    shown = size if version_2 else size - 1
    return [
        [text.rjust(width) if column < at else "" for column, text in enumerate(row[:shown])]
        for at, row in enumerate(texts)
    ]


def _table(columns: Sequence[Sequence[str]], *, right: bool = False) -> str:
    """Return columns of text side by side, those after the first flush right or left."""
    padded = []
    for at, column in enumerate(columns):
        turned = str.rjust if right and at else str.ljust
        padded.append([turned(cell, max(map(len, column))) for cell in column])
    return "\n".join(map(" ".join, zip(*padded, strict=True)))


def _named(names: Sequence[str], values: Sequence[str], gap: int) -> list[str]:
    """Return named values as R prints a named vector."""
    width = max(map(len, [*names, *values]))
    each = max(1, _WIDTH // (width + gap))
    rows = [[cell.rjust(width) + " " * gap for cell in row] for row in (names, values)]
    return ["".join(row[at : at + each]) for at in range(0, len(names), each) for row in rows]


def _heading(fit: FittedModel) -> list[str]:
    family, method = fit.family, "REML" if fit.reml else "maximum likelihood "
    title, kind = f"Linear mixed model fit by {method}", "lmerMod"
    if family is not None:
        rule = "Laplace Approximation"
        if fit.nAGQ != 1:
            rule = f"Adaptive Gauss-Hermite Quadrature, nAGQ = {fit.nAGQ}"
        title = f"Generalized linear mixed model fit by maximum likelihood ({rule})"
        kind = "glmerMod"
    lines = [f"{title} ['{kind}']"]
    if len(lines[0]) + 1 > _WIDTH:
        lines = textwrap.wrap(title, _WIDTH - 3, subsequent_indent="  ", break_on_hyphens=False)
        lines[-1] += f" [{kind}]"
    if family is not None:
        lines.append(f" Family: {family.label}  ( {family.link} )")
    lines.append(_filled(["Formula:", *deparsed_lines(fit.model.formula.node, _CUTOFF)]))
    recipe = fit.model if isinstance(fit.model, Spec) else fit.model.learned
    for label in ("Weights", " Offset", " Subset"):
        given = getattr(recipe, label.strip().lower(), False)
        if given:
            shown = ["(values)"]
            if isinstance(given, str):
                shown = deparsed_lines(parse(given), _CUTOFF)
            lines.append(_filled([f"{label}:", *shown]))
    return lines


def _filled(parts: Sequence[str]) -> str:
    """Return parts one after another, on a new line where one is full (``cat(fill = TRUE)``)."""
    text, width = parts[0], len(parts[0]) + 1
    for part in parts[1:]:
        full = width + len(part) + 1 > _WIDTH
        text += f" \n{part}" if full else f" {part}"
        width = len(part) + 1 if full else width + len(part) + 1
    return text


def _page(fit: FittedModel, digits: int, *, with_variances: bool) -> list[str]:
    """Return what both texts begin with, in parts: heading, criteria, random effects."""
    if fit.reml:
        [value] = aligned_numbers([round(fit.criterion, digits)])
        criteria = [f"REML criterion at convergence: {value}"]
    else:
        values = [fit.aic, fit.bic, fit.log_likelihood, fit.minus_two_log_likelihood]
        texts = [*aligned_numbers(np.round(values, digits)), str(fit.n - fit.df)]
        label = fit.model.formula.lme4.deviance_label
        criteria = _named(["AIC", "BIC", "logLik", label, "df.resid"], texts, 1)
    groups = "; ".join(f"{name}, {len(g.levels)}" for name, g in fit.model.random.groups.items())
    variances = _variances(fit, 4, with_variances=with_variances)
    numbers = _filled([f"Number of obs: {fit.n}, groups: ", groups])
    parts = _heading(fit), criteria, ["Random effects:", variances, numbers]
    return ["\n".join(part) for part in parts]


def fit_text(fit: FittedModel) -> str:
    """Return what ``print(fit)`` shows, without the name of the data."""
    lines = _page(fit, 4, with_variances=False)
    lines.append("Fixed Effects:" if fit.names else "No fixed effect coefficients")
    if fit.names:
        lines += _named(fit.names, aligned_numbers(fit.beta, 4), 2)
    return "\n".join([*lines, *_warnings(fit, counted=True)])


def summary_text(fit: FittedModel) -> str:
    """Return what ``summary(fit)`` shows, without p-values."""
    heading, criteria, random = _page(fit, 1, with_variances=True)
    lines = [heading, "", criteria, ""]
    if isinstance(fit.model, MixedDesign):
        scaled = np.nanquantile(fit.residuals("pearson") / fit.sigma, [0.0, 0.25, 0.5, 0.75, 1.0])
        # R's zapsmall(): rounded relative to the largest.
        largest = float(np.abs(scaled).max(initial=0.0))
        places = round(5 - np.log10(largest)) if largest > 0 else 5
        quartiles = aligned_numbers(np.round(scaled, max(0, places)), 4)
        lines += ["Scaled residuals: ", *_named(["Min", "1Q", "Median", "3Q", "Max"], quartiles, 1)]
        lines.append("")
    lines.append(random)
    if fit.names:
        lines += ["", "Fixed effects:", _coefficients(fit)]
    return "\n".join([*lines, *_warnings(fit, counted=False)])


def _warnings(fit: FittedModel, *, counted: bool) -> list[str]:
    """Return what lme4's checks said of X, how the search ended, and what was said of that."""
    of_X = [text for text in fit.messages if text.startswith(CHECKS_OF_X)]
    code, said = "0 (OK)", fit.messages[len(of_X) :]
    if not fit.optimum.converged:
        # That is what is said first.
        code, said = f"5 ({fit.optimum.message})", said[1:]
    ended = f"optimizer ({fit.optimum.optimizer}) convergence code: {code}"
    lines = ["fit warnings:", *of_X] if of_X else []
    if said or not fit.optimum.converged:
        count = f" ; 0 optimizer warnings; {len(said)} lme4 warnings "
        lines += [ended + count] if counted else [ended, *said, ""]
    return lines


def _coefficients(fit: FittedModel) -> str:
    """Return the table of coefficients (``printCoefmat``)."""
    estimates, errors = fit.beta, fit.std_errors.to_numpy()
    both = np.concatenate([estimates, errors])
    sizes = np.abs(both[np.isfinite(both) & (both != 0)])
    least = int(np.floor(np.log10(sizes.min()))) + 1 if sizes.size else 0
    shown = aligned_numbers(np.round(both, max(1, 4 - least)), 4)
    ratios = aligned_numbers(np.round(estimates / errors, 3), 4)
    columns = {"": fit.names, "Estimate": shown[: len(ratios)], "Std. Error": shown[len(ratios) :]}
    columns[f"{'t' if fit.has_scale else 'z'} value"] = ratios
    return _table([[name, *cells] for name, cells in columns.items()], right=True)
