"""Rules for the lessons' notebooks, one small function each.

A rule takes a notebook and its path and gives a list of faults in words; an
empty list is a pass. tests/test_notebooks.py applies every rule to every lesson,
and to a notebook that breaks it.
"""

import ast
import re
from pathlib import Path

from cells import code_cells, printed, tagged, text_cells
from exercise_rules import exercises, predictions, wrong_answers
from ptlearn.course.refresh import code_sha256

MARK = "# NBVAL_CHECK_OUTPUT"
MAX_BYTES = 300_000
MAX_CELL_LINES = 25
MAX_COLUMNS = 79
PARAMETERS = {"MODEL", "DEVICE", "SEED"}
CELL_METADATA = {"tags"}
# Home folders, temporary folders, drives: places that only one machine has.
ABSOLUTE_PATH = re.compile(
    r"(?<![\w.:/])/(?:home|root|tmp|Users|mnt|opt|usr|var|work)/|\b[A-Z]:\\\w"
)
PICTURE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<target>[^)]+)\)")


# --- the file ---------------------------------------------------------------


def kernelspec(notebook, path):
    name = notebook.metadata.get("kernelspec", {}).get("name")
    return [] if name == "python3" else [f"kernelspec is {name!r}, not 'python3'"]


def file_name(notebook, path):
    good = re.fullmatch(r"\d\d_[a-z0-9_]+\.ipynb", path.name)
    return [] if good else [f"{path.name} is not NN_slug.ipynb"]


def size(notebook, path):
    bytes_ = path.stat().st_size
    return [] if bytes_ < MAX_BYTES else [f"{bytes_} bytes, allowed {MAX_BYTES}"]


def metadata(notebook, path):
    extra = set(notebook.metadata) - {"kernelspec", "language_info", "ptlearn"}
    faults = [f"notebook metadata {name!r}" for name in sorted(extra)]
    for cell in notebook.cells:
        extra = set(cell.metadata) - CELL_METADATA
        faults += [f"cell {cell.id}: metadata {name!r}" for name in sorted(extra)]
    return faults


def cell_ids(notebook, path):
    ids = [cell.get("id") for cell in notebook.cells]
    faults = [f"id {id_!r} is used twice" for id_ in set(ids) if ids.count(id_) > 1]
    return faults + ["a cell has no id"] * ids.count(None)


def stamp(notebook, path):
    stored = notebook.metadata.get("ptlearn", {}).get("code_sha256")
    if stored == code_sha256(notebook):
        return []
    return ["the code was edited after its outputs were stored: `make refresh`"]


# --- the code ---------------------------------------------------------------


def cell_length(notebook, path):
    return [
        f"cell {cell.id}: {cell.source.count(chr(10)) + 1} lines"
        for cell in code_cells(notebook)
        if cell.source.count("\n") >= MAX_CELL_LINES
    ]


def line_length(notebook, path):
    return [
        f"cell {cell.id}: {len(line)} characters: {line[:40]}..."
        for cell in code_cells(notebook)
        for line in cell.source.splitlines()
        if len(line) > MAX_COLUMNS
    ]


def parameters(notebook, path):
    cells = tagged(notebook, "parameters")
    if len(cells) != 1:
        return [f"{len(cells)} cells are tagged parameters, not one"]
    names, faults = set(), []
    for statement in ast.parse(cells[0].source).body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        name = getattr(target, "id", "")
        if not re.fullmatch("[A-Z][A-Z0-9_]*", name):
            faults.append(f"not an upper-case parameter: {ast.unparse(statement)}")
        else:
            names.add(name)
    return faults + [f"no parameter {name}" for name in sorted(PARAMETERS - names)]


def no_installs(notebook, path):
    shell = re.compile(r"^\s*[!%]|pip install|conda install", re.MULTILINE)
    return [
        f"cell {cell.id}: {shell.search(cell.source).group().strip()!r}"
        for cell in code_cells(notebook)
        if shell.search(cell.source)
    ]


# --- the stored outputs -----------------------------------------------------


def executed(notebook, path):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts == list(range(1, len(counts) + 1)):
        return []
    return [f"execution counts are {counts}, not 1 to {len(counts)}"]


def no_errors(notebook, path):
    return [
        f"cell {cell.id}: {output.ename}: {output.evalue}"
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "error"
    ]


def no_absolute_paths(notebook, path):
    faults = []
    for cell in notebook.cells:
        text = cell.source
        if cell.cell_type == "code":
            text += "\n" + printed(cell)
        faults += [f"cell {cell.id}: {hit}" for hit in ABSOLUTE_PATH.findall(text)]
    return faults


def no_addresses(notebook, path):
    return [
        f"cell {cell.id}: {hit}"
        for cell in code_cells(notebook)
        for hit in re.findall(r"<[^<>]* at 0x[0-9a-f]+>", printed(cell))
    ]


def no_progress_bars(notebook, path):
    return [
        f"cell {cell.id}: a progress bar is stored: {hit}"
        for cell in code_cells(notebook)
        for hit in re.findall(r"\d+%\|\S*", printed(cell))
    ]


def checked_outputs(notebook, path):
    marked = [cell for cell in code_cells(notebook) if MARK in cell.source]
    faults = [
        f"cell {cell.id}: marked, no output" for cell in marked if not cell.outputs
    ]
    if len(marked) < 3:
        faults.append(f"{len(marked)} cells carry {MARK}, at least 3 are wanted")
    return faults


# --- pictures ---------------------------------------------------------------


def is_sentence(alt: str) -> bool:
    return len(alt.split()) >= 5 and alt.rstrip().endswith((".", "!", "?"))


def alt_of_figures(notebook, path):
    faults = []
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if "image/png" not in output.get("data", {}):
                continue
            alt = output.metadata.get("image/png", {}).get("alt", "")
            if not is_sentence(alt):
                faults.append(f"cell {cell.id}: alt text {alt!r}: use pt.show")
            elif alt not in printed(cell):
                faults.append(f"cell {cell.id}: the alt text is not printed below")
    return faults


def alt_of_pictures(notebook, path):
    faults = []
    for cell in text_cells(notebook):
        for picture in PICTURE.finditer(cell.source):
            if not is_sentence(picture["alt"]):
                faults.append(f"cell {cell.id}: alt text {picture['alt']!r}")
        if "<img" in cell.source:
            faults.append(f"cell {cell.id}: write ![alt](file), not <img>")
    return faults


def pictures_exist(notebook, path):
    faults = []
    for cell in text_cells(notebook):
        for picture in PICTURE.finditer(cell.source):
            file = path.parent / picture["target"]
            if not file.is_file():
                faults.append(f"cell {cell.id}: no file {picture['target']}")
            elif file.suffix == ".svg" and not is_opaque(file):
                faults.append(f"{picture['target']}: no opaque background")
    return faults


def is_opaque(svg: Path) -> bool:
    """Whether the first thing drawn is a rectangle over the whole picture."""
    shapes = re.findall(r"<(?:rect|path|circle|line|text|g)\b[^>]*>", svg.read_text())
    return bool(shapes) and 'width="100%"' in shapes[0] and "fill=" in shapes[0]


# --- the lesson's parts -----------------------------------------------------


def section(notebook, heading: str) -> str:
    for cell in text_cells(notebook):
        if heading in cell.source:
            return cell.source.split(heading, 1)[1]
    return ""


def title(notebook, path):
    first = notebook.cells[0].source
    number = path.name[:2]
    faults = []
    if not re.match(rf"# {number} · .+\n\*[^*]+\*\n", first):
        faults.append(f"the first cell is not '# {number} · Title' and an *subtitle*")
    head = "| study time | minutes on 2 cores | memory | before this |"
    if head not in first:
        faults.append(f"the opening table does not begin with {head}")
    return faults


def objectives(notebook, path):
    lines = re.findall(r"^\d\. (\w+)", section(notebook, "## Objectives"), re.MULTILINE)
    faults = [] if len(lines) in (3, 4) else [f"{len(lines)} objectives, not 3 or 4"]
    vague = {"understand", "know", "learn", "appreciate"}
    return faults + [f"objective {w!r}" for w in lines if w.lower() in vague]


def setup(notebook, path):
    first = code_cells(notebook)[0].source
    return [] if "pt.versions()" in first else ["the setup cell prints no versions"]


def closing(notebook, path):
    faults = []
    if not any("In this notebook we" in cell.source for cell in text_cells(notebook)):
        faults.append("no summary with 'In this notebook we'")
    answers = section(notebook, "## Self-check").count("<summary>Answer</summary>")
    if answers != 3:
        faults.append(f"{answers} folded answers under ## Self-check, not 3")
    if not section(notebook, "## Sources").strip():
        faults.append("no ## Sources")
    return faults


def claims_made(notebook, path):
    made = any("claims.check(" in cell.source for cell in code_cells(notebook))
    return [] if made else ["no claim is checked"]


RULES = [
    kernelspec, file_name, size, metadata, cell_ids, stamp,
    cell_length, line_length, parameters, no_installs,
    executed, no_errors, no_absolute_paths, no_addresses, no_progress_bars,
    checked_outputs,
    alt_of_figures, alt_of_pictures, pictures_exist,
    title, objectives, setup, closing, claims_made,
    exercises, predictions, wrong_answers,
]  # fmt: skip
