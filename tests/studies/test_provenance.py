"""The version of the code: what changes it and what does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from ptlearn.studies.provenance import code_version, covered_modules

# A package in small. `run` imports in every way that there is.
PACKAGE = {
    "studies/run.py": '''"""Run a job."""
from typing import TYPE_CHECKING

from ..training.fit import fit
from . import job

if TYPE_CHECKING:
    from ..plots import style


def run(a: "style") -> float:
    """Return a number."""
    from ..evaluation import report

    text = f"{a:>{3}}"  # padded
    return fit(a) * 2.5 + report.best(job.name) - len(text)
''',
    "studies/job.py": "import ptlearn.tasks.task\nname = 'x'\n",
    "studies/store.py": "number = 1\n",
    "training/fit.py": "from .config import One\ndef fit(a):\n    return One * a\n",
    "training/config.py": "import torch\nOne = 1\n",
    "evaluation/report.py": "def best(a):\n    return [a, 1]\n",
    "tasks/task.py": "from ptlearn.tasks import rows\n",
    "tasks/rows.py": "number = 1\n",
    "plots/figures.py": "number = 1\n",
}
RUN = "studies/run.py"


def version(folder: Path, file: str = "", old: str = "", new: str = "") -> str:
    """The code version of the small package, with one change in one file."""
    for name, text in PACKAGE.items():
        if name == file:
            assert text.count(old) == 1
            text = text.replace(old, new)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return code_version(folder)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (RUN, "  # padded", ""),
        (RUN, "Return a number.", "Return it."),
        (RUN, '    """Return a number."""\n', ""),
        (RUN, '"""Run a job."""\n', "# Run a job.\n"),
        (RUN, "fit(a) * 2.5 +", "(\n        fit(a)\n        * 2.5\n    ) +"),
        ("training/fit.py", "One * a\n", "One * a\r\n"),
        ("studies/store.py", "1", "2"),
        ("plots/figures.py", "1", "2"),
    ],
)
def test_what_changes_no_row_leaves_the_version(tmp_path, file, old, new):
    before = version(tmp_path / "before")
    assert version(tmp_path / "after", file, old, new) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (RUN, "2.5", "2.6"),
        (RUN, "* 2.5 +", "* 2.5 -"),
        (RUN, "fit(a) * 2.5", "fit(a * 2.5)"),
        (RUN, "{3}", "{4}"),
        ("studies/job.py", "'x'", "'y'"),
        ("training/fit.py", "One * a", "One"),
        ("training/config.py", "= 1", "= True"),
        ("evaluation/report.py", "[a, 1]", "[1, a]"),
        ("tasks/rows.py", "1", "1.0"),
    ],
)
def test_what_may_change_a_row_changes_the_version(tmp_path, file, old, new):
    before = version(tmp_path / "before")
    assert version(tmp_path / "after", file, old, new) != before


def test_the_version_covers_the_rooms_that_run_a_job_and_no_other():
    modules = covered_modules()
    assert {name.split(".")[1] for name in modules} == {
        "errors",
        "evaluation",
        "files",
        "forward",
        "lm",
        "prompts",
        "studies",
        "tasks",
        "templates",
        "training",
    }
    assert [name for name in modules if ".studies." in name] == [
        "ptlearn.studies.job",
        "ptlearn.studies.prepare",
        "ptlearn.studies.provenance",
        "ptlearn.studies.run",
    ]


@pytest.mark.slow
def test_the_version_covers_every_module_that_running_jobs_loads():
    """Jobs of every kind are run, so that imports inside functions have happened."""
    code = """
import sys
from ptlearn.studies.job import Job
from ptlearn.studies.run import run_job
for template, settings in [
    ("[V:1] {subject} {answer}", dict(encoder="lstm", init="answers", lr=0.1)),
    ("[V:1] {subject} {answer}", dict(control="shuffled labels", lr=0.1)),
    ("{subject} {answer}", dict(control="random weights")),
    ("{subject} {answer}", dict(control="random embeddings")),
    ("{subject} {answer}", dict(control="naive Bayes")),
]:
    small = dict(model="tiny", steps=2, evaluate_every=1, dev_rows=2, test_rows=2)
    run_job(Job("official_language", template, **small, **settings))
print(*(
    name for name, module in sys.modules.items()
    if name.startswith("ptlearn.") and not hasattr(module, "__path__")
))
"""
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(found.stdout.split())
    assert "ptlearn.studies.run" in loaded
    assert loaded <= set(covered_modules())
