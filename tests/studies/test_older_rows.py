"""Rows of the first format: true ones pass, and what can be found of false ones is."""

from dataclasses import replace

import pytest
from small_study import BASE, made_up

from ptlearn.studies import older_rows
from ptlearn.studies.older_rows import compare, repeat_older, spread
from ptlearn.studies.store import read_folder
from ptlearn.studies.verification import verify_row

pytestmark = pytest.mark.slow

YOUNGER = (
    "losses",
    "grad_norms",
    "dev_losses",
    "moves",
    "start_lengths",
    "end_lengths",
    "test_log_probs",
    "test_predictions",
)


@pytest.fixture(scope="module")
def old_rows(true_folder):
    """Real rows, as they would have been stored in the first format."""
    return {
        key: {name: value for name, value in row.items() if name not in YOUNGER}
        for key, row in read_folder(true_folder).items()
    }


def test_true_rows_can_be_repeated(old_rows, true_folder):
    for row in old_rows.values():
        check = verify_row(row, old_rows, true_folder)
        assert check.faults == () and check.same_code
        assert str(check).startswith("[OK]")


def raise_a_loss(row):
    row["first_losses"][4] *= 1.002


def raise_the_score(row):
    row["score"] = row["score"] + 0.5


def forget_a_loss(row):
    row["first_losses"].pop()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (raise_a_loss, "the loss of step 5 was"),
        (raise_the_score, "the score was"),
        (forget_a_loss, "9 first losses are stored, 10 were found"),
    ],
)
def test_a_false_row_is_found(old_rows, true_folder, change, fault):
    row = next(row for row in old_rows.values() if row["first_losses"])
    row = row | {"first_losses": list(row["first_losses"])}
    change(row)
    rows = old_rows | {row["key"]: row}
    check = verify_row(row, rows, true_folder)
    assert len(check.faults) == 1 and fault in check.faults[0]
    assert str(check).startswith("[FAIL]")


def test_rounding_is_no_fault():
    row = made_up(replace(BASE, lr=0.1))
    again = row | {"first_losses": [loss * 1.0005 for loss in row["first_losses"]]}
    assert compare(row, again, deviation=0) == ()
    assert compare(row, row | {"score": row["score"] + 1 / 8}, 0) == ()
    assert compare(row, row | {"score": row["score"] + 2 / 8}, 0.1) == ()
    (fault,) = compare(row, row | {"score": row["score"] + 2 / 8}, 0.01)
    assert "the score was 0.500 and is 0.750; 0.125 is allowed" in fault


def test_on_another_processor_only_the_first_losses_can_agree():
    row = made_up(replace(BASE, lr=0.1))
    first, later = row["first_losses"][:2], row["first_losses"][2:]
    parted = [loss * 1.1 for loss in later]
    rounded = [loss * (1 + 1e-6) for loss in first]
    assert not compare(row, row | {"first_losses": rounded + parted}, 0)
    parted = [later[0] * 1.2, *parted[1:]]
    (fault,) = compare(row, row | {"first_losses": first + parted}, 0)
    assert fault == "the loss of step 3 was 4.8 and is 5.76"
    false = [first[0], first[1] * 1.01]
    (fault,) = compare(row, row | {"first_losses": false + later}, 0)
    assert "the loss of step 2 was" in fault


def test_a_false_score_does_not_widen_what_is_allowed():
    rows = {}
    for seed in range(5):
        row = made_up(replace(BASE, lr=0.1, seed=seed))
        rows[row["key"]] = row | {"score": 0.5 + seed / 100}
    row["score"] = 0.9
    rows[row["key"]] = row
    assert spread(row, rows) < 0.02


def test_with_few_seeds_the_spread_is_that_of_the_widest_arm():
    rows = {}
    for init, step in (("normal", 0.01), ("paper", 0.1)):
        for seed in range(3):
            row = made_up(replace(BASE, lr=0.1, init=init, seed=seed))
            rows[row["key"]] = row | {"score": 0.5 + seed * step}
    few = made_up(replace(BASE, lr=0.01))
    assert spread(few, rows | {few["key"]: few}) == pytest.approx(0.1)
    last = made_up(replace(BASE, lr=0.1, init="normal", seed=3))
    assert spread(last, rows) == pytest.approx(0.01)
    assert spread(last, rows, own=False) == pytest.approx(0.1)
    wording = made_up(replace(BASE, template="{subject} {answer}"))
    assert spread(wording, rows) == 0, "nothing is drawn"


def test_a_row_is_repeated_with_its_own_number_of_threads(monkeypatch):
    ran = []

    def noted(job, threads):
        ran.append(threads)
        return made_up(job, threads)

    monkeypatch.setattr(older_rows, "run_job", noted)
    row = made_up(BASE, threads=3)
    assert repeat_older(row, {row["key"]: row}) == ()
    assert ran == [3]
