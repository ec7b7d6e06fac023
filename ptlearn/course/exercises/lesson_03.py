"""The checks of lesson 03: context words."""

from ..expect import done, exercise, expect, require


@exercise
def ex03_1(nearest):
    """Check the nearest word by cosine and by distance, on drawn words."""
    import torch
    from torch.nn.functional import cosine_similarity

    generator = torch.Generator().manual_seed(1)
    for words, width, size in ((3, 2, 1.0), (8, 3, 6.0), (40, 5, 0.2), (200, 16, 3.0)):
        lengths = torch.rand(words, 1, generator=generator) + 0.3
        matrix = lengths * torch.randn(words, width, generator=generator)
        vector = size * torch.randn(width, generator=generator)
        want = (
            int(cosine_similarity(vector, matrix).argmax()),
            int((matrix - vector).norm(dim=1).argmin()),
        )
        got = done(nearest(vector.clone(), matrix.clone()))
        tried = f"{words} words of width {width}"
        require(
            isinstance(got, tuple | list) and len(got) == 2,
            f"{tried}: nearest(...) gave {got!r}, not two numbers of words.",
        )
        for measure, found, wanted in zip(
            ("cosine", "distance"), got, want, strict=True
        ):
            expect(f"{tried}: the nearest by {measure}", int(found), wanted)


@exercise
def ex03_2(initialise, lm):
    """Check a prompt table made from words, for drawn words and lengths."""
    import torch

    texts = [
        ("capital", 1),
        ("the country of", 3),
        ("Ouagadougou lies in Burkina Faso", 6),
        ("city", 4),
        ("a question of geography", 9),
    ]
    vocabulary = lm.model.get_input_embeddings().weight.detach()
    for text, count in texts:
        ids = lm.tokenizer(" " + text, add_special_tokens=False)["input_ids"]
        want = vocabulary[[ids[i % len(ids)] for i in range(count)]]
        tried = f"initialise({text!r}, {count})"
        got = done(initialise(text, count))
        require(isinstance(got, torch.Tensor), f"{tried} gave a {type(got).__name__}.")
        bare = lm.tokenizer(text, add_special_tokens=False)["input_ids"]
        if got.shape == want.shape and torch.equal(got[0], vocabulary[bare[0]]):
            require(bare[0] == ids[0], f"{tried}: no space before the first word.")
        expect(tried, got.detach(), want)


@exercise
def ex03_3(fair):
    """Check a fair comparison on made-up runs whose scores are known."""
    import numpy as np

    rng = np.random.default_rng(3)
    for number in range(6):
        names = ["random", "words", "answers"][: 2 + number % 2]
        rates = [0.003, 0.01, 0.03, 0.1, 0.3][: 3 + number % 3]
        tuning, seeds = [101, 102], list(range(2 + number % 3))
        table = {
            (name, rate, seed): dict(zip(("dev", "test"), rng.random(2), strict=True))
            for name in names
            for rate in rates
            for seed in tuning + seeds
        }

        def run(name, rate, seed, table=table):
            return dict(table[name, rate, seed])

        want = {}
        for name in names:
            dev = [sum(table[name, r, s]["dev"] for s in tuning) for r in rates]
            best = rates[int(np.argmax(dev))]
            want[name] = np.mean([table[name, best, s]["test"] for s in seeds])
        got = done(fair(run, names, rates, tuning, seeds))
        tried = f"made-up problem {number + 1}"
        require(
            isinstance(got, dict) and list(got) == names,
            f"{tried}: fair(...) gave {got!r}, not a mean for each of {names}.",
        )
        for name in names:
            expect(
                f"{tried}, mean of {name!r}",
                float(done(got[name])),
                want[name],
                tol=1e-9,
            )


@exercise
def ex03_4(wayward, lm):
    """Check a prompt that answers well and is nearest to words of no use."""
    import torch

    from ...prompts.prompt import Prompt
    from ...tasks.task import Task
    from ...templates.language import Text

    train, unseen = _colours()
    task = Task.from_rows(train)
    vocabulary = lm.model.get_input_embeddings().weight.detach()
    for words in (" bananas are yellow", " never mind the weather"):
        ids = lm.tokenizer(words, add_special_tokens=False)["input_ids"]
        tried = f"wayward({words!r}, ...)"
        prompt = done(wayward(words, task))
        require(
            isinstance(prompt, Prompt),
            f"{tried} gave a {type(prompt).__name__}, no Prompt.",
        )
        frozen = [p.text for p in prompt.template.pieces if isinstance(p, Text)]
        require(
            not "".join(frozen).strip(), f"{tried}: the frozen words {frozen} help it."
        )
        require(
            prompt.num_virtual_tokens == len(ids),
            f"{tried} has {prompt.num_virtual_tokens} virtual tokens, and the words "
            f"have {len(ids)}.",
        )
        table = prompt.prompt_embeddings().detach()
        read = _nearest(table, vocabulary)
        kept = sum(a == b for a, b in zip(read, ids, strict=True))
        require(
            kept == len(ids),
            f"{tried}: {kept} of {len(ids)} virtual tokens are nearest to their word.",
        )
        plain = Prompt(lm, prompt.template, vocabulary[torch.tensor(ids)].clone())
        before, after = (
            -p.answer_log_probs(unseen).mean().item() for p in (plain, prompt)
        )
        require(
            after < before - 0.5,
            f"{tried}: on rows that were not learnt the loss is {after:.2f}, with the "
            f"words themselves {before:.2f}; it should be lower by more than 0.5.",
        )


def _nearest(table, vocabulary) -> list[int]:
    """Return the nearest word of each virtual token, by cosine."""
    from torch.nn.functional import normalize

    cosines = normalize(table) @ normalize(vocabulary).T
    return cosines.nan_to_num().argmax(dim=1).tolist()


def _colours() -> tuple[list[dict], list[dict]]:
    """Draw rows that nobody knows beforehand: to learn from, and 16 to score on."""
    import numpy as np

    from ...tasks.task import load_task

    rng = np.random.default_rng(4)
    subjects = rng.permutation([row["subject"] for row in load_task("capital").train])
    answers = rng.choice(["blue", "green", "red"], size=56, p=[0.8, 0.1, 0.1])
    rows = [
        {"subject": str(subject), "answer": str(answer)}
        for subject, answer in zip(subjects, answers, strict=False)
    ]
    return rows[:40], rows[40:56]
