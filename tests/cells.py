"""The cells of a notebook: which there are, and what they printed."""


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def output_text(output) -> str:
    """What an output says in words: a stream's text, or a result's plain text."""
    return output.get("text", "") + output.get("data", {}).get("text/plain", "")


def printed(cell) -> str:
    return "".join(output_text(output) for output in cell.outputs)
