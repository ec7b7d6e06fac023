"""The doctor: well on a good machine, and each failure comes with its remedy."""

import hashlib
import json
import os
from collections import namedtuple
from importlib import metadata

import pytest

from ptlearn.course import doctor
from ptlearn.course.doctor import Check
from ptlearn.lm import bfloat16
from ptlearn.lm.fetch import SMOLLM2

Memory = namedtuple("Memory", "available total")
Disk = namedtuple("Disk", "free")


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PTLEARN_HOME", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path):
    """A data folder with a file and its right hash, and a world with its own."""
    digest = hashlib.sha256(b"{}\n").hexdigest()
    for folder in (tmp_path, tmp_path / "worlds"):
        folder.mkdir(exist_ok=True)
        (folder / "facts.jsonl").write_text("{}\n")
        (folder / "SHA256SUMS").write_text(f"{digest}  facts.jsonl\n")
    return tmp_path


def assert_fails(check: Check, found: str, remedy: str) -> None:
    assert not check.ok
    assert found in check.detail and remedy in check.remedy
    assert str(check).startswith("[FAIL]") and "What to do: " in str(check)


def test_python_and_torch_are_well_here():
    for check in (doctor.check_python(), doctor.check_torch()):
        assert check.ok, check
        assert str(check).startswith("[OK]") and not check.remedy


@pytest.mark.parametrize(("known", "word"), [(True, "with"), (False, "without")])
def test_torch_says_whether_bfloat16_is_faster_here(monkeypatch, known, word):
    monkeypatch.setattr(bfloat16, "has_bfloat16_instructions", lambda device: known)
    check = doctor.check_torch()
    assert check.ok, "it is a choice, not a failure"
    assert check.detail.endswith(f", {word} bfloat16 instructions")


def test_another_python(monkeypatch):
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.9.1")
    assert_fails(doctor.check_python(), "3.9.1", "Install a Python")


@pytest.mark.parametrize(
    "wanted, found",
    [("tqdm>=999", "tqdm is"), ("ptlearn-no-such-package", "is missing")],
)
def test_packages_out_of_range(monkeypatch, wanted, found):
    monkeypatch.setattr(metadata, "requires", lambda name: ["numpy", wanted])
    assert_fails(doctor.check_packages(), found, f'pip install "{wanted}"')


def test_packages_of_extras_are_not_asked_for(monkeypatch):
    optional = 'ptlearn-no-such-package; extra == "test"'
    monkeypatch.setattr(metadata, "requires", lambda name: ["numpy", optional])
    assert doctor.check_packages().detail == "1 installed, all in range"


def test_no_model(empty_cache):
    assert_fails(doctor.check_model(), "no model in", "ptlearn fetch")


def test_every_hash_of_the_model_is_checked_whatever_size_and_time_say(empty_cache):
    SMOLLM2.folder.mkdir(parents=True)
    file = SMOLLM2.folder / "config.json"
    file.write_text("{}")
    stat = file.stat()
    manifest = {
        "package": SMOLLM2.requirement,
        "files": {file.name: hashlib.sha256(b"{}").hexdigest()},
        "stamps": {file.name: [stat.st_size, stat.st_mtime_ns]},
    }
    (SMOLLM2.folder / "manifest.json").write_text(json.dumps(manifest))
    assert doctor.check_model().ok
    file.write_text("[]")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert_fails(doctor.check_model(), "config.json", "ptlearn fetch")


def test_data_as_committed():
    check = doctor.check_data()
    assert check.ok, check


@pytest.mark.parametrize("damage", ["altered", "missing"])
@pytest.mark.parametrize("name", ["facts.jsonl", "worlds/facts.jsonl"])
def test_damaged_data(data, name, damage):
    assert doctor.check_data(data).ok
    if damage == "altered":
        (data / name).write_text("{} \n")
    else:
        (data / name).unlink()
    assert_fails(doctor.check_data(data), f": {name}", "git checkout")


def test_a_full_disk(empty_cache, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: Disk(1e9))
    assert_fails(doctor.check_disk(), "needed are 1.8 GB", "PTLEARN_HOME")


def test_a_cache_that_cannot_be_written(empty_cache, monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    assert_fails(doctor.check_disk(), "cannot be written", "PTLEARN_HOME")


def test_too_little_memory(monkeypatch):
    small = Memory(available=5e8, total=4e9)
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: small)
    assert_fails(doctor.check_memory(), "0.5 of 4.0 GB", "Close other programs")


def some_checks():
    yield Check("one", True, "fine")
    yield Check("two", False, "not fine", "mend it")


def test_the_report_names_failures_and_the_outcome_says_so(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_checks", some_checks)
    assert not doctor.doctor()
    assert capsys.readouterr().out.splitlines() == [
        "[OK]   one: fine",
        "[FAIL] two: not fine",
        "       What to do: mend it",
        "1 of 2 checks failed.",
    ]
    monkeypatch.setattr(doctor, "_checks", lambda: iter([Check("one", True, "fine")]))
    assert doctor.doctor()


@pytest.mark.slow
def test_a_check_that_breaks_is_a_failure_and_hides_no_other(monkeypatch):
    def broken():
        raise RuntimeError("out of order")

    monkeypatch.setattr(doctor, "check_torch", broken)
    checks = {check.name: check for check in doctor.run_checks()}
    assert "out of order" in checks["torch"].detail and checks["torch"].remedy
    assert list(checks) == [
        *("Python", "packages", "torch", "model", "data", "disk", "memory")
    ]


def test_the_table_for_a_notebook():
    table = doctor.table(list(some_checks()))
    assert table["state"].tolist() == ["OK", "FAIL"]
    assert table["what to do"].tolist() == ["", "mend it"]
