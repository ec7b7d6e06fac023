"""What a lesson's notebook becomes on a page: figures, captions, marks of language.

The notebook on disk stays as it is. Every function here changes the copy that it is
given, just before Sphinx reads it.
"""

import html
import re

import nbformat

from .. import claims, runner

CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+")
PROTECTED = re.compile(
    r"```.*?```|`[^`\n]*`|^#+ [^\n]*|<[^>]*>", re.DOTALL | re.MULTILINE
)
FAILED = "papermill-error-cell"
"""The address, on the page of a lesson that failed, of the cell that did."""


def prepare(text: str) -> str:
    """Return a notebook's JSON with all that its page needs."""
    notebook = nbformat.reads(text, as_version=4)
    # papermill puts a remark of its own before the title of a lesson that failed.
    notebook.cells = [cell for cell in notebook.cells if not _is_remark(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            describe_figures(cell)
        elif cell.cell_type == "markdown":
            cell.source = mark_chinese(cell.source)
    note = note_on_run(notebook)
    if note:
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell(note))
    return nbformat.writes(notebook)


def _is_remark(cell) -> bool:
    return "An Exception was encountered at" in cell.source and FAILED in cell.source


def describe_figures(cell) -> None:
    """Give a cell's figures their alternative text, and make its sentence a caption.

    ``pt.show`` stores the text with the figure and prints it below. myst-nb reads it
    from the cell's metadata, one for all figures of a cell.
    """
    figures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
    alts = [f.metadata.get("image/png", {}).get("alt", "") for f in figures]
    told = " ".join(" ".join(alts).split())
    if told:
        cell.metadata["mystnb"] = {"image": {"alt": told}}
    outputs = []
    for output in cell.outputs:
        text = output.get("text", "")
        alt = next((alt for alt in alts if alt and text.startswith(alt)), None)
        outputs += _caption(alt, text[len(alt) :]) if alt else [output]
    cell.outputs = outputs


def _caption(alt: str, rest: str) -> list:
    paragraph = f'<p class="figure-caption">{html.escape(alt)}</p>'
    outputs = [nbformat.v4.new_output("display_data", {"text/html": paragraph})]
    if rest.strip():
        outputs.append(nbformat.v4.new_output("stream", text=rest.lstrip("\n")))
    return outputs


def mark_chinese(text: str) -> str:
    """Say which words are Chinese, so that they are read aloud as such.

    Code, formulas, tags and headings (whose text becomes an address) stay as they are.
    """
    kept = PROTECTED.findall(text)
    between = PROTECTED.split(text)
    marked = [CHINESE.sub(r'<span lang="zh">\g<0></span>', part) for part in between]
    return "".join(a + b for a, b in zip(marked, [*kept, ""], strict=True))


def stopped(notebook) -> bool:
    """Whether the run of an executed notebook ended at an error."""
    return any(FAILED in cell.source for cell in notebook.cells)


def note_on_run(notebook) -> str:
    """Return what a learner's own run gave, or "" for a notebook as it is stored.

    papermill leaves the seconds and the parameters in a notebook that it ran.
    """
    run = notebook.metadata.get("papermill")
    if run is None:
        return ""
    printed = runner.printed_text(notebook)
    held, made = claims.count(printed)
    lines = [f"{held} of {made} claims held in this run."]
    if run.get("duration"):
        lines.append(f"It took {run['duration'] / 60:.1f} minutes.")
    given = [f"`{name} = {value!r}`" for name, value in run["parameters"].items()]
    if given:
        lines.append(f"Set for it: {', '.join(given)}.")
    if stopped(notebook):
        lines.append(f'It <a href="#{FAILED}">stopped at an error</a>.')
    failed = [
        f"- `{line.removeprefix(claims.FAILS)}`"
        for line in printed.splitlines()
        if line.startswith(claims.FAILS)
    ]
    if failed:
        lines += ["", "These claims did not hold:", *failed]
    return "\n> ".join(["> **Run on this computer.**", *lines])
