"""The table of architectures: each is taken through a whole round."""

import dataclasses

import pytest
import torch

from ptlearn.course import architectures
from ptlearn.course.architectures import ARCHITECTURES, small_lm, try_architecture

PLAIN = {
    "Gemma 3",
    "Mamba",
    "BERT",
    "RoBERTa",
    "ALBERT, narrow embedding",
    "ModernBERT",
}
NARROW = {"OPT, narrow embedding", "ALBERT, narrow embedding"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(ARCHITECTURES) - {"RWKV"}))
def test_a_whole_round_works(name):
    said = try_architecture(name)
    assert said["result"] == "works"
    assert said["forward"] == ("plain" if name in PLAIN else "fast")
    assert small_lm(name).token_dim == (16 if name in NARROW else 32)


def test_a_model_that_reads_padding_is_refused_in_words():
    said = try_architecture("RWKV")
    assert (said["forward"], said["kind"]) == ("", "causal")
    assert "RwkvForCausalLM) reads the padding of a batch" in said["result"]


def test_a_round_whose_fold_changes_an_answer_does_not_pass(monkeypatch):
    fold = architectures.PromptTuner.fold

    def spoilt(tuner):
        prompt = fold(tuner)
        prompt._table += 0.5 * torch.randn_like(prompt._table)
        return prompt

    monkeypatch.setattr(architectures.PromptTuner, "fold", spoilt)
    with pytest.raises(AssertionError, match="GPT-2: fold"):
        try_architecture("GPT-2")


def test_gemma_3_multiplies_its_embeddings_and_the_standard_deviation_says_so():
    gemma, llama = small_lm("Gemma 3"), small_lm("Llama")
    looked_up = gemma.embed(torch.arange(len(gemma.tokenizer)))
    assert gemma.embedding_std == pytest.approx(looked_up.std().item(), rel=1e-4)
    assert gemma.embedding_std > 4 * llama.embedding_std
    same = dataclasses.replace(llama)
    matrix = llama.model.get_input_embeddings().weight
    assert same.embedding_std == pytest.approx(matrix.std().item(), rel=1e-6)
