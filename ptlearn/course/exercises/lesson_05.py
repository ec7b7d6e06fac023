"""The checks of lesson 05: mixed prompts."""

from ..expect import exercise, expect


@exercise
def ex05_1(text):
    """Check a mixed template."""
    from ...templates.language import Template

    want = "[V:3] {subject} is a city in [V] {answer}"
    expect("pieces", Template(text).pieces, Template(want).pieces)


@exercise
def ex05_2(where_virtual):
    """Check where the virtual tokens stand among ids."""
    expect("[3, -1, 1, -2]", where_virtual([3, -1, 1, -2]), [(1, 0), (3, 1)])
    expect("no virtual tokens", where_virtual([5, 7]), [])
    expect("[-2, 4, -1]", where_virtual([-2, 4, -1]), [(0, 1), (2, 0)])
