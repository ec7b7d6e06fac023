"""Training, evaluation and answering, by ptlearn and by what one would use instead.

PEFT trains the same frozen model on the same rows, with the same number of virtual
tokens and an encoder of the same size. PEFT can only put virtual tokens first, so a
context that ptlearn reads before them stands after them there.
"""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from peft import PromptEncoderConfig, get_peft_model

import ptlearn as pt
from ptlearn.forward.kv_cache import ContextCache
from ptlearn.forward.plan import ForwardPlan
from ptlearn.forward.scoring import sum_targets
from ptlearn.templates.batching import embed, pad


@dataclass(frozen=True)
class Case:
    """What is measured.

    Attributes
    ----------
    template : str
        ptlearn's; PEFT's is the same text behind a prefix of as many virtual tokens.
    tokens : int
        Length of the row's own text in tokens.
    """

    name: str
    template: str
    tokens: int
    batch_size: int = 16
    encoder: str = "lstm"

    @property
    def num_virtual_tokens(self) -> int:
        pieces = pt.Template(self.template).pieces
        return sum(getattr(piece, "count", 0) for piece in pieces)


CONTEXT, PREFIX = "{text} [V:6] {answer}", "[V:20] {text} {answer}"
MIXED = "[V:3] {text} [V:3] {answer}"
TRAINING_CASES = [
    Case("context 16", CONTEXT, 16),
    Case("context 64", CONTEXT, 64),
    Case("context 256", CONTEXT, 256),
    Case("prefix 20, short", PREFIX, 6),
    Case("prefix 20, 64 tokens", PREFIX, 64),
    Case("mixed, lesson 05", MIXED, 4),
]
"""The cases of the geometric mean: LSTM encoder, batch of 16."""
OTHER_CASES = [
    Case("prefix 20, short, batch 32", PREFIX, 6, batch_size=32),
    Case("prefix 20, short, MLP", PREFIX, 6, encoder="mlp"),
]
CASES = {case.name: case for case in TRAINING_CASES + OTHER_CASES}


def make_rows(lm: pt.LanguageModel, tokens: int, count: int) -> list[dict]:
    """Rows whose text is about ``tokens`` tokens of real reviews, cut to length."""
    reviews = " ".join(pt.load_task("movie_sentiment").train["text"][:3000])
    ids = lm.tokenizer(reviews)["input_ids"]
    starts = range(0, count * tokens, tokens)
    texts = [lm.tokenizer.decode(ids[i : i + tokens]).strip() for i in starts]
    answers = ("positive", "negative")
    return [{"text": text, "answer": answers[i % 2]} for i, text in enumerate(texts)]


class Ours:
    """ptlearn, by its plan or by the plain forward."""

    def __init__(
        self, lm: pt.LanguageModel, case: Case, *, fast: bool = True, seed: int = 0
    ):
        self.tuner = pt.PromptTuner(lm, case.template, encoder=case.encoder, seed=seed)
        self.tuner._plan = ForwardPlan(lm, self.tuner.template, fast=fast)
        self.optimizer = torch.optim.AdamW(self.tuner.parameters(), lr=1e-3, fused=True)
        self.context_cache: ContextCache | None = None

    def keep_contexts(self, rows: list[dict]) -> None:
        """Keep the rows' contexts; the next visit of each is a first one."""
        self.context_cache = ContextCache(
            self.tuner.tokens.encode(row).ids for row in rows
        )

    def backward(self, rows: list[dict]) -> torch.Tensor:
        """Return the gradient of the initial vectors, shape (tokens, token_dim)."""
        examples = [self.tuner.tokens.encode(row) for row in rows]
        (-self.tuner(examples, self.context_cache).mean()).backward()
        return self.tuner.encoder.embedding.grad

    def step(self, rows: list[dict]) -> None:
        self.backward(rows)
        self.optimizer.step()
        self.optimizer.zero_grad()

    @torch.no_grad()
    def score(self, rows: list[dict]) -> float:
        """Mean log-probability of the answers."""
        table = self.tuner.prompt_embeddings()
        prefix = self.tuner._plan.shared_prefix(table)
        examples = [self.tuner.tokens.encode(row) for row in rows]
        logits = self.tuner._plan.logits(table, examples, prefix, self.context_cache)
        return float(sum_targets(logits, examples).mean())

    @property
    def num_trainable(self) -> int:
        return self.tuner.num_trainable()


class Peft:
    """PEFT's P-tuning with its own prompt encoder, in float32 or under autocast."""

    def __init__(self, lm: pt.LanguageModel, case: Case, *, autocast: bool = False):
        # Weights stay in float32: autocast casts them anew for each product.
        half = torch.autocast(lm.device.type, torch.bfloat16)
        self.precision = half if autocast else nullcontext()
        self.tokens = pt.templates.TemplateTokens(lm, pt.Template(case.template))
        kind = {"lstm": "LSTM", "mlp": "MLP"}[case.encoder]
        # PEFT's LSTM width is for each direction, as ptlearn's; its MLP's is not.
        hidden = lm.token_dim // 2 if kind == "LSTM" else lm.token_dim
        config = PromptEncoderConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=case.num_virtual_tokens,
            encoder_reparameterization_type=kind,
            encoder_hidden_size=hidden,
            encoder_num_layers=2,
            encoder_dropout=0.0,
        )
        self.model = get_peft_model(lm.model, config)
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=1e-3, fused=True)

    def _batch(self, rows: list[dict]) -> dict:
        # The very tokens that ptlearn reads, without the virtual ones.
        read = [self.tokens.encode(row) for row in rows]
        prompts = [[t for t in e.ids[: e.first_target + 1] if t >= 0] for e in read]
        answers = [list(example.targets) for example in read]
        whole = [p + a for p, a in zip(prompts, answers, strict=True)]
        ids, mask = pad(whole, "right")
        labels = torch.full_like(ids, -100)
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            span = slice(len(prompt), len(prompt) + len(answer))
            labels[row, span] = torch.tensor(answer)
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    @property
    def encoder(self) -> torch.nn.Module:
        """PEFT's own prompt encoder."""
        return self.model.prompt_encoder["default"]

    def backward(self, rows: list[dict]) -> torch.Tensor:
        """As ``Ours.backward``."""
        with self.precision:
            loss = self.model(**self._batch(rows)).loss
        loss.backward()
        return self.encoder.embedding.weight.grad

    def step(self, rows: list[dict]) -> None:
        self.backward(rows)
        self.optimizer.step()
        self.optimizer.zero_grad()

    @torch.no_grad()
    def score(self, rows: list[dict]) -> float:
        """As ``Ours.score``."""
        batch = self._batch(rows)
        labels = batch.pop("labels")
        logits = self.model(**batch).logits[:, -labels.shape[1] - 1 : -1]
        wanted = labels != -100
        chosen = logits[wanted].log_softmax(-1).gather(1, labels[wanted][:, None])
        return float(chosen.sum() / len(rows))

    @property
    def num_trainable(self) -> int:
        return sum(p.numel() for p in self.trained)


class EachCandidate:
    """The obvious way to choose an answer: the model reads each one after each row."""

    def __init__(self, prompt: pt.Prompt):
        self.lm, self.tokens = prompt.lm, prompt.tokens
        self.table = prompt.prompt_embeddings()

    @torch.no_grad()
    def best(self, row: dict, candidates: Sequence[str]) -> tuple[str, float]:
        """Return the most probable candidate and its log-probability."""
        read = [self.tokens.encode(row, answer) for answer in candidates]
        ids, mask = pad([example.ids for example in read], "right")
        vectors = embed(self.lm, ids, self.table)
        logits = self.lm.model(inputs_embeds=vectors, attention_mask=mask).logits
        scores = []
        for own, example in zip(logits, read, strict=True):
            first, targets = example.first_target, torch.tensor(example.targets)
            answer = own[first : first + len(targets)].log_softmax(-1)
            scores.append(float(answer.gather(1, targets[:, None]).sum()))
        best = max(range(len(scores)), key=scores.__getitem__)
        return candidates[best], scores[best]


def seconds(function, *args) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start
