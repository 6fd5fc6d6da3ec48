"""New rows get the basis, the levels and the breaks of the old ones, as in R."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lme4py.data.collation import Collation
from lme4py.data.values import Character, Factor, Matrix, Numeric
from lme4py.errors import DataError
from lme4py.formula.syntax import Symbol
from lme4py.functions.table import Context, Dot, lookup
from lme4py.spec.saved import _CODEC

FILE = Path(__file__).resolve().parents[2] / "fixtures" / "functions" / "replay.tsv"
CONTEXT = Context(8, Collation("icu"), lambda _text: None)


def number(*values):
    return Numeric(np.array(values, dtype=np.float64), "double")


def words(*values):
    pool = tuple(dict.fromkeys(value for value in values if value is not None))
    codes = [-1 if value is None else pool.index(value) for value in values]
    return Character(np.array(codes, dtype=np.int32), pool)


def call(name, *, state=None, **arguments):
    entry = lookup(name)
    arguments["context"] = CONTEXT
    if state is None:
        return entry.compute(**arguments)
    return entry.replay(state, **arguments)


def shown(factor):
    return [None if code < 0 else factor.levels[code] for code in factor.codes]


def _recorded():
    if not FILE.exists():
        return []
    return [line.split("\t") for line in FILE.read_text(encoding="utf-8").splitlines()[1:]]


@pytest.mark.parametrize("record", _recorded(), ids=lambda record: record[0])
def test_basis_on_new_rows_is_that_of_r(record):
    from lme4py.formula.parse import parse
    from lme4py.frame.evaluate import Scope, evaluate

    text = record[0]
    old_z, old_j, new_z, new_j, expected = (
        np.array([float.fromhex(item) for item in part.split(";")]) for part in record[1:]
    )

    class Columns:
        def __init__(self, **columns):
            self.columns = columns
            self.names = tuple(columns)

        def get(self, name):
            return self.columns.get(name)

    node = parse(text)
    old = Columns(z=number(*old_z), j=number(*old_j))
    new = Columns(z=number(*new_z), j=number(*new_j))
    learned = evaluate(node, Scope(old, {}, replace(CONTEXT, rows=old_z.size)))
    context = replace(CONTEXT, rows=new_z.size)
    found = evaluate(node, Scope(new, {}, context), learned.state)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        found.value.values.reshape(-1, order="F"), expected, rtol=0, atol=1e-13 * scale
    )


@pytest.mark.parametrize(
    "name,arguments",
    [
        ("scale", {"x": number(1, 2, 4)}),
        ("poly", {"x": number(1, 2, 4, 7), "degree": number(2)}),
        ("bs", {"x": number(1, 2, 4, 7), "df": number(4)}),
        ("ns", {"x": number(1, 2, 4, 7), "df": number(2)}),
        ("cut", {"x": number(1, 2, 4, 7), "breaks": number(2)}),
        ("factor", {"x": words("b", None, "a")}),
    ],
)
def test_state_survives_json(name, arguments):
    value, state = call(name, **arguments)
    plain = json.loads(json.dumps(_CODEC.to_plain(state), allow_nan=False))
    again = call(name, state=_CODEC.from_plain(plain), **arguments)
    if isinstance(value, Factor):
        assert again.levels == value.levels
        assert again.codes.tolist() == value.codes.tolist()
    else:
        np.testing.assert_allclose(again.values, value.values, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "name,more",
    [("factor", {}), ("ordered", {}), ("as.factor", {}), ("as.ordered", {}), ("addNA", {})],
)
def test_levels_are_frozen(name, more):
    old, state = call(name, x=words("c", "a", "b"), **more)
    new = call(name, state=state, x=words("b", "b", "a"), **more)
    assert new.levels == old.levels
    assert shown(new) == ["b", "b", "a"]
    with pytest.raises(DataError, match="the value 'z', but the known levels are 'a', 'b', 'c'"):
        call(name, state=state, x=words("a", "z"), **more)


def test_missing_values_stay_missing():
    _, state = call("factor", x=words("c", "a"))
    assert shown(call("factor", state=state, x=words(None, "c"))) == [None, "c"]


def test_listed_levels_leave_others_out_on_new_rows_too():
    arguments = {"levels": words("b", "a"), "labels": words("B", "A")}
    old, state = call("factor", x=words("c", "a", "b"), **arguments)
    assert shown(old) == [None, "A", "B"]
    assert shown(call("factor", state=state, x=words("b", "q"), **arguments)) == ["B", None]


def test_merged_labels_on_new_rows():
    arguments = {"labels": words("low", "high", "low")}
    _, state = call("factor", x=number(1, 2, 3), **arguments)
    new = call("factor", state=state, x=number(3, 2), **arguments)
    assert shown(new) == ["low", "high"]


def test_relevel_and_droplevels():
    x = Factor(np.array([2, 0, 2], dtype=np.int32), ("a", "b", "c"))
    new = Factor(np.array([0, 1], dtype=np.int32), ("c", "a"))
    _, state = call("relevel", x=x, ref=words("c"))
    again = call("relevel", state=state, x=new)
    assert (again.levels, shown(again)) == (("c", "a", "b"), ["c", "a"])
    _, state = call("droplevels", x=x)
    again = call("droplevels", state=state, x=new)
    assert (again.levels, shown(again)) == (("a", "c"), ["c", "a"])


def test_cut_keeps_its_breaks():
    old, state = call("cut", x=number(0, 5, 10), breaks=number(2))
    assert old.levels == ("(-0.01,5]", "(5,10]")
    new = call("cut", state=state, x=number(4, 6, 11, np.nan), breaks=number(2))
    assert shown(new) == ["(-0.01,5]", "(5,10]", None, None]


def test_interaction_keeps_its_levels():
    dots = (Dot(None, words("a", "b")), Dot(None, words("v", "u")))
    old, state = call("interaction", dots=dots, drop=Numeric(np.array([True]), "logical"))
    assert old.levels == ("b.u", "a.v")
    again = call("interaction", state=state, dots=(dots[0], Dot(None, words("v", None))))
    assert shown(again) == ["a.v", None]
    with pytest.raises(DataError, match=r"the value 'a\.u'"):
        call("interaction", state=state, dots=(dots[0], Dot(None, words("u", "u"))))


def test_c_keeps_its_contrasts():
    f = Factor(np.array([0, 1, 2], dtype=np.int32), ("p", "q", "r"))
    named, state = call("C", object=f, contr=Symbol("sum"))
    assert named.contrasts == "contr.sum"
    assert call("C", state=state, object=words("q")).contrasts == "contr.sum"
    given, state = call("C", object=f, contr=Matrix(np.array([[1.0], [0.0], [-1.0]])))
    again = call("C", state=state, object=words("q", "p"))
    assert again.codes.tolist() == [1, 0]
    np.testing.assert_array_equal(again.contrasts.values, given.contrasts.values)


def test_dummy_keeps_its_columns():
    _, state = call("dummy", f=words("a", "b", "c"))
    assert call("dummy", state=state, f=words("c", "a")).values.tolist() == [[0, 1], [0, 0]]


def test_names_of_cbind():
    dots = (
        Dot(None, number(1, 2), Symbol("x")),
        Dot("q", number(3, 4), Symbol("z")),
        Dot(None, number(5)),
    )
    found = call("cbind", dots=dots)
    assert found.names == ("x", "q", "")
    assert found.values.tolist() == [[1, 3, 5], [2, 4, 5]]
    assert call("cbind", dots=dots[2:]).names is None
