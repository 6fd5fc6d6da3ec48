"""X of new rows: the columns that the model's X has."""

from __future__ import annotations

import numpy as np

from lme4py.errors import DataError
from lme4py.formula.terms import terms
from lme4py.frame.collation import Collation
from lme4py.frame.values import FloatArray
from lme4py.matrices.modelmatrix import plan
from lme4py.modelspec.frame import NewFrame
from lme4py.modelspec.recipe import Recipe

__all__ = ["fixed_matrix"]


def fixed_matrix(recipe: Recipe, frame: NewFrame, collation: Collation) -> FloatArray:
    """Return X of the new rows: the columns the model kept, centred and scaled as there."""
    expanded = terms(recipe.formula.nobars().node, recipe.frame_names)
    contrasts = recipe.contrasts
    if frame.response is not None and frame.response not in frame.values:
        # "." may stand for the response under a second name, of which no column is made.
        twin = f"{frame.response}."
        contrasts = {name: item for name, item in contrasts.items() if not name.startswith(twin)}
    layout = plan(expanded, frame, frame.rows, collation, contrasts, recipe.default_contrasts)
    if max(recipe.kept, default=-1) >= len(layout.names) or any(
        layout.names[place] != name
        for place, name in zip(recipe.kept, recipe.names_of_X, strict=True)
    ):
        raise DataError("the spec does not fit its formula: it names other columns of X")
    values = np.empty((frame.rows, len(recipe.kept)), order="F")
    for target, source in enumerate(recipe.kept):
        column = layout.column(source)
        if recipe.centers[target] != 0.0:
            column -= recipe.centers[target]
        if recipe.divisors[target] != 1.0:
            column /= recipe.divisors[target]
        values[:, target] = column
    return values
