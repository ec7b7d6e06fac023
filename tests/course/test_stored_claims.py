"""Claims of lessons about live runs hold in every stored seed, with a margin."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import normalize

import ptlearn as pt
from ptlearn.evaluation import answer_attention
from ptlearn.mechanisms import experiment_results
from ptlearn.studies import load_study, results
from ptlearn.studies.store import load_table, stored_folder

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


@pytest.mark.embedded
def test_trained_from_words_every_virtual_token_stays_nearest_to_its_word(embedded_lm):
    words, tables = stored_from_words(embedded_lm)
    vocabulary = normalize(embedded_lm.model.get_input_embeddings().weight.detach())
    own = torch.arange(len(words)), torch.tensor(words)
    for table in tables:
        cosines = normalize(table) @ vocabulary.T
        to_own = cosines[own]
        cosines[own] = -1.0
        # Lesson 03 claims that no other word is nearer. Its run is shorter than these.
        assert (to_own > cosines.amax(dim=1) + 0.05).all()


@pytest.mark.embedded
def test_the_plane_of_the_words_hardly_holds_the_moves(embedded_lm):
    words, tables = stored_from_words(embedded_lm)
    vocabulary = embedded_lm.model.get_input_embeddings().weight.detach()
    around = vocabulary - vocabulary.mean(dim=0)
    plane = torch.linalg.eigh(around.T @ around).eigenvectors[:, -2:]
    for table in tables:
        moves = table - vocabulary[words]
        share = (moves @ plane).square().sum() / moves.square().sum()
        # Lesson 03 claims less than 2 %.
        assert share < 0.02 / MARGIN


def stored_from_words(lm):
    """The words that a study's tables began at, and all its tables after training."""
    rows = results(load_study("facts"))
    rows = rows[rows["final"] & (rows["arm"] == "bare, words")]
    tables = [load_table(stored_folder(), key) for key in rows["key"]]
    assert len(tables) == 15
    texts = ("City:", "\nCountry:")
    words = [lm.tokenizer(t, add_special_tokens=False)["input_ids"] for t in texts]
    return sum(words, []), tables


def final_runs(study: str, arm: str) -> pd.DataFrame:
    rows = results(load_study(study))
    runs = rows[rows["final"] & (rows["arm"] == arm)]
    assert len(runs) >= 5
    return runs


@pytest.mark.slow
def test_a_mixed_prompt_lowers_the_loss_of_its_words_in_every_run():
    wording = final_runs("facts", "best wording")["test_log_probs"]
    losses = final_runs("facts", "mixed, words")["dev_losses"]
    # Lesson 05 claims 0.4 nat after 30 steps.
    alone = min(-np.mean(log_probs) for log_probs in wording)
    for step in (20, 40):
        assert alone - max(dict(curve)[step] for curve in losses) > 0.4 * MARGIN


@pytest.mark.slow
@pytest.mark.embedded
def test_the_city_gets_little_attention_and_is_needed_in_every_stored_prompt(
    embedded_lm,
):
    rows = list(pt.load_task("city_country").head("dev", 8).dev)
    swapped = [
        a | {"subject": b["subject"]}
        for a, b in zip(rows, rows[1:] + rows[:1], strict=True)
    ]
    osaka = {"subject": "Osaka", "answer": "Japan"}
    for _, run in final_runs("facts", "mixed, words").iterrows():
        table = load_table(stored_folder(), run["key"])
        prompt = pt.Prompt(embedded_lm, run["template"], table)
        share = answer_attention(prompt, osaka).groupby("place")
        share = share.agg({"token": "first", "weight": "mean"})
        city = share["token"].isin([" Os", "aka"])
        assert city.sum() == 2
        # Lesson 05 claims a tenth, and 3 nats.
        assert share.loc[city, "weight"].sum() < 0.1 / MARGIN
        right, wrong = (prompt.answer_log_probs(r).mean() for r in (rows, swapped))
        assert right - wrong > 3 * MARGIN
