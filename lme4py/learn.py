"""From text to matrices: every stage in order, each a value of its own.

What later rows need of the model is learned on the way: the `Spec`, by which
`lme4py.spec.apply` leads new rows through the same stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from lme4py.argument_types import choice_of, flag_of, mapping_of
from lme4py.control import Control, control_of
from lme4py.data.coding import (
    DEFAULT_CONTRASTS,
    ContrastArgument,
    DefaultContrasts,
    default_contrasts_of,
    with_contrasts,
)
from lme4py.data.collation import Collation
from lme4py.data.columns import Columns
from lme4py.data.factors import factor_of
from lme4py.data.schema import without_rows
from lme4py.data.values import Character, Value, missing
from lme4py.design import MixedDesign
from lme4py.errors import CheckError, DataError, FormulaError
from lme4py.family import Family
from lme4py.formula.deparse import variable_name
from lme4py.formula.formula import Formula
from lme4py.formula.formula_traps import Trap, structure_remarks
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Node, symbols
from lme4py.formula.terms import Terms, terms
from lme4py.frame.evaluate import ColumnSource, Scope
from lme4py.frame.modelframe import (
    Expression,
    ModelFrame,
    NAAction,
    Variables,
    na_action_of,
    variables_of,
)
from lme4py.functions.table import Context
from lme4py.matrices.checks import Checks
from lme4py.matrices.data_traps import Traps
from lme4py.matrices.fixed import FixedEffects, fixed_part
from lme4py.matrices.grouping import Grouping, random_term
from lme4py.matrices.response import response
from lme4py.matrices.reterms import RandomEffects, random_effects
from lme4py.messages import Messages, rows_text
from lme4py.spec.spec import Spec
from lme4py.versions import Lme4, lme4_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The arguments of `lformula`, `glformula` and `model_matrix`, with their defaults.

    Their signatures are made of these fields, in this order; `lformula` tells what each is.
    """

    reml: bool = True
    family: str | Family = "binomial"
    subset: Expression = None
    weights: Expression = None
    offset: Expression = None
    mustart: Expression = None
    etastart: Expression = None
    na_action: str = "omit"
    contrasts: Mapping[str, ContrastArgument] | None = None
    control: Control | Mapping[str, Any] | None = None
    collation: str = "icu"
    double_bar: Literal["split", "diag"] = "split"
    sparse_X: bool = False
    env: Mapping[str, Any] | None = None
    attached_contrasts: Mapping[str, ContrastArgument] | None = None
    default_contrasts: tuple[str, str] = DEFAULT_CONTRASTS
    lme4: str = "2.1"

    @property
    def extras(self) -> dict[str, Expression]:
        """Those that are columns of the model frame, by their labels there."""
        return {f"({name})": getattr(self, name) for name in _EXTRAS}


_EXTRAS = ("weights", "offset", "mustart", "etastart")


@dataclass(frozen=True, kw_only=True)
class ModelText:
    """A formula and its arguments as they are read, before any data are.

    Of the formula as it was `written`, `formula` has ``||`` expanded where lme4 expands it, and
    `variables` is that with bars written as sums. The other fields say what the arguments mean.
    """

    arguments: Arguments
    lme4: Lme4
    family: Family | None
    mixed: bool
    written: Formula
    formula: Formula
    variables: Node
    control: Control
    attached: Mapping[str, ContrastArgument]
    collation: Collation
    default_contrasts: DefaultContrasts
    na_action: NAAction
    env: Mapping[str, Any]

    @cached_property
    def expressions(self) -> dict[str, str | bool]:
        """The arguments as the spec keeps them: an expression, or whether there was a value."""
        given = {"(subset)": self.arguments.subset, **self.arguments.extras}
        return {
            name: item if isinstance(item, str) else item is not None
            for name, item in given.items()
        }

    def nodes(self, expanded: Terms) -> dict[str, Node]:
        """Return the expressions of the variables and arguments, by their labels."""
        given = {n: parse(text) for n, text in self.expressions.items() if isinstance(text, str)}
        return {**expanded.by_name, **given}

    def scope(self, columns: ColumnSource, rows: int, messages: Messages) -> Scope:
        """Return what names mean in some rows."""
        defaults = self.default_contrasts
        context = Context(rows, self.collation, messages.warn, defaults, self.lme4)
        return Scope(columns, self.env, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedModel:
    """What a model frame gives: the random and the fixed part, and the spec.

    `checked` are the texts of lme4's checks.
    """

    random: RandomEffects
    X: Any
    fixed: FixedEffects
    spec: Spec
    checked: list[str]


def learn(
    formula: str | Formula,
    data: Any,
    arguments: Arguments,
    messages: Messages,
    *,
    family: Family | None = None,
    mixed: bool = True,
) -> MixedDesign:
    """Lead a formula and data through every stage to the matrices.

    Without a `family` the model is linear; one that is not `mixed` has no random terms, and
    none of the rules of lme4's beside R's.
    """
    text = read_model(formula, arguments, messages, family=family, mixed=mixed)
    columns = with_contrasts(Columns(data), text.attached)
    scope = text.scope(columns, columns.rows, messages)
    for remark in _misread_arguments(arguments, columns):
        messages.advise(remark)
    expanded = terms(text.variables, columns.names)
    for warning in expanded.warnings:
        messages.warn(warning)
    variables = variables_of(expanded, scope, {"(subset)": arguments.subset, **arguments.extras})
    frame = variables.frame(text.na_action)
    frame = frame.settled(text.variables, scope.context, drop_unused=mixed)
    model = learn_model(
        text,
        variables,
        frame,
        scope,
        messages,
        columns={name: without_rows(value) for name, value in columns.read.items()},
        rows=frame.rows,
        emptied="" if frame.rows else _emptied(text, variables, frame),
    )
    groups = (symbol.name for bar in text.formula.bars for symbol in symbols(bar.group))
    return MixedDesign(
        formula=text.formula,
        # With sparse_X it is a csc_array, which has the same columns.
        X=model.X,
        fixed=model.fixed,
        y=response(frame, generalized=family is not None),
        weights=frame.weights(),
        offset=frame.offset(),
        random=model.random,
        reml=flag_of("reml", arguments.reml) if family is None else None,
        family=family,
        messages=list(dict.fromkeys([*model.checked, *messages.texts])),
        model_frame=frame,
        index=columns.index,
        advice=messages.ours,
        control=text.control,
        learned=model.spec,
        lost_levels=variables.lost_levels(frame, groups),
    )


def read_model(
    formula: str | Formula,
    arguments: Arguments,
    messages: Messages,
    *,
    family: Family | None = None,
    mixed: bool = True,
) -> ModelText:
    """Read a formula and its arguments; `family` and `mixed` as for `learn`."""
    lme4 = lme4_of(arguments.lme4)
    linear = family is None
    control = control_of(arguments.control, generalized=not linear, note=messages.remark)
    if control.autoscale is not None and not lme4.autoscales:
        raise _unused(lme4, f"autoscale = {control.autoscale!r}")
    if not isinstance(formula, Formula):
        formula = Formula.parse(formula, lme4)
    elif formula.lme4 != lme4:
        messages.remark(
            f"the formula was read as lme4 {formula.lme4.version} reads it; this call follows "
            f"lme4 {lme4.version}"
        )
        formula = replace(formula, lme4=lme4)
    written = parsed = formula
    if parsed.response is None and control.check_formula_LHS == "stop":
        raise CheckError(
            "!checkLHS || length(as.formula(formula, env = denv)) == 3 is not TRUE",
            parsed.node.span,
            "the formula has no response on the left of ~",
        )
    if not mixed and parsed.bars:
        raise FormulaError(
            "model_matrix() takes a formula without random terms",
            parsed.bars[0].source.span,
            "lformula() makes X and Z of this one",
        )
    double_bar = arguments.double_bar
    choice_of("double_bar", double_bar, ("split", "diag"))
    if double_bar == "diag" and "diag" not in lme4.structures:
        raise _unused(lme4, 'double_bar="diag"')
    for text in structure_remarks(parsed.right, double_bar, lme4):
        messages.advise(text)
    if double_bar == "diag" or (mixed and (linear or lme4.splits_generalized)):
        parsed = parsed.expanded(double_bar)
    # Here a structure that lme4 does not have is refused, of which a trap would say less.
    variables = parsed.subbars().node if mixed else parsed.node
    # Told before the data are looked at, whose errors they may explain.
    _advise([trap for trap in written.traps if trap.number is None], messages)
    env = mapping_of("env", arguments.env, '{"k": 3}')
    return ModelText(
        arguments=arguments,
        lme4=lme4,
        family=family,
        mixed=mixed,
        written=written,
        formula=parsed,
        variables=variables,
        control=control,
        attached=mapping_of(
            "attached_contrasts", arguments.attached_contrasts, '{"f": "contr.sum"}'
        ),
        collation=Collation(arguments.collation),
        default_contrasts=default_contrasts_of(arguments.default_contrasts),
        na_action=na_action_of(arguments.na_action),
        # As they are now: new rows may need them.
        env={
            name: copy(item) if hasattr(item, "__array__") or isinstance(item, list) else item
            for name, item in env.items()
        },
    )


def learn_model(
    text: ModelText,
    variables: Variables,
    frame: ModelFrame,
    scope: Scope,
    messages: Messages,
    *,
    columns: Mapping[str, Value],
    rows: int,
    emptied: str,
) -> LearnedModel:
    """Lead a model frame to the matrices, and to what other rows need of them.

    The variables of the frame were evaluated in `scope`; `columns` are those of the data that
    were read, without rows. The model has so many `rows`: where the frame holds some of them only,
    X keeps every column and is not checked. `emptied` says why no row is left, if none is.
    """
    parsed, linear, whole = text.formula, text.family is None, rows == frame.rows
    numeric = [(trap, trap.number) for trap in text.written.traps if trap.number is not None]
    _advise([trap for trap, node in numeric if frame.is_number(variable_name(node))], messages)
    _refuse_no_model(text, frame, emptied)
    grouping = Grouping.of(frame, parsed.bars, scope.context)
    try:
        found = [random_term(bar, grouping, scope) for bar in parsed.bars]
    except FormulaError as error:
        error.hint = error.hint if frame.rows else emptied
        raise
    random = random_effects([term for term, _ in found], frame.rows)
    traps = Traps(
        formula=text.written,
        frame=frame,
        grouping=grouping,
        scope=scope,
        variables=variables,
        random=random,
        linear=linear,
        contrasts=text.arguments.contrasts,
        messages=messages,
    )
    # Before the checks, whose errors it may explain.
    traps.merged_numbers()
    checks = Checks(text.control, messages, rows, not linear)
    checked = checks.levels(random) + checks.random_effects(random.terms)
    if linear:
        _refuse_missing_effects(random, frame)
    checked += checks.rank_of_z(random)
    fixed_terms = terms(parsed.nobars().node if text.mixed else parsed.node, frame.names)
    X, fixed, learned = fixed_part(
        fixed_terms,
        frame,
        grouping.context,
        messages,
        contrasts=text.arguments.contrasts,
        control=text.control if whole else None,
        sparse=flag_of("sparse_X", text.arguments.sparse_X),
    )
    if whole:
        traps.report(fixed_terms, fixed.plan)
    given = text.expressions
    types = {name: _type(v, text) for name, v in frame.variables.items() if not given.get(name)}
    response = None if frame.response is None else types[frame.response]
    if not _uses(frame.response, fixed_terms, random):
        types = {name: item for name, item in types.items() if name != frame.response}
    nodes = text.nodes(variables.terms).values()
    needed = {symbol.name for node in nodes for symbol in symbols(node)} & columns.keys()
    spec = Spec(
        formula=parsed,
        names=tuple(scope.columns.names),
        columns={name: columns[name] for name in scope.columns.names if name in needed},
        frame_names=frame.names,
        variables=types,
        states=variables.states,
        grouping=grouping.levels,
        groups=tuple(group for _, group in found),
        fixed=learned,
        collation=text.arguments.collation,
        default_contrasts=text.default_contrasts,
        na_action=text.na_action,
        offset=given["(offset)"],
        weights=given["(weights)"],
        subset=given["(subset)"],
        response=response,
        generalized=not linear,
        env=text.env,
    )
    return LearnedModel(random=random, X=X, fixed=fixed, spec=spec, checked=checked)


def _refuse_no_model(text: ModelText, frame: ModelFrame, emptied: str) -> None:
    if frame.rows == 0 and text.family is None and text.mixed:
        raise DataError("0 (non-NA) cases", hint=emptied)
    if text.mixed and not text.formula.bars:
        raise FormulaError(
            "No random effects terms specified in formula",
            text.formula.right.span,
            "add a term such as (1 | group)",
        )


def _type(value: Value, text: ModelText) -> Value:
    """Return the type of a variable; of text the levels that it has in these rows."""
    levels = factor_of(value, text.collation) if isinstance(value, Character) else value
    return without_rows(levels)


def _unused(lme4: Lme4, argument: str) -> DataError:
    hint = f'lme4 {lme4.version} does not know it: give lme4="2.1"'
    return DataError(f"unused argument ({argument})", hint=hint)


def _advise(traps: Iterable[Trap], messages: Messages) -> None:
    for trap in traps:
        messages.advise(trap.text, trap.span)


def _uses(response: str | None, fixed: Terms, random: RandomEffects) -> bool:
    """Tell whether the right-hand side makes columns or groups of the response."""
    # A term that is the response alone is dropped; "." may stand for it by another name.
    alone = 0 if fixed.response is None else 1 << fixed.response
    return any(
        term != alone and response in [fixed.frame_names[i] for i in fixed.positions(term)]
        for term in fixed.members
    ) or any(
        response in [*term.plan.variables, *(symbol.name for symbol in symbols(term.bar.group))]
        for term in random.terms
    )


def _misread_arguments(arguments: Arguments, columns: Columns) -> Iterator[str]:
    """Yield what is to be said of arrays that Python's habits read in another way than R."""
    subset = arguments.subset
    for name, value in {**arguments.extras, "subset": subset}.items():
        # A series' labels; a list and an Arrow array have a method of that name.
        labels = getattr(value, "index", None)
        if labels is None or callable(labels) or columns.index is None:
            continue
        if len(labels) == columns.rows and not columns.index.equals(labels):
            yield (
                f"{name.strip('()')} has other row labels than the data; its values are taken in "
                "their order, not by label: align it, or make it a column of the data"
            )
    if subset is None or isinstance(subset, str):
        return
    try:
        numbers = np.asarray(subset)
    except (TypeError, ValueError, RuntimeError):
        return  # told where the rows are selected
    if numbers.ndim == 1 and numbers.dtype.kind in "iu" and (numbers == 0).any():
        yield (
            "subset has a row 0: row numbers count from 1 here, as in R, and 0 selects none; "
            "give True and False, or numbers from 1"
        )


def _emptied(text: ModelText, variables: Variables, frame: ModelFrame) -> str:
    """Return why no row is left."""
    if not frame.omitted:
        return "subset selects no row" if variables.rows else "the data have no rows"
    counts = []
    for name in variables.terms.by_name:
        mask = missing(variables.values[name])
        if mask is not None:
            rows = "every row" if mask.all() else f"{int(mask.sum()):,} rows"
            counts.append(f"{name} in {rows}")
    if counts:
        return f"missing values: {', '.join(counts)}"
    places = [name for name in _EXTRAS if getattr(text.arguments, name) is not None]
    if text.arguments.subset is not None:
        places.append("the rows that subset selects")
    return f"missing values in {' or '.join(places)}"


def _refuse_missing_effects(random: RandomEffects, frame: ModelFrame) -> None:
    """Stop as ``lFormula`` does where Z has missing values, and say in which columns and rows."""
    if random.finite or not np.isnan(random.entries.data).any():
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
