"""A regular expression as a program of small steps."""

from __future__ import annotations

from dataclasses import dataclass, field

from lme4py.frame.functions.patterns.syntax import (
    Choice,
    Edge,
    Group,
    Letter,
    Node,
    Repeat,
    Sequence,
    Test,
    unsupported,
)

__all__ = ["Program"]

_MOST_INSTRUCTIONS = 2_000


@dataclass(slots=True)
class Program:
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
        """Add an instruction; return its place."""
        if len(self.tests) >= _MOST_INSTRUCTIONS:
            raise unsupported(f"more than {_MOST_INSTRUCTIONS} steps")
        self.tests.append(test)
        self.exits.append(exits)
        self.marks.append(mark)
        self.edges.append(edge)
        return len(self.tests) - 1

    def compiled(self, node: Node, after: int) -> int:
        """Add the instructions of a node that goes on at `after`; return where it begins."""
        match node:
            case Letter(test=test):
                return self.add((after,), test=test)
            case Edge(end=end):
                return self.add((after,), edge=end)
            case Group(number=0):
                return self.compiled(node.inner, after)
            case Group(inner=inner, number=number):
                close = self.add((after,), mark=2 * number + 1)
                return self.add((self.compiled(inner, close),), mark=2 * number)
            case Sequence(items=items):
                for item in reversed(items):
                    after = self.compiled(item, after)
                return after
            case Choice(items=items):
                return self.add(tuple(self.compiled(item, after) for item in items))
            case Repeat():
                return self._repeated(node, after)

    def _repeated(self, node: Repeat, after: int) -> int:
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
