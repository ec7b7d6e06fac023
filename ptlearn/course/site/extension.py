"""Sphinx's own side of the web edition: what happens while it reads and writes."""

from pathlib import Path

from . import colab, lessons
from .address import notebook_button


def setup(app) -> dict:
    """Register with Sphinx; it calls this by name."""
    app.connect("source-read", _read)
    # After the theme has made its list of buttons, before it is drawn.
    app.connect("html-page-context", _add_buttons, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read(app, page: str, source: list[str]) -> None:
    if _is_lesson(app, page):
        source[0] = lessons.prepare(source[0])


def _add_buttons(app, page: str, template: str, context: dict, doctree) -> None:
    if not doctree or not _is_lesson(app, page):
        return
    lesson = f"{page}.ipynb"
    if button := notebook_button(lesson):
        context["header_buttons"].append(button)
    if button := colab.button(Path(lesson).name):
        for group in context["header_buttons"]:
            if group.get("label") == "launch-buttons":
                group["buttons"].append(button)


def _is_lesson(app, page: str) -> bool:
    return app.env.doc2path(page).suffix == ".ipynb"
