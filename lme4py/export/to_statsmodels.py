"""The design as statsmodels' ``MixedLM``: groups, one correlated term, variance components.

MixedLM cuts the rows into independent groups. Within them it knows one set of random
effects with one free covariance matrix (``exog_re``), and any number of variance
components, each a set of independent effects with one variance (``exog_vc``). So a
model of lme4's fits in if its correlated term, of which there may be one, is on the
groups, and every other term is made of independent columns whose grouping factor does
not cross them.

Without a correlated term the groups are the finest ones that no grouping factor
crosses: the connected components of the graph in which a row joins its levels. For
nested factors these are the outermost one's levels, for crossed factors one constant
group, and it is never more than the model needs.

Only ready arrays are handed over, numbered from 0, because MixedLM reads a repeated
pandas index and missing values wrongly, and evaluates ``vc_formula`` group by group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.values import Factor, FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError, FormulaError
from lme4py.export.coordinates import INTERCEPT, dense, effects
from lme4py.matrices.randomterm import RandomTerm
from lme4py.unique_names import make_unique

if TYPE_CHECKING:
    from statsmodels.regression.mixed_linear_model import MixedLM

_DENSE_LIMIT = 4_000_000
"""A component with more entries in one group than this is handed over sparse."""

_TABLE_LIMIT = 2 * 10**9
"""MixedLM's constructor makes a table of the third power of the number of parameters."""

_CANNOT = "statsmodels' MixedLM cannot express this model: "


def to_statsmodels(design: MixedDesign, **options: Any) -> MixedLM:
    """Return the model as ``MixedLM``: `MixedDesign.to_statsmodels`."""
    import pandas as pd

    y, X = _checked(design)
    grouping, main, others = _roles(design)
    components = [(term, *variance) for term in others for variance in _variances(term)]
    correlated = 0 if main is None else main.columns
    parameters = X.shape[1] + correlated * (correlated + 1) // 2 + len(components)
    size = 8 * parameters**3
    if size > _TABLE_LIMIT:
        said = f"for its {parameters} parameters it would make tables of {size / 1e9:.0f} GB"
        hint = f"({main.bar.label}) has {correlated} correlated effects" if main else None
        raise _inexpressible(said, main, hint if correlated > 1 else None)
    try:
        from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec
    except ImportError as error:
        raise ImportError(
            "to_statsmodels() needs statsmodels: pip install -e '.[statsmodels]'"
        ) from error

    exog_re = None
    if main is not None:
        names = [main.bar.group_name if name == INTERCEPT else name for name in main.plan.names]
        exog_re = pd.DataFrame(effects(main), columns=make_unique(names))
    exog_vc = None
    if components:
        # Groups by sorted label, as MixedLM has them.
        order = np.argsort(grouping.codes, kind="stable")
        ends = np.cumsum(np.bincount(grouping.codes, minlength=len(grouping.levels)))
        pieces = np.split(order, ends[:-1])
        rows = [pieces[place] for place in np.argsort(np.array(grouping.levels, dtype=str))]
        names = make_unique(name for _, name, _ in components)
        by_group = [_by_group(term, columns, rows) for term, _, columns in components]
        exog_vc = VCSpec(names, *map(list, zip(*by_group, strict=True)))
    return MixedLM(
        pd.Series(y, name=design.model_frame.response),
        pd.DataFrame(X, columns=design.fixed.names),
        groups=np.array(grouping.levels, dtype=object)[grouping.codes],
        exog_re=exog_re,
        exog_vc=exog_vc,
        **options,
    )


def covariances_of(design: MixedDesign, result: Any) -> tuple[FloatArray, ...]:
    """Return the covariance matrix of each term's effects that a result of its MixedLM holds.

    They are in the order of ``design.random.terms``, and not relative to σ.
    """
    _, main, others = _roles(design)
    variances = list(np.asarray(result.vcomp, dtype=np.float64))
    found: dict[RandomTerm, FloatArray] = {}
    for term in others:
        count = len(_variances(term))
        own, variances = variances[:count], variances[count:]
        found[term] = np.diag(np.resize(own, term.columns)) if own else np.empty((0, 0))
    if main is not None:
        found[main] = np.atleast_2d(np.asarray(result.cov_re, dtype=np.float64))
    matrices = tuple(found[term] for term in design.random.terms)
    sizes = [(term.columns, term.columns) for term in design.random.terms]
    if variances or [matrix.shape for matrix in matrices] != sizes:
        raise DataError("the result is one of another model", hint="design.to_statsmodels().fit()")
    return matrices


def _inexpressible(
    why: str, term: RandomTerm | None = None, hint: str | None = None
) -> FormulaError:
    """Return the error of a model that MixedLM cannot express."""
    return FormulaError(f"{_CANNOT}{why}", None if term is None else term.bar.source.span, hint)


def _roles(design: MixedDesign) -> tuple[Factor, RandomTerm | None, list[RandomTerm]]:
    """Return the groups, the term that is ``exog_re``, and those that are components."""
    terms = design.random.in_formula
    main = _correlated(terms)
    if main is None:
        grouping = _connected(terms)
        # A single column on the groups.
        alone = [term for term in terms if term.columns == 1]
        main = next((term for term in alone if term.levels == len(grouping.levels)), None)
    else:
        grouping = main.group
        for term in terms:
            inner = term.group.codes
            place = np.empty(term.levels, dtype=grouping.codes.dtype)
            place[inner] = grouping.codes
            if not np.array_equal(place[inner], grouping.codes):
                raise _inexpressible(
                    f"its groups are the levels of {main.bar.group_name}, because "
                    f"({main.bar.label}) has correlated effects, and levels of "
                    f"{term.bar.group_name} occur in several of these groups",
                    term,
                    "crossed factors are expressible where all effects are independent (||)",
                )
    return grouping, main, [term for term in terms if term is not main]


def _checked(design: MixedDesign) -> tuple[FloatArray, FloatArray]:
    """Return response and X, or raise why MixedLM cannot take them."""
    if design.family is not None:
        raise _inexpressible(
            f"it fits linear models, and this one is {design.family}",
            hint="statsmodels has BinomialBayesMixedGLM and PoissonBayesMixedGLM, which take "
            "design.X and design.Z",
        )
    if design.weights is not None and not bool((design.weights == 1.0).all()):
        raise DataError(
            f"{_CANNOT}it has no weights",
            hint="multiplying rows by the root of their weight would not keep its scale",
        )
    if design.y is None:
        raise DataError("the model has no numeric response")
    if design.y.ndim != 1 and design.y.shape[1] != 1:
        raise DataError(f"the response has {design.y.shape[1]} columns, not one")
    y, X = design.y.ravel(), dense(design.X)
    if X.shape[1] == 0:
        raise _inexpressible("it needs a fixed effect, and X has no columns")
    if not design.Zt.shape[0]:
        raise _inexpressible("it needs a random effect, and Zt has no rows")
    if design.offset is not None:
        y = y - design.offset
    for name, values in (("the response", y), ("X", X), ("Zt", design.random.Zt.data)):
        if not np.isfinite(values).all():
            raise DataError(f"{_CANNOT}{name} has missing or infinite values")
    for term in design.random.terms:
        if term.group.incomplete:
            raise DataError(f"{_CANNOT}rows have no level of {term.bar.group_name}")
    return y, X


def _correlated(terms: Sequence[RandomTerm]) -> RandomTerm | None:
    """Return the term with a free covariance matrix, None if all effects are independent."""
    found: RandomTerm | None = None
    for term in terms:
        if term.columns == 1 or term.covariance.name == "diag":
            continue
        if term.covariance.name != "us":
            said = f"it has no structure {term.covariance.name}"
            raise _inexpressible(said, term, "its covariance matrices are unstructured or diagonal")
        if found is not None:
            raise _inexpressible(
                f"it has one covariance matrix, and both ({found.bar.label}) and "
                f"({term.bar.label}) have correlated effects",
                term,
                "|| makes the effects of a term independent, but not the columns of a factor",
            )
        found = term
    return found


def _connected(terms: Sequence[RandomTerm]) -> Factor:
    """Return the finest groups that no grouping factor crosses."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    starts = np.cumsum([0, *(term.levels for term in terms)])
    nodes = [term.group.codes + start for term, start in zip(terms, starts, strict=False)]
    first, size = np.tile(nodes[0], len(nodes)), int(starts[-1])
    entries = (np.ones(first.size, dtype=np.int8), (first, np.concatenate(nodes)))
    links = coo_array(entries, shape=(size, size)).tocsr()
    count, component = connected_components(links, directed=False)
    for term in terms:
        # No factor crosses the groups, so one with as many levels has one group per level.
        if term.levels == count:
            return term.group
    return Factor(component[nodes[0]].astype(np.int32), tuple(str(k + 1) for k in range(count)))


def _variances(term: RandomTerm) -> list[tuple[str, range]]:
    """Return the names of the variances of independent effects, and the columns with each."""
    group, width = term.bar.group_name, term.columns
    if width > 1 and term.covariance.parameters == 1:
        return [(group, range(width))]
    names = (group if name == INTERCEPT else f"{group} {name}" for name in term.plan.names)
    return [(name, range(at, at + 1)) for at, name in enumerate(names)]


def _by_group(
    term: RandomTerm, chosen: range, groups: Sequence[NDArray[np.int64]]
) -> tuple[list[list[str]], list[Any]]:
    """Return names and matrix of some columns in each group: one column per level and effect."""
    from scipy.sparse import csr_array

    width, whole = len(chosen), np.column_stack([term.plan.column(k) for k in chosen])
    colnames, mats = [], []
    for rows in groups:
        levels, places = np.unique(term.group.codes[rows], return_inverse=True)
        columns = (places[:, None] * width + np.arange(width)).ravel()
        values = whole[rows].ravel()
        lines = np.repeat(np.arange(rows.size), width)
        shape = (rows.size, levels.size * width)
        matrix: Any
        if shape[0] * shape[1] > _DENSE_LIMIT:
            matrix = csr_array((values, (lines, columns)), shape=shape)
        else:
            matrix = np.zeros(shape)
            matrix[lines, columns] = values
        mats.append(matrix)
        names = [str(term.group.levels[level]) for level in levels]
        colnames.append([name for name in names for _ in range(width)])
    return colnames, mats
