"""The wheel: what is in it, and that its core works where nothing else is installed."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ptlearn.files import REPOSITORY
from ptlearn.tasks.worlds import WORLD_MODELS

SITE = Path(sysconfig.get_path("purelib"))
# What only the course needs; the core must not import it, even where it is there.
NOT_CORE = ["matplotlib", "seaborn", "IPython", "papermill", "nbformat", "peft"]
PROGRAM = """
import sys
import ptlearn as pt

assert "torch" not in sys.modules
lm = pt.load_lm("tiny", device="cpu")
task = pt.load_task("official_language")
tuner = pt.PromptTuner(lm, "[V:2] {subject} [V] {answer}", encoder="residual-lstm")
pt.fit(tuner, task, steps=2, evaluate_every=1, progress=False)
report = pt.evaluate(tuner, task, progress=False)
prompt = tuner.fold()
prompt.save("mine")
rows = task.test.to_list()[:3]
assert pt.Prompt.load("mine", lm).predict(rows) == prompt.predict(rows)
print(report.n, pt.__file__)
print(*sorted(name for name in sys.modules if "." not in name))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_has_the_data_and_the_tokenizer_and_no_lessons(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "ptlearn/_data/README.md" in names
    assert "ptlearn/lm/smollm2-tokenizer/tokenizer.json" in names
    for name in WORLD_MODELS:
        assert f"ptlearn/_data/worlds/{name}/model.safetensors" in names
    assert not [name for name in names if name.endswith(".ipynb")]


def core_distributions(wheel: Path) -> list[metadata.Distribution]:
    """What the wheel asks for without extras, and what that asks for in turn."""
    found, waiting = {}, _wanted(_requirements_in(wheel))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = metadata.distribution(name)
            waiting += _wanted(found[name].requires or [])
    return list(found.values())


def _requirements_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("/METADATA")]
        lines = archive.read(name).decode().splitlines()
    prefix = "Requires-Dist: "
    return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]


def _wanted(requirements: list[str]) -> list[str]:
    parsed = map(Requirement, requirements)
    return [r.name for r in parsed if not r.marker or r.marker.evaluate({"extra": ""})]


@pytest.fixture(scope="module")
def core(wheel, tmp_path_factory):
    """Make an environment with the wheel and its declared requirements alone.

    They are linked from the environment of the tests, which saves a download of
    half a gigabyte. Returns its interpreter.
    """
    folder = tmp_path_factory.mktemp("core")
    venv.create(folder, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    zipfile.ZipFile(wheel).extractall(site)
    for distribution in core_distributions(wheel):
        for top in {file.parts[0] for file in distribution.files or ()}:
            link, target = site / top, SITE / top
            if (
                top not in ("..", "__pycache__")
                and target.exists()
                and not link.exists()
            ):
                link.symlink_to(target)
    return folder / "bin" / "python"


@pytest.mark.slow
def test_the_core_works_without_the_course(core, tmp_path):
    done = subprocess.run(
        [core, "-I", "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    first, loaded = done.stdout.splitlines()
    assert str(core.parents[1]) in first, "it is the wheel's package that ran"
    assert not set(NOT_CORE) & set(loaded.split())


@pytest.mark.slow
def test_the_core_has_no_plots_and_says_what_to_install(core):
    done = subprocess.run(
        [core, "-I", "-c", "import ptlearn as pt; pt.show"],
        capture_output=True,
        text=True,
    )
    assert "pip install 'ptlearn[course]'" in done.stderr


@pytest.mark.slow
def test_importing_the_core_imports_nothing_of_the_course():
    code = f"""
import sys, ptlearn as pt
pt.fit, pt.evaluate, pt.controls, pt.Prompt, pt.load_lm, pt.studies.run_study
print(*set({NOT_CORE}) & set(sys.modules))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
