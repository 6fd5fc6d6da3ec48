"""Regular expressions: the part of R's that analysts write, matched without backtracking.

A pattern is compiled to a small program whose every instruction is tried on each letter at most
once, so that no pattern can take more than (letters) x (instructions) steps. Without
``perl = TRUE`` the longest of the leftmost matches is taken, as POSIX and R's TRE do; with it
the first in the order of writing, as PCRE does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from lme4py.errors import DataError

__all__ = ["Pattern", "compile_pattern"]

Test: TypeAlias = Callable[[str], bool]

_MOST_INSTRUCTIONS = 2_000
_MOST_STEPS = 10_000_000
_MOST_STATES = 5_000
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
class _Letter:
    """One letter that passes a test."""

    test: Test


@dataclass(frozen=True, slots=True)
class _Edge:
    """The beginning (``^``) or the end (``$``) of the text."""

    end: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """Parentheses; `number` counts from 1, 0 without a number."""

    inner: _Node
    number: int


@dataclass(frozen=True, slots=True)
class _Repeat:
    """A piece repeated; `most` is None without a bound."""

    inner: _Node
    least: int
    most: int | None
    lazy: bool


@dataclass(frozen=True, slots=True)
class _Sequence:
    """Pieces one after the other."""

    items: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """Alternatives."""

    items: tuple[_Node, ...]


_Node: TypeAlias = _Letter | _Edge | _Group | _Repeat | _Sequence | _Choice


def _may_be_empty(node: _Node) -> bool:
    """Tell whether a piece can match no letter at all."""
    match node:
        case _Letter():
            return False
        case _Edge():
            return True
        case _Group(inner=inner):
            return _may_be_empty(inner)
        case _Repeat(inner=inner, least=least):
            return least == 0 or _may_be_empty(inner)
        case _Sequence(items=items):
            return all(_may_be_empty(item) for item in items)
        case _Choice(items=items):
            return any(_may_be_empty(item) for item in items)


def _unsupported(what: str) -> DataError:
    return DataError(
        f"{what} in a regular expression is not supported",
        hint="fixed = TRUE searches for plain text; or compute such a column before",
    )


def _invalid(text: str, reason: str) -> DataError:
    return DataError(f"invalid regular expression '{text}', reason '{reason}'")


@dataclass(slots=True)
class _Reader:
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

    def peek(self) -> str:
        return self.text[self.place : self.place + 1]

    def take(self) -> str:
        letter = self.peek()
        self.place += 1
        return letter

    def whole(self) -> _Node:
        node = self.choice()
        if self.peek() == ")":
            raise _invalid(self.text, "Missing '('") if self.perl else _unsupported("a lone ')'")
        return node

    def choice(self) -> _Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _unsupported(f"nesting deeper than {_DEEPEST}")
        items = [self.sequence()]
        while self.peek() == "|":
            self.take()
            self.choices = True
            items.append(self.sequence())
        self.depth -= 1
        return items[0] if len(items) == 1 else _Choice(tuple(items))

    def sequence(self) -> _Node:
        items: list[_Node] = []
        while self.peek() not in ("", "|", ")"):
            items.append(self.repeated(self.atom()))
        return items[0] if len(items) == 1 else _Sequence(tuple(items))

    def repeated(self, node: _Node) -> _Node:
        bounds: tuple[int, int | None]
        if self.peek() == "{":
            if isinstance(node, _Group) and not self.perl:
                raise _unsupported("'{' after a group, without perl = TRUE,")
            bounds = self.braces()
        elif self.peek() in _BOUNDS:
            bounds = _BOUNDS[self.take()]
        else:
            return node
        lazy = self.peek() == "?"
        if lazy:
            self.take()
            self.lazy = True
        if self.peek() in ("*", "+", "{") or (self.peek() == "?" and not lazy):
            raise _invalid(self.text, "Invalid use of repetition operators")
        if isinstance(node, _Edge):
            raise _unsupported("a repeated edge")
        self.repeated_group = self.repeated_group or not isinstance(node, _Letter)
        self.repeated_nothing = self.repeated_nothing or _may_be_empty(node)
        return _Repeat(node, *bounds, lazy)

    def braces(self) -> tuple[int, int | None]:
        closing = self.text.find("}", self.place)
        if closing < 0:
            raise _invalid(self.text, "Missing '}'")
        inside = self.text[self.place + 1 : closing]
        low, comma, high = inside.partition(",")
        if not (low.isdecimal() and low.isascii()) or (high and not high.isdecimal()):
            raise _unsupported(f"'{{{inside}}}'")
        self.place = closing + 1
        least = int(low)
        most = least if not comma else int(high) if high else None
        if max(least, most or 0) > _MOST_COPIES or (most is not None and most < least):
            raise _invalid(self.text, "Invalid contents of {}")
        return least, most

    def atom(self) -> _Node:
        letter = self.take()
        match letter:
            case "(":
                return self.group()
            case "[":
                return _Letter(self.bracket())
            case ".":
                return _Letter((lambda one: one != "\n") if self.perl else (lambda _: True))
            case "^":
                return _Edge(end=False)
            case "$":
                return _Edge(end=True)
            case "\\":
                return _Letter(self.escape())
            case "*" | "+" | "?" | "{":
                raise _unsupported(f"'{letter}' with nothing before it")
            case _:
                return _Letter(self.literal(letter))

    def group(self) -> _Node:
        number = 0
        if self.peek() == "?":
            if self.text[self.place : self.place + 2] != "?:":
                raise _unsupported("'(?'")
            self.place += 2
        else:
            self.groups += 1
            number = self.groups
        inner = self.choice()
        if self.take() != ")":
            raise _invalid(self.text, "Missing ')'")
        return _Group(inner, number)

    def literal(self, letter: str) -> Test:
        if self.fold:
            return {letter, letter.lower(), letter.upper()}.__contains__
        return letter.__eq__

    def escape(self) -> Test:
        letter = self.take()
        if not letter:
            raise _invalid(self.text, "Trailing backslash")
        if letter.lower() in _ESCAPES:
            test = self.named(_ESCAPES[letter.lower()])
            return test if letter.islower() else lambda one: not test(one)
        if letter in _CONTROLS:
            return _CONTROLS[letter].__eq__
        if letter.isalnum() or letter in "<>":
            raise _unsupported(f"'\\{letter}'")
        return self.literal(letter)

    def named(self, test: Test) -> Test:
        """Return a class of letters; PCRE's are of ASCII letters only."""
        return (lambda one: one.isascii() and test(one)) if self.perl else test

    def bracket(self) -> Test:
        negated = self.peek() == "^"
        if negated:
            self.take()
        tests: list[Test] = []
        first = True
        while first or self.peek() != "]":
            if not self.peek():
                raise _invalid(self.text, "Missing ']'")
            first = False
            tests.append(self.range())
        self.take()
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

    def range(self) -> Test:
        """Return the next member of a bracket: a class, a letter, or letters from ... to."""
        low = self.take()
        if low == "[" and self.peek() in (":", ".", "="):
            closing = self.text.find(":]", self.place)
            name = self.text[self.place + 1 : closing]
            if closing < 0 or name not in _CLASSES:
                raise _unsupported(f"'[{self.peek()}{name[:20]}'")
            self.place = closing + 2
            return self.named(_CLASSES[name])
        if low == "\\" and self.perl:
            if self.peek().lower() in _ESCAPES or not self.peek().isalnum():
                return self.escape()
            raise _unsupported(f"'\\{self.peek()}' between brackets")
        if self.peek() == "-" and self.text[self.place + 1 : self.place + 2] not in ("]", ""):
            self.take()
            high = self.take()
            if high in ("[", "\\") or high < low:
                raise _invalid(self.text, "Invalid character range")
            return lambda one: low <= one <= high
        return low.__eq__


@dataclass(slots=True)
class _Program:
    """Instructions: a test of a letter, a fork, a mark of a group, an edge, or the end."""

    tests: list[Test | None] = field(default_factory=list)
    exits: list[tuple[int, ...]] = field(default_factory=list)
    marks: list[int | None] = field(default_factory=list)
    edges: list[bool | None] = field(default_factory=list)

    def add(
        self,
        exits: tuple[int, ...] = (),
        test: Test | None = None,
        mark: int | None = None,
        edge: bool | None = None,
    ) -> int:
        if len(self.tests) >= _MOST_INSTRUCTIONS:
            raise _unsupported(f"more than {_MOST_INSTRUCTIONS} steps")
        self.tests.append(test)
        self.exits.append(exits)
        self.marks.append(mark)
        self.edges.append(edge)
        return len(self.tests) - 1

    def compiled(self, node: _Node, after: int) -> int:
        """Add the instructions of a node that goes on at `after`; return where it begins."""
        match node:
            case _Letter(test=test):
                return self.add((after,), test=test)
            case _Edge(end=end):
                return self.add((after,), edge=end)
            case _Group(number=0):
                return self.compiled(node.inner, after)
            case _Group(inner=inner, number=number):
                close = self.add((after,), mark=2 * number + 1)
                return self.add((self.compiled(inner, close),), mark=2 * number)
            case _Sequence(items=items):
                for item in reversed(items):
                    after = self.compiled(item, after)
                return after
            case _Choice(items=items):
                return self.add(tuple(self.compiled(item, after) for item in items))
            case _Repeat():
                return self.repeated(node, after)

    def repeated(self, node: _Repeat, after: int) -> int:
        if node.most is None:
            fork = self.add()
            begin = self.compiled(node.inner, fork)
            self.exits[fork] = (after, begin) if node.lazy else (begin, after)
            start = fork
        else:
            start = after
            for _ in range(node.most - node.least):
                begin = self.compiled(node.inner, start)
                start = self.add((after, begin) if node.lazy else (begin, after))
        for _ in range(node.least):
            start = self.compiled(node.inner, start)
        return start


_State: TypeAlias = tuple[tuple[int, ...], bool, bool]


@dataclass(slots=True)
class Pattern:
    """A compiled regular expression.

    Parameters
    ----------
    groups : int
        Number of groups in parentheses.
    clear_groups : bool
        Whether R's groups hold what they hold here.
    """

    groups: int
    clear_groups: bool
    _program: _Program
    _begin: int
    _perl: bool
    _steps: int = 0
    _closures: dict[tuple[tuple[int, ...], bool], _State] = field(default_factory=dict)
    _moves: dict[tuple[tuple[int, ...], str], tuple[int, ...]] = field(default_factory=dict)

    def _count(self, steps: int) -> None:
        self._steps += steps
        if self._steps > _MOST_STEPS:
            raise DataError("this regular expression takes too long on these texts")

    def _closure(self, seeds: tuple[int, ...], start: bool) -> _State:
        """Return the letters awaited after `seeds`; whether it ends here, and here at the end."""
        key = (seeds, start)
        known = self._closures.get(key)
        if known is not None:
            return known
        letters, plain = self._reached(seeds, start, end=False)
        _, at_end = self._reached(seeds, start, end=True)
        if len(self._closures) > _MOST_STATES:
            self._closures.clear()
            self._moves.clear()
        state = (letters, plain, at_end)
        self._closures[key] = state
        self._count(len(letters) + 1)
        return state

    def _reached(
        self, seeds: tuple[int, ...], start: bool, end: bool
    ) -> tuple[tuple[int, ...], bool]:
        program, seen, letters, done = self._program, set[int](), [], False
        pending = list(reversed(seeds))
        while pending:
            at = pending.pop()
            if at in seen:
                continue
            seen.add(at)
            if program.tests[at] is not None:
                letters.append(at)
            elif program.edges[at] is not None:
                if end if program.edges[at] else start:
                    pending.extend(reversed(program.exits[at]))
            elif program.exits[at]:
                pending.extend(reversed(program.exits[at]))
            else:
                done = True
        return tuple(letters), done

    def _move(self, letters: tuple[int, ...], letter: str) -> tuple[int, ...]:
        key = (letters, letter)
        known = self._moves.get(key)
        if known is None:
            program = self._program
            known = tuple(
                program.exits[at][0]
                for at in letters
                if (test := program.tests[at]) is not None and test(letter)
            )
            self._count(len(letters) + 1)
            self._moves[key] = known
        return known

    def _at_end(self, text: str, place: int) -> bool:
        return place == len(text) or (self._perl and text[place:] == "\n")

    def found_in(self, text: str) -> bool:
        """Tell whether the pattern occurs in a text.

        Examples
        --------
        >>> compile_pattern("^a.*[0-9]$").found_in("ab1")
        True
        """
        self._count(len(text) + 1)
        seeds: tuple[int, ...] = ()
        for place in range(len(text) + 1):
            letters, plain, at_end = self._closure((*seeds, self._begin), place == 0)
            if plain or (at_end and self._at_end(text, place)):
                return True
            if place < len(text):
                seeds = tuple(dict.fromkeys(self._move(letters, text[place])))
        return False

    def _longest(self, text: str, start: int) -> int:
        """Return the end of the longest match that begins at `start`, -1 without one."""
        seeds: tuple[int, ...] = (self._begin,)
        best = -1
        for place in range(start, len(text) + 1):
            self._count(1)
            letters, plain, at_end = self._closure(seeds, place == 0)
            if plain or (at_end and self._at_end(text, place)):
                best = place
            if place == len(text) or not letters:
                break
            seeds = tuple(dict.fromkeys(self._move(letters, text[place])))
        return best

    def _threads(self, text: str, start: int, end: int | None) -> tuple[int, ...] | None:
        """Return the marks of the first match by order of writing, if at all with this end."""
        program = self._program
        blank = (-1,) * (2 * self.groups + 2)
        threads: list[tuple[int, tuple[int, ...]]] = [(self._begin, blank)]
        best: tuple[int, ...] | None = None
        for place in range(start, len(text) + 1):
            seen: set[int] = set()
            awaiting: list[tuple[int, tuple[int, ...]]] = []
            pending = list(reversed(threads))
            while pending:
                at, marks = pending.pop()
                if at in seen:
                    continue
                seen.add(at)
                mark, edge = program.marks[at], program.edges[at]
                if program.tests[at] is not None:
                    awaiting.append((at, marks))
                elif edge is not None and not (self._at_end(text, place) if edge else place == 0):
                    continue
                elif program.exits[at]:
                    if mark is not None:
                        marks = (*marks[:mark], place, *marks[mark + 1 :])
                    pending.extend((one, marks) for one in reversed(program.exits[at]))
                elif end is None or place == end:
                    best = (start, place, *marks[2:])
                    break
            self._count(len(seen) + 1)
            if place == len(text):
                break
            threads = [
                (program.exits[at][0], marks)
                for at, marks in awaiting
                if (test := program.tests[at]) is not None and test(text[place])
            ]
            if not threads:
                break
        return best

    def match(self, text: str, start: int = 0) -> tuple[int, ...] | None:
        """Return the ends of the first match from `start` on and of its groups, -1 for none.

        Examples
        --------
        >>> compile_pattern("(b*)c").match("abbc")
        (1, 4, 1, 3)
        """
        if start == 0 and not self.found_in(text):
            return None  # known at once, where trying every beginning takes long
        for begin in range(start, len(text) + 1):
            if self._perl:
                found = self._threads(text, begin, None)
                if found is not None:
                    return found
                continue
            end = self._longest(text, begin)
            if end >= 0:
                return self._threads(text, begin, end) if self.groups else (begin, end)
        return None

    def replaced(
        self, text: str, replacement: Callable[[str, tuple[int, ...]], str], every: bool
    ) -> str:
        """Return a text with the first match, or every one, replaced."""
        pieces: list[str] = []
        copied, place, last = 0, 0, -1
        while place <= len(text):
            found = self.match(text, place)
            if found is None:
                break
            begin, end = found[:2]
            if not begin == end == last:
                pieces += [text[copied:begin], replacement(text, found)]
                copied = last = end
                if not every:
                    break
            place = end + 1 if begin == end else end
        return "".join([*pieces, text[copied:]])


def compile_pattern(text: str, *, perl: bool = False, fold: bool = False) -> Pattern:
    r"""Return a regular expression, ready to be matched.

    Parameters
    ----------
    text : str
        Letters, ``.``, ``^``, ``$``, ``[...]`` with classes such as ``[:alpha:]``, groups,
        ``|``, ``*``, ``+``, ``?``, ``{2,3}``, ``\d``, ``\w``, ``\s`` and escaped signs.
    perl : bool
        Whether the rules are PCRE's.
    fold : bool
        Whether capital and small letters are the same.

    Raises
    ------
    DataError
        For what is no regular expression, in R's words, or not of this part of them.

    Examples
    --------
    >>> compile_pattern("x+").replaced("axxb", lambda text, found: "-", True)
    'a-b'
    """
    reader = _Reader(text, perl, fold)
    node = reader.whole()
    program = _Program()
    begin = program.compiled(node, program.add())
    doubtful = reader.choices or reader.repeated_group or reader.lazy
    clear = not (reader.repeated_nothing if perl else doubtful)
    if reader.lazy and not perl:
        raise _unsupported("a repetition with '?' after it, without perl = TRUE,")
    return Pattern(reader.groups, clear, program, begin, perl)
