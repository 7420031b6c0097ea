"""Configuration of the documentation site; ``make docs`` builds it into ``docs/_build/html``.

The pages are those that people read in the repository. ``_ext`` holds what the two need to agree:
links to files outside ``docs``, blocks for one of them, diagrams and equations without a network.
"""

import logging
import sys
from importlib.metadata import version as version_of
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_ext"))

for page in DOCS.glob("api/generated/*.rst"):  # of modules that are gone
    module = DOCS.parent.joinpath("src", *page.stem.split("."))
    if not module.is_dir() and not module.with_suffix(".py").is_file():
        page.unlink()

project = "lagbias"
author = "The lagbias developers"
project_copyright = author
version = release = version_of("lagbias")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_design",
    "both_readers",
    "code_in_tables",
    "commands",
    "diagrams",
    "docstrings",
    "equations",
    "repository",
    "symbols",
]
exclude_patterns = ["_build", "_ext", "_templates", "conf.py", "**/.ipynb_checkpoints"]
templates_path = ["_templates"]

# Markdown and notebooks
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]
html_math_renderer = "mathml"
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "cache"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
suppress_warnings = ["mystnb.unknown_mime_type"]
logging.getLogger("sphinx.sphinx.directives.other").addFilter(  # there may be no notebook
    lambda record: "didn't match any documents" not in str(record.msg)
)

highlight_language = "text"  # of blocks that name none

# API
autosummary_generate = True
autosummary_generate_overwrite = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say types, shapes and units
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_use_param = False
napoleon_custom_sections = [("Attributes", "params_style")]  # their names are no references
default_role = "name"
add_module_names = False
modindex_common_prefix = ["lagbias."]

# pages that show a file of the repository: relative links in it start from that file
repository_pages = {
    "README.md": "results",
    "config/README.md": "configuration",
    "CONTRIBUTING.md": "contribute",
    "CHANGELOG.md": "changes",
}

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": project},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_prev_next": False,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "gallery": []}

linkcheck_timeout = 30
linkcheck_retries = 2
linkcheck_ignore = [r"^(\.\./)*_repository/"]
