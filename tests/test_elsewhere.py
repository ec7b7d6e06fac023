"""The course in a dev container, on Binder, on a hub, and run by a scheduler."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import papermill
import pytest
import yaml
from packaging.specifiers import SpecifierSet

from ptlearn.files import REPOSITORY as ROOT

PAGE = (ROOT / "docs" / "elsewhere.md").read_text()
PYTHONS = SpecifierSet(
    tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
)
CONDA = (ROOT / "environment.yml").read_text()


def addresses(host: str) -> list[str]:
    return re.findall(rf"https://{re.escape(host)}/\S+", PAGE)


# --- dev container ----------------------------------------------------------


def test_a_dev_container_has_a_python_for_us_and_is_set_up_by_make():
    described = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    image, _, version = described["image"].partition(":")
    assert image.endswith("/devcontainers/python") and version in PYTHONS
    command = shlex.split(described["postCreateCommand"])
    assert command == ["make", "setup", f"PYTHON=python{version}"]
    settings = described["customizations"]["vscode"]["settings"]
    python = settings["python.defaultInterpreterPath"]
    made = re.search(r"^VENV \?= (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert python == f"${{containerWorkspaceFolder}}/{made[1]}/bin/python"


# --- Binder -----------------------------------------------------------------


def binders_python(text: str) -> str | None:
    """The version that Binder takes out of an environment file, as repo2docker does.

    It starts from packages of this Python. A range says nothing to it; it then takes
    a version of its own and changes it afterwards.
    """
    for entry in yaml.safe_load(text)["dependencies"]:
        found = re.match(r"python\s*=+\s*(\d+\.\d+)$", str(entry))
        if found:
            return found[1]
    return None


def test_binder_starts_from_a_python_that_the_package_wants():
    assert binders_python(CONDA) in PYTHONS


def test_a_range_that_binder_cannot_read_is_noticed():
    assert binders_python(CONDA.replace("python =3.12", "python >=3.11,<3.14")) is None


def test_nothing_hides_the_files_that_binder_reads():
    for folder in ("binder", ".binder"):
        assert not (ROOT / folder).exists()


def test_binder_brings_the_model_into_the_image():
    script = ROOT / "postBuild"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "ptlearn fetch"


def would_build(folder: Path) -> str:
    """What repo2docker says that it would do, without Docker."""
    program = shutil.which("jupyter-repo2docker")
    if program is None:
        pytest.skip("no repo2docker: install it in an environment of its own")
    command = [program, "--no-build", "--debug", "--user-id", "1000"]
    done = subprocess.run(
        [*command, "--user-name", "jovyan", folder],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_binder_builds_from_the_environment_and_runs_the_script():
    said = would_build(ROOT)
    assert f"Building conda environment for python={binders_python(CONDA)}" in said
    copied = said.index("COPY --chown=1000:1000 src/")  # before `pip install -e .`
    assert copied < said.index('--file "environment.yml"') < said.index("./postBuild")


def test_a_hidden_environment_is_noticed(tmp_path):
    (tmp_path / ".binder").mkdir()
    (tmp_path / "environment.yml").write_text(CONDA)
    (tmp_path / "pyproject.toml").touch()
    assert '--file "environment.yml"' not in would_build(tmp_path)


# --- links ------------------------------------------------------------------


def test_the_links_open_a_lesson_that_is_there():
    (binder,) = addresses("mybinder.org")
    (hub,) = addresses("HOST")
    asked = parse_qs(urlsplit(hub).query)
    assert asked["repo"] == ["https://github.com/OWNER/NAME"]
    opened = [parse_qs(urlsplit(binder).query)["urlpath"][0].removeprefix("lab/tree/")]
    # nbgitpuller clones into a folder of the repository's name.
    opened += [path.removeprefix("lab/tree/NAME/") for path in asked["urlpath"]]
    (colab,) = addresses("colab.research.google.com")
    opened += [f"notebooks/{colab.rpartition('/colab/')[2]}"]
    assert len(opened) == 3
    for path in opened:
        assert (ROOT / path).is_file(), path


# --- a scheduler ------------------------------------------------------------


def test_the_schedulers_command_sets_parameters_that_the_lesson_has():
    joined = PAGE.replace("\\\n", " ")
    (command,) = re.findall(r"^papermill .+$", joined, re.MULTILINE)
    words = shlex.split(command)
    given = {words[i + 1] for i, word in enumerate(words) if word == "-p"}
    known = papermill.inspect_notebook(str(ROOT / words[1]))
    assert given == {"MODEL", "SEED", "STEPS"}
    assert given <= set(known)
