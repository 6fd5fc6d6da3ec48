"""The assembler for arrays that are ready: lme4's ``mkReTrms`` without a formula of ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from lme4py.argument_types import mapping_of
from lme4py.data.coding import (
    DEFAULT_CONTRASTS,
    ContrastArgument,
    default_contrasts_of,
    with_contrasts,
)
from lme4py.data.collation import Collation
from lme4py.data.column_values import kept, value_of
from lme4py.data.columns import Columns
from lme4py.data.factors import drop_unused, factor_of
from lme4py.data.values import Factor, FloatArray, Matrix, Numeric, Value, length
from lme4py.design import MixedDesign
from lme4py.errors import DataError
from lme4py.family import Family, family_of
from lme4py.formula.bars import Bar, find_bars
from lme4py.formula.formula import Formula
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Call, Node, Number, Symbol, call, symbols
from lme4py.frame.evaluate import Scope
from lme4py.frame.modelframe import ModelFrame
from lme4py.functions.table import Context
from lme4py.matrices.fixed import FixedEffects
from lme4py.matrices.grouping import Grouping, random_term
from lme4py.matrices.plan import Plan
from lme4py.matrices.randomterm import RandomTerm
from lme4py.matrices.reterms import RandomEffects, random_effects
from lme4py.versions import Lme4, lme4_of


@dataclass(frozen=True, eq=False, slots=True)
class TermArrays:
    """One random-effects term as arrays.

    Parameters
    ----------
    effects : array-like, shape (n,) or (n, c)
        The left side of the bar: what the effects multiply. A DataFrame, a patsy
        ``DesignMatrix`` or a formulaic ``ModelMatrix`` brings its names along.
    group : array-like, shape (n,)
        The grouping factor: a Categorical keeps its order of levels (without those that
        do not occur), anything else is sorted as R sorts. Missing values belong to no level.
    name : str
        What the group is called.
    columns : sequence of str, optional
        Names of the effects; those of `effects`, or ``x1``, ``x2``, ... by default.
    structure : {"us", "diag", "cs", "ar1"}
        The covariance structure.
    hom : bool, optional
        One common standard deviation, for the structures that have the choice.
    """

    effects: Any = field(repr=False)
    group: Any = field(repr=False)
    name: str
    columns: Sequence[str] | None = None
    structure: str = "us"
    hom: bool | None = None


Bars: TypeAlias = str | Formula | Sequence[str | Bar | TermArrays]


def mk_re_terms(
    bars: Bars,
    frame: Any = None,
    *,
    collation: str = "icu",
    attached_contrasts: Mapping[str, ContrastArgument] | None = None,
    default_contrasts: tuple[str, str] = DEFAULT_CONTRASTS,
    lme4: str = "2.1",
) -> RandomEffects:
    """Assemble the random part of a model from bars or arrays (lme4's ``mkReTrms``).

    Parameters
    ----------
    bars : str, Formula, or sequence of str, Bar or TermArrays
        ``"(1 + x | g) + (1 | h)"``, ``["1 + x | g", "1 | h"]``, or the terms as arrays,
        which need no formula. ``||`` and ``a/b`` are expanded as in lme4.
    frame : pandas, polars or pyarrow frame, or mapping of arrays, optional
        What the bars written as text are evaluated in; every row is used.
    collation : str
        Order of levels made from text.
    attached_contrasts, default_contrasts
        How factors of `frame` are coded, as for `lme4py.lformula`.
    lme4 : str
        The version of lme4 that reads bars written as text, as for `lformula`.

    Returns
    -------
    RandomEffects
        As lme4's: Zt, Lambdat, Lind, theta, lower, Gp, cnms, flist, terms in lme4's order.

    Raises
    ------
    DataError
        If the arrays do not fit together.
    FormulaError
        If a bar cannot be evaluated.

    Examples
    --------
    >>> ready = TermArrays(np.column_stack([[1, 1, 1, 1], [0, 1, 2, 3]]), ["b", "a", "b", "a"], "g")
    >>> terms = mk_re_terms([ready])
    >>> terms.cnms, terms.row_names, terms.Gp.tolist()
    ([('g', ['x1', 'x2'])], ['a', 'a', 'b', 'b'], [0, 4])
    >>> mk_re_terms("(1 + x | g)", {"x": [0, 1, 2, 3], "g": ["b", "a", "b", "a"]}).cnms
    [('g', ['(Intercept)', 'x'])]
    """
    order, version = Collation(collation), lme4_of(lme4)
    attached = mapping_of("attached_contrasts", attached_contrasts, '{"f": "contr.sum"}')
    defaults = default_contrasts_of(default_contrasts)
    if not isinstance(bars, Sequence | Formula):
        raise DataError(f"bars are text or a sequence, not {type(bars).__name__}")
    found: list[RandomTerm] = []
    for item in [bars] if isinstance(bars, str | Formula) else bars:
        if isinstance(item, TermArrays):
            found.append(_ready(item, order))
            continue
        if frame is None:
            raise DataError("bars written as text need a frame", hint="mk_re_terms(bars, frame)")
        # The caller gave no contrasts that a warning could speak of.
        columns = with_contrasts(Columns(frame), attached)
        context = Context(columns.rows, order, lambda _: None, defaults, version)
        found += _evaluated(_bars(item, version), columns, context)
    if not found:
        raise DataError("no random effects terms", hint='give "1 | g", or TermArrays')
    rows = {term.group.codes.size for term in found}
    if len(rows) > 1:
        raise DataError(f"the terms have different numbers of rows: {sorted(rows)}")
    return random_effects(found, rows.pop())


def mixed_design(
    X: Any,
    random: RandomEffects | Bars,
    y: Any = None,
    *,
    frame: Any = None,
    weights: Any = None,
    offset: Any = None,
    names: Sequence[str] | None = None,
    reml: bool = True,
    family: str | Family | None = None,
    collation: str = "icu",
) -> MixedDesign:
    """Put a fixed part that is ready and a random part together.

    Parameters
    ----------
    X : array-like, shape (n, p)
        The fixed part: an array, DataFrame, patsy ``DesignMatrix`` or formulaic
        ``ModelMatrix``, whose names and terms are kept.
    random : RandomEffects, or bars as `mk_re_terms` takes them
    y, weights, offset : array-like, shape (n,), optional
    frame : frame or mapping, optional
        What bars written as text are evaluated in.
    names : sequence of str, optional
        Names of the columns of X; its own, or ``x1``, ``x2``, ... by default.
    reml : bool
        Kept for the fitting code.
    family : str or Family, optional
        For a generalized model.
    collation : str
        Order of levels made from text.

    Returns
    -------
    MixedDesign

    Raises
    ------
    DataError
        If the parts have different numbers of rows, or X is not numeric.

    Examples
    --------
    >>> import patsy
    >>> data = {"y": [1.0, 2.0, 4.0, 3.0], "x": [0.0, 1, 0, 2], "g": ["a", "a", "b", "b"]}
    >>> design = mixed_design(patsy.dmatrix("x", data), "(1 | g)", data["y"], frame=data)
    >>> design.fixed.names, design.random.row_names, str(design.formula)
    (['(Intercept)', 'x'], ['a', 'b'], 'y ~ 1 + x + (1 | g)')
    """
    values, found, assign, terms = _dense(X, names, "X")
    if not isinstance(random, RandomEffects):
        random = mk_re_terms(random, frame, collation=collation)
    rows = values.shape[0]
    vectors = {"y": y, "(weights)": weights, "(offset)": offset}
    numbers = {
        label: Numeric(_vector(given, label.strip("()"), rows), "double")
        for label, given in vectors.items()
        if given is not None
    }
    if random.Zt.shape[1] != rows:
        raise DataError(f"X has {rows} rows, the random part has {random.Zt.shape[1]}")
    # The model frame holds what was given, the response first; of two of a name the first.
    variables: dict[str, Value] = {"y": numbers["y"]} if "y" in numbers else {}
    for column, name in enumerate(found):
        variables.setdefault(name, Numeric(values[:, column], "double"))
    for term in random.terms:
        variables.setdefault(term.bar.group_name, term.group)
    response = "y" if "y" in numbers else None
    model_frame = ModelFrame(variables={**variables, **numbers}, response=response, rows=rows)
    right = _sum(found)
    for term in random.in_formula:
        right = call("+", right, term.bar.node)
    node = call("~", *([] if response is None else [Symbol(response)]), right)
    chosen = None if family is None else family_of(family)
    return MixedDesign(
        formula=Formula(node, str(Formula(node))),
        X=values,
        fixed=FixedEffects(
            names=found,
            assign=np.array(assign, dtype=np.int64),
            contrasts={},
            dropped={},
            terms=terms,
            scales={},
            plan=Plan.given(values, found, assign),
            kept=tuple(range(len(found))),
        ),
        y=numbers["y"].values if "y" in numbers else None,
        weights=model_frame.weights(),
        offset=model_frame.offset(),
        random=random,
        reml=reml if chosen is None else None,
        family=chosen,
        messages=[],
        model_frame=model_frame,
        index=getattr(X, "index", None),
    )


def _bars(item: str | Formula | Bar, lme4: Lme4) -> Sequence[Bar]:
    if isinstance(item, Bar):
        return [item]
    if isinstance(item, Formula):
        return find_bars(item.right, lme4)
    if not isinstance(item, str):
        raise DataError(f"a term is text, a Bar or TermArrays, not {type(item).__name__}")
    node = parse(item)
    formula = isinstance(node, Call) and node.name == "~" and node.operands
    return find_bars(formula[-1] if formula else node, lme4)


def _evaluated(bars: Sequence[Bar], columns: Columns, context: Context) -> Iterator[RandomTerm]:
    """Yield bars evaluated in a frame whose rows are all used."""
    names = {symbol.name for bar in bars for symbol in symbols(bar.source)}
    found = {name: columns.get(name) for name in sorted(names)}
    variables = {name: value for name, value in found.items() if value is not None}
    grouping = Grouping.of(ModelFrame(variables=variables, rows=columns.rows), bars, context)
    for bar in bars:
        yield random_term(bar, grouping, Scope(columns, {}, context))[0]


def _ready(term: TermArrays, collation: Collation) -> RandomTerm:
    values, names, assign, _ = _dense(term.effects, term.columns, f"the effects of '{term.name}'")
    value = value_of(term.group)
    if isinstance(value, Matrix) or length(value) != len(values):
        raise DataError(
            f"the group '{term.name}' is no vector of {len(values)} elements, one for each row"
        )
    group = drop_unused(value if isinstance(value, Factor) else factor_of(value, collation))
    if None in group.levels or not group.levels:
        raise DataError(f"Invalid grouping factor specification, {term.name}")
    effects, name = _sum(names), Symbol(term.name)
    bar = Bar(effects, name, call("|", effects, name), term.structure, term.hom)
    return RandomTerm(bar, group, Plan.given(values, names, assign))


def _sum(names: Sequence[str]) -> Node:
    """Return the sum of names as a formula writes it, the intercept as 1 or 0."""
    node: Node = Number(1.0 if "(Intercept)" in names else 0.0)
    for name in names:
        if name != "(Intercept)":
            node = call("+", node, Symbol(name))
    return node


def _dense(given: Any, names: Any, what: str) -> tuple[FloatArray, list[str], list[int], list[str]]:
    """Return a matrix with the names, the term of each column, and the terms' labels."""
    own, assign, terms = _described(given)
    values = _floats(given.toarray() if hasattr(given, "toarray") else given, what)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise DataError(f"{what} has {values.ndim} dimensions, not 2")
    width = values.shape[1]
    if names is not None and (
        isinstance(names, str) or not isinstance(names, Iterable) or getattr(names, "ndim", 1) != 1
    ):
        raise DataError(
            f"names must be a list, one name for each column, not {type(names).__name__}"
        )
    found = own if names is None else [str(name) for name in names]
    if found is None:
        found = [f"x{column + 1}" for column in range(width)]
    if len(found) != width:
        raise DataError(f"{what} has {width} columns and {len(found)} names")
    if len(assign) != width:
        terms = [name for name in found if name != "(Intercept)"]
        assign = [0 if name == "(Intercept)" else terms.index(name) + 1 for name in found]
    # Read-only: these are the columns of the model frame, too.
    return kept(values, given), found, assign, terms


def _floats(given: Any, what: str) -> FloatArray:
    """Return what was given as an array of its own, masked entries as NaN."""
    try:
        if isinstance(given, np.ma.MaskedArray):
            given = np.ma.filled(given.astype(np.float64), np.nan)
        return np.array(given, dtype=np.float64, order="F")
    except (TypeError, ValueError) as fault:
        raise DataError(f"{what}: {fault}") from fault


def _described(given: Any) -> tuple[list[str] | None, list[int], list[str]]:
    """Return names, assign and terms that a table, patsy's or formulaic's matrix brings along."""
    info, spec = getattr(given, "design_info", None), getattr(given, "model_spec", None)
    if info is not None:
        names, slices, intercept = info.column_names, info.term_name_slices, "Intercept"
    elif spec is not None:
        slices = {str(term): part for term, part in spec.term_slices.items()}
        names, intercept = spec.column_names, "1"
    else:
        columns = getattr(given, "columns", None)
        return (None if columns is None else [str(name) for name in columns]), [], []
    # In R the intercept is term 0.
    terms = [term for term in slices if term != intercept]
    assign = [0] * len(names)
    for number, term in enumerate(terms, start=1):
        assign[slices[term]] = [number] * len(range(*slices[term].indices(len(names))))
    return ["(Intercept)" if name == "Intercept" else name for name in names], assign, terms


def _vector(given: Any, name: str, rows: int) -> FloatArray:
    values = _floats(given, name)
    if values.shape != (rows,):
        raise DataError(f"{name} has shape {values.shape}, not ({rows},)")
    return kept(values, given)
