"""The command, run in this process and once as a program."""

import bz2
import gzip
import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lme4py.cli import main
from lme4py.cli.program import COMMANDS
from lme4py.rfiles.read_rds import read_rds

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def table():
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "y": rng.normal(size=24),
            "x": np.arange(24) / 4,
            "f": np.tile(["a", "b", "c"], 8),
            "g": np.repeat(["u", "v", "w", "z"], 6),
            "n": np.tile([1, 2], 12),
            "won": np.tile([0, 1, 1, 0], 6),
        }
    )


@pytest.fixture
def csv(table, tmp_path):
    path = tmp_path / "table.csv"
    table.to_csv(path, index=False)
    return str(path)


def run(capsys, *words):
    code = main(["show", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_without_arguments_shows_sleepstudy(capsys):
    code, out, err = run(capsys)
    assert (code, err) == (0, "")
    assert out.startswith("Reaction ~ Days + (Days | Subject)\n")
    assert "p = 2 · q = 36 · 3 theta" in out
    assert re.search(r"Days \| Subject +Subject +18 +0:36 +1 0 1 +\(Intercept\), Days", out)
    # R: head(sleepstudy), rownames(Zt) with the column of each row beside it.
    assert re.search(r"1  258\.7047 +1 +1\n", out)
    assert re.search(r"308  Days +\. +1 +2 +3 +4 +5\n", out)


def test_rows(capsys):
    assert "first 2 rows" in run(capsys, "--rows", "2")[1]
    assert "first" not in run(capsys, "--rows", "0")[1]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_files(capsys, table, tmp_path, suffix):
    path = tmp_path / f"table.{suffix}"
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="," if suffix == "csv" else "\t")
    code, out, err = run(capsys, "y ~ x + f + (x | g)", str(path))
    assert (code, err) == (0, "")
    assert "(Intercept), x, fb, fc" in out
    assert "f: contr.treatment" in out


@pytest.mark.parametrize(
    "name, content, options",
    [
        ("t.csv", "y;x;g\n1,5;2;a\n2;3;a\n4;1;é\n3;2;é\n", ["--sep", ";", "--decimal", ","]),
        ("t.csv", "y,x,g\n1,-9,z\n1.5,2,a\n2,3,a\n4,1,é\n3,2,é\n", ["--na", "-9"]),
        ("t.csv.gz", "y,x,g\n1.5,2,a\n2,3,a\n4,1,é\n3,2,é\n", []),
        ("t.tsv", "y\tx\tg\n1.5\t2\ta\n2\t3\ta\n4\t1\té\n3\t2\té\n", []),
    ],
)
def test_marks_of_text_files(capsys, tmp_path, name, content, options):
    path = tmp_path / name
    packed = content.encode("latin1")
    path.write_bytes(gzip.compress(packed) if name.endswith(".gz") else packed)
    words = ["y ~ x + (1 | g)", str(path), "--encoding", "latin1", "--rows", "4", *options]
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    # R: rownames(Zt), and X.
    assert re.search(r"a  \(Intercept\) +1 +1 +\. +\.\n *é  \(Intercept\) +\. +\. +1 +1\n", out)
    assert re.search(r"1 +2 *\n", out)


def test_marks_are_for_text(capsys, tmp_path):
    path = tmp_path / "table.rds"
    path.write_bytes(b"")
    code, _, err = run(capsys, "y ~ x + (1 | g)", str(path), "--sep", ";")
    assert code == 2
    assert "--sep is for text" in err


@pytest.mark.parametrize(
    "words, expected",
    [
        (["--subset", "x > 1"], "19 rows"),
        (["--weights", "n"], "weights"),
        (["--offset", "log(n)"], "offset"),
        (["--contrasts", "f=contr.sum"], "(Intercept), x, f1, f2"),
        (["--contrasts", "f=contr.helmert", "--contrasts", "g=contr.sum"], "f: contr.helmert"),
        (["--na-action", "fail", "--collation", "C"], "24 rows"),
    ],
)
def test_options(capsys, csv, words, expected):
    code, out, _ = run(capsys, "y ~ x + f + (1 | g)", csv, *words)
    assert code == 0
    assert expected in out


def test_warnings_and_messages_end_the_page(capsys, csv):
    formula = "y ~ I(x * 1e6) + x + I(2 * x) + (1 | g)"
    code, out, err = run(capsys, formula, csv)
    assert (code, err) == (0, "")
    said = " ".join(out.partition("\nmessages\n")[2].split())
    assert "Some predictor variables are on very different scales" in said
    assert "fixed-effect model matrix is rank deficient so dropping 2 columns" in said


def test_family(capsys, csv):
    code, out, _ = run(capsys, "won ~ x + (1 | g)", csv, "--family", "binomial(link='probit')")
    assert code == 0
    assert "generalized linear" in out
    assert "probit" in out


@pytest.mark.parametrize(
    "formula, expected",
    [
        ("y ~ x + (1 | ", "^"),
        ("y ~ zz + (1 | g)", "zz"),
        ("y ~ x", "No random effects terms specified in formula"),
        ("y ~ x + (1 | g) + system('true')", "system"),
    ],
)
def test_bad_formula(capsys, csv, formula, expected):
    code, out, err = run(capsys, formula, csv)
    assert (code, out) == (2, "")
    assert err.startswith("lme4py: ")
    assert expected in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "name, content, expected",
    [
        ("absent.csv", None, "No such file"),
        ("empty.csv", b"", "cannot read"),
        ("binary.csv", b"\xff\x00\x80", "cannot read"),
        ("ragged.csv", b"a,b\n1,2\n1,2,3,4\n", "cannot read"),
        ("text.parquet", b"not parquet", "cannot read"),
        ("table.xlsx", b"", "expected a .csv, .tsv, .parquet, .arrow, .feather or .rds file"),
    ],
)
def test_bad_file(capsys, tmp_path, name, content, expected):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, out, err = run(capsys, "y ~ x + (1 | g)", str(tmp_path / name))
    assert (code, out) == (2, "")
    assert expected in err


def test_file_in_the_place_of_the_formula(capsys):
    code, _, err = run(capsys, "table.csv")
    assert code == 2
    assert "lme4py show 'y ~ x + (1 | g)' table.csv" in err


@pytest.mark.parametrize(
    "words", [["--contrasts", "f"], ["--contrasts", "=contr.sum"], ["--rows", "-1"], ["--nope"]]
)
def test_bad_arguments(capsys, words):
    with pytest.raises(SystemExit) as stop:
        main(["show", *words])
    assert stop.value.code == 2
    assert "usage: lme4py" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"lme4py {version('lme4py')}\n"


def test_as_a_program_into_a_closed_pipe():
    code = "import sys; from lme4py.cli import main; sys.exit(main(['show']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait() == 0
    assert err == b""


@pytest.mark.parametrize("kind", ["arrow", "stream.arrow", "feather", "rds"])
def test_more_files(capsys, table, tmp_path, kind):
    path = tmp_path / f"table.{kind}"
    if kind == "rds":
        path = ROOT / "fixtures" / "compare" / "slope_and_factor.rds"
        words = ["y ~ x * f + (x | plot)", str(path)]
    else:
        arrow = pytest.importorskip("pyarrow")
        rows = arrow.Table.from_pandas(table)
        make = arrow.ipc.new_stream if kind.startswith("stream") else arrow.ipc.new_file
        with path.open("wb") as target, make(target, rows.schema) as writer:
            writer.write_table(rows)
        words = ["y ~ x + f + (x | g)", str(path)]
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    assert "(Intercept), x, f" in out


def test_rds_without_a_table(capsys):
    code, _, err = run(capsys, "y ~ x + (1 | g)", str(ROOT / "fixtures" / "values.rds"))
    assert code == 2
    assert "holds no data frame" in err


def test_json(capsys, csv):
    code, out, err = run(capsys, "y ~ x + f + (x | g)", csv, "--json", "--weights", "n")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert record["X"]["names"] == ["(Intercept)", "x", "fb", "fc"]
    assert record["terms"] == [
        {"label": "x | g", "group": "g", "columns": ["(Intercept)", "x"], "levels": 4}
    ]
    assert record["lower"] == [0, None, 0]
    assert (record["weights"], record["offset"], record["reml"]) == (True, False, True)


@pytest.mark.parametrize(
    "words, expected",
    [
        (["--ml"], "linear, ML"),
        (["--double-bar", "diag"], "diag"),
        (["--control", "check.nlev.gtreq.5=ignore"], "24 rows"),
        (["--env", "k=2", "--env", "unused=text", "--subset", "x > k"], "15 rows"),
    ],
)
def test_more_options(capsys, csv, words, expected):
    code, out, _ = run(capsys, "y ~ x + (x || g)", csv, *words)
    assert code == 0
    assert expected in out


def test_unknown_control(capsys, csv):
    code, _, err = run(capsys, "y ~ x + (1 | g)", csv, "--control", "check.rank=ignore")
    assert code == 2
    assert "check" in err


@pytest.mark.parametrize("kind", ["npz", "mtx", "arrow", "rds"])
def test_export(capsys, csv, tmp_path, kind):
    if kind == "arrow":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"design.{kind}"
    assert main(["export", "y ~ x + (x | g)", csv, "-o", str(path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["format"] == kind
    assert record["written"]
    assert all(Path(name).exists() for name in record["written"])
    if kind == "rds":
        assert "X" in (read_rds(path).names or ())


def test_export_needs_a_format(capsys, tmp_path):
    assert main(["export", "-o", str(tmp_path / "design.xyz")]) == 2
    assert "npz, mtx, arrow, rds" in capsys.readouterr().err
    assert main(["export", "-o", str(tmp_path / "absent" / "x"), "--format", "npz"]) == 2


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_help_has_examples_and_exit_codes(capsys, command):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    page = capsys.readouterr().out
    assert f"  lme4py {command}" in page.partition("examples:")[2]
    assert "exit codes:" in page


@pytest.fixture
def crossed(tmp_path):
    """A table with long names, and a formula in which every part is longer than a line."""
    rng = np.random.default_rng(8)
    names = [f"a_rather_long_name_of_a_measurement_{k}" for k in range(7)]
    columns = {name: rng.normal(size=60) for name in ["y", *names]}
    columns["a_treatment"] = np.tile(["the control", "a low dose", "more"], 20)
    columns |= {"school": np.repeat([f"school {k}" for k in range(12)], 5)}
    columns |= {"examiner": np.tile([f"examiner {k}" for k in range(6)], 10)}
    path = tmp_path / "wide.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    slopes = " + ".join([*names[:3], "a_treatment"])
    formula = f"y ~ {' + '.join(names)} * a_treatment + ({slopes} | school) + (1 | examiner)"
    return formula, str(path)


@pytest.mark.filterwarnings("ignore::lme4py.Lme4pyWarning")
@pytest.mark.parametrize("width", [72, 88, 200])
@pytest.mark.parametrize("command", ["show", "explain", "cluster"])
def test_pages_keep_the_width_of_the_terminal(capsys, monkeypatch, crossed, command, width):
    monkeypatch.setenv("COLUMNS", str(width))
    control = ["--control", "check.nobs.vs.nRE=ignore"]
    assert main([command, *crossed, *control]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [50, 60, 80])
def test_group_levels_and_theta_are_shown_beside_a_long_term(capsys, monkeypatch, crossed, width):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["show", *crossed, "--control", "check.nobs.vs.nRE=ignore"]) == 0
    table = capsys.readouterr().out.partition("\nZt ")[2].partition("\ny and X")[0]
    assert re.search(r" group +levels ", table)
    # R: nl, Gp and theta, whose cell may go on below.
    assert re.search(r" school +12  0:72 +1 0 ", table)
    assert re.search(r" examiner +6  72:78 +1\b", table)


@pytest.mark.parametrize("command", ["show", "explain"])
def test_tables_in_a_narrow_terminal_break_no_name(capsys, monkeypatch, crossed, command):
    monkeypatch.setenv("COLUMNS", "40")
    assert main([command, *crossed, "--control", "check.nobs.vs.nRE=ignore"]) == 0
    page = capsys.readouterr().out
    assert max(map(len, page.splitlines())) <= 40
    # R: Gp.
    for block in (["school", "0"], ["examiner", "72"]):
        assert any(all(word in part for word in block) for part in page.split("\n\n"))
    assert re.search(r"^  rows of Zt: 72( to |:)7[78]$", page, re.MULTILINE)


def test_cluster_of_crossed_factors_takes_the_first(capsys, crossed):
    assert main(["cluster", *crossed, "--control", "check.nobs.vs.nRE=ignore"]) == 0
    assert capsys.readouterr().out.startswith("school j = school 0: 5 rows")


def test_colours_are_for_terminals_that_take_them(capsys, monkeypatch):
    main(["show"])
    plain = capsys.readouterr().out
    assert "\x1b" not in plain
    for name in ("NO_COLOR", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "88")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    main(["show"])
    coloured = capsys.readouterr().out
    assert "\x1b[1m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            main(["show"])
            assert not re.search(r"\x1b\[[0-9;]*3[0-9]", capsys.readouterr().out)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_own_options_come_first_in_the_help(capsys, command):
    with pytest.raises(SystemExit):
        main([command.name, "--help"])
    page = capsys.readouterr().out
    own = [flags[-1] for flags, _ in command.options if flags[0].startswith("-")]
    places = [page.index(f" {flag}") for flag in (*own, "--sep", "--family")]
    assert max(places[:-2]) < places[-2] < places[-1]


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zip"])
def test_packed_files(capsys, table, tmp_path, ending):
    path = tmp_path / f"table.csv.{ending}"
    table.to_csv(path, index=False)  # pandas packs by the ending
    code, out, err = run(capsys, "y ~ x + (1 | g)", str(path))
    assert (code, err) == (0, "")
    assert "24 rows" in out
    path.write_bytes(path.read_bytes()[:-30])
    code, _, err = run(capsys, "y ~ x + (1 | g)", str(path))
    assert code == 2
    assert err.startswith(f"lme4py: cannot read '{path}': ")


@pytest.mark.parametrize("name", ["t.parquet.gz", "t.feather.bz2", "t.rds.gz", "t.rds.bz2"])
def test_packed_tables_of_other_kinds(capsys, table, tmp_path, name):
    pytest.importorskip("pyarrow")
    kind, ending = name.split(".")[1:]
    plain, path = tmp_path / "plain", tmp_path / name
    if kind == "rds":
        plain = ROOT / "fixtures" / "compare" / "slope_and_factor.rds"
    else:
        getattr(table, f"to_{kind}")(plain)
    path.write_bytes({"gz": gzip, "bz2": bz2}[ending].compress(plain.read_bytes()))
    formula = "y ~ x * f + (x | plot)" if kind == "rds" else "y ~ x + f + (x | g)"
    code, out, err = run(capsys, formula, str(path))
    assert (code, err) == (0, "")
    assert "(Intercept), x, f" in out
    path.write_bytes(path.read_bytes()[:-30])
    code, _, err = run(capsys, formula, str(path))
    assert code == 2
    assert str(path) in err


def test_progress_is_for_terminals_only(capsys, monkeypatch, csv):
    monkeypatch.setenv("TERM", "xterm")
    assert run(capsys, "y ~ x + (1 | g)", csv)[2] == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    code, _, err = run(capsys, "y ~ x + (1 | g)", csv)
    assert code == 0
    assert "building the design" in err
    files = [str(path) for path in sorted(ROOT.glob("fixtures/compare/tampered_t*.rds"))]
    assert main(["compare", "--quiet", *files]) == 1
    err = capsys.readouterr().err
    assert "100%" in err
    assert "0:00:00" in err


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX closes the output")
def test_no_output_at_all():
    call = f"{sys.executable} -m lme4py show 'Reaction ~ Days + (1 | Subject)' >&-"
    done = subprocess.run(["sh", "-c", call], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
