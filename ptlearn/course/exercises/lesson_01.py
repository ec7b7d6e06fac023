"""The checks of lesson 01: discrete prompts."""

from ..expect import done, exercise, expect


@exercise
def ex01_1(answer_log_prob):
    """Check the log-probability of an answer, read out of a text's logits."""
    from torch import Generator, randn

    draw = Generator().manual_seed(0)
    for prompt_length, answer_ids in ((7, [3]), (1, [0, 5]), (4, [2, 2, 1])):
        length = prompt_length + len(answer_ids)
        logits = 2 * randn(length, 6, generator=draw)
        steps = logits.log_softmax(-1)
        places = range(prompt_length - 1, length - 1)
        pairs = zip(places, answer_ids, strict=True)
        want = sum(steps[i, t].item() for i, t in pairs)
        what = f"{length} tokens, of them {prompt_length} in the prompt"
        got = answer_log_prob(logits, prompt_length, answer_ids)
        expect(what, got, want, tol=1e-4)


@exercise
def ex01_2(with_demonstrations, lm, task):
    """Check a template with demonstrations, then score it beside the bare wording."""
    from ...evaluation.report import evaluate
    from ...prompts.prompt import Prompt

    train = list(task.train)
    form = "City: {subject}\nCountry: {answer}"
    for wording, start, count in (
        (form, 0, 2),
        ("{subject} lies in {answer}", 7, 3),
        ("The state of {subject} is {answer}", 20, 1),
        (form, 0, 0),
    ):
        rows = train[start : start + count]
        # Not with str.format: a name may hold a brace.
        shown = [
            wording.replace("{subject}", row["subject"]).replace(
                "{answer}", row["answer"]
            )
            for row in rows
        ]
        want = "\n\n".join([*shown, wording])
        what = f"{count} demonstrations for {wording!r}"
        expect(what, with_demonstrations(wording, rows), want)
    few = task.head("test", 40)
    for template in (form, with_demonstrations(form, train[:4])):
        print(evaluate(Prompt(lm, template), few))


@exercise
def ex01_3(p_value):
    """Check the sign test on rows that exactly one of two wordings got right."""
    from numpy.random import default_rng
    from scipy.stats import binomtest

    draw = default_rng(0)
    for size, shares in ((12, (0.8, 0.3)), (30, (0.6, 0.5)), (40, (0.2, 0.5))):
        one, two = draw.binomial(1, shares, (size, 2)).astype(bool).T.tolist()
        only_one = sum(a > b for a, b in zip(one, two, strict=True))
        only_two = sum(b > a for a, b in zip(one, two, strict=True))
        want = binomtest(only_one, only_one + only_two).pvalue
        what = f"{size} rows, {only_one} only the first, {only_two} only the second"
        expect(what, done(p_value(one, two)), want, tol=1e-6)
    same = [True, False, True]
    expect("two lists that are the same", p_value(same, same), 1.0, tol=1e-9)


@exercise
def ex01_4(honest):
    """Check that the wording is chosen on dev rows and reported on test rows."""
    from numpy import array
    from numpy.random import default_rng

    tried = [(array([[1, 0, 1], [1, 0, 1]]), array([[0, 1, 0], [1, 1, 0]]))]
    draw = default_rng(0)
    tried += [
        (draw.integers(0, 2, (5, 8)), draw.integers(0, 2, (5, 11))) for _ in range(4)
    ]
    for number, (dev_hits, test_hits) in enumerate(tried):
        want = test_hits[dev_hits.mean(axis=1).argmax()].mean()
        what = f"draw {number}: {len(dev_hits)} wordings"
        expect(what, honest(dev_hits, test_hits), want, tol=1e-9)
