"""The checks of lesson 01: discrete prompts."""

from ..expect import exercise, expect


@exercise
def ex01_1(log_prob, step_logits, answer_ids):
    """Check the log-probability of an answer of several tokens."""
    steps = step_logits.log_softmax(-1)
    want = sum(steps[i, token].item() for i, token in enumerate(answer_ids))
    expect("log-probability of the answer", log_prob, want, tol=1e-4)


@exercise
def ex01_2(is_hit):
    """Check strict P@1 as a function of log-probabilities and answer ids."""
    from torch import tensor

    log_probs = tensor([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]]).log()
    for answer, want in (([1, 0], True), ([1, 2], False), ([0, 0], False)):
        expect(f"is_hit(log_probs, {answer})", is_hit(log_probs, answer), want)


@exercise
def ex01_3(rows_needed, half_width):
    """Check how many rows an interval of a given half-width needs."""
    want = 1.96**2 * 0.5 * (1 - 0.5) / half_width**2
    expect("rows needed", rows_needed, want, tol=1.0)
