"""The fitted model: estimates, and what follows from them directly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator

from lme4py.abbreviation import Abbreviated
from lme4py.argument_types import choice_of, flag_of, number_of
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError
from lme4py.family import Family, has_dispersion
from lme4py.fit.generalized import GeneralizedSolution
from lme4py.fit.linear import LinearSolution
from lme4py.fit.optimise import Optimum, is_at_bound
from lme4py.links import mean_of_link
from lme4py.matrices.reterms import TermCovariance
from lme4py.spec.spec import NewLevels, Spec
from lme4py.unique_names import make_unique
from lme4py.versions import lme4_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EstimatedTerm", "FittedModel", "VarCorr"]


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class EstimatedTerm(TermCovariance):
    """A random-effects term with its estimates; `matrix` is the covariance itself.

    Parameters
    ----------
    levels : tuple of str
    modes : ndarray of float64, shape (levels, c)
        The conditional modes of the effects.
    common : bool
        Whether lme4 2.x shows one standard deviation for all columns.
    variances : ndarray of float64, shape (levels, c * c), or None
        Conditional covariances of the effects; None where they are computed on demand.
    """

    levels: tuple[str, ...]
    modes: FloatArray
    common: bool
    variances: FloatArray | None = None


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class VarCorr:
    """Standard deviations and correlations of the random effects; prints as lme4's.

    Parameters
    ----------
    terms : tuple of EstimatedTerm
        In stored order, groups that repeat with a number.
    residual : float or None
        The residual standard deviation, where the model has one.
    version_2 : bool
        Whether it prints as lme4 2.x prints structures.
    """

    terms: tuple[EstimatedTerm, ...]
    residual: float | None
    version_2: bool

    def __repr__(self) -> str:
        from lme4py.fit.printed import variances_text

        return variances_text(self)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FittedModel(Abbreviated):
    """A fitted linear or generalized linear mixed model, what `lmer` or `glmer` gives.

    Parameters
    ----------
    formula, version : str
        And the lme4 that is followed.
    family : Family or None
        None for linear models.
    reml : bool
        Whether it was fitted by REML.
    nAGQ : int
        As `glmer` was told; 1 for linear models.
    names : tuple of str
        Columns of X.
    coefficients, covariance : ndarray of float64, shapes (p,) and (p, p)
        The fixed effects, and their covariance.
    sigma : float
        The residual standard deviation, or square root of the dispersion; 1 without one.
    par, theta, lower, upper : ndarray of float64
        The parameters of the random effects' covariance, Λ's distinct entries, bounds of `par`.
    terms : tuple of EstimatedTerm
        In stored order.
    n : int
        Number of rows.
    criterion : float
        What was minimised: REML criterion, deviance, or minus twice the log-likelihood.
    minus_two_log_likelihood : float
        At the estimates; of a REML fit it is the deviance there.
    optimum : Optimum
        What the optimiser did.
    matrix_messages, convergence_messages : tuple of str
        What lme4's checks said of X, and of the optimum.
    call : mapping of str to str
        Arguments that are printed: weights, offset, subset.
    spec : Spec or None
        The model's recipe for new rows; None where there were cross-products only.
    design, solution : MixedDesign, LinearSolution or GeneralizedSolution, or None
        The rows, and the linear algebra at the estimates; None of a fit read from a file.

    Examples
    --------
    >>> import lme4py
    >>> fit = lme4py.lmer("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> fit  # doctest: +NORMALIZE_WHITESPACE, +ELLIPSIS
    Linear mixed model fit by REML ['lmerMod']
    Formula: Reaction ~ Days + (Days | Subject)
    REML criterion at convergence: 1743.628
    Random effects:
     Groups   Name        Std.Dev. Corr
     Subject  (Intercept) 24.74...
              Days         5.922   0.07
     Residual             25.592
    Number of obs: 180, groups:  Subject, 18
    Fixed Effects:
    (Intercept)         Days
         251.41        10.47
    """

    formula: str
    version: str
    family: Family | None
    reml: bool
    nAGQ: int
    names: tuple[str, ...]
    coefficients: FloatArray
    covariance: FloatArray
    sigma: float
    par: FloatArray
    theta: FloatArray
    lower: FloatArray
    upper: FloatArray
    terms: tuple[EstimatedTerm, ...]
    n: int
    criterion: float
    minus_two_log_likelihood: float
    optimum: Optimum
    matrix_messages: tuple[str, ...]
    convergence_messages: tuple[str, ...]
    call: Mapping[str, str]
    spec: Spec | None
    design: MixedDesign[Any] | None = field(default=None, metadata={"saved": False})
    solution: LinearSolution | GeneralizedSolution | None = field(
        default=None, metadata={"saved": False}
    )

    def __repr__(self) -> str:
        from lme4py.fit.printed import fit_text

        return fit_text(self)

    def summary(self) -> str:
        """Return what R's ``summary(fit)`` prints: standard errors, and t or z values.

        Returns
        -------
        str
            No p-values, no correlations of estimates (`vcov` has them).

        Examples
        --------
        >>> import lme4py
        >>> fit = lme4py.lmer("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> for line in fit.summary().splitlines()[-3:]:
        ...     print(line)
                    Estimate Std. Error t value
        (Intercept) 251.4051     9.7467   25.79
        Days         10.4673     0.8042   13.02
        """
        from lme4py.fit.printed import summary_text

        return summary_text(self)

    @property
    def has_scale(self) -> bool:
        """Whether the distribution has a dispersion that is estimated."""
        return has_dispersion(self.family)

    @cached_property
    def fixef(self) -> pd.Series:
        """Fixed effects by the names of X's columns."""
        import pandas as pd

        return pd.Series(self.coefficients, index=list(self.names))

    @cached_property
    def vcov(self) -> pd.DataFrame:
        """Covariance of the fixed effects."""
        import pandas as pd

        return pd.DataFrame(self.covariance, index=list(self.names), columns=list(self.names))

    @cached_property
    def std_errors(self) -> pd.Series:
        """Standard errors of the fixed effects."""
        import pandas as pd

        return pd.Series(np.sqrt(np.diag(self.covariance)), index=list(self.names))

    @cached_property
    def ranef(self) -> dict[str, pd.DataFrame]:
        """Conditional modes of the random effects: by group, a row for each level."""
        import pandas as pd

        found: dict[str, pd.DataFrame] = {}
        for term in self.terms:
            one = pd.DataFrame(term.modes, list(term.levels), list(term.names))
            others = [found[term.group]] if term.group in found else []
            found[term.group] = pd.concat([*others, one], axis=1)
        return found

    @cached_property
    def conditional_variances(self) -> list[tuple[str, FloatArray]]:
        """Group of each term, and the covariances of its effects given the data.

        The arrays have shape (levels, c, c): R's ``attr(ranef(fit)$g, "postVar")`` with the
        levels first (Bates et al. 2015, equation 58).
        """
        if self.solution is not None:
            scale, blocks = self.solution.scale**2, self.solution.covariance.diagonal_blocks()
            pairs = zip(self.terms, blocks, strict=True)
            return [(term.group, scale * block) for term, block in pairs]
        kept = [(term, np.asarray(term.variances), len(term.names)) for term in self.terms]
        return [(term.group, values.reshape(-1, width, width)) for term, values, width in kept]

    @property
    def levels(self) -> dict[str, int]:
        """Grouping factors and their numbers of levels."""
        return {term.group: len(term.levels) for term in self.terms}

    @property
    def var_corr(self) -> VarCorr:
        """Standard deviations and correlations of the random effects."""
        groups = [term.group for term in self.terms]
        if len(set(groups)) < len(groups):
            groups = make_unique(re.sub(r"[^\w.]", ".", name) for name in groups)
        pairs = zip(self.terms, groups, strict=True)
        lme4 = lme4_of(self.version)
        shown = self.family is None or (self.has_scale and not lme4.profiles_dispersion)
        terms = tuple(replace(term, group=group) for term, group in pairs)
        return VarCorr(terms, self.sigma if shown else None, bool(lme4.structures))

    @property
    def df(self) -> int:
        """Number of parameters, as R counts them."""
        # lme4 counts the shape of a negative binomial distribution, also where it was given.
        shape = self.family is not None and self.family.name == "negative.binomial"
        return len(self.names) + self.par.size + int(self.has_scale) + int(shape)

    @property
    def log_likelihood(self) -> float:
        """R's ``logLik(fit)``: of a REML fit, the restricted one."""
        return -self.criterion / 2.0

    @property
    def reml_criterion(self) -> float:
        """The REML criterion at the estimates."""
        if not self.reml:
            raise DataError("the model was not fitted by REML")
        return self.criterion

    @property
    def deviance(self) -> float:
        """R's ``deviance(fit, REML = FALSE)``; of a generalized model, that of the residuals."""
        if self.family is None:
            return self.minus_two_log_likelihood
        return float((self._residuals("deviance") ** 2).sum())

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self.criterion + 2.0 * self.df

    @property
    def bic(self) -> float:
        """Schwarz's criterion."""
        return self.criterion + float(np.log(self.n)) * self.df

    def is_singular(self, tol: float = 1e-4) -> bool:
        """Tell whether a covariance parameter lies on its bound (``isSingular``).

        Parameters
        ----------
        tol : float
            How near is on it.

        Returns
        -------
        bool

        Examples
        --------
        >>> import lme4py
        >>> lme4py.lmer("Reaction ~ 1 + (1 | Subject)", lme4py.data.sleepstudy()).is_singular()
        False
        """
        return is_at_bound(self.par, self.lower, self.upper, number_of("tol", tol))

    def fitted(self) -> FloatArray:
        """Return the means of the rows, given the random effects.

        Returns
        -------
        ndarray of float64, shape (n,)
            With ``na_action="exclude"``, NaN for rows that were left out, as in R.

        Examples
        --------
        >>> import lme4py
        >>> fit = lme4py.lmer("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> fit.fitted()[:2].round(4).tolist()
        [292.1888, 302.6561]
        """
        return self._padded(self._mean(self._predictor()))

    def residuals(self, type: str | None = None) -> FloatArray:
        """Return what the means leave over.

        Parameters
        ----------
        type : {"response", "pearson", "deviance"}, optional
            R's kinds; "response" for linear models, "deviance" for generalized ones.

        Returns
        -------
        ndarray of float64, shape (n,)
            Padded as `fitted` is.

        Examples
        --------
        >>> import lme4py
        >>> fit = lme4py.lmer("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> fit.residuals()[:2].round(4).tolist()
        [-42.6288, -43.9514]
        """
        default = "response" if self.family is None else "deviance"
        kinds = ("response", "pearson", "deviance")
        return self._padded(self._residuals(choice_of("type", type or default, kinds)))

    def _residuals(self, kind: str) -> FloatArray:
        response, mean = self._rows().response, self._mean(self._predictor())
        left = response.y - mean
        if kind == "response":
            return np.asarray(left)
        if not isinstance(self.solution, GeneralizedSolution):
            return np.asarray(left * np.sqrt(response.weights))
        likelihood = self.solution.devfun.likelihood
        if kind == "pearson":
            return np.asarray(left * np.sqrt(response.weights / likelihood.variance(mean)))
        return np.asarray(np.sign(left) * np.sqrt(likelihood.deviances(mean)))

    def _rows(self) -> MixedDesign[Any]:
        if self.design is None:
            raise DataError("this fit has no rows: it was read from a file, or made without")
        return self.design

    @property
    def b(self) -> FloatArray:
        """Conditional modes of the random effects in the order of Zᵗ's rows, shape (q,)."""
        return np.concatenate([np.zeros(0), *(term.modes.ravel() for term in self.terms)])

    def _predictor(self, b: FloatArray | None = None) -> FloatArray:
        design = self._rows()
        eta: FloatArray = design.X @ self.coefficients + design.Z @ (self.b if b is None else b)
        return eta if design.offset is None else eta + design.offset

    def _modes_of(self, random: Any) -> FloatArray:
        """Return `b`, with 0 for what `random` leaves out of the model's own rows."""
        if isinstance(random, bool | np.bool_) or self.spec is None:
            return self.b * flag_of("random", random)
        from lme4py.spec.apply import wanted_columns

        wanted = wanted_columns(self.spec, random, self._rows().model_frame)
        masks = [np.isin(term.names, [*wanted.get(term.group, ())]) for term in self.terms]
        modes = [(term.modes * mask).ravel() for term, mask in zip(self.terms, masks, strict=True)]
        return np.concatenate([np.zeros(0), *modes])

    def _mean(self, eta: FloatArray) -> FloatArray:
        return eta if self.family is None else mean_of_link(self.family.link, eta)

    def _padded(self, values: FloatArray) -> FloatArray:
        frame = self._rows().model_frame
        excludes = self.spec is not None and self.spec.na_action == "exclude"
        if not excludes or frame.positions is None or not frame.omitted or "subset" in self.call:
            return values
        padded = np.full(frame.rows + frame.omitted, np.nan)
        padded[frame.positions] = values
        return padded

    def predict(
        self,
        newdata: Any = None,
        *,
        random: Any = True,
        new_levels: NewLevels = "error",
        type: str = "link",
        offset: Any = None,
        na_action: str = "pass",
    ) -> FloatArray:
        """Return predictions for new rows, or for the model's own.

        Parameters
        ----------
        newdata : pandas, polars or pyarrow frame, or mapping of arrays, optional
            The rows of the model if not given.
        random, new_levels, offset, na_action
            As `Spec.apply` takes them: which random effects count (``re.form``), and what a level
            does that the model does not know (``allow.new.levels``).
        type : {"link", "response"}
            The linear predictor, or the mean.

        Returns
        -------
        ndarray of float64, shape (m,)

        Examples
        --------
        >>> import lme4py
        >>> fit = lme4py.lmer("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
        >>> new = {"Days": [10, 10], "Subject": ["308", "nobody"]}
        >>> fit.predict(new, new_levels="zero").round(2).tolist()
        [450.33, 356.08]
        """
        linked = choice_of("type", type, ("link", "response")) == "link"
        if newdata is None:
            if offset is not None:
                raise DataError("offset belongs to new rows: give newdata, too")
            eta = self._padded(self._predictor(self._modes_of(random)))
        elif self.spec is None:
            raise DataError("this fit was made without data, so it has no rule for new rows")
        else:
            rows = self.spec.apply(
                newdata, new_levels=new_levels, random=random, offset=offset, na_action=na_action
            )
            eta = rows.X @ self.coefficients + rows.Zt.T @ self.b
            eta = eta if rows.offset is None else eta + rows.offset
        return eta if linked else self._mean(eta)

    def simulate(self, seed: int | Generator | None = None) -> FloatArray:
        """Return a response drawn from the fitted model, random effects drawn anew.

        Parameters
        ----------
        seed : int or numpy.random.Generator, optional

        Returns
        -------
        ndarray of float64
            As `MixedDesign.simulate` gives it.

        Examples
        --------
        >>> import lme4py
        >>> fit = lme4py.lmer("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> fit.simulate(seed=1).shape
        (180,)
        """
        sigma = self.sigma if self.has_scale else None
        return self._rows().simulate(self.coefficients.tolist(), self.par, sigma, seed)

    def to_json(self) -> str:
        """Return the fit as JSON text: its estimates and recipe, without the rows.

        Returns
        -------
        str

        Examples
        --------
        >>> import lme4py
        >>> fit = lme4py.lmer("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> again = lme4py.FittedModel.from_json(fit.to_json())
        >>> again.predict({"Days": [0], "Subject": ["308"]}).round(4).tolist()
        [292.1888]
        """
        from lme4py.fit.saved_fit import write

        pairs = zip(self.terms, self.conditional_variances, strict=True)
        kept = [
            replace(term, variances=found.reshape(len(found), -1)) for term, (_, found) in pairs
        ]
        return write(replace(self, terms=tuple(kept), design=None, solution=None))

    @classmethod
    def from_json(cls, text: str) -> FittedModel:
        """Return the fit that `to_json` wrote. Nothing in the text is run as code.

        Parameters
        ----------
        text : str
            JSON.

        Returns
        -------
        FittedModel

        Raises
        ------
        DataError
            If the text is no fit, damaged, or of another version.

        Examples
        --------
        >>> import lme4py
        >>> fit = lme4py.lmer("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> FittedModel.from_json(fit.to_json()).sigma == fit.sigma
        True
        """
        from lme4py.fit.saved_fit import read

        return read(text)
