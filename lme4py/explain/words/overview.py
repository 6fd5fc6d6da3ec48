"""The model as a whole: its equation, its levels, the table of its parts."""

from __future__ import annotations

import numpy as np

from lme4py.explain.document import Code, Prose, Table
from lme4py.explain.words.model import Model, numbered_terms, variables_of
from lme4py.explain.words.phrases import MOST_NAMES, MOST_TERMS, elided, joined, spans, written

__all__ = ["levels_in_words", "opening", "overview"]


def opening(model: Model) -> Prose:
    """Return the equation, and what its parts are."""
    matrices = model.matrices
    offset = " + offset" if matrices.offset is not None else ""
    if matrices.family is None:
        equation = f"y = X β + Z b{offset} + ε"
        spread = "ε between observations"
    else:
        family = matrices.family
        equation = f"g(E[y]) = X β + Z b{offset}"
        spread = f"the {family.name} distribution between observations, with link g = {family.link}"
    said: list[str | Code] = [
        f"{model.rows:,} observations of ",
        Code(model.response),
        ": ",
        Code(equation),
        (
            ". X β is the part that all groups share, Z b what each group adds to it, "
            f"{spread}. One column of X for each element of β ({matrices.X.shape[1]:,}), one "
            f"column of Z (a row of Zt) for each element of b ({matrices.random.Zt.shape[0]:,})."
        ),
    ]
    if matrices.weights is not None and matrices.family is None:
        said.append(" Weights divide the variance of each observation.")
    return said


def overview(model: Model) -> Table:
    """Return the table of parts: where each acts and what it makes."""
    random = model.matrices.random
    rows: list[list[Prose]] = []
    for number, label in numbered_terms(model):
        columns = model.columns(number)
        rows.append([[Code(label)], _acts_at(model, number), spans(columns), [], []])
    rows = elided(rows, MOST_TERMS)
    theta = 0
    for k, term in enumerate(random.terms):
        group = model.groups[term.bar.group_name]
        following = theta + term.covariance.parameters
        rows.append(
            [
                [Code(written(term))],
                [f"level {group.level}: ", Code(group.name)],
                [],
                [f"{int(random.Gp[k])}:{int(random.Gp[k + 1])}"],
                [f"{theta}:{following}"],
            ]
        )
        theta = following
    return Table(["part", "acts at", "columns of X", "rows of Zt", "theta"], rows)


def _acts_at(model: Model, number: int) -> Prose:
    """Return the level of a fixed term: that of its variables that change fastest."""
    if number == 0:
        return ["all observations"]
    names = variables_of(model.fixed_terms, model.fixed_terms.members[number - 1])
    homes = list(dict.fromkeys(model.home(name) for name in names))
    if homes == [None]:
        return ["level 1: observations"]
    said: list[str | Code] = ["level 1"] if None in homes else []
    for home in homes:
        if home is not None:
            said += [" × " if said else "", f"level {model.groups[home].level}: ", Code(home)]
    return said


def levels_in_words(model: Model) -> Prose:
    """Return which levels there are, and how the grouping factors lie to each other."""
    said: list[str | Code] = [f"Level 1 is the observation ({model.rows:,})."]
    for group in sorted(model.groups.values(), key=lambda item: item.level):
        codes = group.grouping.codes
        counts = np.bincount(codes[codes >= 0], minlength=group.size)
        few, many = int(counts.min()), int(counts.max())
        each = f"{few:,}" if few == many else f"{few:,} to {many:,}"
        said += [f" Level {group.level} is ", Code(group.name)]
        said.append(f": {group.size:,} groups of {each} observation{'' if many == 1 else 's'}")
        if group.inside:
            said += [", each inside one ", *joined([[Code(name)] for name in group.inside])]
        said.append(".")
    names = list(model.groups)
    crossed = [
        (first, second)
        for k, first in enumerate(names)
        for second in names[k + 1 :]
        if second not in model.groups[first].inside and first not in model.groups[second].inside
    ]
    for first, second in crossed[:MOST_NAMES]:
        said += [
            " ",
            Code(first),
            " and ",
            Code(second),
            " are crossed: neither lies in the other.",
        ]
    variables = model.fixed_terms.frame_names[0 if model.fixed_terms.response is None else 1 :]
    found = [(name, home) for name in variables if (home := model.home(name)) is not None]
    for name, home in found[:MOST_NAMES]:
        said += [" ", Code(name), " is constant within each ", Code(home), "."]
    if len(found) > MOST_NAMES:
        said.append(f" {len(found) - MOST_NAMES} more variables are constant within groups.")
    return said
