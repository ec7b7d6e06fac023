"""Small random language models of many architectures, in float64, and tokenizers."""

from functools import cache, partial

import torch
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    OPTConfig,
    OPTForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
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
MORE = {
    "qwen3": lambda: Qwen3ForCausalLM(
        Qwen3Config(**BASE, num_key_value_heads=2, head_dim=8)
    ),
    "gemma": lambda: GemmaForCausalLM(
        GemmaConfig(**BASE, num_key_value_heads=1, head_dim=8)
    ),
    "phi": lambda: PhiForCausalLM(PhiConfig(**BASE)),
}
"""Held to fewer templates, to save time."""
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
    "modernbert": lambda: ModernBertForMaskedLM(
        ModernBertConfig(**MASKED_BASE, pad_token_id=0)
    ),
}


@cache
def causal_lm(name: str, tokenizer: str | None = None) -> pt.LanguageModel:
    """A causal model in float64; its tokenizer is the embedded one or one of MARKED."""
    model = _frozen((CAUSAL | MORE | SLIDING)[name])
    chosen = MARKED[tokenizer]() if tokenizer else pt.load_lm("tiny").tokenizer
    return pt.LanguageModel(model, chosen, "causal", name)


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


# SentencePiece's alphabet: every word with and without a word-start mark, and letters.
LETTERS = [*map(chr, range(33, 127)), "▁"]
PLAIN_WORDS = TEXT.split()
MARKED_WORDS = ["▁" + word for word in PLAIN_WORDS]


def _bpe(byte_fallback: bool = False):
    """Words are merged letter by letter, from left to right."""
    words = [*MARKED_WORDS, *PLAIN_WORDS]
    merges = [(word[:i], word[i]) for word in words for i in range(1, len(word))]
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else []
    pieces = ["<unk>", "<s>", *bytes_, *LETTERS, *map("".join, merges)]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    return models.BPE(
        vocabulary,
        list(dict.fromkeys(merges)),
        unk_token="<unk>",
        fuse_unk=True,
        byte_fallback=byte_fallback,
    )


def _unigram(lower: bool = False):
    """Marked words are the likeliest pieces, then bare words, then letters."""
    pieces = [(word, -5.0) for word in MARKED_WORDS]
    pieces += [(word, -6.0) for word in PLAIN_WORDS]
    pieces += [(letter, -10.0) for letter in LETTERS]
    special = ["<unk>", "<s>", "[CLS]", "[SEP]", "[MASK]"]
    scores = dict.fromkeys(special, 0.0)
    for piece, score in pieces:
        scores.setdefault(piece.lower() if lower else piece, score)
    return models.Unigram(list(scores.items()), unk_id=0)


def _fast(model, normalizer=None, pre_tokenizer=None, start=None, **special):
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Metaspace()
    if start:
        special["bos_token"] = start
        place = tokenizer.token_to_id(start)
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{start} $A", special_tokens=[(start, place)]
        )
    special = {"unk_token": "<unk>", "pad_token": "<unk>"} | special
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def _albert():
    """ALBERT splits at white space first, marks every word, and knows no capitals."""
    fast = _fast(
        _unigram(lower=True),
        normalizers.Lowercase(),
        pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
        ),
        mask_token=AddedToken("[MASK]", lstrip=True),
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    backend = fast.backend_tokenizer
    both = [(token, backend.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=both
    )
    return fast


def _byte_level():
    """As GPT-2's, but with a space before every text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*("Ġ" + word for word in PLAIN_WORDS), *PLAIN_WORDS]
    merges = [(word[:i], word[i]) for word in words for i in range(1, len(word))]
    pieces = dict.fromkeys(["<unk>", *alphabet, *map("".join, merges)])
    model = models.BPE(
        {p: i for i, p in enumerate(pieces)}, list(dict.fromkeys(merges))
    )
    return _fast(model, pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True))


MARKED = {
    "metaspace always, unigram": lambda: _fast(
        _unigram(), pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="always")
    ),
    "metaspace always, BPE": lambda: _fast(
        _bpe(), pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="always")
    ),
    "metaspace first, BPE": lambda: _fast(
        _bpe(), pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first")
    ),
    "as Llama-2's": lambda: _fast(
        _bpe(byte_fallback=True),
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
        start="<s>",
    ),
    "as ALBERT's": _albert,
    "byte-level with a space first": _byte_level,
}
"""Tokenizers that put a mark or a space before every text they are given."""


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
    gemma = hasattr(module, "eps")  # its weight is what is added to one
    weight = 1 + module.weight if gemma else module.weight
    epsilon = module.eps if gemma else module.variance_epsilon
    return weight * hidden * torch.rsqrt(mean_square + epsilon)
