"""Running a regular expression on texts, without going back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from lme4py.errors import DataError
from lme4py.frame.functions.patterns.program import Program
from lme4py.frame.functions.patterns.syntax import Reader, unsupported

__all__ = ["Pattern", "compile_pattern"]

_MOST_STEPS = 10_000_000
_MOST_STATES = 5_000

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
    _program: Program
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
    reader = Reader(text, perl, fold)
    node = reader.whole()
    program = Program()
    begin = program.compiled(node, program.add())
    doubtful = reader.choices or reader.repeated_group or reader.lazy
    clear = not (reader.repeated_nothing if perl else doubtful)
    if reader.lazy and not perl:
        raise unsupported("a repetition with '?' after it, without perl = TRUE,")
    return Pattern(reader.groups, clear, program, begin, perl)
