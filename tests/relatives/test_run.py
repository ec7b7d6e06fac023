"""Running the comparison: its order, its search for rates, going on after a stop."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from small_relatives import SHORT, STUDY, MadeUpTrials, made_up

from ptlearn.errors import ModelError
from ptlearn.relatives.catalogue import FEW, NO_STEP, RelativesStudy, seconds_of
from ptlearn.relatives.record import run_trial, saved_bytes
from ptlearn.relatives.run import (
    FILES,
    relatives_results,
    run_relatives,
    run_timings,
    timings,
)
from ptlearn.relatives.trial import METHODS, SETTINGS, WITH_RATE, Trial
from ptlearn.studies.store import read_rows

pytestmark = pytest.mark.slow


def run(folder, executor=None, study=STUDY, **options):
    said = []
    frame = run_relatives(
        study, folder, executor or MadeUpTrials(), tell=said.append, **options
    )
    return frame, said


def test_one_seed_of_everything_comes_before_the_next_seed(tmp_path):
    executor = MadeUpTrials()
    frame, said = run(tmp_path, executor, workers=1)
    pairs = len(METHODS) * len(SETTINGS)
    assert {t.lr for t in executor.trials[:pairs]} == {None, NO_STEP}
    counted = [t for t in executor.trials[pairs:] if t.score_test]
    first = {(trial.method, trial.task) for trial in counted[:pairs]}
    assert len(first) == pairs and {t.seed for t in counted[:pairs]} == {1000}
    assert len(counted) == sum(STUDY.planned().values()) == frame["final"].sum()
    assert len(said) == len(executor.trials)


def test_a_rate_is_chosen_between_two_worse_ones_by_seeds_that_do_not_count(tmp_path):
    frame, _ = run(tmp_path)
    rows = {row["key"]: row for row in read_rows(tmp_path / FILES["trial"])}
    for method in WITH_RATE:
        _, chosen, tried = STUDY.rate(method, "city_country", 8, rows)
        rates = sorted(tried)
        place = rates.index(chosen)
        assert chosen == 0.01 and 0 < place < len(rates) - 1
    assert not set(STUDY.tuning_seeds) & set(STUDY.seeds)
    searched = frame[frame["stage"] == "search"]
    assert set(searched["seed"]) == set(STUDY.tuning_seeds)
    assert (searched["test_hits"] == "").all()


def test_a_search_whose_runs_all_break_off_chooses_nothing():
    study = replace(STUDY, methods=("LoRA",))
    rows = {}
    for _ in range(9):
        for trial in study.rate("LoRA", "city_country", 8, rows)[0]:
            rows[trial.key] = made_up(trial) | {"error": "the loss is nan"}
    trials, chosen, _ = study.rate("LoRA", "city_country", 8, rows)
    assert chosen is None and len(trials) <= 10
    assert not [t for stage, t in study.trials(rows) if stage == "count"]


def test_stopped_and_gone_on_gives_the_same_rows(tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    run(whole)
    with pytest.raises(KeyboardInterrupt):
        run(stopped, MadeUpTrials(most=7))
    path = stopped / FILES["trial"]
    assert 5 <= len(read_rows(path)) <= 7
    with open(path, "a") as file:
        file.write('{"key": "torn')
    executor = MadeUpTrials()
    run(stopped, executor)
    keys = [
        sorted(row["key"] for row in read_rows(p / FILES["trial"]))
        for p in (whole, stopped)
    ]
    assert keys[0] == keys[1] and len(set(keys[0])) == len(keys[0])
    assert len(executor.trials) < len(keys[0])


def test_no_run_begins_that_may_not_be_over_in_time(tmp_path):
    executor = MadeUpTrials()
    run(tmp_path, executor, minutes=0.01)
    assert executor.trials == []


def test_the_plan_counts_what_is_left_by_the_seconds_of_the_rows(tmp_path):
    before = STUDY.plan({})
    run(tmp_path, study=replace(STUDY, methods=("LoRA", "best wording")))
    rows = {row["key"]: row for row in read_rows(tmp_path / FILES["trial"])}
    lines = STUDY.plan(rows)
    after = {(line["task"], line["method"], line["stage"]): line for line in lines}
    assert sum(line["left"] for line in before) == 18 + 2 * (6 * 4 + 8 * 3 + 1)
    done = after["city_country", "LoRA", "count"]
    assert (done["done"], done["left"], done["seconds"]) == (3, 0, 30)
    assert after["city_country", "LoRA", "search"]["left"] == 0
    assert after["city_country", "prefix tuning", "count"]["left"] == 3


def test_the_seconds_of_a_gpu_promise_nothing_for_a_cpu():
    trial = STUDY.trial("LoRA", "city_country", 8, seed=1000, lr=0.01)
    fast = made_up(trial) | {"seconds": 3.0, "device": "cuda NVIDIA H200"}
    slow = made_up(trial) | {"seconds": 70.0, "device": "cpu x86_64 AVX512"}
    # The first rows that were stored don't say where they ran: all on a CPU.
    early = made_up(trial) | {"seconds": 90.0}
    unnamed = made_up(trial) | {"seconds": 90.0, "device": None}
    guess = seconds_of(trial, {})
    assert seconds_of(trial, {"fast": fast}) == guess > 3
    assert seconds_of(trial, dict(enumerate([fast, fast, slow]))) == 70
    for cpu in (early, unnamed):
        assert seconds_of(trial, dict(enumerate([fast, fast, cpu]))) == 90


def test_the_course_compares_every_method_on_two_tasks_with_few_and_all_rows():
    study = RelativesStudy()
    assert study.sizes == (FEW, 0) and len(study.seeds) >= 5
    assert len(study.planned()) == 2 * 2 * 9
    longer = study.trial("best wording", "city_country", 0)
    assert longer.steps > study.trial("best wording", "city_country", FEW).steps


SMALL = {"model": "tiny", "rows": 8, **SHORT}


@pytest.mark.parametrize(
    ("method", "task"),
    [
        *((method, "city_country") for method in METHODS),
        ("LoRA", "movie_sentiment"),
        ("linear probe", "movie_sentiment"),
    ],
)
def test_a_row_says_what_was_found(method, task):
    lr = 0.01 if method in WITH_RATE else None
    row = run_trial(Trial(method, task, lr=lr, **SMALL))
    assert row["error"] == "" and len(row["test_hits"]) == SHORT["test_rows"]
    assert row["score"] == row["test_hits"].count("1") / 12 or task != "city_country"
    assert row["bytes"] > 0 and row["peak_mb"] > 50
    changes = method in ("prefix tuning", "LoRA", "full fine-tuning")
    assert len(row["other_hits"]) == (SHORT["other_rows"] if changes else 0)
    if method in WITH_RATE:
        assert [step for step, _ in row["dev_losses"]] == [2, 4]
        assert row["trained"] >= row["kept"] > 0
    if method == "full fine-tuning":
        assert row["bytes"] > 4 * row["trained"]


def test_a_run_that_breaks_off_says_so_and_has_no_score():
    row = run_trial(Trial("full fine-tuning", "city_country", lr=1e30, **SMALL))
    assert row["error"] and row["score"] is None and row["test_hits"] == ""


def test_what_chooses_a_rate_sees_no_test_row():
    row = run_trial(
        Trial("prompt tuning", "city_country", lr=0.1, score_test=False, **SMALL)
    )
    assert row["score"] is None and row["test_hits"] == "" and row["dev_losses"]


def test_bytes_are_those_of_all_files(tmp_path):
    def save(folder):
        for name, size in (("a", 10), ("b", 32)):
            with open(f"{folder}/{name}", "wb") as file:
                file.write(b"x" * size)

    assert saved_bytes(save) == 42


def test_timings_are_taken_once_and_kept_apart(tmp_path):
    study = replace(
        STUDY,
        tasks=("city_country",),
        methods=("best wording", "P-Tuning, MLP", "LoRA", "linear probe"),
    )
    with ThreadPoolExecutor(1) as executor:
        frame = run_timings(study, tmp_path, executor, tell=lambda text: None)
    frame = frame.set_index("method")
    assert frame["step_seconds"].notna().tolist() == [False, True, True, False]
    assert (frame["answer_ms"] > 0).all() and frame.loc["linear probe", "fit_seconds"]

    class NothingMayRun:
        def submit(self, *args):
            raise AssertionError("measured again")

    again = run_timings(study, tmp_path, NothingMayRun(), tell=lambda text: None)
    assert len(again) == 4 and len(timings(tmp_path)) == 4
    assert relatives_results(study, tmp_path).empty


def test_what_a_method_costs_is_measured_on_the_cpu_wherever_the_rest_runs(tmp_path):
    executor = MadeUpTrials()
    run(tmp_path, executor, device="meta")  # any but the CPU, on every machine
    places = {trial: place for trial, (_, place) in executor.beside.items()}
    costs = {STUDY.cost_trial(m, t) for t in STUDY.tasks for m in STUDY.methods}
    assert {places[trial] for trial in costs} == {"cpu"}
    assert {places[trial] for trial in set(places) - costs} == {"meta"}


def test_a_device_that_is_not_there_is_refused_before_anything_runs(tmp_path):
    executor = MadeUpTrials()
    with pytest.raises(ModelError, match="device='gpu' cannot be used here"):
        run(tmp_path, executor, device="gpu")
    assert executor.trials == []
