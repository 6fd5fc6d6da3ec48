"""Damaged files and formulas of chance, by hand: ``python -m tests.hostile [--seed 1] [--part 4]``.

20,000 truncations and flips of R's files, 3,000 of a saved spec, 1,000 of a saved design and
20,000 formulas of chance end in a value or in one of our errors. What does not is printed with
what makes it again; so are the cases that took the most CPU time and memory. ``--part 4`` runs a
quarter of them.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import lzma
import random
import resource
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lme4py
from lme4py.functions.table import names
from lme4py.rfiles.read_rds import read_rds

from .rules import D

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
SECONDS, GIGABYTES = 2.0, 1.0
Case = tuple[str, Callable[[], Any]]


def _damaged(content: bytes, chance: random.Random) -> bytes:
    """Return the bytes cut off, or with some of them changed, repeated or taken out."""
    data = bytearray(content)
    match chance.randrange(5):
        case 0:
            del data[chance.randrange(len(data)) :]
        case 1:
            for _ in range(chance.choice((1, 1, 2, 8))):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        case 2:
            at = chance.randrange(len(data))
            data[at : at + 4] = chance.choice(
                (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", chance.randbytes(4))
            )
        case 3:
            at, size = chance.randrange(len(data)), chance.randrange(1, 40)
            del data[at : at + size]
        case _:
            at, size = chance.randrange(len(data)), chance.randrange(1, 200)
            data[at:at] = data[chance.randrange(len(data)) :][:size]
    return bytes(data)


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    for magic, unpack in ((b"\x1f\x8b", gzip), (b"\xfd7zXZ", lzma), (b"BZh", bz2)):
        if content.startswith(magic):
            return unpack.decompress(content)
    return content


def _files_of_r(count: int, chance: random.Random, folder: Path) -> Iterator[Case]:
    paths = [
        path
        for name in ("*.rds", "lme4/*.rds", "edges/*.rds", "lme4-2.1/*.rds", "spec/*.rds")
        for path in sorted(FIXTURES.glob(name))
        if path.stat().st_size < 200_000
    ]
    target = folder / "damaged.rds"
    for number in range(count):
        path = chance.choice(paths)
        inner = _unpacked(path)
        # Damage below the packing is what reaches the reader; of the packing, zlib tells.
        packed = number % 5 == 0
        content = _damaged(path.read_bytes() if packed else inner, chance)

        def read(content: bytes = content) -> Any:
            target.write_bytes(content)
            found = read_rds(target)
            if hasattr(found, "table"):
                return found.table()
            return lme4py.read_fixture(target) if chance.random() < 0.3 else found

        yield f"{path.name} {zlib.crc32(content):08x}", read


def _specs(count: int, chance: random.Random, folder: Path) -> Iterator[Case]:  # noqa: ARG001
    formulas = (
        "y ~ poly(x, 3) + f * splines::ns(z, 3) + (scale(x) | g)",
        "y ~ cut(x, 3) + C(f, sum) + I(x - mean(x)) + (1 | g:k) + (f || g)",
    )
    texts = [lme4py.lformula(text, D, control=_IGNORED).spec.to_json() for text in formulas]
    for number in range(count):
        text = chance.choice(texts)
        content = (
            _damaged(text.encode(), chance)
            if number % 3
            else text.replace(*_other(text, chance), 1).encode()
        )

        def apply(content: bytes = content) -> Any:
            spec = lme4py.Spec.from_json(content.decode(errors="replace"))
            return spec.apply(D)

        yield f"spec {zlib.crc32(content):08x}", apply


def _other(text: str, chance: random.Random) -> tuple[str, str]:
    """Return a number or word of a JSON text, and what stands in its place."""
    start = chance.randrange(len(text) - 30)
    word = next((part for part in text[start:].replace('"', " ").split() if part), "x")
    word = word.strip(",[]{}:") or ","
    return word, chance.choice(
        ("-1", "1e308", "99999999999", "null", "[]", "{}", "true", '"x"', "0", "1000000", "NaN")
    )


def _designs(count: int, chance: random.Random, folder: Path) -> Iterator[Case]:
    source = folder / "design.npz"
    lme4py.lformula("y ~ poly(x, 2) + f + (x | g)", D, control=_IGNORED).save(source)
    whole, target = source.read_bytes(), folder / "damaged.npz"
    for _ in range(count):
        content = _damaged(whole, chance)

        def load(content: bytes = content) -> Any:
            target.write_bytes(content)
            return lme4py.load(target)

        yield f"npz {zlib.crc32(content):08x}", load


_IGNORED = {"check.nobs.vs.nlev": "ignore", "check.nobs.vs.nRE": "ignore"}
_PIECES = [
    *("x", "z", "f", "g", "k", "y", "h", "lg", "s", "1", "0", "2", "-1", "1e5", "'a'", "NA"),
    *("NULL", "TRUE", "`a b`", "Inf", "NaN", "1L", "-Inf", "c(1, 2)", "1:3", "10^9", "1e-300"),
    *("+", "-", "*", "/", ":", "^", "|", "||", "~", ",", "(", ")", "[", "]", "{", "}", "=", "=="),
    *("<-", "%in%", "%%", "!", "&", "<", "$", "::", "@", "?", "->", "\\", "#", '"', "'", "`", ";"),
    *("(1 | g)", "(x | g)", "(1 | g/k)", "(x || g)", "cs(x | g)", "I(", "log(", "poly(x, 2)"),
    *("factor(", "scale(x)", "cut(x, 3)", "offset(x)", "\n", " ", "é", "\u2212", "\x00", "_"),
]


def _formulas(count: int, chance: random.Random, folder: Path) -> Iterator[Case]:  # noqa: ARG001
    calls = sorted(names())
    given = (
        "x f s lg -1 1e9 NULL NA 'a' c(1,2) 1:10 d g -Inf NaN 1e300 TRUE cbind(x,z) x[0] mean "
        "2000000 1:2000000 factor(f) as.Date('2020-01-01') matrix(1,2,2) c(a=1) 0 x>2"
    )
    values = ["", *given.split()]
    for number in range(count):
        match number % 3:
            case 0:
                listed = ", ".join(chance.choices(values, k=chance.randrange(5)))
                text = f"y ~ {chance.choice(calls)}({listed}) + (1 | g)"
            case 1:
                text = "y ~ " + " ".join(chance.choices(_PIECES, k=chance.randrange(1, 12)))
            case _:
                text = bytes(
                    _damaged(b"y ~ x * f + poly(z, 2) + log(x + 1) + (x | g/k)", chance)
                ).decode(errors="replace")
        yield (
            repr(text),
            lambda text=text: lme4py.lformula(text, D, control=_IGNORED).spec.apply(D.iloc[:2]),
        )


PARTS: dict[str, tuple[int, Callable[[int, random.Random, Path], Iterator[Case]]]] = {
    "rds": (20_000, _files_of_r),
    "spec": (3_000, _specs),
    "npz": (1_000, _designs),
    "formula": (20_000, _formulas),
}


def _peak() -> float:
    """Return the most memory since `_reset`, in GB (Linux)."""
    for line in io.StringIO(Path("/proc/self/status").read_text(encoding="ascii")):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1e6
    return 0.0


def main() -> None:
    """Run the parts and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", type=int, default=1)
    parser.add_argument("--only", choices=PARTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    for name, (count, cases) in PARTS.items():
        if options.only not in (None, name):
            continue
        outcomes: Counter[str] = Counter()
        slowest, largest = (0.0, ""), (0.0, "")
        with tempfile.TemporaryDirectory() as folder:
            chance = random.Random(options.seed)
            for label, run in cases(count // options.part, chance, Path(folder)):
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
                before, start = _peak(), time.process_time()
                try:
                    run()
                    outcomes["a value"] += 1
                except lme4py.Lme4pyError as error:
                    outcomes[type(error).__name__] += 1
                except BaseException as fault:
                    if isinstance(fault, KeyboardInterrupt):
                        raise
                    outcomes["NOT OURS"] += 1
                    print(f"{name}: {label}: {type(fault).__name__}: {str(fault)[:200]}")
                    print(
                        "   ", traceback.format_exc().strip().splitlines()[-3].strip(), flush=True
                    )
                slowest = max(slowest, (time.process_time() - start, label))
                largest = max(largest, (_peak() - before, label))
        print(f"{name}: {dict(outcomes)}")
        print(f"  CPU {slowest[0]:.2f} s at most ({slowest[1][:90]})", end="")
        print("" if slowest[0] < SECONDS else " TOO LONG")
        print(f"  memory {largest[0]:.2f} GB more at most ({largest[1][:90]})", end="")
        print("" if largest[0] < GIGABYTES else " TOO MUCH", flush=True)


if __name__ == "__main__":
    main()
