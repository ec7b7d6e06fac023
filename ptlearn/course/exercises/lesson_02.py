"""The checks of lesson 02: virtual tokens."""

from ..expect import done, exercise, expect, require


@exercise
def ex02_1(gradient):
    """Check the toy's gradient, written without autograd, on drawn tables."""
    import torch
    from torch.nn.functional import cross_entropy

    generator = torch.Generator().manual_seed(1)
    for n, words, width in ((2, 1, 2), (1, 4, 3), (3, 2, 5), (4, 0, 2)):
        table = torch.randn(n, width, generator=generator, requires_grad=True)
        frozen = torch.randn(words, width, generator=generator)
        right = int(torch.randint(width, (), generator=generator))
        logits = torch.cat([table, frozen]).mean(dim=0)
        cross_entropy(logits, torch.tensor(right)).backward()
        tried = f"{n} virtual tokens, {words} words, {width} answers, answer {right}"
        got = gradient(table.detach().clone(), frozen, right)
        expect(f"the gradient for {tried}", got, table.grad, tol=1e-5)


@exercise
def ex02_2(tune, lm):
    """Check a prompt that the learner's function tunes, on rows that it never saw."""
    import torch

    from ...prompts.prompt import Prompt

    train, dev, unseen = _drinks()
    table = done(tune(train, dev, 30))
    require(
        isinstance(table, torch.Tensor), f"tune(...) gave a {type(table).__name__}."
    )
    shape = (2, lm.token_dim)
    require(tuple(table.shape) == shape, f"the table's shape is {tuple(table.shape)}.")
    asking = any(p.requires_grad for p in lm.model.parameters())
    require(not asking, "the language model is not frozen any more.")

    def loss(vectors, template=" {subject}[V:2] {answer}"):
        prompt = Prompt(lm, template, vectors)
        return -prompt.answer_log_probs(unseen).mean().item()

    generator = torch.Generator().manual_seed(2)
    drawn = lm.embedding_std * torch.randn(shape, generator=generator)
    before, after = loss(drawn), loss(table.detach())
    require(
        after < loss(table.detach(), "[V:2] {subject} {answer}"),
        "Your table does better with both virtual tokens before the subject than with "
        "both after it.",
    )
    require(
        after < before - 1,
        f"On rows that tune(...) did not see, the loss with your table is {after:.2f}, "
        f"with random vectors {before:.2f}; it should be lower by more than 1.",
    )


def _drinks() -> tuple[list[dict], list[dict], list[dict]]:
    """Draw rows that nobody knows beforehand: train, dev, and 16 to score on."""
    import numpy as np

    from ...tasks.task import load_task

    rng = np.random.default_rng(3)
    subjects = rng.permutation([row["subject"] for row in load_task("capital").train])
    drinks = rng.permutation(["tea", "milk", "water", "wine"])
    answers = rng.choice(drinks, size=72, p=[0.7, 0.1, 0.1, 0.1])
    rows = [
        {"subject": str(subject), "answer": str(answer)}
        for subject, answer in zip(subjects, answers, strict=False)
    ]
    return rows[:40], rows[40:56], rows[56:72]


@exercise
def ex02_3(mended):
    """Check a training loop without the four faults, on drawn problems."""
    import torch

    for number in range(4):
        start, problem = _problem(number)
        want, want_score = _train(start.clone().requires_grad_(), *problem)
        best, score = done(mended(start.clone().requires_grad_(), *problem))
        loss_of, score_of, batches, rates = problem
        tried = f"problem {number + 1} ({len(batches)} steps)"
        require(isinstance(best, torch.Tensor), f"{tried}: the best is no tensor.")
        expect(
            f"{tried}: the returned table's score minus the returned score",
            score_of(best) - float(score),
            0.0,
            tol=1e-5,
        )
        expect(f"{tried}: the best score", float(score), want_score, tol=1e-4)
        expect(f"{tried}: the best table", best, want, tol=1e-4)


def _problem(number: int):
    """Draw a start, and a loss, a score, batches and rates to train it with.

    The best table comes before the last step, and in the last problem before the first.
    """
    import torch

    generator = torch.Generator().manual_seed(number)
    goal = torch.randn(3, 2, generator=generator)
    far = 4 * torch.randn(3, 2, generator=generator)
    steps = 8 + 2 * number
    noise = torch.randn(steps, 3, 2, generator=generator)
    # The batches lead to the goal, and in the second half past it.
    shift = torch.linspace(-1, 2, steps)[:, None, None].clamp(min=0) * far
    rates = [0.6 * (step + 1) / steps for step in range(steps)]
    start = goal.clone() if number == 3 else goal - 0.5 * far

    def loss_of(table, batch):
        return ((table - batch) ** 2).sum()

    def score_of(table):
        return -(table.detach() - goal).norm().item()

    return start, (loss_of, score_of, list(goal + 0.1 * noise + shift), rates)


def _train(table, loss_of, score_of, batches, rates):
    """Train as it should be done; return the best table and its score."""
    import torch

    optimizer = torch.optim.AdamW([table], weight_decay=0.0)
    best, best_score = table.detach().clone(), score_of(table)
    for batch, rate in zip(batches, rates, strict=True):
        optimizer.zero_grad()
        loss_of(table, batch).backward()
        torch.nn.utils.clip_grad_norm_([table], 1.0)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        if score_of(table) > best_score:
            best, best_score = table.detach().clone(), score_of(table)
    return best, best_score


@exercise
def ex02_4(step):
    """Check a step on the masked matrix against the same step on a table alone."""
    import torch
    from torch.optim import SGD, AdamW

    generator = torch.Generator().manual_seed(4)
    settings = [
        (AdamW, {"lr": 0.1, "weight_decay": 0.5}),
        (SGD, {"lr": 0.3, "momentum": 0.9, "weight_decay": 0.1}),
    ]
    for optimizer_class, options in settings:
        matrix = torch.randn(12, 3, generator=generator)
        virtual = torch.rand(12, generator=generator) < 0.4
        table = matrix[virtual].clone().requires_grad_()
        words = matrix[~virtual].clone()
        matrix.requires_grad_()
        theirs = optimizer_class([matrix], **options)
        ours = optimizer_class([table], **options)
        for number, size in enumerate((3.0, 0.05, 1.0), start=1):
            gradient = size * torch.randn(12, 3, generator=generator)
            matrix.grad, table.grad = gradient.clone(), gradient[virtual].clone()
            done(step(matrix, theirs, virtual))
            torch.nn.utils.clip_grad_norm_([table], 1.0)
            ours.step()
            tried = f"{optimizer_class.__name__}, step {number}"
            moved = (matrix[~virtual] - words).abs().max()
            expect(f"{tried}: how far the words moved", moved, 0.0)
            gap = (matrix[virtual] - table).abs().max()
            expect(
                f"{tried}: distance of the virtual tokens from a table trained alone",
                gap,
                0.0,
                tol=1e-5,
            )
