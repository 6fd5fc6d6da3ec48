"""The sections of the equations: products of matrices and vectors, one row, distributions.

Long runs of like terms and equations, as the columns of a factor with many levels make them, which
differ in one number alone, are told in one with an index h (`folded`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lme4py.data.values import Factor
from lme4py.design import MixedDesign
from lme4py.explain.estimates import covariance_symbols
from lme4py.explain.expression import (
    Operation,
    Quantity,
    Tree,
    column,
    computed,
    distributed,
    evaluate,
    grid,
    operands_of,
    quantities_of,
    rows_of,
    shortened,
    substituted,
    summed,
    times,
)
from lme4py.explain.markup.display import Note, Section
from lme4py.explain.system import ColumnProduct, System
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import Call

# A family's distribution, and what its parameters mean where that is not known by itself.
_DISTRIBUTIONS = {
    "poisson": ("Poisson", ""),
    "Gamma": ("Gamma", "Gamma(μ, σ²) has mean μ and variance σ²·μ²"),
    "inverse.gaussian": ("InverseGaussian", "InverseGaussian(μ, σ²) has mean μ and variance σ²·μ³"),
    "gaussian": ("N", ""),
    "negative.binomial": (
        "NegativeBinomial",
        "NegativeBinomial(μ, θ) has mean μ and variance μ + μ²/θ",
    ),
}
_MOST_TERMS = 30
_HOW_MADE = (
    "J has a 1 where a row belongs to a group, R the columns left of the bar; ⊙ multiplies each "
    "row of J with the same row of R, every entry with every entry (Bates et al. 2015, 2.3)"
)
# Longer runs are folded; those of equations without a term of their own sooner. More of the latter
# than are left stand side by side.
_LONGEST, _LONGEST_TRIVIAL, _MOST_TRIVIAL = 6, 3, 4
_INDEX = "h"


def matrix_sections(system: System) -> Iterator[Section]:
    """Yield one row, one cluster and the whole as products of matrices and vectors."""
    left, terms = system.outcome, (*system.row_terms(), *system.residual)
    caption = system.notation.caption
    link = () if system.residual else (Operation("=", (left, system.left_side)),)
    row = Operation("=", (left, Operation("+", terms)))
    yield Section("One observation", (row, *link))
    factors = system.factors
    if factors:
        # The cluster of the coarsest factor: others may lie inside it.
        own, title = factors[-1], f"One cluster, {caption(factors[-1])}"
        stage = system.hierarchy.stage[own]
        if len(factors) == 1:
            yield Section(title, (row.map(_stacked),), stage)
            title = ""
        relations = (in_matrices(system, factors, own), *_parts(system, own))
        yield Section(title, relations, stage, tuple(_sizes(system, own)))
    whole = [in_matrices(system, factors)]
    if len(factors) == 1:
        whole.append(Operation("=", (system.matrix("Z"), _blocks(system, factors[0]))))
    yield Section("All rows", tuple(whole), notes=tuple(_structure(system)))
    if factors:
        of_each = [[system.matrix(letter, factor) for letter in "ZJR"] for factor in factors]
        made = tuple(Operation("=", (Z, Operation("⊙", (J, R)))) for Z, J, R in of_each)
        notes: list[Note] = [_HOW_MADE]
        for factor, (_, J, R) in zip(factors, of_each, strict=True):
            size, columns = system.hierarchy.factors[factor].size, system.columns_of(factor)
            row = grid([[found.entry for found in columns]])
            shape = f" n × {len(columns)} with rows "
            notes.append((caption(factor), ": ", J, f" is n × {size}, ", R, shape, row))
        yield Section("How Z is made", made, notes=tuple(notes))


def observation_sections(system: System, row: int) -> Iterator[Section]:
    """Yield the equations of one row by levels and as row times vector, and its numbers.

    A term has the same mark in all of them: what stands beside a fixed effect is an entry of X,
    what stands beside a random effect one of Z.
    """
    at = slice(row, row + 1)
    here = {symbol: float(numbers(at)[0]) for symbol, numbers in system.values.items()}
    columns = [found for part in system.parts for found in part]
    marks = {found.effect: mark for mark, found in enumerate(columns)}

    def marked(tree: Tree) -> Tree:
        own = [marks[quantity] for quantity in quantities_of(tree) if quantity in marks]
        return Operation("marked", (tree, own[0])) if own else tree

    vectors = []
    for part in system.parts:
        entries = grid([[Operation("marked", (c.entry, marks[c.effect])) for c in part]])
        vectors.append(Operation("·", (entries, column(marked(c.effect) for c in part))))
    products = [times(c.entry, c.effect) for c in columns]
    numbers = [times(float(evaluate(c.entry, here)), c.effect) for c in columns]
    left, y = system.outcome, system.design.y
    value = float(y[row]) if system.residual and y is not None and y.ndim == 1 else left
    by_levels = system.combined_predictor().operands
    offsets = [here[offset] for offset in system.offsets]
    views: list[tuple[str, Tree, Iterable[Tree], Iterable[Tree]]] = [
        ("By levels, each equation put into the one below", left, map(marked, by_levels), ()),
        ("Row times vector", left, vectors, system.offsets),
        ("Multiplied out: the same terms", left, map(marked, products), system.offsets),
        ("The numbers of the row", value, map(marked, numbers), offsets),
    ]
    for title, side, terms, further in views:
        right = Operation("+", (*terms, *further, *system.residual))
        yield Section(title, (Operation("=", (side, right)),))


def in_matrices(system: System, factors: Sequence[str], own: str | None = None) -> Operation:
    """Return the equation of the rows of a cluster of `own`, or of all rows, in matrices."""
    terms: list[Tree] = []
    if system.fixed:
        terms.append(times(system.matrix("X", own=own), system.matrix("β")))
    for factor in factors:
        inside = own if own is not None and system.hierarchy.within(factor, own) else None
        Z, b = system.matrix("Z", factor, own), system.matrix("b", factor, inside)
        terms.append(times(Z, b))
    further = "o" * bool(system.offsets) + "ε" * bool(system.residual)
    terms += [system.matrix(letter, own=own) for letter in further]
    return Operation("=", (system.outcomes(own), Operation("+", tuple(terms))))


def residual_covariance(system: System, own: str) -> Tree:
    """Return the covariance matrix of the residuals of a cluster."""
    matrix: Tree = system.matrix("I", own=own)
    if system.design.weights is not None:
        matrix = Operation("^", (system.matrix("W", own=own), -1))
    return times(Quantity("residual variance"), matrix)


def _parts(system: System, own: str) -> Iterator[Operation]:
    """Yield what the vectors hold, how they are distributed, and what lies inside a cluster."""
    b, effects = system.matrix("b", own, own), system.effects_of(own)
    fixed = [found.effect for found in system.fixed]
    for vector, entries in ((system.matrix("β"), fixed), (b, effects)):
        if entries:
            yield Operation("=", (vector, Operation("ᵀ", (grid([entries]),))))
    for factor in system.factors:
        if factor != own and system.hierarchy.within(factor, own):
            inside = Operation("diag", (system.matrix("Z", factor, factor), Operation("⋯")))
            yield Operation("=", (system.matrix("Z", factor, own), inside))
    yield distributed(b, "N", 0.0, system.matrix("T", own))
    if system.residual:
        residual = system.matrix("ε", own=own)
        yield distributed(residual, "N", 0.0, residual_covariance(system, own))


def _sizes(system: System, own: str) -> Iterator[Note]:
    """Yield the sizes of a cluster's matrices, and what is independent of what."""
    rows, p, q = Quantity("size", factors=(own,)), len(system.fixed), len(system.effects_of(own))
    Z, b = (system.matrix(letter, own, own) for letter in "Zb")
    X, residual, W = (system.matrix(letter, own=own) for letter in "XεW")
    fixed = (X, " is ", rows, f" × {p}, ", system.matrix("β"), f" {p} × 1, ") if p else ()
    last = (", ", residual, " ", rows, " × 1") if system.residual else ()
    yield (*fixed, Z, " " if p else " is ", rows, f" × {q}, ", b, f" {q} × 1", *last)
    if system.residual:
        yield (b, " and ", residual, " are independent; so are those of different clusters")
    if system.residual and system.design.weights is not None:
        yield (W, " has the weights on its diagonal")


def _structure(system: System) -> Iterator[Note]:
    """Yield how the blocks of several factors lie to each other."""
    nested, crossed = False, False
    for place, factor in enumerate(system.factors):
        own, count = system.hierarchy.factors[factor], len(system.columns_of(factor))
        columns = f"{own.size} × {count} columns" if count > 1 else f"{own.size} columns"
        blocks = f"block-diagonal when the rows are ordered by {own.name}"
        yield (system.matrix("Z", factor), f" has {columns}, and is {blocks}")
        inside = [system.hierarchy.within(factor, other) for other in system.factors[place + 1 :]]
        nested, crossed = nested or any(inside), crossed or not all(inside)
    if nested:
        yield "nested factors: one order does for both, the finer blocks inside the coarser"
    if crossed:
        yield "crossed factors: no order does for both, their blocks lie side by side"


def _blocks(system: System, factor: str) -> Operation:
    """Return Z of one factor: a block for each level."""
    last = system.hierarchy.factors[factor].size
    first, final = (Quantity("matrix", "Z", numbers=(k,)) for k in (1, last))
    if last == 1:
        return grid([[first]])
    return grid([[first, 0.0, 0.0], [0.0, Operation("⋱"), 0.0], [0.0, 0.0, final]])


def _stacked(term: Tree) -> Tree:
    """Return a term of one row, or the sum of such, written for all rows of the cluster."""

    def in_row(tree: Tree, row: str) -> Tree:
        return substituted(tree, {q: replace(q, row=row) for q in quantities_of(tree) if q.row})

    match term:
        case Operation("+"):
            return term.map(_stacked)
        case Operation("·", (Operation("matrix", (Operation("row", entries),)), effects)):
            lines = [[in_row(entry, row) for entry in entries] for row in ("1", "n")]
            lines.insert(1, [Operation("⋮")] * len(entries))
            return Operation("·", (grid(lines), effects))
        case _:
            return column([in_row(term, "1"), Operation("⋮"), in_row(term, "n")])


def variance(
    system: System, own: str, factors: Sequence[str], known: Mapping[Quantity, Tree]
) -> Iterator[Operation]:
    """Yield V of a cluster of `own` in matrices, each T, and the variance of one row."""
    whole, total, each = list[Tree](), list[Tree](), list[Operation]()
    for factor in factors:
        Z, T = system.matrix("Z", factor, own), system.matrix("T", factor)
        one = system.hierarchy.within(own, factor)
        middle = T if one else Operation("diag", (T, Operation("⋯")))
        whole.append(times(Z, middle, Operation("ᵀ", (Z,))))
        symbols, _ = covariance_symbols(system, factor)
        each.append(Operation("=", (T, symbols)))
        if known:
            each.append(Operation("=", (T, computed(substituted(symbols, known)))))
        total += _quadratic(system.columns_of(factor), symbols)
    if system.residual:
        whole.append(residual_covariance(system, own))
        total.append(residual_variance(system.design))
    yield Operation("=", (system.matrix("V", own=own), Operation("+", tuple(whole))))
    yield from each
    if len(total) <= _MOST_TERMS:
        yield Operation("=", (Operation("var", (system.outcome,)), summed(total)))


def _quadratic(columns: Sequence[ColumnProduct], matrix: Tree) -> Iterator[Tree]:
    """Yield the terms of z T zᵀ, those of both halves of T together."""
    rows = rows_of(matrix)
    for one, first in enumerate(columns):
        for two, second in enumerate(columns[one:], start=one):
            cell = rows[one][two]
            factors: tuple[Tree, ...] = tuple(Operation("^", (a, 2)) for a in first.atoms)
            if one != two:
                factors = (2.0, *first.atoms, *second.atoms)
            if cell != 0.0:
                yield times(*factors, cell)


def distribution_sections(system: System) -> Iterator[Section]:
    """Yield what is random and how it is distributed.

    As Gelman and Hill write it, by deviations, the response and the coefficients are distributed
    about their means; else the residuals and the random effects.
    """
    lowest, by_deviation = response_section(system.design), system.notation.by_deviation
    if by_deviation and system.residual:
        mean = Operation("+", (*system.observations, *system.offsets))
        spread = residual_variance(system.design)
        lowest = Section("", (distributed(system.outcome, "N", mean, spread),))
    yield lowest
    for factor in system.factors:
        pairs: list[tuple[Tree, Tree]] = [(effect, 0.0) for effect in system.effects_of(factor)]
        pairs = _about_means(system, factor) or pairs if by_deviation else pairs
        covariance, _ = covariance_symbols(system, factor)
        relation = distributed(pairs[0][0], "N", pairs[0][1], *rows_of(covariance)[0])
        if len(pairs) > 1:
            left, center = (column(pair[k] for pair in pairs) for k in range(2))
            relation = distributed(left, "N", center, covariance)
        stage = system.hierarchy.stage[factor]
        yield Section(f"for {system.notation.caption(factor)}", (relation,), stage)


def residual_variance(design: MixedDesign) -> Tree:
    """Return σ², which weights divide."""
    variance = Quantity("residual variance")
    if design.weights is None:
        return variance
    return Operation("/", (variance, Quantity("weight", row="i")))


def response_section(design: MixedDesign) -> Section:
    """Return the distribution of the residual, or of the response of a generalized model."""
    variance = residual_variance(design)
    if design.family is None:
        residual = Quantity("residual", row="i")
        return Section("", (distributed(residual, "N", 0.0, variance),))
    response, mean = Quantity("response", row="i"), Quantity("mean", row="i")
    name, theta = design.family.name, design.family.theta
    if name == "binomial":
        return _binomial(design, response, mean)
    distribution, meaning = _DISTRIBUTIONS[name]
    arguments: tuple[Tree, ...] = (mean,) if name == "poisson" else (mean, variance)
    if theta is not None:
        arguments = (mean, theta)
    notes = (meaning,) if meaning else ()
    if name == "poisson" and design.weights is not None:
        notes = ("weights multiply the log-likelihood of each observation",)
    return Section("", (distributed(response, distribution, *arguments),), notes=notes)


def _binomial(design: MixedDesign, response: Quantity, mean: Quantity) -> Section:
    """Return what is binomial: successes, or a response of two values."""
    trials, notes, further = Quantity("trials", row="i"), tuple[str, ...](), tuple[Operation, ...]()
    counted: Tree = response
    value = design.model_frame.get(design.model_frame.response or "")
    if design.y is not None and design.y.ndim == 2:
        node, name = design.formula.response, design.model_frame.response or "y"
        texts = [f"{name}[1]", f"{name}[2]"]
        if isinstance(node, Call) and node.name == "cbind" and len(node.operands) == 2:
            texts = list(map(deparse, node.operands))
        counted, failed = (Quantity("response", text, row="i") for text in texts)
        further = (Operation("=", (trials, Operation("+", (counted, failed)))),)
    elif design.weights is not None:
        # A proportion times its number of trials is a count.
        counted, notes = times(trials, response), ("n is the number of trials, given as weights",)
    else:
        if isinstance(value, Factor):
            failure, *others = map(str, value.levels)
            success = others[0] if len(others) == 1 else "any other level"
            notes = (f"success, counted as 1, is {success}; {failure} is counted as 0",)
        return Section("", (distributed(response, "Bernoulli", mean),), notes=notes)
    shown = distributed(counted, "Binomial", trials, mean)
    return Section("", (shown, *further), notes=notes)


def _about_means(system: System, factor: str) -> list[tuple[Tree, Tree]]:
    """Return the coefficients of a factor with their means, where they are all there is."""
    stage, effects = system.hierarchy.stage[factor], system.effects_of(factor)
    means: dict[Tree, tuple[Tree, Tree]] = {}
    if len(system.hierarchy.at(stage)) == 1:
        for equation in system.stages[stage - 1]:
            terms = operands_of("+", equation.right)
            own = [term for term in terms if term in effects]
            if len(own) == 1:
                others = tuple(term for term in terms if term not in own)
                means[own[0]] = (equation.left, Operation("+", others))
    return [means[effect] for effect in effects] if set(effects) == set(means) else []


@dataclass(frozen=True, slots=True)
class _Run:
    """So many blocks of trees from a place on, alike but for a number and a variable's column."""

    count: int
    pattern: tuple[Tree, ...] = ()
    first: int = 0
    changing: frozenset[str] = frozenset()


def folded(section: Section) -> Section:
    """Return a section in which long runs are told once; what h stands for is noted."""
    notes: list[Note] = []
    told = _told([_sums(relation, notes) for relation in section.relations], notes)
    relations = [relation for relation in told if isinstance(relation, Operation)]
    trivial = [relation for relation in relations if isinstance(relation.right, Quantity)]
    if len(trivial) > _MOST_TRIVIAL:
        relations = [relation for relation in relations if relation not in trivial]
        notes.append(tuple(piece for each in trivial for piece in (", ", each))[1:])
    notes = [*section.notes, *dict.fromkeys(notes)]
    return replace(section, relations=tuple(relations), notes=tuple(notes))


def _sums(tree: Tree, notes: list[Note]) -> Tree:
    """Return a tree with the runs in its sums told once."""
    if not isinstance(tree, Operation):
        return tree
    tree = tree.map(lambda operand: _sums(operand, notes))
    if tree.name != "+" or len(tree.operands) <= _LONGEST:
        return tree
    return replace(tree, operands=tuple(_told(tree.operands, notes)))


def _told(trees: Sequence[Tree], notes: list[Note]) -> Iterator[Tree]:
    """Yield the terms of a sum, or equations below each other, their runs told once."""
    place = 0
    while place < len(trees):
        tree = trees[place]
        equation = isinstance(tree, Operation) and tree.name in ("=", "~")
        trivial = isinstance(tree, Operation) and equation and isinstance(tree.right, Quantity)
        runs = (_run(trees, place, size) for size in ((1,) if equation else (1, 2, 3)))
        run = max(runs, key=lambda each: each.count)
        if run.count <= (_LONGEST_TRIVIAL if trivial else _LONGEST):
            yield tree
            place += 1
            continue
        last, blocks = run.first + run.count - 1, run.count * len(run.pattern)
        match run.pattern:
            case (Operation("=" | "~" as sign, (left, right)),):
                yield Operation(sign, (left, Operation("each", (right, run.first, last))))
            case pattern:
                yield Operation("Σ", (run.first, last, summed(pattern)))
        symbols = [q for tree in run.pattern for q in quantities_of(tree) if q.part == _INDEX]
        if symbols:
            every = (q for tree in trees[place : place + blocks] for q in quantities_of(tree))
            parts = dict.fromkeys(q.part for q in every if q.name in run.changing)
            columns = ", ".join(shortened(list(parts), 4, "…"))
            notes.append((symbols[0], f" for h = {run.first}, …, {last}: {columns}"))
        place += blocks


def _run(trees: Sequence[Tree], start: int, size: int) -> _Run:
    """Return the longest run of blocks of that size from a place on."""
    best = _Run(1)
    one, two = trees[start : start + size], trees[start + size : start + 2 * size]
    if len(two) < size:
        return best
    pairs = zip(*(quantities_of(summed(block)) for block in (one, two)), strict=False)
    # The variables of which another column stands in the next block.
    changing = frozenset(
        a.name for a, b in pairs if a.part and a.name == b.name and a.part != b.part
    )
    numbers = next((q.numbers for q in quantities_of(summed(one)) if q.numbers), ())
    for place, first in enumerate(numbers):
        if not isinstance(first, int) or len(changing) > 1:
            continue
        pattern = tuple(_indexed(tree, place, first, changing) for tree in one)
        count = 1
        while True:
            begin = start + count * size
            block = trees[begin : begin + size]
            if tuple(_indexed(t, place, first + count, changing) for t in block) != pattern:
                break
            count += 1
        if count > best.count:
            best = _Run(count, pattern, first, changing)
    return best


def _indexed(tree: Tree, place: int, number: int, changing: frozenset[str]) -> Tree:
    """Return a tree with the index in place of a number and of the columns that change."""
    match tree:
        case Operation("marked", (inside, _)):
            # A run has one colour.
            return Operation("marked", (_indexed(inside, place, number, changing), 0))
        case Operation():
            return tree.map(lambda operand: _indexed(operand, place, number, changing))
        case Quantity(kind="predictor") if tree.part and tree.name in changing:
            return replace(tree, part=_INDEX)
        case Quantity(numbers=numbers) if len(numbers) > place and numbers[place] == number:
            return replace(tree, numbers=(*numbers[:place], _INDEX, *numbers[place + 1 :]))
        case _:
            return tree
