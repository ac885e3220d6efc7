"""Sphinx's configuration: ``make docs`` builds these pages as a site."""

from __future__ import annotations

from onnx_tf import __version__

project = "onnx-tf"
release = __version__
html_title = f"onnx-tf {release}"
html_theme = "furo"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
myst_heading_anchors = 3
exclude_patterns = ["images"]

autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_type_aliases = {"ModelSource": "ModelSource"}
maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_ivar = True
