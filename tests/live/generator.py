"""Random data frames, formulas and arguments: one case from a seed and a number."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from .times import time_call

__all__ = ["Case", "Column", "make_case"]

Kind = Literal["double", "integer", "logical", "character", "factor", "ordered", "date", "moment"]


@dataclass(frozen=True)
class Column:
    """A column of R's: plain Python values, None for NA; factors hold level names."""

    kind: Kind
    values: list[Any]
    levels: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Matrix:
    """A contrast matrix: rows of numbers, perhaps with column names."""

    rows: list[list[float]]
    names: list[str] | None = None


@dataclass(frozen=True)
class Case:
    """One call of lFormula or glFormula."""

    name: str
    columns: dict[str, Column]
    formula: str
    glm: bool
    arguments: dict[str, Any]
    row_names: list[str] | None = None


_WORDS = [
    "b",
    "A",
    "a",
    "B",
    "b10",
    "b2",
    "B1",
    "_x",
    "x_1",
    "x.1",
    "Zed",
    "zed",
    "10",
    "9",
    "é",
    "été",
    "e",
    "E",
    "ab",
    "Ab",
    "a b",
    "ä",
    "ñ",
    "low",
    "high",
    "mid",
]
_DOUBLES = [
    1.0,
    2.0,
    10.0,
    9.0,
    1e5,
    100001.0,
    123456.0,
    0.1,
    0.3,
    0.1 + 0.2,
    1 / 3,
    1e-4,
    2.5,
    -1.0,
    0.0,
    1e15,
    150000.0,
]
_INTEGERS = [1, 2, 3, 10, 100000, 20, 7, -4, 0]
_IGNORED = {
    "check.nobs.vs.rankZ": "ignore",
    "check.nobs.vs.nlev": "ignore",
    "check.nlev.gtreq.5": "ignore",
    "check.nlev.gtr.1": "ignore",
    "check.nobs.vs.nRE": "ignore",
}
_LEVELS = ["ignore", "warning", "stop"]
_FAMILIES = [
    "binomial",
    "binomial(link='probit')",
    'binomial("cloglog")',
    "poisson",
    "Gamma(link='log')",
    "gaussian",
    "poisson(link = 'sqrt')",
    "inverse.gaussian",
]


def make_case(seed: int, number: int) -> Case:
    """Return the case; the same for the same seed and number, on every machine."""
    return _Maker(Random(f"{seed}-{number}"), f"{seed}-{number}").case()


class _Maker:
    """The dice of one case, and the columns it has so far by what they can be used for."""

    def __init__(self, dice: Random, name: str) -> None:
        self.dice = dice
        self.name = name
        self.n = dice.choice([12, 16, 20, 24, 30, 40, 60, 60, 100, 150, 200])
        self.columns: dict[str, Column] = {}
        self.numeric: list[str] = []
        self.positive: list[str] = []
        self.coded: list[str] = []
        self.groups: list[str] = []

    def chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    def pick(self, choices: list[Any]) -> Any:
        return self.dice.choice(choices)

    # -- data ---------------------------------------------------------------------

    def case(self) -> Case:
        self.make_columns()
        glm = self.chance(0.25)
        response = self.response(glm)
        formula = self.formula(response)
        if self.chance(0.04):
            formula = self.spoil(formula)
        arguments = self.arguments(glm)
        if self.chance(0.25):
            self.sprinkle()
        order = list(self.columns)
        if self.chance(0.3):
            self.dice.shuffle(order)
        columns = {name: self.columns[name] for name in order}
        row_names = [f"r{row}" for row in range(self.n, 0, -1)] if self.chance(0.05) else None
        return Case(self.name, columns, formula, glm, arguments, row_names)

    def add(self, name: str, column: Column, *uses: list[str]) -> None:
        self.columns[name] = column
        for use in uses:
            use.append(name)

    def make_columns(self) -> None:
        n, dice = self.n, self.dice
        self.add("y", Column("double", [dice.gauss(0, 1) for _ in range(n)]))
        for name in dice.sample(["x", "z", "w.1", "x_2", "x two", "T"], dice.randint(1, 4)):
            self.add(name, self.number_column(), self.numeric)
        for name in dice.sample(["p", "size.1"], dice.randint(0, 2)):
            values = [round(dice.uniform(0.1, 20), dice.choice([1, 3, 12])) for _ in range(n)]
            self.add(name, Column("double", values), self.numeric, self.positive)
        if self.chance(0.4):
            self.add(
                "i",
                Column("integer", [dice.choice(_INTEGERS) for _ in range(n)]),
                self.numeric,
                self.groups,
            )
        counts = dice.choice([[3, 5, 4], [4, 4, 4], [2, 6, 6], [5, 3, 3], [6, 4, 2], [8, 3, 8]])
        for name, levels in zip(
            dice.sample(["g", "h", "k", "G", "g h", "a_b"], dice.randint(1, 3)),
            counts,
            strict=False,
        ):
            self.add(name, self.factor_column(levels), self.coded, self.groups)
        if self.chance(0.4):
            self.add("s", self.text_column(dice.randint(2, 7)), self.coded, self.groups)
        if self.chance(0.3):
            self.add(
                "o", self.factor_column(dice.randint(2, 5), ordered=True), self.coded, self.groups
            )
        if self.chance(0.35):
            self.add(
                "flag",
                Column("logical", [dice.random() < 0.6 for _ in range(n)]),
                self.coded,
                self.groups,
            )
        if self.chance(0.3):
            pool = dice.sample(_DOUBLES, dice.randint(2, 7))
            self.add(
                "d",
                Column("double", [dice.choice(pool) for _ in range(n)]),
                self.groups,
                self.numeric,
            )
        if self.chance(0.1):
            days = [19000 + dice.randint(-40, 400) for _ in range(dice.randint(2, 6))]
            seconds = [86400.0 * day + 60 * dice.randint(1, 1439) for day in days]
            self.add("at", Column("moment", [dice.choice(seconds) for _ in range(n)]), self.groups)
        if self.chance(0.2):
            days = [19000 + dice.randint(-9000, 9000) for _ in range(dice.randint(3, 8))]
            self.add("when", Column("date", [dice.choice(days) for _ in range(n)]), self.groups)
        if self.groups and self.chance(0.5):
            by = self.columns[dice.choice(self.groups)]
            values = {
                value: round(dice.gauss(0, 2), 2) for value in sorted(set(by.values), key=str)
            }
            self.add("M", Column("double", [values[value] for value in by.values]), self.numeric)
        if self.chance(0.05):
            name = dice.choice(["one", "two"])
            self.add(name, Column("double", [1.0 if name == "one" else 2.0] * n), self.numeric)

    def number_column(self) -> Column:
        dice, n = self.dice, self.n
        match dice.randint(0, 6):
            case 0 | 1:
                return Column("double", [dice.gauss(0, 1) for _ in range(n)])
            case 2:
                return Column("double", [round(dice.gauss(0, 2), 1) for _ in range(n)])
            case 3:
                return Column("integer", [dice.randint(-3, 12) for _ in range(n)])
            case 4:
                return Column("double", [float(row % 10) for row in range(n)])
            case 5:
                return Column("double", [1e5 + 100 * dice.random() for _ in range(n)])
            case _:
                return Column("double", [dice.choice([0.0, 0.0, 1.0, 2.5]) for _ in range(n)])

    def factor_column(self, count: int, ordered: bool = False) -> Column:
        dice, n = self.dice, self.n
        names = (
            dice.sample(_WORDS, count)
            if self.chance(0.4)
            else [f"{dice.choice('abtL')}{at}" for at in range(1, count + 1)]
        )
        names = list(dict.fromkeys(names))
        used = names[:]
        dice.shuffle(used)
        if self.chance(0.3) and len(used) > 2:
            used.pop()
        values = [used[row % len(used)] for row in range(n)]
        if self.chance(0.6):
            dice.shuffle(values)
        elif self.chance(0.5):
            values.sort()
        if self.chance(0.3):
            dice.shuffle(names)
        return Column("ordered" if ordered else "factor", values, names)

    def text_column(self, count: int) -> Column:
        pool = self.dice.sample(_WORDS, count)
        return Column("character", [self.dice.choice(pool) for _ in range(self.n)])

    def sprinkle(self) -> None:
        for name in self.dice.sample(
            list(self.columns), min(len(self.columns), self.dice.randint(1, 3))
        ):
            column = self.columns[name]
            values: list[Any] = column.values[:]
            for _ in range(self.dice.randint(1, 3)):
                infinite = column.kind == "double" and self.chance(0.03)
                values[self.dice.randrange(self.n)] = float("inf") if infinite else None
            self.columns[name] = Column(column.kind, values, column.levels)

    # -- formula ------------------------------------------------------------------

    def quoted(self, name: str) -> str:
        return f"`{name}`" if " " in name else name

    def number(self) -> str:
        return self.quoted(self.pick(self.numeric))

    def plus(self) -> str:
        return self.quoted(self.pick(self.positive))

    def code(self) -> str:
        return self.quoted(self.pick(self.coded)) if self.coded else self.number()

    def group(self) -> str:
        return self.quoted(self.pick(self.groups)) if self.groups else self.number()

    def response(self, glm: bool) -> str:
        n, dice = self.n, self.dice
        if not glm:
            if self.chance(0.05) and self.positive:
                return f"log({self.plus()})"
            if self.chance(0.03):
                return "I(y * 2 + 1)"
            return "y"
        match dice.randint(0, 5):
            case 0:
                self.add("bin", Column("integer", [dice.randint(0, 1) for _ in range(n)]))
                return "bin"
            case 1:
                self.add("won", Column("double", [float(dice.randint(0, 5)) for _ in range(n)]))
                self.add("lost", Column("double", [float(dice.randint(1, 5)) for _ in range(n)]))
                return dice.choice(["cbind(won, lost)", "won/(won + lost)"])
            case 2:
                self.add("yes", Column("logical", [dice.random() < 0.5 for _ in range(n)]))
                return "yes"
            case 3:
                self.add("r", self.factor_column(2))
                return "r"
            case 4:
                self.add("count", Column("integer", [dice.randint(0, 9) for _ in range(n)]))
                return "count"
            case _:
                return "y > 0" if self.chance(0.3) else "I(y > 0)"

    def numeric_call(self) -> str:
        x = self.number()
        calls = [
            f"I({x}^2)",
            f"I({x} * 2)",
            f"I({x} + {self.number()})",
            f"I({x} / 3 - 1)",
            f"scale({x})",
            f"poly({x}, 2)",
            f"exp({x} / 1e5)",
            f"abs({x})",
            f"I(-{x})",
            f"scale({x}, scale = FALSE)",
            f"poly({x}, 2, raw = TRUE)",
            f"{x} > {self.pick(['0', '1', '2.5'])}",
            f"I({x} >= 1)",
            f"as.numeric({x})",
            f"factor({x} > 0)",
            f"round({x}, 1)",
            f"I({x} %% 3)",
            f"I({x} - mean({x}))",
            f"I({x}*{self.number()})",
            f"cut({x}, 3)",
            f"as.numeric({x} > 1)",
            f"pmin({x}, 1)",
            f"poly({x}, 3)",
            f"ifelse({x} > 0, 1, 0)",
            f"{x} %in% c(1, 2)",
            f"I(({x} - 2)^2 / 10)",
            f"as.integer({x})",
            f"sin({x})",
            f"I(sqrt(abs({x})))",
            f"cut({x}, c(-5, 0, 1, 3))",
            f"pmax({x}, 0)",
            f"rank({x})",
            f"is.na({x})",
            f"cumsum({x})",
            f"rev({x})",
            f"sign({x})",
            f"{x} == {self.pick([0, 1])} | {x} > 2",
            f"scale({x}, center = {self.pick(['TRUE', 'FALSE', '2'])})",
            f"poly({x}, degree = 2)",
            f"as.numeric(scale({x}))",
            f"cut({x}, 4, labels = FALSE)",
            f"factor(round({x}))",
            f"splines::ns({x}, df = 3)",
            f"splines::bs({x}, df = 4)",
            f"I({x} %/% 2)",
            f"!({x} > 1)",
            f"cbind({x}, y)",
            f"I({x}^2L)",
            f"I({x} * 1e-3)",
            f"I(-{x} + 0.5)",
        ]
        if self.chance(0.4):
            calls = self.more_numeric_calls(x)
        if self.positive:
            p = self.plus()
            calls += [
                f"log({p})",
                f"sqrt({p})",
                f"log({p}, 2)",
                f"log(1 + {p})",
                f"log1p({p})",
                f"I(1/{p})",
                f"log10({p})",
            ] * 2
        return str(self.pick(calls))

    def more_numeric_calls(self, x: str) -> list[str]:
        z = self.number()
        return [
            f"I({x} - {x}[1])",
            f"I({x} - mean({x}, na.rm = TRUE))",
            f"I(({x} - median({x}, na.rm = TRUE)) / sd({x}, na.rm = TRUE))",
            f"I({x} / max({x}, na.rm = TRUE))",
            f"I({x} > quantile({x}, 0.25, na.rm = TRUE))",
            f"cut({x}, quantile({x}, c(0, 0.5, 1), na.rm = TRUE), include.lowest = TRUE)",
            f"I({x} - min({x}) + var({x}))",
            f"I({x} / length({x}))",
            f"pmin({x}, {z}, na.rm = TRUE)",
            f"I({x}^-1)",
            f"I(abs({x})^0.5)",
            f"I({x} %/% 0.3)",
            f"I({x} %% -2)",
            f"round({x}, -1)",
            f"signif({x}, 2)",
            f"trunc({x} / 2)",
            f"floor({x})",
            f"ceiling({x} * 0.7)",
            f"plogis({x} / 1e5)",
            f"qnorm(abs(sin({x})))",
            f"atan({x})",
            f"tanh({x} / 1e5)",
            f"cosh({x} / 1e5)",
            f"expm1({x} / 1e5)",
            f"factor(nchar({x}))",
            f"paste0('L', {x} > 0)",
            f"substr(paste({x}), 1, 1)",
            f"toupper(ifelse({x} > 0, 'up', 'down'))",
            f"is.na({x}) | {x} > 1",
            f"xor({x} > 0, {z} > 0)",
            f"as.logical({x})",
            f"as.integer({x} > 0)",
            f"findInterval({x}, c(-1, 0, 2))",
            f"cut({x}, c(-Inf, 0, 2, Inf), labels = c('a', 'b', 'c'))",
            f"cut({x}, c(-2, 0, 2, 20), right = FALSE)",
            f"cut({x}, 3, ordered_result = TRUE, dig.lab = 2)",
            f"cut({x}, c(-3, 0, 3), include.lowest = TRUE)",
            f"poly({x}, {z}, degree = 2)",
            f"poly({x}, {z}, degree = 2, raw = TRUE)",
            f"scale(cbind({x}, {z}))",
            f"scale({x})[, 1]",
            f"poly({x}, 2)[, 2]",
            f"cbind(a = {x}, b = {x}^2)",
            f"splines::bs({x}, knots = c(0, 1))",
            f"splines::bs({x}, degree = 2)",
            f"splines::bs({x}, df = 4, intercept = TRUE)",
            f"splines::ns({x}, knots = 0.5)",
            f"splines::ns({x}, df = 2, intercept = TRUE)",
            f"splines::ns({x})",
            f"rowSums(cbind({x}, {z}))",
            f"rowMeans(cbind({x}, {z}, 1), na.rm = TRUE)",
            f"matrix({x})",
            f"c({x})",
            f"rep({x}, 1)",
            f"stats::poly({x}, 1)",
            f"base::abs({x})",
            f"letters[findInterval({x}, c(0, 1)) + 1]",
            f"c(2, 5, 9)[findInterval({x}, c(0, 1)) + 1]",
            f"I(seq_along({x}) - {x})",
            f"seq_along({x})",
            f"rank({x}, ties.method = 'min')",
            f"order({x})",
            f"I({x} * sum({x} > 0, na.rm = TRUE))",
            f"I({x} - range({x})[2])",
            f"I({x} - mean({x}[{x} > 0]))",
            f"dummy(factor({x} > 0))",
        ]

    def coded_call(self) -> str:
        f = self.code()
        calls = [
            f"factor({f})",
            f"as.factor({f})",
            f"ordered({f})",
            f"interaction({f}, {self.code()})",
            f"as.numeric(factor({f}))",
            f"C({f}, contr.sum)",
            f"droplevels(factor({f}))",
            f"as.character({f})",
            f"paste({f}, {self.code()})",
            f"factor({f}, labels = 'L')",
            f"as.integer(factor({f}))",
            f"interaction({f}, {self.code()}, drop = TRUE)",
            f"interaction({f}, {self.code()}, sep = '_')",
            f"C({f}, contr.helmert)",
            f"C(factor({f}), contr.treatment, base = 2)",
            f"factor({f}, levels = rev(levels(factor({f}))))",
            f"nchar(as.character({f}))",
            f"relevel(factor({f}), 2)",
            f"addNA({f})",
        ]
        if self.chance(0.4):
            calls = [
                f"rev(factor({f}))",
                f"factor({f}, levels = levels(factor({f}))[c(2, 1)])",
                f"factor({f}, exclude = levels(factor({f}))[1])",
                f"factor({f}, labels = letters[1:nlevels(factor({f}))])",
                f"ordered({f}, levels = rev(levels(factor({f}))))",
                f"factor({f}, ordered = TRUE)",
                f"as.ordered({f})",
                f"relevel(factor({f}), ref = levels(factor({f}))[2])",
                f"interaction({f}, {self.code()}, lex.order = TRUE)",
                f"interaction({f}, {self.code()}, sep = ':', drop = TRUE)",
                f"addNA(factor({f}), ifany = TRUE)",
                f"dummy({f})",
                f"dummy({f}, levels(factor({f}))[2])",
                f"C(factor({f}), sum, 1)",
                f"C(factor({f}), contr.poly)",
                f"C(factor({f}), 'contr.SAS')",
                f"I(nlevels(factor({f})) + as.integer(factor({f})))",
                f"toupper({f})",
                f"tolower(as.character({f}))",
                f"substr({f}, 1, 1)",
                f"nchar(paste0({f}, {self.code()}))",
                f"paste({f}, {self.code()}, sep = '.')",
                f"grepl('^[a-c]', {f})",
                f"grepl('[0-9]+$', {f})",
                f"sub('[0-9]+$', '', {f})",
                f"gsub('[^[:alpha:]]', '', {f})",
                f"factor(sub('^(.).*$', '\\\\1', {f}))",
                f"grepl('a|b', {f}, ignore.case = TRUE)",
                f"sub('(.)', '\\\\U\\\\1', {f}, perl = TRUE)",
                f"I({f} %in% c('a', 'b', 'a1'))",
                f"as.character({f}) < 'b1'",
                f"factor({f}):factor({self.code()})",
                f"is.na({f})",
                f"ifelse(is.na({f}), 'none', as.character({f}))",
                f"nchar({f})",
                f"max(as.integer(factor({f})), na.rm = TRUE) - as.integer(factor({f}))",
            ]
        times = [name for name in ("when", "at") if name in self.columns]
        if times and self.chance(0.4):
            return time_call(self.dice, times)
        if "d" in self.columns:
            calls += ["factor(d)", "as.factor(d)", "ordered(d)"]
        if "i" in self.columns:
            calls += ["factor(i)"]
        level = self.columns[f.strip("`")].values[0] if f.strip("`") in self.columns else None
        if isinstance(level, str):
            calls += [
                f'{f} == "{level}"',
                f'I({f} != "{level}")',
                f'relevel(factor({f}), ref = "{level}")',
            ]
        return str(self.pick(calls))

    def atom(self) -> str:
        roll = self.dice.random()
        times = [name for name in ("when", "at") if name in self.columns]
        if times and self.chance(0.25):
            return str(self.pick(times)) if self.chance(0.2) else time_call(self.dice, times)
        if roll < 0.42:
            return self.number()
        if roll < 0.72:
            return self.code()
        if roll < 0.9:
            return self.numeric_call()
        return self.coded_call()

    def fixed_term(self, depth: int = 0) -> str:
        roll = self.dice.random()
        if roll < 0.6 or depth > 1:
            return self.atom()
        left, right = self.fixed_term(depth + 1), self.fixed_term(depth + 1)
        if roll < 0.72:
            return f"{left} * {right}"
        if roll < 0.82:
            return f"{left}:{right}"
        if roll < 0.87:
            return f"({left} + {right})^2"
        if roll < 0.91:
            return f"{left}/{right}"
        if roll < 0.93:
            return f"{left} %in% {right}"
        if roll < 0.96:
            return f"({left} + {right})"
        return f"({left} + {right}):{self.atom()}"

    def slope(self) -> str:
        roll = self.dice.random()
        x = self.number()
        if roll < 0.3:
            return "1"
        if roll < 0.48:
            return x
        if roll < 0.56:
            return f"1 + {x}"
        if roll < 0.62:
            return f"0 + {x}"
        if roll < 0.65:
            return f"{x} - 1"
        if roll < 0.71:
            return self.code()
        if roll < 0.76:
            return f"0 + {self.code()}"
        if roll < 0.81:
            return f"{x} + {self.number()}"
        if roll < 0.85:
            return f"{x} * {self.number()}"
        if roll < 0.89:
            return f"{x}:{self.code()}"
        if roll < 0.92:
            return f"{x} + {self.code()}"
        if roll < 0.965:
            return self.numeric_call()
        if roll < 0.98:
            return self.coded_call()
        if roll < 0.985:
            return "0"
        return self.fixed_term()

    def grouping(self) -> str:
        roll = self.dice.random()
        if len(self.groups) < 2 and self.chance(0.9):
            return self.group()
        first, *others = self.dice.sample(self.groups, len(self.groups)) or self.numeric
        inner = [self.quoted(name) for name in others] + [self.group(), self.group()]
        g = self.quoted(first)
        if roll < 0.62:
            return g
        if roll < 0.75:
            return f"{g}:{inner[0]}"
        if roll < 0.9:
            return f"{g}/{inner[0]}"
        if roll < 0.94:
            return f"{g}/{inner[0]}/{inner[1]}"
        if roll < 0.95:
            return f"({g})"
        if roll < 0.97:
            return f"factor({g})"
        if roll < 0.975:
            return f"interaction({g}, {inner[0]})"
        if roll < 0.985:
            return f"{g}:{inner[0]}:{inner[1]}"
        return self.expanded_grouping(g, *inner[:2])

    def expanded_grouping(self, g: str, h: str, k: str) -> str:
        """Return a grouping expression that older releases of lme4 refuse, most of them."""
        return str(
            self.pick(
                [
                    f"{g} * {h}",
                    f"{g} + {h}",
                    f"{g} + {h}:{k}",
                    f"{g}*{h} - {g}",
                    f"({g} + {h} + {k})^2",
                    f"({g}/{h})/{k}",
                    f"{g}/({h}/{k})",
                    f"{g}/({h}:{k})",
                    f"{g}/({h} + {k})",
                    f"({g} + {h})/{k}",
                    f"{g}:{h}/{k}",
                    f"{g}:({h}:{k})",
                    f"({g}:{h})",
                    f"{g} %in% {h}",
                    f"factor({g})/{h}",
                    f"{g}/factor({h})",
                    f"factor({g}):{h}",
                    f"interaction({g}, {h})/{k}",
                    f"{g}/{h}/{k}/{g}",
                    f"{g}:{g}",
                    f"{g} + 0",
                    f"-{g} + {h}",
                ]
            )
        )

    def bar(self) -> str:
        slope, group = self.slope(), self.grouping()
        mark = "||" if self.chance(0.13) else "|"
        if mark == "||" and (slope in {"0", "1"} or "`" in group) and self.chance(0.8):
            mark = "|"  # R's own parser fails on most of these
        return f"({slope} {mark} {group})"

    def formula(self, response: str) -> str:
        dice = self.dice
        parts = [self.fixed_term() for _ in range(dice.choice([0, 1, 1, 2, 2, 3, 4]))]
        if self.chance(0.12):
            parts.insert(dice.randint(0, len(parts)), dice.choice(["0", "1", "-1"]))
        if self.chance(0.08):
            parts.append(
                f"offset({self.pick(self.numeric) if ' ' not in self.numeric[0] else 'y'})".replace(
                    "x two", "`x two`"
                )
            )
        if self.chance(0.03):
            parts.append(".")
        bars = [self.bar() for _ in range(dice.choice([1, 1, 1, 2, 2, 3, 4]))]
        if self.chance(0.04):
            return f"{response} ~ {' + '.join([*parts, self.slope()])} | {self.grouping()}"
        if self.chance(0.6):
            parts = parts + bars
        else:
            for bar in bars:
                parts.insert(dice.randint(0, len(parts)), bar)
        text = parts[0]
        for part in parts[1:]:
            if part.startswith("-"):
                text += f" - {part[1:]}"
            elif not part.startswith("(") and self.chance(0.04):
                text += f" - {part}"
            elif self.chance(0.01):
                text += f" * {part}"
            else:
                text += f" + {part}"
        if self.chance(0.05):
            text += dice.choice([" - 1", " + 0", " - 0", " + 1"])
        return f"{response} ~ {text}"

    def spoil(self, formula: str) -> str:
        dice = self.dice
        spoilt = [
            formula + " + nothing",
            formula + " + (1 | nothing)",
            formula + " +",
            formula + ")",
            formula + " + (1 |)",
            formula + " + nofun(y)",
            formula.replace("|", "+"),
            formula + " + (x z | y)",
            formula + " + I(1)",
            formula + " + poly(y, 500)",
            formula.split("~")[1],
            formula + " + c(1, 2)",
            formula + " + mean",
            formula + " + (1 || y)",
            formula + " ^ y",
            formula + " + y^x",
            formula + " + log('a')",
            formula + " + %% y",
            "~" + formula.split("~")[1],
            formula + " + 2",
        ]
        return str(dice.choice(spoilt))

    # -- arguments ----------------------------------------------------------------

    def arguments(self, glm: bool) -> dict[str, Any]:
        dice, n = self.dice, self.n
        given: dict[str, Any] = {}
        if glm and self.chance(0.97):
            given["family"] = (
                dice.choice(_FAMILIES[:3]) if self.chance(0.7) else dice.choice(_FAMILIES)
            )
        if not glm and self.chance(0.1):
            given["REML"] = False
        if self.chance(0.15):
            given["subset"] = self.subset()
        if self.chance(0.15):
            choices: list[Any] = [[round(dice.uniform(0.5, 3), 2) for _ in range(n)]]
            choices += ["abs(y) + 1", self.plus() if self.positive else "y^2"]
            given["weights"] = dice.choice(choices)
        if self.chance(0.1):
            given["offset"] = dice.choice(
                [self.number(), [dice.gauss(0, 1) for _ in range(n)], "y / 2"]
            )
        if self.chance(0.2):
            given["na.action"] = dice.choice(
                ["na.omit", "na.exclude", "na.exclude", "na.pass", "na.fail"]
            )
        factors = [name for name in self.coded if self.columns[name].kind != "logical"]
        if factors and self.chance(0.15):
            given["contrasts"] = self.contrasts(
                dice.sample(factors, dice.randint(1, min(2, len(factors))))
            )
        if self.chance(0.8):
            given["control"] = dict(_IGNORED)
            if self.chance(0.1):
                given["control"] = {name: dice.choice(_LEVELS) for name in _IGNORED}
            if self.chance(0.15):
                given["control"]["check.rankX"] = dice.choice(
                    [
                        "message+drop.cols",
                        "silent.drop.cols",
                        "warn+drop.cols",
                        "stop.deficient",
                        "ignore",
                    ]
                )
            if self.chance(0.25):
                given["control"]["check.scaleX"] = dice.choice(
                    [
                        "ignore",
                        "ignore",
                        "warning",
                        "stop",
                        "silent.rescale",
                        "message+rescale",
                        "warn+rescale",
                    ]
                )
        return given

    def subset(self) -> Any:
        dice, n = self.dice, self.n
        choices: list[Any] = [
            f"{self.number()} > 0",
            f"y < 1 & {self.number()} <= 2",
            f"-c(1, {n // 2})",
            f"1:{n - 3}",
            [dice.random() < 0.8 for _ in range(n)],
            sorted(dice.sample(range(1, n + 1), n * 3 // 4)),
            [dice.randint(1, n) for _ in range(n)],
        ]
        coded = self.code()
        level = self.columns[coded.strip("`")].values[0]
        if isinstance(level, str):
            choices.append(f'{coded} != "{level}"')
            choices.append(f'{coded} %in% c("{level}", "b")')
        return dice.choice(choices)

    def contrasts(self, names: list[str]) -> dict[str, Any]:
        return {name: self.coding(self.columns[name]) for name in names}

    def coding(self, column: Column) -> Any:
        count = len(set(column.values)) if column.kind == "character" else len(column.levels)
        if self.chance(0.25) and count > 1:
            rows = [
                [float(row == at) - float(row == count - 1) for at in range(count - 1)]
                for row in range(count)
            ]
            rows[0][0] = 0.5
            return Matrix(rows, [f"c{at}" for at in range(1, count)] if self.chance(0.5) else None)
        return self.pick(
            ["contr.sum", "contr.helmert", "contr.treatment", "contr.poly", "contr.SAS"]
        )
