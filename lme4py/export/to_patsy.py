"""X as patsy's ``DesignMatrix``: names, terms and their slices, linear constraints."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lme4py.design import FixedDesign
from lme4py.errors import DataError, FormulaError
from lme4py.export.coordinates import INTERCEPT, dense, fixed_terms

if TYPE_CHECKING:
    from patsy import DesignMatrix


@dataclass(frozen=True, slots=True)
class _Block:
    """What stands for a term among patsy's factors: the term's columns as one numeric block.

    R and patsy code interactions by different rules, so patsy may know how wide a term
    is, but must not be asked to make it again.
    """

    label: str

    @property
    def origin(self) -> None:
        """Where in a formula the factor stands; nowhere that patsy knows."""

    def name(self) -> str:
        """Return the term's label in R."""
        return self.label

    def eval(self, state: Any, data: Any) -> Any:  # noqa: ARG002
        """Refuse to be made again from new data by patsy's rules."""
        raise FormulaError(
            f"patsy cannot make the columns of {self.label} from new data",
            hint="they are coded by R's rules, which are not patsy's",
        )


def to_patsy(design: FixedDesign) -> DesignMatrix:
    """Return X as a ``DesignMatrix``: `FixedDesign.to_patsy`."""
    try:
        from patsy import DesignInfo, DesignMatrix
        from patsy.desc import Term
        from patsy.design_info import FactorInfo, SubtermInfo
    except ImportError as error:
        raise ImportError("to_patsy() needs patsy: pip install -e '.[patsy]'") from error

    names = design.fixed.names
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"two columns of X are called {repeated[0]!r}, and patsy knows columns by name"
        )
    infos: dict[Any, Any] = {}
    codings: OrderedDict[Any, list[Any]] = OrderedDict()
    collide = False
    for label, columns in fixed_terms(design).items():
        own = names[columns]
        collide = collide or (label in names and own != [label])
        if label == INTERCEPT:
            codings[Term([])] = [SubtermInfo([], {}, 1)]
            continue
        block = _Block(label)
        infos[block] = FactorInfo(block, "numerical", {}, num_columns=len(own))
        codings[Term([block])] = [SubtermInfo([block], {}, len(own))]
    # patsy has one name space for columns and terms; where R's names clash, columns win.
    info = DesignInfo(names) if collide else DesignInfo(names, infos, codings)
    return DesignMatrix(dense(design.X), info)
