"""The checks of lesson 06: fold and use."""

from ..expect import exercise, expect


@exercise
def ex06_1(size, lm):
    """Check the bytes of a saved table."""
    expect("bytes", size, 20 * lm.token_dim * 4)


@exercise
def ex06_2(goes_to_peft):
    """Check which templates PEFT can hold."""
    from ...templates.language import Template

    expect("prefix", goes_to_peft(Template("[V:4] {text} {answer}")), True)
    expect("mixed", goes_to_peft(Template("[V:2] {text} [V:2] {answer}")), False)
    expect("words", goes_to_peft(Template('[V:"City"] {text} {answer}')), True)
    expect("no virtual tokens", goes_to_peft(Template("{text} {answer}")), False)


@exercise
def ex06_3(fold):
    """Check folding by hand, in eval mode and without gradient."""
    from torch import ones

    from ...prompts.encoders import EncoderConfig, make_encoder

    encoder = make_encoder(EncoderConfig("mlp", dropout=0.5), ones(3, 4)).eval()
    want = encoder()
    expect("the table", fold(encoder.train()), want)
    expect("encoder.training afterwards", encoder.training, True)
    expect("the table needs a gradient", fold(encoder).requires_grad, False)
