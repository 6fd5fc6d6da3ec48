"""A fit as lme4 prints it: ``print(fit)``, ``print(VarCorr(fit))`` and ``summary(fit)``."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lme4py.data.values import FloatArray
from lme4py.explain.markup.page import aligned_numbers
from lme4py.versions import lme4_of

if TYPE_CHECKING:
    from lme4py.fit.fitted import EstimatedTerm, FittedModel, VarCorr

__all__ = ["fit_text", "summary_text", "variances_text"]

_WIDTH = 80
_CUTOFF = 60
# Where R may break a line: after an operator that has spaces around it, and between arguments.
_OPERATOR = re.compile(r" (?:[-+*|~&<>=!]+|%\w*%) |, ")


def variances_text(variances: VarCorr, digits: int = 5, *, with_variances: bool = False) -> str:
    """Return standard deviations and correlations as lme4 prints them (``formatVC``)."""
    names, deviations, correlations = [], [], []
    for term in variances.terms:
        # lme4 2.x writes what structures have in common once.
        rows = 1 if variances.version_2 and term.common else len(term.names)
        names += [(term.group if at == 0 else "", term.names[at]) for at in range(rows)]
        deviations.append(term.deviations[:rows])
        found = _correlations(term, max(2, digits - 2), version_2=variances.version_2)
        correlations += (found + [[]] * rows)[:rows]
    if variances.residual is not None:
        names.append(("Residual", ""))
        deviations.append(np.array([variances.residual]))
        correlations.append([])
    every = np.concatenate([np.zeros(0), *deviations])
    columns = [["Groups", *(group for group, _ in names)], ["Name", *(name for _, name in names)]]
    if with_variances:
        columns.append(["Variance", *_aligned(aligned_numbers(every**2, digits))])
    columns.append(["Std.Dev.", *_aligned(aligned_numbers(every, digits))])
    if any(cell for row in correlations for cell in row):
        for at in range(max(map(len, correlations))):
            cells = [row[at] if at < len(row) else "" for row in correlations]
            columns.append(["Corr" if at == 0 else "", *cells])
    return _matrix(columns)


def _aligned(texts: Sequence[str]) -> list[str]:
    width = max(map(len, texts), default=0)
    return [text.rjust(width) for text in texts]


def _correlations(term: EstimatedTerm, digits: int, *, version_2: bool) -> list[list[str]]:
    """Return the cells of a term's correlations, a list for each of its rows."""
    size = len(term.names)
    if version_2 and term.structure == "diag":
        return []
    if version_2 and term.structure in ("cs", "ar1"):
        rho = term.correlation[min(1, size - 1), 0]
        return [[f"{rho:.{digits}f} ({term.structure})"]]
    width = max(len(f"{value:.{digits}f}") for value in term.correlation.ravel())
    # The last column has nothing; lme4 2.x keeps it.
    shown = size if version_2 else size - 1
    return [
        [
            f"{value:.{digits}f}".rjust(width) if column < row else ""
            for column, value in enumerate(values[:shown])
        ]
        for row, values in enumerate(term.correlation)
    ]


def _matrix(columns: Sequence[Sequence[str]], *, first: str = "") -> str:
    """Return columns of text as R prints a matrix of character without quotes."""
    padded = []
    for column in columns:
        width = max(map(len, column))
        padded.append([cell.ljust(width) for cell in column])
    return "\n".join(" ".join((first, *cells)) for cells in zip(*padded, strict=True))


def _named(names: Sequence[str], values: Sequence[str], gap: int) -> list[str]:
    """Return named values as R prints a named vector."""
    width = max(map(len, [*names, *values]))
    each = max(1, _WIDTH // (width + gap))
    lines = []
    for begin in range(0, len(names), each):
        lines += [
            "".join(cell.rjust(width) + " " * gap for cell in cells[begin : begin + each])
            for cells in (names, values)
        ]
    return lines


def _heading(fit: FittedModel) -> list[str]:
    kind = "lmerMod" if fit.family is None else "glmerMod"
    title = f"{'Linear' if fit.family is None else 'Generalized linear'} mixed model fit by "
    if fit.reml:
        title += "REML"
    elif fit.family is None:
        title += "maximum likelihood "
    else:
        rule = f"Adaptive Gauss-Hermite Quadrature, nAGQ = {fit.nAGQ}"
        title += f"maximum likelihood ({'Laplace Approximation' if fit.nAGQ == 1 else rule})"
    if len(title) + 5 + len(kind) > _WIDTH:
        lines = textwrap.wrap(title, _WIDTH - 3, subsequent_indent="  ", break_on_hyphens=False)
        lines[-1] += f" [{kind}]"
    else:
        lines = [f"{title} ['{kind}']"]
    if fit.family is not None:
        theta = fit.family.theta
        name = fit.family.name if theta is None else f"Negative Binomial({theta:g})"
        lines.append(f" Family: {name}  ( {fit.family.link} )")
    lines.append(_filled(["Formula:", *_deparsed_lines(fit.formula)]))
    for label, name in (("Weights", "weights"), (" Offset", "offset"), (" Subset", "subset")):
        if name in fit.call:
            lines.append(f"{label}: {fit.call[name]}")
    return lines


def _deparsed_lines(text: str) -> list[str]:
    """Return a formula in the lines that R's ``deparse`` breaks it into: after 60 characters."""
    lines: list[str] = []
    begin = 0
    for operator in _OPERATOR.finditer(text):
        indent = 4 if lines else 0
        if operator.end() - begin + indent > _CUTOFF:
            lines.append(" " * indent + text[begin : operator.end()])
            begin = operator.end()
    return [*lines, " " * (4 if lines else 0) + text[begin:]]


def _filled(parts: Sequence[str]) -> str:
    """Return parts one after another, on a new line where one is full (``cat(fill = TRUE)``)."""
    text, width = parts[0], len(parts[0]) + 1
    for part in parts[1:]:
        full = width + len(part) + 1 > _WIDTH
        text += f" \n{part}" if full else f" {part}"
        width = len(part) + 1 if full else width + len(part) + 1
    return text


def _criteria(fit: FittedModel, digits: int) -> list[str]:
    if fit.reml:
        return [f"REML criterion at convergence: {_number(round(fit.reml_criterion, digits))}"]
    values = np.round([fit.aic, fit.bic, fit.log_likelihood, fit.minus_two_log_likelihood], digits)
    names = ["AIC", "BIC", "logLik", lme4_of(fit.version).deviance_label, "df.resid"]
    return _named(names, [*aligned_numbers(values), str(fit.n - fit.df)], 1)


def _number(value: float) -> str:
    return aligned_numbers([value])[0]


def _groups(fit: FittedModel) -> str:
    first = f"Number of obs: {fit.n}, groups: "
    second = "; ".join(f"{name}, {levels}" for name, levels in fit.levels.items())
    return _filled([first, second])


def _warned(fit: FittedModel, *, short: bool) -> list[str]:
    said = list(fit.convergence_messages)
    if not said:
        return []
    code = f"optimizer ({fit.optimum.optimizer}) convergence code: 0 (OK)"
    if short:
        return [f"{code} ; 0 optimizer warnings; {len(said)} lme4 warnings "]
    return [code, *said, ""]


def fit_text(fit: FittedModel) -> str:
    """Return what ``print(fit)`` shows, without the name of the data."""
    lines = [*_heading(fit), *_criteria(fit, 4), "Random effects:"]
    lines += [variances_text(fit.var_corr, 4), _groups(fit)]
    if fit.names:
        lines.append("Fixed Effects:")
        lines += _named(fit.names, aligned_numbers(fit.coefficients, 4), 2)
    else:
        lines.append("No fixed effect coefficients")
    if fit.matrix_messages:
        lines += ["fit warnings:", *fit.matrix_messages]
    return "\n".join([*lines, *_warned(fit, short=True)])


def summary_text(fit: FittedModel) -> str:
    """Return what ``summary(fit)`` shows, without p-values."""
    lines = [*_heading(fit), "", *_criteria(fit, 1), ""]
    if fit.design is not None:
        scaled = np.nanquantile(fit.residuals("pearson") / fit.sigma, [0.0, 0.25, 0.5, 0.75, 1.0])
        quartiles = aligned_numbers(_without_noise(scaled, 5), 4)
        lines += ["Scaled residuals: ", *_named(["Min", "1Q", "Median", "3Q", "Max"], quartiles, 1)]
        lines.append("")
    lines += ["Random effects:", variances_text(fit.var_corr, 4, with_variances=True), _groups(fit)]
    if fit.names:
        lines += ["", "Fixed effects:", *_coefficients(fit)]
    return "\n".join([*lines, *_warned(fit, short=False)])


def _without_noise(values: FloatArray, digits: int) -> FloatArray:
    """Return numbers rounded relative to the largest (``zapsmall``)."""
    largest = float(np.abs(values).max(initial=0.0))
    places = digits - int(np.ceil(np.log10(largest))) if largest > 0 else digits
    return np.round(values, max(0, places))


def _coefficients(fit: FittedModel) -> list[str]:
    """Return the table of coefficients (``printCoefmat``)."""
    estimates, errors = fit.coefficients, fit.std_errors.to_numpy()
    both = np.concatenate([estimates, errors])
    sizes = np.abs(both[np.isfinite(both) & (both != 0)])
    least = int(np.floor(np.log10(sizes.min()))) + 1 if sizes.size else 0
    shown = aligned_numbers(np.round(both, max(1, 4 - least)), 4)
    columns = [
        ["", *fit.names],
        ["Estimate", *shown[: estimates.size]],
        ["Std. Error", *shown[estimates.size :]],
        [
            f"{'t' if fit.has_scale else 'z'} value",
            *aligned_numbers(np.round(estimates / errors, 3), 4),
        ],
    ]
    name, *numbers = columns
    width = max(map(len, name))
    widths = [max(map(len, column)) for column in numbers]
    return [
        " ".join([label.ljust(width), *(c.rjust(w) for c, w in zip(cells, widths, strict=True))])
        for label, *cells in zip(*columns, strict=True)
    ]
