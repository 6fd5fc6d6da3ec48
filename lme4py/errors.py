"""The exceptions of the package, and the stretch of formula text they point at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lme4py.abbreviation import Abbreviated

_WIDTH = 100


@dataclass(frozen=True, repr=False, slots=True)
class Span(Abbreviated):
    """A stretch of formula text: ``text[start:end]``.

    Parameters
    ----------
    text : str
        The whole formula as the user wrote it.
    start, end : int
        Half-open range of characters; an empty range marks a position.
    """

    text: str
    start: int
    end: int

    def caret(self) -> str:
        """Return the line of the formula that holds the span, with carets below it.

        Examples
        --------
        >>> print(Span("y ~ x + zz", 8, 10).caret())
          y ~ x + zz
                  ^^
        """
        begin = self.text.rfind("\n", 0, self.start) + 1
        finish = self.text.find("\n", begin)
        line = self.text[begin : len(self.text) if finish < 0 else finish]
        column = self.start - begin
        width = max(1, min(self.end, begin + len(line)) - self.start)
        if len(line) > _WIDTH:
            cut = max(0, min(column - _WIDTH // 2, len(line) - _WIDTH))
            head, tail = "..." if cut else "", "..." if cut + _WIDTH < len(line) else ""
            line = head + line[cut : cut + _WIDTH] + tail
            column = column - cut + len(head)
            width = max(1, min(width, len(line) - column))
        line = "".join(character if character.isprintable() else " " for character in line)
        return f"  {line}\n  {' ' * column}{'^' * width}"

    @property
    def source(self) -> str:
        """The text inside the span."""
        return self.text[self.start : self.end]


class Lme4pyError(ValueError):
    """Base of every error that lme4py raises on purpose.

    Parameters
    ----------
    message : str
        One line of cause, in lme4's words where lme4 has them.
    span : Span, optional
        Where in the formula the fault lies; shown as a caret line.
    hint : str, optional
        What to do, or the nearest name that exists.
    """

    def __init__(self, message: str, span: Span | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.hint = hint

    def __str__(self) -> str:
        parts = [self.message]
        if self.span is not None:
            parts.append(self.span.caret())
        if self.hint is not None:
            parts.append(self.hint)
        return "\n".join(parts)


class FormulaSyntaxError(Lme4pyError):
    """The text is not an R formula."""


class FormulaError(Lme4pyError):
    """The formula parses but has no meaning as a model."""


class DataError(Lme4pyError):
    """The data cannot serve the formula."""


class CheckError(Lme4pyError):
    """One of lme4's checks stopped the model."""


class Lme4pyWarning(UserWarning):
    """A warning of R's or lme4's, in its words."""


class Lme4pyMessage(Lme4pyWarning):
    """A message of lme4's that its columns are not those that were asked for.

    R prints it where everybody sees it; here it is a warning and goes to the logger, too.
    """


class Lme4pyAdvice(Lme4pyWarning):
    """A warning of ours where lme4 is silent: the model is probably not what was meant.

    To see only what lme4 says: ``warnings.simplefilter("ignore", lme4py.Lme4pyAdvice)``.
    """


def file_fault(verb: str, path: object, fault: Exception) -> DataError:
    """Return the error for a file that cannot be used, with the system's or a library's reason.

    Examples
    --------
    >>> print(file_fault("read", "table.csv", FileNotFoundError(2, "No such file or directory")))
    cannot read 'table.csv': No such file or directory
    """
    if isinstance(fault, DataError):
        return fault
    reason = getattr(fault, "strerror", None) or [*str(fault).strip().splitlines(), "empty"][0]
    return DataError(f"cannot {verb} '{path}': {reason}")


def nearest(name: str, existing: Iterable[str]) -> str | None:
    """Return a hint naming the existing names closest to `name`, or None."""
    import difflib

    known = list(existing)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if not close:
        lowered = {candidate.lower(): candidate for candidate in known}
        close = [lowered[name.lower()]] if name.lower() in lowered else []
    if not close:
        return None
    return "did you mean " + " or ".join(f"'{candidate}'" for candidate in close) + "?"
