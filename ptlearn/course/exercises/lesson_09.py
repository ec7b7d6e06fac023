"""The checks of lesson 09: among its relatives."""

from ..expect import done, exercise, expect, require


@exercise
def ex09_1(attend):
    """Check attention with a prefix and with padding, against its formula."""
    import torch

    draw = torch.Generator().manual_seed(0)
    for words, padding, prefix, width in ((3, 0, 1, 4), (4, 2, 2, 9), (1, 3, 5, 2)):
        length = padding + words
        query = torch.randn(width, generator=draw)
        keys, values = torch.randn(2, length, width, generator=draw)
        before = torch.randn(2, prefix, width, generator=draw)
        mask = torch.arange(length) >= padding  # padding stands on the left
        read = [
            torch.cat([b, t[mask]]) for b, t in zip(before, (keys, values), strict=True)
        ]
        weights = (read[0] @ query / width**0.5).softmax(0)
        tried = f"{words} words after {padding} of padding, a prefix of {prefix}"
        got = done(attend(query, keys, values, *before, mask))
        expect(tried, got, weights @ read[1], tol=1e-5)


@exercise
def ex09_2(add_lora):
    """Check LoRA around a linear layer: its start, its numbers, what it learns."""
    import torch
    from torch import nn

    for inputs, outputs, rank, scale in ((6, 4, 2, 2.0), (3, 8, 1, 0.5)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(inputs)
            linear = nn.Linear(inputs, outputs)
            x, target = torch.randn(16, inputs), torch.randn(16, outputs)
            weight = linear.weight.detach().clone()
            adapted = done(add_lora(linear, rank, scale))
            tried = f"{inputs} inputs, {outputs} outputs, rank {rank}, scale {scale}"
            expect(f"{tried}: at the start", adapted(x), linear(x), tol=1e-6)
            trained = [p for p in adapted.parameters() if p.requires_grad]
            count = sum(p.numel() for p in trained)
            expect(f"{tried}: numbers trained", count, rank * (inputs + outputs))
            optimizer = torch.optim.Adam(trained, lr=0.05)
            before = (adapted(x) - target).square().mean().item()
            for _ in range(20):
                optimizer.zero_grad()
                loss = (adapted(x) - target).square().mean()
                loss.backward()
                optimizer.step()
        require(
            loss.item() < before - 0.01,
            f"{tried}: after 20 steps the loss is {loss.item():.3f}, as before. Does a "
            "gradient reach both matrices?",
        )
        expect(f"{tried}: the layer's own weight afterwards", linear.weight, weight)
        shapes = tuple(adapted.down.shape), tuple(adapted.up.shape)
        expect(f"{tried}: shapes", shapes, ((rank, inputs), (outputs, rank)))
        want = linear(x) + scale * x @ adapted.down.T @ adapted.up.T
        expect(f"{tried}: after training", adapted(x), want, tol=1e-4)


@exercise
def ex09_3(compress):
    """Check the best product of thin matrices: its error is the least there is."""
    import torch

    draw = torch.Generator().manual_seed(9)
    for outputs, inputs, rank, exact in ((6, 9, 2, True), (8, 5, 3, False)):
        before = torch.randn(outputs, inputs, generator=draw)
        change = torch.randn(outputs, inputs, generator=draw)
        if exact:  # the change itself is such a product
            left = torch.randn(outputs, rank, generator=draw)
            change = left @ torch.randn(rank, inputs, generator=draw)
        found = done(compress(before, before + change, rank))
        tried = f"a matrix of {outputs} x {inputs}, rank {rank}"
        require(
            isinstance(found, tuple) and len(found) == 2,
            f"{tried}: compress gave a {type(found).__name__}, not (up, down).",
        )
        up, down = map(done, found)
        shapes = tuple(up.shape), tuple(down.shape)
        expect(f"{tried}: shapes", shapes, ((outputs, rank), (rank, inputs)))
        left_over = torch.linalg.svdvals(change)[rank:].square().sum().sqrt().item()
        error = (change - up @ down).norm().item()
        require(
            error < left_over + 1e-3,
            f"{tried}: up @ down misses the change by {error:.3f} (the norm of what "
            "is left over), and less is possible.",
        )


@exercise
def ex09_4(choose):
    """Check the rule of section 8, on made-up tables of all kinds."""
    import numpy as np

    draw = np.random.default_rng(94)
    for about, kinds in TABLES.items():
        for _ in range(3):
            table = _made_up(kinds.split(), draw)
            got = choose(table.copy())
            expect(f"A table with {about}", got, _by_the_rule(table))


TABLES = {
    "two better ones": "wide wide better better wide",
    "better ones with training and without": "wide better better wide better",
    "one comparison missing": "same wide better none wide",
    "large differences whose intervals hold 0": "wide almost almost wide almost",
    "small differences above 0": "wide worse small small wide",
    "a trained method that is as good": "wide worse same same almost",
    "an untrained method that is as good": "wide same same wide worse",
    "nothing but undecided ones": "wide wide wide wide wide",
}
METHODS = ("best wording", "8 demonstrations", "prefix tuning", "LoRA", "P-Tuning, MLP")


def _made_up(kinds, draw):
    """Return differences from prompt tuning, one of each kind, with their intervals."""
    import pandas as pd

    lines = []
    for kind in kinds:
        # Lowest and highest difference; half the 95 % interval: a share of it, or more.
        low, high, share, more = {
            "better": (0.07, 0.12, 0.7, 0),
            "worse": (-0.12, -0.07, 0.7, 0),
            "almost": (0.06, 0.09, 1.08, 0),
            "small": (0.037, 0.046, 0.7, 0),
            "same": (-0.015, 0.015, 0, 0.03),
            "wide": (-0.01, 0.04, 0, 0.1),
            "none": (float("nan"), float("nan"), 1, 0),
        }[kind]
        middle = low + (high - low) * draw.random()
        half = share * abs(middle) + more
        ends = middle - half, middle + half, middle - 0.84 * half, middle + 0.84 * half
        lines.append([middle, *ends])
    columns = ["difference", "low", "high", "low90", "high90"]
    table = pd.DataFrame(lines, index=list(METHODS), columns=columns)
    return table.assign(kept=[0, 0, *draw.permutation([2_880, 57_600, 460_800])])


def _by_the_rule(table):
    if table["difference"].isna().any():
        return "cannot decide"
    better = table[(table["difference"] >= 0.05) & (table["low"] > 0)]
    if len(better):
        return better["kept"].idxmin()
    same = (table["low90"] > -0.05) & (table["high90"] < 0.05)
    free = table.index[same & (table["kept"] == 0)]
    return free[0] if len(free) else "prompt tuning"
