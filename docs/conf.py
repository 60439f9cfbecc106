"""How Sphinx builds these pages: from this repository alone, with no network."""

from __future__ import annotations

import upramp

project = "upramp"
author = "the upramp developers"
copyright = "2026, the upramp developers"  # noqa: A001 - Sphinx's name
version = release = upramp.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

# Types stand in signatures only; docstrings say what values mean.
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = "upramp"
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False}
html_show_sourcelink = False
