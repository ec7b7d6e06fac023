"""The search is exact, and reads no more than it must."""

import math

import pytest
from small_models import causal_lm

import ptlearn as pt
from ptlearn.forward import scoring
from ptlearn.forward.answer_trie import TrieSearch


def search_of(candidates, gold=()):
    children = {}
    for path in sorted({ids[: n + 1] for ids in candidates for n in range(len(ids))}):
        children.setdefault(path[:-1], []).append(path[-1])
    return TrieSearch(children, candidates, gold)


def learn(search, path, probs):
    """Let a search read the probabilities of all tokens after a path."""
    log_probs = [math.log(p) if p else -math.inf for p in probs]
    wanted = [log_probs[token] for token in search.tokens_after(path)]
    top = max(range(len(probs)), key=probs.__getitem__)
    search.learn(path, wanted, top, log_probs[top])


def test_an_answer_behind_an_unlikely_beginning_is_found():
    search = search_of({(1,), (2, 3)})
    learn(search, (), [0.0, 0.4, 0.6, 0.0])
    assert search.best == (1,)
    assert search.next_paths() == [(2,)], "0.6 may still beat 0.4"
    learn(search, (2,), [0.1, 0.1, 0.0, 0.8])
    assert search.next_paths() == []
    assert search.result().best == (2, 3)
    assert math.exp(search.result().best_log_prob) == pytest.approx(0.48)


def test_a_branch_that_cannot_win_is_never_entered():
    search = search_of({(1,), (2, 3)})
    learn(search, (), [0.0, 0.7, 0.3, 0.0])
    assert search.next_paths() == []


def test_the_rows_own_answer_is_read_to_its_end_and_need_be_no_candidate():
    search = search_of({(1,)}, gold=(2, 3, 1))
    learn(search, (), [0.0, 0.2, 0.8, 0.0])
    paths = search.next_paths()
    assert paths == [(2,), (2, 3)]
    learn(search, (2,), [0.1, 0.1, 0.3, 0.5])
    learn(search, (2, 3), [0.9, 0.1, 0.0, 0.0])
    assert search.next_paths() == []
    found = search.result()
    assert math.exp(found.gold_log_prob) == pytest.approx(0.8 * 0.5 * 0.1)
    assert not found.hit, "the last token was not the most probable"
    assert found.finite and found.best == (1,)


def test_the_rows_own_answer_counts_once_where_it_is_the_best():
    search = search_of({(1, 2, 3)}, gold=(1, 2, 3))
    learn(search, (), [0.0, 0.5, 0.5, 0.0])
    for path in search.next_paths():
        learn(search, path, [0.25] * 4)
    assert search.next_paths() == [], "all of it was read"
    found = search.result()
    assert math.exp(found.gold_log_prob) == pytest.approx(0.5 * 0.25 * 0.25)
    assert found.best_log_prob == found.gold_log_prob


def test_logits_that_are_not_finite_are_told():
    search = search_of({(1,), (2,)})
    search.learn((), [math.nan, math.nan], 0, math.nan)
    assert not search.result().finite


def test_it_is_exact_among_many_answers_of_several_tokens():
    prompt = pt.Prompt(causal_lm("gpt2"), "{subject} is in {answer}")
    words = ["Japan", "New", "Papua", "Lagos"]
    answers = [f"{a} {b} {c}" for a in words for b in words for c in words]
    for row in ({"subject": "Osaka"}, {"subject": "Rio"}):
        every = [dict(row, answer=answer) for answer in answers]
        wanted = prompt.answer_log_probs(every)
        found = scoring.score(prompt, [row], answers, progress=False)
        assert found.predicted == [answers[wanted.argmax()]]
        assert found.predicted_log_prob[0] == pytest.approx(wanted.max().item())
