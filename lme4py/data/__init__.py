"""The data set that ships with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["sleepstudy"]


def sleepstudy() -> pd.DataFrame:
    """Return the sleep deprivation study of Belenky et al. (2003), as lme4 ships it.

    Returns
    -------
    DataFrame, 180 rows
        ``Reaction`` (float64): average reaction time in milliseconds; ``Days``
        (float64): day of the study, 0 to 9; ``Subject`` (categorical): 18 subjects.

    Notes
    -----
    The types are those of R's ``lme4::sleepstudy``: two doubles and a factor.

    Examples
    --------
    >>> sleepstudy().head(3)
       Reaction  Days Subject
    0  249.5600   0.0     308
    1  258.7047   1.0     308
    2  250.8006   2.0     308
    """
    from importlib.resources import files

    import pandas as pd

    with (files("lme4py.data") / "sleepstudy.csv").open(encoding="utf-8") as table:
        frame = pd.read_csv(table, dtype={"Reaction": float, "Days": float, "Subject": str})
    subjects = pd.Categorical(frame["Subject"], categories=frame["Subject"].unique())
    return frame.assign(Subject=subjects)
