"""Claims of lessons about live runs hold in every stored seed, with a margin."""

from ptlearn.mechanisms import experiment_results

MARGIN = 1.5


def test_an_encoder_multiplies_the_rate_in_every_seed():
    rows = experiment_results("coupling")
    rows = rows[~rows["cut"]]
    kappa = {
        arm: [row["probe"][row["encoder"]]["multiplier"] for _, row in runs.iterrows()]
        for arm, runs in rows.groupby("arm")
    }
    # Lesson 04 claims 30 and 8.
    assert min(kappa["MLP"]) / max(kappa["bare"]) > 30 * MARGIN
    assert min(kappa["LSTM"]) / max(kappa["bare"]) > 8 * MARGIN
