"""The layers: a module imports only modules that stand before it.

The list is the architecture (docs/architecture.md tells its story). A new module
gets a place in it, or this test fails.
"""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lme4py"

pytestmark = pytest.mark.skipif(not PACKAGE.is_dir(), reason="tests run without the sources")

# In order. A name ending in ".*" stands for the modules of that package, among which any order
# without a cycle will do.
LAYERS = (
    "abbreviation",
    "errors",
    "argument_types",
    "replacing",
    "codec",
    "archive",
    "versions",
    "numerals",
    "unique_names",
    "linpack",
    "moments",
    "messages",
    "control",
    "data",
    "formula.syntax",
    "formula.tree_builder",
    "formula.parse",
    "formula.deparse",
    "formula.terms",
    "formula.bars",
    "formula.formula_traps",
    "formula.formula",
    "family",
    "data.collation",
    "data.values",
    "links",
    "likelihood",
    "data.factors",
    "data.schema",
    "data.column_values",
    "data.columns",
    "data.coding",
    "data.read_csv",
    "frame.combinations",
    "functions.*",
    "frame.state",
    "frame.evaluate",
    "frame.modelframe",
    "frame.pandas_frame",
    "matrices.*",
    "crossproducts",
    "spec.spec",
    "spec.saved",
    "spec.apply",
    "sources.row_files",
    "sources.text_table",
    "sources.source",
    "sources.spec_blocks",
    "sources.partial_frame",
    "design",
    "simulate",
    "learn",
    "sources.scan",
    "fit.*",
    "fitted_model",
    "rfiles.*",
    "export.*",
    "explain.expression",
    "explain.markup.*",
    "summary",
    "printed_fit",
    "explain.*",
    "proof.*",
    "ready_arrays",
    "api",
    "__init__",
    "cli.*",
    "__main__",
)
# The front door of the package re-exports from everywhere, and may do nothing else.
FRONT_DOOR = "__init__"
# Plain data with doors: their methods, and type checkers, see the views and stages that take
# them. Such an import runs when the method is called, so it closes no circle.
DOORS = {"design", "fitted_model", "spec.spec"}


def _name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    if len(parts) > 1 and parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


MODULES = {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _rank(module):
    """Return the place of a module in the list, or None."""
    for place, layer in enumerate(LAYERS):
        package = layer.removesuffix(".*")
        if module == layer or (layer != package and f"{module}.".startswith(f"{package}.")):
            return place
    # The bare package formula, frame, ...: as late as its last module.
    places = [place for place, layer in enumerate(LAYERS) if layer.startswith(f"{module}.")]
    return max(places, default=None)


def _resolve(dotted):
    """Return our module that ``import dotted`` reads, or None if it is not ours."""
    if dotted != "lme4py" and not dotted.startswith("lme4py."):
        return None
    inner = dotted.removeprefix("lme4py").removeprefix(".")
    while inner and inner not in MODULES:
        inner = inner.rpartition(".")[0]
    return inner or "__init__"


def _imports(module):
    """Yield (line, our imported module), wherever in the module the import stands."""
    path = MODULES[module]
    here = ["lme4py", *path.relative_to(PACKAGE).with_suffix("").parts]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if module in DOORS else ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: -node.level]) if node.level else ""
            stem = ".".join(part for part in (base, node.module or "") if part)
            targets = [f"{stem}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            if target.startswith("lme4py.grammar"):
                continue
            resolved = _resolve(target)
            if resolved is not None and resolved != module:
                yield node.lineno, resolved


def test_every_name_is_one_module():
    names = Counter(path.stem for path in MODULES.values() if path.name != "__init__.py")
    assert [name for name, count in names.items() if count > 1] == []


def test_every_module_has_a_place():
    homeless = [module for module in MODULES if _rank(module) is None]
    assert not homeless, f"no place in LAYERS for {homeless}"


@pytest.mark.parametrize("module", [name for name in MODULES if name != FRONT_DOOR])
def test_imports_only_what_stands_before(module):
    wrong = [
        f"lme4py/{MODULES[module].relative_to(PACKAGE)}:{line} imports {imported}"
        for line, imported in _imports(module)
        if _rank(imported) > _rank(module)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", sorted(DOORS))
def test_a_door_opens_in_methods_only(module):
    """What a door imports at load time is what every module may: the body's imports."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    kinds = (
        ast.Import | ast.ImportFrom | ast.ClassDef | ast.If | ast.Assign | ast.AnnAssign | ast.Expr
    )
    assert all(isinstance(node, kinds) for node in tree.body)


def test_no_cycles():
    graph = {module: {imported for _, imported in _imports(module)} for module in MODULES}
    done, path = set(), []

    def visit(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            path.append(module)
            for imported in sorted(graph[module]):
                visit(imported)
            path.pop()
            done.add(module)

    for module in graph:
        visit(module)


def test_front_door_holds_no_code():
    body = ast.parse(MODULES[FRONT_DOOR].read_text(encoding="utf-8")).body
    code = [node for node in body if isinstance(node, ast.ClassDef | ast.For | ast.While)]
    assert not code
