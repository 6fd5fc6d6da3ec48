"""What to say of a function that is not in the table: where R has it, or how to bring one's own."""

from __future__ import annotations

from collections.abc import Mapping

from lme4py.errors import nearest
from lme4py.functions.table import lookup, names

__all__ = ["advice"]

_ELSEWHERE: Mapping[str, str] = {
    "{": "braces are left over from an f-string: write f'...' before the quotes, or the name alone",
    "=": "equality is written ==",
    "~": "a formula has one ~; negation is written !",
    "isin": "write x %in% c('a', 'b')",
    "isna": "write is.na(x)",
    "notna": "write !is.na(x)",
    "if_else": "write ifelse(x > 0, 1, 0)",
    "fct_relevel": "write relevel(factor(x), 'b')",
    "&&": "write &",
    "||": "write |",
    "[[": "write x[2]",
    "proportions": "write prop.table(x)",
    "get": "the formula is text: put the name into it, f'{name} ~ x'",
    "logit": "R's own logit is qlogis()",
    "inv.logit": "R's own inverse of the logit is plogis()",
    "expit": "R's own inverse of the logit is plogis()",
    "rcs": "that is rms's; the splines of R itself are ns() and bs()",
    "s": "lme4 has no smooth terms (mgcv has); splines are ns() and bs()",
    "te": "lme4 has no smooth terms (mgcv has); splines are ns() and bs()",
    "Q": "a name with spaces is written in back-quotes: `my name`",
    "center": "write scale(x, scale = FALSE)",
    "standardize": "write scale(x)",
    "gr": "that is brms's; lme4 has (x | g)",
    "mm": "that is brms's; a Z of your own goes through lme4py.mk_re_terms",
    "re": "random terms are written (1 | g)",
    "lag": "lags differ between packages: put the lagged values into the data as a column",
    "year": "that is lubridate's; R's own is as.numeric(format(x, '%Y'))",
    "month": "that is lubridate's; R's own is as.numeric(format(x, '%m'))",
    "yday": "that is lubridate's; R's own is as.numeric(format(x, '%j'))",
    "strftime": "write format(x, '%Y-%m')",
    "julian": "write as.numeric(x)",
    "ISOdate": "write as.POSIXct('2020-01-31 12:00')",
    "head": "write x[1:6]",
    "seq": "write 0:10 * 5, or c(0, 5, 10)",
    "seq.int": "write 0:10 * 5, or c(0, 5, 10)",
    "startsWith": "write substr(x, 1, 2) == 'ab'",
    "substring": "write substr(x, 1, 2)",
    "regexpr": "grepl() tells whether a pattern occurs",
    "rep_len": "write rep(x, length.out = n)",
    "rep.int": "write rep(x, n)",
    "prod": "write exp(sum(log(x)))",
    "pnorm": "the logistic one is plogis(), quantiles are qnorm()",
    "sort": "write x[order(x)]",
    "unique": "write x[!duplicated(x)]",
    "match": "x %in% table tells whether, factor(x, levels = table) where",
    "IQR": "write diff(quantile(x, c(0.25, 0.75)))",
}
"""What people look for of functions that are not in the table, and where to find it."""

# What dplyr, car and zoo make of a column.
_COLUMNS = (
    "case_when case_match recode recode_factor coalesce na_if ntile between lead mutate across "
    "replace_na revalue mapvalues na.locf rollmean cumall cume_dist percent_rank row_number"
)
# Of R itself: no misspelling of another one.
_OF_R = (
    "ISOdatetime NCOL NROW Reduce all any as.difftime atan2 beta by choose cospi cummin cumprod "
    "digamma dnorm endsWith lbeta mad sapply sinpi sprintf strtoi tail tanpi trigamma units"
)


def advice(name: str) -> str:
    """Return what to do about a function that is not in the table.

    Examples
    --------
    >>> advice("sclae")
    "did you mean 'scale'?"
    >>> advice("mad")
    "bring it yourself: env={'mad': lambda x: ...} takes an array and gives one of as many rows"
    """
    last = name.rpartition(".")[2]
    if name in _ELSEWHERE or last in ("isin", "isna", "notna"):  # as pandas has them
        return _ELSEWHERE.get(name) or _ELSEWHERE[last]
    if name in _COLUMNS.split() or name.startswith("fct_"):
        return "compute it as a column of the data"
    if last != name and lookup(last) is not None:
        return f"R's own is {last}()"
    near = None if name in _OF_R.split() else nearest(name, names())
    if near is not None or not name.replace(".", "_").isidentifier():
        return near or "docs/functions.md lists what a formula can call"
    return (
        f"bring it yourself: env={{'{name}': lambda x: ...}} takes an array and gives one of as "
        "many rows"
    )
