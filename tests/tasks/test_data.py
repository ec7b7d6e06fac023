"""The task files that ship: their hashes, splits, answers, wordings and card."""

import collections
import importlib.util
import itertools
import re
import shutil
import tomllib

import pytest
import yaml
from tokenizers import Tokenizer

from ptlearn.files import REPOSITORY, sha256
from ptlearn.lm.load import TOKENIZER_FOLDER
from ptlearn.tasks.task import SPLITS, data_dir, load_task, task_names
from ptlearn.templates.language import Template

DATA = REPOSITORY / "data"
TOKENIZER = TOKENIZER_FOLDER / "tokenizer.json"
EIGHT_WORDINGS = {"city_country", "official_language", "antonym", "movie_sentiment"}
SENTIMENT = {"movie_sentiment", "product_sentiment"}
ALL = [
    "city_country",
    "capital",
    "continent",
    "official_language",
    "currency",
    "nationality",
    "occupation",
    "kind_of",
    "antonym",
    "us_state_capital",
    "element_symbol",
    "movie_sentiment",
    "product_sentiment",
    "topic",
    "word_in_context",
]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_file(str(TOKENIZER))


@pytest.fixture(scope="module")
def derive():
    """data/derive.py as a module; it is a script, so it is not on the path."""
    spec = importlib.util.spec_from_file_location("derive", DATA / "derive.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wrong_files(folder):
    """Files that SHA256SUMS does not list, or whose hash it has otherwise."""
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    listed = {path: digest for digest, path in (line.split("  ") for line in lines)}
    patterns = ("*/*.jsonl", "LICENSES/*")
    there = {
        str(path.relative_to(folder).as_posix())
        for pattern in patterns
        for path in folder.glob(pattern)
        # measured, not derived; and a world of its own, with hashes of its own
        if path.parent.name not in ("results", "worlds")
    }
    altered = {p for p in there & set(listed) if sha256(folder / p) != listed[p]}
    return altered | (there ^ set(listed))


def clashes(answers, tokenizer):
    """Pairs of answers where the ids of one begin the ids of the other."""
    ids = sorted(
        (tokenizer.encode(" " + answer, add_special_tokens=False).ids, answer)
        for answer in answers
    )
    # Sorted, whatever begins with x follows x at once.
    return [
        (a, b)
        for (short, a), (long, b) in itertools.pairwise(ids)
        if long[: len(short)] == short
    ]


def subjects(task, split):
    key = task.inputs[0]
    return set(task.split(split)[key])


# ---------------------------------------------------------------- hashes


def test_every_file_has_the_hash_that_was_written_down():
    assert wrong_files(DATA) == set()


def test_the_hash_check_bites(tmp_path):
    shutil.copytree(DATA, tmp_path / "data")
    folder = tmp_path / "data"
    altered, gone = folder / "capital/dev.jsonl", folder / "antonym/test.jsonl"
    altered.write_text(altered.read_text(encoding="utf-8") + " ", encoding="utf-8")
    gone.unlink()
    (folder / "capital/extra.jsonl").write_text("{}\n")
    assert wrong_files(folder) == {
        "capital/dev.jsonl",
        "antonym/test.jsonl",
        "capital/extra.jsonl",
    }


def test_the_folder_is_of_modest_size():
    tasks = [path for name in ALL for path in (DATA / name).glob("*.jsonl")]
    assert 0 < sum(path.stat().st_size for path in tasks) < 4_000_000
    rows = [path for path in (DATA / "results").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in rows) < 24_000_000


# ---------------------------------------------------------------- rows


def test_all_tasks_are_there():
    assert task_names() == ALL
    assert data_dir() == DATA


@pytest.mark.parametrize("name", ALL)
def test_splits_share_no_subject(name):
    task = load_task(name)
    for one, other in itertools.combinations(SPLITS, 2):
        assert not subjects(task, one) & subjects(task, other)


def test_antonym_pairs_stay_together():
    task = load_task("antonym")
    pairs = {
        split: {frozenset(row.values()) for row in task.split(split)}
        for split in SPLITS
    }
    for one, other in itertools.combinations(SPLITS, 2):
        assert not pairs[one] & pairs[other]


@pytest.mark.parametrize("name", ALL)
def test_sizes_are_60_20_20_with_the_caps(name):
    task = load_task(name)
    sizes = {split: len(task.split(split)) for split in SPLITS}
    total = sum(sizes.values())
    assert sizes["dev"] == pytest.approx(min(200, total / 5), abs=1)
    assert sizes["test"] == pytest.approx(min(500, total / 5), abs=1)
    assert sizes["train"] >= 0.59 * total


@pytest.mark.parametrize("name", ALL)
def test_rows_are_clean(name):
    task = load_task(name)
    columns = [*task.inputs, "answer"]
    seen = set()
    for split in SPLITS:
        assert task.split(split).column_names == columns
        for row in task.split(split):
            values = tuple(row.values())
            assert all(value and value == value.strip() for value in values)
            seen.add(values[:-1])
    assert len(seen) == sum(len(task.split(split)) for split in SPLITS)


def test_at_most_thirty_cities_a_country():
    task = load_task("city_country")
    count = collections.Counter(
        answer for split in SPLITS for answer in task.split(split)["answer"]
    )
    assert max(count.values()) == 30


def test_facts_that_everybody_can_check():
    known = {
        "city_country": ("Osaka", "Japan"),
        "capital": ("France", "Paris"),
        "continent": ("Brazil", "South America"),
        "official_language": ("Poland", "Polish"),
        "currency": ("Japan", "yen"),
        "nationality": ("Isaac Newton", "English"),
        "occupation": ("Giacomo Puccini", "composer"),
        "kind_of": ("spaniel", "dog"),
        "antonym": ("rich", "poor"),
        "us_state_capital": ("Hawaii", "Honolulu"),
        "element_symbol": ("mercury", "Hg"),
    }
    for name, (subject, answer) in known.items():
        task = load_task(name)
        rows = [row for split in SPLITS for row in task.split(split)]
        found = {row["subject"]: row["answer"] for row in rows}
        found |= {key.removeprefix("Sir "): value for key, value in found.items()}
        assert found[subject] == answer


@pytest.mark.parametrize("name", ["topic", "word_in_context"])
def test_balanced_tasks_are_balanced(name):
    task = load_task(name)
    count = collections.Counter(a for s in SPLITS for a in task.split(s)["answer"])
    assert max(count.values()) - min(count.values()) <= 4


def test_a_word_has_as_many_same_as_different_pairs():
    count = collections.Counter()
    for split in SPLITS:
        for row in load_task("word_in_context").split(split):
            count[row["word"]] += 1 if row["answer"] == "yes" else -1
    assert set(count.values()) == {0}


@pytest.mark.parametrize("name", ALL)
def test_no_answer_begins_another(name, tokenizer):
    assert clashes(load_task(name).answers, tokenizer) == []


def test_the_prefix_check_bites(tokenizer):
    assert clashes(["Paris", "Guinea", "Guinea-Bissau"], tokenizer) == [
        ("Guinea", "Guinea-Bissau")
    ]


# ---------------------------------------------------------------- wordings


@pytest.mark.parametrize("name", ALL)
def test_wordings_parse_and_use_the_columns(name):
    task = load_task(name)
    assert len(task.prompts) >= (8 if name in EIGHT_WORDINGS else 4)
    assert len(set(task.prompts)) == len(task.prompts)
    for text in task.prompts:
        assert set(Template(text).fields) == set(task.inputs)
        assert text.endswith(" {answer}")  # last, and led by a space


@pytest.mark.parametrize("name", ALL)
def test_texts_about_a_task_are_there(name):
    task = load_task(name)
    assert task.title and task.description and task.licence


# ---------------------------------------------------------------- the card


def card():
    _, header, body = (DATA / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(header), body


@pytest.mark.parametrize("name", ALL)
def test_load_dataset_reads_every_config(name, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    found = datasets.load_dataset(str(DATA), name, cache_dir=str(tmp_path))
    task = load_task(name)
    assert list(found) == list(SPLITS)
    for split in SPLITS:
        assert found[split].to_list() == task.split(split).to_list()


def test_the_card_names_every_task():
    header, _ = card()
    assert [config["config_name"] for config in header["configs"]] == ALL


@pytest.mark.parametrize("name", ALL)
def test_the_card_has_the_right_numbers(name):
    _, body = card()
    task = load_task(name)
    count = collections.Counter(a for s in SPLITS for a in task.split(s)["answer"])
    most = count.most_common(1)[0][1] / count.total()
    line = next(line for line in body.splitlines() if line.startswith(f"| `{name}`"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    sizes = [str(len(task.split(split))) for split in SPLITS]
    assert cells[1:6] == [task.description, *sizes, str(len(task.answers))]
    assert cells[6].endswith(f" {most:.1%}")


def test_the_card_has_the_hashes_of_the_sources(derive):
    _, body = card()
    hashes = {sha256 for _, sha256, _ in derive.SOURCES.values()}
    assert set(re.findall(r"\b[0-9a-f]{64}\b", body)) == hashes


def test_notices_hold_what_the_licences_ask_for():
    notice = (DATA / "NOTICE.md").read_text(encoding="utf-8")
    for words in ("GeoNames", "licenses/by/4.0", "Unicode, Inc.", "Hutto", "Princeton"):
        assert words in notice
    wordnet = (DATA / "LICENSES/WordNet-3.0.txt").read_text(encoding="utf-8")
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in wordnet
    assert "LICENSEE agrees to preserve same" in wordnet


# ---------------------------------------------------------------- derive.py


def test_split_keeps_groups_together_and_repeats_itself(derive):
    rows = [
        {"subject": f"s{i}", "answer": "a", "group": f"g{i // 3}"} for i in range(300)
    ]
    parts = derive.split("toy", [dict(row) for row in rows])
    assert parts == derive.split("toy", [dict(row) for row in reversed(rows)])
    assert {name: len(found) for name, found in parts.items()} == {
        "train": 180,
        "dev": 60,
        "test": 60,
    }
    place = {row["subject"]: name for name, found in parts.items() for row in found}
    for i in range(0, 300, 3):
        assert place[f"s{i}"] == place[f"s{i + 1}"] == place[f"s{i + 2}"]


def test_of_two_clashing_answers_the_commoner_stays(derive, tokenizer):
    rows = [{"subject": str(i), "answer": "Guinea"} for i in range(3)]
    rows.append({"subject": "9", "answer": "Guinea-Bissau"})
    kept = derive.without_prefixes(rows, tokenizer)
    assert {row["answer"] for row in kept} == {"Guinea"}


def test_a_subject_with_two_answers_is_dropped(derive):
    rows = [
        {"subject": "light", "answer": "dark"},
        {"subject": "light", "answer": "heavy"},
        {"subject": "rich", "answer": "poor"},
        {"subject": "rich", "answer": "poor"},
    ]
    assert derive.without_doubles(rows) == [{"subject": "rich", "answer": "poor"}]


def test_derive_refuses_a_source_with_another_hash(derive, tmp_path):
    for file, _, _ in derive.SOURCES.values():
        (tmp_path / file).write_bytes(b"not the package")
    with pytest.raises(SystemExit, match="SHA-256 is .* expected b830e894"):
        derive.fetch(tmp_path)


def test_choices_are_still_of_use():
    choices = tomllib.loads((DATA / "choices.toml").read_text(encoding="utf-8"))
    task = load_task("city_country")
    cities = {city for split in SPLITS for city in task.split(split)["subject"]}
    assert not cities & set(choices["districts"])
    assert set(load_task("kind_of").answers) == set(choices["kinds"])
