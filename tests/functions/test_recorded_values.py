"""Every expression of fixtures/functions gives R's value, type, names and warnings."""

import re
from pathlib import Path

import numpy as np
import pytest

from lme4py.data.collation import Collation
from lme4py.data.columns import Columns
from lme4py.data.values import Character, Factor, Matrix, Null, Numeric, take
from lme4py.errors import Lme4pyError
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Call
from lme4py.frame.evaluate import Scope, evaluate
from lme4py.functions.table import Context, lookup, names
from lme4py.versions import LME4_1, LME4_2, following

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "functions"
SUBJECTS = (
    "accuracy",
    "arithmetic",
    "bare",
    "bases",
    "calendar",
    "conversions",
    "dates",
    "factors",
    "grouped",
    "reordered",
    "indexing",
    "mathematics",
    "operators",
    "search",
    "selection",
    "summaries",
    "text",
    "times",
    "vectors",
)
NA = np.nan
R = ("base", "stats", "splines", "lme4")
TOLERANCE = 1e-12
# Between the texts of warnings, some of which quote the operator |.
_BETWEEN = r"""\|(?!(?<="\|)"|(?<='\|)'|(?<=‘\|)’)"""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="tests run without the fixtures")


def _character(*items):
    pool = tuple(dict.fromkeys(item for item in items if item is not None))
    codes = [-1 if item is None else pool.index(item) for item in items]
    return Character(np.array(codes, dtype=np.int32), pool)


def _factor(levels, *items, ordered=False):
    codes = [-1 if item is None else levels.index(item) for item in items]
    return Factor(np.array(codes, dtype=np.int32), tuple(levels), ordered)


# The data frame of fixtures/functions/make_function_values.R.
Z = np.array([3.0, 1, 4, 1, 5, 9, 2, 6]) / 7
F = ("lo", "hi", None, "mid", "lo", "hi", "hi", "lo")
DATES = ["2020-01-31", "2019-12-31", "NaT", "2020-02-29"]
DATES += ["1970-01-01", "1969-12-31", "2024-03-01", "2000-02-28"]
DAYS = np.array(DATES, dtype="datetime64[D]")
DATA = {
    "x": Numeric(np.array([1, 2.5, -3, 0, 7.25, NA, 1e6, 0.1]), "double"),
    "z": Numeric(Z, "double"),
    "p": Numeric(np.array([0.1, 0.5, 0.9, NA, 0.25, 0.01, 0.999, 0.75]), "double"),
    "i": Numeric(np.array([3, NA, -2, 7, 0, 5, 100000, 3]), "integer"),
    "j": Numeric(np.array([2, 3, 3, 2, 0, 4, 7, -2]), "integer"),
    "l": Numeric(np.array([1, 0, NA, 1, 0, 0, 1, NA]), "logical"),
    "k": Numeric(np.array([NA, 1, 1, 1, 0, NA, 0, 0]), "logical"),
    "w": _character("b", "A", None, "a", "B c", "10", " trim ", "é"),
    "v": _character("3", "1e2", "x", None, "", " 4 ", "0x1A", "-Inf"),
    "d": Numeric(
        np.where(np.isnat(DAYS), NA, DAYS.astype("int64").astype(float)), "double", "Date"
    ),
    "n": _character("abcd_12", "aab", "foo-bar 3.5", "ABCabc", "a]b.c", "x  ", None, "(lo)_hi"),
    "t": Numeric(
        np.array([1580472000, 1577836799, NA, 1582957815, 0, -86399, 1709318700, 951696000.0]),
        "double",
        "POSIXct",
    ),
    "s": Numeric(np.array([1.5, -2, NA, 90, 0, 2880, 60, 7]), "double", "mins"),
    "q": Numeric(np.array([1, 0.5, -3, NA, 0, 7, 0.001, 30]), "double", "days"),
    "f": _factor(("lo", "mid", "hi"), *F),
    "g": _factor(("u", "v", "w"), "u", "v", "v", "u", "w", "w", "v", None),
    "h": _factor(("hi", "lo", "mid"), *F),
    "o": _factor(("lo", "mid", "hi"), *F, ordered=True),
    "m": Matrix(np.asfortranarray(np.stack((Z, [2, -1, 0.5, 8, NA, 3, 1, 4]), axis=1)), ("a", "b")),
}


class _Columns:
    names = tuple(DATA)

    def get(self, name):
        return DATA.get(name)


class _FirstFour(_Columns):
    def get(self, name):
        return None if name not in DATA else take(DATA[name], slice(4))


def _evaluate(text, subject, lme4):
    warned = []
    short = subject == "operators"  # all pairs of operands are many: four rows do
    context = Context(4 if short else 8, Collation("icu"), warned.append, lme4=lme4)
    scope = Scope(_FirstFour() if short else _Columns(), {}, context)
    with following(lme4):
        return evaluate(parse(text), scope).value, warned


def _lines(name):
    path = FOLDER / f"{name}.tsv"
    return path.read_text(encoding="utf-8").splitlines()[1:] if path.exists() else []


def _recorded():
    """R 4.2 wrote all of them; since_4.6.tsv has those that are otherwise in R 4.6."""
    since = {tuple(line.split("\t")[:2]): line.split("\t")[1:] for line in _lines("since_4.6")}
    for subject in SUBJECTS:
        for line in _lines(subject):
            before = line.split("\t")
            after = since.get((subject, before[0]), before)
            for lme4, (expression, *rest) in ((LME4_1, before), (LME4_2, after)):
                name = f"{lme4.version} {subject}: {expression}"
                yield pytest.param(subject, lme4, expression, *rest, id=name)


def _unescaped(text):
    return (
        text.replace("\\\\t", "\t").replace("\\\\n", "\n").replace("\\t", "\t").replace("\\n", "\n")
    )


def _texts(text):
    """Return the quoted strings of a record; None is NA."""
    found = re.findall(r"NA(?=;|$)|'((?:[^'\\]|\\.)*)'", text)
    marks = re.findall(r"NA(?=;|$)|'(?:[^'\\]|\\.)*'", text)
    return [
        None if mark == "NA" else item.replace("\\'", "'")
        for item, mark in zip(found, marks, strict=True)
    ]


def _numbers(text):
    words = {"NA": NA, "Inf": np.inf, "-Inf": -np.inf}
    return np.array(
        [
            words[item] if item in words else float.fromhex(item) if "x" in item else float(item)
            for item in text.split(";")
            if item
        ]
    )


def _kind(value):
    match value:
        case Null():
            return "NULL"
        case Character():
            return "character"
        case Factor(ordered=ordered):
            return "ordered" if ordered else "factor"
        case Matrix(kind=kind, values=values):
            return f"matrix {kind} {values.shape[1]}"
        case Numeric(kind=kind, time=time):
            return time or kind
        case _:
            return type(value).__name__


def _assert_form(value):
    """Check the promises of the value types."""
    if isinstance(value, Numeric):
        assert value.values.ndim == 1
        missing = value.values.dtype.kind == "f" and np.isnan(value.values).any()
        expected = {"logical": np.bool_, "integer": np.int64, "double": np.float64}[value.kind]
        assert value.values.dtype == (np.float64 if missing else expected)
    elif isinstance(value, Character | Factor):
        assert value.codes.dtype == np.int32
        pool = value.pool if isinstance(value, Character) else value.levels
        assert len(set(pool)) == len(pool)
        assert value.codes.max(initial=-1) < len(pool)
    elif isinstance(value, Matrix):
        assert value.values.dtype == np.float64
        assert value.values.ndim == 2


@pytest.mark.parametrize("subject,lme4,expression,kind,values,names,warnings", list(_recorded()))
def test_value_is_that_of_r(subject, lme4, expression, kind, values, names, warnings):
    if kind == "error":
        with pytest.raises(Lme4pyError) as caught:
            _evaluate(expression, subject, lme4)
        assert caught.value.message == _unescaped(values)
        return
    value, warned = _evaluate(expression, subject, lme4)
    assert _kind(value) == kind
    if isinstance(value, Numeric | Matrix | Factor | Character):
        _assert_form(value)
    match value:
        case Character():
            ours = [None if code < 0 else value.pool[code] for code in value.codes]
            assert ours == _texts(_unescaped(values))
        case Factor():
            assert list(value.levels) == _texts(names)
            numbers = np.where(value.codes < 0, NA, value.codes + 1.0)
            np.testing.assert_array_equal(numbers, _numbers(values))
        case Numeric() | Matrix():
            numbers = value.values.astype(float).reshape(-1, order="F")
            np.testing.assert_allclose(numbers, _numbers(values), rtol=TOLERANCE, atol=0)
    if isinstance(value, Matrix):
        assert (value.names or ()) == tuple(name for name in names.split(";") if name)
    assert warned == [text for text in re.split(_BETWEEN, _unescaped(warnings)) if text]


def test_every_function_has_a_value_from_r():
    used = set()

    def walk(node):
        if isinstance(node, Call):
            called = node.function
            if isinstance(called, Call):
                called = called.operands[-1]
            used.add(getattr(called, "name", None))
            for operand in node.operands:
                walk(operand)

    for record in _recorded():
        walk(parse(record.values[2]))
    assert [name for name in names() if lookup(name).package in R and name not in used] == []


def test_the_sum_of_each_argument_is_a_double():
    # R 4.2.2 and 4.6: sum(c(0.1, 0.2), c(0.3, 1e16), c(-1e16, 0)) is 0
    columns = {"a": [0.1, 0.2], "b": [0.3, 1e16], "c": [-1e16, 0.0]}
    context = Context(2, Collation(), lambda _: None)
    found = evaluate(parse("sum(a, b, c)"), Scope(Columns(columns), {}, context))
    assert found.value.values.tolist() == [0.0]
