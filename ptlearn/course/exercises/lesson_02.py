"""The checks of lesson 02: virtual tokens."""

from ..expect import exercise, expect


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
