"""From text to matrices: every stage in order, each a value of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lme4py.control import Control, control_of
from lme4py.errors import CheckError, DataError, FormulaError, nearest
from lme4py.family import Family
from lme4py.formula.bars import DoubleBar
from lme4py.formula.formula import Formula
from lme4py.formula.terms import terms
from lme4py.frame.collation import Collation
from lme4py.frame.columns import Columns
from lme4py.frame.evaluate import Scope
from lme4py.frame.functions.table import Context
from lme4py.frame.modelframe import Expression, ModelFrame, NAAction, model_frame
from lme4py.frame.values import FloatArray
from lme4py.matrices.checks import Checks, check_scale
from lme4py.matrices.contrasts import ContrastArgument
from lme4py.matrices.grouping import Factors, random_term
from lme4py.matrices.mixed import FixedEffects, MixedMatrices
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.rank import drop_dependent_columns, rank_of
from lme4py.matrices.response import response
from lme4py.matrices.reterms import RandomEffects, random_effects
from lme4py.messages import Messages

__all__ = ["Arguments", "assemble"]

_NA_ACTIONS: Mapping[str, NAAction] = {
    "omit": "omit",
    "exclude": "exclude",
    "fail": "fail",
    "pass": "pass",
    "na.omit": "omit",
    "na.exclude": "exclude",
    "na.fail": "fail",
    "na.pass": "pass",
}


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments that linear and generalized models share."""

    subset: Expression
    extras: Mapping[str, Expression]
    na_action: str
    contrasts: Any
    control: Control | Mapping[str, Any] | None
    collation: str
    double_bar: str
    sparse_X: bool
    env: Mapping[str, Any] | None
    family: Family | None = None
    reml: bool | None = None


def assemble(
    formula: str | Formula, data: Any, arguments: Arguments, messages: Messages
) -> MixedMatrices:
    """Lead a formula and data through every stage to the matrices.

    Raises
    ------
    Lme4pyError
        With R's or lme4's words.
    """
    family = arguments.family
    control = control_of(arguments.control)
    parsed = _two_sided(formula, control)
    columns = Columns(data)
    collation = Collation(arguments.collation)
    scope = Scope(columns, arguments.env or {}, Context(columns.rows, collation, messages.warn))
    double_bar = _double_bar(arguments.double_bar)
    for text in parsed.structure_remarks(double_bar):
        messages.warn(text)
    if double_bar == "diag" or family is None:
        parsed = parsed.expanded(double_bar)
    frame = model_frame(
        parsed.subbars().node,
        scope,
        subset=arguments.subset,
        extras=arguments.extras,
        na_action=_na_action(arguments.na_action),
    )
    if frame.rows == 0 and family is None:
        raise DataError("0 (non-NA) cases", hint=_emptied(frame))
    random = _random_part(parsed, frame, scope)
    checks = Checks(control, messages, frame.rows, family is not None)
    found = checks.levels(random) + checks.random_effects(random.terms)
    # The least of some numbers is NaN when one of them is.
    if family is None and random.Zt.nnz and np.isnan(random.Zt.data.min()):
        raise CheckError(
            "NA in Z (random-effects model matrix): please use "
            "\"na.action='na.omit'\" or \"na.action='na.exclude'\""
        )
    found += checks.rank_of_z(random)
    matrix, fixed, texts = _fixed_part(parsed, frame, arguments.contrasts, scope, control)
    for text in texts:
        messages.note(text)
    return MixedMatrices(
        parsed,
        matrix,
        fixed,
        response(frame, family),
        frame.weights(),
        frame.offset(),
        random,
        arguments.reml,
        family,
        [*found, *messages.warnings, *messages.notes],
        frame,
        columns.index,
    )


def _two_sided(formula: str | Formula, control: Control) -> Formula:
    parsed = formula if isinstance(formula, Formula) else Formula.parse(formula)
    if parsed.response is None and control.check_formula_LHS == "stop":
        raise CheckError(
            "!checkLHS || length(as.formula(formula, env = denv)) == 3 is not TRUE",
            parsed.node.span,
            "the formula has no response on the left of ~",
        )
    return parsed


def _double_bar(method: str) -> DoubleBar:
    match method:
        case "split":
            return "split"
        case "diag":
            return "diag"
        case _:
            raise DataError(f"unknown double_bar {method!r}", hint="split or diag")


def _na_action(name: str) -> NAAction:
    if name not in _NA_ACTIONS:
        raise DataError(
            f"unknown na_action {name!r}",
            hint=nearest(str(name), _NA_ACTIONS) or "omit, exclude, fail, pass",
        )
    return _NA_ACTIONS[name]


def _emptied(frame: ModelFrame) -> str:
    return f"{frame.omitted} rows had missing values; subset selected the rest away"


def _random_part(formula: Formula, frame: ModelFrame, scope: Scope) -> RandomEffects:
    bars = formula.bars
    if not bars:
        raise FormulaError(
            "No random effects terms specified in formula",
            formula.right.span,
            "add a term such as (1 | group)",
        )
    factors = Factors(frame, scope.context.collation)
    return random_effects([random_term(bar, factors, scope) for bar in bars], frame.rows)


def _fixed_part(
    formula: Formula,
    frame: ModelFrame,
    contrasts: Any,
    scope: Scope,
    control: Control,
) -> tuple[FloatArray, FixedEffects, list[str]]:
    """Return X, its attributes and lme4's messages about it."""
    warn = scope.context.warn
    expanded = terms(formula.nobars().node, frame.names)
    layout = plan(
        expanded, frame, frame.rows, scope.context.collation, _contrasts_argument(contrasts, warn)
    )
    for text in layout.warnings:
        warn(text)
    full = layout.matrix()
    notes: list[str] = []
    matrix, dropped = full, {}
    if control.check_rankX == "stop.deficient":
        rank, _ = rank_of(full.values)
        if rank < len(full.names):
            raise CheckError(
                f"the fixed-effects model matrix is column rank deficient (rank(X) = {rank} < "
                f"{len(full.names)} = p);\nthe fixed effects will be jointly unidentifiable"
            )
    elif control.check_rankX != "ignore":
        reduced = drop_dependent_columns(full)
        matrix, dropped = reduced.matrix, reduced.dropped
        if reduced.message and control.check_rankX == "warn+drop.cols":
            warn(reduced.message)
        elif reduced.message and control.check_rankX == "message+drop.cols":
            notes.append(reduced.message)
    matrix, message, scales = check_scale(matrix, control.check_scaleX, warn)
    if message is not None and control.check_scaleX != "warning":
        notes.append(message)
    fixed = FixedEffects(
        list(matrix.names),
        np.array(matrix.assign, dtype=np.int64),
        dict(matrix.contrasts),
        dropped,
        list(expanded.labels),
        dict(scales),
        layout,
    )
    return matrix.values, fixed, notes


def _contrasts_argument(
    contrasts: Any, warn: Callable[[str], None]
) -> Mapping[str, ContrastArgument] | None:
    if contrasts is None or isinstance(contrasts, Mapping):
        return contrasts
    if isinstance(contrasts, list | tuple):
        raise DataError("'contrasts.arg' argument must be named", hint="give {variable: contrast}")
    warn("non-list contrasts argument ignored")
    return None
