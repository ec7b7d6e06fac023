"""Whether keys and values of frozen contexts are worth keeping between steps."""

import pytest

import ptlearn as pt
from ptlearn.forward.kv_cache import frozen_context
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
    assert not pays_to_keep(short, visits=2)
    assert not pays_to_keep(long, visits=1)
    assert pays_to_keep(long, visits=3)
    assert pays_to_keep(short, visits=100)


def test_a_split_is_kept_as_a_whole_or_not_at_all():
    short, long = examples("good film " * 10), examples("good film " * 30)
    tokens = [len(frozen_context(split[0].ids)) for split in (short, long)]
    splits = {"train": (long, 100), "dev": (short, 7)}
    kept = context_caches(splits, max_bytes=10 * sum(tokens), bytes_per_token=10)
    assert None not in kept.values()
    with pytest.warns(UserWarning, match=r"dev rows are read anew .* MiB and 0 of"):
        kept = context_caches(splits, 10 * sum(tokens) - 1, bytes_per_token=10)
    assert kept["train"] is not None and kept["dev"] is None, "met most often"


def test_nothing_is_kept_where_it_does_not_pay_or_nobody_wants_it():
    long = examples("good film " * 30)
    splits = {"train": (long, 1), "dev": ([], 7)}
    assert context_caches(splits, 10**9, 10) == {"train": None, "dev": None}
    assert context_caches({"train": (long, 100)}, 0, 10) == {"train": None}
