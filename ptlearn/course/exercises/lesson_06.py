"""The checks of lesson 06: fold and use."""

from ..expect import done, exercise, expect, require

FARTHEST = 1.5  # times rate x steps, which Adam can hardly exceed


@exercise
def ex06_1(stored):
    """Check the bytes of some prompts, against encoders that are counted."""
    from torch import zeros

    from ...prompts.encoders import make_encoder

    for prompts, n, d in ((1, 5, 576), (40, 1, 64), (7, 20, 256)):
        encoder = make_encoder("lstm", zeros(n, d))
        whole = sum(p.numel() for p in encoder.parameters())
        tried = f"{prompts} prompts of {n} virtual tokens, width {d}"
        got = stored(prompts, n, d, True)
        expect(f"{tried}, folded", got, prompts * n * d * 4)
        got = stored(prompts, n, d, False)
        expect(f"{tried}, each with its encoder", got, prompts * whole * 4)


@exercise
def ex06_2(go_on, lm):
    """Check that a folded prompt is trained further, from its own table."""
    from ...prompts.prompt import Prompt

    task, steps, lr = _drinks(), 20, 0.02
    prompt = _drawn_prompt(lm, task.answers)
    table = prompt.prompt_embeddings().clone()
    further = done(go_on(prompt, task, steps, lr))
    require(
        isinstance(further, Prompt),
        f"go_on(...) gave a {type(further).__name__}, not a Prompt.",
    )
    expect("the template", further.template.text, prompt.template.text)
    expect("the answers that it keeps", sorted(further.answers), sorted(task.answers))
    expect("the table of the prompt that you were given", prompt._table, table)
    moved = (further.prompt_embeddings() - table).abs().max().item()
    require(
        moved < FARTHEST * lr * steps,
        f"a number of your table is {moved:.2f} from where it was; {steps} steps at "
        f"rate {lr} cannot carry a bare table so far.",
    )
    rows = list(task.train)
    before, after = (-p.answer_log_probs(rows).mean().item() for p in (prompt, further))
    require(
        after < before - 0.1,
        f"the loss on the training rows was {before:.2f} and is {after:.2f}.",
    )


def _drinks():
    """Draw a task that nobody knows beforehand, without dev rows."""
    import numpy as np

    from ...tasks.task import Task, load_task

    rng = np.random.default_rng(6)
    subjects = [row["subject"] for row in load_task("capital").train][:24]
    drinks = rng.choice(["tea", "milk", "wine"], size=len(subjects), p=[0.7, 0.2, 0.1])
    rows = [
        {"subject": subject, "answer": str(drink)}
        for subject, drink in zip(subjects, drinks, strict=True)
    ]
    return Task.from_rows(rows)


def _drawn_prompt(lm, answers):
    """Make a folded prompt whose vectors are far longer than words."""
    import torch

    from ...prompts.prompt import Prompt

    draw = torch.Generator().manual_seed(6)
    table = torch.randn(3, lm.token_dim, generator=draw)
    return Prompt(lm, "[V:3] {subject} {answer}", table, answers=answers)


@exercise
def ex06_3(fold):
    """Check folding by hand, for encoders of several kinds, in both modes."""
    import torch

    from ...prompts.encoders import EncoderConfig, make_encoder

    draw = torch.Generator().manual_seed(0)
    for kind, dropout, training in (
        ("mlp", 0.5, True),
        ("mlp", 0.5, False),
        ("lstm", 0.3, True),
        ("none", 0.0, False),
    ):
        vectors = torch.randn(3, 4, generator=draw)
        encoder = make_encoder(EncoderConfig(kind, dropout=dropout), vectors).eval()
        want = encoder().detach().clone()
        encoder.train(training)
        state = "in training mode" if training else "in eval mode"
        tried = f"an encoder of kind {kind!r} that came {state}"
        table = done(fold(encoder))
        expect(f"{tried}: the table", table, want, tol=1e-6)
        expect(f"{tried}: the table asks for a gradient", table.requires_grad, False)
        expect(f"{tried}: encoder.training afterwards", encoder.training, training)
        frozen = not all(p.requires_grad for p in encoder.parameters())
        expect(f"{tried}: a weight is frozen afterwards", frozen, False)
        with torch.no_grad():
            for weight in encoder.parameters():
                weight += 1  # a further step of training
        expect(f"{tried}, then trained on: your table", table, want, tol=1e-6)


@exercise
def ex06_4(fold_by_kind):
    """Check the fold of an encoder that reads a field with few values."""
    import torch

    draw = torch.Generator().manual_seed(4)
    for kinds in (["city", "river"], ["en", "zh", "fr", "de"]):
        encoder = _reads_kind(kinds).eval()
        numbers = torch.randint(len(kinds), (12,), generator=draw).tolist()
        rows = [
            {"subject": f"name {i}", "kind": kinds[k]} for i, k in enumerate(numbers)
        ]
        with torch.no_grad():
            want = [encoder(row).clone() for row in rows]
        encoder.train()
        encoder.calls = 0
        table_of = done(fold_by_kind(encoder, list(kinds)))
        tried = f"{len(kinds)} kinds"
        require(callable(table_of), f"fold_by_kind gave a {type(table_of).__name__}.")
        most = len(kinds)
        require(
            encoder.calls <= most,
            f"{tried}: the encoder was called {encoder.calls} times.",
        )
        expect(f"{tried}: encoder.training afterwards", encoder.training, True)
        encoder.calls = 0
        with torch.no_grad():
            for weight in encoder.parameters():
                weight.zero_()  # the encoder is dropped
        for row, table in zip(rows, want, strict=True):
            got = done(table_of(row))
            expect(
                f"{tried}, after the encoder was dropped: {row}", got, table, tol=1e-6
            )
            expect("the table asks for a gradient", got.requires_grad, False)
        calls = encoder.calls
        require(calls == 0, f"{tried}: the dropped encoder was called {calls} times.")


def _reads_kind(kinds: list[str]):
    """Make an encoder that reads a row's ``kind`` and nothing else of it."""
    import torch

    class ReadsKind(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0
            self.shift = torch.nn.Parameter(torch.randn(len(kinds), 3, 4))
            self.drop = torch.nn.Dropout(0.5)

        def forward(self, row: dict):
            self.calls += 1
            return self.drop(self.shift[kinds.index(row["kind"])])

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(len(kinds))
        return ReadsKind()
