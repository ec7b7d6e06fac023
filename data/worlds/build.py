"""Build the invented world: its facts, its text, and the language models of it.

Run in the repository, some ten minutes on one core: ``make worlds``. The same seeds
give the same text to the byte; trained weights agree to rounding on one kind of
processor, so losses are compared within a tolerance (tests/tasks/test_worlds.py).
"""

import argparse
import hashlib
import json
from functools import partial
from pathlib import Path

import grammar
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.utils.data import DataLoader
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedTokenizerFast,
    get_cosine_schedule_with_warmup,
)

HERE = Path(__file__).parent
SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "bos": "[BOS]", "eos": "[EOS]"}
SPECIAL |= {"mask": "[MASK]"}
LONGEST = 64  # tokens: a wording with many virtual tokens
SPREAD = 0.08  # of the initial weights; at the usual .02 a small model learns late
MASKED = {"answers": 0.75, "other words": 0.1}
"""Share of the words that a masked model has to fill in. Facts are learnt where the
answer is masked and the rest is there (salient span masking, Guu et al. 2020)."""
RATE = 2e-3
FIRST_STEPS = 6  # losses that are stored, for the test that trains again


def world_tokenizer(kind, text):
    """Words are tokens; a mark stands before a text, if masked after it, too."""
    words = [*SPECIAL.values(), *grammar.words(text)]
    model = models.WordLevel({word: i for i, word in enumerate(words)}, SPECIAL["unk"])
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    marks = {"causal": "[BOS] $A", "masked": "[BOS] $A [EOS]"}[kind]
    places = [(mark, words.index(mark)) for mark in ("[BOS]", "[EOS]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=marks, special_tokens=places
    )
    named = {f"{name}_token": token for name, token in SPECIAL.items()}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids", "attention_mask"],
        **named,
    )


def causal_model(**sizes):
    """A Llama. Its places are relative, so that a prompt of any length fits."""
    return LlamaForCausalLM(LlamaConfig(**sizes))


def masked_model(**sizes):
    """A ModernBERT: relative places, too, and every layer sees the whole sentence."""
    config = ModernBertConfig(
        **sizes,
        global_attn_every_n_layers=1,
        initializer_cutoff_factor=3.0,
        cls_token_id=sizes["bos_token_id"],
        sep_token_id=sizes["eos_token_id"],
    )
    return ModernBertForMaskedLM(config)


MODELS = {
    # folder: (kind, model, width, width of the hidden layers, epochs)
    "world-causal": ("causal", causal_model, 128, 384, 22),
    "world-masked": ("masked", masked_model, 128, 384, 32),
    "world-causal-2m": ("causal", causal_model, 192, 512, 22),
}


def make_model(name, tokenizer):
    """Draw a model with random weights, of four layers with four heads."""
    _, make, width, hidden, _ = MODELS[name]
    return make(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=hidden,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=LONGEST,
        tie_word_embeddings=True,
        initializer_range=SPREAD,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def batch_of(sentences, tokenizer, kind):
    """Tokenise; a masked model is asked for some of the words, a causal one for all."""
    batch = tokenizer(sentences, padding=True, return_tensors="pt")
    ids = batch["input_ids"].clone()
    asked = batch["attention_mask"].bool()
    if kind == "masked":
        answers = tokenizer.convert_tokens_to_ids([*grammar.TRADES, *grammar.TOWNS])
        is_answer = torch.isin(ids, torch.tensor(answers))
        share = torch.where(is_answer, MASKED["answers"], MASKED["other words"])
        asked = (torch.rand(ids.shape) < share) & (ids >= len(SPECIAL))
        batch["input_ids"][asked] = tokenizer.mask_token_id
    return {**batch, "labels": ids.where(asked, -100)}


def train(name, text, most_steps=None):
    """Train a model on the sentences; return it with its tokenizer and all losses.

    ``most_steps`` ends a run early without a change to its first steps.
    """
    kind, *_, epochs = MODELS[name]
    tokenizer = world_tokenizer(kind, text)
    torch.manual_seed(grammar.SEED)  # for the weights, the order and the masks
    model = make_model(name, tokenizer).train()
    collate = partial(batch_of, tokenizer=tokenizer, kind=kind)
    batches = DataLoader(text, batch_size=32, shuffle=True, collate_fn=collate)
    steps = epochs * len(batches)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    schedule = get_cosine_schedule_with_warmup(optimizer, steps // 20, steps)
    losses = []
    for _ in range(epochs):
        for batch in batches:
            loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            if len(losses) == most_steps:
                return model.eval(), tokenizer, losses
    return model.eval(), tokenizer, losses


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=list(MODELS), help="models")
    options = parser.parse_args()
    all_facts = grammar.facts()
    text = grammar.sentences(all_facts)
    (HERE / "facts.jsonl").write_text(grammar.as_jsonl(all_facts), encoding="utf-8")
    (HERE / "sentences.txt").write_text("\n".join(text) + "\n", encoding="utf-8")
    stored = HERE / "losses.json"
    first = json.loads(stored.read_text()) if stored.exists() else {}
    for name in options.only:
        model, tokenizer, losses = train(name, text)
        folder = HERE / name
        model.half().save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        first[name] = [round(loss, 4) for loss in losses[:FIRST_STEPS]]
        print(f"{name}: {model.num_parameters():,} numbers, loss {losses[-1]:.3f}")
    stored.write_text(json.dumps(first, indent=1) + "\n", encoding="utf-8")
    sums()


def sums():
    """Write SHA256SUMS, as `sha256sum --check` reads it."""
    files = [*HERE.glob("*.jsonl"), *HERE.glob("*.txt"), *HERE.glob("*/*")]
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(HERE)}\n"
        for path in sorted(files)
        if "__pycache__" not in path.parts
    ]
    (HERE / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
