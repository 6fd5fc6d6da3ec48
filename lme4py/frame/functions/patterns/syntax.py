"""The syntax of a regular expression, and its reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from lme4py.errors import DataError

__all__ = [
    "Choice",
    "Edge",
    "Group",
    "Letter",
    "Node",
    "Reader",
    "Repeat",
    "Sequence",
    "Test",
    "unsupported",
]

Test: TypeAlias = Callable[[str], bool]

_MOST_COPIES = 255
_DEEPEST = 50
_BOUNDS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def _is_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def _is_digit(letter: str) -> bool:
    return letter in "0123456789"


def _is_punctuation(letter: str) -> bool:
    if letter.isascii():
        return letter.isprintable() and not letter.isalnum() and letter != " "
    return letter.isprintable() and not letter.isalnum() and not letter.isspace()


_CLASSES: dict[str, Test] = {
    "alpha": str.isalpha,
    "alnum": str.isalnum,
    "digit": _is_digit,
    "upper": str.isupper,
    "lower": str.islower,
    "space": str.isspace,
    "blank": lambda letter: letter in " \t",
    "punct": _is_punctuation,
    "xdigit": lambda letter: letter in "0123456789abcdefABCDEF",
}
_ESCAPES: dict[str, Test] = {"w": _is_word, "d": _is_digit, "s": str.isspace}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter that passes a test."""

    test: Test


@dataclass(frozen=True, slots=True)
class Edge:
    """The beginning (``^``) or the end (``$``) of the text."""

    end: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Parentheses; `number` counts from 1, 0 without a number."""

    inner: Node
    number: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """A piece repeated; `most` is None without a bound."""

    inner: Node
    least: int
    most: int | None
    lazy: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """Pieces one after the other."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Alternatives."""

    items: tuple[Node, ...]


Node: TypeAlias = Letter | Edge | Group | Repeat | Sequence | Choice


def _may_be_empty(node: Node) -> bool:
    """Tell whether a piece can match no letter at all."""
    match node:
        case Letter():
            return False
        case Edge():
            return True
        case Group(inner=inner):
            return _may_be_empty(inner)
        case Repeat(inner=inner, least=least):
            return least == 0 or _may_be_empty(inner)
        case Sequence(items=items):
            return all(_may_be_empty(item) for item in items)
        case Choice(items=items):
            return any(_may_be_empty(item) for item in items)


def unsupported(what: str) -> DataError:
    """Return the error for what R knows and this part of its expressions does not."""
    return DataError(
        f"{what} in a regular expression is not supported",
        hint="fixed = TRUE searches for plain text; or compute such a column before",
    )


def _invalid(text: str, reason: str) -> DataError:
    return DataError(f"invalid regular expression '{text}', reason '{reason}'")


@dataclass(slots=True)
class Reader:
    """Reads a pattern from left to right."""

    text: str
    perl: bool
    fold: bool
    place: int = 0
    groups: int = 0
    depth: int = 0
    # What decides whether groups mean the same to TRE as here.
    choices: bool = False
    repeated_group: bool = False
    repeated_nothing: bool = False
    lazy: bool = False

    def _peek(self) -> str:
        return self.text[self.place : self.place + 1]

    def _take(self) -> str:
        letter = self._peek()
        self.place += 1
        return letter

    def whole(self) -> Node:
        """Return the syntax of the whole text."""
        node = self._choice()
        if self._peek() == ")":
            raise _invalid(self.text, "Missing '('") if self.perl else unsupported("a lone ')'")
        return node

    def _choice(self) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise unsupported(f"nesting deeper than {_DEEPEST}")
        items = [self._sequence()]
        while self._peek() == "|":
            self._take()
            self.choices = True
            items.append(self._sequence())
        self.depth -= 1
        return items[0] if len(items) == 1 else Choice(tuple(items))

    def _sequence(self) -> Node:
        items: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            items.append(self._repeated(self._atom()))
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def _repeated(self, node: Node) -> Node:
        bounds: tuple[int, int | None]
        if self._peek() == "{":
            if isinstance(node, Group) and not self.perl:
                raise unsupported("'{' after a group, without perl = TRUE,")
            bounds = self._braces()
        elif self._peek() in _BOUNDS:
            bounds = _BOUNDS[self._take()]
        else:
            return node
        lazy = self._peek() == "?"
        if lazy:
            self._take()
            self.lazy = True
        if self._peek() in ("*", "+", "{") or (self._peek() == "?" and not lazy):
            raise _invalid(self.text, "Invalid use of repetition operators")
        if isinstance(node, Edge):
            raise unsupported("a repeated edge")
        self.repeated_group = self.repeated_group or not isinstance(node, Letter)
        self.repeated_nothing = self.repeated_nothing or _may_be_empty(node)
        return Repeat(node, *bounds, lazy)

    def _braces(self) -> tuple[int, int | None]:
        closing = self.text.find("}", self.place)
        if closing < 0:
            raise _invalid(self.text, "Missing '}'")
        inside = self.text[self.place + 1 : closing]
        low, comma, high = inside.partition(",")
        if not (low.isdecimal() and low.isascii()) or (high and not high.isdecimal()):
            raise unsupported(f"'{{{inside}}}'")
        self.place = closing + 1
        least = int(low)
        most = least if not comma else int(high) if high else None
        if max(least, most or 0) > _MOST_COPIES or (most is not None and most < least):
            raise _invalid(self.text, "Invalid contents of {}")
        return least, most

    def _atom(self) -> Node:
        letter = self._take()
        match letter:
            case "(":
                return self._group()
            case "[":
                return Letter(self._bracket())
            case ".":
                return Letter((lambda one: one != "\n") if self.perl else (lambda _: True))
            case "^":
                return Edge(end=False)
            case "$":
                return Edge(end=True)
            case "\\":
                return Letter(self._escape())
            case "*" | "+" | "?" | "{":
                raise unsupported(f"'{letter}' with nothing before it")
            case _:
                return Letter(self._literal(letter))

    def _group(self) -> Node:
        number = 0
        if self._peek() == "?":
            if self.text[self.place : self.place + 2] != "?:":
                raise unsupported("'(?'")
            self.place += 2
        else:
            self.groups += 1
            number = self.groups
        inner = self._choice()
        if self._take() != ")":
            raise _invalid(self.text, "Missing ')'")
        return Group(inner, number)

    def _literal(self, letter: str) -> Test:
        if self.fold:
            return {letter, letter.lower(), letter.upper()}.__contains__
        return letter.__eq__

    def _escape(self) -> Test:
        letter = self._take()
        if not letter:
            raise _invalid(self.text, "Trailing backslash")
        if letter.lower() in _ESCAPES:
            test = self._named(_ESCAPES[letter.lower()])
            return test if letter.islower() else lambda one: not test(one)
        if letter in _CONTROLS:
            return _CONTROLS[letter].__eq__
        if letter.isalnum() or letter in "<>":
            raise unsupported(f"'\\{letter}'")
        return self._literal(letter)

    def _named(self, test: Test) -> Test:
        """Return a class of letters; PCRE's are of ASCII letters only."""
        return (lambda one: one.isascii() and test(one)) if self.perl else test

    def _bracket(self) -> Test:
        negated = self._peek() == "^"
        if negated:
            self._take()
        tests: list[Test] = []
        first = True
        while first or self._peek() != "]":
            if not self._peek():
                raise _invalid(self.text, "Missing ']'")
            first = False
            tests.append(self._range())
        self._take()
        if self.fold:
            plain = tuple(tests)
            tests = [
                lambda one: any(
                    test(case) for test in plain for case in (one, one.lower(), one.upper())
                )
            ]
        if negated:
            return lambda one: not any(test(one) for test in tests)
        return lambda one: any(test(one) for test in tests)

    def _range(self) -> Test:
        """Return the next member of a bracket: a class, a letter, or letters from ... to."""
        low = self._take()
        if low == "[" and self._peek() in (":", ".", "="):
            closing = self.text.find(":]", self.place)
            name = self.text[self.place + 1 : closing]
            if closing < 0 or name not in _CLASSES:
                raise unsupported(f"'[{self._peek()}{name[:20]}'")
            self.place = closing + 2
            return self._named(_CLASSES[name])
        if low == "\\" and self.perl:
            if self._peek().lower() in _ESCAPES or not self._peek().isalnum():
                return self._escape()
            raise unsupported(f"'\\{self._peek()}' between brackets")
        if self._peek() == "-" and self.text[self.place + 1 : self.place + 2] not in ("]", ""):
            self._take()
            high = self._take()
            if high in ("[", "\\") or high < low:
                raise _invalid(self.text, "Invalid character range")
            return lambda one: low <= one <= high
        return low.__eq__
