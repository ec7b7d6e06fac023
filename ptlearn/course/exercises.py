"""The checks of the exercises, by lesson.

The convention, which the tests hold every lesson to:

* An exercise is a code cell tagged ``exercise``: the stub, with ``...`` where the
  learner writes, and as its last statement the call of its check, such as
  ``exercises.ex01_2(is_hit)``. A function stub says ``return ...``.
* The next cell is Markdown with two folds, ``<details><summary>Hint</summary>`` and
  ``<details><summary>Solution</summary>``; the solution holds one ``python`` code
  block, which replaces everything in the stub but the check.
* The check is a function here, named after lesson and number and marked with
  ``@exercise``. It calls ``expect`` on what the learner gave and on what it works out
  itself, from the lesson's own variables where the answer depends on the model, so
  that it is right on every model.

Each takes what the learner made, prints what it found, and returns nothing.
"""

from .expect import exercise, expect

# --- lesson 00: start here -------------------------------------------------


@exercise
def ex00_1(both, reports, wordings):
    """Check the share of rows that two wordings both get right."""
    first, second = (reports[wording].rows["hit"] for wording in wordings[:2])
    expect("share that both got right", both, float((first & second).mean()), tol=1e-9)


@exercise
def ex00_2(wording, lm, task):
    """Check a wording of one's own: its columns, then its score."""
    from ..evaluation.report import evaluate
    from ..prompts.prompt import Prompt

    prompt = Prompt(lm, wording)
    expect("columns in the wording", prompt.template.fields, ("subject",))
    print(evaluate(prompt, task))


# --- lesson 01: discrete prompts -------------------------------------------


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


# --- lesson 02: virtual tokens ---------------------------------------------


@exercise
def ex02_1(splice):
    """Check the splicing of the table's vectors into word embeddings."""
    from torch import tensor

    words, table = tensor([[[1.0], [2], [3]]] * 2), tensor([[10.0], [20]])
    ids = tensor([[-1, 5, -2], [7, -1, 0]])
    want = tensor([[[10.0], [2], [20]], [[1], [10], [3]]])
    expect("splice(words, table, ids)", splice(words, table, ids), want)


@exercise
def ex02_2(count, lm):
    """Check the count of trainable numbers."""
    expect("trainable numbers", count, (5 + 2) * lm.token_dim)


@exercise
def ex02_3(places):
    """Check the places whose logits predict the answer."""
    expect("places(8, 1)", places(8, 1), [7])
    expect("places(8, 3)", places(8, 3), [7, 8, 9])


# --- lesson 03: context words ----------------------------------------------


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
    from ..templates.language import Template

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


# --- lesson 04: the prompt encoder -----------------------------------------


@exercise
def ex04_1(trained, kept):
    """Check numbers trained and kept by an encoder."""
    width, tokens = 768, 20
    expect("numbers trained", trained, 14 * width**2 + (18 + tokens) * width)
    expect("numbers kept", kept, tokens * width)


@exercise
def ex04_2(likeness):
    """Check the mean cosine between the vectors of a table."""
    from torch import tensor

    expect("two like rows", likeness(tensor([[1.0, 0], [2, 0]])), 1.0, tol=1e-5)
    rows = tensor([[1.0, 0], [0, 3], [-2, 0]])
    expect("cosines 0, -1, 0", likeness(rows), -1 / 3, tol=1e-5)


@exercise
def ex04_3(config, lm, template):
    """Check an encoder config whose table starts at the words."""
    from ..prompts.tuner import PromptTuner

    expect("kind", config.kind, "lstm")
    expect(
        "hidden units, layers", (config.encoder_hidden_size, config.num_layers), (32, 1)
    )
    words = PromptTuner(lm, template).prompt_embeddings()
    table = PromptTuner(lm, template, encoder=config).prompt_embeddings()
    expect("the table at step 0", table, words)


# --- lesson 05: mixed prompts ----------------------------------------------


@exercise
def ex05_1(text):
    """Check a mixed template."""
    from ..templates.language import Template

    want = "[V:3] {subject} is a city in [V] {answer}"
    expect("pieces", Template(text).pieces, Template(want).pieces)


@exercise
def ex05_2(where_virtual):
    """Check where the virtual tokens stand among ids."""
    expect("[3, -1, 1, -2]", where_virtual([3, -1, 1, -2]), [(1, 0), (3, 1)])
    expect("no virtual tokens", where_virtual([5, 7]), [])
    expect("[-2, 4, -1]", where_virtual([-2, 4, -1]), [(0, 1), (2, 0)])


# --- lesson 06: fold and use -----------------------------------------------


@exercise
def ex06_1(size, lm):
    """Check the bytes of a saved table."""
    expect("bytes", size, 20 * lm.token_dim * 4)


@exercise
def ex06_2(goes_to_peft):
    """Check which templates PEFT can hold."""
    from ..templates.language import Template

    expect("prefix", goes_to_peft(Template("[V:4] {text} {answer}")), True)
    expect("mixed", goes_to_peft(Template("[V:2] {text} [V:2] {answer}")), False)
    expect("words", goes_to_peft(Template('[V:"City"] {text} {answer}')), True)
    expect("no virtual tokens", goes_to_peft(Template("{text} {answer}")), False)


@exercise
def ex06_3(fold):
    """Check folding by hand, in eval mode and without gradient."""
    from torch import ones

    from ..prompts.encoders import EncoderConfig, make_encoder

    encoder = make_encoder(EncoderConfig("mlp", dropout=0.5), ones(3, 4)).eval()
    want = encoder()
    expect("the table", fold(encoder.train()), want)
    expect("encoder.training afterwards", encoder.training, True)
    expect("the table needs a gradient", fold(encoder).requires_grad, False)
