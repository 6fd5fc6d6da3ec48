"""From text to matrices: every stage in order, each a value of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from lme4py.argument_types import choice_of, flag_of, mapping_of
from lme4py.control import Control, control_of
from lme4py.errors import CheckError, DataError, FormulaError, nearest
from lme4py.family import Family
from lme4py.formula.bars import DoubleBar
from lme4py.formula.formula import Formula
from lme4py.formula.terms import terms
from lme4py.formula.traps import formula_traps
from lme4py.frame.collation import Collation
from lme4py.frame.columns import Columns
from lme4py.frame.evaluate import Scope, evaluate
from lme4py.frame.functions.table import Context
from lme4py.frame.modelframe import Expression, ModelFrame, NAAction, model_frame
from lme4py.frame.rows import missing, rows_text
from lme4py.frame.schema import Origin, type_of
from lme4py.frame.values import FloatArray
from lme4py.matrices.checks import Checks, autoscaled, check_rank, check_scale
from lme4py.matrices.contrasts import ContrastArgument
from lme4py.matrices.grouping import Factors, random_term
from lme4py.matrices.mixed import FixedEffects, MixedMatrices
from lme4py.matrices.modelmatrix import plan
from lme4py.matrices.plan import ModelMatrix
from lme4py.matrices.response import response
from lme4py.matrices.reterms import RandomEffects, random_effects
from lme4py.matrices.sparsematrix import sparse_matrix
from lme4py.matrices.traps import Traps
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
    "NULL": "pass",
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
    control = control_of(arguments.control, generalized=family is not None, note=messages.remark)
    written = parsed = _two_sided(formula, control)
    columns = Columns(data)
    collation = Collation(arguments.collation)
    env = _kept(mapping_of("env", arguments.env, '{"k": 3}'))
    scope = Scope(columns, env, Context(columns.rows, collation, messages.warn))
    double_bar = _double_bar(arguments.double_bar)
    for text in _misread_arguments(arguments, columns):
        messages.advise(text)
    for text in parsed.structure_remarks(double_bar):
        messages.advise(text)
    if double_bar == "diag" or family is None:
        parsed = parsed.expanded(double_bar)
    variables = parsed.subbars().node
    # Told before the data are looked at, whose errors they may explain.
    for trap in formula_traps(written.right):
        messages.advise(trap.text, trap.span)
    frame = model_frame(
        variables,
        scope,
        subset=arguments.subset,
        extras=arguments.extras,
        na_action=_na_action(arguments.na_action),
    )
    if frame.rows == 0 and family is None:
        raise DataError("0 (non-NA) cases", hint=_emptied(parsed, frame, scope, arguments))
    factors = Factors(frame, collation)
    random = _random_part(parsed, factors, scope, arguments)
    traps = Traps(
        written, frame, factors, scope, random, family is None, arguments.contrasts, messages
    )
    # Before the checks, whose errors it may explain.
    traps.merged_numbers()
    checks = Checks(control, messages, frame.rows, family is not None)
    found = checks.levels(random) + checks.random_effects(random.terms)
    if family is None:
        _refuse_missing_effects(random, frame)
    found += checks.rank_of_z(random)
    matrix, fixed, texts = _fixed_part(parsed, frame, arguments, scope, control)
    for text in texts:
        messages.note(text)
    traps.report()
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
        list(dict.fromkeys([*found, *messages.texts])),
        frame,
        columns.index,
        messages.ours,
        control,
        origin=_origin(scope, columns, arguments),
    )


def _kept(env: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the user's variables as they are now; new rows may need them."""
    return {
        name: copy(item) if hasattr(item, "__array__") or isinstance(item, list) else item
        for name, item in env.items()
    }


def _origin(scope: Scope, columns: Columns, arguments: Arguments) -> Origin:
    """Return what new rows need to know of the data and the arguments."""
    return Origin(
        tuple(columns.names),
        {name: type_of(value) for name, value in columns.read.items()},
        scope.frozen,
        scope.env,
        arguments.collation,
        _na_action(arguments.na_action),
        arguments.extras.get("(offset)"),
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


def _misread_arguments(arguments: Arguments, columns: Columns) -> Iterator[str]:
    """Yield what is to be said of arrays that Python's habits read in another way than R."""
    for name, value in {**arguments.extras, "subset": arguments.subset}.items():
        if value is None:
            continue
        # A series' labels; a list has an `index`, too.
        labels = None if isinstance(value, Sequence) else getattr(value, "index", None)
        if labels is None or columns.index is None or len(labels) != columns.rows:
            continue
        if not columns.index.equals(labels):
            yield (
                f"{name.strip('()')} has other row labels than the data; its values are taken in "
                "their order, not by label: align it, or make it a column of the data"
            )
    if _counts_from_0(arguments.subset):
        yield (
            "subset has a row 0: row numbers count from 1 here, as in R, and 0 selects none; "
            "give True and False, or numbers from 1"
        )


def _counts_from_0(subset: Any) -> bool:
    if subset is None or isinstance(subset, str):
        return False
    try:
        numbers = np.asarray(subset)
    except (TypeError, ValueError, RuntimeError):
        return False  # told where the rows are selected
    return numbers.ndim == 1 and numbers.dtype.kind in "iu" and bool((numbers == 0).any())


def _double_bar(method: str) -> DoubleBar:
    return "diag" if choice_of("double_bar", method, ("split", "diag")) == "diag" else "split"


def _na_action(name: Any) -> NAAction:
    if not isinstance(name, str) or name not in _NA_ACTIONS:
        raise DataError(
            f"unknown na_action {name!r}",
            hint=nearest(str(name), _NA_ACTIONS) or "omit, exclude, fail, pass",
        )
    return _NA_ACTIONS[name]


def _emptied(formula: Formula, frame: ModelFrame, scope: Scope, arguments: Arguments) -> str:
    """Return why no row is left."""
    if not frame.omitted:
        return "subset selects no row" if scope.context.rows else "the data have no rows"
    expanded = terms(formula.subbars().node, scope.columns.names)
    counts = []
    for name, node in zip(expanded.frame_names, expanded.variables, strict=True):
        mask = missing(evaluate(node, scope))
        if mask is not None:
            rows = "every row" if mask.all() else f"{int(mask.sum()):,} rows"
            counts.append(f"{name} in {rows}")
    if counts:
        return f"missing values: {', '.join(counts)}"
    places = [name.strip("()") for name, value in arguments.extras.items() if value is not None]
    if arguments.subset is not None:
        places.append("the rows that subset selects")
    return f"missing values in {' or '.join(places)}"


def _refuse_missing_effects(random: RandomEffects, frame: ModelFrame) -> None:
    """Stop as ``lFormula`` does where Z has missing values, and say in which columns and rows."""
    entries = random.entries
    if entries.finite or not np.isnan(entries.data).any():
        return
    found = []
    for term in random.terms:
        for number, column in enumerate(term.plan.names):
            mask = np.isnan(term.plan.column(number))
            if mask.any():
                rows = rows_text(mask, frame.positions)
                found.append(f"'{column}' in ({term.bar.label}): {rows}")
    raise CheckError(
        "NA in Z (random-effects model matrix): please use "
        "\"na.action='na.omit'\" or \"na.action='na.exclude'\"",
        hint="\n".join(dict.fromkeys(found)),
    )


def _random_part(
    formula: Formula, factors: Factors, scope: Scope, arguments: Arguments
) -> RandomEffects:
    frame = factors.frame
    bars = formula.bars
    if not bars:
        raise FormulaError(
            "No random effects terms specified in formula",
            formula.right.span,
            "add a term such as (1 | group)",
        )
    try:
        terms_of_bars = [random_term(bar, factors, scope) for bar in bars]
    except FormulaError as error:
        if not frame.rows:
            error.hint = _emptied(formula, frame, scope, arguments)
        raise
    return random_effects(terms_of_bars, frame.rows)


def _fixed_part(
    formula: Formula,
    frame: ModelFrame,
    arguments: Arguments,
    scope: Scope,
    control: Control,
) -> tuple[FloatArray, FixedEffects, list[str]]:
    """Return X, its attributes and lme4's messages about it."""
    warn = scope.context.warn
    expanded = terms(formula.nobars().node, frame.names)
    contrasts = _contrasts_argument(arguments.contrasts, warn)
    layout = plan(expanded, frame, frame.rows, scope.context.collation, contrasts)
    for text in layout.warnings:
        warn(text)
    matrix = sparse_matrix(layout) if flag_of("sparse_X", arguments.sparse_X) else layout.matrix()
    notes: list[str] = []
    centers: dict[str, float] = {}
    divisors: dict[str, float] = {}
    if control.autoscale:
        matrix, centers, divisors = autoscaled(matrix)
    try:
        matrix, dropped, message = check_rank(matrix, control.check_rankX, warn)
        if message is not None:
            notes.append(message)
        matrix, message, scales = check_scale(matrix, control.check_scaleX, warn)
    except CheckError as error:
        error.hint = error.hint or _not_finite(matrix, frame)
        raise
    if message is not None and control.check_scaleX != "warning":
        notes.append(message)
    fixed = FixedEffects(
        list(matrix.names),
        np.array(matrix.assign, dtype=np.int64),
        dict(matrix.contrasts),
        dropped,
        list(expanded.labels),
        {**divisors, **scales},
        layout,
        centers,
    )
    # With sparse_X it is a csc_array, which has the same columns.
    return cast("FloatArray", matrix.values), fixed, notes


def _not_finite(matrix: ModelMatrix, frame: ModelFrame) -> str | None:
    """Return which columns of X have missing or infinite values, and where."""
    found = []
    for number, name in enumerate(matrix.names):
        values = matrix.column(number)
        mask = ~np.isfinite(values)
        if mask.any():
            found.append(f"'{name}' in X: {rows_text(mask, frame.positions, values)}")
    return "\n".join(found) or None


def _contrasts_argument(
    contrasts: Any, warn: Callable[[str], None]
) -> Mapping[str, ContrastArgument] | None:
    if contrasts is None or isinstance(contrasts, Mapping):
        return contrasts
    if isinstance(contrasts, list | tuple):
        raise DataError("'contrasts.arg' argument must be named", hint="give {variable: contrast}")
    warn("non-list contrasts argument ignored")
    return None
