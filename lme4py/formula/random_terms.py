"""Random-effects terms: the bars ``(effects | group)`` of a formula.

Two walks over the right-hand side, each lme4's:

* `find_bars` meets the bars left to right through parentheses, any operator and any
  call; what joins or encloses a bar has no meaning for it.
* `without_bars` cuts them out: of ``A op (bar)`` A remains, of ``(bar) op B`` B.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lme4py.errors import FormulaError, FormulaSyntaxError
from lme4py.formula.bars import Bar, is_bar, is_structure, sides_of, spine_of, structured_bar
from lme4py.formula.deparse import deparse
from lme4py.formula.parse import parse
from lme4py.formula.structures import hom_of, plain_bars, refuse_foreign
from lme4py.formula.syntax import Call, Node, Symbol, call, calls_in, placed, rebuilt
from lme4py.formula.terms import terms
from lme4py.formula.written_bars import expand_double_bars
from lme4py.versions import LME4_2, Lme4

__all__ = ["find_bars", "without_bars"]

_MOST_CHARACTERS = 50_000


def find_bars(node: Node, lme4: Lme4 = LME4_2) -> tuple[Bar, ...]:
    """Return the random-effects terms of a right-hand side (lme4's ``findbars``).

    Raises
    ------
    FormulaError
        If a covariance structure is unknown, `hom` is not TRUE or FALSE, or a grouping
        expression cannot be expanded.

    Examples
    --------
    >>> [bar.label for bar in find_bars(parse("x + (1 + x | g/h) + (1 | g*k)"))]
    ['1 + x | h:g', '1 + x | g', '1 | g', '1 | k', '1 | g:k']
    >>> [(bar.label, bar.structure, bar.hom) for bar in find_bars(parse("cs(x | g, hom = TRUE)"))]
    [('x | g', 'cs', True)]
    """
    refuse_foreign(node, lme4)
    groups = _expanded if lme4.expands_groups else _nested
    return tuple(
        replace(bar, group=group)
        for bar, expandable in _walk_bars(expand_double_bars(node))
        for group in (groups(bar.group) if expandable else [bar.group])
    )


def _walk_bars(node: Node) -> Iterator[tuple[Bar, bool]]:
    """Yield the bars, and whether their groups are expanded."""
    first, calls = spine_of(node)
    if isinstance(first, Call):
        if first.name == "|":
            yield Bar(*sides_of(first), first), True
        elif (inner := structured_bar(first)) is not None:
            # lme4 expands the group only where the term is the structure's one argument, and
            # loses a structure that has more than two.
            if len(first.arguments) <= 2:
                bar = Bar(*sides_of(inner), inner, first.name or "us", hom_of(first))
                yield bar, len(first.arguments) == 1
        elif len(first.operands) == 1 or is_structure(first):
            yield from _walk_bars(first.operands[0])
    for outer in calls:
        yield from _walk_bars(outer.operands[1])


def _expanded(group: Node) -> list[Node]:
    """Return the terms of a grouping expression, as lme4 does since 1.1-36.

    Where there is a ``/``, the labels are taken apart at every colon and turned around,
    and so is their list. It is done on their text, which then is read again.
    """
    if isinstance(group, Symbol) and group.name != ".":
        return [group]
    found = terms(call("~", group))
    labels = list(found.labels)
    if sum(map(len, labels)) > _MOST_CHARACTERS:
        raise FormulaError(
            f"the grouping factors have more than {_MOST_CHARACTERS:,} characters", group.span
        )
    if _mentions_slash(group):
        labels = [":".join(reversed(label.split(":"))) for label in reversed(labels)]
    # A variable that reads again as it stands keeps its place in the user's text.
    known = {deparse(variable): variable for variable in found.variables}
    return [known.get(label) or _reread(label, group) for label in labels]


def _reread(label: str, group: Node) -> Node:
    try:
        return placed(parse(label), group.span)
    except FormulaSyntaxError as error:
        raise FormulaSyntaxError(
            f"{error.message}: lme4 reads the grouping factor as {label}",
            group.span,
            "a name or call with a colon in it does not work with /; make a column of it",
        ) from None


def _nested(group: Node) -> list[Node]:
    """Return ``b:a`` and ``a`` for ``a/b``, deepest first, as lme4 did before 1.1-36."""
    if not _mentions_slash(group):
        return [group]
    if not (isinstance(group, Call) and group.name == "/" and len(group.operands) == 2):
        raise FormulaError(
            "unparseable formula for grouping factor",
            group.span,
            "write nested groups as a/b, without parentheses or other operators around them",
        )
    left, inner = group.operands
    if isinstance(left, Call) and not _mentions_slash(left):
        raise FormulaError(
            f"couldn't evaluate grouping factor {deparse(group)} within model frame",
            left.span,
            "left of / lme4 takes a plain name; add the combined factor to the data",
        )
    # lme4 joins the inner factor with the deepest one of the outer side.
    outer = _nested(left)
    return [call(":", _nested(inner)[0], outer[0], span=group.span), *outer]


def _mentions_slash(node: Node) -> bool:
    return any(item.name == "/" for item in calls_in(node))


def without_bars(node: Node, lme4: Lme4 = LME4_2) -> Node | None:
    """Return a right-hand side with its bars cut out, None if nothing is left (``nobars``).

    Examples
    --------
    >>> deparse(without_bars(parse("(1 | g) - x + z")))
    'x + z'
    >>> deparse(without_bars(parse("x + diag(z | g)")))
    'x'
    """
    return _outside_bars(plain_bars(node, lme4))


def _outside_bars(node: Node) -> Node | None:
    first, calls = spine_of(node)
    kept: Node | None = None if is_bar(first) else first
    if isinstance(kept, Call) and len(kept.operands) == 1:
        inside = _outside_bars(kept.operands[0])
        kept = None if inside is None else rebuilt(kept, (inside,))
    for outer in calls:
        if outer.name not in ("~", "(") and any(is_bar(operand) for operand in outer.operands):
            kept = None
            continue
        right = _outside_bars(outer.operands[1])
        if kept is None:
            kept = right
        elif right is not None:
            kept = rebuilt(outer, (kept, right, *outer.operands[2:]))
    return kept
