"""Studies whose truth is known, because they were drawn from it."""

import pandas as pd

# What the stored rows of city_country have between bare arms: standard deviations of a
# seed effect, of a row effect, and of the rest.
STORED = (0.03, 0.17, 0.38)


def normal_blocks(rng, studies: int, shape, seed: float, row: float, rest: float):
    """Differences around 0: for each fold an array (studies, runs, rows)."""
    return [
        rng.normal(0, seed, (studies, runs, 1))
        + rng.normal(0, row, (studies, 1, rows))
        + rng.normal(0, rest, (studies, runs, rows))
        for runs, rows in shape
    ]


def hits(rng, studies: int, shape, arms: int, *, seed: float, row: float):
    """Hits of 0 and 1 of arms that are equally good: {arm: blocks as above}.

    Rows are hard or easy for all arms; each arm has its own luck with a row (`row`) and
    with a seed (`seed`), in logits.
    """
    found = {arm: [] for arm in range(arms)}
    for runs, rows in shape:
        hard = rng.normal(0, 2, (studies, 1, rows))
        for blocks in found.values():
            own = rng.normal(0, row, (studies, 1, rows))
            luck = rng.normal(0, seed, (studies, runs, 1))
            noise = rng.logistic(0, 0.7, (studies, runs, rows))
            blocks.append((hard + own + luck + noise > 0).astype(float))
    return found


def frame_of(arms: dict, **columns) -> pd.DataFrame:
    """A table of results. An arm is {(fold, seed): hits}; hits None: it broke off."""
    lines = []
    for arm, runs in arms.items():
        for (fold, seed), bits in runs.items():
            bits = bits if bits is None else "".join(str(int(bit)) for bit in bits)
            line = {"arm": arm, "cv_fold": fold, "seed": seed, "lr": 0.1}
            line |= {"final": True, "task": "city_country", "metric": "p_at_1"}
            line |= {"error": "" if bits else "the loss was not finite"}
            line |= {"score": bits.count("1") / len(bits) if bits else None}
            line |= {"test_hits": bits, "test_correct": bits}
            lines.append(line | columns)
    return pd.DataFrame(lines)


def untrained(frame: pd.DataFrame, *arms: str) -> pd.DataFrame:
    """The same table with these arms as wordings: without a rate."""
    return frame.assign(lr=frame["lr"].mask(frame["arm"].isin(arms)))
