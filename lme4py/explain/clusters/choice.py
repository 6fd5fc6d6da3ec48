"""The cluster that is asked for by its level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lme4py.design import MixedDesign
from lme4py.errors import DataError, nearest
from lme4py.explain.clusters.cluster import Cluster
from lme4py.explain.clusters.clusters import Clusters
from lme4py.explain.levels import hierarchy
from lme4py.numerals import label as number_label

__all__ = ["cluster"]


def cluster(design: MixedDesign, *level: object, **factor: object) -> Cluster:
    """Return the cluster of a level: ``cluster(design, "308")`` or ``(design, Subject="308")``.

    Parameters
    ----------
    design : MixedDesign
        The model.
    level : str or number
        The level; a number means the level R makes of it. ``group=`` beside it names the
        grouping factor; it may be left out where only one factor has that level.
    factor : str or number
        Without `level`: the level, by the name of its grouping factor.

    Raises
    ------
    DataError
        For an unknown level, or one that several factors have.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> print(cluster(design, 308).display(rows=4))
    Subject = 308: 10 rows
      y_j = X_j β + Z_j b_j + ε_j
      ⎡249.560⎤   ⎡1  0⎤                   ⎡1  0⎤                         ⎡ε_1 ⎤
      ⎢258.705⎥ = ⎢1  1⎥ ⎡β_(Intercept)⎤ + ⎢1  1⎥ ⎡b_{(Intercept),308}⎤ + ⎢ε_2 ⎥
      ⎢      ⋮⎥   ⎢⋮  ⋮⎥ ⎣β_Days       ⎦   ⎢⋮  ⋮⎥ ⎣b_{Days,308}       ⎦   ⎢⋮   ⎥
      ⎣466.353⎦   ⎣1  9⎦                   ⎣1  9⎦                         ⎣ε_10⎦
    """
    factors = hierarchy(design).factors
    label, group = _asked(level, factor)
    if group is not None:
        found = Clusters(design, group)
        names = found.levels
        if label not in names:
            raise DataError(
                f"'{group}' has no level '{label}'",
                hint=nearest(label, names) or f"its levels: {_some(names)}",
            )
        return found[names.index(label)]
    having = [choice for choice in factors if label in choice.levels]
    if not having:
        everything = dict.fromkeys(name for choice in factors for name in choice.levels)
        raise DataError(
            f"no grouping factor has a level '{label}'",
            hint=nearest(label, everything)
            or "; ".join(f"{choice.name}: {_some(choice.levels)}" for choice in factors),
        )
    if len(having) > 1:
        choices = " or ".join(f"group='{choice.name}'" for choice in having)
        raise DataError(
            f"several grouping factors have a level '{label}'", hint=f"say which: {choices}"
        )
    return Clusters(design, having[0].name)[having[0].levels.index(label)]


def _asked(level: tuple[object, ...], factor: Mapping[str, object]) -> tuple[str, str | None]:
    """Return the level asked for, and its factor if that was named."""
    if len(level) == 1 and set(factor) <= {"group"}:
        group = factor.get("group")
        return _label(level[0]), None if group is None else str(group)
    if not level and len(factor) == 1:
        ((name, value),) = factor.items()
        return _label(value), name
    raise DataError(
        "name one cluster", hint="write cluster('308'), cluster('308', group='g') or cluster(g=308)"
    )


def _label(level: object) -> str:
    match level:
        case bool() | np.bool_():
            return "TRUE" if level else "FALSE"
        case int() | np.integer():
            return str(int(level))
        case float() | np.floating():
            return number_label(float(level))
        case _:
            return str(level)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f", ... {len(names) - 6} more" if len(names) > 6 else "")
