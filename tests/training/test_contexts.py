"""Whether keys and values of frozen contexts are worth keeping between steps."""

import pytest

import ptlearn as pt
from ptlearn.training.contexts import context_caches, pays_to_keep


def examples(*subjects):
    lm = pt.load_lm("tiny", device="cpu")
    tokens = pt.PromptTuner(lm, "{subject} [V:2] {answer}").tokens
    return [tokens.encode({"subject": s, "answer": "Japan"}) for s in subjects]


def test_contexts_are_kept_only_where_that_saves_time():
    """Short subjects met once are read with the rest; long reviews are kept."""
    short = examples("Osaka", "Kobe")
    long = examples("a long review " * 20, "a long film " * 20)
    assert not pays_to_keep(short, visits=1)
    assert not pays_to_keep(short, visits=3)
    assert not pays_to_keep(long, visits=1)
    assert pays_to_keep(long, visits=3)
    assert pays_to_keep(short, visits=100)


def test_splits_share_the_memory_by_their_tokens():
    short, long = examples("good film " * 10), examples("good film " * 30)
    first, second = context_caches([(short, 100), (long, 100)], max_bytes=1000)
    assert first.max_bytes + second.max_bytes in (999, 1000)
    assert second.max_bytes / first.max_bytes == pytest.approx(3, rel=0.1)
    first, second = context_caches([(short, 1), (long, 100)], max_bytes=1000)
    assert first is None and second.max_bytes == 1000
    assert context_caches([(short, 1), ([], 7)], max_bytes=1000) == [None, None]
