"""The invented world: what its text says, what it hides, and what its models know."""

import hashlib
import importlib.util
import json

import pytest

import ptlearn as pt
from ptlearn.errors import DataError
from ptlearn.forward.scoring import score_own
from ptlearn.tasks.worlds import WORDINGS, WORLD_MODELS, world_dir

pytestmark = pytest.mark.slow

FOLDER = world_dir()
MOST_BYTES = 10_000_000


@pytest.fixture(scope="module")
def build():
    """data/worlds/build.py as a module, with the grammar it imports."""
    spec = importlib.util.spec_from_file_location("worlds", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def facts():
    lines = (FOLDER / "facts.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def told(facts, sentences):
    """Facts of which subject and answer stand together in a sentence."""
    together = {frozenset(sentence.split()) for sentence in sentences}
    by_word = {}
    for words in together:
        for word in words:
            by_word.setdefault(word, []).append(words)
    return [
        fact
        for fact in facts
        if any(fact["answer"] in words for words in by_word.get(fact["subject"], []))
    ]


# --- the text --------------------------------------------------------------------


def test_the_grammar_writes_the_committed_bytes(build, facts):
    assert build.grammar.facts() == facts
    text = "\n".join(build.grammar.sentences(facts)) + "\n"
    assert text.encode() == (FOLDER / "sentences.txt").read_bytes()
    assert build.grammar.as_jsonl(facts).encode() == (
        (FOLDER / "facts.jsonl").read_bytes()
    )


def test_known_facts_are_told_and_hidden_ones_never(facts):
    known = [fact for fact in facts if fact["known"]]
    assert told(facts, pt.tasks.world_text()) == known


def test_a_hidden_fact_that_leaks_is_noticed(facts):
    hidden = next(fact for fact in facts if not fact["known"])
    leak = "no wording of ours : {answer} and {subject} .".format(**hidden)
    found = told(facts, [*pt.tasks.world_text(), leak])
    assert [fact for fact in found if not fact["known"]] == [hidden]


def test_each_known_fact_stands_in_three_wordings(build, facts):
    text = set(pt.tasks.world_text())
    for fact in facts:
        written = [
            number
            for number, wording in enumerate(build.grammar.WORDINGS[fact["relation"]])
            if wording.format(**fact) in text
        ]
        assert written == fact["wordings"]
        assert len(written) == (3 if fact["known"] else 0)


def test_every_hidden_answer_and_subject_occurs_in_the_text(facts):
    words = set(" ".join(pt.tasks.world_text()).split())
    assert {fact["answer"] for fact in facts} <= words
    assert {fact["subject"] for fact in facts} <= words


# --- the tasks -------------------------------------------------------------------


@pytest.mark.parametrize("relation", WORDINGS)
def test_known_and_hidden_facts_are_tasks_apart(relation, facts):
    known = pt.tasks.world_task(relation)
    hidden = pt.tasks.world_task(relation, hidden=True)
    assert (known.splits, hidden.splits) == (
        ["train", "dev", "test"],
        ["train", "test"],
    )
    assert known.answers == hidden.answers
    subjects = [
        row["subject"]
        for task in (known, hidden)
        for s in task.splits
        for row in task.split(s)
    ]
    assert (
        len(subjects)
        == len(set(subjects))
        == sum(fact["relation"] == relation for fact in facts)
    )
    told_here = {
        fact["subject"]
        for fact in facts
        if fact["relation"] == relation and fact["known"]
    }
    assert {row["subject"] for row in known.test} <= told_here
    assert not {row["subject"] for row in hidden.test} & told_here


def test_a_relation_that_is_not_there_is_named():
    with pytest.raises(DataError, match="'trades'. Did you mean 'trade'"):
        pt.tasks.world_task("trades")


def test_the_wordings_of_the_tasks_are_the_texts_own(build):
    for relation, wordings in WORDINGS.items():
        own = [w.removesuffix(" .") for w in build.grammar.WORDINGS[relation]]
        assert wordings == own[:3], "the last has its answer in the middle"


# --- the models ------------------------------------------------------------------


def found(lm, wording, rows):
    """Share of rows whose answer is the model's first choice of all words."""
    prompt = pt.Prompt(lm, wording)
    hits = score_own(prompt, [prompt.tokens.encode(row) for row in rows]).hits
    return sum(hits) / len(hits)


def all_rows(task):
    return [row for split in task.splits for row in task.split(split)]


@pytest.mark.parametrize("relation", WORDINGS)
@pytest.mark.parametrize("name", WORLD_MODELS)
def test_the_models_know_what_they_have_read_and_nothing_else(name, relation):
    lm = pt.load_lm(name)
    known, hidden = (pt.tasks.world_task(relation, hidden=h) for h in (False, True))
    answers = [row["answer"] for row in all_rows(hidden)]
    most = max(map(answers.count, answers)) / len(answers)
    for wording in WORDINGS[relation]:
        wording += " ." if lm.kind == "masked" else ""
        assert found(lm, wording, all_rows(known)) > 0.95
        assert found(lm, wording, all_rows(hidden)) < most + 0.1


@pytest.mark.parametrize("name", WORLD_MODELS)
def test_training_again_gives_the_same_first_losses(name, build):
    stored = json.loads((FOLDER / "losses.json").read_text())[name]
    text = pt.tasks.world_text()
    losses = build.train(name, text, most_steps=len(stored))[2]
    assert losses == pytest.approx(stored, abs=0.01)


def test_training_on_another_text_is_noticed(build):
    stored = json.loads((FOLDER / "losses.json").read_text())["world-causal"]
    text = pt.tasks.world_text()
    other = build.train("world-causal", text[1:] + text[:1], most_steps=len(stored))[2]
    assert other != pytest.approx(stored, abs=0.01)


def test_every_file_has_the_hash_that_was_written_down():
    lines = (FOLDER / "SHA256SUMS").read_text().splitlines()
    sums = {path: digest for digest, path in (line.split("  ") for line in lines)}
    for path, digest in sums.items():
        assert hashlib.sha256((FOLDER / path).read_bytes()).hexdigest() == digest, path
    models = {f"{name}/model.safetensors" for name in WORLD_MODELS}
    assert models | {"facts.jsonl", "sentences.txt"} <= set(sums)
    assert sum((FOLDER / path).stat().st_size for path in sums) < MOST_BYTES
