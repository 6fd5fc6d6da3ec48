"""How Sphinx builds these pages: ``sphinx-build -W docs site``."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

project = "lme4py"
author = "The lme4py developers"
project_copyright = author
release = metadata.version("lme4py")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# The notebooks hold what they gave; tests/test_notebooks.py runs them.
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
html_theme = "furo"
html_title = f"lme4py {release}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {"color-brand-primary": "#0a5c8c", "color-brand-content": "#0a5c8c"},
    "dark_css_variables": {"color-brand-primary": "#7cc4f0", "color-brand-content": "#7cc4f0"},
}
# Light and dark, each with contrast enough for every colour.
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
# Prompts are shown and not copied.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = False
napoleon_use_rtype = False
# A word of a parameter's type, such as "frame", may be the name of several attributes.
suppress_warnings = ["ref.python"]
default_role = "literal"
html_math_renderer = "mathml"


def _formula(self: Any, node: Any) -> None:
    """Write a formula as MathML, which browsers set without any script."""
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _displayed(self: Any, node: Any) -> None:
    # The converter knows the numbered environment's name alone.
    mathml = convert(node.astext().replace("{aligned}", "{align*}"), display="block")
    self.body.append(f'<div class="formula">{mathml}</div>')
    raise nodes.SkipNode


def _as_source(app: Any, page: str, source: list[str]) -> None:
    """Take the blank line off the end of examples; add what a code host need not show raw."""
    text = re.sub(r"\n\n```$", "\n```", source[0], flags=re.MULTILINE)
    added = Path(__file__).parent / f"{page}.txt"
    app.env.note_dependency(added)  # the page is read anew when it changes
    source[0] = text + (added.read_text(encoding="utf-8") if added.is_file() else "")


def setup(app: Any) -> None:
    """Register the renderer of formulas, and how pages are read."""
    app.add_html_math_renderer("mathml", (_formula, None), (_displayed, None))
    app.connect("source-read", _as_source)
