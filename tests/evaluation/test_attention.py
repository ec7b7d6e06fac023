"""Attention from the answer's place: true weights, and the model stays as it was."""

import pytest
import torch
from small_models import CAUSAL, MASKED, causal_lm, masked_lm

import ptlearn as pt
from ptlearn.errors import DataError, ModelError
from ptlearn.evaluation import answer_attention
from ptlearn.templates import embed

MIXED = "[V:2] the city of {subject} [V] is in {answer}"
ROW = {"subject": "Lagos", "answer": "Nigeria"}


def model_of(name):
    return causal_lm(name) if name in CAUSAL else masked_lm(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CAUSAL, *MASKED])
def test_each_head_shares_out_one(name):
    tuner = pt.PromptTuner(model_of(name), MIXED, init="paper")
    frame = answer_attention(tuner, ROW)
    sums = frame.groupby(["layer", "head"])["weight"].sum()
    assert len(sums) == 2 * 4
    assert sums.to_numpy() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", CAUSAL)
def test_the_fast_attention_is_put_back(name):
    lm = causal_lm(name)
    tuner = pt.PromptTuner(lm, MIXED, init="paper")
    before, implementation = tuner.answer_log_probs([ROW]), lm.model.config
    implementation = implementation._attn_implementation
    answer_attention(tuner, ROW)
    assert lm.model.config._attn_implementation == implementation != "eager"
    assert torch.equal(tuner.answer_log_probs([ROW]), before)


def test_the_weights_are_those_that_the_formula_gives():
    """The first layer of a GPT-2, worked out from its weights."""
    lm = causal_lm("gpt2")
    tuner = pt.PromptTuner(lm, MIXED, init="paper")
    ids = torch.tensor(tuner.tokens.encode(ROW).ids)
    inner, block = lm.model.transformer, lm.model.transformer.h[0]
    vectors = embed(lm, ids, tuner.prompt_embeddings().detach())
    state = block.ln_1(vectors + inner.wpe.weight[: len(ids)])
    query, key, _ = block.attn.c_attn(state).split(32, dim=-1)
    query, key = (t.reshape(len(ids), 4, 8).transpose(0, 1) for t in (query, key))
    want = (query[:, -1:] @ key.mT / 8**0.5).softmax(-1)[:, 0]

    frame = answer_attention(tuner, ROW)
    found = frame[frame["layer"] == 0].pivot(
        index="head", columns="place", values="weight"
    )
    assert found.to_numpy() == pytest.approx(want.numpy(), abs=1e-6)


def test_places_say_what_stands_there():
    lm = causal_lm("gpt2")
    tuner = pt.PromptTuner(lm, MIXED)
    one = answer_attention(tuner, ROW).query("layer == 0 and head == 0")
    assert one["place"].tolist() == list(range(len(one)))
    tokens = one["token"].tolist()
    assert tokens[:3] == ["h0", "h1", " the"] and tokens[-1] == " in"
    assert one.loc[one["virtual"], "token"].tolist() == ["h0", "h1", "h2"]


def test_an_answer_of_several_tokens_is_looked_at_where_its_first_one_is_read():
    lm = causal_lm("gpt2")
    prompt = pt.Prompt(lm, "the city of {subject} is in {answer}")
    long, short = (
        answer_attention(prompt, ROW | {"answer": answer})
        for answer in (" Papua New Guinea", "Japan")
    )
    assert long["weight"].to_numpy() == pytest.approx(short["weight"].to_numpy())


def test_a_masked_model_looks_to_both_sides():
    lm = masked_lm("bert")
    tuner = pt.PromptTuner(lm, "{subject} is in {answer} [V:2] .")
    one = answer_attention(tuner, ROW).query("layer == 0 and head == 0")
    assert one["token"].tolist()[-4:] == ["h0", "h1", ".", "[SEP]"]
    assert (one["weight"] > 0).all()


def test_a_tuner_in_training_stays_in_training():
    tuner = pt.PromptTuner(causal_lm("gpt2"), MIXED).train()
    answer_attention(tuner, ROW)
    assert tuner.training


def test_a_row_without_its_column_is_refused():
    with pytest.raises(DataError, match="needs a column 'subject'"):
        answer_attention(pt.PromptTuner(causal_lm("gpt2"), MIXED), {"answer": "Japan"})


def test_a_model_that_keeps_its_weights_to_itself_is_named(monkeypatch):
    lm = causal_lm("gpt2")
    whole = lm.model.forward

    def without(*args, **options):
        return whole(*args, **options | {"output_attentions": False})

    monkeypatch.setattr(lm.model, "forward", without)
    with pytest.raises(ModelError, match="gpt2 returns no attention weights"):
        answer_attention(pt.PromptTuner(lm, MIXED), ROW)
