"""The faulty file of lesson 10 has the faults that it is to have."""

import csv

import pandas as pd
import pytest

import ptlearn as pt
from ptlearn.course import feedback
from ptlearn.errors import DataError


@pytest.fixture
def path(tmp_path):
    return feedback.write(tmp_path / "f.csv")


def test_one_seed_gives_one_file(path, tmp_path):
    again = feedback.write(tmp_path / "again.csv")
    other = feedback.write(tmp_path / "other.csv", 1)
    assert path.read_bytes() == again.read_bytes() != other.read_bytes()


def test_the_file_begins_with_a_mark_and_breaks_a_quote(path):
    assert path.read_bytes().startswith(b"\xef\xbb\xbfcustomer")
    with pytest.raises(DataError, match="a quote opens a cell here"):
        pt.Task.from_rows(path, answer_column="label")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_all_faults_of_rows_are_in_it(tmp_path, seed):
    path = feedback.write(tmp_path / "f.csv", seed, broken_quote=False)
    with open(path, encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.reader(file))) == len(feedback.faulty_rows(seed)) + 1
    frame = pd.read_csv(path, dtype=str)
    labels = frame["label"].str.strip().str.lower()
    assert (
        set(frame["label"].dropna()) > {"positive", "negative"} == set(labels.dropna())
    )
    assert frame["label"].isna().sum() == 3
    text = frame["text"].str.strip()
    assert (text == "").sum() == 1 and text.str.len().max() > 30_000
    key = text.str.lower()
    assert key.duplicated().sum() == 9
    assert (labels.groupby(key).nunique() > 1).sum() == 1


def test_clean_rows_are_balanced_and_each_is_there_once():
    frame = pd.DataFrame(feedback.clean_rows())
    assert frame["label"].value_counts().tolist() == [32, 32]
    assert frame["text"].str.lower().is_unique
    assert frame["customer"].value_counts().max() == 3
