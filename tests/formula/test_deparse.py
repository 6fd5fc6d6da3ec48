"""Text of expressions; expected texts come from R 4.2.2."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lme4py.formula.deparse import deparse, term_label, variable_name
from lme4py.formula.parse import parse
from lme4py.formula.syntax import Argument, Call, Node, Number, Symbol, Text, call

TEXTS = [
    ("I( x**2 )+I(x*z/2- -1)", "I(x^2) + I(x * z/2 - -1)"),
    ("x%%2+x%/%2", "x%%2 + x%/%2"),
    ("I(x>1&x<5 | !lg)", "I(x > 1 & x < 5 | !lg)"),
    ("f%in%c('p',\"q\")", 'f %in% c("p", "q")'),
    ("scale( x )[,1]+exp( - x / 2 )", "scale(x)[, 1] + exp(-x/2)"),
    ("f(1e3,100000,1e5L,.5,0x1F,2i,1e400)", "f(1000, 1e+05, 100000L, 0.5, 31, 0+2i, Inf)"),
    ("a->b", "b <- a"),
    ("a?b", "`?`(a, b)"),
    ("a:=b", "`:=`(a, b)"),
    ("`if`(a,b)", "if (a) b"),
    ("f(`a b`=1,NULL=2,`if`)", "f(`a b` = 1, `NULL` = 2, `if`)"),
    ("f(a=,)", "f(a = , )"),
    ("x[]", "x[]"),
    ("d$'x y'+d$'x'+'p'::f", 'd$"x y" + d$x + "p"::f'),
    ("\\(q,r=2) q+1", "function(q, r = 2) q + 1"),
    ("(\\(q) q)(2)", "(function(q) q)(2)"),
    ("{a;if(b) c else d}", "{     a     if (b)          c     else d }"),
    (r"'a\a\x01\'\"\\'", '"a\\a\\001\'\\"\\\\"'),
    ("y~~x|g", "y ~ ~x | g"),
]


@pytest.mark.parametrize("text, expected", TEXTS)
def test_text_is_that_of_r(text: str, expected: str) -> None:
    assert deparse(parse(text)) == expected


def test_the_three_spellings() -> None:
    assert variable_name(parse("`a b`")) == "a b"
    assert deparse(parse("`a b`")) == term_label(parse("`a b`")) == "`a b`"
    assert variable_name(parse("log(`a b`)")) == "log(`a b`)"
    assert variable_name(parse("poly(x, 2L)")) == "poly(x, 2L)"
    assert term_label(parse("poly(x, 2L)")) == "poly(x, 2)"
    assert term_label(parse("f(NA_real_, 100000L)")) == "f(NA, 100000)"


X, Y, Z = Symbol("x"), Symbol("y"), Symbol("z")
BUILT: list[tuple[Node, str]] = [
    (call("*", call("+", X, Y), Z), "(x + y) * z"),
    (call("-", X, call("-", Y, Z)), "x - (y - z)"),
    (call("^", call("^", X, Y), Z), "(x^y)^z"),
    (call("^", X, call("^", Y, Z)), "x^y^z"),
    (call("-", call(":", X, Y)), "-(x:y)"),
    (call("^", X, call("-", Y)), "x^-y"),
    (call("+", call("*", X, call("!", Y)), Z), "x * (!y) + z"),
    (call("|", call("*", X, call("!", Y)), Z), "x * !y | z"),
    (call("==", call("==", X, Y), call("==", X, Y)), "(x == y) == (x == y)"),
    (call("%in%", call("*", X, Y), Z), "(x * y) %in% z"),
    (call("*", Number(1j), X), "(0+1i) * x"),
    (call("+", Number(1j), X), "0+1i + x"),
    (call("[", call("+", X, Y), Z), "(x + y)[z]"),
    (call("f", call("=", X, Y)), "f((x = y))"),
    (call("+", call("if", X, Y), Z), "(if (x) y) + z"),
    (call("+", X, Y, Z), "`+`(x, y, z)"),
    (call("+", call("("), X), "(NULL) + x"),
    (call("$", X, call("+", Y, Z)), "`$`(x, y + z)"),
    (Call(call("!", X), (Argument(Y),)), "(!x)(y)"),
    (Call(Call(call("f", X), (Argument(Y),)), (Argument(Z),)), "(f(x)(y))(z)"),
    (call("f", Text("\u0085\u00a0\U0010fffe")), 'f("\\u0085\u00a0\\U{10fffe}")'),
]


@pytest.mark.parametrize("node, expected", BUILT)
def test_trees_built_by_hand_get_parentheses(node: Node, expected: str) -> None:
    assert deparse(node) == expected


def test_long_text_is_broken_as_in_r() -> None:
    text = "I(" + " + ".join(f"x * {i}" for i in range(1, 100)) + ")"
    name, label = variable_name(parse(text)), term_label(parse(text))
    # R: nchar(names(fr)), nchar(colnames(X)), regexpr("\n", colnames(X))
    assert (len(name), len(label), label.index("\n") + 1) == (887, 887, 502)
    assert label.replace("\n    ", "") == text
    assert " ".join(name.split()) == text


def test_a_long_sum_is_written() -> None:
    text = "y ~ " + " + ".join(f"x{i}" for i in range(5000))
    assert " ".join(deparse(parse(text)).split()) == text


NAMES = st.sampled_from(["x", "y", "a.b", "`a b`", "é", "1", "2L", "1e+05", '"s"', "TRUE", "NULL"])
BINARY = st.sampled_from(
    ["+", "-", "*", "/", ":", "^", "%in%", "%%", "==", "<", "&", "||", "|", "~", "<-", "="]
)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, BINARY, inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        st.tuples(NAMES, BINARY.filter(lambda o: o not in ("=", "==", "<", "<-")), inner).map(
            " ".join
        ),
        st.tuples(st.sampled_from(["-", "+", "!", "~"]), inner).map("".join),
        st.tuples(inner, inner).map(lambda t: f"f((({t[0]})), b = ({t[1]}))"),
        st.tuples(NAMES, inner).map(lambda t: f"x[({t[1]}), , {t[0]}]"),
        inner.map(lambda t: f"(function(q, r = 1) {t})"),
    )


@settings(max_examples=150)
@given(st.recursive(NAMES, _larger, max_leaves=12))
def test_text_is_read_back(text: str) -> None:
    node = parse(f"({text})")
    assert parse(deparse(node)) == node
