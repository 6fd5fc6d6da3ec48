"""How Sphinx builds these pages: ``sphinx-build -W docs site``."""

from importlib import metadata

project = "lme4py"
author = "The lme4py developers"
release = metadata.version("lme4py")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {"page_width": "72em", "sidebar_width": "14em"}
html_title = "lme4py"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = False
napoleon_use_rtype = False
# A word of a parameter's type, such as "frame", may be the name of several attributes.
suppress_warnings = ["ref.python"]
default_role = "literal"
