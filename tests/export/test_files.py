"""What is stored comes back to the last bit, other readers read it, and no file is believed."""

import io
import json
import os
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lme4py
from lme4py.data import sleepstudy
from lme4py.export.files import FORMATS, export
from lme4py.replacing import replacing
from lme4py.rfiles.read_rds import read_rds
from tests.export.designs import DESIGNS, make


@pytest.fixture(params=DESIGNS)
def design(request):
    return make(request.param)


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "design.npz"
    make("interactions").save(path)
    return path


def _same(mine, other):
    """The same to the last bit, NaN included."""
    first, second = np.asarray(mine), np.asarray(other)
    assert first.dtype == second.dtype
    assert first.shape == second.shape
    assert first.tobytes() == second.tobytes()


def _same_sparse(mine, other):
    assert mine.shape == other.shape
    for name in ("data", "indices", "indptr"):
        _same(getattr(mine, name), getattr(other, name))


def test_every_component_comes_back(design, tmp_path):
    path = tmp_path / "design.npz"
    design.save(path)
    loaded = lme4py.load(path)
    assert isinstance(loaded, lme4py.MixedDesign)
    if isinstance(design.X, np.ndarray):
        _same(loaded.X, design.X)
        assert loaded.X.flags.f_contiguous
    else:
        _same_sparse(loaded.X, design.X)
    for name in ("y", "weights", "offset"):
        mine, other = getattr(design, name), getattr(loaded, name)
        assert (mine is None) == (other is None)
        if mine is not None:
            _same(mine, other)
    for name in ("names", "dropped", "terms", "scales"):
        assert getattr(loaded.fixed, name) == getattr(design.fixed, name)
    _same(loaded.fixed.assign, design.fixed.assign)
    assert list(loaded.fixed.contrasts) == list(design.fixed.contrasts)
    for mine, other in zip(
        design.fixed.contrasts.values(), loaded.fixed.contrasts.values(), strict=True
    ):
        if isinstance(mine, str):
            assert mine == other
        else:
            _same(mine.values, other.values)
            assert mine.names == other.names
    _same_sparse(loaded.Zt, design.Zt)
    _same_sparse(loaded.random.Lambdat, design.random.Lambdat)
    for name in ("theta", "lower", "upper", "par", "Lind", "Gp", "nl", "nc", "order", "assign"):
        _same(getattr(loaded.random, name), getattr(design.random, name))
    for name in ("row_names", "cnms"):
        assert getattr(loaded.random, name) == getattr(design.random, name)
    assert [label for label, _ in loaded.random.Ztlist] == [k for k, _ in design.random.Ztlist]
    assert list(loaded.random.flist) == list(design.random.flist)
    for mine, other in zip(design.random.flist.values(), loaded.random.flist.values(), strict=True):
        pd.testing.assert_extension_array_equal(mine, other)
    pd.testing.assert_frame_equal(loaded.frame, design.frame)
    for name in ("formula", "reml", "family", "messages", "advice", "control"):
        assert getattr(loaded, name) == getattr(design, name)
    assert loaded.formula.text == design.formula.text


def test_views_of_a_loaded_design(design, tmp_path):
    """A loaded design answers as the first one does."""
    path = tmp_path / "design.npz"
    design.save(path)
    loaded = lme4py.load(path)
    assert repr(loaded) == repr(design)
    assert str(loaded.explain()) == str(design.explain())
    assert loaded.spec.to_json() == design.spec.to_json()
    assert str(loaded.equations()) == str(design.equations())


def test_equal_designs_make_equal_files(tmp_path):
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path in paths:
        make("interactions").save(path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_saving_what_was_loaded_changes_nothing(stored, tmp_path):
    again = tmp_path / "again.npz"
    loaded = lme4py.load(stored)
    loaded.save(again)
    with np.load(stored) as first, np.load(again) as second:
        assert set(first.files) == set(second.files)
        for name in set(first.files) - {"metadata"}:
            _same(first[name], second[name])


def test_numpy_alone_reads_it(stored):
    """The layout that docs/exports.md describes, read without us."""
    design = make("interactions")
    with np.load(stored, allow_pickle=False) as file:
        metadata = json.loads(file["metadata"].tobytes())
        names = file["X_names"].tobytes().decode().splitlines()
        np.testing.assert_array_equal(file["X"], design.X)
        np.testing.assert_array_equal(file["theta"][file["Lind"]], file["Lambdat_data"])
        assert file["Zt_shape"].tolist() == list(design.Zt.shape)
    assert metadata["format"] == "lme4py.StoredDesign"
    assert names == design.fixed.names == metadata["content"]["names"]


INDEXES = [
    pd.RangeIndex(5, 365, 2),
    pd.Index(np.arange(180) % 7, name="k"),
    pd.Index([f"row {i}" for i in range(180)]),
    pd.date_range("2020-01-01", periods=180, name="day"),
    pd.Index(np.arange(180) / 3),
]


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: type(index).__name__)
def test_row_labels(index, tmp_path):
    design = lme4py.lformula(
        "Reaction ~ Days + (1 | Subject)", sleepstudy().set_axis(index), subset="Days > 3"
    )
    design.save(tmp_path / "d.npz")
    loaded = lme4py.load(tmp_path / "d.npz")
    pd.testing.assert_index_equal(loaded.frame.index, design.frame.index, exact=True)


def test_row_labels_that_cannot_be_stored(tmp_path):
    index = pd.MultiIndex.from_product([range(18), range(10)])
    design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", sleepstudy().set_axis(index))
    with pytest.raises(lme4py.DataError, match="row labels of type"):
        design.save(tmp_path / "d.npz")


# Files that are not what they should be.


def _rewritten(stored, change):
    """The archive with its members changed: a dict of name to bytes."""
    with zipfile.ZipFile(stored) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    change(members)
    with zipfile.ZipFile(stored, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stored


def _array(values):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(values), allow_pickle=True)
    return file.getvalue()


def _metadata(**changes):
    def change(members):
        start = members["metadata.npy"].index(b"\n") + 1
        data = json.loads(members["metadata.npy"][start:])
        for path, value in changes.items():
            inner = [] if path in ("format", "version") else ["content"]
            *outer, last = [*inner, *path.split("__")]
            place = data
            for key in outer:
                place = place[int(key) if key.isdigit() else key]
            if value is None:
                del place[last]
            else:
                place[last] = value
        text = json.dumps(data).encode()
        members["metadata.npy"] = _array(np.frombuffer(text, dtype=np.uint8))

    return change


def _with(name, values):
    return lambda members: members.__setitem__(f"{name}.npy", _array(values))


def _claims_more(members):
    content = members["X.npy"]
    members["X.npy"] = content.replace(b"(180, 9)", b"(180, 99999999999999)"[:8], 1)


def _huge(members):
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**15, 10)}
    np.lib.format.write_array_header_1_0(file, header)
    members["X.npy"] = file.getvalue()


HOSTILE = {
    "no metadata": lambda members: members.pop("metadata.npy"),
    "a missing array": lambda members: members.pop("theta.npy"),
    "pickled objects": _with("X", np.array([print, None], dtype=object)),
    "an array that claims more than there is": _huge,
    "an array too long": lambda m: m.__setitem__("X.npy", m["X.npy"] + bytes(8)),
    "a header without a type": lambda m: m.__setitem__(
        "X.npy", m["X.npy"].replace(b"'<f8'", b"()   ", 1)
    ),
    "an array too short": lambda m: m.__setitem__("X.npy", m["X.npy"][:-8]),
    "an array of another shape": _with("X", np.zeros((3, 3))),
    "text for numbers": _with("y", np.array(["a"] * 180)),
    "complex numbers": _with("y", np.zeros(180, dtype=complex)),
    "no dimensions": _with("y", 1.0),
    "three dimensions": _with("y", np.zeros((180, 1, 1))),
    "codes too large": _with("codes_0", np.full(180, 1000, dtype=np.int32)),
    "codes too small": _with("codes_0", np.full(180, -2, dtype=np.int32)),
    "indices outside": lambda m: m.__setitem__(
        "Zt_indices.npy", _array(np.full((len(m["Zt_indices.npy"]) - 128) // 4, 10**6, np.int32))
    ),
    "pointers that fall": _with("Zt_indptr", np.arange(181, dtype=np.int32)[::-1]),
    "another theta": _with("theta", np.full(5, 2.0)),
    "another order": _with("order", np.array([7, 7])),
    "another Lind": _with("Lind", np.zeros(5, dtype=np.int32)),
    "an unknown format": _metadata(format="something"),
    "a later version": _metadata(version=99),
    "no frame": _metadata(frame=None),
    "a frame of another length": _metadata(frame__rows=17),
    "a frame of negative length": _metadata(frame__rows=-1),
    "a formula that is none": _metadata(formula__text=["y ~ (", "none", "2.1"]),
    "another formula": _metadata(formula__text=["y ~ x + (1 | z)", "none", "2.1"]),
    "a formula that is a number": _metadata(formula__text=3),
    "no variables": _metadata(frame__variables={"map": {}}),
    "a variable that is a text": _metadata(frame__variables__map__f="a"),
    "a type that is none": _metadata(frame__variables__map__f__is="secret"),
    "a kind that is none": _metadata(frame__variables__map__Reaction__kind=[1]),
    "an array that is none": _metadata(frame__variables__map__Reaction__values={"array": "absent"}),
    "too few names": _metadata(names=["a"]),
    "names that are numbers": _metadata(names=list(range(9))),
    "terms that are gone": _metadata(terms=[]),
    "contrasts that are none": _metadata(contrasts={"map": {"f": {"array": 3}}}),
    "scales that are none": _metadata(scales={"map": {"f": "large"}}),
    "random terms that are gone": _metadata(factors=[]),
    "random terms that are none": _metadata(factors=["a", "b"]),
    "levels that are gone": _metadata(factors__0__levels=[]),
    "labels of other terms": _metadata(labels=["1 | a", "1 | b"]),
    "columns of other names": _metadata(columns=[["a", "b"], ["c"]]),
    "a y that is not the response": _with("y", np.zeros(180)),
    "structures of fewer terms": _metadata(structures=["us"]),
    "a family that is none": _metadata(family=["binomial"]),
    "a control that is none": _metadata(control__check_rankX="dance"),
    "a control of another type": _metadata(control__check_rankX=["dance"]),
    "an index that is none": _with("index_0", np.array([0, 1, 0])),
    "an index too short": _with("index_0", np.array([0, 10, 1])),
    "an index too long": _with("index_0", np.array([0, 1000, 1])),
    "spans that are none": _metadata(
        frame__spans={"map": {"f": {"is": "Span", "text": "abc", "start": 2, "end": 1}}}
    ),
    "a spec that is none": _metadata(spec__text={"format": 1}),
    "messages that are none": _metadata(messages="hello"),
    "metadata that are no object": _with("metadata", np.frombuffer(b"[1, 2]", dtype=np.uint8)),
    "metadata that are no JSON": _with("metadata", np.frombuffer(b"\xff\xfe", dtype=np.uint8)),
    "metadata without end": _with("metadata", np.frombuffer(b"[" * 100_000, dtype=np.uint8)),
    "a member that is no array": lambda members: members.__setitem__("run.py", b"print()"),
    "an array without a header": lambda members: members.__setitem__("X.npy", b"hello"),
    "an empty array": lambda members: members.__setitem__("X.npy", b""),
    "a header that is code": lambda members: members.__setitem__(
        "X.npy",
        b"\x93NUMPY\x01\x00" + (40).to_bytes(2, "little") + b"__import__('os').getpid()".ljust(40),
    ),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files(stored, change):
    with pytest.raises(lme4py.DataError):
        lme4py.load(_rewritten(stored, change))


def test_other_numbers_of_Zt_are_those_of_the_file(stored):
    """They are no longer those of the formula; they count as given."""
    with np.load(stored) as file:
        numbers = file["Zt_data"] * 2
    loaded = lme4py.load(_rewritten(stored, _with("Zt_data", numbers)))
    np.testing.assert_array_equal(loaded.Zt.data, numbers)


def test_compressed_files_are_refused(stored):
    """A small file cannot claim much memory."""
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", bytes(10_000_000))
    with pytest.raises(lme4py.DataError, match="compressed"):
        lme4py.load(stored)


@pytest.mark.parametrize("content", [b"", b"PK", b"hello world", b"PK\x05\x06" + bytes(18)])
def test_other_files(tmp_path, content):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(lme4py.DataError):
        lme4py.load(path)


def test_no_file(tmp_path):
    with pytest.raises(lme4py.DataError, match="No such file"):
        lme4py.load(tmp_path / "absent.npz")
    with pytest.raises(lme4py.DataError, match="Is a directory"):
        lme4py.load(tmp_path)
    with pytest.raises(lme4py.DataError, match="cannot write"):
        make("interactions").save(tmp_path / "absent" / "x.npz")


@settings(max_examples=60)
@given(data=st.data())
def test_damaged_bytes(data, tmp_path_factory):
    """Any few bytes changed, or the end cut off: the same design, or a DataError."""
    path = tmp_path_factory.mktemp("damaged") / "design.npz"
    make("small").save(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.sampled_from([len(content), len(content) - 1, len(content) // 2]))
    path.write_bytes(content[:end])
    try:
        loaded = lme4py.load(path)
    except lme4py.DataError:
        return
    assert repr(loaded) == repr(make("small"))


# Exports.


def test_unknown_format(tmp_path):
    assert FORMATS == ("npz", "mtx", "arrow", "rds")
    with pytest.raises(lme4py.DataError, match="unknown format 'xlsx'"):
        export(make("small"), tmp_path / "x", "xlsx")
    blocked = tmp_path / "file"
    blocked.write_text("")
    for name in FORMATS:
        with pytest.raises(lme4py.DataError, match="cannot write"):
            export(make("small"), blocked / "x", name)


def test_rds(design, tmp_path):
    (path,) = export(design, tmp_path / "d.rds", "rds")
    lf = read_rds(path)
    x = design.X if isinstance(design.X, np.ndarray) else design.X.toarray()
    np.testing.assert_array_equal(lf["X"].values, x)
    assert list(lf["X"].column_names or ()) == design.fixed.names
    terms = lf["reTrms"]
    _same(terms["Zt"].matrix.data, design.Zt.data)
    np.testing.assert_array_equal(terms["Zt"].matrix.indices, design.Zt.indices)
    np.testing.assert_array_equal(terms["Zt"].matrix.indptr, design.Zt.indptr)
    assert list(terms["Zt"].row_names) == design.random.row_names
    np.testing.assert_array_equal(terms["Lambdat"].matrix.data, design.random.Lambdat.data)
    np.testing.assert_array_equal(terms["Lind"].values, design.random.Lind + 1)
    np.testing.assert_array_equal(terms["theta"].values, design.random.theta)
    assert list(terms["cnms"].names) == [group for group, _ in design.random.cnms]


def test_matrix_market(design, tmp_path):
    from scipy.io import mmread

    written = export(design, tmp_path / "folder", "mtx")
    assert sorted(tmp_path.joinpath("folder").iterdir()) == sorted(written)
    for name, expected in (
        ("X", design.X),
        ("Zt", design.Zt),
        ("Lambdat", design.random.Lambdat),
    ):
        plain = expected if isinstance(expected, np.ndarray) else expected.toarray()
        got = mmread(tmp_path / "folder" / f"{name}.mtx")
        np.testing.assert_array_equal(got.toarray(), plain)
        if name != "X":
            assert got.nnz == expected.nnz
    columns = pd.read_csv(tmp_path / "folder" / "columns.csv", keep_default_na=False)
    assert columns["name"].astype(str).tolist() == design.fixed.names
    for name, column, numbers in (
        ("terms", "factor", design.random.assign),
        ("terms", "first_row", design.random.Gp[:-1]),
        ("Lind", "Lind", design.random.Lind),
        ("columns", "center", [design.fixed.centers.get(c, 0.0) for c in design.fixed.names]),
        ("columns", "scale", [design.fixed.scales.get(c, 1.0) for c in design.fixed.names]),
        ("theta", "theta", design.random.theta),
        *(("codes", str(k), g.codes) for k, g in enumerate(design.random.flist.values())),
    ):
        table = pd.read_csv(tmp_path / "folder" / f"{name}.csv")
        np.testing.assert_allclose(table[column].astype(float), numbers, rtol=1e-15)
    effects = pd.read_csv(
        tmp_path / "folder" / "effects.csv", dtype={"level": str}, keep_default_na=False
    )
    assert effects["level"].tolist() == design.random.row_names


def test_arrow(design, tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from scipy.sparse import csc_array

    export(design, tmp_path / "folder", "arrow")
    tables = {
        path.stem: pa.ipc.open_file(pa.OSFile(str(path))).read_all()
        for path in (tmp_path / "folder").glob("*.arrow")
    }
    assert set(tables) == set(design.to_arrow())
    x = design.X if isinstance(design.X, np.ndarray) else design.X.toarray()
    assert tables["X"].column_names == design.fixed.names
    for k in range(x.shape[1]):
        _same(tables["X"].column(k).to_numpy(), np.ascontiguousarray(x[:, k]))
    for name, matrix in (("Zt", design.Zt), ("Lambdat", design.random.Lambdat)):
        entries = [tables[name][key].to_numpy() for key in ("value", "row", "column")]
        got = csc_array((entries[0], (entries[1], entries[2])), shape=matrix.shape)
        _same(got.data, matrix.data)
        np.testing.assert_array_equal(got.indices, matrix.indices)
        np.testing.assert_array_equal(got.indptr, matrix.indptr)
    theta, place = tables["theta"]["theta"].to_numpy(), tables["Lambdat"]["theta"].to_numpy()
    np.testing.assert_array_equal(theta[place], tables["Lambdat"]["value"].to_numpy())
    assert tables["effects"]["level"].to_pylist() == design.random.row_names
    metadata = json.loads(tables["X"].schema.metadata[b"lme4py"])
    assert metadata["content"]["names"] == design.fixed.names
    for name, factor in design.random.flist.items():
        codes = tables["groups"][name].combine_chunks().indices.fill_null(-1).to_numpy()
        np.testing.assert_array_equal(codes, factor.codes)


def test_an_unfinished_file_leaves_the_older_one(tmp_path):
    path = tmp_path / "numbers"
    path.write_bytes(b"older")
    path.chmod(0o640)
    with pytest.raises(TypeError), replacing(path) as place, place.open("wb") as file:
        file.writelines([b"half", None])
    assert [found.name for found in tmp_path.iterdir()] == ["numbers"]
    assert path.read_bytes() == b"older"
    link = tmp_path / "link"
    link.symlink_to(path)
    with replacing(link) as place:
        place.write_bytes(b"newer")
    assert link.is_symlink()
    assert path.read_bytes() == b"newer"


def test_a_pipe_is_written_into():
    """As of a shell: lme4py export ... -o >(gzip > design.npz.gz)."""
    read, write = os.pipe()
    with replacing(f"/dev/fd/{write}") as place:
        place.write_bytes(b"1 2 3")
    os.close(write)
    assert os.read(read, 100) == b"1 2 3"
    os.close(read)


@pytest.mark.parametrize("shape", [(0, 2**62), (2**62, 0), (2**63, 0), (2**31, 2**33), (0, -1)])
def test_a_shape_that_no_array_has(tmp_path, shape):
    design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
    design.save(tmp_path / "whole.npz")
    header = io.BytesIO()
    told = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, told)
    target = tmp_path / "damaged.npz"
    with zipfile.ZipFile(tmp_path / "whole.npz") as whole, zipfile.ZipFile(target, "w") as damaged:
        for name in whole.namelist():
            damaged.writestr(name, header.getvalue() if name == "X.npy" else whole.read(name))
    with pytest.raises(lme4py.DataError, match="is not a stored design"):
        lme4py.load(target)


@pytest.mark.parametrize("kind", ["npz", "rds", "mtx"])
def test_text_that_no_encoding_has(tmp_path, kind):
    data = {"y": [1.0, 2, 3, 4], "x": ["a\ud800", "b", "a\ud800", "b"], "g": list("aabb")}
    design = lme4py.lformula("y ~ x + (1 | g)", data)
    with pytest.raises(lme4py.DataError, match="surrogates not allowed"):
        design.export(tmp_path / "design", kind)
    assert list(tmp_path.iterdir()) == []


def test_entries_that_overlap_are_refused(stored):
    """Each array is listed four times: a small file cannot claim much memory."""
    with zipfile.ZipFile(stored, "a") as archive:
        archive.filelist.extend(archive.filelist * 3)
        archive.writestr("more.npy", _array([1.0]))
    with pytest.raises(lme4py.DataError, match="more bytes"):
        lme4py.load(stored)
