"""Covariance structures called around bars: those lme4 has, and those it has not."""

from __future__ import annotations

from lme4py.errors import FormulaError
from lme4py.formula.bars import (
    STRUCTURES,
    DoubleBar,
    holds_bars,
    is_bar,
    is_structure,
    structured_bar,
)
from lme4py.formula.deparse import deparse
from lme4py.formula.syntax import (
    Argument,
    Call,
    Constant,
    Node,
    call,
    calls_in,
    rebuilt,
    rewrite,
    strip_parentheses,
    with_operands,
)
from lme4py.versions import LME4_2, Lme4

__all__ = ["hom_arguments", "hom_of", "plain_bars", "refuse_foreign", "structure_remarks"]

# glmmTMB's structures that lme4 has not, and lme4's way to write the same where there is one.
# Its `exp` is not among them: exp(x | g) is a call of R's exp, and lme4 sees the bar in it.
_FOREIGN = {
    "homdiag": "diag({}, hom = TRUE)",
    "homcs": "cs({}, hom = TRUE)",
    "hetar1": "ar1({}, hom = FALSE)",
    **dict.fromkeys(("toep", "homtoep", "rr", "ou", "gau", "mat", "propto", "equalto"), None),
}


def hom_arguments(structured: Call) -> list[Argument]:
    """Return the arguments that R takes for `hom`: `$` completes names, if only one will do."""
    exact = [item for item in structured.arguments if item.name == "hom"]
    longer = [item for item in structured.arguments if (item.name or "").startswith("hom")]
    return exact[:1] or (longer if len(longer) == 1 else [])


def hom_of(structured: Call) -> bool | None:
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


def plain_bars(node: Node, lme4: Lme4 = LME4_2) -> Node:
    """Return the expression with every structured term written as a bar in parentheses.

    lme4 looks for the names, whether or not there is a bar. Of a call that holds one it keeps
    the operator only if it has two arguments: of others the first argument is left.

    Raises
    ------
    FormulaError
        If a structure is not one of lme4's.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> deparse(plain_bars(parse("x + cs(1 + x | g, hom = TRUE)")))
    'x + (1 + x | g)'
    >>> deparse(plain_bars(parse("!x + cs(1 | g)")))
    'x + (1 | g)'
    """
    refuse_foreign(node, lme4)

    def simplify(item: Call, operands: tuple[Node, ...]) -> Node:
        if item.name in lme4.structures and operands:
            return call("(", operands[0], span=item.span)
        made = rebuilt(item, operands)
        return made if made is item or len(item.arguments) == 2 else operands[0]

    return rewrite(node, simplify)


def refuse_foreign(node: Node, lme4: Lme4) -> None:
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
        if item.name in STRUCTURES and not holds_bars(first) and any(map(is_bar, others)):
            raise FormulaError(
                f"the first argument of {item.name} must be its term",
                item.span,
                f"write {item.name}(effects | group, hom = TRUE)",
            )


def structure_remarks(
    node: Node, double_bar: DoubleBar = "split", lme4: Lme4 = LME4_2
) -> list[str]:
    """Return where an expression asks for a structure in a way that lme4 passes over in silence.

    Examples
    --------
    >>> from lme4py.formula.parse import parse
    >>> structure_remarks(parse("x + diag((x | g))"))
    ['lme4 passes over the structure of diag((x | g)): write diag(x | g)']
    """
    remarks: list[str] = []
    for item in calls_in(node):
        if not is_structure(item):
            if item.name in lme4.structures and item.operands:
                first = deparse(item.operands[0])
                remarks.append(f"lme4 reads {first} for {deparse(item)}, which has no bar")
            continue
        inner = strip_parentheses(item.operands[0])
        if structured_bar(item) is not None:
            if len(item.arguments) > 2:
                remarks.append(
                    f"lme4 loses {deparse(item)}, which has more than two arguments: the model is "
                    f"without this term"
                )
                continue
            used = () if item.name == "us" else tuple(hom_arguments(item))
            unused = [argument for argument in item.arguments[1:] if argument not in used]
            if unused:
                text = ", ".join(_argument_text(argument) for argument in unused)
                known = "none" if item.name == "us" else "only hom = TRUE or hom = FALSE"
                remarks.append(f"lme4 ignores {text} in {deparse(item)}: {item.name} has {known}")
        elif double_bar == "diag" and item.name == "diag" and item.operands[0] is inner:
            continue
        elif item.name != "us":
            if isinstance(inner, Call) and is_bar(inner):
                instead = deparse(with_operands(item, call("|", *inner.operands)))
            else:
                instead = f"{item.name}(effects | group)"
            remarks.append(f"lme4 passes over the structure of {deparse(item)}: write {instead}")
    return remarks


def _argument_text(argument: Argument) -> str:
    value = "" if argument.value is None else deparse(argument.value)
    return value if argument.name is None else f"{argument.name} = {value}"
