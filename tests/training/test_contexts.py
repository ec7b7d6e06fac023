"""Whether keys and values of frozen contexts are worth keeping between steps."""

import ptlearn as pt
from ptlearn.training.contexts import pays_to_keep


def test_contexts_are_kept_only_where_that_saves_time():
    """Short subjects met once are read with the rest; long reviews are kept."""
    lm = pt.load_lm("tiny", device="cpu")
    tokens = pt.PromptTuner(lm, "{subject} [V:2] {answer}").tokens
    rows = [{"subject": city, "answer": "Japan"} for city in ("Osaka", "Kobe")]
    short = [tokens.encode(row) for row in rows]
    long = [tokens.encode(row | {"subject": "a long review " * 20}) for row in rows]
    assert not pays_to_keep(short, visits=1)
    assert not pays_to_keep(short, visits=3)
    assert not pays_to_keep(long, visits=1)
    assert pays_to_keep(long, visits=3)
    assert pays_to_keep(short, visits=100)
