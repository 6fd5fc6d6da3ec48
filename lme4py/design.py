"""The design: lme4's matrices, or X alone, with everything that can be asked of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic

from lme4py.control import Control
from lme4py.data.values import FloatArray
from lme4py.errors import DataError
from lme4py.family import Family
from lme4py.formula.formula import Formula
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.pandas_frame import labelled, pandas_frame, text_index
from lme4py.matrices.fixed import FixedEffects
from lme4py.matrices.response import Response, fitting_response
from lme4py.matrices.reterms import RandomEffects
from lme4py.messages import Messages
from lme4py.spec.spec import Spec

if TYPE_CHECKING:
    import pandas as pd
    from formulaic import ModelMatrix
    from matplotlib.figure import Figure
    from numpy.random import Generator
    from numpy.typing import ArrayLike
    from patsy import DesignMatrix
    from pyarrow import Table
    from scipy.sparse import csc_array, csr_array
    from statsmodels.regression.mixed_linear_model import MixedLM
    from tabmat import SplitMatrix
    from typing_extensions import TypeVar

    from lme4py.crossproducts import Crossproducts
    from lme4py.explain.blocks import BlockStructure
    from lme4py.explain.clusters import Cluster, Clusters
    from lme4py.explain.equations import Equations
    from lme4py.explain.words.explanation import Explanation
    from lme4py.export import files, to_formulaic
    from lme4py.export.coordinates import Coordinates

    # The default is for type checkers alone: views take designs with either kind of X.
    XType = TypeVar("XType", default=Any)
else:
    from typing import TypeVar

    XType = TypeVar("XType")

# The views stand behind this module and take designs. They are imported when they are first asked
# for: `import lme4py` stays quick.


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FixedDesign(Generic[XType]):
    """What R's ``model.matrix`` returns, and what belongs to it.

    Parameters
    ----------
    formula : Formula
    X : ndarray of float64, shape (n, p), Fortran order
        Fixed-effects model matrix.
    fixed : FixedEffects
        Names and attributes of X.
    y : ndarray of float64, shape (n,) or (n, k), or None
        The response.
    weights, offset : ndarray of float64, shape (n,), or None
        As given; offsets are the sum of terms and argument.
    messages : list of str
        lme4's messages and warnings, in order.
    model_frame : ModelFrame
        The evaluated variables.
    index : object
        The pandas index of the data, None where rows have no labels.
    advice : list of str
        Those of `messages` that are ours: lme4 is silent there.
    learned : Spec or None
        What new rows need of the model; None where it was not made from a data frame.
    lost_levels : mapping of str to int
        How many values of the variables that grouping expressions name went with the rows
        that have missing values.

    Examples
    --------
    >>> import lme4py
    >>> lme4py.model_matrix("~ x * f", {"x": [1, 2, 3], "f": ["a", "b", "b"]})
    <FixedDesign: ~x * f
     X 3 x 4: (Intercept), x, fb, x:fb>
    """

    formula: Formula
    X: XType
    fixed: FixedEffects
    y: FloatArray | None
    weights: FloatArray | None
    offset: FloatArray | None
    messages: list[str]
    model_frame: ModelFrame
    index: Any
    advice: list[str] = field(default_factory=list)
    learned: Spec | None = None
    lost_levels: Mapping[str, int] = field(default_factory=dict)

    def fixed_part(self) -> FixedDesign[XType]:
        """Return the design without its random effects.

        Returns
        -------
        FixedDesign

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> design.fixed_part()
        <FixedDesign: Reaction ~ Days + (1 | Subject)
         X 180 x 2: (Intercept), Days>
        """
        return FixedDesign(**{item.name: getattr(self, item.name) for item in fields(FixedDesign)})

    def __repr__(self) -> str:
        from lme4py.summary import brief

        return brief(self)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The model frame with R's variable labels; matrix variables are split by column."""
        return pandas_frame(self.model_frame, self.index)

    @property
    def X_frame(self) -> pd.DataFrame:
        """X as a table of your own: labels of rows as in `frame`, R's column names."""
        return labelled(self.X, self.frame.index, text_index(self.fixed.names))

    @property
    def spec(self) -> Spec:
        """What new rows need: `Spec.apply` computes their X and Z with everything frozen.

        Raises
        ------
        DataError
            If the design was not made from a data frame.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> design.spec.apply({"Days": [3], "Subject": ["309"]}).X
        array([[1., 3.]])
        """
        if self.learned is None:
            raise DataError("this design was not made from a data frame, so it has no spec")
        return self.learned

    def to_patsy(self) -> DesignMatrix:
        """Return X as a patsy ``DesignMatrix`` with its ``DesignInfo``.

        Returns
        -------
        patsy.DesignMatrix
            float64, shape (n, p). Its ``design_info`` has R's column names and terms
            (the intercept's is ``Intercept``, as patsy calls it), so that slices by term
            and linear constraints work. It refuses new data: patsy codes factors by
            another rule than R.

        Raises
        ------
        DataError
            If two columns have the same name, which patsy cannot tell apart.
        ImportError
            Without patsy: ``pip install -e '.[patsy]'``.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula(
        ...     "Reaction ~ poly(Days, 2) + (1 | Subject)", lme4py.data.sleepstudy())
        >>> info = design.to_patsy().design_info
        >>> info.column_names
        ['(Intercept)', 'poly(Days, 2)1', 'poly(Days, 2)2']
        >>> info.slice("poly(Days, 2)")
        slice(1, 3, None)
        """
        from lme4py.export import to_patsy

        return to_patsy.to_patsy(self)

    def to_formulaic(self, output: to_formulaic.Output = "pandas") -> ModelMatrix:
        """Return X as a formulaic ``ModelMatrix`` with its ``ModelSpec``.

        Parameters
        ----------
        output : {"pandas", "numpy", "sparse"}
            As formulaic's argument: a DataFrame (with the index of `frame`), an array, or a
            csc_array.

        Returns
        -------
        formulaic.ModelMatrix
            float64, shape (n, p). Its ``model_spec`` has R's column names and terms (the
            intercept's is ``1``, as formulaic calls it): ``column_names``,
            ``term_indices`` and ``term_slices``, linear constraints, subsets. Its
            ``get_model_matrix`` computes the columns of new data as `Spec.apply` does, by R's
            rules and with what was learned from the model's data; formulaic's own ways to
            them (a materializer, a derivative, another formula) are refused.

        Raises
        ------
        DataError
            For an unknown `output`.
        ImportError
            Without formulaic: ``pip install -e '.[formulaic]'``.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula(
        ...     "Reaction ~ poly(Days, 2) + (1 | Subject)", lme4py.data.sleepstudy())
        >>> spec = design.to_formulaic().model_spec
        >>> spec.term_slices["poly(Days, 2)"]
        slice(1, 3, None)
        >>> spec.get_model_matrix({"Days": [0, 9]}, output="numpy").round(3).tolist()
        [[1.0, -0.117, 0.123], [1.0, 0.117, 0.123]]
        """
        from lme4py.export import to_formulaic

        return to_formulaic.to_formulaic(self, output)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MixedDesign(FixedDesign[XType]):
    """What lme4's ``lFormula`` or ``glFormula`` returns, on Python's arrays.

    Parameters
    ----------
    formula, X, fixed, y, weights, offset, messages, model_frame, index, advice, learned, \
lost_levels
        Those of a `FixedDesign`; in the formula ``||`` is expanded for linear models as lme4
        keeps it, and the two columns of ``cbind`` stay two columns of y.
    random : RandomEffects
        lme4's ``reTrms``.
    reml : bool or None
        Whether REML was asked for; None for generalized models.
    family : Family or None
        None for linear models.
    control : Control
        What the checks did.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> design.X.shape, design.Zt.shape, design.random.Gp.tolist()
    ((180, 2), (36, 180), [0, 36])
    """

    random: RandomEffects
    reml: bool | None
    family: Family | None
    control: Control = field(default_factory=Control)

    @property
    def Zt(self) -> csc_array:
        """Transposed random-effects model matrix, shape (q, n)."""
        return self.random.Zt

    @cached_property
    def Z(self) -> csr_array:
        """Random-effects model matrix, shape (n, q): the transpose of `Zt`, sharing its arrays."""
        return self.random.Zt.T

    @property
    def Z_frame(self) -> pd.DataFrame:
        """Z as a table of sparse columns; each is called by its group, level and column.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
        >>> design.Z_frame["Subject", "309"].iloc[10:12].to_numpy().tolist()
        [[1.0, 0.0], [1.0, 1.0]]
        """
        return labelled(self.Z, self.frame.index, self.random.row_index)

    @cached_property
    def response(self) -> Response:
        """The response with its initial weights, as fitting code takes them (``mkRespMod``).

        Raises
        ------
        DataError
            If the family cannot take the response, in R's words.
        CheckError
            If a generalized model's response is constant (``check.response.not.const``).

        Examples
        --------
        >>> import lme4py
        >>> data = {"s": [1, 2, 4, 3], "f": [4, 3, 1, 2], "g": ["a", "a", "b", "b"]}
        >>> design = lme4py.glformula("cbind(s, f) ~ 1 + (1 | g)", data)
        >>> design.response.y.tolist(), design.response.weights.tolist()
        ([0.2, 0.4, 0.8, 0.6], [5.0, 5.0, 5.0, 5.0])
        """
        messages = Messages()
        response = self.formula.response
        found = fitting_response(
            self.model_frame,
            self.family,
            self.control,
            messages.warn,
            None if response is None else response.span,
        )
        messages.tell()
        return found

    def crossproducts(self) -> Crossproducts:
        """Return the cross-products of X, Z and y, from which a linear model can be fitted.

        Returns
        -------
        Crossproducts

        Raises
        ------
        DataError
            If the response cannot be fitted, in R's words.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> design.crossproducts().ZtX[0].tolist()
        [10.0, 45.0]
        """
        from lme4py.crossproducts import Crossproducts

        return Crossproducts.of(
            self.X, self.Zt, self.response.y, weights=self.weights, offset=self.offset
        )

    def _repr_html_(self) -> str:
        from lme4py.summary import html

        return html(self)

    def _repr_latex_(self) -> str:
        from lme4py.explain.equations import equations

        return equations(self).levels._repr_latex_()

    def cluster(self, *level: object, fit: object = None, **factor: object) -> Cluster:
        """Return the rows of one level of a grouping factor: y_j, X_j, Z_j and names of b_j.

        Parameters
        ----------
        level : str or number
            The level; a number means the level R makes of it. ``group=`` beside it names
            the grouping factor; it may be left out where only one factor has that level.
        factor : str or number
            Without `level`: the level, by the name of its grouping factor.
        fit : object, optional
            A fitted model, as `equations` takes it: estimates and conditional modes stand
            below the symbols.

        Returns
        -------
        lme4py.explain.clusters.Cluster
            Shown as the equation y_j = X_j β + Z_j b_j + ε_j with its numbers; its ``variance``
            says what the model says of the spread of its rows.

        Raises
        ------
        DataError
            For an unknown level, or one that several factors have.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> design.cluster(Subject="308").Z.shape, design.cluster(309).rows[0]
        ((10, 1), np.int64(10))
        """
        from lme4py.explain.clusters import cluster

        return cluster(self, *level, fit=fit, **factor)

    def clusters(self, group: str | None = None, *, fit: object = None) -> Clusters:
        """Return all clusters of a grouping factor, in the order of its levels.

        Parameters
        ----------
        group : str, optional
            The grouping factor; may be left out if there is only one.
        fit : object, optional
            A fitted model, as `cluster` takes it.

        Returns
        -------
        lme4py.explain.clusters.Clusters
            A sequence: iterate, index or slice it.

        Raises
        ------
        DataError
            For an unknown factor, or without a name where there are several.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> len(design.clusters()), design.clusters("Subject")[-1].level
        (18, '372')
        """
        from lme4py.explain.clusters import Clusters

        return Clusters(self, group, fit=fit)

    def blocks(self) -> BlockStructure:
        """Tell whether Z is block-diagonal, by which factor, and in which order of rows.

        Returns
        -------
        lme4py.explain.blocks.BlockStructure

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> print(design.blocks())
        Z is block-diagonal as it stands: 18 blocks, one for each level of Subject, at most 10 × 1
        """
        from lme4py.explain.blocks import block_structure

        return block_structure(self)

    def equations(
        self,
        *,
        notation: str = "raudenbush-bryk",
        levels: Mapping[str, str | None] | None = None,
        names: Mapping[str, str] | None = None,
        coefficients: Sequence[float] | Mapping[str, float] | None = None,
        par: ArrayLike | None = None,
        sigma: float | None = None,
        fit: object = None,
        digits: int = 4,
        terms_per_line: int | None = None,
        width: int | None = 88,
    ) -> Equations:
        """Return the model's equations: by levels, combined, as matrices, and distributions.

        Parameters
        ----------
        notation : {"raudenbush-bryk", "gelman-hill"}
            How symbols are written.
        levels : mapping of str to (str or None), optional
            The grouping factor that a variable belongs to, None for the level of the
            observations, where it is not to be found from the data.
        names : mapping of str to str, optional
            Other names for the response, variables, columns and grouping factors.
        coefficients : sequence of float or mapping of str to float, optional
            Estimates of fixed effects, in the order of X or by the names of its columns;
            they stand in place of their symbols.
        par : array-like of float, optional
            Parameters of the random effects (`random.par`), which give variances and
            covariances their numbers; relative to `sigma`.
        sigma : float, optional
            The residual standard deviation.
        fit : object, optional
            All of these at once: a fit of ``lme4py.lmer``, what ``lme4py.read_fixture`` read of an
            R file with ``getME(fit, "ALL")``, or a result of statsmodels' ``MixedLM``.
        digits : int, default 4
            Significant digits of numbers.
        terms_per_line : int, optional
            Break sums after that many terms.
        width : int, optional
            Characters of a line of text: where they are too few, lines are broken, in all
            formats alike, and the middle of matrices is left out; long runs of like terms are
            told in one, with an index h. With None, all is written out.

        Returns
        -------
        lme4py.explain.equations.Equations
            With the views ``.levels``, ``.combined``, ``.matrix`` and ``.distribution``.

        Raises
        ------
        DataError
            For unknown names, or a level that the data contradict.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> print(design.equations(names={"Reaction": "y", "Days": "X"}).combined)
        y_ij = γ_00 + U_0j + γ_10·X_ij + ε_ij
        """
        from lme4py.explain.equations import equations

        return equations(
            self,
            notation=notation,
            levels=levels,
            names=names,
            coefficients=coefficients,
            par=par,
            sigma=sigma,
            fit=fit,
            digits=digits,
            terms_per_line=terms_per_line,
            width=width,
        )

    def explain(self, *, width: int = 88, notation: str = "raudenbush-bryk") -> Explanation:
        """Tell the model in words, term by term.

        Parameters
        ----------
        width : int, default 88
            Width of the plain text in characters.
        notation : {"raudenbush-bryk", "gelman-hill"}
            How effects are written: as in `equations`.

        Returns
        -------
        lme4py.explain.words.explanation.Explanation
            The same content as ``.text``, ``.markdown`` and ``.html``.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> print(design.explain().text.splitlines()[0])
        Reaction ~ Days + (1 | Subject)
        """
        from lme4py.explain.words.explanation import explain

        return explain(self, width=width, notation=notation)

    def plot(
        self,
        panels: Sequence[str] = ("X", "Zt", "Lambdat", "ZtZ"),
        *,
        groups: int | None = None,
        by_group: bool = False,
    ) -> Figure:
        """Draw the structure of the matrices side by side, the numbers of small ones.

        Parameters
        ----------
        panels : sequence of {"X", "Zt", "Lambdat", "ZtZ", "Z", "J", "raw"}
            What to draw, from left to right. ``Z`` is not transposed, so that its rows are
            those of X. ``J`` has the indicators of the levels and ``raw`` the columns of each
            bar, whose products by row are Z (Bates et al. 2015, section 2.3).
        groups : int, optional
            Only so many levels of the outermost grouping factor, their rows and their effects.
        by_group : bool, default False
            Sort the rows by the grouping factors, and the levels likewise: nested factors
            are blocks within blocks.

        Returns
        -------
        matplotlib.figure.Figure
            Save it with ``.savefig("design.png")``.

        Raises
        ------
        DataError
            For an unknown panel, or a number of groups below 1.
        ImportError
            Without matplotlib: ``pip install -e '.[plot]'``.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
        >>> design.plot(["X", "Z"], groups=3)  # doctest: +SKIP
        <Figure size ...>
        """
        from lme4py.explain.pictures.model_picture import plot

        return plot(self, panels, groups=groups, by_group=by_group)

    def plot_cluster(self, *level: object, **factor: object) -> Figure:
        """Draw y_j, X_j and Z_j of one cluster.

        Parameters
        ----------
        level, factor
            As `cluster` takes them.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        DataError
            For an unknown level, or one that several factors have.
        ImportError
            Without matplotlib: ``pip install -e '.[plot]'``.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> design.plot_cluster("308")  # doctest: +SKIP
        <Figure size ...>
        """
        from lme4py.explain.clusters import cluster
        from lme4py.explain.pictures.model_picture import plot_cluster

        return plot_cluster(self, cluster(self, *level, **factor))

    def plot_groups(
        self,
        predictor: str | None = None,
        *,
        fit: object = None,
        coefficients: Sequence[float] | Mapping[str, float] | None = None,
        par: ArrayLike | None = None,
        sigma: float | None = None,
        group: str | None = None,
        groups: int = 5,
    ) -> Figure:
        """Draw y against a predictor: the line of the fixed effects, and that of each group.

        The first panel has all groups. In each other one, for one group, arrows lead from the
        fixed part to the group's own line: what U_0j and U_1j do.

        Parameters
        ----------
        predictor : str, optional
            A numeric variable of the model; the first with a random slope when None. The
            others stay at their means, in a group's panel at those of the group.
        fit, coefficients, par, sigma
            Estimates, as `equations` takes them. A linear model gets the random effects that
            belong to `coefficients`, `par` and `sigma`, and is fitted where there is nothing.
        group : str, optional
            The grouping factor; the first when None.
        groups : int, default 5
            How many groups have a panel of their own.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        DataError
            For an unknown variable or factor, and for a generalized model without a fit.
        ImportError
            Without matplotlib: ``pip install -e '.[plot]'``.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
        >>> design.plot_groups("Days", groups=8)  # doctest: +SKIP
        <Figure size ...>
        """
        from lme4py.explain.estimates import estimates
        from lme4py.explain.pictures.group_picture import plot_groups
        from lme4py.fit.linear import mk_lmer_devfun
        from lme4py.fitted_model import FittedModel

        nothing = fit is coefficients is par is sigma is None
        if nothing and self.family is None:
            fit = FittedModel.of(mk_lmer_devfun(self), self)
        found = estimates(self, coefficients=coefficients, par=par, sigma=sigma, fit=fit)
        return plot_groups(self, found, predictor, group=group, groups=groups)

    def simulate(
        self,
        beta: Sequence[float] | Mapping[str, float],
        par: ArrayLike,
        sigma: float | None = None,
        seed: int | Generator | None = None,
    ) -> FloatArray:
        """Draw random effects, then a response, from the model at given parameters.

        Parameters
        ----------
        beta : sequence of float or mapping of str to float
            Fixed effects, in the order of X or by the names of its columns.
        par : array-like of float
            What the covariance of the random effects is made of, as ``random.par_names``
            says: lme4's theta for plain bars. Relative to `sigma` in linear models.
        sigma : float, optional
            Square root of the residual variance, or of the dispersion; binomial and Poisson
            models have none.
        seed : int or numpy.random.Generator, optional
            Where the random numbers come from; of one generator every draw is another.

        Returns
        -------
        ndarray of float64
            In the form of `y`: shape (n,), or (n, 2) for ``cbind``; 0 and 1 for a factor,
            proportions where the numbers of trials are the weights.

        Raises
        ------
        DataError
            For parameters of another length or out of bounds, and where the family has no
            such mean.

        Notes
        -----
        As lme4's ``simulate(fit, newparams=)``, but for three things that lme4 leaves aside:
        here weights divide the variance of normal responses, the dispersion of inverse
        Gaussian ones is sigma squared, and what cannot be drawn is an error, not NaN. Weights of
        Poisson models are no part of a distribution and change nothing.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> y = design.simulate({"(Intercept)": 251, "Days": 10}, par=[1.2], sigma=31, seed=1)
        >>> y.shape, bool((y == design.simulate([251, 10], [1.2], 31, seed=1)).all())
        ((180,), True)
        """
        from lme4py.simulate import simulate

        return simulate(self, beta, par, sigma, seed)

    def to_statsmodels(self, **options: Any) -> MixedLM:
        """Return the model as a ready ``statsmodels.regression.mixed_linear_model.MixedLM``.

        Parameters
        ----------
        **options
            Handed to ``MixedLM``: ``use_sqrt``.

        Returns
        -------
        MixedLM
            Its data are X with its names, and the response less the offset, which makes no
            difference to a linear model. ``.fit(reml=design.reml, method="lbfgs")`` fits it:
            the log-likelihood is lme4's. Where a variance may be zero, or the effects have
            scales a thousand times apart, L-BFGS stops early and may still say that it
            converged: take ``method="powell"`` as well, and the fit of larger ``llf``. The
            correlated term, or else the first one on the groups, is ``exog_re``; its
            intercept is called after the grouping factor, as statsmodels does. Every other
            column is a variance component called after its grouping factor and itself.

        Raises
        ------
        FormulaError
            If MixedLM cannot express the model: it says why.
        DataError
            For weights, missing values, or a response that is no vector.
        ImportError
            Without statsmodels: ``pip install -e '.[statsmodels]'``.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula(
        ...     "Reaction ~ Days + (Days || Subject)", lme4py.data.sleepstudy())
        >>> design.to_statsmodels().data.param_names
        ['(Intercept)', 'Days', 'Subject Var', 'Subject Days Var']
        """
        from lme4py.export.to_statsmodels import to_statsmodels

        return to_statsmodels(self, **options)

    def to_tabmat(self, *, random: bool = True) -> SplitMatrix:
        """Return X, and Z beside it, as a tabmat ``SplitMatrix``, the input of glum.

        Parameters
        ----------
        random : bool, default True
            Whether the columns of Z follow those of X.

        Returns
        -------
        tabmat.SplitMatrix
            float64, shape (n, p + q). X is its dense part. Then come the random terms in
            the order of `design.random.terms`, so that the last q columns are those of
            `design.Z`: a term ``(1 | g)`` is a ``CategoricalMatrix``, any other a
            ``SparseMatrix``. Columns are called ``g[level]`` and ``g[level]:column``.

        Raises
        ------
        DataError
            If there is no column to hand over.
        ImportError
            Without tabmat: ``pip install -e '.[tabmat]'``.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> design.to_tabmat().shape  # doctest: +SKIP
        (180, 20)
        """
        from lme4py.export.to_tabmat import to_tabmat

        return to_tabmat(self, random=random)

    def coordinates(self) -> Coordinates:
        """Return integer codes, dense blocks and named dimensions, as PyMC and its kin take them.

        Returns
        -------
        lme4py.export.coordinates.Coordinates

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula(
        ...     "Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
        >>> plain = design.coordinates()
        >>> {name: len(labels) for name, labels in plain.coords.items()}
        {'fixed': 2, 'Subject': 18, 'Subject_effects': 2}
        >>> (term,) = plain.terms
        >>> term.dims, term.codes.shape, term.block.shape
        (('Subject', 'Subject_effects'), (180,), (180, 2))
        """
        from lme4py.export import coordinates as coordinates_of

        return coordinates_of.coordinates(self)

    def to_arrow(self) -> dict[str, Table]:
        """Return the design as tables of Arrow, those that ``export(path, "arrow")`` writes.

        Returns
        -------
        dict of str to pyarrow.Table
            ``X``, a column per column (n rows); ``response``: y, weights, offset, those
            that are there (n rows); ``groups``: each grouping factor as dictionary column
            (n rows); ``Zt`` and ``Lambdat``: row, column, value of each stored entry, and
            its position in theta for Lambdat; ``effects``: term, group, level and column of
            each row of Zt; ``theta``; ``bounds``: par, lower, upper; ``frame``: the model
            frame (n rows). Positions count from 0. Everything else about the design is
            JSON in each schema's metadata, under the key ``lme4py``.

        Raises
        ------
        ImportError
            Without pyarrow: ``pip install -e '.[arrow]'``.

        Examples
        --------
        >>> import lme4py
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> tables = design.to_arrow()
        >>> tables["X"].column_names, tables["Zt"].shape
        (['(Intercept)', 'Days'], (180, 3))
        """
        from lme4py.export import files

        return files.to_arrow(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole design into a ``.npz`` file, which `load` reads.

        Parameters
        ----------
        path : path
            Written as it is, whatever its extension; an existing file is replaced. numpy,
            base R and Julia read it too.

        Raises
        ------
        DataError
            If the file cannot be written, or the rows have labels that cannot be stored.

        Examples
        --------
        >>> import lme4py, os, tempfile
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> path = os.path.join(tempfile.mkdtemp(), "sleep.npz")
        >>> design.save(path)
        >>> bool((lme4py.load(path).X == design.X).all())
        True
        """
        from lme4py.export import files

        files.save(self, path)

    def export(self, path: str | os.PathLike[str], format: files.Format) -> None:
        """Write the design for another program.

        Parameters
        ----------
        path : path
            The file (``npz``, ``rds``) or folder (``mtx``, ``arrow``) to write; a folder is
            made when it is not there.
        format : {"npz", "mtx", "arrow", "rds"}
            numpy's archive, as `save` writes; Matrix Market files and tables in CSV with a
            script that reads them in R; Arrow IPC files; a list as lme4's ``lFormula`` gives
            it, for R's ``readRDS``.

        Raises
        ------
        DataError
            For an unknown format, or if a file cannot be written.

        Examples
        --------
        >>> import lme4py, os, tempfile
        >>> design = lme4py.lformula("Reaction ~ Days + (1 | Subject)", lme4py.data.sleepstudy())
        >>> folder = tempfile.mkdtemp()
        >>> design.export(folder, "mtx")
        >>> "Zt.mtx" in os.listdir(folder)
        True
        """
        from lme4py.export import files

        files.export(self, path, format)
