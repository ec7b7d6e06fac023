"""Jobs: what decides a row, and the key that names it for good."""

import json
from dataclasses import asdict, dataclass, fields, replace

import pytest
from small_study import BASE

from ptlearn.errors import StudyError, TrainingError
from ptlearn.studies.job import KEY_DEFAULTS, Job
from ptlearn.studies.store import read_folder, stored_folder
from ptlearn.training.config import TrainingConfig

# Bounds memory; a job takes the default, and no row moved by more than rounding.
DECIDES_NO_NUMBER = {"kv_cache_bytes"}


@dataclass(frozen=True)
class LaterJob(Job):
    """A job as it may be one day: it trains longer by default."""

    steps: int = 300


def names(dataclass) -> set[str]:
    return {field.name for field in fields(dataclass)}


@pytest.mark.slow
def test_every_stored_row_has_the_key_of_its_settings():
    rows = read_folder(stored_folder())
    assert len(rows) >= 232
    assert {key: Job.from_row(row).key for key, row in rows.items()} == {
        key: key for key in rows
    }


def test_every_setting_is_in_the_key():
    other = {name: 0.5 for name in ("lr", "weight_decay", "warmup", "max_grad_norm")}
    other |= {"choose_by": "loss", "score_test": False}
    other |= {"metric": "accuracy", "control": "majority", "schedule": "plateau"}
    jobs = [BASE]
    for name, value in asdict(BASE).items():
        another = f"{value}x" if isinstance(value, str) else 3
        jobs.append(replace(BASE, **{name: other.get(name, another)}))
    assert len({job.key for job in jobs}) == 1 + len(names(Job))


def test_a_changed_default_changes_the_key_of_the_jobs_that_take_it():
    old, new = Job("task", "{answer}"), LaterJob("task", "{answer}")
    assert new.steps == 300 and new.key != old.key
    assert LaterJob("task", "{answer}", steps=150).key == old.key
    assert Job("task", "{answer}", steps=300).key == new.key


@pytest.mark.slow
def test_a_changed_default_leaves_stored_rows_as_they_are():
    rows = read_folder(stored_folder())
    assert {LaterJob.from_row(row).key for row in rows.values()} == set(rows)
    row = asdict(Job("task", "{answer}"))
    del row["steps"]
    assert LaterJob.from_row(row).steps == 150, "what it was when rows had no steps"


def test_a_setting_that_is_added_leaves_old_rows_as_they_are(monkeypatch):
    @dataclass(frozen=True)
    class WiderJob(Job):
        dropout: str = "new"

    monkeypatch.setitem(KEY_DEFAULTS, "dropout", "old")
    row = json.loads(json.dumps(asdict(BASE)))
    assert WiderJob.from_row(row).dropout == "old"
    assert WiderJob.from_row(row).key == BASE.key
    assert WiderJob(**row).key != BASE.key


def test_the_table_of_defaults_is_what_it_was():
    """An edited entry would take every stored row for another one."""
    first = {
        "model": "smollm2-135m",
        "encoder": "none",
        "init": "",
        "lr": None,
        "seed": 0,
        "steps": 150,
        "batch_size": 16,
        "evaluate_every": 25,
        "metric": "p_at_1",
        "control": "",
        "per_answer": None,
        "dev_rows": None,
        "test_rows": None,
        "test_task": "",
        "weight_decay": 0.0,
        "warmup": 0.1,
        "max_grad_norm": 1.0,
        "patience": None,
        "schedule": "linear",
    }
    assert first.items() <= KEY_DEFAULTS.items()
    assert set(KEY_DEFAULTS) == names(Job) - {"task", "template"}


def test_a_job_has_every_setting_of_fit_that_decides_a_number():
    """Else a changed default of fit would silently reuse old rows."""
    assert names(TrainingConfig) - names(Job) == DECIDES_NO_NUMBER
    defaults = asdict(TrainingConfig())
    # What fit may leave to the task, a job says.
    defaults |= {"steps": 150, "schedule": "linear"}
    settings = Job("task", "{answer}").training_settings()
    assert settings == {name: defaults[name] for name in settings}


@pytest.mark.parametrize("name", ["steps", "schedule"])
def test_a_job_leaves_nothing_for_fit_to_fill_in(name):
    with pytest.raises(StudyError, match=f"a job needs its {name}"):
        replace(BASE, **{name: None})


def test_a_job_comes_back_from_its_row():
    assert Job.from_row(json.loads(json.dumps(asdict(BASE)))) == BASE


def test_a_row_without_its_task_is_refused():
    with pytest.raises(StudyError, match="row abc does not say its task, template"):
        Job.from_row({"key": "abc", "seed": 0})


def test_jobs_that_cannot_be_run_are_refused():
    with pytest.raises(StudyError, match="no control is called 'none'"):
        replace(BASE, control="none")
    with pytest.raises(TrainingError, match="steps must be .*at least 1, .*not 0"):
        replace(BASE, steps=0)


def test_only_virtual_tokens_that_are_read_are_trained():
    assert BASE.is_trained
    assert not replace(BASE, template="{subject} {answer}").is_trained
    assert not replace(BASE, control="majority").is_trained
    assert replace(BASE, control="random weights").is_trained
