"""Staged studies: each arm's own rate, a plan that is frozen, and then the test."""

import json
from dataclasses import asdict, replace
from math import inf, log10

import pytest
from small_study import BASE, MadeUpRows, run

from ptlearn.errors import StudyError
from ptlearn.studies.rates import Protocol, RateSearch, rate_of
from ptlearn.studies.run import run_job
from ptlearn.studies.staged import StagedStudy, freeze, plan_path
from ptlearn.studies.store import load_table, read_folder
from ptlearn.studies.study import Arm

MULTIPLIERS = {"none": 1.0, "lstm": 32.0, "mlp": 150.0}
"""How much further the made-up table moves behind an encoder, at one rate."""
PROTOCOL = Protocol(
    search_steps=20, halving_steps=40, confirm_steps=60, folds=(0, 1), seeds_per_fold=2
)
JOB = replace(BASE, schedule="plateau", choose_by="loss", dev_rows=None)
STUDY = StagedStudy(
    "staged",
    "Does the machinery work?",
    (
        Arm("bare", JOB),
        Arm("MLP", replace(JOB, encoder="mlp")),
        Arm("wording", replace(JOB, template="{subject}: {answer}")),
        Arm("shown", replace(JOB, template="{subject}: {answer}", demonstrations=2)),
    ),
    (("MLP", "bare"), ("bare", "shown")),
    PROTOCOL,
)


def row_with_best_move(best: float):
    """Rows of a world where the dev loss is lowest at one move of the table a step."""

    def row(job, threads=1):
        move = (job.lr or 0) * MULTIPLIERS[job.encoder]
        # From a rate on that moves the table by 3 a step, every run diverges.
        error = "diverged" if move > 3 else ""
        loss = 2 + (log10(move / best)) ** 2 if move else 2.0
        score = 0.5 if job.score_test and not error else None
        return {
            "key": job.key,
            **asdict(job),
            "error": error,
            "score": score,
            "dev_score": -loss,
            "dev_losses": [] if error else [[0, 9.0], [job.steps, loss]],
            "moves": [2 * move] + [move] * (job.steps - 1),
            "test_hits": "10" if score else "",
            "test_correct": "10" if score else "",
            "metric": "p_at_1",
        }

    return row


def searched(job, best, protocol=PROTOCOL):
    """Run a search to its end in a made-up world; return it with its rows."""
    rows, row = {}, row_with_best_move(best)
    for _ in range(50):
        search = RateSearch(job, protocol, rows)
        missing = [one for one in search.jobs if one.key not in rows]
        if not missing:
            return search, rows
        rows |= {one.key: row(one) for one in missing}
    raise AssertionError("the search does not end")


# Rates


def test_rates_are_half_decades():
    assert [rate_of(n) for n in (-4, -3, -2, -1)] == [0.01, 0.032, 0.1, 0.32]


@pytest.mark.parametrize("encoder", MULTIPLIERS)
def test_every_arm_tries_the_same_moves_of_the_table(encoder):
    search, _ = searched(replace(JOB, encoder=encoder), best=0.02)
    first = sorted({job.lr for job, stage in search.jobs.items() if stage == "search"})
    moves = [lr * MULTIPLIERS[encoder] for lr in first]
    assert len(moves) == 5
    # Half a grid step is what rounding to half decades may do.
    for move, wanted in zip(moves, (0.002, 0.0063, 0.02, 0.063, 0.2), strict=True):
        assert wanted / 1.8 < move < wanted * 1.8
    chosen = search.chosen * MULTIPLIERS[encoder]
    assert 0.02 / 1.8 < chosen < 0.02 * 1.8


@pytest.mark.parametrize("best", [1e-5, 0.0005, 0.02, 0.5, 2.0])
def test_the_grid_goes_on_until_a_worse_rate_lies_on_both_sides(best):
    search, _ = searched(JOB, best)
    assert search.bracketed and search.chosen == pytest.approx(best, rel=0.8)
    below, above = search.chosen / 10**0.5, search.chosen * 10**0.5
    for neighbour in (below, above):
        [tried] = [r for r in search.tried if r == pytest.approx(neighbour, rel=0.1)]
        assert search.tried[tried] > search.tried[search.chosen]


def test_a_rate_that_diverges_is_worse_than_any_other():
    search, rows = searched(JOB, best=3.0)
    assert search.chosen == pytest.approx(3.2) or search.chosen == 1.0
    assert inf in search.tried.values()


def test_a_search_that_never_ends_is_stopped_and_says_so():
    search, _ = searched(JOB, best=1e-30)
    assert not search.bracketed and search.chosen is not None


def test_the_winner_of_short_runs_goes_on_with_its_lower_neighbour():
    search, _ = searched(JOB, best=0.02)
    long = {job.lr for job in search.jobs if job.steps == PROTOCOL.halving_steps}
    assert {0.0063, 0.01, 0.02, 0.032} & long and len(long) >= 3


def test_no_run_that_chooses_sees_a_test_row_or_has_a_confirming_seed():
    search, _ = searched(JOB, best=0.02)
    assert not any(job.score_test for job in search.jobs)
    confirming = {seed for _, seed in PROTOCOL.confirming_seeds()}
    own = {job.seed for job in search.jobs}
    assert own == set(PROTOCOL.tuning_seeds) and not own & confirming


def test_start_weights_and_order_have_seeds_of_their_own():
    lr_of_arm = STUDY.confirming_jobs(STUDY.arms[1], 0.1)
    seeds = [
        seed
        for job in lr_of_arm
        for seed in (job.start_seed, job.weights_seed, job.order_seed)
    ]
    assert len(set(seeds)) == len(seeds) == 3 * 4


# The plan


def test_without_a_plan_only_the_rates_are_searched(tmp_path):
    frame = run(STUDY, tmp_path, MadeUpRows(row_with_best_move(0.02)))
    assert {"probe", "search", "halving"} <= set(frame["stage"])
    assert not frame["final"].any()


@pytest.mark.slow
def test_a_frozen_plan_lets_the_confirming_runs_begin(tmp_path):
    made_up = MadeUpRows(row_with_best_move(0.02))
    run(STUDY, tmp_path, made_up)
    plan = json.loads(freeze(STUDY, tmp_path).read_text())
    frame = run(STUDY, tmp_path, made_up)
    final = frame[frame["final"]]
    assert final["arm"].value_counts().to_dict() == {
        "bare": 4,
        "MLP": 4,
        "shown": 4,
        "wording": 2,
    }
    assert set(final["key"]) == set(plan["confirming_keys"])
    assert set(final["plan"]) == {plan["hash"]}
    trained = final[final["arm"] == "MLP"]
    assert set(trained["lr"]) == {plan["arms"]["MLP"]["lr"]}
    assert sorted(trained["cv_fold"]) == [0, 0, 1, 1]
    assert trained["seed"].is_unique


@pytest.mark.slow
def test_arms_are_paired_by_their_seeds(tmp_path):
    made_up = MadeUpRows(row_with_best_move(0.02))
    run(STUDY, tmp_path, made_up)
    freeze(STUDY, tmp_path)
    frame = run(STUDY, tmp_path, made_up)
    final = frame[frame["final"]].set_index("arm")
    for name in ("MLP", "shown"):
        pairs = [final.loc[arm, ["cv_fold", "seed"]] for arm in (name, "bare")]
        assert pairs[0].values.tolist() == pairs[1].values.tolist()


def test_a_plan_is_not_frozen_before_its_rates_are_known(tmp_path):
    with pytest.raises(StudyError, match="arm 'bare' .* has no rate yet"):
        freeze(STUDY, tmp_path)


def test_a_frozen_plan_is_not_changed(tmp_path):
    made_up = MadeUpRows(row_with_best_move(0.02))
    run(STUDY, tmp_path, made_up)
    path = freeze(STUDY, tmp_path)
    assert freeze(STUDY, tmp_path) == path
    other = replace(STUDY, contrasts=STUDY.contrasts[:1])
    with pytest.raises(StudyError, match="holds another plan .* give the study"):
        freeze(other, tmp_path)


def test_an_edited_plan_is_noticed(tmp_path):
    run(STUDY, tmp_path, MadeUpRows(row_with_best_move(0.02)))
    path = freeze(STUDY, tmp_path)
    plan = json.loads(path.read_text())
    plan["rule"]["smallest_effect"] = 0.01
    path.write_text(json.dumps(plan))
    with pytest.raises(StudyError, match="was edited after it was frozen"):
        STUDY.in_folder(tmp_path)
    path.write_text("{}")
    with pytest.raises(StudyError, match="is no plan of a study"):
        STUDY.in_folder(tmp_path)
    assert plan_path(STUDY, tmp_path) == path


def test_a_contrast_of_an_arm_that_is_not_there_is_refused():
    with pytest.raises(StudyError, match="compares 'GRU', which is none of its arms"):
        replace(STUDY, contrasts=(("GRU", "bare"),))


# True rows


@pytest.mark.slow
def test_a_true_staged_study_on_the_tiny_model(tmp_path):
    small = replace(
        STUDY,
        arms=STUDY.arms[1:3],
        contrasts=(),
        protocol=Protocol(
            rates=1,
            tuning_seeds=(101,),
            probe_steps=4,
            search_steps=4,
            halving_steps=4,
            confirm_steps=6,
            folds=(0,),
            seeds_per_fold=1,
        ),
    )
    run(small, tmp_path)
    freeze(small, tmp_path)
    frame = run(small, tmp_path)
    tuned = frame[(frame["arm"] == "MLP") & frame["final"]].iloc[0]
    assert len(tuned["moves"]) == len(tuned["losses"]) == tuned["steps_taken"]
    assert len(tuned["test_log_probs"]) == len(tuned["test_hits"]) == 8
    assert tuned["plan"] == small.in_folder(tmp_path).plan["hash"]
    searched = frame[~frame["final"]]
    assert (searched["test_hits"] == "").all() and searched["score"].isna().all()
    # The stored table is the one that was scored.
    table = load_table(tmp_path, tuned["key"])
    assert table.norm(dim=1).tolist() == pytest.approx(tuned["end_lengths"], rel=1e-5)
    assert not (tmp_path / "tables" / f"{searched['key'].iloc[0]}.safetensors").exists()
    assert read_folder(tmp_path)[tuned["key"]]["score"] == tuned["score"]


def test_the_first_move_of_the_table_is_the_learning_rate():
    """Adam's first step moves every number by the rate, whatever the gradient."""
    job = replace(JOB, lr=0.01, steps=3, warmup=0.0, dev_rows=2, test_rows=2)
    row = run_job(replace(job, score_test=False))
    assert row["moves"][0] == pytest.approx(0.01, rel=1e-3)
    assert row["score"] is None and row["test_hits"] == ""


def test_the_cost_of_a_staged_study_counts_what_is_not_known_yet(tmp_path):
    seeds = len(PROTOCOL.tuning_seeds)
    searching = 2 * seeds * (1 + PROTOCOL.rates + 3)  # two trained arms
    confirming = 3 * 4 + 2
    assert len(STUDY.expected_jobs({})) == searching + confirming == STUDY.size()
    made_up = MadeUpRows(row_with_best_move(0.02))
    run(STUDY, tmp_path, made_up)
    rows = read_folder(tmp_path)
    left = [job for job in STUDY.expected_jobs(rows) if job.key not in rows]
    assert len(left) == confirming, "the rates are chosen"
