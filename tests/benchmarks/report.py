"""Measurements as a table, and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.runs import Series

_HEADING = [
    "| build | who | CPU | time against lme4py (range) | peak memory | outputs |",
    "| --- | --- | ---: | ---: | ---: | ---: |",
]


def markdown(series: Sequence[Series], *, heading: bool = True) -> str:
    """Return the table; the first of ours in a case is what the others are held against."""
    lines = list(_HEADING) if heading else []
    for number, entry in enumerate(series):
        title = entry.case.title
        if number and series[number - 1].case is entry.case:
            title = ""
        if not entry.cpu:
            lines.append(f"| {title} | {entry.builder} | — | {entry.failure} | | |")
            continue
        base = next((s for s in series if s.case is entry.case and s.builder == "lme4py"), None)
        lines.append(
            f"| {title} | {entry.builder} | {seconds(entry.seconds)} | {_ratio(entry, base)} "
            f"| {size(entry.memory) if entry.case.repeat == 1 else ''} "
            f"| {size(entry.outputs) if entry.outputs and entry.case.repeat == 1 else ''} |"
        )
    return "\n".join(lines)


def _ratio(entry: Series, base: Series | None) -> str:
    if base is None or base is entry or not base.cpu:
        return ""
    # Rounds of the two are paired as they were run.
    ratios = [one / other for one, other in zip(entry.cpu, base.cpu, strict=False)]
    return f"{entry.seconds / base.seconds:.3g} ({min(ratios):.3g} to {max(ratios):.3g})"


def seconds(value: float) -> str:
    """Return a time in the unit that suits it."""
    if value < 0.0995:
        return f"{value * 1000:.2f} ms" if value < 0.00995 else f"{value * 1000:.1f} ms"
    return f"{value:.2f} s"


def size(value: float) -> str:
    """Return a number of bytes in megabytes."""
    return f"{value / 1e6:.0f} MB"


def picture(series: Sequence[Series], path: Path) -> None:
    """Draw CPU time of every builder on the million-row case, on a logarithmic axis."""
    from matplotlib.figure import Figure

    shown = [entry for entry in series if entry.case.name == "rows-1M" and entry.cpu]
    grown = [
        entry
        for entry in series
        if entry.case.name.startswith("rows-") and entry.builder == "lme4py" and entry.cpu
    ]
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    bars, lines = figure.subplots(1, 2)
    names = {"floor": "NumPy, filling only", "formulaic": "formulaic, X only", "R": "lme4 in R"}
    labels = [names.get(entry.builder, entry.builder) for entry in shown]
    colours = ["#1f6f8b" if entry.builder == "lme4py" else "#b9c2c7" for entry in shown]
    drawn = bars.barh(labels, [entry.seconds for entry in shown], color=colours)
    bars.bar_label(drawn, [seconds(entry.seconds) for entry in shown], padding=3, fontsize=8)
    bars.set(xscale="log", title="1,000,000 rows: CPU time", xlabel="seconds")
    bars.set_xlim(right=max(entry.seconds for entry in shown) * 6)
    bars.invert_yaxis()
    lines.plot(
        [entry.case.rows for entry in grown],
        [entry.seconds for entry in grown],
        "o-",
        color="#1f6f8b",
    )
    lines.set(xscale="log", yscale="log", title="lme4py: CPU time by rows", xlabel="rows")
    lines.set_ylabel("seconds")
    for axes in (bars, lines):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(10)
    figure.savefig(path, metadata={"Date": None})
