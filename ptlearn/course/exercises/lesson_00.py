"""The checks of lesson 00: start here."""

from ..expect import exercise, expect


@exercise
def ex00_1(both, reports, wordings):
    """Check the share of rows that two wordings both get right."""
    first, second = (reports[wording].rows["hit"] for wording in wordings[:2])
    expect("share that both got right", both, float((first & second).mean()), tol=1e-9)


@exercise
def ex00_2(wording, lm, task):
    """Check a wording of one's own: its columns, then its score."""
    from ...evaluation.report import evaluate
    from ...prompts.prompt import Prompt

    prompt = Prompt(lm, wording)
    expect("columns in the wording", prompt.template.fields, ("subject",))
    print(evaluate(prompt, task))
