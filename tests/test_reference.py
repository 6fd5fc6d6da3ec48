"""docs/reference.txt and the docstrings it shows: everything public is there, and said in full."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import lme4py

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference.txt"

pytestmark = pytest.mark.skipif(not REFERENCE.is_file(), reason="tests run without the sources")

DESIGN = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
CLUSTER = DESIGN.cluster("308")
EQUATIONS = DESIGN.equations()
COORDINATES = DESIGN.coordinates()

# What a user comes to hold, starting from a design.
HELD = (
    DESIGN,
    DESIGN.fixed,
    DESIGN.random,
    DESIGN.random.terms[0],
    DESIGN.random.covariance()[0],
    DESIGN.formula,
    DESIGN.formula.bars[0],
    DESIGN.model_frame,
    DESIGN.response,
    DESIGN.control,
    DESIGN.spec,
    DESIGN.spec.apply(lme4py.data.sleepstudy()),
    DESIGN.clusters(),
    CLUSTER,
    CLUSTER.own,
    CLUSTER.display(),
    DESIGN.blocks(),
    EQUATIONS,
    EQUATIONS.levels,
    EQUATIONS.verify(),
    DESIGN.explain(),
    COORDINATES,
    COORDINATES.terms[0],
    lme4py.glformula("y ~ (1 | g)", {"y": [0, 1, 1, 0], "g": list("aabb")}).family,
)


def _shown():
    """Return what the reference shows: names of classes and functions with their modules."""
    text = REFERENCE.read_text(encoding="utf-8")
    shown = set()
    for kind, name, options in re.findall(
        r"^\.\. auto(\w+):: ([\w.]+)((?:\n   :.*)*)", text, flags=re.MULTILINE
    ):
        if kind != "module":
            shown.add(name)
            continue
        module = importlib.import_module(name)
        listed = re.search(r":members: (.+)", options)
        names = listed[1].split(", ") if listed else module.__all__
        values = [getattr(module, item) for item in names]
        shown |= {f"{v.__module__}.{v.__qualname__}" for v in values if hasattr(v, "__qualname__")}
    return shown


def test_what_the_reference_names_is_there():
    text = REFERENCE.read_text(encoding="utf-8")
    for name in re.findall(r"^\.\. auto(?:class|function):: (\S+)", text, flags=re.MULTILINE):
        module, _, item = name.rpartition(".")
        assert hasattr(importlib.import_module(module), item), name


@pytest.mark.parametrize("held", HELD, ids=lambda held: type(held).__name__)
def test_what_users_hold_is_in_the_reference(held):
    assert f"{type(held).__module__}.{type(held).__qualname__}" in _shown()


def _public_callables():
    for name in lme4py.__all__:
        item = getattr(lme4py, name)
        if inspect.isfunction(item):
            yield name, item
        elif inspect.isclass(item) and not issubclass(item, BaseException | Warning):
            for inner, member in vars(item).items():
                function = getattr(member, "__func__", member)
                if inspect.isfunction(function) and not inner.startswith("_"):
                    yield f"{name}.{inner}", function


@pytest.mark.parametrize("name, function", list(_public_callables()))
def test_a_public_function_is_documented_in_full(name, function):
    described = inspect.getdoc(function)
    signature = inspect.signature(function)
    parameters = [item for item in signature.parameters if item not in ("self", "cls")]
    assert "Examples\n---" in described, name
    if signature.return_annotation not in (None, "None"):
        assert "Returns\n---" in described, name
    if parameters:
        section = described.partition("Parameters\n---")[2]
        for parameter in parameters:
            assert re.search(rf"\b{parameter}\b", section), (name, parameter)
