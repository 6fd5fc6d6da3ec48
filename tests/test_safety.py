"""Formula text reaches the table of functions, the data and env: no Python, no endless work."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lme4py
from lme4py.errors import Lme4pyError
from lme4py.functions.table import names

from .bounded import bounded_work

DATA = {
    "y": [1.0, 2.0, 4.0, 3.0, 5.0, 6.0],
    "x": [0.0, 1.0, 0.0, 1.0, 2.0, 2.5],
    "z": [1, 2, 3, 4, 5, 6],
    "g": list("aabbcc"),
    "s": ["u", "v", None, "w", "w", "v"],
}
IGNORED = {"check.nlev.gtreq.5": "ignore", "check.nobs.vs.nRE": "ignore"}


def build(formula):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lme4py.lformula(formula, DATA, control=IGNORED)


ATTACKS = (
    "__import__('os')",
    "__import__('os').system('ls')",
    "x.__class__",
    "().__class__",
    "`__class__`",
    "`__builtins__`",
    "eval('1')",
    "exec('1')",
    "open('/etc/passwd')",
    "getattr(x, 'real')",
    "system('ls')",
    "base::system('ls')",
    "os::system('ls')",
    "builtins::eval('1')",
    "Sys.getenv('HOME')",
    "get('x')",
    "do.call('mean', x)",
    "(function(x) x)(x)",
    "x$__class__",
    "x@class",
    "mean.__globals__",
    "lambda: 1",
    "import os",
    "x; y",
    "assign('x', 1)",
    "x <- 2",
    "source('a.R')",
    "library(os)",
    "print(x)",
    "mean(x)(x)",
    "x(1)",
    "1(x)",
    "sprintf('%999999999d', z)",
    "sprintf('{0.__class__}', z)(x)",
)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("place", ["y ~ {} + (1 | g)", "y ~ I({}) + (1 | g)", "y ~ x + (1 | {})"])
def test_nothing_of_python_is_reached(attack, place):
    with pytest.raises(Lme4pyError):
        build(place.format(attack))


def test_format_strings_are_text():
    design = build("y ~ factor(paste0('{x.__class__}', s)) + (1 | g)")
    assert any(
        "{x.__class__}u" in str(v.levels)
        for v in design.model_frame.variables.values()
        if hasattr(v, "levels")
    )


ENDLESS = (
    "rep(0, 1e9)",
    "rep(rep(rep(1, 1e4), 1e4), 1e4)",
    "1:1e12",
    "seq(0, 1, 1e-12)",
    "seq_len(1e10)",
    "numeric(1e10)",
    "matrix(0, 1e6, 1e6)",
    "contr.sum(1e6)",
    "cut(x, 1e9)",
    "poly(x, 1e9, raw = TRUE)",
    "poly(x, z, x, z, x, z, x, z, degree = 20, raw = TRUE)",
    "splines::bs(x, df = 1e9)",
    "splines::bs(x, degree = 1e8)",
    "splines::ns(x, df = 1e8)",
    "strtoi('9999999999999999999999999999', 36)",
    "interaction(1:3000, 1:3000, 1:3000)",
    "gsub('a', paste(rep('a', 1e5), collapse = ''), paste(rep('a', 1e5), collapse = ''))",
)


@pytest.fixture(autouse=True, scope="module")
def warm():
    """What is imported with the first call is no work of the calls that are counted."""
    build("y ~ splines::bs(x) + (1 | g)")


@pytest.mark.parametrize("call", ENDLESS)
def test_work_is_bounded(call):
    with bounded_work(calls=300_000, megabytes=20), pytest.raises(Lme4pyError):
        build(f"y ~ I({call}) + (1 | g)")


DEPTH = 5_000
MONSTERS = {
    "parentheses": "y ~ " + "(" * DEPTH + "x" + ")" * DEPTH + " + (1 | g)",
    "calls": "y ~ " + "abs(" * DEPTH + "x" + ")" * DEPTH + " + (1 | g)",
    "signs": "y ~ I(" + "-" * DEPTH + "x) + (1 | g)",
    "braces": "y ~ " + "{" * DEPTH + "x" + "}" * DEPTH,
    "tildes": "~" * DEPTH + "x",
    "brackets": "y ~ " + "x[" * DEPTH + "1" + "]" * DEPTH,
    "a megabyte of names": "y ~ " + " + ".join(f"v{i}" for i in range(120_000)),
    "a long name": "y ~ " + "x" * 1_000_000 + " + (1 | g)",
    "a long text": "y ~ paste('" + "a" * 1_000_000 + "') + (1 | g)",
    "a long number": "y ~ I(" + "9" * 1_000_000 + ") + (1 | g)",
    "a power": "y ~ (" + " + ".join(f"v{i}" for i in range(40)) + ")^30 + (1 | g)",
    "a product": "y ~ " + " * ".join(f"v{i}" for i in range(60)) + " + (1 | g)",
    "nested groups": "y ~ (1 | " + "/".join(f"g{i}" for i in range(3000)) + ")",
}


@pytest.mark.parametrize("formula", MONSTERS.values(), ids=MONSTERS)
def test_monsters(formula):
    # In proportion to the text; a group of nested ones makes a term.
    calls = 50_000 + 150 * len(formula) + 500 * formula.count("/")
    with bounded_work(calls=calls, megabytes=50), pytest.raises(Lme4pyError) as caught:
        build(formula)
    assert len(str(caught.value)) < 2000


# Anything at all ---------------------------------------------------------------------------

FUZZ = settings(
    max_examples=120,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
PIECES = [
    "y",
    "x",
    "z",
    "g",
    "s",
    "~",
    "+",
    "-",
    "*",
    "/",
    ":",
    "^",
    "|",
    "||",
    "(",
    ")",
    "%in%",
    "1",
    "0",
    "2.5",
    "'a'",
    ",",
    "=",
    "[",
    "]",
    "I(",
    "poly(",
    "cut(",
    "scale(",
    "factor(",
    "NA",
    "TRUE",
    "NULL",
    ".",
    "::",
    "`",
    "\\",
    "\n",
    "#",
    "e",
    "%%",
    "<-",
    "!",
    "$",
    "@",
]


def only_ours(formula):
    try:
        design = build(formula)
    except Lme4pyError:
        return
    spec = lme4py.Spec.from_json(design.spec.to_json())
    first = {name: column[:2] for name, column in DATA.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = spec.apply(first, new_levels="zero")
    except Lme4pyError:
        return
    assert rows.X.shape[1] == design.X.shape[1]


@FUZZ
@given(st.text(max_size=40))
def test_any_text(text):
    only_ours(text)


@FUZZ
@given(st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join))
def test_any_pieces(text):
    only_ours(f"y ~ {text} + (1 | g)")


LEAVES = st.sampled_from(
    [
        "x",
        "z",
        "g",
        "s",
        "y",
        "1",
        "0",
        "-1",
        "2.5",
        "1e300",
        "NA",
        "NULL",
        "TRUE",
        "'a'",
        "''",
        "Inf",
        "c(1, 2)",
        "c('u', 'v')",
        "1:3",
        "mean",
        "contr.sum",
        "letters",
        "numeric(0)",
    ]
)
CALLED = st.sampled_from([name for name in names() if name[0].isalpha()])
OPERATORS = st.sampled_from(
    ["+", "-", "*", "/", "^", "%%", "%/%", ":", "<", "==", "&", "|", "%in%"]
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(CALLED, st.lists(inner, max_size=3)).map(
            lambda parts: f"{parts[0]}({', '.join(parts[1])})"
        ),
        st.tuples(inner, OPERATORS, inner).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(inner, inner).map(lambda parts: f"{parts[0]}[{parts[1]}]"),
    ),
    max_leaves=6,
)


@settings(FUZZ, max_examples=400)
@given(TREES, st.sampled_from(["y ~ {} + (1 | g)", "y ~ I({}) + (1 | g)", "y ~ x + ({} | g)"]))
def test_any_tree(tree, place):
    only_ours(place.format(tree))


def _places(plain):
    """Yield every (container, key) of plain data."""
    pending = [plain]
    while pending:
        part = pending.pop()
        keys = part if isinstance(part, dict) else range(len(part))
        for key in keys:
            yield part, key
            if isinstance(part[key], dict | list):
                pending.append(part[key])


@FUZZ
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    st.data(),
)
def test_damaged_specs(item, data):
    """One part of a spec replaced by anything: an error of ours, or a spec that still works."""
    import json

    plain = json.loads(
        build("y ~ poly(x, 2) + factor(s) + I(z - mean(z)) + (x | g)").spec.to_json()
    )
    places = list(_places(plain))
    parent, key = places[data.draw(st.integers(0, len(places) - 1))]
    parent[key] = item
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = lme4py.Spec.from_json(json.dumps(plain)).apply(DATA, new_levels="zero")
    except Lme4pyError:
        return
    assert isinstance(rows.X, np.ndarray)
