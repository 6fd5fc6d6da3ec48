"""The stored tables are those of the grammar, and read what a parser built anew reads."""

import json

import pytest
from lark import Lark

from lme4py.errors import FormulaSyntaxError
from lme4py.formula import tables
from lme4py.formula.parse import parse
from lme4py.formula.reader import reader
from lme4py.formula.reader.lexer import Lexer


@pytest.fixture(scope="module")
def built():
    return tables.built(Lexer)


def _automaton(parser: Lark):
    table = parser.parser.parser._parse_table
    return table.states, table.start_states["program"]


def options(rule):
    found = rule.options
    return found.keep_all_tokens, found.expand1, found.priority, found.template_source


def test_the_tables_are_stored_for_this_grammar():
    found = tables.loaded(Lexer)
    assert found is not None, "write them: python -m tests.formula.make_tables"


def test_the_stored_automaton_is_the_built_one(built):
    """State by state, whatever their numbers: Lark numbers them by the hashes of a run."""
    (ours, first), (theirs, other) = _automaton(tables.loaded(Lexer)), _automaton(built)
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
    monkeypatch.setattr(reader, "_built", [built])
    assert outcome() == stored


@pytest.mark.parametrize("key", ["lark", "grammar"])
def test_tables_of_something_else_are_not_used(monkeypatch, tmp_path, key):
    stored = json.loads(tables.files("lme4py.grammar").joinpath(tables.FILE).read_text("utf-8"))
    (tmp_path / tables.FILE).write_text(json.dumps(stored | {key: "another"}), "utf-8")
    grammar = tables.files("lme4py.grammar").joinpath("r.lark").read_text("utf-8")
    (tmp_path / "r.lark").write_text(grammar, "utf-8")
    monkeypatch.setattr(tables, "files", lambda _package: tmp_path)
    assert tables.loaded(Lexer) is None
    assert tables.parser(Lexer).parse("y ~ x").data == "program"


def test_no_tables_at_all(monkeypatch, tmp_path):
    monkeypatch.setattr(tables, "files", lambda _package: tmp_path)
    assert tables.loaded(Lexer) is None
