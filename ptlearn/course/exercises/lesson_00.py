"""The checks of lesson 00: start here."""

from ..expect import exercise, expect, require


@exercise
def ex00_1(overlap):
    """Check the share of one wording's hits that another has, too."""
    tried = [([True, True, False], [True, False, False]), ([False] * 3, [True] * 3)]
    tried += [_draw_hits(seed) for seed in range(4)]
    for first, second in tried:
        kept = [b for a, b in zip(first, second, strict=True) if a]
        want = sum(kept) / len(kept) if kept else 0.0
        what = f"overlap({first}, {second})"
        expect(what, overlap(first, second), want, tol=1e-9)


def _draw_hits(seed: int) -> tuple[list[bool], list[bool]]:
    """Draw the hits of two wordings; the first has the fewer."""
    from numpy.random import default_rng

    draws = default_rng(seed).random((2, 9))
    return (draws[0] < 0.4).tolist(), (draws[1] < 0.7).tolist()


@exercise
def ex00_2(wording, given, lm, task):
    """Check a wording of one's own: its form, then its score beside a given one's."""
    from ...evaluation.report import evaluate
    from ...prompts.prompt import Prompt

    prompt = Prompt(lm, wording)
    expect("columns in the wording", prompt.template.fields, ("subject",))
    require(
        "".join(wording.split()) not in {"".join(other.split()) for other in given},
        "This wording is given already. Write one of your own.",
    )
    few = task.head("dev", 40)
    rival = evaluate(Prompt(lm, given[1]), few, split="dev")
    own = evaluate(prompt, few, split="dev")
    print(f"wording 1: {rival}")
    print(f"yours:     {own}")
    if lm.name == "tiny":
        print("The toy model knows no countries: only the form was checked.")
        return
    require(
        own.p_at_1 >= rival.p_at_1,
        f"P@1 of yours is {own.p_at_1:.3f}, of wording 1 {rival.p_at_1:.3f}.",
    )


@exercise
def ex00_3(score):
    """Check P@1 where the model often names no country at all."""
    from numpy.random import default_rng

    answers = ["Chad", "Fiji", "Oman", "Peru"]
    draw = default_rng(0)
    for size in (3, 5, 8):
        wanted = draw.choice(answers, size).tolist()
        said = draw.choice([*answers, "the", "a"], size).tolist()
        said[0], said[1] = wanted[0], "the"  # a hit and a miss at least
        want = sum(s == w for s, w in zip(said, wanted, strict=True)) / size
        what = f"score({said}, {wanted}, answers)"
        expect(what, score(said, wanted, answers), want, tol=1e-9)
    silent = score(["the", "a"], ["Oman", "Peru"], answers)
    expect('score(["the", "a"], ["Oman", "Peru"], answers)', silent, 0.0)


@exercise
def ex00_4(rows_needed):
    """Check how many right answers in a row raise the interval's lower end."""
    from math import ceil

    from numpy.random import default_rng

    # All right, Wilson's lower end is n / (n + q**2): see lesson 01.
    squared = 1.959964**2
    lows = [0.5, 0.9, 0.99, *default_rng(0).uniform(0.05, 0.97, 3).round(3).tolist()]
    for low in lows:
        want = ceil(squared * low / (1 - low))
        expect(f"rows_needed({low})", rows_needed(low), want)
