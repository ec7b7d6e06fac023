"""Tasks of one's own, and what bad data is told."""

import json
import os
import subprocess
import sys

import pytest

from ptlearn.errors import DataError
from ptlearn.files import REPOSITORY
from ptlearn.tasks import shipped
from ptlearn.tasks.task import Task, load_task, task_names

FACTS = [
    {"subject": "Osaka", "answer": "Japan"},
    {"subject": "Lyon", "answer": "France"},
    {"subject": "Kyoto", "answer": "Japan"},
]
REVIEWS = [
    {"text": "A joy.", "stars": 5, "label": 1},
    {"text": "A bore.", "stars": 1, "label": 0},
]
WORDS = {0: "negative", 1: "positive"}


def error(call, *args, **options):
    with pytest.raises(DataError) as caught:
        call(*args, **options)
    return str(caught.value)


# ---------------------------------------------------------------- tasks that ship


def test_load_task_gives_splits_answers_and_wordings():
    task = load_task("city_country")
    assert task.name == "city_country"
    assert task.inputs == ["subject"]
    assert task.splits == ["train", "dev", "test"]
    assert task.train.column_names == ["subject", "answer"]
    assert "Japan" in task.answers
    assert task.prompts[0] == "{subject} is located in the country of {answer}"
    assert "GeoNames" in task.licence
    assert repr(task).startswith("Task('city_country': 439 train")


@pytest.mark.slow
def test_loading_does_not_depend_on_the_working_directory(tmp_path):
    code = "from ptlearn.tasks import load_task; print(len(load_task('capital').test))"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "36\n"


def test_an_installed_package_reads_its_own_copy(tmp_path, monkeypatch):
    package = tmp_path / "ptlearn"
    (package / "_data" / "toy").mkdir(parents=True)
    (package / "_data" / "tasks.toml").write_text('[toy]\ntitle = "Toy"\n')
    for split in ("train", "dev", "test"):
        rows = "".join(json.dumps(row) + "\n" for row in FACTS)
        (package / "_data" / "toy" / f"{split}.jsonl").write_text(rows)
    monkeypatch.setattr(shipped, "PACKAGE", package)
    assert task_names() == ["toy"]
    assert load_task("toy").answers == ["France", "Japan"]


def test_missing_task_files_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path)
    monkeypatch.setattr(shipped, "REPOSITORY", tmp_path)
    assert "install ptlearn again" in error(load_task, "capital")


def test_unknown_task_names_close_ones():
    message = error(load_task, "cty_country")
    assert "no task is called 'cty_country'. Did you mean 'city_country'?" in message
    assert "word_in_context" in message
    assert "Task.from_rows" in error(load_task, "my/rows.csv")


def test_importing_tasks_waits_for_nothing_heavy():
    code = (
        "import sys, ptlearn.tasks;"
        "print([m for m in ('torch', 'datasets', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"


# ---------------------------------------------------------------- rows of one's own


def written(tmp_path, kind):
    import pandas as pd

    path, table = tmp_path / f"rows.{kind}", pd.DataFrame(FACTS)
    if kind == "csv":
        table.to_csv(path, index=False)
    elif kind == "tsv":
        table.to_csv(path, index=False, sep="\t")
    elif kind == "jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_json(path, orient="records")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json"])
@pytest.mark.parametrize("as_text", [True, False])
def test_files(tmp_path, kind, as_text):
    path = written(tmp_path, kind)
    task = Task.from_rows(str(path) if as_text else path)
    assert task.train.to_list() == FACTS


def test_rows_frames_and_datasets_give_the_same():
    import datasets
    import pandas as pd

    kinds = [
        FACTS,
        tuple(FACTS),
        pd.DataFrame(FACTS),
        datasets.Dataset.from_list(FACTS),
    ]
    for rows in kinds:
        task = Task.from_rows(rows, test=rows, name="towns", prompts=["{answer}"])
        assert task.train.to_list() == task.test.to_list() == FACTS
        assert task.answers == ["France", "Japan"]
        assert (task.name, task.title, task.prompts) == ("towns", "towns", ["{answer}"])


def test_a_dataset_dict_is_a_task():
    import datasets

    rows = datasets.Dataset.from_list(FACTS)
    splits = datasets.DatasetDict(train=rows, validation=rows)
    for task in (load_task(splits), Task.from_dataset(splits)):
        assert task.splits == ["train", "dev"]
        assert task.dev.to_list() == FACTS


def test_values_become_text_and_the_answer_is_renamed():
    import pandas as pd

    for rows in (REVIEWS, pd.DataFrame(REVIEWS)):
        task = Task.from_rows(rows, answer_column="label", labels=WORDS)
        assert task.inputs == ["text", "stars"]
        assert task.train[0] == {"text": "A joy.", "stars": "5", "answer": "positive"}


def test_zero_is_an_answer():
    rows = [{"text": "a", "answer": 0}, {"text": "b", "answer": 1}]
    for answers in (None, [0, 1], ["0", "1"]):
        task = Task.from_rows(rows, answers=answers)
        assert task.answers == ["0", "1"]
        assert list(task.train["answer"]) == ["0", "1"]


def test_each_answer_is_kept_once_in_order():
    task = Task.from_rows(FACTS, answers=["Japan", "France", "Japan", " France"])
    assert task.answers == ["Japan", "France"]


def test_labels_of_a_csv_are_text(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\nA joy.,1\nA bore.,0\n")
    task = Task.from_rows(path, answer_column="label", labels=WORDS)
    assert task.train["answer"] == ["positive", "negative"]


def test_a_csv_is_read_as_it_is_written(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes('﻿code,answer\r\n007,NA\r\n"a, b","x\ny"\r\n'.encode())
    rows = Task.from_rows(path).train.to_list()
    assert rows == [{"code": "007", "answer": "NA"}, {"code": "a, b", "answer": "x\ny"}]


def test_whole_numbers_stay_whole_where_one_is_missing():
    import pandas as pd

    table = pd.DataFrame({"year": [1990, None], "answer": ["a", "b"]})
    assert Task.from_rows(table).train["year"] == ["1990", ""]


def test_class_labels_are_known_by_their_names():
    import datasets

    label = datasets.ClassLabel(names=["bad", "good"])
    features = datasets.Features(text=datasets.Value("string"), label=label)
    rows = [{"text": "A joy.", "label": 1}, {"text": "A bore.", "label": 0}]
    rows = datasets.Dataset.from_list(rows, features=features)
    task = Task.from_rows(rows, answer_column="label")
    assert task.train["answer"] == ["good", "bad"]
    task = Task.from_rows(rows, answer_column="label", labels=WORDS)
    assert task.train["answer"] == ["positive", "negative"]


def test_columns_of_objects_are_left_out():
    rows = [{"text": "a", "tokens": [1, 2], "answer": "x"}]
    assert Task.from_rows(rows).inputs == ["text"]


# ---------------------------------------------------------------- copies of a task


def test_with_rows_replaces_a_split_only_in_the_copy():
    task = Task.from_rows(FACTS)
    copy = task.with_rows(train=FACTS[:1], dev=FACTS[1:])
    assert (len(copy.train), len(copy.dev), len(task.train)) == (1, 2, 3)
    assert copy.answers == task.answers
    assert "Spain" in error(task.with_rows, dev=[FACTS[0] | {"answer": "Spain"}])
    assert "no split is called 'tests'" in error(task.with_rows, tests=FACTS)
    assert "no column 'subject' in dev" in error(
        task.with_rows, dev=[{"city": "Nara", "answer": "Japan"}]
    )


def test_few_shot_is_stratified_and_seeded():
    task = load_task("movie_sentiment")
    few = task.few_shot(16, seed=0)
    answers = few.train["answer"]
    assert len(answers) == 32 and answers.count("positive") == 16
    assert few.train.to_list() == task.few_shot(16, seed=0).train.to_list()
    assert few.train.to_list() != task.few_shot(16, seed=1).train.to_list()
    assert few.test.to_list() == task.test.to_list()
    assert len(Task.from_rows(FACTS).few_shot(2, seed=0).train) == 3
    assert "not 0" in error(task.few_shot, 0, seed=0)


def test_head_is_the_first_rows():
    task = load_task("movie_sentiment")
    assert task.head().test.to_list() == task.test.to_list()[:200]
    assert len(task.head("dev", 5).dev) == 5
    assert len(Task.from_rows(FACTS).head("train", 99).train) == 3
    assert "not 0" in error(task.head, n=0)


# ---------------------------------------------------------------- what bad data is told


def test_a_split_that_was_not_given():
    task = Task.from_rows(FACTS, name="towns")
    with pytest.raises(DataError) as caught:
        _ = task.dev
    assert "task towns was given no dev split, only train" in str(caught.value)
    assert "no split is called 'validation'" in error(task.split, "validation")
    assert "no rows at all" in error(Task.from_rows, None)


def test_missing_answer_column_names_those_there_are():
    message = error(Task.from_rows, FACTS, answer_column="anser")
    assert "no column 'anser' in train. Did you mean 'answer'?" in message
    assert "It has: subject, answer" in message
    message = error(Task.from_rows, FACTS, [{"subject": "Nara"}])
    assert "no column 'answer' in dev" in message


def test_missing_input_column_names_those_there_are():
    message = error(Task.from_rows, FACTS, [{"city": "Nara", "answer": "Japan"}])
    assert "no column 'subject' in dev" in message and "city, answer" in message
    message = error(Task.from_rows(FACTS).check_columns, ["subject", "subjct"])
    assert "no column 'subjct' in task my-task. Did you mean 'subject'?" in message
    Task.from_rows(FACTS).check_columns(["subject", "answer"])


def test_empty_split(tmp_path):
    assert "the dev split is empty" in error(Task.from_rows, FACTS, [])
    path = tmp_path / "rows.csv"
    for text in ("", "subject,answer\n"):
        path.write_text(text)
        assert "the train split is empty" in error(Task.from_rows, path)


@pytest.mark.parametrize("value", ["", "  ", None, float("nan"), ["Japan"]])
def test_rows_without_an_answer_are_counted(value):
    rows = [*FACTS, {"subject": "Nara", "answer": value}, {"subject": "Uji"}]
    message = error(Task.from_rows, rows)
    assert "2 of 5 rows in train have no answer" in message
    assert "row 3: {'subject': 'Nara'" in message


def test_unknown_label():
    rows = [*REVIEWS, {"text": "Hm.", "stars": 3, "label": 2}]
    message = error(Task.from_rows, rows, answer_column="label", labels=WORDS)
    assert "label '2' in row 2 of train" in message and "'0', '1'" in message


def test_an_answer_outside_the_given_ones():
    message = error(Task.from_rows, FACTS, answers=["Japan"])
    assert "1 of 3 rows in train" in message and "'France' in row 1" in message


def test_two_answer_columns():
    rows = [{"answer": "a", "label": "b"}]
    assert "besides 'label'" in error(Task.from_rows, rows, answer_column="label")


def test_rows_that_are_no_rows():
    assert "row 0 of train is 'Osaka', not a dict" in error(Task.from_rows, ["Osaka"])
    assert "train is 7; give a list of dicts" in error(Task.from_rows, 7)


@pytest.mark.parametrize("answer", ["", None, ["Japan"]])
def test_answers_that_are_none(answer):
    message = error(Task.from_rows, FACTS, answers=["Japan", answer])
    assert f"{answer!r} cannot be an answer" in message


def test_unknown_split_names():
    message = error(Task.from_dataset, {"train": FACTS, "unsupervised": FACTS})
    assert "no split is called 'unsupervised'" in message and "validation" in message
    message = error(Task.from_dataset, {"dev": FACTS, "validation": FACTS})
    assert "two splits are both dev" in message


# ---------------------------------------------------------------- label words


def test_label_words_stand_for_the_answers_in_every_split():
    task = Task.from_rows(
        REVIEWS, test=REVIEWS[:1], answer_column="label", labels=WORDS
    )
    new = task.with_label_words({"positive": "great", "negative": " terrible"})
    assert new.answers == ["terrible", "great"]
    assert list(new.train["answer"]) == ["great", "terrible"]
    assert list(new.test["answer"]) == ["great"]
    assert new.train.column_names == task.train.column_names
    assert list(task.train["answer"]) == ["positive", "negative"], "a copy"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"positive": "great"}, "'negative' of task my-task has no label word"),
        ({"positive": "great", "negative": " "}, "'negative' of task my-task has no"),
        ({"positive": "bad", "negative": "bad"}, "'bad' stands for both 'negative'"),
        (
            {"positiv": "great", "negative": "bad"},
            "'positiv' is no answer of task my-task. Did you mean 'positive'? Its",
        ),
    ],
)
def test_wrong_label_words_are_told(words, said):
    task = Task.from_rows(REVIEWS, answer_column="label", labels=WORDS)
    assert said in error(task.with_label_words, words)


def test_a_column_with_a_nul_in_its_name_is_refused():
    assert "the column 'te\\x00t' of train holds a NUL" in error(
        Task.from_rows, [*FACTS, {"te\0t": "a", "subject": "b", "answer": "Japan"}]
    )
