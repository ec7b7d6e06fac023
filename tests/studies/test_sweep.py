"""A sweep: own rows go through the study engine, named by what is in them."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

import ptlearn as pt
from ptlearn.errors import DataError, StudyError
from ptlearn.studies.job import Job
from ptlearn.studies.run import run_job
from ptlearn.studies.store import read_folder
from ptlearn.tasks import content_hash

TUNED, WORDING = "{text} [V:2] {answer}", "{text} It is {answer}"
SMALL = {"model": "tiny", "steps": 2, "evaluate_every": 2, "progress": False}


def task(text="so nice", **splits):
    rows = [{"text": text, "answer": "good"}, {"text": "so bad", "answer": "poor"}]
    return pt.Task.from_rows(rows, rows, name="mine", **splits)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(scope="module")
def runs(folder):
    options = {"lrs": (0.01, 0.1), "seeds": (0, 1), "folder": folder} | SMALL
    return pt.studies.sweep(task(), [TUNED, WORDING], **options)


def test_every_setting_runs_once_the_best_first(runs):
    tuned = runs[runs["lr"].notna()]
    assert len(runs) == 5 and set(zip(tuned["lr"], tuned["seed"], strict=True)) == {
        (0.01, 0), (0.01, 1), (0.1, 0), (0.1, 1),
    }  # fmt: skip
    assert runs["dev_loss"].is_monotonic_increasing and runs["dev_loss"].notna().all()
    assert (runs.set_index("template").loc[WORDING, "num_virtual_tokens"]) == 0


def test_a_row_names_the_rows_by_their_hash_and_keeps_no_test_score(runs, folder):
    for row in read_folder(folder).values():
        assert row["task"] == "mine" and row["rows"] == content_hash(task())
        assert row["score"] is None and row["test_hits"] == ""
        assert "nice" not in str(row)


def test_a_second_call_runs_what_is_missing(runs, folder):
    options = {"seeds": (0,), "folder": folder} | SMALL
    pt.studies.sweep(task(), [TUNED], lrs=(0.1, 1.0), **options)
    assert len(read_folder(folder)) == 6
    pt.studies.sweep(task("so fine"), [TUNED], lrs=(0.1,), **options)
    assert len(read_folder(folder)) == 7


def test_test_rows_may_be_missing_or_unscorable(tmp_path):
    long = [{"text": "long " * 600, "answer": "good"}]
    for splits in ({}, {"test": long}):
        options = {"lrs": (0.1,), "folder": tmp_path / str(len(splits))} | SMALL
        found = pt.studies.sweep(task(**splits), [TUNED, WORDING], **options)
        assert len(found) == 2


class ElsewhereByPickle(ThreadPoolExecutor):
    """Hands everything over as another process would get it."""

    def submit(self, run, *given):
        return super().submit(run, *pickle.loads(pickle.dumps(given)))


def test_rows_travel_to_another_process(tmp_path):
    options = {"lrs": (0.1,), "folder": tmp_path} | SMALL
    with ElsewhereByPickle(1) as executor:
        found = pt.studies.sweep(task(), [TUNED], executor=executor, **options)
    assert found["dev_loss"].notna().all()


def test_a_job_on_own_rows_runs_on_these_and_no_others():
    job = Job("mine", WORDING, model="tiny", rows=content_hash(task()))
    assert Job.from_row({**vars(job)}).key == job.key != Job("mine", WORDING).key
    with pytest.raises(StudyError, match="are your own and not stored"):
        run_job(job)
    with pytest.raises(StudyError, match="is another one"):
        run_job(job, 1, task("so fine"))


def test_what_cannot_be_swept_is_refused(tmp_path):
    with pytest.raises(StudyError, match="temperature"):
        pt.studies.sweep(task(), [TUNED], folder=tmp_path, temperature=1)
    with pytest.raises(StudyError, match="list of templates"):
        pt.studies.sweep(task(), TUNED, folder=tmp_path)
    with pytest.raises(DataError, match="no column 'review'"):
        pt.studies.sweep(task(), ["{review} [V] {answer}"], folder=tmp_path)
    with pytest.raises(DataError, match="no dev split"):
        few = pt.Task.from_rows([{"text": "x", "answer": "y"}])
        pt.studies.sweep(few, [TUNED], folder=tmp_path)
