"""What holds for every view of every design; each check yields what does not."""

from __future__ import annotations

import ast
import inspect
import io
import json
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import Any
from xml.parsers import expat

import numpy as np
import pandas as pd

import lme4py
from lme4py.cli import main
from lme4py.data.values import Character, Factor, Matrix, Numeric
from lme4py.proof.fixture import fixture_of
from lme4py.rfiles.read_rds import read_rds
from lme4py.rfiles.rvalues import RList
from lme4py.summary import html, summary
from tests.benchmarks.digests import digest
from tests.replay import REFUSALS, arguments_of, row_faults

from .made import Made

__all__ = ["CHECKS", "SLOW", "faults"]

Faults = Iterator[str]


def _same(name: str, one: Any, other: Any) -> Faults:
    """Yield the name unless both are the same to the last bit, NaN included."""
    if (one is None) != (other is None):
        yield f"{name}: {one!r:.60} and {other!r:.60}"
    elif hasattr(one, "indptr"):
        if one.shape != other.shape:
            yield f"{name}: shapes {one.shape} and {other.shape}"
        for part in ("data", "indices", "indptr"):
            yield from _same(f"{name}.{part}", getattr(one, part), getattr(other, part))
    elif isinstance(one, np.ndarray):
        if one.dtype != other.dtype or one.shape != other.shape:
            yield f"{name}: {one.dtype}{one.shape} and {other.dtype}{other.shape}"
        elif one.tobytes() != other.tobytes():
            yield f"{name}: the values differ"
    elif one != other:
        yield f"{name}: {one!r:.60} and {other!r:.60}"


def _well_formed(name: str, text: str) -> Faults:
    try:
        expat.ParserCreate().Parse(f"<div>{text.replace('<br>', '<br/>')}</div>", True)
    except expat.ExpatError as error:
        yield f"{name} is not well-formed: {error}"


def _latex_faults(name: str, text: str) -> Faults:
    bare = re.sub(r"\\[\\{}$&%#_]", "", text)
    # Formulas inside the words of a note.
    bare = re.sub(r"\$[^$]*\$", "", bare)
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            break
    if depth:
        yield f"{name}: braces do not match"
    begun = re.findall(r"\\begin\{([^}]*)\}", text)
    ended = re.findall(r"\\end\{([^}]*)\}", text)
    if sorted(begun) != sorted(ended):
        yield f"{name}: environments do not match"
    if text.count(r"\left") - text.count(r"\leftarrow") != text.count(r"\right"):
        yield f"{name}: \\left and \\right do not match"
    if re.search(r"[$%#]", bare):
        yield f"{name}: a character that LaTeX reads as its own"


def attributes(made: Made) -> Faults:
    """Every property can be read, on the design and on what it holds."""
    design = made.design
    objects = [design, design.random, design.fixed, design.spec, design.control, design.formula]
    objects += [*design.random.terms, design.model_frame, design.blocks(), design.coordinates()]
    objects += [*design.random.covariance(), design.equations(), design.coordinates().terms[0]]
    if design.family is not None:
        objects.append(design.family)
    for item in objects:
        for name in dir(item):
            if name.startswith("_") or name == "response":
                continue
            if inspect.ismethod(inspect.getattr_static(item, name)):
                continue
            getattr(item, name)
        repr(item)
        str(item)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            design.response  # noqa: B018
    except lme4py.Lme4pyError as error:
        if not error.message:
            yield "response: an error without words"


def random_part(made: Made) -> Faults:
    """The companions of Zt fit together."""
    random = made.design.random
    q, n = random.Zt.shape
    if n != made.design.X.shape[0] or q != random.Gp[-1] or q != len(random.row_names):
        yield "sizes of Zt"
    if len(random.par_names) != random.par.size or len(random.theta_names) != random.theta.size:
        yield "numbers of parameters"
    yield from _same("Lambdat at theta", random.Lambdat.data, random.theta[random.Lind])
    at_par = random.lambdat_at(random.par)
    yield from _same("Lambdat at par", at_par.data, random.Lambdat.data)
    for term, found in zip(random.terms, random.covariance(), strict=True):
        if not np.allclose(found.matrix, np.eye(term.columns)):
            yield f"covariance of {found.label} is no identity at the start"
        if found.frame.shape != (term.columns, term.columns):
            yield f"covariance of {found.label}: shape of the table"
        if not np.allclose(found.correlation, found.matrix) or (found.deviations != 1).any():
            yield f"correlation of {found.label}"
    between = np.clip(made.dice.normal(size=random.par.size), random.lower, random.upper)
    for found in random.covariance(between):
        if not np.allclose(found.matrix, found.matrix.T):
            yield f"covariance of {found.label} is not symmetric"
    blocks = [block.toarray() for _, block in random.Ztlist]
    yield from _same("Ztlist", np.vstack(blocks), random.Zt.toarray())
    yield from _same("Z", made.design.Z.toarray(), random.Zt.toarray().T.copy())


def texts(made: Made) -> Faults:
    """Pages and explanations: whatever the options, never an error, twice the same."""
    design = made.design

    def all_texts() -> list[str]:
        found = [repr(design), str(design), design._repr_html_(), design._repr_latex_()]
        found += [summary(design, rows=rows, width=w) for rows, w in ((0, 40), (3, 88), (999, 200))]
        found += [html(design, rows=rows) for rows in (0, 999)]
        for width in (20, 88):
            words = design.explain(width=width)
            found += [words.text, words.html, words.markdown, str(words), repr(words)]
        found += [str(design.blocks()), repr(design.random), repr(design.fixed)]
        return found

    first = all_texts()
    if first != all_texts():
        yield "texts differ from call to call"
    for text in first:
        # The line of repr() stands in brackets, too.
        if text.startswith("<div"):
            yield from _well_formed("html", text)


def equations(made: Made) -> Faults:
    """Equations hold on the matrices, and every format is well-formed."""
    design = made.design
    generator = made.dice
    options: list[dict[str, Any]] = [
        {},
        {"notation": "gelman-hill"},
        {"digits": 2, "terms_per_line": 1},
        {
            "coefficients": generator.normal(size=len(design.fixed.names)) * 1e5,
            "terms_per_line": 3,
        },
    ]
    for chosen in options:
        found = design.equations(**chosen)
        if not (verified := found.verify(int(generator.integers(1000)))):
            yield f"verify {chosen.get('notation', '')}: {verified}"
        parts = [found, found.levels, found.combined, found.matrix, found.distribution]
        for part in parts:
            part.text()
            yield from _latex_faults("latex of equations", part.latex())
            yield from _well_formed("html of equations", part.html())
            if part.markdown().count("$$") % 2:
                yield "markdown of equations: $$"
        if found.text() != design.equations(**chosen).text():
            yield "equations differ from call to call"
        if len(found.coefficients) != len(set(design.fixed.names)):
            yield "coefficients"
        if len(set(found.coefficients.values())) != len(found.coefficients):
            yield f"two coefficients of one name: {found.coefficients}"


def clusters(made: Made) -> Faults:
    """The clusters of each factor are Z's blocks, and all of them make Z again."""
    design = made.design
    X, Z = _dense(design.X), design.Z.toarray()
    for group in design.random.flist:
        every = design.clusters(group)
        rebuilt = np.zeros_like(Z)
        own = np.zeros(Z.shape[1], dtype=bool)
        for found in every:
            own[found.columns] = True
            rebuilt[np.ix_(found.rows, found.columns)] = found.Z
            total = sum(part.columns.size for part in found.parts)
            if np.count_nonzero(Z[found.rows]) != sum(
                np.count_nonzero(part.Z) for part in found.parts
            ):
                yield f"cluster {group}={found.level}: parts leave out entries ({total} columns)"
            if not np.array_equal(found.X, X[found.rows], equal_nan=True):
                yield f"X of {group}={found.level}"
        yield from _same(f"Z by clusters of {group}", rebuilt, np.where(own, Z, 0.0))
        shown = {0, len(every) - 1, int(made.dice.integers(len(every)))}
        for place in sorted(shown):
            found = every[place]
            for again in (
                design.cluster(found.level, group=group),
                design.cluster(**{group: found.level}),
                every[place - len(every)],
                every[place : place + 1][0],
            ):
                if again.text() != found.text():
                    yield f"cluster('{found.level}') is another one"
            for display in (found.display(), found.display(rows=3, columns=3, digits=1), found):
                display.text()
                yield from _latex_faults("latex of a cluster", display.latex())
                yield from _well_formed("html of a cluster", display.html())
                display.markdown()
    blocks = design.blocks()
    moved = Z[blocks.rows][:, blocks.columns]
    ends = np.cumsum(blocks.row_sizes), np.cumsum(blocks.column_sizes)
    if ends[0][-1] != Z.shape[0] or ends[1][-1] != Z.shape[1]:
        yield "sizes of blocks"
    inside = np.zeros(Z.shape, dtype=bool)
    for row, column, height, width in zip(
        *ends, blocks.row_sizes, blocks.column_sizes, strict=True
    ):
        inside[row - height : row, column - width : column] = True
    if np.any(np.nan_to_num(moved[~inside], nan=1.0)):
        yield "entries of Z outside its blocks"


def _dense(X: Any) -> Any:
    return X if isinstance(X, np.ndarray) else X.toarray()


def pictures(made: Made) -> Faults:
    """Pictures can be drawn."""
    design = made.design
    group = next(iter(design.random.flist))
    every = design.clusters(group)
    found = every[int(made.dice.integers(len(every)))]
    for form, figure in (
        ("png", design.plot()),
        ("png", design.plot(("X", "Z", "J", "raw"), groups=2, by_group=True)),
        ("svg", design.plot_cluster(found.level, group=group)),
    ):
        file = io.BytesIO()
        figure.savefig(file, format=form, dpi=40)
        if not file.getvalue():
            yield f"{form}: nothing drawn"


def drawn_and_programmed(made: Made) -> Faults:
    """A response is drawn in the form of y; the model is a program, whatever its names."""
    design = made.design
    family = "gaussian" if design.family is None else design.family.name
    sigma = None if family in ("binomial", "poisson", "negative.binomial") else 0.1
    beta = np.full(design.X.shape[1], 1e-3)
    if design.y is not None:
        with suppress(lme4py.DataError):
            drawn = design.simulate(beta, 0.01 * design.random.par, sigma, made.dice)
            if drawn.shape != design.y.shape:
                yield f"a response of {drawn.shape} is drawn for one of {design.y.shape}"
    with suppress(lme4py.DataError, lme4py.CheckError):
        program = design.equations().pymc()
        (function,) = [n for n in ast.parse(str(program)).body if isinstance(n, ast.FunctionDef)]
        if [argument.arg for argument in function.args.args] != list(program.data):
            yield "the program does not take its data"


def spec(made: Made) -> Faults:
    """The model's own rows come back, in any order, before and after JSON."""
    yield from row_faults(made.case, made.dice) or ()
    text = made.design.spec.to_json()
    if lme4py.Spec.from_json(text).to_json() != text:
        yield "JSON of the spec is not stable"
    yield from _exact_replay(made)


def _exact_replay(made: Made) -> Faults:
    design = made.design
    positions = design.model_frame.positions
    n = len(made.data)
    positions = np.arange(n) if positions is None else positions
    real = np.flatnonzero(positions >= 0)
    given = made.case.arguments.get("offset")
    offset = np.array(given)[positions[real]] if isinstance(given, list) else None
    try:
        found = design.spec.apply(made.data.iloc[positions[real]], na_action="pass", offset=offset)
    except lme4py.Lme4pyError as error:
        if not any(words in error.message for words in REFUSALS):
            raise
        return
    X = np.asfortranarray(_dense(design.X)[real])
    for at, name in enumerate(design.fixed.names):
        if "poly(" not in name and X[:, at].tobytes() != found.X[:, at].tobytes():
            # A sparse X keeps no sign of its zeros.
            equal = np.array_equal(X[:, at], found.X[:, at], equal_nan=True)
            if not equal or isinstance(design.X, np.ndarray):
                yield f"X {name}: {'zeros of another sign' if equal else 'not bit for bit'}"
    if not any("poly(" in name for _, names in design.random.cnms for name in names):
        yield from _same("Zt replayed", found.Zt, design.Zt[:, real])


def new_rows(made: Made) -> Faults:
    """New rows in any kind of frame, without rows, without groups, with levels never seen."""
    spec, data = made.design.spec, made.data
    rows = made.dice.choice(len(data), min(5, len(data)))
    given = made.case.arguments.get("offset")
    offset = np.array(given)[rows] if isinstance(given, list) else None
    chosen = data.iloc[rows].reset_index(drop=True)

    def applied(newdata: Any, **options: Any) -> Any:
        return spec.apply(newdata, **{**_AS_THEY_ARE, "offset": offset, **options})

    try:
        expected = applied(chosen)
    except lme4py.Lme4pyError as error:
        if not any(words in error.message for words in (*REFUSALS, *_NOT_NEW)):
            yield f"new rows: {error}"
        return
    table = _table(chosen)
    for kind, newdata in (
        ("mapping", {name: chosen[name] for name in chosen}),
        ("arrow", table),
        ("polars", _polars(chosen, table)),
        ("nullable", _nullable(chosen)),
        ("objects", _objects(chosen)),
    ):
        found = applied(newdata)
        yield from _same(f"X of {kind}", found.X, expected.X)
        yield from _same(f"Zt of {kind}", found.Zt, expected.Zt)
    few = applied(chosen.iloc[:0], offset=None if offset is None else offset[:0])
    if few.X.shape != (0, expected.X.shape[1]) or few.Zt.shape != (expected.Zt.shape[0], 0):
        yield f"no rows: {few}"
    response = made.design.model_frame.response
    elsewhere = f"{made.case.formula.partition('~')[2]} {made.case.arguments}"
    if response in chosen and str(response) not in elsewhere:
        yield from _same("X without y", applied(chosen.drop(columns=response)).X, expected.X)
    omitted = applied(chosen, na_action="omit")
    yield from _same("X of rows that stay", omitted.X,
                     np.asfortranarray(expected.X[omitted.positions]))  # fmt: skip
    for group in made.design.random.flist:
        if group in chosen and chosen[group].dtype in ("string", "category"):
            unseen = chosen.assign(**{group: "never seen before"})
            try:
                applied(unseen, new_levels="zero")
            except lme4py.Lme4pyError as error:
                if "never seen before" not in str(error) and "new level" not in str(error):
                    yield f"a new level of {group}: {error}"
            absent = chosen.assign(**{group: chosen[group].where(np.zeros(len(rows), bool))})
            try:
                found = applied(absent, new_levels="zero")
            except lme4py.Lme4pyError as error:
                if not any(words in error.message for words in _NOT_NEW):
                    yield f"no level of {group}: {error}"
                continue
            own = [term.bar.group_name == group for term in made.design.random.terms]
            for begin, mine in zip(made.design.random.Gp, own, strict=False):
                if mine and found.Zt[[int(begin)]].nnz and "poly" not in made.case.formula:
                    yield f"no level of {group}: entries in Zt"


_AS_THEY_ARE = {"na_action": "pass", "new_levels": "zero"}
_NOT_NEW = (
    "new level",
    "arguments imply differing number of rows",
)


def arrays(made: Made) -> Faults:
    """A design put together of ready arrays has the same views."""
    design = made.design
    random, y = design.random, design.y
    given = lme4py.mixed_design(
        design.X,
        random,
        y if y is not None and y.ndim == 1 else None,
        names=design.fixed.names,
        weights=design.weights,
        offset=design.offset,
        family=design.family,
    )
    yield from _same("X", _dense(given.X), np.asfortranarray(_dense(design.X)))
    yield from _same("Zt", given.Zt, design.Zt)
    other = replace(made, design=given)
    for check in (texts, equations, clusters, exports, comparison):
        yield from check(other)
    path = made.folder / "given.npz"
    given.save(path)
    loaded = lme4py.load(path)
    if digest(loaded) != digest(given):
        yield "npz: another design"
    # How a bar was written before || and / were expanded is not kept.
    plain = not re.search(r"\|\||/", made.case.formula) and "Written" not in str(given.explain())
    for view in (repr, summary, *([lambda d: str(d.explain())] if plain else [])):
        if view(loaded) != view(given):
            yield "npz: a view of the loaded design"
    # Of the variables of bars in text the file knows the columns alone.
    if not loaded.equations().verify():
        yield "npz: equations do not hold"


def forms(made: Made) -> Faults:
    """The same data as polars, pyarrow, nullable and numpy-backed pandas make the same design."""
    expected = _digest(made.design)
    table = _table(made.data)
    kinds: dict[str, Callable[[], Any]] = {
        "mapping": lambda: {name: made.data[name] for name in made.data},
        "arrow": lambda: table,
        "polars": lambda: _polars(made.data, table),
        "nullable": lambda: _nullable(made.data),
        "arrow-backed": lambda: table.to_pandas(types_mapper=pd.ArrowDtype),
        "objects": lambda: _objects(made.data),
    }
    if any(item.dtype == "category" and item.cat.ordered for _, item in made.data.items()):
        # An Enum of polars is not ordered.
        del kinds["polars"]
    for kind, convert in kinds.items():
        try:
            found = made.again(convert())
        except lme4py.Lme4pyError as error:
            yield f"{kind}: {error}"
            continue
        if _digest(found) != expected:
            yield f"{kind}: another design"


def _table(data: pd.DataFrame) -> Any:
    import pyarrow as pa

    # Dates have a type of their own in arrow, in pandas they are times at midnight.
    dates = data.copy(deep=False)
    for name, column in data.items():
        if column.dtype.kind == "M" and column.dropna().dt.normalize().equals(column.dropna()):
            dates[name] = column.dt.date
    return pa.Table.from_pandas(dates, preserve_index=False)


def _polars(data: pd.DataFrame, table: Any) -> Any:
    import polars as pl

    enums = [
        pl.Series(name, data[name].astype(object).where(data[name].notna(), None).tolist(),
                  pl.Enum(list(data[name].cat.categories)))
        for name in data if data[name].dtype == "category"
    ]  # fmt: skip
    return pl.from_arrow(table).with_columns(enums)


def _nullable(data: pd.DataFrame) -> pd.DataFrame:
    # A double stays one where it could be an integer: to R they are two types.
    return data.astype({k: "Float64" for k, item in data.items() if item.dtype == "float64"})


def _objects(data: pd.DataFrame) -> pd.DataFrame:
    """Return the data with text and truth values as Python's own."""
    return pd.DataFrame(
        {
            name: np.array([None if v is pd.NA else v for v in column], dtype=object)
            if column.dtype in ("string", "boolean")
            else column
            for name, column in data.items()
        },
        index=data.index,
    )


def _digest(design: lme4py.MixedDesign) -> str:
    # Row labels are of no concern here.
    return digest(replace(design, index=None))


def storage(made: Made) -> Faults:
    """What is saved comes back to the last bit."""
    design = made.design
    path = made.folder / "design.npz"
    design.save(path)
    loaded = lme4py.load(path)
    if digest(loaded) != digest(design):
        yield "npz: another design"
    for name in ("formula", "reml", "family", "messages", "advice", "control"):
        if getattr(loaded, name) != getattr(design, name):
            yield f"npz: {name}"
    if design.learned is not None and loaded.spec.to_json() != design.spec.to_json():
        yield "npz: another spec"
    for view in (repr, lambda d: d._repr_html_(), lambda d: str(d.explain()), summary,
                 lambda d: str(d.equations())):  # fmt: skip
        if view(loaded) != view(design):
            yield "npz: a view of the loaded design"
    index, frame = design.frame.index, loaded.frame
    if not index.equals(frame.index):
        yield "npz: row labels"
    again = made.folder / "again.npz"
    loaded.save(again)
    if path.read_bytes() != again.read_bytes():
        yield "npz: saved again, another file"


_UNEXPORTED = ("two columns of X are called", "tabmat has no matrix without columns")


def exports(made: Made) -> Faults:
    """Every export has the numbers of X and Z."""
    design = made.design
    X, Z = _dense(design.X), design.Z.toarray()
    n, p = X.shape
    for name, make, part in (
        ("patsy", design.to_patsy, np.asarray),
        ("formulaic", design.to_formulaic, lambda m: np.asarray(m.__wrapped__)),
        ("formulaic numpy", lambda: design.to_formulaic("numpy"), lambda m: m.__wrapped__),
        ("formulaic sparse", lambda: design.to_formulaic("sparse"), lambda m: m.toarray()),
        ("tabmat", design.to_tabmat, lambda m: m.toarray()),
        ("tabmat X", lambda: design.to_tabmat(random=False), lambda m: m.toarray()),
    ):
        if find_spec(name.partition(" ")[0]) is None:
            continue
        try:
            found = part(make())
        except lme4py.Lme4pyError as error:
            if not any(words in error.message for words in _UNEXPORTED):
                yield f"{name}: {error}"
            continue
        expected = np.hstack([X, Z]) if name == "tabmat" else X
        if not np.array_equal(found, expected, equal_nan=True):
            yield f"{name}: other numbers"
    plain = design.coordinates()
    beta, b = made.dice.normal(size=p), made.dice.normal(size=Z.shape[1])
    effects = dict.fromkeys(range(len(plain.terms)))
    for stored, place in enumerate(design.random.order):
        begin, end = design.random.Gp[stored : stored + 2]
        term = design.random.terms[stored]
        effects[int(place)] = b[begin:end].reshape(term.levels, term.columns)
    with np.errstate(all="ignore"):
        found = plain.linear_predictor(beta, [effects[k] for k in range(len(plain.terms))])
        expected = X @ beta + Z @ b + (0.0 if design.offset is None else design.offset)
        size = abs(X) @ abs(beta) + abs(Z) @ abs(b) + 1.0
        size = size + (0.0 if design.offset is None else abs(design.offset))
    whole = np.isfinite(size)
    if not np.all(abs(found - expected)[whole] <= 1e-10 * size[whole]):
        yield "coordinates: another predictor"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = design.to_statsmodels()
    except lme4py.Lme4pyError as error:
        if "cannot express this model" not in error.message and "response" not in error.message:
            yield f"statsmodels: {error}"
    else:
        if model.exog.shape != (n, p):
            yield "statsmodels: shape"


def tables(made: Made) -> Faults:
    """Arrow tables and Matrix Market files have the numbers."""
    from pyarrow import ipc
    from scipy.io import mmread

    design = made.design
    found = design.to_arrow()
    n = design.X.shape[0]
    X = np.column_stack([c.to_numpy() for c in found["X"].columns]) if design.X.shape[1] else None
    if X is not None and not np.array_equal(X, _dense(design.X), equal_nan=True):
        yield "arrow: X"
    for name in ("X", "response", "groups", "frame"):
        # A table without columns has no rows.
        if found[name].num_columns and found[name].num_rows != n:
            yield f"arrow: rows of {name}"
    paths = lme4py.export.files.export(design, made.folder / "arrow", "arrow")
    for path in paths:
        if path.suffix == ".arrow":
            ipc.open_file(path.read_bytes()).read_all()
    lme4py.export.files.export(design, made.folder / "mtx", "mtx")
    for name, expected in (("X", _dense(design.X)), ("Zt", design.Zt.toarray())):
        if 0 in expected.shape:
            continue
        read = mmread(made.folder / "mtx" / f"{name}.mtx")
        if not np.array_equal(read.toarray(), expected, equal_nan=True):
            yield f"mtx: {name}"
    effects = pd.read_csv(made.folder / "mtx" / "effects.csv", keep_default_na=False, dtype=str)
    if effects["level"].tolist() != design.random.row_names:
        yield "mtx: levels"


def _record(design: lme4py.MixedDesign, made: Made) -> RList:
    path = made.folder / "design.rds"
    design.export(path, "rds")
    return read_rds(path)


def comparison(made: Made) -> Faults:
    """R's file of the design equals the design; one changed number, level or column is found."""
    design = made.design
    record = _record(design, made)
    found = lme4py.compare(design, fixture_of(record))
    if not found.equal:
        yield f"rds: {'; '.join(map(str, found.different))}"
        return
    str(found), found._repr_html_(), json.dumps(found.record())
    for place, changed in _changes(record, made.dice):
        report = lme4py.compare(design, fixture_of(changed))
        if report.equal:
            yield f"compare: {place} changed, not found"
        str(report), report._repr_html_(), json.dumps(report.record())


def _changes(record: RList, dice: np.random.Generator) -> Iterator[tuple[str, RList]]:
    """Yield R's list with one thing changed in one of its components."""

    def put(path: tuple[str, ...], value: Any, inside: RList = record) -> RList:
        name, *rest = path
        new = put(tuple(rest), value, inside[name]) if rest else value
        items = [
            new if key == name else item for key, item in zip(inside.names, inside, strict=True)
        ]
        return replace(inside, items=tuple(items))

    X, terms, frame = record["X"], record["reTrms"], record["fr"]
    if X.values.size:
        yield "a number of X", put(("X",), replace(X, values=_nudged(X.values, dice)))
        names = list(X.column_names)
        names[int(dice.integers(len(names)))] += "_"
        yield "a name of X", put(("X",), replace(X, column_names=tuple(names)))
    if X.values.shape[1] > 1:
        order = [1, 0, *range(2, X.values.shape[1])]
        if not np.array_equal(X.values, X.values[:, order], equal_nan=True):
            yield "columns of X", put(("X",), replace(X, values=X.values[:, order]))
        assign = X.attributes["assign"]
        if assign.values.size:
            own = {**X.attributes, "assign": replace(assign, values=assign.values + 1)}
            yield "assign", put(("X",), replace(X, attributes=own))
    for name in ("Zt", "Lambdat"):
        sparse = terms[name]
        if sparse.matrix.nnz:
            matrix = sparse.matrix.copy()
            matrix.data = _nudged(matrix.data, dice)
            yield name, put(("reTrms", name), replace(sparse, matrix=matrix))
    sparse = terms["Zt"]
    names = list(sparse.row_names or ())
    if names:
        names[int(dice.integers(len(names)))] += "_"
        yield "row names of Zt", put(("reTrms", "Zt"), replace(sparse, row_names=tuple(names)))
    for name in ("theta", "lower", "Lind", "Gp", "nl"):
        vector = terms[name]
        values = vector.values.copy()
        if not values.size:
            continue
        at = int(dice.integers(values.size))
        values[at] = 7 if not np.isfinite(values[at]) else values[at] + 1
        yield name, put(("reTrms", name), replace(vector, values=values))
    for at, (name, factor) in enumerate(zip(terms["flist"].names, terms["flist"], strict=True)):
        yield from (
            (f"{what} of flist {name!r}",
             put(("reTrms", "flist"), _item(terms["flist"], at, changed)))
            for what, changed in _factor_changes(factor, dice)
        )  # fmt: skip
    for at, texts_ in enumerate(terms["cnms"]):
        if len(texts_):
            values = texts_.values.copy()
            values[0] = f"{values[0]}_"
            changed = _item(terms["cnms"], at, replace(texts_, values=values))
            yield f"cnms[{at}]", put(("reTrms", "cnms"), changed)
    for at, block in enumerate(terms["Ztlist"]):
        if block.matrix.nnz:
            matrix = block.matrix.copy()
            matrix.data = _nudged(matrix.data, dice)
            changed = _item(terms["Ztlist"], at, replace(block, matrix=matrix))
            yield f"Ztlist[{at}]", put(("reTrms", "Ztlist"), changed)
    for name, column in frame.columns.items():
        for what, changed in _column_changes(column, dice):
            columns = {**frame.columns, name: changed}
            yield f"{what} of fr {name!r}", put(("fr",), replace(frame, columns=columns))
    fewer = dict(list(frame.columns.items())[:-1])
    yield "a missing column of fr", put(("fr",), replace(frame, columns=fewer))
    if "REML" in record:
        flag = record["REML"]
        yield "REML", put(("REML",), replace(flag, values=~flag.values))
    else:
        family = record["family"]
        yield (
            "link",
            put(("family", "link"), replace(family["link"], values=np.array(["x"], dtype=object))),
        )


def _item(items: RList, at: int, value: Any) -> RList:
    return replace(items, items=(*items.items[:at], value, *items.items[at + 1 :]))


def _nudged(values: Any, dice: np.random.Generator) -> Any:
    """Return the numbers with a finite one changed by a millionth of the largest."""
    changed = np.array(values, order="F", copy=True)
    places = np.flatnonzero(np.isfinite(changed.ravel("K")))
    flat = changed.ravel("K").copy()
    if not places.size:
        flat[0] = 1.0
    else:
        at = int(dice.choice(places))
        largest = np.max(np.abs(flat[places]))
        flat[at] += max(largest * 1e-6, 1e-6)
    return flat.reshape(changed.shape, order="F") if changed.ndim > 1 else flat


def _factor_changes(factor: Factor, dice: np.random.Generator) -> Iterator[tuple[str, Any]]:
    levels = list(factor.levels)
    at = int(dice.integers(len(levels)))
    renamed = [*levels[:at], f"{levels[at]}_", *levels[at + 1 :]]
    yield "a renamed level", replace(factor, levels=tuple(renamed))
    if len(levels) > 1:
        codes = factor.codes.copy()
        row = int(dice.integers(codes.size))
        codes[row] = (codes[row] + 1) % len(levels)
        yield "a row's level", replace(factor, codes=codes)
        yield "the order of levels", replace(factor, levels=(*levels[1:], levels[0]))
    yield "ordered", replace(factor, ordered=not factor.ordered)


def _column_changes(column: Any, dice: np.random.Generator) -> Iterator[tuple[str, Any]]:
    match column:
        case Factor():
            yield from _factor_changes(column, dice)
        case Matrix() if column.values.size:
            values = column.values.astype(float)
            yield "a number", replace(column, values=_nudged(values, dice), kind="double")
        case Character():
            codes = column.codes.copy()
            codes[int(dice.integers(codes.size))] = len(column.pool)
            yield "a text", replace(column, codes=codes, pool=(*column.pool, "other_"))
        case Numeric(kind="double"):
            yield "a number", replace(column, values=_nudged(column.values, dice))
        case Numeric(kind="integer"):
            values = column.values.copy()
            values[int(dice.integers(values.size))] += 1
            yield "a number", replace(column, values=values)


def command(made: Made) -> Faults:
    """The command says of the data in a file what it says of them in memory."""
    given = made.case.arguments
    words = _words(made)
    path = made.folder / "table.parquet"
    made.data.to_parquet(path)
    arguments = [made.case.formula, str(path), *words]
    code, page, error = _run("show", *arguments)
    if code != 0:
        yield f"show: {code} {error}"
        return
    expected = summary(made.design)
    if page.rstrip("\n") != expected and "contrasts" not in given and "subset" not in given:
        yield "show: another page"
    code, page, error = _run("show", *arguments, "--json")
    json.loads(page)
    group = next(iter(made.design.random.flist))
    level = made.design.clusters(group).levels[-1]
    for more in (
        ("explain", "--notation", "gelman-hill"),
        ("explain", "--format", "html"),
        ("explain", "--json"),
        ("cluster", f"--group={group}", f"--level={level}", "--rows", "3"),
        ("cluster", f"--group={group}", "--json"),
        ("export", "-o", str(made.folder / "out.rds")),
    ):
        code, page, error = _run(more[0], *arguments, *more[1:])
        if code != 0 or not page:
            yield f"{more[0]}: {code} {error}"
        if "--json" in more:
            json.loads(page, parse_constant=_no_constant)


def csv(made: Made) -> Faults:
    """A CSV of the data, in which factors are text, is shown, or a reason is given."""
    path = made.folder / "table.csv"
    made.data.to_csv(path, index=False)
    code, _, error = _run("show", made.case.formula, str(path), *_words(made))
    if code not in (0, 2) or (code == 2 and not error.strip()) or "Traceback" in error:
        yield f"show: {code} {error}"


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} in JSON")


def _words(made: Made) -> list[str]:
    given = arguments_of(made.case)
    words: list[str] = []
    for name, value in given.items():
        option = "--" + name.replace("_", "-")
        if name == "reml":
            words += [] if value else ["--ml"]
        elif name in ("control", "contrasts"):
            pairs = value.items() if isinstance(value, dict) else [(name, value)]
            if not isinstance(value, dict) or not all(isinstance(item, str) for _, item in pairs):
                raise _NoWordsError
            words += [f"{option}={key}={item}" for key, item in pairs]
        elif name == "sparse_X":
            # The page says that X is sparse.
            raise _NoWordsError
        elif isinstance(value, str):
            words.append(f"{option}={value.removeprefix('na.')}" if name == "na_action"
                         else f"{option}={value}")  # fmt: skip
        else:
            raise _NoWordsError
    if made.case.glm and "family" not in given:
        words.append("--family=binomial")
    return words


class _NoWordsError(Exception):
    """The arguments cannot be said on the command line."""


def _run(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code = main(list(words))
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, out.getvalue(), err.getvalue()


def _sayable(check: Callable[[Made], Faults]) -> Callable[[Made], Faults]:
    def checked(made: Made) -> Faults:
        try:
            yield from check(made)
        except _NoWordsError:
            return

    return checked


CHECKS: dict[str, Callable[[Made], Faults]] = {
    "attributes": attributes,
    "random part": random_part,
    "texts": texts,
    "equations": equations,
    "clusters": clusters,
    "spec": spec,
    "new rows": new_rows,
    "forms": forms,
    "storage": storage,
    "exports": exports,
    "drawn and programmed": drawn_and_programmed,
    "comparison": comparison,
}
"""What is checked of each design."""

SLOW: dict[str, Callable[[Made], Faults]] = {
    "arrays": arrays,
    "tables": tables,
    "pictures": pictures,
    "command": _sayable(command),
    "csv": _sayable(csv),
}
"""What takes longer: files, pictures, and all views once more."""


def faults(made: Made, check: str) -> list[str]:
    """Return what one check finds; warnings of other packages are no findings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list((CHECKS | SLOW)[check](made))
