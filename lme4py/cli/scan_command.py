"""``lme4py scan``: the spec of files that do not fit into memory, and their rows or sums."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lme4py.archive import write_archive
from lme4py.cli.command import Answer, command, doing, number, option
from lme4py.cli.design_options import chosen_of
from lme4py.errors import DataError
from lme4py.replacing import new_folder

if TYPE_CHECKING:
    from lme4py.spec.spec import NewRows

_ROWS = 500_000


@command(
    "--out DIR FORMULA FILE ...",
    option("formula", "the model", metavar="FORMULA"),
    option("files", ".parquet, .arrow or .csv files, folders, patterns", nargs="+", metavar="FILE"),
    option("--out", "a new folder to write to", type=Path, required=True, metavar="DIR"),
    option("--blocks", "write X, Zt and y of each block, not their sums", action="store_true"),
    number("--rows", "rows that are in memory at a time", 1, default=_ROWS),
)
def scan(options: argparse.Namespace) -> Answer:
    """Learn a model from files that do not fit into memory.

    Read the files block by block, only the columns that the formula needs, and write the spec
    (spec.json) with the cross-products of X, Z and y (crossproducts.npz), or with the rows
    themselves (--blocks). The folder is there when everything is in it, or not at all.

    lme4py scan 'y ~ x + (1 | g)' 'part-*.parquet' --out model
    lme4py scan 'y ~ scale(x) + (x | g)' rows/ --weights w --out model --blocks
    """
    from lme4py.sources.scan import scan as scanned

    chosen = chosen_of(options)
    if "family" in chosen:
        raise DataError("lme4py scan is for linear models: leave --family out")
    for name in ("sep", "decimal", "encoding", "na"):
        if getattr(options, name) is not None:
            raise DataError(
                f"lme4py scan reads text as read.csv does by default, without --{name}",
                hint="write the rows as Parquet",
            )
    files = options.files
    with new_folder(options.out) as folder:
        with doing("scanning"):
            spec = scanned(options.formula, files, rows=options.rows, **chosen)
        (folder / "spec.json").write_text(spec.to_json(), encoding="utf-8")
        with doing("writing the rows" if options.blocks else "adding up"):
            if options.blocks:
                rows = _write_blocks(folder, spec.blocks(files, rows=options.rows))
            else:
                products = spec.crossproducts(files, rows=options.rows)
                products.save(folder / "crossproducts.npz")
                rows = products.n
        written = sorted(path.name for path in folder.iterdir())
    groups = zip(spec.formula.bars, spec.groups, strict=True)
    record = {
        "formula": str(spec.formula),
        "rows": rows,
        "columns": list(spec.fixed.names),
        "levels": {bar.group_name: len(group.levels) for bar, group in groups},
        "out": str(options.out),
        "files": written,
    }
    return Answer(record if options.json else _page(record))


def _write_blocks(folder: Path, blocks: Iterator[NewRows]) -> int:
    rows = 0
    for place, block in enumerate(blocks, start=1):
        parts = ("data", "indices", "indptr")
        arrays = {f"Zt_{part}": getattr(block.Zt, part) for part in parts}
        arrays["Zt_shape"] = np.array(block.Zt.shape)
        for name in ("X", "y", "weights", "offset", "positions"):
            if getattr(block, name) is not None:
                arrays[name] = getattr(block, name)
        write_archive(folder / f"block-{place:05d}.npz", arrays)
        rows += len(block.X)
    return rows


def _page(record: dict[str, Any]) -> str:
    levels = ", ".join(f"{name} {count:,}" for name, count in record["levels"].items())
    shown = record["files"][:4]
    more = f", ... ({len(record['files'])} files)" if len(record["files"]) > len(shown) else ""
    return f"""{record["formula"]}

  {record["rows"]:,} rows   X: {", ".join(record["columns"])}
  levels: {levels}
  {record["out"]}: {", ".join(shown)}{more}"""
