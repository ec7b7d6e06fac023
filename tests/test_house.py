"""The files around the package agree with each other."""

import os
import re
import subprocess
import sys
import tomllib

import pytest
import rattler
import yaml
from packaging.requirements import Requirement

from ptlearn.files import PACKAGE, REPOSITORY

ROOT = REPOSITORY
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# The few packages that conda-forge calls otherwise.
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def requirements():
    """{name: Requirement} of what a learner needs."""
    course = PROJECT["optional-dependencies"]["course"]
    listed = map(Requirement, [*PROJECT["dependencies"], *course])
    return {requirement.name: requirement for requirement in listed}


def conda_faults(text: str) -> list[str]:
    """How a conda environment file differs from pyproject.toml."""
    entries = yaml.safe_load(text)["dependencies"]
    specs = [rattler.MatchSpec(entry) for entry in entries if isinstance(entry, str)]
    ranges = {spec.name.normalized: str(spec.version) for spec in specs}
    wanted = {
        CONDA_NAMES.get(name, name): requirement.specifier
        for name, requirement in requirements().items()
    }
    faults = [f"{name} is missing" for name in wanted if name not in ranges]
    faults += [
        f"{name}: {ranges[name]} is not {specifier}"
        for name, specifier in wanted.items()
        if name in ranges and set(ranges[name].split(",")) != split(specifier)
    ]
    extra = set(ranges) - set(wanted) - {"python", "pip"}
    return faults + [f"{name} is not needed" for name in sorted(extra)]


def split(specifier) -> set[str]:
    return set(str(specifier).split(","))


CONDA = (ROOT / "environment.yml").read_text()


def test_conda_file_names_every_requirement_with_the_same_range():
    assert conda_faults(CONDA) == []


def test_conda_file_installs_only_this_package_by_pip():
    pip = [e for e in yaml.safe_load(CONDA)["dependencies"] if isinstance(e, dict)]
    assert pip == [{"pip": ["-e ."]}]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  - scipy >=1.13\n", "", "scipy is missing"),
        ("scipy >=1.13", "scipy >=1.12", "scipy: >=1.12 is not >=1.13"),
        ("  - pip\n", "  - pip\n  - flask >=3\n", "flask is not needed"),
    ],
)
def test_a_wrong_conda_file_is_noticed(old, new, fault):
    faults = conda_faults(CONDA.replace(old, new))
    assert faults == [fault]


def test_a_spec_that_conda_cannot_read_is_noticed():
    with pytest.raises(Exception, match="unable to parse"):
        conda_faults(CONDA.replace("scipy >=1.13", "scipy >>=1"))


def pins(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def test_constraints_pin_every_requirement_within_its_range():
    exact = {key(name): pin for name, pin in pins(CONSTRAINTS).items()}
    listed = PROJECT["optional-dependencies"]
    named = [*listed["docs"], *listed["test"], *listed["teach"]]
    extras = map(Requirement, named)
    for requirement in [*requirements().values(), *extras]:
        assert requirement.specifier.contains(exact[key(requirement.name)])


def key(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


CONSTRAINTS = (ROOT / "constraints.txt").read_text()


def test_versions_agree():
    import ptlearn

    assert ptlearn.__version__ == PROJECT["version"]


def test_import_does_not_wait_for_torch():
    code = "import ptlearn, sys; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_every_lazy_name_is_there():
    import ptlearn

    for name in dir(ptlearn):
        assert getattr(ptlearn, name) is not None


def test_ci_runs_the_test_command():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith("exec make test")


def test_make_lists_every_command():
    listed = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    commands = "course site slides test test-fast lab refresh smoke class"
    for target in commands.split():
        assert f"make {target} " in listed


def test_make_hands_the_choice_on_to_the_course():
    steps = make_would_run("course", "LESSON=01", "MODEL=tiny", "DEVICE=cuda")
    assert "ptlearn course --lesson 01 --model tiny --device cuda" in steps


@pytest.mark.parametrize(
    ("target", "variable", "extras"),
    [
        ("setup", "VENV", "course,docs,test"),
        ("class-setup", "CLASS_VENV", "course,teach"),
    ],
)
def test_make_installs_torch_first_and_everything_with_exact_versions(
    target, variable, extras
):
    steps = make_would_run(target, f"{variable}=no-such-folder", "TORCH_INDEX=URL")
    installs = [line for line in steps.splitlines() if "pip install" in line]
    assert all("-c constraints.txt" in line for line in installs)
    assert [line.split("constraints.txt ")[1] for line in installs] == [
        "--upgrade pip",
        "--index-url URL torch",
        f"-e '.[{extras}]'",
    ]


def make_would_run(*arguments: str) -> str:
    """The commands that make would run, with runs of blanks as one blank."""
    done = subprocess.run(
        ["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return re.sub(" +", " ", done.stdout)


# --- the package ------------------------------------------------------------

SOURCES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FILE = 320  # lines


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_is_one_idea_and_imports_its_neighbours_relatively(path):
    text = path.read_text()
    assert not re.findall(r"^\s*(?:from|import) ptlearn\b.*", text, re.MULTILINE)
    assert text.count("\n") <= LONGEST_FILE


def test_the_public_names_are_few():
    import ptlearn

    assert 25 <= len(dir(ptlearn)) <= 35, dir(ptlearn)


def test_errors_are_one_family():
    from ptlearn import errors

    found = [value for value in vars(errors).values() if isinstance(value, type)]
    assert len(found) == 9
    assert all(issubclass(error, errors.PtlearnError) for error in found)


def errors_raised(text: str) -> set[str]:
    """Names of the errors that a file raises."""
    return set(re.findall(r"\braise (\w+)\(", text))


# An OSError is raised where another of its kind is turned into one of ours.
ALLOWED = {"OSError", "TypeError", "KeyboardInterrupt", "ModuleNotFoundError"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_family_is_raised(path):
    from ptlearn import errors

    # A function in small letters makes an error of the family.
    raised = {name for name in errors_raised(path.read_text()) if name[0].isupper()}
    assert raised <= set(vars(errors)) | ALLOWED
