"""A design as tabmat's ``SplitMatrix``, the input of glum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lme4py.argument_types import flag_of
from lme4py.design import MixedDesign
from lme4py.errors import DataError
from lme4py.export.coordinates import INTERCEPT, dense, fixed_terms
from lme4py.matrices.randomterm import RandomTerm

if TYPE_CHECKING:
    from tabmat import SplitMatrix


def to_tabmat(design: MixedDesign, *, random: bool = True) -> SplitMatrix:
    """Return X and Z as a ``SplitMatrix``: `MixedDesign.to_tabmat`."""
    try:
        from tabmat import DenseMatrix, SplitMatrix
    except ImportError as error:
        raise ImportError("to_tabmat() needs tabmat: pip install -e '.[tabmat]'") from error

    with_random = flag_of("random", random)
    names, terms = design.fixed.names, fixed_terms(design)
    labels = [label for label, columns in terms.items() for _ in names[columns]]
    parts = [DenseMatrix(dense(design.X), list(names), labels)]
    if with_random:
        # In formula order the blocks would not be Z's.
        parts += [
            _block(term, block)
            for term, (_, block) in zip(design.random.terms, design.random.Ztlist, strict=True)
        ]
    parts = [part for part in parts if part.shape[1]]
    if not parts:
        raise DataError("tabmat has no matrix without columns, and X has none")
    return SplitMatrix(parts)


def _block(term: RandomTerm, block: Any) -> Any:
    """Return one term's columns of Z."""
    from tabmat import CategoricalMatrix, SparseMatrix

    group = term.bar.group_name
    levels = [str(level) for level in term.group.levels]
    if term.plan.products == ((),):
        missing = "zero" if term.group.incomplete else "fail"
        return CategoricalMatrix(
            term.group.codes,
            categories=np.array(levels, dtype=object),
            column_name=group,
            term_name=term.bar.label,
            cat_missing_method=missing,
        )
    names = [
        f"{group}[{level}]" if name == INTERCEPT else f"{group}[{level}]:{name}"
        for level in levels
        for name in term.plan.names
    ]
    return SparseMatrix(
        block.T.tocsc(), column_names=names, term_names=[term.bar.label] * len(names)
    )
