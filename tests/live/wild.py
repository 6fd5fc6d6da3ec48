"""Model calls as analysts write them, with data made up to fit: one case from a seed and a number.

A file of calls holds ``lmer(formula, argument = ...)`` and ``glmer(...)`` one after the
other, each beginning at the start of a line; lines that begin with a blank continue it.
What a variable may be is told from its use (a grouping factor, the argument of ``log``,
a side of ``== "yes"``); where its use leaves it open, the dice choose.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from lme4py.errors import FormulaSyntaxError
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Argument, Call, Constant, Node, Number, Symbol, Text

from .generator import Case, Column

__all__ = ["FORMULAS", "ModelCall", "make_wild", "read_calls"]

FORMULAS = Path(__file__).resolve().parents[2] / "fixtures" / "wild" / "calls.txt"

_POSITIVE = {"log", "log2", "log10", "sqrt", "gamma", "lgamma"}
_UNIT = {"qlogis", "logit", "asin"}
_CODED = {"factor", "as.factor", "ordered", "as.ordered", "C", "interaction", "droplevels", "paste",
          "paste0", "addNA", "levels", "nlevels", "as.character", "is.na", "reorder", "table",
          "dummy", "relevel", "unclass", "c", "model.matrix"}  # fmt: skip
_TEXT = {"substr", "nchar", "gsub", "sub", "grepl", "toupper", "tolower", "trimws", "strsplit"}
_COMPARISONS = {"==", "!=", "%in%", "is.element"}
_FUNCTIONS = {"mean", "contr.sum", "contr.helmert", "contr.poly"}
_FORMULA = {"+", "-", "*", "/", ":", "^", "(", "%in%", "**"}
_DATES = re.compile(r"^(date|d\d)$", re.IGNORECASE)

_LABELS = [
    ["a", "b", "c", "d", "e"],
    ["A", "B", "C", "D"],
    ["1", "2", "3", "10"],
    ["01", "02", "10", "9"],
    ["low", "mid", "high"],
    ["yes", "no"],
    ["Female", "Male"],
    ["control", "treat", "Treat"],
    ["pre", "post", "follow up"],
    ["0", "1"],
    ["T1", "T2", "T10"],
    ["new york", "Åre", "Zürich", "aix"],
    ["<30", "30-44", "45+"],
    ["TRUE", "FALSE"],
    ["a_1", "a.1", "a-1"],
    ["a:b", "a", "b:a"],
    ["", "x", " y"],
    ["NA ", "Inf", "1e5"],
]


@dataclass(frozen=True)
class ModelCall:
    """One call: the text of its formula, and its other arguments as R text."""

    formula: str
    glm: bool
    arguments: dict[str, Any]


@dataclass
class _Use:
    """How the formula uses one variable."""

    roles: set[str] = field(default_factory=set)
    levels: list[str] = field(default_factory=list)
    codes: list[float] = field(default_factory=list)


def read_calls(path: Path) -> list[ModelCall]:
    """Return the calls of a file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    whole = "\n".join(line for line in lines if not line.startswith("#"))
    return [_read(text) for text in re.split(r"\n(?=g?lmer\()", whole.strip())]


_read_cached = cache(read_calls)


def make_wild(seed: int, number: int, path: Path = FORMULAS) -> Case:
    """Return the case of the call at `number`, counted round, with data of its own."""
    calls = _read_cached(path)
    name = f"wild-{seed}-{number}"
    return _Maker(Random(name), calls[number % len(calls)]).case(name)


def _read(text: str) -> ModelCall:
    node = parse(text)
    assert isinstance(node, Call), text
    arguments: dict[str, Any] = {}
    formula = ""
    for argument in node.arguments:
        assert argument.value is not None, text
        assert argument.value.span is not None, text
        source = text[argument.value.span.start : argument.value.span.end]
        if not formula and argument.name in {None, "formula"}:
            formula = argument.value.value if isinstance(argument.value, Text) else _alone(source)
            continue
        name = argument.name or ("family" if source.startswith(_FAMILIES) else "data")
        # The data are made up, and nothing is fitted.
        if name in _USED:
            arguments[name] = _plain(name, argument.value, source)
    return ModelCall(formula, node.name == "glmer", arguments)


_FAMILIES = ("binomial", "poisson", "Gamma", "inverse.gaussian", "gaussian", "stats::")
_USED = frozenset(("REML", "family", "subset", "weights", "offset", "na.action", "contrasts"))


def _alone(source: str) -> str:
    """Return a formula that spans lines as text that is whole without the call around it."""
    try:
        parse(source)
    except FormulaSyntaxError:
        return re.sub(r"#[^\n]*", "", source).replace("\n", " ")
    return source


def _plain(name: str, value: Node, source: str) -> Any:
    match name, value:
        case "REML", _:
            return source in {"TRUE", "T", "1"}
        case "contrasts", Call():
            return {str(item.name): _word(item) for item in value.arguments}
        case "family" | "na.action" | "contrasts", Text():
            return value.value
        case _:
            return source


def _word(argument: Argument) -> str:
    value = argument.value
    assert isinstance(value, Symbol | Text), argument
    return value.name if isinstance(value, Symbol) else value.value


class _Uses:
    """What the formula and the arguments tell of each variable."""

    def __init__(self, call: ModelCall) -> None:
        self.of: dict[str, _Use] = defaultdict(_Use)
        formula = parse(call.formula)
        sides = formula.operands if isinstance(formula, Call) and formula.name == "~" else ()
        if len(sides) == 2:
            self.response(sides[0], call)
        self.terms(sides[-1] if sides else formula)
        for name in ("weights", "offset", "subset"):
            text = call.arguments.get(name)
            if isinstance(text, str):
                mode = "positive" if name == "weights" else "number"
                self.values(parse(text), mode if name != "subset" else "free")

    def response(self, node: Node, call: ModelCall) -> None:
        family = str(call.arguments.get("family", "gaussian"))
        if isinstance(node, Symbol):
            kind = next(
                (kind for kind in ("binomial", "poisson", "Gamma", "inverse") if kind in family),
                "number",
            )
            weighted = kind == "binomial" and "weights" in call.arguments
            self.of[node.name].roles.add("unit" if weighted else kind if call.glm else "number")
        else:
            self.values(node, "number")

    def terms(self, node: Node) -> None:
        match node:
            case Symbol():
                self.of[node.name].roles.add("free")
            case Call() if node.name in {"|", "||"}:
                self.terms(node.operands[0])
                self.groups(node.operands[-1])
            case Call() if node.name in _FORMULA:
                for operand in node.operands:
                    self.terms(operand)
            case Call() if node.name == "offset":
                self.values(node.operands[0], "number")
            case Call():
                self.values(node, "free")

    def groups(self, node: Node) -> None:
        if isinstance(node, Call) and node.name in {"I", "cut", "%/%"}:
            self.values(node, "number")
        elif isinstance(node, Call):
            for operand in node.operands:
                self.groups(operand)
        elif isinstance(node, Symbol):
            self.of[node.name].roles.add("group")

    def values(self, node: Node, mode: str) -> None:
        match node:
            case Symbol():
                self.of[node.name].roles.add(mode)
            case Call() if node.name in _COMPARISONS | {"relevel", "dummy"}:
                self.compared(node)
            case Call():
                operands = list(node.operands)
                name = node.name
                if isinstance(node.function, Call):
                    last = node.function.operands[-1]
                    name = last.name if isinstance(last, Symbol) else None
                inner = "number"
                if name in _POSITIVE and mode != "unit":
                    inner = "positive"
                elif name in _UNIT or (mode == "unit" and name == "sqrt"):
                    inner = "unit"
                elif name in _CODED:
                    inner = "coded"
                elif name in _TEXT:
                    inner = "text"
                elif name in {"&", "|", "!", "("} or (
                    mode in {"positive", "unit"} and name in {"+", "*", "/", "-", "pmin", "pmax"}
                ):
                    inner = mode
                elif name == "cbind" and mode == "number":
                    inner = "count"
                elif name == "-" and mode == "count":
                    self.values(operands.pop(0), "many")
                    inner = "count"
                elif name in {"/", "*", "round", "I"} and mode == "count":
                    inner = "count"
                for operand in operands:
                    if not isinstance(operand, Symbol) or operand.name not in _FUNCTIONS:
                        self.values(operand, inner)

    def compared(self, node: Call) -> None:
        texts = [item.value for item in _constants(node) if isinstance(item, Text)]
        codes = [float(item.value.real) for item in _constants(node) if isinstance(item, Number)]
        truth = any(isinstance(item, Constant) for item in _constants(node))
        for operand in node.operands:
            if isinstance(operand, Symbol):
                use = self.of[operand.name]
                use.levels += [text for text in texts if text not in use.levels]
                if texts:
                    use.roles.add("named")
                elif codes and not truth and node.name in _COMPARISONS:
                    use.codes += codes
                    use.roles.add("codes")
                else:
                    use.roles.add("coded")
            elif isinstance(operand, Call) and operand.name != "c":
                for symbol in _symbols(operand):
                    use = self.of[symbol.name]
                    use.levels += [text for text in texts if text not in use.levels]
                    use.roles.add("named" if texts else "number")


def _constants(node: Node) -> Iterator[Node]:
    if isinstance(node, Call):
        for operand in node.operands:
            yield from _constants(operand)
    elif not isinstance(node, Symbol):
        yield node


def _symbols(node: Node) -> Iterator[Symbol]:
    if isinstance(node, Symbol):
        yield node
    elif isinstance(node, Call):
        for operand in node.operands:
            yield from _symbols(operand)


class _Maker:
    """The dice of one case."""

    def __init__(self, dice: Random, call: ModelCall) -> None:
        self.dice = dice
        self.call = call
        self.rows = dice.choice([60, 72, 80, 96, 100, 120, 150, 180, 200])

    def chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    def case(self, name: str) -> Case:
        uses = _Uses(self.call).of
        dots = uses.pop(".", None) is not None
        if dots:
            uses["x"].roles.add("number")
            uses["f"].roles.add("free")
        free = [variable for variable, use in uses.items() if use.roles == {"free"}]
        self.most = 2 if len(free) > 6 else 3 if len(free) > 3 else 5
        columns = {variable: self.column(variable, use) for variable, use in uses.items()}
        columns = {key: column for key, column in columns.items() if column is not None}
        if self.chance(0.35):
            self.lose(columns)
        if self.chance(0.3):
            order = list(columns)
            self.dice.shuffle(order)
            columns = {key: columns[key] for key in order}
        arguments = dict(self.call.arguments)
        if self.chance(0.85):
            arguments["control"] = {
                f"check.{check}": "ignore"
                for check in ("nobs.vs.rankZ", "nobs.vs.nlev", "nlev.gtreq.5", "nlev.gtr.1",
                              "nobs.vs.nRE")
            }  # fmt: skip
        return Case(name, columns, self.call.formula, self.call.glm, arguments)

    def lose(self, columns: dict[str, Column]) -> None:
        for key in self.dice.sample(list(columns), min(len(columns), self.dice.randint(1, 3))):
            values = list(columns[key].values)
            for _ in range(self.dice.randint(1, 4)):
                values[self.dice.randrange(self.rows)] = None
            columns[key] = Column(columns[key].kind, values, columns[key].levels)

    # -- one column ---------------------------------------------------------------

    def column(self, name: str, use: _Use) -> Column | None:
        if _DATES.match(name):
            return self.days()
        roles = use.roles
        if "named" in roles:
            extra = self.dice.sample(["zz", "B", "other", "Z 1"], self.dice.randint(1, 2))
            return self.text([*use.levels, *(item for item in extra if item not in use.levels)])
        if "binomial" in roles:
            return self.binary()
        if "unit" in roles:
            return self.doubles(0.02, 0.98)
        if "many" in roles:
            return Column("integer", [self.dice.randint(10, 30) for _ in range(self.rows)])
        if roles & {"count", "poisson"}:
            values = [self.dice.randint(0, 9) for _ in range(self.rows)]
            whole = self.chance(0.6)
            return Column("integer" if whole else "double", values)
        if roles & {"positive", "Gamma", "inverse"}:
            return self.doubles(0.1, 20.0)
        if "codes" in roles:
            pool = sorted({*use.codes, *(code + 1 for code in use.codes)})
            return Column("double", self.some(pool))
        if "number" in roles and "group" in roles:
            return Column("integer", [self.dice.randint(0, 7) for _ in range(self.rows)])
        if "number" in roles:
            return self.number()
        if "group" in roles:
            return self.group()
        if roles & {"text", "coded"} and self.chance(0.1):
            return self.days()
        if "text" in roles:
            return self.text(["alpha_1", "beta_2", "b_10", "éa_3"])
        if "coded" in roles and self.chance(0.5):
            return Column("integer", self.some(list(range(1, 4))))
        return self.free()

    def some(self, pool: list[Any]) -> list[Any]:
        weights = [self.dice.uniform(0.2, 1.5) for _ in pool]
        return self.dice.choices(pool, weights, k=self.rows)

    def days(self) -> Column:
        return Column("date", self.some([18000.0 + 31 * at for at in range(12)]))

    def doubles(self, low: float, high: float) -> Column:
        digits = self.dice.choice([2, 3, 15])
        values = [round(self.dice.uniform(low, high), digits) for _ in range(self.rows)]
        return Column("double", values)

    def number(self) -> Column:
        dice = self.dice
        match dice.randint(0, 5):
            case 0:
                return Column("integer", [dice.randint(0, 12) for _ in range(self.rows)])
            case 1:
                return self.doubles(18, 90)
            case 2:
                return Column("double", [dice.gauss(0, 1) for _ in range(self.rows)])
            case 3:
                return Column("double", [float(row % 10) for row in range(self.rows)])
            case 4:
                return Column("integer", [1990 + dice.randint(0, 25) for _ in range(self.rows)])
            case _:
                return self.doubles(0.5, 12)

    def free(self) -> Column:
        roll = self.dice.random()
        if roll < 0.45:
            return self.number()
        if roll > 0.97:
            return self.days()
        if roll < 0.53:
            return Column("logical", self.some([True, False]))
        labels = self.dice.choice(_LABELS)[: self.most]
        if roll < 0.6:
            return Column("integer", self.some(list(range(1, 1 + self.most))))
        if roll < 0.67:
            return Column("ordered", self.some(labels), labels)
        return self.text(labels)

    def text(self, labels: list[str]) -> Column:
        labels = labels[:]
        values = self.some(labels)
        if self.chance(0.35):
            return Column("character", values)
        if self.chance(0.4):
            self.dice.shuffle(labels)
        if self.chance(0.25):
            labels.append("never seen")
        return Column("factor", values, labels)

    def binary(self) -> Column:
        match self.dice.randint(0, 4):
            case 0:
                return Column("logical", self.some([True, False]))
            case 1:
                return Column("factor", self.some(["no", "yes"]), ["no", "yes"])
            case 2:
                return Column("double", self.some([0.0, 1.0]))
            case _:
                return Column("integer", self.some([0, 1]))

    def group(self) -> Column:
        dice = self.dice
        count = dice.randint(3, 14)
        match dice.randint(0, 11):
            case 8:
                return Column("double", self.some([1.5 * at for at in range(count)]))
            case 9:
                return Column("date", self.some([17000.0 + 7 * at for at in range(count)]))
            case 10:
                labels = [f"{at}" for at in range(count, 0, -1)]
                return Column("ordered", self.some(labels), labels)
            case 11:
                return self.text([f"a:{at}" for at in range(count)])
            case 0 | 6:
                return Column("integer", self.some(list(range(1, count + 1))))
            case 1 | 7:
                return Column("integer", self.some([301 + 7 * at for at in range(count)]))
            case 2:
                return self.text([str(at) for at in range(1, count + 1)])
            case 3:
                return self.text([f"S{at:02d}" for at in range(count)])
            case 4:
                return self.text([f"site {chr(65 + at)}" for at in range(count)])
            case _:
                return self.text([f"{chr(97 + at)}" for at in range(count)])
