"""R's trees, read from text; the expected trees come from R 4.2.2."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lme4py.errors import FormulaSyntaxError
from lme4py.formula.parse import LONGEST, NESTING, parse
from lme4py.formula.syntax import Call, Node, Number, Symbol, Text
from tests.bounded import bounded_work


def tree(node: Node | None) -> str:
    """Return a tree in the form (function argument ...)."""
    if node is None:
        return "<>"
    if isinstance(node, Call):
        parts = [tree(node.function)]
        parts += [
            ("" if item.name is None else f"{item.name}=") + tree(item.value)
            for item in node.arguments
        ]
        return f"({' '.join(parts)})"
    if isinstance(node, Number):
        return f"{node.value:g}{'L' if node.integer else ''}"
    if isinstance(node, Text):
        return f'"{node.value}"'
    return node.name


TREES = [
    ("y~-a:b^2", "(~ y (: (- a) (^ b 2)))"),
    ("y~a$b[1]^2", "(~ y (^ ([ ($ a b) 1) 2))"),
    ("y~a^b**c", "(~ y (^ a (^ b c)))"),
    ("y~2^-1", "(~ y (^ 2 (- 1)))"),
    ("-a^-b^c:d", "(: (- (^ a (- (^ b c)))) d)"),
    ("y~a*b %in% c", "(~ y (* a (%in% b c)))"),
    ("y~a%in%b:c%in%d", "(~ y (%in% (%in% a (: b c)) d))"),
    ("y~a/b*c", "(~ y (* (/ a b) c))"),
    ("y ~ x + 1|g", "(~ y (| (+ x 1) g))"),
    ("y~1|g+1|h", "(~ y (| (| 1 (+ g 1)) h))"),
    ("y~x|g||h", "(~ y (|| (| x g) h))"),
    ("y~!x==1 & z", "(~ y (& (! (== x 1)) z))"),
    ("y~!x+z|g", "(~ y (| (! (+ x z)) g))"),
    ("a*!b+c", "(* a (! (+ b c)))"),
    ("a+~b*c~d", "(~ (+ a (~ (* b c))) d)"),
    ("-~a|b", "(- (~ (| a b)))"),
    ("a~b~c", "(~ (~ a b) c)"),
    ("~a~b", "(~ (~ a) b)"),
    ("y~a<-b", "(<- (~ y a) b)"),
    ("a->b->>c", "(<<- c (<- b a))"),
    ("a=b<-c", "(= a (<- b c))"),
    ("a ? b = c", "(? a (= b c))"),
    ("y~é+a.b+.a+`a`", "(~ y (+ (+ (+ é a.b) .a) a))"),
    ('f(\'a"b\', "c", r"(d)", R\'--[e\\]--\')', '(f "a"b" "c" "d" "e\\")'),
    (r"'\x41\t\u{e9}\101\''", '"A\té' + "A'\""),
    ("f(1e3, .5, 1., 0x10, 1L, 1e5L, 1.5L, 1e400)", "(f 1000 0.5 1 16 1L 100000L 1.5 inf)"),
    ("f(TRUE, T, NA_real_, NULL)", "(f TRUE T NA_real_ NULL)"),
    ("y ~ x + # note\n (1 | g) ", "(~ y (+ x (( (| 1 g))))"),
    ("(a\n+b)", "(( (+ a b))"),
    ("\n\na\n", "a"),
    ("a|>f()*b", "(* (f a) b)"),
    ("a |> f(1) |> g(y = _)", "(g y=(f a 1))"),
    ("f(a=, 'b c'=2,, NULL=)", "(f a=<> b c=2 <> NULL=<>)"),
    ("f()", "(f)"),
    ("x[]", "([ x <>)"),
    ("x[,1]", "([ x <> 1)"),
    ("x[[y[1]]]", "([[ x ([ y 1))"),
    ("d$`x y`@z", "(@ ($ d x y) z)"),
    ("pkg::f(x)(1)", "(((:: pkg f) x) 1)"),
    ("'f'(x)", "(f x)"),
    ("a ~ function(x, y = 2) x + 1 | g", "(~ a (function x=<> y=2 (| (+ x 1) g)))"),
    ("\\(q)\nq+1", "(function q=<> (+ q 1))"),
    ("if (a) b else if (c) d else e", "(if a b (if c d e))"),
    ("{a; b\nc}", "({ a b c)"),
]


@pytest.mark.parametrize("text, expected", TREES)
def test_trees_are_those_of_r(text: str, expected: str) -> None:
    assert tree(parse(text)) == expected


FAULTS = [
    ("y ~ x z", "unexpected symbol", 6, "an operator"),
    ("y ~ x 2", "unexpected numeric constant", 6, "an operator"),
    ("y ~ x 'a'", "unexpected string constant", 6, "an operator"),
    ("y~a<b<c", "unexpected '<'", 5, "do not chain"),
    ("y~x+(1|g))", "unexpected ')'", 9, "no open bracket"),
    ("y ~ (x + (1|g)", "unexpected end of input", 14, "')' is missing"),
    ("y ~ x +", "unexpected end of input", 7, "ends after '+'"),
    ("y ~ x | | g", "unexpected '|'", 8, "operand is missing"),
    ("f(a=b=c)", "unexpected '='", 5, "equality is written =="),
    ("y ~ a, b", "unexpected ','", 5, "comma"),
    ("a %% %% b", "unexpected SPECIAL", 5, None),
    ("a <- <- b", "unexpected assignment", 5, None),
    ("a ** ** b", "unexpected '^'", 5, None),
    ("y ~ 'abc", "unexpected INCOMPLETE_STRING", 4, "not closed"),
    ("y ~ `abc", "unexpected INCOMPLETE_STRING", 4, "not closed"),
    ('y ~ r"(abc', "unexpected INCOMPLETE_STRING", 4, "not closed"),
    ("y ~ a % b", "unexpected input", 6, "percent"),
    ("y ~ a\u00a0+ b", "unexpected input", 5, "U+00A0"),
    ("y ~ _a", "unexpected symbol", 5, None),
    ("y ~ 0x", "unexpected input", 4, None),
    ("y ~ '\\q'", "unrecognized escape", 5, None),
    ("f(_)", "invalid use of pipe placeholder", 2, None),
    ("x |> f", "requires a function call as RHS", 5, "parentheses"),
    ("x |> (f)", "function '(' not supported in RHS call of a pipe", 5, None),
    ("y ~ a\n+ b", "parsing result not of length one, but 2", 6, "operator"),
    ("a; b", "parsing result not of length one, but 2", 3, None),
    ("for (i in x) y", "unexpected 'for'", 0, "loops"),
    ("``", "zero-length variable name", 0, None),
]


@pytest.mark.parametrize("text, message, start, hint", FAULTS)
def test_faults_have_the_words_of_r_a_place_and_a_hint(
    text: str, message: str, start: int, hint: str | None
) -> None:
    with pytest.raises(FormulaSyntaxError) as caught:
        parse(text)
    assert message in caught.value.message
    assert caught.value.span is not None
    assert caught.value.span.start == start
    if hint is not None:
        assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["", "  ", "# note", "\n"])
def test_empty_text_is_no_formula(text: str) -> None:
    with pytest.raises(FormulaSyntaxError, match="parsing result not of length one, but 0"):
        parse(text)


def test_every_node_knows_its_text() -> None:
    text = "y ~ log( x ) + (1 | `g h`[2]) + d$z"
    found = {}
    pending = [parse(text)]
    while pending:
        node = pending.pop()
        assert node.span is not None
        found[node.span.source] = node
        if isinstance(node, Call):
            pending += [node.function, *node.operands]
    assert {"log( x )", "(1 | `g h`[2])", "`g h`[2]", "d$z", "+", text} <= set(found)


def test_a_sum_may_have_any_length() -> None:
    node = parse("y ~ " + " + ".join(f"x{i}" for i in range(5000)))
    depth = 0
    node = node.operands[1]
    while isinstance(node, Call):
        node, depth = node.operands[0], depth + 1
    assert (node, depth) == (Symbol("x0"), 4999)


@pytest.mark.parametrize(
    "opening", ["(", "f(", "x[", "x[[", "{", "-", "!", "~", "a^", "a<-", "\\(q) "]
)
@pytest.mark.parametrize("depth", [NESTING + 1, 3000])
def test_nesting_is_bounded(opening: str, depth: int) -> None:
    with pytest.raises(FormulaSyntaxError, match="nested too deeply"):
        parse(opening * depth + "x" + {"(": ")", "[": "]", "{": "}"}.get(opening[-1], "") * depth)


def test_depth_of_one_hundred_thousand_is_refused_at_once() -> None:
    parse("x")
    with bounded_work(calls=20_000, megabytes=5):
        with pytest.raises(FormulaSyntaxError, match="nested too deeply"):
            parse("y ~ " + "(" * 100_000)
        with pytest.raises(FormulaSyntaxError, match=f"at most {LONGEST}"):
            parse("x" * (LONGEST + 1))


def test_nesting_at_the_bound_is_read() -> None:
    assert isinstance(parse("(" * NESTING + "x" + ")" * NESTING), Call)
    assert isinstance(parse("-" * NESTING + "x"), Call)


def test_threads_share_the_parser() -> None:
    texts = [f"y ~ x{i} + (1 | g{i})" for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        trees = list(pool.map(parse, texts))
    assert trees == [parse(text) for text in texts]
