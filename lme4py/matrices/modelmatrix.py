"""R's ``model.matrix``: the columns of X, or of the left side of a bar.

A term's columns are the products of its variables' columns, the first variable of
the label running fastest. A variable's columns are: its numbers; a matrix's
columns; or, for a factor, one column of its coding matrix looked up by level code,
where the code of the pair (variable, term) says contrasts (1) or indicators (2).
Without an intercept the first factor met, term by term, has indicators instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product

import numpy as np

from lme4py.data.coding import (
    ContrastArgument,
    DefaultContrasts,
    coding_matrix,
    given_contrast,
    refuse_single_level,
)
from lme4py.data.collation import Collation
from lme4py.data.factors import factor_of, logical_factor
from lme4py.data.values import Character, Factor, Matrix, Null, Numeric, Value
from lme4py.errors import DataError, FormulaError, nearest
from lme4py.formula.bars import is_bar
from lme4py.formula.terms import Terms
from lme4py.frame.evaluate import ColumnSource
from lme4py.functions.coercion import level_texts
from lme4py.functions.table import Context
from lme4py.matrices.plan import Coded, Indicator, Numbers, Part, Plan
from lme4py.unique_names import make_unique


def plan(
    terms: Terms,
    frame: ColumnSource,
    context: Context,
    contrasts: Mapping[str, ContrastArgument] | None = None,
    *,
    with_response: bool = True,
) -> Plan:
    """Work out the model matrix of `terms` on the columns of a model frame.

    The variables are looked up in `frame` by their labels; text is a factor by the order of
    levels that `context` knows, as are the contrasts of factors that have none of their own.
    `contrasts` are R's ``contrasts.arg``. Of new rows, whose columns need no response, the frame
    may be without it.
    """
    values = [
        Null()
        if i == terms.response and not with_response
        else _looked_up(terms, i, frame, context.collation)
        for i in range(len(terms.variables))
    ]
    # "." may stand for a column of the frame that is a call of the formula as well.
    names = make_unique(terms.frame_names)
    is_factor = {i for i, value in enumerate(values) if isinstance(value, Factor)}
    factors = {names[i]: value for i, value in enumerate(values) if isinstance(value, Factor)}
    response = None if terms.response is None else names[terms.response]
    coded, absent = _contrasts(terms, factors, names, contrasts or {}, context.default_contrasts)
    warnings = [*terms.warnings, *absent]
    occurrences = (
        (number, i)
        for number, term in enumerate(terms.members)
        for i in terms.positions(term)
        if i != terms.response and i in is_factor
    )
    expanded = None if terms.intercept else next(occurrences, None)

    @cache
    def columns(position: int, code: int) -> list[Part]:
        contrast = coded.get(names[position])
        return _columns(values[position], terms.names[position], contrast, code)

    labels: list[str] = []
    assign: list[int] = []
    products: list[tuple[Part, ...]] = []
    if terms.intercept:
        labels, assign, products = ["(Intercept)"], [0], [()]
    for number, term in enumerate(terms.members):
        positions = terms.positions(term)
        if terms.response is not None and positions == (terms.response,):
            warnings += [
                "the response appeared on the right-hand side and was dropped",
                f"problem with term {number + 1} in model.matrix: no columns are assigned",
            ]
            continue
        # Numbers are the same under every code.
        parts = [
            columns(i, (2 if (number, i) == expanded else code) if i in is_factor else 0)
            for i, code in zip(positions, terms.codings[number], strict=True)
        ]
        # product() runs its last argument fastest, R the first variable.
        for choice in product(*reversed(parts)):
            picked = choice[::-1]
            pairs = zip(positions, picked, strict=True)
            labels.append(":".join(terms.names[i] + part.suffix for i, part in pairs))
            assign.append(number + 1)
            products.append(picked)
    return Plan(
        names=tuple(labels),
        assign=tuple(assign),
        contrasts={name: item for name, item in coded.items() if name != response},
        rows=context.rows,
        products=tuple(products),
        variables=terms.frame_names,
        warnings=tuple(warnings),
    )


def _looked_up(terms: Terms, position: int, frame: ColumnSource, collation: Collation) -> Value:
    name = terms.frame_names[position]
    value = frame.get(name)
    if value is None:
        raise FormulaError(
            "model frame and formula mismatch in model.matrix()",
            terms.variables[position].span,
            "a bar inside a random term: write two terms, (1 | g) + (1 | h)"
            if is_bar(terms.variables[position])
            else nearest(name, frame.names),
        )
    if isinstance(value, Character):
        return factor_of(value, collation)
    if isinstance(value, Numeric) and value.kind == "logical":
        return logical_factor(value.values)
    if position != terms.response and isinstance(value, Matrix) and value.kind == "logical":
        count, width = value.values.shape
        if width != 1:
            raise DataError(
                f"replacement has {count * width} rows, data has {count}",
                terms.variables[position].span,
                "R takes a logical matrix for a factor; make it numeric with 1 *",
            )
        return logical_factor(value.values[:, 0])
    return value


def _contrasts(
    terms: Terms,
    factors: Mapping[str, Factor],
    names: Sequence[str],
    given: Mapping[str, ContrastArgument],
    defaults: DefaultContrasts,
) -> tuple[dict[str, str | Matrix], list[str]]:
    """Return the contrast of every factor, what is `given` before its own, and R's warnings.

    It is an error if a factor has fewer than two levels, whether or not a term would use
    its contrast.
    """
    absent = [name for name in given if name not in names]
    for name in given:
        if name in names and name not in factors:
            raise DataError("contrasts apply only to factors", hint=f"'{name}' is not a factor")
    # R gives contrasts to the factors on the right; to the response where a term has it.
    unused, place = None, terms.response
    if place is not None and not any(term >> place & 1 for term in terms.members):
        unused = None if names[place] in given else names[place]
    chosen: dict[str, str | Matrix] = {}
    for name, factor in factors.items():
        if name == unused:
            continue
        refuse_single_level(factor, name)
        own = factor.contrasts
        if name in given:
            # R's contrasts = list(f = NULL) takes the factor's own away.
            own = given_contrast(given[name], factor, name, as_wide_as_given=True)
        chosen[name] = defaults[factor.ordered] if own is None else own
    texts = (f"variable '{name}' is absent, its contrast will be ignored" for name in absent)
    return chosen, list(texts)


def _columns(value: Value, name: str, contrast: str | Matrix | None, code: int) -> list[Part]:
    """Return the columns of a variable under code 1 (contrasts) or 2 (indicators)."""
    match value:
        case Factor():
            return _coded(value, contrast or "contr.treatment", code)
        case Numeric():
            return [Numbers(value.as_double())]
        case Matrix(values=matrix, names=names):
            width = matrix.shape[1]
            numbered = tuple(str(i + 1) for i in range(width)) if names is None else names
            suffixes = ("",) if width == 1 else numbered
            pairs = zip(matrix.T, suffixes, strict=True)
            return [Numbers(Numeric(column, "double"), suffix) for column, suffix in pairs]
        case _:
            raise DataError(f"variables of this type cannot be used in a term: '{name}'")


def _coded(factor: Factor, contrast: str | Matrix, code: int) -> list[Part]:
    levels, missing = factor.levels, factor.incomplete
    if not missing and (code == 2 or (contrast == "contr.treatment" and len(levels) > 1)):
        return [Indicator(factor, place) for place in range(2 - code, len(levels))]
    names = tuple(level_texts(levels))
    if code == 2:
        table, suffixes = np.eye(len(levels)), names
    else:
        coding = contrast if isinstance(contrast, Matrix) else coding_matrix(contrast, names)
        table = coding.values
        suffixes = coding.names or tuple(str(i + 1) for i in range(table.shape[1]))
    # Code -1 picks the last number.
    last = [[np.nan] * table.shape[1]] if missing else np.zeros((0, table.shape[1]))
    columns = np.vstack([table, last]).T
    pairs = zip(columns, suffixes, strict=True)
    return [Coded(factor.codes, column, suffix) for column, suffix in pairs]
