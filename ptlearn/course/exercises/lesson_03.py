"""The checks of lesson 03: context words."""

from ..expect import exercise, expect


@exercise
def ex03_1(nearest):
    """Check the nearest word by cosine."""
    from torch import tensor

    words = tensor([[4.0, 0], [2, 2], [0, 2]])
    expect("nearest to (6, 3)", nearest(tensor([6.0, 3]), words), 1)
    expect("nearest to (-1, 9)", nearest(tensor([-1.0, 9]), words), 2)
    expect("nearest to (8, 1)", nearest(tensor([8.0, 1]), words), 0)


@exercise
def ex03_2(text):
    """Check a template with context words in place."""
    from ...templates.language import Template

    want = '{subject} [V:"lies in"] [V] {answer}'
    expect("pieces", Template(text).pieces, Template(want).pieces)


@exercise
def ex03_3(start, lm, task):
    """Check initial vectors from the mean of the answers' first tokens."""
    from torch import tensor

    firsts = [
        lm.tokenizer(" " + answer, add_special_tokens=False)["input_ids"][0]
        for answer in task.answers
    ]
    mean = lm.embed(tensor(firsts, device=lm.device)).mean(dim=0)
    expect("the start", start, mean.expand(6, -1), tol=1e-5)
