"""Encoders that move a table, and grafts of two; no language model is needed."""

import pytest
import torch

from ptlearn.mechanisms.movers import (
    LENGTH_TOLERANCE,
    CutEncoder,
    Graft,
    Mover,
    encoder_at,
    root_mean_square,
)

START = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
GOAL = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))


def gradient(table):
    """Of half the squared distance to GOAL, with other weights for each coordinate."""
    return (table - GOAL) * torch.linspace(0.1, 2, table.numel()).view_as(table)


def mover(kind="none", optimizer="adam", lr=0.01, **options):
    encoder = encoder_at(kind, START, seed=5, **options)
    return Mover(encoder, optimizer, lr)


def way(walker, steps=12):
    """The tables after each step."""
    tables = [walker.table()]
    for _ in range(steps):
        walker.step(gradient(tables[-1]))
        tables.append(walker.table())
    return torch.stack(tables)


def lengths(tables):
    return tables.diff(dim=0).flatten(1).norm(dim=1)


@pytest.mark.parametrize("kind", ["none", "mlp", "lstm", "residual-mlp", "linear"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_graft_of_a_mover_and_itself_changes_nothing(kind, optimizer):
    both = [mover(kind, optimizer) for _ in range(2)]
    graft = Graft(*both, length_is_bare=kind == "none")
    assert way(graft).equal(way(mover(kind, optimizer)))


def test_a_graft_has_one_movers_length_and_the_others_direction():
    bare, other = mover(lr=0.01), mover("mlp", lr=0.003)
    bare.put([other.table()])
    start = other.table()
    own, lent = [p.detach().clone() for p in other.parameters], mover(lr=0.01)
    lent.put([start])
    graft = Graft(other, bare, length_is_bare=True)
    graft.step(gradient(start))
    lent.step(gradient(start))
    alone = mover("mlp", lr=0.003)
    alone.step(gradient(start))
    grafted = graft.table() - start
    ratio = grafted.norm() / (lent.table() - start).norm()
    assert ratio == pytest.approx(1, abs=LENGTH_TOLERANCE)
    cosine = torch.cosine_similarity(
        grafted.flatten(), (alone.table() - start).flatten(), dim=0
    )
    assert cosine > 0.999
    # The encoder's own parameters went the same way, and only so far.
    moved = [p.detach() - q for p, q in zip(other.parameters, own, strict=True)]
    whole = [p.detach() - q for p, q in zip(alone.parameters, own, strict=True)]
    shares = [a.norm() / b.norm() for a, b in zip(moved, whole, strict=True)]
    assert max(shares) - min(shares) < 1e-3
    assert bare.table().equal(graft.table()), "the bare table is put onto the grafted"


def test_a_bare_tables_direction_at_an_encoders_length():
    bare, encoder = mover(lr=0.01), mover("residual-mlp", lr=0.003)
    tables = way(Graft(bare, encoder, length_is_bare=False), 1)
    assert torch.allclose(
        tables[1] - tables[0],
        (way(mover(lr=0.01), 1)[1] - START)
        * (lengths(way(mover("residual-mlp", lr=0.003), 1)) / lengths(way(mover(), 1))),
        rtol=0.02,
        atol=1e-7,
    )


def test_a_graft_onto_a_length_of_zero_stands_still():
    graft = Graft(mover(lr=0.01), mover(lr=0.0), length_is_bare=True)
    assert way(graft, 2)[2].equal(START)


@pytest.mark.parametrize("kind", ["mlp", "lstm", "residual-mlp", "linear"])
def test_cut_copies_start_as_the_shared_encoder(kind):
    shared, cut = mover(kind), mover(kind, cut=True)
    assert cut.table().equal(shared.table())
    assert isinstance(cut.encoder, CutEncoder) and len(cut.encoder.copies) == 3


@pytest.mark.parametrize("kind", ["mlp", "lstm", "residual-mlp", "linear"])
def test_only_without_the_cut_does_one_tokens_gradient_move_another(kind):
    lone = torch.zeros_like(START)
    lone[0] = 1.0
    for cut in (False, True):
        walker = mover(kind, cut=cut)
        start = walker.table()
        walker.step(lone)
        others = (walker.table() - start)[1:].abs().max()
        assert (others == 0) if cut else (others > 1e-4)


def test_the_linear_encoder_starts_at_its_table():
    walker = mover("linear")
    assert walker.table().equal(START)
    walker.step(gradient(START))
    assert not walker.table().equal(START)


def test_a_gradient_is_clipped_to_the_norm():
    for norm, expected in ((0.5, 0.5), (1e6, None)):
        walker = Mover(encoder_at("none", START, seed=0), "sgd", 1.0, norm)
        whole = gradient(START).norm()
        assert walker.step(gradient(START)) == pytest.approx(whole.item())
        moved = (walker.table() - START).norm()
        assert moved.item() == pytest.approx(expected or whole.item(), rel=1e-5)


def test_a_share_of_the_rate_is_a_share_of_the_move():
    moves = []
    for share in (1.0, 0.25):
        walker = mover(lr=0.01)
        walker.step(gradient(START), share)
        moves.append(root_mean_square(walker.table() - START))
    assert moves[0] == pytest.approx(0.01, rel=1e-3)
    assert moves[1] == pytest.approx(0.0025, rel=1e-3)
