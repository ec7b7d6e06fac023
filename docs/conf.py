"""How Sphinx builds the web edition; `ptlearn site` lays out the pages first.

Everything that a page needs lies beside it: no page asks another host for anything.
"""

from ptlearn import __version__
from ptlearn.course.site.address import theme_options
from ptlearn.course.site.formulas import typesetter

project = "ptlearn"
author = "the authors of ptlearn"
release = version = __version__
html_title = "P-Tuning, taught by running it"
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "ptlearn.course.site.extension",
]
source_suffix = {".ipynb": "myst-nb", ".md": "myst-nb", ".rst": "restructuredtext"}

# Outputs are shown as they are stored; nothing is run again.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_render_markdown_format = "myst"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
suppress_warnings = ["mystnb.unknown_mime_type", "ref.python"]

# One file that draws formulas as SVG and fetches nothing.
mathjax_path = typesetter().name
mathjax3_config = {"options": {"enableMenu": False}}

default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
autosummary_generate = False
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "sphinx_book_theme"
html_theme_options = theme_options()
html_context = {"default_mode": "auto"}  # light or dark as the reader's system is
html_static_path = ["_static", str(typesetter())]
html_favicon = "_static/favicon.svg"
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_use_index = False
html_copy_source = html_show_sourcelink = False
html_last_updated_fmt = None
html_search_language = "en"
# A summary is fetched from each page found, which a browser refuses for files.
html_show_search_summary = False
copybutton_exclude = ".linenos, .gp, .go"
