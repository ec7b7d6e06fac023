"""Draws that must never change: the rows of stored studies and lessons came from them.

Each hash is that of the draw with which the first stored rows were made.
"""

import pytest

import ptlearn as pt
from ptlearn.files import short_hash
from ptlearn.tasks.sampling import _draw_folds

STORED = {
    "city_country": ("3502017600271248", "33ab298a67953513"),
    "continent": ("c5f34a63f10f2212", "2c4242e70f628267"),
    "official_language": ("f7d70d5f52f6abf1", "7464ec72335a642d"),
    "currency": ("73b24626af4d0151", "7a6ed4252b8f0919"),
    "nationality": ("5200aa2faa7ac126", "fbf24dd45a772985"),
    "occupation": ("3b4835f9da779094", "397e8b08a2aae1d7"),
    "kind_of": ("04e4a0199cf24956", "2585e89e378c1988"),
    "movie_sentiment": ("2a26d02b13d2d2db", "6f4a187c39ebe7de"),
    "product_sentiment": ("b9bf660a02813c71", "b0b10f658131b271"),
    "topic": ("75f79945d3720d43", "7e5131618e180f81"),
    "word_in_context": ("7cc889f54b738fe2", "8e30fb3dd30a25ab"),
}
"""The folds of all rows, and ``split_rows`` of the first 120."""


def hash_of(draw) -> str:
    return short_hash(repr(draw))


@pytest.mark.parametrize("name", STORED)
def test_folds_and_whole_groups_of_our_tasks(name):
    task = pt.load_task(name)
    answers = [a for split in task.splits for a in task.split(split)["answer"]]
    rows = task.train.to_list()[:120]
    parts = pt.tasks.split_rows(rows, task.inputs[0])
    assert (hash_of(_draw_folds(answers, 5)), hash_of(parts)) == STORED[name]


def test_the_splits_that_are_made_of_folds():
    task = pt.load_task("continent")
    folds = [pt.tasks.cv_split(task, fold) for fold in range(5)]
    rows = [one.split(s).to_list() for one in folds for s in ("train", "dev", "test")]
    assert hash_of(rows) == "0d28442e5a553db8"


@pytest.mark.parametrize(
    ("options", "drawn"),
    [
        ({"dev": 0.2, "test": 0.3}, "1ebf4cd1267c2955"),
        ({"dev": 0.1, "test": 0.1}, "eb24f43914fd8f3b"),
        ({"dev": 0.25, "test": 0.25}, "b101f77d6837bf77"),
        ({"dev": 0.05, "test": 0.5}, "2e364007baca29d7"),
        ({"dev": 0.3, "test": 0.33, "seed": 3}, "255bea6a64bffbab"),
    ],
)
def test_shares_that_one_part_comes_near_to(options, drawn):
    rows = pt.load_task("topic").train.to_list()[:120]
    assert hash_of(pt.tasks.split_rows(rows, "text", **options)) == drawn


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n", "drawn"),
    [
        ("movie_sentiment", 16, "5a236b0d85ae029a"),
        ("movie_sentiment", 32, "444eb37b220e87e3"),
        ("movie_sentiment", 64, "0f8cff12b894f1a8"),
        ("product_sentiment", 32, "98b5d2180ef63366"),
        ("word_in_context", 32, "a67415924c58edaa"),
        ("topic", 16, "1f6d0c0ea8ecb2f9"),
        ("topic", 32, "d352581b3dda352a"),
        ("topic", 64, "111de0a27a5ff2e8"),
        ("continent", 18, "a8ef0a322f62ab6d"),
    ],
)
def test_few_rows_with_as_many_of_each_answer(name, n, drawn):
    task = pt.load_task(name)
    few = [pt.tasks.few_rows(task, n, seed) for seed in range(5)]
    rows = [one.split(s).to_list() for one in few for s in ("train", "dev")]
    assert hash_of(rows) == drawn
