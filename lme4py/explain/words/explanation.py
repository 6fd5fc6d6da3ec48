"""A model told in words: what each part of the formula adds, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass

from lme4py.argument_types import count_of
from lme4py.design import MixedDesign
from lme4py.explain.document import Block, Code, Document, Heading, Paragraph
from lme4py.explain.words.deviations import columns_in_both
from lme4py.explain.words.fixed import fixed_part
from lme4py.explain.words.model import Model
from lme4py.explain.words.overview import levels_in_words, opening, overview
from lme4py.explain.words.phrases import one_line
from lme4py.explain.words.random import random_part

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """A model in words, in three renderings of the same content.

    Parameters
    ----------
    text : str
        For a terminal; also ``str()`` and ``repr()``.
    markdown : str
        For a document.
    html : str
        For a notebook, which shows it by itself.
    """

    text: str
    markdown: str
    html: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def explain(matrices: MixedDesign, *, width: int = 88) -> Explanation:
    r"""Tell the model in words, term by term.

    For every part of the formula: what it adds to the model, the level at which it acts,
    the columns of X, rows of Zt and elements of theta it makes. Columns that stand both in
    X and in Z are pointed out: X holds the mean, Z the deviations from it.

    Parameters
    ----------
    matrices : MixedDesign
        The model.
    width : int, default 88
        Width of the plain text in characters.

    Returns
    -------
    Explanation
        The same content as ``.text``, ``.markdown`` and ``.html``.

    Examples
    --------
    >>> import lme4py
    >>> design = lme4py.lformula("Reaction ~ Days + (Days | Subject)", lme4py.data.sleepstudy())
    >>> print("\n".join(explain(design).text.splitlines()[7:11]))
      part              acts at                columns of X  rows of Zt  theta
      1                 all observations       0:1
      Days              level 1: observations  1:2
      (Days | Subject)  level 2: Subject                     0:36        0:3
    """
    width = count_of("width", width, 0)
    model = Model(matrices)
    blocks: list[Block] = [
        Heading([Code(one_line(str(matrices.formula)))], 1),
        Paragraph(opening(model)),
        overview(model),
        Paragraph(levels_in_words(model)),
        Heading(["Fixed part: X β"]),
        *fixed_part(model),
        Heading(["Random part: Z b"]),
        *random_part(model),
        *columns_in_both(model),
    ]
    page = Document(blocks)
    return Explanation(page.text(width), page.markdown(), page.html())
