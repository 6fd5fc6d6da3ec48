"""Models that lme4 builds without a word though they are probably not what was meant.

lme4's own checks are in `lme4py.matrices.checks`. What is said here is ours, so it is
issued as `Lme4pyAdvice` or, where there may be a good reason, kept as a quiet remark in
``design.advice``. Ordinary models pass without a word, and nothing here costs a
pass over the rows unless counts already point at a trap.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lme4py.data.columns import Columns
from lme4py.data.values import Character, Factor, Numeric, missing
from lme4py.errors import Span
from lme4py.formula.formula import Formula
from lme4py.formula.syntax import Call, Symbol, calls_in, symbols
from lme4py.formula.terms import Terms
from lme4py.frame.evaluate import Scope
from lme4py.frame.modelframe import ModelFrame, Variables
from lme4py.frame.state import kept_items
from lme4py.matrices.grouping import Grouping
from lme4py.matrices.plan import Plan
from lme4py.matrices.randomterm import RandomTerm
from lme4py.matrices.reterms import RandomEffects
from lme4py.messages import Messages, rows_text
from lme4py.moments import sum_of_squares
from lme4py.numerals import number

_MOST, _NEARLY_ALL = 0.5, 0.9
_MANY_VALUES = 20
_FEW_VALUES = 10
_NUMBERS_LOOKED_AT = 200
_SHOWN = 3
_EXACT = 14
_REPLICATES = 10
_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+")


@dataclass(frozen=True, kw_only=True)
class Traps:
    """The traps of one build; `messages` take the findings.

    `formula` is as it was written, `grouping` has the columns that grouping expressions name,
    `scope` the data and what else names may mean. Generalized models are not `linear`.
    """

    formula: Formula
    frame: ModelFrame
    grouping: Grouping
    scope: Scope
    variables: Variables
    random: RandomEffects
    linear: bool
    contrasts: Mapping[str, Any] | None
    messages: Messages

    def report(self, fixed: Terms, X: Plan) -> None:
        """Look for all of them; `X` tells the columns of X before any was dropped."""
        self._double_bars()
        self._repeated_effects()
        for term in self.random.terms:
            self._coded_by_grouping(term)
            self._merged_levels(term)
        # One finding for each grouping factor, however many terms it has.
        for term in {term.bar.group_name: term for term in self.random.terms}.values():
            self._single_rows(term)
            self._numbers_as_groups(term)
        self._groups_as_fixed_effects(fixed)
        self._names_in_two_places()
        self._contrasts_of_random_effects()
        self._ordered_categories(X)
        self._numbers_as_text()
        self._computed_on_all_rows()
        self._rows_lost_to_unused_variables(fixed)
        self._impossible_values()

    def merged_numbers(self) -> None:
        """Find long numbers of a grouping factor that R writes alike, so that they are one level.

        Whole numbers beyond 15 digits: identifiers, mostly.
        """
        for term in {term.bar.group_name: term for term in self.random.terms}.values():
            for symbol in symbols(term.bar.group):
                value, part = self.frame.get(symbol.name), self.grouping.get(symbol.name)
                if not isinstance(value, Numeric) or value.time is not None or part is None:
                    continue
                if value.kind != "double" and value.values.dtype.kind in "biu":
                    continue
                if not any(
                    len(level or "") > _EXACT or "e+" in (level or "") for level in part.levels
                ):
                    continue
                count = np.unique(value.values[~np.isnan(value.values)]).size
                if count > len(part.levels):
                    self.messages.advise(
                        f"'{symbol.name}' has {count} different numbers, but R writes numbers with "
                        f"15 digits, so they make only {len(part.levels)} level"
                        f"{'s' if len(part.levels) > 1 else ''}; convert the column to text",
                        symbol.span,
                    )

    # -- random terms -------------------------------------------------------------------

    def _double_bars(self) -> None:
        """Find factors in ``(f || g)``, which keep a full covariance block."""
        spans = {item.span for item in calls_in(self.formula.right) if item.name == "||"}
        for term in self.random.terms:
            split = term.bar.structure == "us" and term.bar.source.span in spans
            if term.columns < 2 or not split:
                continue
            name = term.bar.label.partition("|")[0].strip().removeprefix("0 + ")
            kind = "is a factor" if term.plan.contrasts else "has several columns"
            self.messages.advise(
                f"'{name}' {kind}, so its {term.columns} columns stay correlated under ||, as in "
                f'lme4: the term is ({term.bar.label}); double_bar="diag" leaves all '
                "correlations out",
                term.bar.source.span,
            )

    def _repeated_effects(self) -> None:
        """Find two terms on one grouping factor with the same column."""
        seen: dict[tuple[str, str], RandomTerm] = {}
        told: set[tuple[RandomTerm, RandomTerm]] = set()
        for term in self.random.terms:
            for column in dict.fromkeys(term.plan.names):
                key = (term.bar.group_name, column)
                first = seen.setdefault(key, term)
                if first is term or (first, term) in told:
                    continue
                told.add((first, term))
                effect = "an intercept" if column == "(Intercept)" else f"'{column}'"
                self.messages.advise(
                    f"two random terms have {effect} for '{key[0]}', so their variances cannot be "
                    f"told apart: ({first.bar.label}) and ({term.bar.label}); start one of them "
                    "with 0 +, or keep one term",
                    term.bar.source.span,
                )

    def _coded_by_grouping(self, term: RandomTerm) -> None:
        """Find numbers that are factors in the slopes because the grouping factor names them."""
        grouping = {symbol.name for symbol in symbols(term.bar.group)}
        for symbol in symbols(term.bar.effects):
            value = self.frame.get(symbol.name)
            if symbol.name in grouping and isinstance(value, Numeric) and value.kind != "logical":
                self.messages.advise(
                    f"'{symbol.name}' is a number but stands in the grouping factor "
                    f"'{term.bar.group_name}', so lme4 codes it as a factor left of the bar, too; "
                    "give the grouping factor a column of its own",
                    term.bar.source.span,
                )

    def _merged_levels(self, term: RandomTerm) -> None:
        """Find combinations ``a:b`` that are one level because their pasted names are alike."""
        group = term.bar.group
        if not (isinstance(group, Call) and group.name == ":"):
            return
        parts = [self.grouping.get(symbol.name) for symbol in symbols(group)]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return
        for symbol, part in zip(symbols(group), known, strict=True):
            if part.incomplete and not term.group.incomplete:
                self.messages.advise(
                    f"missing values of '{symbol.name}' became levels such as NA:... of "
                    f"'{term.bar.group_name}': lme4 pastes them as text; drop the rows "
                    '(na_action="omit") or fill them in',
                    group.span,
                )
        if not any(":" in (level or "") for part in known for level in part.levels):
            return
        combined = np.zeros(self.frame.rows, dtype=np.int64)
        for part in known:
            combined = combined * (len(part.levels) + 1) + part.codes
        count = np.unique(combined).size
        if count > term.levels:
            self.messages.advise(
                f"{count} combinations of '{term.bar.group_name}' have only {term.levels} names, "
                "because level names contain ':', so lme4 takes different groups for one; "
                "use level names without ':'",
                group.span,
            )

    def _single_rows(self, term: RandomTerm) -> None:
        """Find grouping factors most of whose levels have a single row."""
        levels, rows, name = term.levels, self.frame.rows, term.bar.group_name
        # One level for each row is stopped by lme4's check, or meant (generalized models).
        if levels >= rows or levels * 4 < rows or levels < 5:
            return
        counts = np.bincount(term.group.codes[term.group.codes >= 0], minlength=levels)
        single = int(np.count_nonzero(counts == 1))
        text = f"{single} of {levels} levels of '{name}' have a single row"
        # The rows of the levels that have several tell the residual variance.
        if self.linear and single > _NEARLY_ALL * levels and rows - levels < _REPLICATES:
            self.messages.advise(
                f"{text}, so its variance can hardly be told from the residual one; "
                "is it the grouping factor you mean?",
                term.bar.group.span,
            )
        elif single > _MOST * levels:
            self.messages.remark(f"{text}; they say little about its variance")

    def _numbers_as_groups(self, term: RandomTerm) -> None:
        """Find measured numbers that are a grouping factor and a predictor."""
        group = term.bar.group
        if not isinstance(group, Symbol) or term.levels <= _FEW_VALUES:
            return
        value = self.frame.get(group.name)
        if not isinstance(value, Numeric) or value.kind == "logical" or value.time is not None:
            return
        if group.name not in self._predictors:
            return
        measured = value.kind == "double" and any(
            "." in (level or "") for level in term.group.levels[:_NUMBERS_LOOKED_AT]
        )
        text = (
            f"'{group.name}' is a number with {term.levels} distinct values and both a predictor "
            "and a grouping factor"
        )
        if measured:
            self.messages.advise(f"{text}; are the sides of the bar swapped?", group.span)
        elif term.levels > _MANY_VALUES:
            self.messages.remark(text)

    @cached_property
    def _predictors(self) -> dict[str, None]:
        """The names in the fixed part and in the left sides of the bars."""
        sides = [self.formula.nobars().right, *(term.bar.effects for term in self.random.terms)]
        return dict.fromkeys(symbol.name for side in sides for symbol in symbols(side))

    # -- fixed part ---------------------------------------------------------------------

    def _groups_as_fixed_effects(self, fixed: Terms) -> None:
        """Find grouping factors that are fixed effects as well, by name or in ``.``."""
        single = {
            fixed.names[member.bit_length() - 1]
            for member in fixed.members
            if member.bit_count() == 1
        }
        dotted = [item for item in symbols(self.formula.nobars().right) if item.name == "."]
        for name in dict.fromkeys(term.bar.group_name for term in self.random.terms):
            if name not in single:
                continue
            value = self.frame.get(name)
            if dotted and name not in self._predictors:
                self.messages.advise(
                    f"'.' stands for '{name}' too, which is a grouping factor: it is a fixed "
                    f"effect as well; write . - {name}",
                    dotted[0].span,
                )
            elif isinstance(value, Factor | Character):
                self.messages.remark(
                    f"'{name}' is a fixed effect and a grouping factor; the fixed effect leaves "
                    "no variance for the random one"
                )

    def _contrasts_of_random_effects(self) -> None:
        """Find contrasts meant for random effects, too, where they do not act."""
        if not isinstance(self.contrasts, Mapping):
            return
        for term in self.random.terms:
            for name, coding in term.plan.contrasts.items():
                given = self.contrasts.get(name)
                if given is None or (isinstance(given, str) and given == coding):
                    continue
                kept = coding if isinstance(coding, str) else "the matrix attached to it"
                self.messages.remark(
                    f"contrasts= acts on X only: '{name}' in ({term.bar.label}) keeps {kept}; "
                    "attached_contrasts= acts on both"
                )

    def _ordered_categories(self, X: Plan) -> None:
        """Find ordered categories of the data, whose columns R makes polynomials."""
        columns = self.scope.columns
        plans = [X, *(term.plan for term in self.random.terms)]
        parts = {part for plan in plans for label in plan.names for part in label.split(":")}
        for name in self._predictors:
            if f"{name}.L" not in parts or name in (self.contrasts or {}):
                continue
            if isinstance(columns, Columns) and columns.is_ordered_category(name):
                self.messages.advise(
                    f"'{name}' is an ordered category, as pd.cut, pd.qcut, pd.read_stata and "
                    "polars' to_pandas() make them, so its columns are polynomials "
                    f"({name}.L, ...), as R's of an ordered factor; for a column for each level "
                    f"take the order away: data['{name}'].cat.as_unordered()"
                )

    def _numbers_as_text(self) -> None:
        """Find numbers that were read as text because of a few entries, or of decimal commas."""
        for name in {**self._predictors, self.frame.response or "": None}:
            value = self.scope.columns.get(name)
            if not isinstance(value, Character) or not value.pool:
                continue
            looked = value.pool[:_NUMBERS_LOOKED_AT]
            others = [text for text in looked if number(text) is None]
            commas = [text for text in others if _DECIMAL_COMMA.fullmatch(text.strip())]
            nearly = (1 - _NEARLY_ALL) * len(looked)
            if commas and len(others) - len(commas) <= nearly:
                self.messages.advise(
                    f"'{name}' is text: numbers with a decimal comma ({commas[0]!r}); R reads "
                    "them as text, too; convert it to numbers, or read the file with decimal=','"
                )
                continue
            if len(value.pool) < _FEW_VALUES or len(others) > nearly or name == self.frame.response:
                continue
            rest = f" (not {', '.join(repr(text) for text in others[:_SHOWN])})" if others else ""
            self.messages.advise(
                f"'{name}' is text, though nearly all its {len(value.pool)} distinct values are "
                f"numbers{rest}: it is a factor with a column for each; convert it to numbers"
            )

    # -- names, rows, values ------------------------------------------------------------

    def _names_in_two_places(self) -> None:
        """Find names that the data and `env` have; the data go first, as in R."""
        for name in self.scope.env:
            used = any(symbol.name == name for symbol in symbols(self.formula.node))
            if used and self.scope.columns.get(name) is not None:
                self.messages.remark(
                    f"'{name}' is a column of the data and a variable of env: the column is used"
                )

    def _computed_on_all_rows(self) -> None:
        """Find means, knots and the like that come from rows left out later, too."""
        if self.frame.positions is None:
            return
        kept, total = self.frame.rows, self.scope.context.rows
        found = [
            text
            for name, node in self.variables.terms.by_name.items()
            for text, _ in kept_items(node, self.variables.states[name])
        ]
        for text in dict.fromkeys(found):
            self.messages.remark(
                f"{text} is computed from all {total} rows, as in R; {kept} of them are kept"
            )

    def _rows_lost_to_unused_variables(self, fixed: Terms) -> None:
        """Find variables in no term that take rows with missing values along."""
        if not self.frame.omitted:
            return
        used = {fixed.names[i] for member in fixed.members for i in fixed.positions(member)}
        bars = {symbol.name for term in self.random.terms for symbol in symbols(term.bar.source)}
        for name in self.frame.names:
            if name in used or name in bars or name == self.frame.response:
                continue
            value = self.scope.columns.get(name)
            mask = None if value is None else missing(value)
            if mask is not None:
                self.messages.remark(
                    f"'{name}' is in no term, but rows where it is missing are dropped: "
                    f"{rows_text(mask)}"
                )

    def _impossible_values(self) -> None:
        """Find values that lme4 takes here and that stop its fit."""
        for term in () if self.random.finite else self.random.terms:
            for place, column in enumerate(term.plan.names):
                values = term.plan.column(place)
                text = f"'{column}' in ({term.bar.label}) is infinite, which no fit takes"
                self._tell_rows(text, np.isinf(values), values, term.bar.source.span)
        name = self.frame.response
        value = None if name is None else self.frame.get(name)
        if isinstance(value, Numeric) and value.values.dtype.kind == "f":
            if not np.isfinite(sum_of_squares(value.values)):
                text = f"the response '{name}' is infinite, which no fit takes"
                self._tell_rows(text, np.isinf(value.values), value.values)
        elif isinstance(value, Character) or (self.linear and isinstance(value, Factor)):
            self.messages.advise(
                f"response must be numeric{'' if self.linear else ' or factor'}: '{name}' is "
                f"{'text' if isinstance(value, Character) else 'a factor'}, which no fit takes"
            )
        weights, offset = self.frame.weights(), self.frame.offset()
        if weights is not None:
            wrong = ~((weights >= 0) & np.isfinite(weights))
            self._tell_rows("weights must be finite and not negative for the fit", wrong, weights)
        if offset is not None:
            text = "the offset is not finite, which no fit takes"
            self._tell_rows(text, ~np.isfinite(offset), offset)

    def _tell_rows(
        self,
        text: str,
        mask: NDArray[np.bool_],
        values: NDArray[Any],
        span: Span | None = None,
    ) -> None:
        """Advise of the rows that a mask marks, if there are any."""
        if mask.any():
            where = rows_text(mask, self.frame.positions, values)
            self.messages.advise(f"{text}: {where}", span)
