"""Small random language models of many architectures, in float64."""

from functools import cache, partial

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

import ptlearn as pt

BASE = {
    "vocab_size": 49152,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
}
GPT2 = {
    "vocab_size": 49152,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 128,
}
OPT = {
    "vocab_size": 49152,
    "hidden_size": 32,
    "ffn_dim": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "init_std": 0.2,
}
CAUSAL = {
    "llama, grouped-query, tied": lambda: LlamaForCausalLM(
        LlamaConfig(**BASE, num_key_value_heads=2, tie_word_embeddings=True)
    ),
    "llama, multi-head, untied": lambda: LlamaForCausalLM(
        LlamaConfig(**BASE, num_key_value_heads=4, tie_word_embeddings=False)
    ),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**GPT2, initializer_range=0.2)),
    "gpt-neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**BASE)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**BASE, num_key_value_heads=2)),
    "opt": lambda: OPTForCausalLM(OPTConfig(**OPT)),
    "opt, narrow embedding": lambda: OPTForCausalLM(
        OPTConfig(**OPT, word_embed_proj_dim=16)
    ),
}
SLIDING = {
    "mistral, sliding window": lambda: MistralForCausalLM(
        MistralConfig(**BASE, num_key_value_heads=2, sliding_window=4)
    ),
}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXT = """the capital of country is in located a city good bad very film was it Osaka
Lagos Rio Japan Nigeria Brazil Papua New Guinea Port Moresby . , : Review"""
WORDS = SPECIAL + TEXT.split()
MASKED_BASE = BASE | {"vocab_size": len(WORDS)}
MASKED = {
    "bert": lambda: BertForMaskedLM(BertConfig(**MASKED_BASE)),
    "roberta": lambda: RobertaForMaskedLM(RobertaConfig(**MASKED_BASE, pad_token_id=1)),
    "albert, narrow embedding": lambda: AlbertForMaskedLM(
        AlbertConfig(**MASKED_BASE, embedding_size=16)
    ),
}


@cache
def causal_lm(name: str) -> pt.LanguageModel:
    """A causal model in float64 with the embedded model's tokenizer."""
    model = _frozen((CAUSAL | SLIDING)[name])
    return pt.LanguageModel(model, pt.load_lm("tiny").tokenizer, "causal", name)


@cache
def masked_lm(name: str) -> pt.LanguageModel:
    """A masked model in float64 whose tokenizer knows WORDS and adds [CLS], [SEP]."""
    tokenizer = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(WORDS)}, "[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        mask_token="[MASK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    return pt.LanguageModel(_frozen(MASKED[name]), fast, "masked", name)


def _frozen(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make().to(torch.float64).requires_grad_(False).eval()
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            # The library's own rounds to float32 inside, whatever the model's type.
            module.forward = partial(_rms_norm, module)
    return model


def _rms_norm(module, hidden):
    mean_square = hidden.pow(2).mean(-1, keepdim=True)
    return module.weight * hidden * torch.rsqrt(mean_square + module.variance_epsilon)
