"""The stored parser is that of the grammar, and reads what one built anew reads."""

import lark
import pytest
from lark import Lark
from lark.lexer import BasicLexer

from lme4py.errors import FormulaSyntaxError
from lme4py.formula import parse as reading
from lme4py.formula.parse import parse


@pytest.fixture(scope="module")
def built():
    return reading.built()


def _automaton(parser: Lark):
    table = parser.parser.parser._parse_table
    return table.states, table.start_states["program"]


def options(rule):
    found = rule.options
    return found.keep_all_tokens, found.expand1, found.priority, found.template_source


def test_a_parser_is_stored_for_this_grammar():
    found = reading.loaded()
    assert found is not None, "store it: python -m tests.formula.store_parser"


def test_the_stored_automaton_is_the_built_one(built):
    """State by state, whatever their numbers: Lark numbers them by the hashes of a run."""
    (ours, first), (theirs, other) = _automaton(reading.loaded()), _automaton(built)
    assert len(ours) == len(theirs)
    pairs, waiting = {first: other}, [first]
    while waiting:
        state = waiting.pop()
        actions, expected = ours[state], theirs[pairs[state]]
        assert actions.keys() == expected.keys()
        for token, (action, target) in actions.items():
            assert action is expected[token][0]
            if not isinstance(target, int):
                assert target == expected[token][1]
                assert options(target) == options(expected[token][1])
                continue
            if target not in pairs:
                pairs[target] = expected[token][1]
                waiting.append(target)
            assert pairs[target] == expected[token][1]
    assert len(pairs) == len(ours)


class UncheckedLexer(BasicLexer):
    """Lark's own check of terminals needs a further package."""

    __future_interface__ = 1

    def __init__(self, conf):
        conf.skip_validation = True
        super().__init__(conf)


def test_no_two_rules_of_the_grammar_fit_one_text():
    grammar = reading._grammar()
    Lark(grammar, start="program", parser="lalr", lexer=UncheckedLexer, strict=True)
    with pytest.raises(lark.exceptions.GrammarError, match="conflict"):
        Lark(
            f"{grammar}\nagain: NAME | again NAME | again again",
            start="again",
            parser="lalr",
            lexer=UncheckedLexer,
            strict=True,
        )


@pytest.mark.parametrize(
    "text",
    [
        "y ~ x*a + z + (1 + x | g1) + (1 | g2)",
        "log(y + 1) ~ poly(x, 3)[, 1:2] %in% `a b`^2 - 1 || NULL",
        r"\(q) if (q > 1L) 'a' else {1; 2e-3}",
        "a |> f(_) ; b",
        "y ~ x +",
        "y ~ 'x",
        "y ~ (x",
        "x y",
        "",
    ],
)
def test_both_parsers_read_alike(built, monkeypatch, text):
    def outcome():
        try:
            return parse(text)
        except FormulaSyntaxError as error:
            return str(error)

    stored = outcome()
    monkeypatch.setattr(reading, "_parser", lambda: built)
    assert outcome() == stored


@pytest.mark.parametrize("stored", [None, b"lark 1.0, grammar 0\n...", b""])
def test_a_parser_of_something_else_is_not_used(monkeypatch, tmp_path, stored):
    (tmp_path / "r.lark").write_text(reading._grammar(), "utf-8")
    if stored is not None:
        (tmp_path / reading.STORED).write_bytes(stored)
    monkeypatch.setattr(reading, "files", lambda _package: tmp_path)
    assert reading.loaded() is None
    assert reading.built().parse("y ~ x").data == "program"
