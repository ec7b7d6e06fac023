"""All answers, and all tokens, get what the plain score of each of them is."""

import pytest
import torch
from small_models import MASKED, causal_lm, masked_lm

import ptlearn as pt
from ptlearn.errors import DataError, PromptError
from ptlearn.forward.answer_table import all_answers, all_tokens

ROWS = [{"subject": name} for name in ("Osaka", "Rio", "Port Moresby", "Lagos")]
ANSWERS = ["Japan", "Papua New Guinea", "Nigeria", "Papua", "New", "Port Moresby"]


def one_by_one(prompt, answers):
    columns = [
        prompt.answer_log_probs([row | {"answer": answer} for row in ROWS])
        for answer in answers
    ]
    return torch.stack(columns, dim=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["llama, grouped-query, tied", "gpt2"])
@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_every_answer_gets_its_own_score(name, batch_size):
    prompt = pt.Prompt(causal_lm(name), "The country of {subject} is {answer}")
    found = all_answers(prompt, ROWS, ANSWERS, batch_size=batch_size)
    torch.testing.assert_close(
        found, one_by_one(prompt, ANSWERS).to(found), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("name", MASKED)
def test_a_masked_model_fills_as_many_masks_as_an_answer_has_tokens(name):
    prompt = pt.Prompt(masked_lm(name), "{answer} is the country of {subject}")
    found = all_answers(prompt, ROWS, ANSWERS)
    torch.testing.assert_close(
        found, one_by_one(prompt, ANSWERS).to(found), atol=1e-5, rtol=0
    )


def test_a_tuner_is_read_with_its_virtual_tokens_and_without_dropout():
    config = pt.EncoderConfig("mlp", dropout=0.5)
    lm = causal_lm("gpt2")
    tuner = pt.PromptTuner(lm, "[V:4] {subject} [V:2] {answer}", encoder=config).train()
    found = all_answers(tuner, ROWS, ANSWERS)
    wanted = one_by_one(tuner.fold(), ANSWERS)
    torch.testing.assert_close(found, wanted.to(found), atol=1e-5, rtol=0)
    assert tuner.training, "reading leaves the mode as it was"


@pytest.mark.parametrize("kind", ["causal", "masked"])
def test_all_tokens_hold_those_of_the_answers(kind):
    lm = causal_lm("gpt2") if kind == "causal" else masked_lm("bert")
    prompt = pt.Prompt(lm, "The country of {subject} is {answer}")
    found = all_tokens(prompt, ROWS, batch_size=3)
    ids = [prompt.tokens.answer_ids(word)[0] for word in ("Japan", "Nigeria")]
    wanted = one_by_one(prompt, ["Japan", "Nigeria"]).to(found)
    torch.testing.assert_close(found[:, ids], wanted, atol=1e-5, rtol=0)
    assert found.exp().sum(dim=1).tolist() == pytest.approx([1.0] * 4)


def test_what_cannot_be_read_is_told():
    lm = causal_lm("gpt2")
    prompt = pt.Prompt(lm, "{subject} {answer}")
    long = [{"subject": "city " * 200}]
    with pytest.raises(DataError, match="reads at most 128"):
        all_tokens(prompt, long)
    with pytest.raises(DataError, match="reads at most 128"):
        all_answers(prompt, long, ["Japan"])
    broken = torch.full((1, lm.token_dim), torch.nan)
    prompt = pt.Prompt(lm, "{subject} [V] {answer}", broken)
    with pytest.raises(PromptError, match="the logits of row 0 and 3 others"):
        all_tokens(prompt, ROWS)
