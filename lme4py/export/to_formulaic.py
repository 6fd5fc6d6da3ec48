"""X as formulaic's ``ModelMatrix``: names, terms and their columns, dense or sparse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NoReturn

from lme4py.argument_types import choice_of
from lme4py.design import FixedDesign
from lme4py.errors import FormulaError
from lme4py.export.coordinates import INTERCEPT, dense, fixed_terms
from lme4py.formula.terms import terms
from lme4py.spec.spec import Spec

try:
    from formulaic import ModelMatrix, ModelSpec, SimpleFormula
    from formulaic.materializers.base import EncodedTermStructure
    from formulaic.parser.types import Factor, Term
except ImportError as fault:
    raise ImportError("to_formulaic() needs formulaic: pip install -e '.[formulaic]'") from fault

Output = Literal["pandas", "numpy", "sparse"]
_OUTPUTS = ("pandas", "numpy", "sparse")
_NA_ACTIONS: Mapping[str, Literal["omit", "fail", "pass"]] = {
    "drop": "omit",
    "raise": "fail",
    "ignore": "pass",
}


def to_formulaic(design: FixedDesign, output: Output = "pandas") -> ModelMatrix:
    """Return X as a ``ModelMatrix``: `FixedDesign.to_formulaic`."""
    choice_of("output", output, _OUTPUTS)
    found = terms(design.formula.nobars().node, design.model_frame.names)
    variables = {
        label: [found.names[i] for i in found.positions(member)]
        for label, member in zip(found.labels, found.members, strict=True)
    }
    structure: list[EncodedTermStructure] = []
    places: dict[str, slice] = {}
    for label, place in fixed_terms(design).items():
        # R's variables, each as a name to look up: formulaic is not to evaluate them.
        names = variables.get(label, [label])
        factors = [Factor(name, eval_method="lookup") for name in names]
        if label == INTERCEPT:
            factors = [Factor("1", eval_method="literal")]
        columns = design.fixed.names[place]
        structure.append(EncodedTermStructure(Term(factors), [_NotEvaluated(label)], columns))
        places[str(structure[-1].term)] = place
    spec = DesignModelSpec(
        formula=SimpleFormula([item.term for item in structure], _ordering="none"),
        structure=structure,
        output=output,
        learned=design.learned,
        places=places,
    )
    # Only the labels of the rows are taken from the frame.
    index = design.frame.index if output == "pandas" else None
    X = design.X if output == "sparse" else dense(design.X)
    return ModelMatrix(_contained(X, design.fixed.names, index, output), spec=spec)


def _contained(X: Any, names: list[str], index: Any, output: Output) -> Any:
    import pandas as pd
    from scipy.sparse import csc_array

    if output == "pandas":
        return pd.DataFrame(X, columns=names, index=index, copy=False)
    return csc_array(X) if output == "sparse" else X


def _refuse(what: str) -> NoReturn:
    raise FormulaError(
        f"formulaic cannot make {what}",
        hint="they are coded by R's rules, which are not formulaic's: "
        "model_spec.get_model_matrix(data) and design.spec.apply(data) know them",
    )


@dataclass(frozen=True, slots=True)
class _NotEvaluated:
    """What stands in formulaic's structure for the recipe of a term's columns."""

    label: str
    factors: tuple[()] = ()
    variables: frozenset[str] = frozenset()

    def rehydrate(self, _: object) -> NoReturn:
        """Refuse to be made by formulaic's materializers, which would fill in zeros."""
        _refuse(f"the columns of {self.label} from new data")


@dataclass(frozen=True)
class DesignModelSpec(ModelSpec):  # type: ignore[misc]
    """formulaic's ``ModelSpec`` of the fixed part of a design."""

    learned: Spec | None = None
    places: Mapping[str, slice] = field(default_factory=dict)

    def get_model_matrix(
        self,
        data: Any,
        context: Any = None,  # noqa: ARG002 (a formula here names the data's columns only)
        drop_rows: set[int] | None = None,
        **attr_overrides: Any,
    ) -> ModelMatrix:
        """Return X of new data as `Spec.apply` computes it."""
        spec: Any = self.update(**attr_overrides) if attr_overrides else self
        if spec.learned is None:
            _refuse("the columns of a design that was not made from a data frame")
        labels = [str(item.term) for item in spec.structure]
        if [str(term) for term in spec.formula] != labels:
            _refuse("the columns of another formula")
        output: Output = spec.output
        choice_of("output", output, _OUTPUTS)
        # The model's offset may be known for its own rows only.
        learned = replace(spec.learned, offset=False)
        found = learned.apply(data, na_action=_NA_ACTIONS[spec.na_action.value], random=False)
        X, rows = found.X, found.positions
        if drop_rows is not None:
            every = rows.tolist()
            kept = [row not in drop_rows for row in every]
            X, rows = X[kept], rows[kept]
            drop_rows |= set(range(max(every, default=-1) + 1)) - set(every)
        columns = [at for name in labels for at in range(*spec.places[name].indices(X.shape[1]))]
        names = [spec.learned.fixed.names[at] for at in columns]
        index = getattr(data, "index", None)
        index = index[rows] if output == "pandas" and index is not None else None
        return ModelMatrix(_contained(X[:, columns], names, index, output), spec=spec)

    def differentiate(self, *_: Any, **__: Any) -> ModelSpec:
        """Refuse: the columns of the derivative are not in the design."""
        _refuse("derivatives of these columns")
