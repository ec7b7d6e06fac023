"""Sphinx's own side of the web edition: what happens while it reads and writes."""

from . import lessons
from .address import notebook_button


def setup(app) -> dict:
    """Register with Sphinx; it calls this by name."""
    app.connect("source-read", _read)
    # After the theme has made its list of buttons, before it is drawn.
    app.connect("html-page-context", _add_download, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read(app, page: str, source: list[str]) -> None:
    if _is_lesson(app, page):
        source[0] = lessons.prepare(source[0])


def _add_download(app, page: str, template: str, context: dict, doctree) -> None:
    button = notebook_button(f"{page}.ipynb")
    if button and doctree and _is_lesson(app, page):
        context["header_buttons"].append(button)


def _is_lesson(app, page: str) -> bool:
    return app.env.doc2path(page).suffix == ".ipynb"
