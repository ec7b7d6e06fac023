"""Holding out rows: every row in one split, every answer with its share."""

from collections import Counter

import pytest

import ptlearn as pt
from ptlearn.errors import DataError
from ptlearn.tasks.sampling import cv_split, draw_evenly, few_rows, hold_out
from ptlearn.tasks.task import SPLITS, Task


def task_of(**counts):
    """Rows sorted by answer, as files often are."""
    rows = [
        {"text": f"{answer} {i}", "answer": answer}
        for answer, count in counts.items()
        for i in range(count)
    ]
    return Task.from_rows(rows)


CASES = {
    "10,000 rows": {"a": 7000, "b": 2500, "c": 499, "d": 1},
    "few rows": {"a": 12, "b": 10},
    "rare answers": {"a": 30, "b": 2, "c": 1, "d": 1},
    "many answers": {f"country {i}": 1 + i % 5 for i in range(100)},
}


@pytest.mark.parametrize("case", CASES)
def test_every_row_lands_in_exactly_one_split(case):
    task = task_of(**CASES[case])
    split = hold_out(task)
    texts = [text for name in SPLITS for text in split.split(name)["text"]]
    assert sorted(texts) == sorted(task.train["text"])
    assert split.answers == task.answers


@pytest.mark.parametrize("case", CASES)
def test_answers_keep_their_shares_and_all_are_learnt(case):
    split = hold_out(task_of(**CASES[case]))
    counts, total = CASES[case], sum(CASES[case].values())
    for name in ("dev", "test"):
        rows, found = split.split(name), Counter(split.split(name)["answer"])
        for answer, count in counts.items():
            assert found[answer] == pytest.approx(count * len(rows) / total, abs=1.5)
    assert set(split.train["answer"]) == set(counts)


def test_sizes():
    sizes = [len(hold_out(task_of(a=5000, b=5000)).split(name)) for name in SPLITS]
    assert sizes == [9300, 200, 500]
    sizes = [len(hold_out(task_of(a=30, b=30)).split(name)) for name in SPLITS]
    assert sizes == [48, 6, 6]


def test_the_same_rows_are_split_alike():
    first, second = (hold_out(task_of(a=30, b=30)) for _ in range(2))
    for name in SPLITS:
        assert first.split(name).to_list() == second.split(name).to_list()


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"a": 10, "b": 9}, "19 rows are too few to hold some out"),
        ({f"x{i}": 1 for i in range(20)}, "20 different answers in 20 rows"),
    ],
)
def test_too_little_to_hold_out(counts, said):
    with pytest.raises(DataError, match=said):
        hold_out(task_of(**counts))


def test_a_draw_takes_each_answer_in_proportion():
    answers = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    drawn = draw_evenly(answers, 10)
    assert Counter(answers[i] for i in drawn) == {"a": 6, "b": 3, "c": 1}
    assert draw_evenly(answers, 100) == list(range(100))


# Cross-validation and few rows


def test_over_all_folds_each_row_is_a_test_row_once():
    task = hold_out(task_of(a=40, b=25, c=7, d=2))
    tested = []
    for fold in range(5):
        split = cv_split(task, fold)
        rows = {name: split.split(name)["text"] for name in SPLITS}
        assert sum(len(part) for part in rows.values()) == 74
        assert len(set().union(*rows.values())) == 74, "no row in two splits"
        assert Counter(split.test["answer"])["a"] == 8
        tested += rows["test"]
    assert len(tested) == len(set(tested)) == 74


def test_the_dev_rows_of_a_fold_are_the_test_rows_of_the_next():
    task = hold_out(task_of(a=20, b=20))
    for fold in range(5):
        after = cv_split(task, (fold + 1) % 5)
        assert cv_split(task, fold).dev["text"] == after.test["text"]


def test_folds_are_always_the_same():
    task = hold_out(task_of(a=20, b=20))
    assert cv_split(task, 2).test["text"] == cv_split(task, 2).test["text"]


@pytest.mark.parametrize(("fold", "of"), [(5, 5), (-1, 5), (0, 2)])
def test_a_fold_that_is_not_there_is_refused(fold, of):
    with pytest.raises(DataError, match=f"not fold {fold} of {of}"):
        cv_split(hold_out(task_of(a=20, b=20)), fold, of=of)


@pytest.mark.parametrize("counts", [{"a": 3, "b": 3, "c": 3}, CASES["many answers"]])
def test_folds_of_answers_that_are_all_rarer_than_folds(counts):
    counts = {answer: min(count, 4) for answer, count in counts.items()}
    tested = [cv_split(task_of(**counts), fold).test["text"] for fold in range(5)]
    sizes = [len(texts) for texts in tested]
    assert max(sizes) - min(sizes) <= 1
    assert len(set().union(*tested)) == sum(sizes) == sum(counts.values())


def test_few_rows_to_learn_and_as_many_others_to_choose_by():
    task = task_of(a=50, b=30, c=20)
    few = few_rows(task, 12, seed=1)
    learnt, chosen = few.train["text"], few.dev["text"]
    assert len(learnt) == len(chosen) == 12 and not set(learnt) & set(chosen)
    for split in (few.train, few.dev):
        assert Counter(split["answer"]) == {"a": 4, "b": 4, "c": 4}
    assert few_rows(task, 12, seed=1).train["text"] == learnt
    assert few_rows(task, 12, seed=2).train["text"] != learnt


def test_the_seed_draws_which_answers_get_a_row_more():
    task, more = task_of(a=20, b=20, c=20, d=20), set()
    for seed in range(20):
        few = few_rows(task, 5, seed)
        learnt, chosen = Counter(few.train["answer"]), Counter(few.dev["answer"])
        assert learnt == chosen and sorted(learnt.values()) == [1, 1, 1, 2]
        assert not set(few.train["text"]) & set(few.dev["text"])
        more |= {max(learnt, key=learnt.get)}
    assert more == set("abcd")


def test_with_more_answers_than_rows_none_is_always_left_out():
    task, met = task_of(**{f"x{i:02}": 6 for i in range(48)}), set()
    for seed in range(10):
        few = few_rows(task, 32, seed)
        assert len(set(few.train["answer"])) == 32
        assert few.train["answer"] == few.dev["answer"]
        met |= set(few.train["answer"])
    assert met == set(task.answers)


@pytest.mark.parametrize(
    ("counts", "n"),
    [
        ({"a": 5, "b": 5}, 5),
        ({f"x{i}": 1 for i in range(30)}, 15),
        ({"a": 9, "b": 1}, 1),
    ],
)
def test_odd_rows_are_drawn_too_where_they_are_needed(counts, n):
    few = few_rows(task_of(**counts), n, seed=0)
    drawn = few.train["text"][:] + few.dev["text"][:]
    assert len(few.train) == len(few.dev) == n and len(set(drawn)) == 2 * n


@pytest.mark.parametrize(("n", "said"), [(0, "must be 1 or more"), (60, "cannot be")])
def test_rows_that_cannot_be_drawn_evenly_are_refused(n, said):
    with pytest.raises(DataError, match=said):
        few_rows(task_of(a=50, b=30), n, seed=0)


# --- whole groups -----------------------------------------------------------


def grouped(n=60):
    return [
        {"text": str(i), "who": f"w{i // 3}", "label": "ab"[i // 3 % 2]}
        for i in range(n)
    ]


def test_no_group_is_in_two_splits_and_no_row_is_lost():
    parts = pt.tasks.split_rows(grouped(), "who", answer_column="label")
    groups = [{row["who"] for row in rows} for rows in parts.values()]
    assert not (groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2])
    texts = [row["text"] for rows in parts.values() for row in rows]
    assert sorted(texts) == sorted(row["text"] for row in grouped())
    for name in ("dev", "test"):
        assert 9 <= len(parts[name]) <= 15
        assert {row["label"] for row in parts[name]} == {"a", "b"}


def test_the_seed_draws_the_groups():
    first, again, other = (
        pt.tasks.split_rows(grouped(), "who", answer_column="label", seed=seed)
        for seed in (0, 0, 1)
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "whom"}, "no column 'whom'"),
        ({"answer_column": "verdict"}, "no column 'verdict'"),
        ({"dev": 0.01}, "dev must be a share"),
        ({"test": 0.9}, "test must be a share"),
        ({"dev": 0.5, "test": 0.5}, "dev=0.5 and test=0.5 leave no rows to learn"),
    ],
)
def test_what_cannot_be_split_by_group_is_refused(options, message):
    given = {"group": "who", "answer_column": "label"} | options
    with pytest.raises(DataError, match=message):
        pt.tasks.split_rows(grouped(), **given)


def test_too_few_groups_are_refused():
    with pytest.raises(DataError, match="2 different values of 'who' are too few"):
        pt.tasks.split_rows(grouped(6), "who", answer_column="label")


@pytest.mark.parametrize(
    ("dev", "test"),
    [(0.4, 0.5), (0.2, 0.4), (0.4, 0.2), (0.4, 0.4), (0.1, 0.45), (0.5, 0.4)],
)
def test_shares_come_near_to_what_was_asked(dev, test):
    rows = [
        {"who": f"w{i // 2}", "answer": "ab"[i // 2 % 5 == 0], "n": i}
        for i in range(200)
    ]
    parts = pt.tasks.split_rows(rows, "who", dev=dev, test=test)
    for name, share in (("dev", dev), ("test", test)):
        assert len(parts[name]) / 200 == pytest.approx(share, abs=0.051)
        rare = Counter(row["answer"] for row in parts[name])["b"]
        assert rare / len(parts[name]) == pytest.approx(0.2, abs=0.05)
    assert sorted(row["n"] for part in parts.values() for row in part) == [*range(200)]


def test_each_share_gets_a_group_where_there_are_few():
    rows = [{"who": str(i % 4), "answer": "a", "n": i} for i in range(40)]
    parts = pt.tasks.split_rows(rows, "who", dev=0.4, test=0.5)
    assert [len(rows) for rows in parts.values()] == [10, 10, 20]


def test_groups_are_drawn_where_each_row_has_its_own_answer():
    rows = [{"who": f"w{i // 2}", "answer": f"x{i}"} for i in range(40)]
    first, other = (pt.tasks.split_rows(rows, "who", seed=seed) for seed in (0, 1))
    assert [len(rows) for rows in first.values()] == [24, 8, 8]
    assert first != other


@pytest.mark.parametrize("value", [None, float("nan"), "", " "])
@pytest.mark.parametrize("column", ["who", "label"])
def test_a_row_without_a_group_or_an_answer_is_refused(column, value):
    rows = grouped()
    rows[7][column] = value
    with pytest.raises(DataError, match=f"1 of 60 .* '{column}'; the first is row 7"):
        pt.tasks.split_rows(rows, "who", answer_column="label")
    del rows[7][column]
    with pytest.raises(DataError, match=f"nothing in '{column}'"):
        pt.tasks.split_rows(rows, "who", answer_column="label")


def test_rows_are_named_by_what_is_in_them():
    rows = [{"text": "x", "answer": "a"}, {"text": "y", "answer": "b"}]
    names = [
        pt.tasks.content_hash(task)
        for task in (
            pt.Task.from_rows(rows),
            pt.Task.from_rows(rows, name="other"),
            pt.Task.from_rows(rows[::-1]),
            pt.Task.from_rows(rows, answers=["a", "b", "c"]),
            pt.Task.from_rows(rows, rows),
        )
    ]
    assert names[0] == names[1] and len(set(names)) == 4
