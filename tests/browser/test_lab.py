"""A lesson in JupyterLab, in Chromium: run, answered, interrupted, saved."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from browser_tools import run_script
from cells import code_cells, output_text
from exercise_rules import SOLUTION, cell_below, check_call, read_wrong_answers
from ptlearn.course import runner

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LESSON = "06_fold_and_use.ipynb"
USER = "lab/user-settings/@jupyterlab/"
SETTINGS = {
    # Cells out of sight are there, too, so that the test can read them.
    f"{USER}notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
    f"{USER}apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false"
    },
    # It still asks a new kernel for its state when the test restarts the kernel, and
    # then says on the console that nobody answered.
    "labconfig/page_config.json": {
        "disabledExtensions": {"@jupyterlab/debugger-extension": True}
    },
}
FOR_EVER = 1_000_000  # steps: hours


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A lesson to work in: for the tiny model, without outputs."""
    folder = tmp_path_factory.mktemp("lab")
    notebook = load_notebook_node(str(runner.NOTEBOOKS / LESSON))
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    few = {"MODEL": "tiny", "STEPS": 2}
    nbformat.write(parameterize_notebook(notebook, few), folder / LESSON)
    shutil.copytree(runner.NOTEBOOKS / "figures", folder / "figures")
    return folder


@pytest.fixture(scope="module")
def server(folder, tmp_path_factory, browser):
    """The address of a JupyterLab that knows nothing of this computer's settings."""
    config = tmp_path_factory.mktemp("config")
    for name, values in SETTINGS.items():
        (config / name).parent.mkdir(parents=True, exist_ok=True)
        (config / name).write_text(json.dumps(values))
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    own = {f"JUPYTER_{name}": str(config) for name in names}
    own |= {"IPYTHONDIR": str(config / "ipython"), "JUPYTER_PREFER_ENV_PATH": "1"}
    environment = {k: v for k, v in os.environ.items() if k != "TQDM_DISABLE"} | own
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", "--ServerApp.port=0", "--IdentityProvider.token="]
    command += ["--LabApp.expose_app_in_browser=True"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with (config / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        yield address(process, config)
    finally:
        process.terminate()
        process.wait(60)


def address(process, config: Path, patience: float = 120) -> str:
    """Wait until the server answers; return its address, which it writes down."""
    told = config / f"jpserver-{process.pid}.json"
    until = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < until:
        try:
            found = json.loads(told.read_text())["url"]
            urllib.request.urlopen(f"{found}api", timeout=10).close()
            return found
        except (OSError, ValueError):
            time.sleep(0.3)
    raise AssertionError(f"no JupyterLab: {(config / 'log').read_text()[-3000:]}")


@pytest.fixture(scope="module")
def answers():
    """What is written into exercise 06.1, wrongly and rightly."""
    notebook = nbformat.read(runner.NOTEBOOKS / LESSON, as_version=4)
    (stub,) = [cell for cell in notebook.cells if cell.id == "ex1"]
    wrong = read_wrong_answers(runner.NOTEBOOKS / LESSON)["ex06_1"][0]
    right = SOLUTION.search(cell_below(notebook, stub))["code"]
    check = check_call(stub.source)
    return {"wrong": f"{wrong['code'].strip()}\n\n{check}", "says": wrong["says"]} | {
        "right": f"{right}\n\n{check}"
    }


@pytest.fixture(scope="module")
def seen(browser, server, folder, answers):
    """What the learner saw, in the order of the steps."""
    train = (
        f'history = pt.fit(tuner, learn, **settings | {{"steps": {FOR_EVER}}})\n'
        "print(history)"
    )
    steps = [
        {"id": "ex1", "text": answers["wrong"]},
        {"id": "ex1", "text": answers["right"]},
        {"id": "model", "text": train, "interrupt": f"[1-9]\\d*/{FOR_EVER}"},
        {"id": "scratch-score"},
        {"id": "agree"},
    ]
    return run_script(browser, "lab.mjs", server, LESSON, given=json.dumps(steps))


def test_restart_and_run_all_runs_every_cell(seen):
    numbers = [f"[{n}]:" for n in range(1, len(seen["numbers"]) + 1)]
    assert len(numbers) > 30
    assert seen["numbers"] == numbers


def test_the_check_speaks_on_the_page(seen, answers):
    wrong, right = seen["steps"][:2]
    assert "Exercise 06.1: not right yet." in wrong
    assert answers["says"] in wrong
    assert right.strip() == "Exercise 06.1: passes."


def test_the_stop_button_ends_training_and_the_kernel_goes_on(seen):
    stopped, by_hand, agree = seen["steps"][2:]
    steps = int(re.search(r"History\((\d+) steps, interrupted", stopped)[1])
    assert 0 < steps < FOR_EVER
    assert "Traceback" not in stopped
    assert "probability of Japan" in by_hand
    assert "tables equal: True" in agree


def test_what_was_saved_is_what_was_seen(seen, folder, answers):
    notebook = nbformat.read(folder / LESSON, as_version=4)
    nbformat.validate(notebook)
    assert all(cell.execution_count for cell in code_cells(notebook))
    cells = {cell.id: cell for cell in code_cells(notebook)}
    assert cells["ex1"].source == answers["right"]
    said = "".join(output_text(output) for output in cells["model"].outputs)
    assert re.search(r"History\(\d+ steps, interrupted", said)


def test_nothing_failed_and_no_other_host_was_asked(seen, server):
    assert seen["bad"] == []
    hosts = {urlsplit(one).netloc for one in seen["requests"]}
    assert hosts - {""} == {urlsplit(server).netloc}  # "" of data: and blob:
