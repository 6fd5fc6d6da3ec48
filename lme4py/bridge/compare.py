"""A design against what R recorded, component by component."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lme4py.bridge.causes import causes
from lme4py.bridge.findings import Comparison, Difference, Finding
from lme4py.bridge.fixture import Fixture, named_items
from lme4py.bridge.measures import (
    compare_factor,
    compare_numbers,
    compare_sparse,
    compare_texts,
    permutation,
    short,
)
from lme4py.bridge.rvalues import RFactor, RFrame, RList, RMatrix, RSparse, RVector

if TYPE_CHECKING:
    from lme4py.matrices.mixed import MixedMatrices

__all__ = ["compare"]


def compare(design: MixedMatrices, fixture: Fixture) -> Comparison:
    """Compare a design with what R recorded of the same model.

    Structure and names must be the same, numbers agree to 1e-12 of their column.

    Parameters
    ----------
    design : MixedDesign
    fixture : Fixture
        From `read_fixture`.

    Returns
    -------
    Comparison
        One finding for each component: equal, equal up to order, or different with the
        first differences; and what probably caused them. It is true if all are equal.
    """
    pair = _Pair(design, fixture)
    findings = tuple(pair.findings())
    comparison = Comparison(fixture.name, findings, (), fixture.notes)
    return replace(comparison, causes=tuple(causes(design, fixture, comparison)))


@dataclass(frozen=True)
class _Pair:
    """A design and a fixture, with the orders in which they hold the same things."""

    design: Any
    fixture: Fixture

    def findings(self) -> Iterator[Finding]:
        fixture = self.fixture
        if fixture.X is not None:
            yield from self._fixed(fixture.X)
        if fixture.frame is not None:
            yield from self._rows(fixture.frame)
        yield from self._random(fixture.terms)
        yield from self._kind()

    # Orders: where their rows, columns and terms stand in ours; None when they are the
    # same, or when there is no such order.

    @cached_property
    def labels(self) -> list[str]:
        """Names of our rows, as R would call them."""
        return row_labels(self.design, self.fixture)

    @cached_property
    def row_order(self) -> NDArray[np.int64] | None:
        if self.fixture.frame is None:
            return None
        return _moved(permutation(self.labels, self.fixture.frame.row_names))

    @cached_property
    def column_order(self) -> NDArray[np.int64] | None:
        theirs = None if self.fixture.X is None else self.fixture.X.column_names
        return None if theirs is None else _moved(permutation(self.design.fixed.names, theirs))

    @cached_property
    def term_order(self) -> NDArray[np.int64] | None:
        found = [(group, tuple(sorted(names))) for group, names in self.design.random.cnms]
        expected = [(group, tuple(sorted(names))) for group, names in _cnms(self.fixture.terms)]
        return _moved(permutation(found, expected))

    @cached_property
    def effect_order(self) -> NDArray[np.int64] | None:
        """Where the rows of their Zt stand in ours: term, level and column tell each."""
        random, terms = self.design.random, self.fixture.terms
        ours = _effects(random.cnms, random.nl, random.row_names)
        theirs = _effects(_cnms(terms), _nl(terms), terms["Zt"].row_names or ())
        return _moved(permutation(ours, theirs))

    def _up_to_order(
        self, found: Finding, order: NDArray[np.int64] | None, what: str, again: Callable[[], bool]
    ) -> Finding:
        """Return the finding, "order" where the components agree once put in their order."""
        if found.verdict == "equal" or order is None or not again():
            return found
        return Finding(found.component, "order", what)

    def _by_rows(
        self, component: str, ours: Any, theirs: Any, names: Sequence[str] = ()
    ) -> Finding:
        """Compare numbers that go by rows of the data."""

        def place(at: tuple[int, ...]) -> str:
            row = f" row '{self.labels[at[0]]}'" if at[0] < len(self.labels) else ""
            column = f", column '{names[at[1]]}'" if len(at) > 1 and at[1] < len(names) else ""
            return f"[{', '.join(map(str, at))}]{row}{column}"

        found = compare_numbers(component, ours, theirs, place)
        order = self.row_order
        return self._up_to_order(
            found,
            order,
            "the rows stand in another order",
            lambda: compare_numbers(component, np.asarray(ours)[order], theirs).verdict == "equal",
        )

    def _fixed(self, theirs: RMatrix) -> Iterator[Finding]:
        fixed = self.design.fixed
        yield self._X(theirs)
        yield compare_texts("fixed.names", fixed.names, theirs.column_names)
        assign = theirs.attributes.get("assign")
        if assign is not None:
            yield compare_texts(
                "fixed.assign", np.asarray(fixed.assign).tolist(), assign.values.tolist()
            )
        contrasts = theirs.attributes.get("contrasts")
        named = contrasts if isinstance(contrasts, RList) else RList((), ())
        yield compare_texts("fixed.contrasts", fixed.contrasts, named.names)
        for variable, coding in zip(named.names or (), named, strict=True):
            if variable in fixed.contrasts:
                yield _coding(f"fixed.contrasts[{variable!r}]", fixed.contrasts[variable], coding)
        yield _dropped(fixed.dropped, theirs.attributes.get("col.dropped"))

    def _X(self, theirs: RMatrix) -> Finding:
        design = self.design
        X = design.X if isinstance(design.X, np.ndarray) else design.X.toarray()
        if X.dtype != np.float64:
            return Finding("X", "different", f"dtype {X.dtype}")
        found = self._by_rows("X", X, theirs.values, design.fixed.names)
        order = self.column_order
        return self._up_to_order(
            found,
            order,
            "the columns stand in another order",
            lambda: self._by_rows("X", X[:, order], theirs.values).verdict == "equal",
        )

    def _rows(self, frame: RFrame) -> Iterator[Finding]:
        design = self.design
        response, weights, offset = self.fixture.model
        if response is not None:
            yield self._response(design.y, response)
        elif design.y is not None:
            yield Finding("y", "different", "present, R has none")
        for name, ours, theirs in (
            ("weights", design.weights, weights),
            ("offset", design.offset, offset),
        ):
            if (ours is None) != (theirs is None):
                summary = f"{'absent' if ours is None else 'present'}, unlike R's"
                yield Finding(name, "different", summary)
            elif theirs is not None:
                yield self._by_rows(name, ours, _numbers(theirs))
        yield from self._frame(design.frame, frame)

    def _response(self, ours: Any, theirs: Any) -> Finding:
        if isinstance(theirs, RVector) and theirs.kind == "character":
            if ours is None:
                return Finding("y", "equal")
            return Finding("y", "different", "present, R has text")
        if ours is None:
            return Finding("y", "different", "absent, R has numbers")
        if isinstance(theirs, RFactor):
            # lme4's response module: the first level is failure, every other success.
            generalized = self.fixture.family is not None
            codes = np.minimum(theirs.codes, 1) if generalized else theirs.codes + 1
            return self._by_rows("y", ours, np.where(theirs.codes < 0, np.nan, codes))
        return self._by_rows("y", ours, _numbers(theirs))

    def _frame(self, ours: Any, theirs: RFrame) -> Iterator[Finding]:
        columns = dict(_split(theirs))
        names = compare_texts("frame.names", ours.columns, columns)
        yield names
        rows = compare_texts("frame.row_names", self.labels, theirs.row_names)
        yield rows
        if rows.verdict == "different":
            return
        for name, column in columns.items():
            places = np.flatnonzero(ours.columns == name)
            if places.size == 1:
                yield self._column(f"frame[{name!r}]", ours.iloc[:, int(places[0])], column)

    def _column(self, component: str, ours: Any, theirs: Any) -> Finding:
        import pandas as pd

        categorical = isinstance(ours.dtype, pd.CategoricalDtype)
        if isinstance(theirs, RFactor):
            if not categorical:
                return Finding(component, "different", f"{_type(ours.dtype)}, R has a factor")
            return self._factor(
                component, ours.cat.categories, ours.cat.codes, bool(ours.cat.ordered), theirs
            )
        if categorical:
            kind = getattr(theirs, "kind", type(theirs).__name__)
            return Finding(component, "different", f"a factor, R has a {kind} vector")
        if not isinstance(theirs, RVector):
            return Finding(component, "different", f"{_type(ours.dtype)}, R has another object")
        if theirs.kind == "character":
            values = [None if pd.isna(text) else str(text) for text in ours]
            found = compare_texts(component, values, theirs.texts())
            order = self.row_order
            return self._up_to_order(
                found if found.verdict == "equal" else replace(found, verdict="different"),
                order,
                "the rows stand in another order",
                lambda: order is not None and [values[at] for at in order] == theirs.texts(),
            )
        if pd.api.types.is_datetime64_any_dtype(ours.dtype) or ours.dtype == object:
            if (
                ours.dtype == object
                and theirs.kind != "complex"
                and any(isinstance(item, str) for item in ours[:1])
            ):
                return Finding(component, "different", f"text, R has a {theirs.kind} vector")
            # Times and other objects: their numbers are compared where they enter X or Zt.
            return Finding(component, "equal")
        numbers = pd.to_numeric(ours).to_numpy(dtype=np.float64, na_value=np.nan)
        return self._by_rows(component, numbers, theirs.as_float())

    def _factor(
        self, component: str, levels: Any, codes: Any, ordered: bool, theirs: RFactor
    ) -> Finding:
        found = compare_factor(component, levels, codes, ordered, theirs)
        order = self.row_order
        return self._up_to_order(
            found,
            order,
            "the rows stand in another order",
            lambda: (
                compare_factor(component, levels, np.asarray(codes)[order], ordered, theirs).verdict
                != "different"
            ),
        )

    def _random(self, theirs: RList) -> Iterator[Finding]:
        random = self.design.random
        yield self._Zt(random, theirs["Zt"])
        yield compare_texts("random.row_names", random.row_names, theirs["Zt"].row_names)
        if isinstance(theirs.get("Ztlist"), RList):
            yield from self._blocks(random, theirs["Ztlist"])
        yield self._Lambdat(random, theirs)
        yield from self._parameters(random, theirs)
        found = [(group, list(names)) for group, names in random.cnms]
        yield self._terms("cnms", found, [(group, list(names)) for group, names in _cnms(theirs)])
        yield from self._groups(random, theirs["flist"])

    def _Zt(self, random: Any, theirs: RSparse) -> Finding:
        names = (random.row_names, self.labels)
        found = compare_sparse("Zt", random.Zt, theirs, names)
        if found.verdict == "equal" or random.Zt.shape != theirs.matrix.shape:
            return found
        for rows, columns, what in (
            (self.effect_order, None, "the rows stand in another order (levels or terms)"),
            (None, self.row_order, "the columns stand in another order (rows of the data)"),
            (self.effect_order, self.row_order, "rows and columns stand in another order"),
        ):
            if rows is None and columns is None:
                continue
            moved = random.Zt if rows is None else random.Zt.tocsr()[rows].tocsc()
            moved = moved if columns is None else moved[:, columns]
            if compare_sparse("Zt", _tidy(moved), theirs, names).verdict == "equal":
                return Finding("Zt", "order", what)
        return found

    def _blocks(self, random: Any, theirs: RList) -> Iterator[Finding]:
        labels = [label for label, _ in random.Ztlist]
        found = compare_texts("Ztlist labels", labels, theirs.names)
        yield found
        if len(theirs) != len(labels):
            return
        for at, expected in enumerate(theirs):
            place = at
            if found.verdict == "order" and self.term_order is not None:
                place = int(self.term_order[at])
            label, block = random.Ztlist[place]
            component = f"Ztlist[{at}] {label!r}"
            begin = int(random.Gp[place])
            rows = random.row_names[begin : begin + block.shape[0]]
            result = compare_sparse(component, block, expected, (rows, self.labels))
            if result.verdict != "equal" and self._block_moved(place, block, rows, expected):
                result = Finding(component, "order", "the levels or rows stand in another order")
            yield result

    def _block_moved(self, place: int, block: Any, rows: list[str], theirs: RSparse) -> bool:
        names = self.design.random.cnms[place][1]
        columns = max(len(names), 1)
        expected = theirs.row_names or ()
        order = permutation(
            [(level, at % columns) for at, level in enumerate(rows)],
            [(level, at % columns) for at, level in enumerate(expected)],
        )
        if order is None or block.shape != theirs.matrix.shape:
            return False
        moved = block.tocsr()[order].tocsc()
        if self.row_order is not None:
            moved = moved[:, self.row_order]
        return compare_sparse("", _tidy(moved), theirs, ((), ())).verdict == "equal"

    def _Lambdat(self, random: Any, terms: RList) -> Finding:
        theirs, how = terms["Lambdat"], ""
        ours = random.Lambdat
        index = np.asarray(terms["Lind"].values, dtype=np.int64) - 1
        theta = terms["theta"].values
        if index.size == theirs.matrix.nnz and index.size and index.max() < theta.size:
            as_index = np.array_equal(theirs.matrix.data, index + 1)
            if self.fixture.fitted or (as_index and self.fixture.two):
                # lme4 2.x stores the index there until the fit; a fitted model its estimates.
                given = index + 1 if as_index and self.fixture.two else theta[index]
                if not np.array_equal(theirs.matrix.data, given):
                    return Finding("Lambdat", "different", "R's own Lambdat@x is not theta[Lind]")
                if ours.nnz == theirs.matrix.nnz:
                    values = theirs.matrix.copy()
                    values.data = ours.data.copy()
                    theirs, how = RSparse(values, None, None), " (places only)"
        found = compare_sparse("Lambdat", ours, theirs, ((), ()))
        if found.verdict != "equal" and ours.shape == theirs.matrix.shape:
            order = self.effect_order
            if order is not None:
                moved = _tidy(ours.tocsr()[order].tocsc()[:, order])
                if compare_sparse("Lambdat", moved, theirs, ((), ())).verdict == "equal":
                    return Finding("Lambdat", "order", "the terms stand in another order")
        return replace(found, summary=found.summary + how) if found.summary else found

    def _parameters(self, random: Any, theirs: RList) -> Iterator[Finding]:
        order = self.term_order
        for name, shift in (("Lind", 1), ("Gp", 0), ("nl", 0), ("ord", 1)):
            expected = theirs.get(name)
            if expected is None:
                continue
            array = np.asarray(getattr(random, "order" if name == "ord" else name))
            if name != "ord" and array.dtype != np.int32:
                yield Finding(name, "different", f"dtype {array.dtype}, not int32")
                continue
            found = compare_texts(
                name, array.tolist(), (expected.values.astype(int) - shift).tolist()
            )
            if found.verdict == "order" and order is None:
                found = replace(found, verdict="different")
            if found.verdict == "different" and order is not None and array.size == len(expected):
                found = Finding(name, "order", "follows from the order of the terms")
            yield found
        for name in ("theta", "lower", "upper", "par"):
            if not isinstance(theirs.get(name), RVector):
                continue
            ours, expected = np.asarray(getattr(random, name)), theirs[name].values
            if self.fixture.fitted and name in ("theta", "par"):
                yield compare_texts(f"{name} (number)", [ours.size], [expected.size])
                continue
            found = compare_numbers(name, ours, expected)
            yield self._up_to_order(
                found,
                order,
                "follows from the order of the terms",
                lambda ours=ours, expected=expected: np.array_equal(  # type: ignore[misc]
                    np.sort(ours), np.sort(expected)
                ),
            )

    def _terms(self, component: str, ours: list[Any], theirs: list[Any]) -> Finding:
        if ours == theirs:
            return Finding(component, "equal")
        order = self.term_order
        if order is not None and [ours[at] for at in order] == theirs:
            return Finding(component, "order", short(f"{ours}, in R {theirs}"))
        return Finding(
            component, "different", "", (Difference("", short(repr(ours)), short(repr(theirs))),)
        )

    def _groups(self, random: Any, theirs: Any) -> Iterator[Finding]:
        columns = dict(named_items(theirs))
        names = compare_texts("flist names", random.flist, columns)
        yield names
        for group, factor in columns.items():
            if group in random.flist and isinstance(factor, RFactor):
                mine = random.flist[group]
                yield self._factor(
                    f"flist[{group!r}]", mine.categories, mine.codes, bool(mine.ordered), factor
                )
        given = theirs.attributes.get("assign")
        if given is not None:
            assign = (given.values.astype(int) - 1).tolist()
            found = compare_texts("flist assign", np.asarray(random.assign).tolist(), assign)
            if found.verdict == "order" and names.verdict == "equal" and self.term_order is None:
                found = replace(found, verdict="different")
            yield found

    def _kind(self) -> Iterator[Finding]:
        fixture, design = self.fixture, self.design
        if fixture.family is None:
            if fixture.reml is not None:
                yield compare_texts("reml", [design.reml], [fixture.reml])
            return
        family = design.family
        ours = str(getattr(family, "name", family)), getattr(family, "link", fixture.family[1])
        yield compare_texts("family", [ours[0].split("(")[0], ours[1]], fixture.family)


def row_labels(design: Any, fixture: Fixture) -> list[str]:
    """Return the names of a design's rows as R would give them.

    A table without names of its own counts from 0 here and from 1 in R.
    """
    import pandas as pd

    index = getattr(design, "index", design.frame.index)
    unnamed = index is None or (
        isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1
    )
    if not unnamed:
        return _unique(design.frame.index)
    rows = len(design.frame)
    frame = getattr(design, "model_frame", None)
    positions = getattr(frame, "positions", None)
    places = np.arange(rows) if positions is None else np.asarray(positions)
    data = fixture.data
    if data is not None and places.size and int(places.max()) < len(data.row_names):
        return _unique(data.row_names[int(at)] for at in places)
    return _unique(int(at) + 1 for at in places)


def _unique(labels: Iterable[Any]) -> list[str]:
    """Return labels as R makes them unique (13, 13.1, ...); pandas repeats a row's label."""
    given = [str(label) for label in labels]
    if len(set(given)) == len(given):
        return given
    taken, result, count = set(given), [], dict[str, int]()
    seen: set[str] = set()
    for text in given:
        name = text
        while name in seen or (name != text and name in taken):
            count[text] = count.get(text, 0) + 1
            name = f"{text}.{count[text]}"
        seen.add(name)
        result.append(name)
    return result


def _moved(order: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """Return an order that moves something, else None."""
    if order is None or np.array_equal(order, np.arange(order.size)):
        return None
    return order


def _tidy(matrix: Any) -> Any:
    """Return a moved matrix as one made at once: sorted, int32."""
    found = matrix.tocsc()
    found.sort_indices()
    return sparse.csc_array(
        (found.data, found.indices.astype(np.int32), found.indptr.astype(np.int32)),
        shape=found.shape,
    )


def _cnms(terms: RList) -> list[tuple[str, list[str]]]:
    return [
        (group, [] if names is None else list(names.values))
        for group, names in named_items(terms["cnms"])
    ]


def _nl(terms: RList) -> list[int]:
    if isinstance(terms.get("nl"), RVector):
        return [int(count) for count in terms["nl"].values]
    sizes = np.diff(terms["Gp"].values.astype(np.int64))
    columns = [max(len(names), 1) for _, names in _cnms(terms)]
    return [int(size) // count for size, count in zip(sizes, columns, strict=True)]


def _effects(
    cnms: Iterable[tuple[str, Sequence[str]]], nl: Iterable[int], rows: Sequence[str]
) -> list[tuple[str, str, str]]:
    """Return group, column and level of every row of Zt."""
    found: list[tuple[str, str, str]] = []
    for (group, names), levels in zip(cnms, nl, strict=False):
        begin = len(found)
        found += [
            (group, names[at % len(names)], rows[begin + at])
            for at in range(int(levels) * len(names))
            if begin + at < len(rows)
        ]
    return found


def _coding(component: str, ours: Any, theirs: Any) -> Finding:
    if isinstance(theirs, RVector) and theirs.kind == "character":
        mine = ours if isinstance(ours, str) else "a matrix"
        return compare_texts(component, [mine], list(theirs.values))
    if isinstance(theirs, RMatrix):
        values = ours if isinstance(ours, np.ndarray) else getattr(ours, "values", ours)
        if isinstance(values, str):
            return Finding(component, "different", f"{values!r}, R has a matrix")
        return compare_numbers(component, values, theirs.values)
    # A function: R keeps no name of it.
    return Finding(component, "equal")


def _dropped(ours: Any, theirs: RVector | None) -> Finding:
    """Compare names and positions in order.

    lme4 1.1-31 writes the names in column order beside positions in pivot order, also
    where the two differ; so do we.
    """
    names = () if theirs is None else theirs.names
    positions = [] if theirs is None else [int(at) - 1 for at in theirs.values]
    if theirs is not None and names is None:
        # R has no names to give when every column goes.
        return compare_texts("fixed.dropped", ours.values(), positions)
    # A name that repeats keeps its last position only.
    expected = dict(zip(names or (), positions, strict=True))
    return compare_texts("fixed.dropped", ours.items(), expected.items())


def _numbers(value: Any) -> Any:
    return value.as_float() if isinstance(value, RVector) else value.values


def _split(frame: RFrame) -> Iterator[tuple[str, Any]]:
    """Yield the columns, a matrix as one column for each of its own (pandas holds no matrix)."""
    for name, column in frame.columns.items():
        if not isinstance(column, RMatrix):
            yield name, column
            continue
        labels = column.column_names or [str(at + 1) for at in range(column.values.shape[1])]
        for at, label in enumerate(labels):
            yield f"{name}.{label}", RVector(column.values[:, at], column.kind)


def _type(dtype: Any) -> str:
    return "text" if dtype.kind in "OU" else f"{dtype} numbers"
