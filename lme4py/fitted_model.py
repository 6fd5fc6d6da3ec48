"""The fitted model: estimates, and what follows from them directly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.random import Generator

from lme4py.argument_types import choice_of, number_of
from lme4py.codec import Codec
from lme4py.control import Control, FitControl
from lme4py.data.values import FloatArray
from lme4py.design import MixedDesign
from lme4py.errors import DataError
from lme4py.family import Family, has_dispersion
from lme4py.fit.linear import DevianceFunction, Solution
from lme4py.fit.optimise import (
    Optimum,
    Start,
    control_for,
    covariance_at,
    is_singular,
    optimum_and_solution,
)
from lme4py.likelihood import Likelihood
from lme4py.links import mean_of_link
from lme4py.matrices.reterms import TermCovariance
from lme4py.spec import saved
from lme4py.spec.spec import NewLevels, NewRows, Spec

if TYPE_CHECKING:
    from lme4py.printed_fit import VarCorr

CHECKS_OF_X = ("fixed-effect model matrix is", "Some predictor variables are")
"""How the messages of lme4's checks of X begin, which it prints with a fit."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FittedModel(Solution):
    """A fitted linear or generalized linear mixed model, what `lmer` or `glmer` gives.

    Parameters
    ----------
    par, theta, beta, u, b, sigma, scale, pwrss, ldL2, ldRX2, criterion, \
minus_two_log_likelihood, unscaled_vcov, conditional
        The `Solution` at the optimum.
    model : MixedDesign or Spec
        The rows; the recipe alone of a fit that was read from a file, or of cross-products.
    family : Family or None
        None for linear models.
    reml : bool
        Whether it was fitted by REML.
    nAGQ : int
        As `glmer` was told; 1 for linear models.
    n : int
        Number of rows.
    optimum : Optimum
        What the optimiser did.
    covariance : ndarray of float64, shape (p, p)
        That of the fixed effects.
    messages : tuple of str
        What lme4's checks said of X, and of the optimum.
    variances : tuple of ndarray of float64, or None
        `conditional_variances`, where they are not computed on demand.

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

    model: MixedDesign[Any] | Spec
    family: Family | None
    reml: bool
    nAGQ: int
    n: int
    optimum: Optimum
    covariance: FloatArray
    messages: tuple[str, ...]
    variances: tuple[FloatArray, ...] | None = None

    @classmethod
    def of(
        cls,
        devfun: DevianceFunction,
        model: MixedDesign[Any] | Spec,
        *,
        start: Start = None,
        control: Control | FitControl | Mapping[str, Any] | None = None,
    ) -> FittedModel:
        """Minimise a deviance function, check the optimum, and return the fit (``mkMerMod``).

        Parameters
        ----------
        devfun : LinearDeviance or GeneralizedDeviance
            From `mk_lmer_devfun` or `mk_glmer_devfun`.
        model : MixedDesign or Spec
            The rows; the recipe alone where there are only cross-products of them.
        start, control
            As `optimize_lmer` has them.

        Returns
        -------
        FittedModel

        Raises
        ------
        DataError
            If the model has other random effects than the deviance function.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> devfun = lme4py.mk_lmer_devfun(design.crossproducts(), design.random)
        >>> lme4py.FittedModel.of(devfun, design.spec).fixef.round(4).to_dict()
        {'(Intercept)': 251.4051, 'Days': 10.4673}
        """
        fitting = control_for(devfun, control)
        if not isinstance(model, MixedDesign | Spec):
            raise DataError(f"a design or a spec is needed, not {type(model).__name__}")
        if not np.array_equal(model.random.Gp, devfun.random.Gp):
            raise DataError("the model has other random effects than the deviance function")
        lme4 = model.formula.lme4
        optimum, solution, said = optimum_and_solution(devfun, start, fitting, lme4)
        of_X = [text for text in getattr(model, "messages", ()) if text.startswith(CHECKS_OF_X)]
        return cls(
            **vars(solution),
            model=model,
            family=getattr(model, "family", None),
            reml=getattr(devfun, "reml", False),
            nAGQ=getattr(devfun, "nAGQ", 1),
            n=devfun.n,
            optimum=optimum,
            covariance=covariance_at(optimum, solution),
            messages=(*of_X, *said),
        )

    def __repr__(self) -> str:
        from lme4py.printed_fit import fit_text

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
        from lme4py.printed_fit import summary_text

        return summary_text(self)

    @property
    def design(self) -> MixedDesign[Any]:
        """The rows; `DataError` for a fit that has none."""
        if not isinstance(self.model, MixedDesign):
            raise DataError("this fit has no rows: it was read from a file, or made without")
        return self.model

    @property
    def spec(self) -> Spec:
        """The recipe for new rows; `DataError` for a design of ready arrays."""
        return self.model.spec if isinstance(self.model, MixedDesign) else self.model

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of X."""
        return tuple(self.model.fixed.names)

    @property
    def has_scale(self) -> bool:
        """Whether the distribution has a dispersion that is estimated."""
        return has_dispersion(self.family)

    @property
    def terms(self) -> list[TermCovariance]:
        """The covariance of each term's effects, in stored order."""
        found = self.model.random.covariance(self.par)
        return [replace(term, matrix=self.scale**2 * term.matrix) for term in found]

    @cached_property
    def fixef(self) -> pd.Series:
        """Fixed effects by the names of X's columns."""
        return pd.Series(self.beta, list(self.names))

    @cached_property
    def vcov(self) -> pd.DataFrame:
        """Covariance of the fixed effects."""
        return pd.DataFrame(self.covariance, list(self.names), list(self.names))

    @cached_property
    def std_errors(self) -> pd.Series:
        """Standard errors of the fixed effects."""
        return pd.Series(np.sqrt(np.diag(self.covariance)), list(self.names))

    @cached_property
    def ranef(self) -> dict[str, pd.DataFrame]:
        """Conditional modes of the random effects: by group, a row for each level."""
        random, found = self.model.random, dict[str, list[pd.DataFrame]]()
        for term, b in zip(random.terms, np.split(self.b, random.Gp[1:-1]), strict=True):
            levels, columns = [*map(str, term.group.levels)], [*term.plan.names]
            frame = pd.DataFrame(b.reshape(term.levels, -1), levels, columns)
            found.setdefault(term.bar.group_name, []).append(frame)
        return {group: pd.concat(frames, axis=1) for group, frames in found.items()}

    @cached_property
    def conditional_variances(self) -> list[tuple[str, FloatArray]]:
        """Group of each term, and the covariances of its effects given the data.

        The arrays have shape (levels, c, c): R's ``attr(ranef(fit)$g, "postVar")`` with the
        levels first (Bates et al. 2015, equation 58).
        """
        random, found = self.model.random, self.variances or ()
        if self.conditional is not None:
            found = tuple(self.scale**2 * each for each in self.conditional.diagonal_blocks())
        return [
            (term.bar.group_name, v.reshape(term.levels, term.columns, term.columns))
            for term, v in zip(random.terms, found, strict=True)
        ]

    @property
    def var_corr(self) -> VarCorr:
        """Standard deviations and correlations of the random effects; prints as lme4's."""
        from lme4py.printed_fit import VarCorr

        return VarCorr(self)

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
        return float(self._likelihood.deviances(self._mean(self._predictor(self.design))).sum())

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
        return is_singular(self.model.random, self.par, number_of("tol", tol))

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
        return self.predict(type="response")

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
        kind = choice_of(
            "type", default if type is None else type, ("response", "pearson", "deviance")
        )
        likelihood, mean = self._likelihood, self._mean(self._predictor(self.design))
        left = likelihood.y - mean
        if kind == "pearson":
            left *= np.sqrt(likelihood.weights / likelihood.variance(mean))
        elif kind == "deviance":
            left = np.sign(left) * np.sqrt(likelihood.deviances(mean))
        return self._padded(left)

    @cached_property
    def _likelihood(self) -> Likelihood:
        response, family = self.design.response, self.family or Family("gaussian", "identity")
        return Likelihood(family, response.y, response.weights, response.trials)

    def _predictor(self, rows: MixedDesign[Any] | NewRows, random: Any = True) -> FloatArray:
        """Return the linear predictor of rows; of the model's own with some random effects."""
        b = self.b
        if isinstance(random, bool | np.bool_):
            b = b * bool(random)
        else:
            from lme4py.spec.apply import wanted_columns

            wanted = wanted_columns(self.spec, random, self.design.model_frame)
            pairs = [(t, [*wanted.get(t.bar.group_name, ())]) for t in self.design.random.terms]
            masks = [np.tile(np.isin(t.plan.names, names), t.levels) for t, names in pairs]
            b = b * np.concatenate(masks)
        eta: FloatArray = rows.X @ self.beta + rows.Zt.T @ b
        return eta if rows.offset is None else eta + rows.offset

    def _mean(self, eta: FloatArray) -> FloatArray:
        return eta if self.family is None else mean_of_link(self.family.link, eta)

    def _padded(self, values: FloatArray) -> FloatArray:
        frame = self.design.model_frame
        if not frame.lost.size or self.spec.na_action != "exclude":
            return values
        return np.insert(values, frame.lost - np.arange(frame.lost.size), np.nan)

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
            eta = self._padded(self._predictor(self.design, random))
        else:
            options = {"new_levels": new_levels, "offset": offset, "na_action": na_action}
            eta = self._predictor(self.spec.apply(newdata, random=random, **options))
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
        return self.design.simulate(self.beta.tolist(), self.par, sigma, seed)

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
        kept = tuple(found.ravel() for _, found in self.conditional_variances)
        return _CODEC.write(replace(self, model=self.spec, variances=kept, conditional=None))

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
        found: FittedModel = _CODEC.read(text)
        return found


_CODEC = Codec(
    "a saved fit",
    {
        FittedModel: lambda fit: (
            fit.beta.shape == (len(fit.names),)
            and fit.covariance.shape == fit.unscaled_vcov.shape == fit.beta.shape * 2
            and fit.par.shape == fit.model.random.par.shape
            and fit.u.shape == fit.b.shape == (int(fit.model.random.Gp[-1]),)
            and [each.shape for each in fit.variances or ()]
            == [(term.levels * term.columns**2,) for term in fit.model.random.terms]
            and fit.n > 0
        ),
        **dict.fromkeys((Optimum, Family), lambda _: True),
    },
    {Spec: (saved.write, saved.read)},
    root=FittedModel,
    version=3,
)
