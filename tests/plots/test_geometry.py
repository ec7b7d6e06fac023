"""Virtual tokens among the words: lengths and neighbours."""

import pytest
import torch
from figure_tools import axes, drawn

import ptlearn as pt
from ptlearn import plots


def test_token_geometry_compares_with_words_and_lengths():
    lm = pt.load_lm("tiny")
    words = ["capital", "country"]
    ids = [
        lm.tokenizer(" " + w, add_special_tokens=False)["input_ids"][0] for w in words
    ]
    table = torch.stack([lm.embed(torch.tensor(i)) for i in ids]) * 2
    fig = drawn(plots.token_geometry(table, lm, words))
    lengths, cosines = axes(fig)
    values = [float(t.get_text()) for t in cosines.texts]
    assert values[0] == values[3] == 1.0 and abs(values[1]) < 0.9
    assert len(lengths.lines) == 2
    assert lengths.lines[0].get_xdata()[0] == pytest.approx(table[0].norm().item())


@pytest.mark.slow
def test_token_geometry_finds_the_nearest_token():
    lm = pt.load_lm("tiny")
    table = pt.PromptTuner(
        lm, '[V:"capital city"] {subject} {answer}'
    ).prompt_embeddings()
    _, cosines = axes(drawn(plots.token_geometry(table, lm)))
    texts = [t.get_text() for t in cosines.texts]
    assert texts[0] == "capital\n1.00" and texts[3] == "city\n1.00"


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_token_geometry_stands_zeros_and_gaps(value):
    lm = pt.load_lm("tiny")
    drawn(plots.token_geometry(torch.full((1, lm.token_dim), value), lm, ["city"]))
    drawn(plots.token_geometry(torch.full((2, lm.token_dim), value), lm))


def test_token_geometry_counts_virtual_tokens_from_zero():
    lm = pt.load_lm("tiny")
    _, cosines = axes(drawn(plots.token_geometry(torch.ones(2, lm.token_dim), lm)))
    assert [t.get_text() for t in cosines.get_yticklabels()] == ["0", "1"]


@pytest.fixture
def two_paths():
    """Two virtual tokens: one moves by (3, 4, 0, ...), one by (0, 0, 5, 0, ...)."""
    lm = pt.load_lm("tiny")
    start = torch.randn(2, lm.token_dim, generator=torch.Generator().manual_seed(0))
    move = torch.zeros(2, lm.token_dim)
    move[0, :2], move[1, 2] = torch.tensor([3.0, 4.0]), 5.0
    axes_of = torch.eye(lm.token_dim)
    planes = {"first": axes_of[:, :2], "other": axes_of[:, 5:7]}
    return torch.stack([start, start + move / 2, start + move]), lm, planes


@pytest.mark.slow
def test_token_paths_are_the_tables_seen_in_each_plane(two_paths):
    tables, lm, planes = two_paths
    middle = lm.model.get_input_embeddings().weight.mean(dim=0)
    panels = axes(drawn(plots.token_paths(tables, lm, planes)))
    for ax, plane in zip(panels, planes.values(), strict=True):
        cloud, *paths = ax.lines
        assert len(cloud.get_xdata()) == plots.geometry.SHOWN_WORDS
        for i, (path, beginning) in enumerate(
            zip(paths[::2], paths[1::2], strict=True)
        ):
            seen = (tables[:, i] - middle) @ plane
            assert path.get_xydata() == pytest.approx(seen.numpy(), abs=1e-5)
            assert beginning.get_xydata() == pytest.approx(seen[:1].numpy(), abs=1e-5)
            assert path.get_markevery() == [2], "the end is marked"
            assert beginning.get_markerfacecolor() == "white"


def test_token_paths_say_what_share_a_plane_shows(two_paths):
    tables, lm, planes = two_paths
    words = lm.model.get_input_embeddings().weight
    around = (words - words.mean(dim=0)).square().sum(dim=0)
    shown = around[:2].sum() / around.sum()
    first, other = axes(drawn(plots.token_paths(tables, lm, planes)))
    # Both tokens move by 5; the plane of the first two directions holds one of them.
    assert first.get_title() == (
        f"first\n{100 * shown:.1f} % of the words, 50.0 % of the moves"
    )
    assert other.get_title().endswith(" 0.0 % of the moves")


def test_token_paths_name_the_virtual_tokens(two_paths):
    tables, lm, planes = two_paths
    for names, wanted in ((["City", "a$"], ["0: City", r"1: a\$"]), (None, ["0", "1"])):
        fig = drawn(plots.token_paths(tables, lm, planes, names))
        (legend,) = fig.legends
        assert [t.get_text() for t in legend.get_texts()] == ["words", *wanted]
    drawn(plots.token_paths(tables[:1], lm, planes))
