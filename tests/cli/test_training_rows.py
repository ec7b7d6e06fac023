"""The rows that ``ptlearn train`` learns and scores on, and what it says of them."""

import pytest
from shell_tools import ROWS, TEMPLATE, write_csv

import ptlearn as pt
from ptlearn.cli.training_rows import read_task
from ptlearn.errors import DataError

LABELS = {"1": "good", "0": "bad"}


def read(path, dev=None, labels=LABELS):
    return read_task(path, dev, pt.Template(TEMPLATE), "stars", labels)


def test_every_row_is_learnt_or_held_out(data, capsys):
    task = read(data)
    parts = [{row["review"] for row in task.split(name)} for name in task.splits]
    assert [len(part) for part in parts] == [48, 6, 6]
    assert len(set.union(*parts)) == 60
    for name in task.splits:
        answers = task.split(name)["answer"]
        assert list(answers).count("good") == len(answers) / 2
    said = capsys.readouterr().out
    assert "48 rows to learn; answers: good 24, bad 24." in said
    assert "6 choose the best step, 6 others give the final score, 48 are" in said


def test_answers_that_are_too_rare_are_named(tmp_path, capsys):
    rows = [*ROWS, {"id": 60, "review": "so-so", "stars": 2}]
    task = read(write_csv(tmp_path / "d.csv", rows), labels=LABELS | {"2": "okay"})
    assert "okay" in task.train["answer"]
    said = capsys.readouterr().out
    assert "Too rare to be in each of these parts (1 of 3 answers): okay." in said


def test_dev_data_give_the_score_and_it_is_said(data, tmp_path, capsys):
    task = read(data, write_csv(tmp_path / "dev.csv", ROWS[:8]))
    assert [len(task.split(name)) for name in task.splits] == [60, 8, 8]
    said = capsys.readouterr().out
    assert "8 rows of dev.csv choose the best step and all 8 give the" in said


def test_of_many_dev_rows_a_sample_with_the_same_shares_chooses(data, tmp_path):
    """Files are often sorted by label, so the first rows would not do."""
    many = sorted(ROWS * 10, key=lambda row: row["stars"])
    task = read(data, write_csv(tmp_path / "dev.csv", many))
    assert (len(task.dev), len(task.test)) == (200, 600)
    assert list(task.dev["answer"]).count("good") == 100


BAD = {
    "no answer": (
        [*ROWS, {"id": 60, "review": "so-so", "stars": ""}],
        r"1 of 61 rows in train have no answer in 'stars'; the first is row 60",
    ),
    "unknown label": ([*ROWS, ROWS[0] | {"stars": 5}], "label '5' in row 60 of train"),
    "too few": (ROWS[:6], "6 rows are too few"),
    "one answer": (ROWS[::2], "all rows have the answer 'good'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_are_refused(case, tmp_path):
    rows, said = BAD[case]
    with pytest.raises(DataError, match=said):
        read(write_csv(tmp_path / "d.csv", rows))
