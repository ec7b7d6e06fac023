"""Repeating stored rows: true ones pass, false ones are found."""

import json
from dataclasses import replace

import pytest
from small_study import BASE, made_up

from ptlearn.errors import StudyError
from ptlearn.studies import verification
from ptlearn.studies.store import read_folder
from ptlearn.studies.verification import compare, repeat, spread, verify


def altered(folder, tmp_path, change):
    """Copy the rows, with one trained row changed; return its key."""
    rows = list(read_folder(folder).values())
    row = next(r for r in rows if r["first_losses"])
    change(row)
    lines = [json.dumps(r) + "\n" for r in rows]
    (tmp_path / "rows.jsonl").write_text("".join(lines))
    return row["key"]


def test_true_rows_can_be_repeated(true_folder):
    checks = verify(7, folder=true_folder)
    assert [check.faults for check in checks] == [()] * 6, "all that there are"
    assert all(check.same_code and str(check).startswith("[OK]") for check in checks)


def raise_a_loss(row):
    row["first_losses"][4] *= 1.002


def raise_the_score(row):
    row["score"] = row["score"] + 0.5


def change_the_rate(row):
    row["lr"] *= 2


def forget_a_loss(row):
    row["first_losses"].pop()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (raise_a_loss, "the loss of step 5 was"),
        (raise_the_score, "the score was"),
        (change_the_rate, "the row was altered"),
        (forget_a_loss, "9 first losses are stored, 10 were found"),
    ],
)
def test_a_false_row_is_found(true_folder, tmp_path, change, fault):
    key = altered(true_folder, tmp_path, change)
    rows = read_folder(tmp_path)
    check = repeat(rows[key], rows)
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

    monkeypatch.setattr(verification, "run_job", noted)
    row = made_up(BASE, threads=3)
    assert repeat(row, {row["key"]: row}).faults == ()
    assert ran == [3]


def test_no_rows_to_verify_is_said(tmp_path):
    with pytest.raises(StudyError, match="no rows to verify"):
        verify(1, folder=tmp_path)


@pytest.mark.embedded
def test_a_stored_row_can_be_repeated(embedded_lm):
    """Drawn anew at each run of the tests."""
    (check,) = verify(1)
    assert not check.faults, str(check)
