"""X as formulaic's ``ModelMatrix``: names, terms and their columns, dense or sparse."""

from __future__ import annotations

from typing import Any, Literal

from lme4py.argument_types import choice_of
from lme4py.design import MixedDesign
from lme4py.export.dense_blocks import INTERCEPT, fixed_matrix, fixed_terms
from lme4py.formula.terms import terms

__all__ = ["Output", "to_formulaic"]

Output = Literal["pandas", "numpy", "sparse"]


def to_formulaic(design: MixedDesign, output: Output = "pandas") -> Any:
    """Return X as a formulaic ``ModelMatrix`` with its ``ModelSpec``.

    Parameters
    ----------
    design : MixedDesign
    output : {"pandas", "numpy", "sparse"}
        As formulaic's argument: a DataFrame (with the index of `design.frame`), an
        array, or a csc_array.

    Returns
    -------
    formulaic.ModelMatrix
        float64, shape (n, p). Its ``model_spec`` has R's column names and terms (the
        intercept's is ``1``, as formulaic calls it): ``column_names``,
        ``term_indices`` and ``term_slices``, linear constraints. Do not make matrices
        of new data with it: formulaic codes factors by another rule than R.

    Raises
    ------
    DataError
        For an unknown `output`.

    Examples
    --------
    >>> import lme4py
    >>> from lme4py.data import sleepstudy
    >>> design = lme4py.lformula("Reaction ~ poly(Days, 2) + (1 | Subject)", sleepstudy())
    >>> spec = to_formulaic(design).model_spec
    >>> spec.column_names
    ('(Intercept)', 'poly(Days, 2)1', 'poly(Days, 2)2')
    >>> spec.term_slices["poly(Days, 2)"]
    slice(1, 3, None)
    """
    choice_of("output", output, ("pandas", "numpy", "sparse"))
    from formulaic import ModelMatrix, ModelSpec, SimpleFormula
    from formulaic.materializers.base import EncodedTermStructure
    from formulaic.parser.types import Factor, Term

    variables = _variables(design)
    structure = []
    for term in fixed_terms(design):
        if term.label == INTERCEPT:
            factors = [Factor("1", eval_method="literal")]
        else:
            # R's variables, each as a name to look up: formulaic is not to evaluate them.
            names = variables.get(term.label, (term.label,))
            factors = [Factor(name, eval_method="lookup") for name in names]
        columns = design.fixed.names[term.start : term.stop]
        structure.append(EncodedTermStructure(Term(factors), [], columns))
    formula = SimpleFormula([item.term for item in structure], _ordering="none")
    spec = ModelSpec(formula=formula, structure=structure, output=output)
    return ModelMatrix(_values(design, output), spec=spec)


def _variables(design: MixedDesign) -> dict[str, tuple[str, ...]]:
    """Return the variables of each term of the fixed part by its label."""
    found = terms(design.formula.nobars().node, design.model_frame.names)
    return {
        label: tuple(found.names[i] for i in found.positions(member))
        for label, member in zip(found.labels, found.members, strict=True)
    }


def _values(design: MixedDesign, output: Output) -> Any:
    if output == "numpy":
        return fixed_matrix(design)
    if output == "sparse":
        from scipy.sparse import csc_array

        return csc_array(design.X)
    import pandas as pd

    # Only the labels of the rows are taken from the frame.
    return pd.DataFrame(
        fixed_matrix(design), columns=design.fixed.names, index=design.frame.index, copy=False
    )
