"""The words of a template without its virtual tokens, as a control."""

import ptlearn as pt
from ptlearn.cli.scores import without_virtual_tokens


def test_words_without_the_virtual_tokens():
    words = without_virtual_tokens(
        pt.Template('[V:3] {a} [V] is [[a]] [V:"in the city of"] {answer}')
    )
    assert words.text == "{a} is [[a]] in the city of {answer}"
