"""The legend below the panels: one line for each random term, and how to read the picture."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from lme4py.design import MixedDesign
from lme4py.explain.pictures.figure import short
from lme4py.explain.pictures.palette import FAINT, INK, colour_of
from lme4py.explain.pictures.pixels import square_axis
from lme4py.explain.pictures.sheet import LEFT, LINE, MOST_TERMS, RIGHT, Sheet
from lme4py.matrices.reterms import RandomEffects

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_legend"]


def draw_legend(figure: Figure, sheet: Sheet, matrices: MixedDesign, step: int) -> None:
    """Write one line for each random term below the panels, and how to read the picture."""
    random = matrices.random
    left, beside = LEFT / sheet.width, (LEFT + 0.18) / sheet.width
    y = sheet.legend - 0.48
    for k in range(min(len(random.terms), MOST_TERMS)):
        height = y / sheet.height
        figure.text(left, height, "■", color=colour_of(k), fontsize=10, va="center", ha="left")
        line = _line(random, k)
        longest = int((sheet.width - LEFT - 0.3) / 0.074)
        figure.text(
            beside,
            height,
            line if len(line) <= longest else f"{line[: longest - 1]}…",
            fontsize=8.5,
            color=INK,
            va="center",
            ha="left",
            parse_math=False,
        )
        y -= LINE
    if len(random.terms) > MOST_TERMS:
        more = f"… and {len(random.terms) - MOST_TERMS} more terms"
        figure.text(beside, y / sheet.height, more, fontsize=8.5, color=INK, va="center")
        y -= LINE
    figure.text(
        left,
        (y + 0.06) / sheet.height,
        textwrap.fill(_reading(matrices, step), int((sheet.width - LEFT - RIGHT) / 0.052)),
        fontsize=7.5,
        color=FAINT,
        va="top",
        ha="left",
        linespacing=1.35,
    )


def _line(random: RandomEffects, k: int) -> str:
    """Return what is said of a random term."""
    term = random.terms[k]
    columns = ", ".join(short(name) for name in term.plan.names[:5])
    if term.columns > 5:
        columns += f", … {term.columns - 5} more"
    label = " ".join(term.bar.label.split())
    return (
        f"({label})   {term.levels:,} groups × {term.columns} "
        f"column{'' if term.columns == 1 else 's'}: {columns};   rows "
        f"{int(random.Gp[k]):,} to {int(random.Gp[k + 1]) - 1:,} of Zᵗ;   "
        f"{term.covariance.parameters} theta"
    )


def _reading(matrices: MixedDesign, step: int) -> str:
    """Return how to read the picture."""
    terms = matrices.random.terms
    said = [
        "Darker: larger absolute value, or more entries in one pixel.",
        "Colour over a column of X: it stands again in that term's rows of Zᵗ.",
    ]
    if any(term.columns > 1 and term.covariance.parameters > term.columns for term in terms):
        said.append("Pale in Λᵗ: covariances, which start at 0.")
    if len(terms) > 1:
        said.append("Grey in ZᵗZ: between different terms.")
        if square_axis(matrices).enlarges:
            said.append("Small terms are drawn larger than their share.")
    if step > 1:
        said.append(f"ZᵗZ was counted on one observation in {step}.")
    return " ".join(said)
