"""Repeating stored rows: true ones pass, false ones are found."""

import json
from dataclasses import replace

import pytest
from small_study import BASE, made_up

from ptlearn.errors import StudyError
from ptlearn.studies.store import read_folder
from ptlearn.studies.verification import compare, repeat, spread, verify


def altered(folder, tmp_path, change):
    """A copy of the rows in which one trained row of three seeds is changed."""
    rows = list(read_folder(folder).values())
    row = next(r for r in rows if r["first_losses"])
    change(row)
    lines = [json.dumps(r) + "\n" for r in rows]
    (tmp_path / "rows.jsonl").write_text("".join(lines))
    return row["key"]


def test_true_rows_can_be_repeated(true_folder):
    checks = verify(2, folder=true_folder)
    assert [check.faults for check in checks] == [(), ()]
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
    assert compare(row, row | {"score": row["score"] + 2 / 8}, 0.01)


def test_on_another_processor_only_the_first_losses_can_agree():
    row = made_up(replace(BASE, lr=0.1))
    first, later = row["first_losses"][:2], row["first_losses"][2:]
    parted = [loss * 1.1 for loss in later]
    rounded = [loss * (1 + 1e-6) for loss in first]
    assert not compare(row, row | {"first_losses": rounded + parted}, 0)
    assert compare(row, row | {"first_losses": first + parted}, 0)
    false = [loss * 1.01 for loss in first]
    assert compare(row, row | {"first_losses": false + later}, 0)


def test_a_false_score_does_not_widen_what_is_allowed():
    rows = {}
    for seed in range(5):
        row = made_up(replace(BASE, lr=0.1, seed=seed))
        rows[row["key"]] = row | {"score": 0.5 + seed / 100}
    row["score"] = 0.9
    rows[row["key"]] = row
    assert spread(row, rows) < 0.02


def test_no_rows_to_verify_is_said(tmp_path):
    with pytest.raises(StudyError, match="no rows to verify"):
        verify(1, folder=tmp_path)


@pytest.mark.embedded
def test_a_stored_row_can_be_repeated(embedded_lm):
    """Drawn anew at each run of the tests."""
    try:
        (check,) = verify(1)
    except StudyError as error:
        pytest.skip(str(error))
    assert not check.faults, str(check)
