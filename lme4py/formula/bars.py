"""Bars, the random-effects terms of a formula: what counts as one, and lme4's walks to them.

A bar may be the first argument of a covariance structure of lme4 2.x, as in
``cs(x | g, hom = TRUE)``. The bar knows its structure; for everything else, such a
call stands for the bar in parentheses. There are four walks:

* `find_bars` meets the bars left to right through parentheses, any operator and any
  call; what joins or encloses a bar has no meaning for it.
* `without_bars` cuts them out: of ``A op (bar)`` A remains, of ``(bar) op B`` B.
* `expand_double_bars` writes ``(x || g)`` as ``(1 | g) + (0 + x | g)``, and `bars_as_sums`
  writes ``+`` for every bar, which gives the variables of the model frame. Both write back what
  they find, ``term[[j]] <- walk(term[[j]])``, and R takes an argument that is set to NULL out of
  the call: ``factor(w, exclude = NULL)`` becomes ``factor(w)``. Arguments behind it move up, and
  a walk that counted them before stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from lme4py.abbreviation import Abbreviated
from lme4py.errors import FormulaError, FormulaSyntaxError, Span
from lme4py.formula.deparse import deparse, variable_name
from lme4py.formula.parse import parse
from lme4py.formula.syntax import (
    Argument,
    Call,
    Constant,
    Node,
    Symbol,
    call,
    calls_in,
    folded,
    is_null,
    placed,
    strip_parentheses,
    with_operands,
)
from lme4py.formula.terms import terms
from lme4py.versions import LME4_2, Lme4

STRUCTURES = LME4_2.structures
"""The covariance structures of lme4 2.x: names that may be called around a bar."""
DoubleBar: TypeAlias = Literal["split", "diag"]
BARS = frozenset({"|", "||"})
# glmmTMB's structures that lme4 has not, and lme4's way to write the same where there is one.
# Its `exp` is not among them: exp(x | g) is a call of R's exp, and lme4 sees the bar in it.
_FOREIGN = {
    "homdiag": "diag({}, hom = TRUE)",
    "homcs": "cs({}, hom = TRUE)",
    "hetar1": "ar1({}, hom = FALSE)",
    **dict.fromkeys(("toep", "homtoep", "rr", "ou", "gau", "mat", "propto", "equalto"), None),
}

_MOST_CHARACTERS = 50_000
_GONE = "subscript out of bounds"
_Walk: TypeAlias = Callable[[Call, Node | None, str], Call]
"""Takes a call and what its first argument has become, and writes it back."""


@dataclass(frozen=True, repr=False, slots=True)
class Bar(Abbreviated):
    """One random-effects term ``effects | group``.

    Parameters
    ----------
    effects : Node
        Left of the bar: a one-sided formula for the columns.
    group : Node
        Right of the bar: the grouping factor, after ``a/b`` is expanded.
    source : Node
        The bar as it stands in the formula, for error positions.
    structure : {"us", "diag", "cs", "ar1"}
        The covariance structure; a plain bar is ``us``.
    hom : bool, optional
        One common standard deviation; None if the formula does not say.
    """

    effects: Node
    group: Node
    source: Node
    structure: str = "us"
    hom: bool | None = None

    @property
    def label(self) -> str:
        """The bar's text, as lme4 names it in ``Ztlist``."""
        return deparse(call("|", self.effects, self.group))

    @property
    def node(self) -> Call:
        """The term as a formula writes it: in parentheses, or in the name of its structure."""
        bar = call("|", self.effects, self.group)
        if self.structure == "us":
            return call("(", bar)
        hom = () if self.hom is None else (Argument(Constant(str(self.hom).upper()), "hom"),)
        return Call(Symbol(self.structure), (Argument(bar), *hom))

    @property
    def group_name(self) -> str:
        """The grouping factor's name in ``cnms`` and ``flist``."""
        return variable_name(self.group)


def is_bar(node: Node | None) -> bool:
    """Tell whether an expression is a bar."""
    return isinstance(node, Call) and node.name in BARS


def _holds_bars(node: Node) -> bool:
    """Whether a bar stands in the expression, where the walks come by."""
    pending = [node]
    while pending:
        item = pending.pop()
        if is_bar(item):
            return True
        if isinstance(item, Call):
            pending.extend(item.operands[:2])
    return False


def is_structure(node: Node) -> bool:
    """Whether a structure is called around a term, or around something that has bars."""
    return (
        isinstance(node, Call)
        and node.name in STRUCTURES
        and bool(node.operands)
        and _holds_bars(node.operands[0])
    )


def structured_bar(node: Call) -> Call | None:
    """Return the bar that a structure is called around; in parentheses lme4 does not see it."""
    if node.name not in STRUCTURES or not node.operands:
        return None
    inner = node.operands[0]
    return inner if isinstance(inner, Call) and inner.name == "|" else None


def _sides_of(bar: Call) -> tuple[Node, Node]:
    """Return what stands left and right of a bar."""
    if len(bar.operands) != 2:
        raise FormulaError("a bar has two sides: (effects | group)", bar.span)
    effects, group = bar.operands
    return effects, group


def hom_arguments(structured: Call) -> list[Argument]:
    """Return the arguments that R takes for `hom`: `$` completes names, if only one will do."""
    exact = [item for item in structured.arguments if item.name == "hom"]
    longer = [item for item in structured.arguments if (item.name or "").startswith("hom")]
    return exact[:1] or (longer if len(longer) == 1 else [])


def _hom_of(structured: Call) -> bool | None:
    """Return what a structure's `hom` says, None if it is not given."""
    for item in hom_arguments(structured):
        if isinstance(item.value, Constant) and item.value.name in ("TRUE", "FALSE"):
            return item.value.name == "TRUE"
        raise FormulaError(
            "'hom' is not TRUE or FALSE in special call",
            structured.span if item.value is None else item.value.span,
            "lme4 does not evaluate it: write hom = TRUE or hom = FALSE",
        )
    return None


def _plain_bars(node: Node, lme4: Lme4 = LME4_2) -> Node:
    """Return the expression with every structured term written as a bar in parentheses.

    lme4 looks for the names, whether or not there is a bar. Of a call that holds one it keeps
    the operator only if it has two arguments: of others the first argument is left. A structure
    that is not one of lme4's is an error.
    """
    _refuse_foreign(node, lme4)

    def simplified(item: Node, operands: tuple[Node, ...]) -> Node:
        if not isinstance(item, Call) or not operands:
            return item
        if item.name in lme4.structures:
            return call("(", operands[0], span=item.span)
        made = with_operands(item, *operands)
        return made if made is item or len(item.arguments) == 2 else operands[0]

    return folded(node, simplified)


def _refuse_foreign(node: Node, lme4: Lme4) -> None:
    """Raise for a structure that lme4 has not, and for a bar in the wrong place of one it has."""
    for item in calls_in(node):
        if not item.operands:
            continue
        first, *others = (strip_parentheses(operand) for operand in item.operands)
        if item.name in _FOREIGN and is_bar(first):
            instead = _FOREIGN[item.name]
            raise FormulaError(
                f"unknown covariance structure '{item.name}': lme4 has {', '.join(STRUCTURES)}",
                item.span,
                f"write {instead.format(deparse(first))}"
                if instead
                else f"without a name, ({deparse(first)}) is unstructured: us",
            )
        if is_structure(item) and item.name not in lme4.structures:
            raise FormulaError(
                f'could not find function "{item.name}"',
                item.span,
                f"lme4 {lme4.version} has no covariance structures: leave {item.name}() out, or "
                'give lme4="2.1"',
            )
        if item.name in STRUCTURES and not _holds_bars(first) and any(map(is_bar, others)):
            raise FormulaError(
                f"the first argument of {item.name} must be its term",
                item.span,
                f"write {item.name}(effects | group, hom = TRUE)",
            )


def find_bars(node: Node, lme4: Lme4 = LME4_2) -> tuple[Bar, ...]:
    """Return the random-effects terms of a right-hand side (lme4's ``findbars``).

    Examples
    --------
    >>> [bar.label for bar in find_bars(parse("x + (1 + x | g/h) + (1 | g*k)"))]
    ['1 + x | h:g', '1 + x | g', '1 | g', '1 | k', '1 | g:k']
    >>> [(bar.label, bar.structure, bar.hom) for bar in find_bars(parse("cs(x | g, hom = TRUE)"))]
    [('x | g', 'cs', True)]
    """
    _refuse_foreign(node, lme4)
    groups = _expanded if lme4.expands_groups else _nested
    return tuple(
        replace(bar, group=group)
        for bar, expandable in _walk_bars(expand_double_bars(node))
        for group in (groups(bar.group) if expandable else [bar.group])
    )


def _walk_bars(node: Node) -> Iterator[tuple[Bar, bool]]:
    """Yield the bars, and whether their groups are expanded."""
    pending = [node]
    while pending:
        item = pending.pop()
        if not isinstance(item, Call) or item.name == "||":
            continue
        inner = structured_bar(item)
        if item.name == "|":
            yield Bar(*_sides_of(item), item), True
        elif inner is None:
            within = item.operands[:1] if is_structure(item) else item.operands[:2]
            pending.extend(reversed(within))
        elif len(item.arguments) <= 2:
            # lme4 expands the group only where the term is the structure's one argument, and
            # loses a structure that has more than two.
            bar = Bar(*_sides_of(inner), inner, item.name or "us", _hom_of(item))
            yield bar, len(item.arguments) == 1


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
    hint = "a name or call with a colon in it does not work with /; make a column of it"
    return [
        known.get(label)
        or _reread(label, group.span, f"lme4 reads the grouping factor as {label}", hint)
        for label in labels
    ]


def _reread(text: str, span: Span | None, trouble: str, hint: str) -> Node:
    """Return what lme4 reads in text that it put together, which stands at `span` in the user's."""
    try:
        return placed(parse(text), span)
    except FormulaSyntaxError as error:
        raise FormulaSyntaxError(f"{error.message}: {trouble}", span, hint) from None


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
    return folded(_plain_bars(node, lme4), _outside_bars, whole=is_bar)


def _outside_bars(item: Node, parts: tuple[Node | None, ...]) -> Node | None:
    """Return what is left of a node of whose operands `parts` are left."""
    if is_bar(item):
        return None
    if not isinstance(item, Call) or not parts:
        return item
    several = len(parts) > 1 and item.name not in ("~", "(")
    if several and any(map(is_bar, item.operands)):
        return None
    kept = [part for part in parts[:2] if part is not None]
    if len(kept) == len(parts[:2]):
        return with_operands(item, *kept)
    return kept[0] if kept else None


def expand_double_bars(node: Node, method: DoubleBar = "split") -> Node:
    """Return the expression with each ``(e || g)`` written with single bars.

    With "split" there is one bar per term of e, as lme4's ``expandDoubleVerts`` writes them, which
    comes by the first argument of every call, and by the second where there are two. lme4 builds
    the pieces as text and parses them, so its limits are kept: no term besides the intercept, or
    a grouping name that needs back-quotes, is an error. "diag" writes ``diag(e | g)``, as lme4
    2.x does on request.

    Examples
    --------
    >>> expand = lambda text, method="split": deparse(expand_double_bars(parse(text), method))
    >>> expand("(x * z || g)")
    '((1 | g) + (0 + x | g) + (0 + z | g) + (0 + x:z | g))'
    >>> expand("y + (x * z || g)", "diag")
    'y + diag(x * z | g)'
    >>> expand("factor(w, exclude = NULL) + cut(x, 3, labels = NULL)")
    'factor(w) + cut(x, 3, labels = NULL)'
    """
    if method == "diag":
        return folded(node, _with_diagonal)
    return _written_back(node, _by_two_arguments, _GONE, past="||")


def bars_as_sums(node: Node, lme4: Lme4 = LME4_2) -> Node:
    """Return the expression with ``+`` for every ``|`` and ``||`` (lme4's ``subbars``).

    It comes by every argument.

    Examples
    --------
    >>> deparse(bars_as_sums(parse("x + (1 | g)")))
    'x + (1 + g)'
    >>> deparse(bars_as_sums(parse("cut(x, 3, labels = NULL)")))
    'cut(x, 3)'
    """
    return _written_back(_plain_bars(node, lme4), _by_all_arguments, lme4.empty_call)


def _with_diagonal(item: Node, operands: tuple[Node, ...]) -> Node:
    if not isinstance(item, Call) or not operands:
        return item
    if item.name == "||":
        return call("diag", call("|", *item.operands, span=item.span), span=item.span)
    first = item.operands[0]
    if item.name in ("(", "diag") and isinstance(first, Call) and first.name == "||":
        bar = call("|", *first.operands, span=first.span)
        return operands[0] if item.name == "(" else with_operands(item, bar)
    return item if item.name == "|" else with_operands(item, *operands)


def _by_two_arguments(outer: Call, first: Node | None, _: str) -> Call:
    if outer.name == "(":  # lme4 walks twice through parentheses
        if is_null(first):
            raise _stopped(outer)
        if first is not None and first is not outer.arguments[0].value:
            first = expand_double_bars(first)
    arguments = list(outer.arguments)
    _assign(arguments, 0, first)
    if len(arguments) == 2:
        second = arguments[1].value
        if second is not None:
            _assign(arguments, 1, expand_double_bars(second))
    if outer.name == "|" and len(arguments) < 2 <= len(outer.arguments):
        raise FormulaError(
            "1 argument passed to '|' which requires 2",
            outer.span,
            "lme4 deletes a side that is NULL: write (effects | group)",
        )
    return _with_arguments(outer, arguments)


def _by_all_arguments(outer: Call, first: Node | None, empty: str) -> Call:
    arguments = list(outer.arguments)
    _assign(arguments, 0, first)
    for place in range(1, len(outer.arguments)):
        if place >= len(arguments):
            raise _stopped(outer)
        value = arguments[place].value
        if value is not None:
            _assign(arguments, place, _written_back(value, _by_all_arguments, empty))
    made = _with_arguments(outer, arguments)
    bar = outer.name in BARS and len(outer.arguments) == 2
    return replace(made, function=Symbol("+")) if bar else made


def _written_back(node: Node, walk: _Walk, empty: str, past: str = "") -> Node:
    """Walk down the first arguments in a loop, and write the calls back from the inside.

    `empty` is what R says of a call without arguments; calls of `past` are split.
    """
    spine: list[Call] = []
    first: Node | None = node
    while isinstance(first, Call) and first.name != past:
        if not first.arguments:
            hint = f"lme4 takes no call without arguments such as {deparse(first)}"
            raise FormulaError(empty, first.span, hint)
        spine.append(first)
        first = first.arguments[0].value
    if isinstance(first, Call):
        first = _split(first)
    for outer in reversed(spine):
        first = walk(outer, first, empty)
    return node if first is None else first


def _assign(arguments: list[Argument], place: int, value: Node | None) -> None:
    """Do as R's ``term[[place]] <- value``."""
    if is_null(value):
        del arguments[place]
    else:
        arguments[place] = Argument(value, arguments[place].name)


def _with_arguments(outer: Call, arguments: list[Argument]) -> Call:
    pairs = zip(arguments, outer.arguments, strict=False)
    same = len(arguments) == len(outer.arguments) and all(
        new.value is old.value for new, old in pairs
    )
    return outer if same else replace(outer, arguments=tuple(arguments))


def _stopped(outer: Call) -> FormulaError:
    return FormulaError(
        _GONE,
        outer.span,
        f"lme4 deletes the arguments of {deparse(outer)} that are NULL and then looks for one that "
        "is not there; put its value into the data as a column",
    )


def _split(bar: Call) -> Node:
    effects, group = _sides_of(bar)
    found = terms(call("~", effects))
    if not found.labels:
        raise FormulaSyntaxError(
            "unexpected '|': the left side of || has no term besides the intercept",
            bar.span,
            "write (1 | group): a single random intercept has no correlations to leave out",
        )
    # R writes a lone name without its back-quotes here, so an odd one cannot be read again.
    group_text = variable_name(group)
    pieces = (["1"] if found.intercept else []) + [f"0+{label}" for label in found.labels]
    text = "+".join(f"({piece}|{group_text})" for piece in pieces)
    hint = "a grouping name that needs back-quotes does not work with ||; rename the column"
    return _reread(text, bar.span, "lme4 cannot split this ||", hint)
