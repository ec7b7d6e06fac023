"""The checks of lesson 04: the prompt encoder."""

from ..expect import exercise, expect


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
    from ...prompts.tuner import PromptTuner

    expect("kind", config.kind, "lstm")
    expect(
        "hidden units, layers", (config.encoder_hidden_size, config.num_layers), (32, 1)
    )
    words = PromptTuner(lm, template).prompt_embeddings()
    table = PromptTuner(lm, template, encoder=config).prompt_embeddings()
    expect("the table at step 0", table, words)
