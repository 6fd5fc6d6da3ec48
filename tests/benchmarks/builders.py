"""Us, the other libraries, and the least that any of them must do.

A builder takes a formula and a data frame and returns a function that does the whole
work once and returns the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Build = Callable[[], Any]


def floor(_formula: str, data: Any) -> Build:
    """Only fill the arrays of `FORMULA`, knowing everything beforehand, checking nothing."""

    def build() -> tuple[np.ndarray, ...]:
        x, z = data["x"].to_numpy(), data["z"].to_numpy()
        a, g1, g2 = (data[name].cat.codes.to_numpy() for name in ("a", "g1", "g2"))
        sizes = [len(data[name].cat.categories) for name in ("g1", "g2")]
        n = len(data)
        X = np.empty((n, 7), order="F")
        X[:, 0] = 1.0
        X[:, 1] = x
        X[:, 2] = a == 1
        X[:, 3] = a == 2
        X[:, 4] = z
        np.multiply(x, X[:, 2], out=X[:, 5])
        np.multiply(x, X[:, 3], out=X[:, 6])
        values = np.empty((n, 3))
        values[:, 0] = 1.0
        values[:, 1] = x
        values[:, 2] = 1.0
        rows = np.empty((n, 3), dtype=np.int32)
        np.multiply(g1, 2, out=rows[:, 0], dtype=np.int32)
        np.add(rows[:, 0], 1, out=rows[:, 1])
        np.add(g2, 2 * sizes[0], out=rows[:, 2], dtype=np.int32)
        pointers = np.arange(0, 3 * n + 1, 3, dtype=np.int32)
        return X, values, rows, pointers

    return build


def ours(formula: str, data: Any) -> Build:
    import lme4py

    return lambda: lme4py.lformula(formula, data)


def ours_sparse(formula: str, data: Any) -> Build:
    import lme4py

    return lambda: lme4py.lformula(formula, data, sparse_X=True)


def replay(formula: str, data: Any) -> Build:
    import lme4py

    spec = lme4py.lformula(formula, data).spec
    row = data.iloc[[0]]
    return lambda: spec.apply(row)


def mixedlm(formula: str, data: Any) -> Build:
    import mixedlm

    return lambda: mixedlm.lFormula(formula, data)


def formulae(formula: str, data: Any) -> Build:
    from formulae import design_matrices

    def build() -> Any:
        matrices = design_matrices(formula, data)
        return matrices.common.design_matrix, matrices.group.design_matrix

    return build


def formulaic(formula: str, data: Any) -> Build:
    """Build X alone: formulaic has no random effects."""
    import formulaic

    fixed = formula.partition("~")[2].partition(" + (")[0]
    return lambda: formulaic.model_matrix(fixed, data, output="numpy")


BUILDERS: Mapping[str, Callable[[str, Any], Build]] = {
    "floor": floor,
    "lme4py": ours,
    "lme4py-sparse": ours_sparse,
    "lme4py-replay": replay,
    "mixedlm": mixedlm,
    "formulae": formulae,
    "formulaic": formulaic,
}


def results_size(result: Any) -> int:
    """Return the bytes of X and Zt, where the result is ours or the floor's."""
    if isinstance(result, tuple) and len(result) == 4:
        return sum(_bytes(part) for part in result)
    if hasattr(result, "random"):
        return _bytes(result.X) + _bytes(result.Zt)
    return 0


def _bytes(array: Any) -> int:
    if hasattr(array, "indptr"):
        return int(array.data.nbytes + array.indices.nbytes + array.indptr.nbytes)
    return int(getattr(array, "nbytes", 0))
