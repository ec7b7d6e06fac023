"""The order in which a run meets its examples."""

from itertools import islice

from ptlearn.training.batches import batch_order


def test_an_epoch_has_every_example_once_and_like_lengths_together():
    lengths = [3, 30] * 16
    order = batch_order(lengths, batch_size=4, seed=1)
    for _ in range(3):
        epoch = list(islice(order, 8))
        assert sorted(sum(epoch, [])) == list(range(32))
        assert all(len({lengths[i] for i in batch}) == 1 for batch in epoch)


def test_the_seed_alone_decides_and_epochs_differ():
    lengths = [3, 30] * 16
    first, again, other = (
        list(islice(batch_order(lengths, batch_size=4, seed=seed), 16))
        for seed in (1, 1, 2)
    )
    assert first == again != other
    assert first[:8] != first[8:]


def test_a_last_batch_may_be_smaller():
    epoch = list(islice(batch_order([5] * 7, batch_size=3, seed=0), 3))
    assert sorted(map(len, epoch)) == [1, 3, 3]
    assert sorted(sum(epoch, [])) == list(range(7))
