"""Refresh the outputs that the lessons carry: for authors.

All of this needs the notebooks, so a clone of the repository.
"""

import hashlib
import json
from pathlib import Path

from ..errors import CourseError
from ..files import write_atomically
from .runner import (
    CELL_TIMEOUT,
    KERNEL_ARGUMENTS,
    KERNELSPEC,
    NOTEBOOKS,
    QUIET,
    environment,
    find_lessons,
)


def refresh(lesson: str | None = None, folder: Path = NOTEBOOKS) -> list[Path]:
    """Run lessons in place with their own parameters, tidy and stamp them.

    Raises
    ------
    CourseError
        At the first lesson that fails; its file stays as it was.
    """
    paths = find_lessons(lesson, folder)
    for path in paths:
        print(f"refreshing {path.stem}", flush=True)
        refresh_one(path)
    return paths


def refresh_one(path: Path) -> None:
    """Run one notebook in place; nothing is written unless it runs to its end."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import (
        CellExecutionError,
        CellTimeoutError,
        DeadKernelError,
    )

    notebook = nbformat.read(path, as_version=4)
    # No times and no widgets: a second run then changes nothing but numbers.
    client = NotebookClient(
        notebook,
        kernel_name=KERNELSPEC["name"],
        timeout=CELL_TIMEOUT,
        extra_arguments=KERNEL_ARGUMENTS,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        with environment(*QUIET):
            client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as problem:
        raise CourseError(f"{path.stem} was left as it was: {problem}") from problem
    tidy(notebook)
    with write_atomically(path) as temporary:
        nbformat.write(notebook, temporary)


def tidy(notebook) -> None:
    """Leave only lasting metadata, count the code cells from 1, and stamp."""
    stamp = {"code_sha256": code_sha256(notebook)}
    notebook.metadata.clear()
    notebook.metadata.update(
        kernelspec=dict(KERNELSPEC), language_info={"name": "python"}, ptlearn=stamp
    )
    for cell in notebook.cells:
        kept = {k: v for k, v in cell.metadata.items() if k == "tags"}
        cell.metadata.clear()
        cell.metadata.update(kept)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, start=1):
        cell.execution_count = number
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number


def code_sha256(notebook) -> str:
    """Return the SHA-256 of the code cells' sources: it changes when the code does."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()
