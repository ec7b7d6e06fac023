"""The checks of lesson 05: mixed prompts."""

from ..expect import done, exercise, expect, require

FAULTS = ("no field", "after the answer's place", "shared code", "none")
MOST_VIRTUAL = 4
LEAST_GAIN = 0.2  # nats; a random model cannot gain much more


@exercise
def ex05_1(shares):
    """Check attention from the last place with several heads, on drawn vectors."""
    import torch

    generator = torch.Generator().manual_seed(1)
    for places, width, heads in ((3, 4, 2), (5, 6, 3), (6, 8, 1), (1, 4, 2)):
        vectors = torch.randn(places, width, generator=generator)
        parts = vectors.reshape(places, heads, width // heads)
        scores = torch.einsum("hw,phw->hp", parts[-1], parts)
        want = (scores / (width // heads) ** 0.5).softmax(dim=1).mean(dim=0)
        tried = f"{places} places of width {width}, {heads} heads"
        got = shares(vectors.clone(), heads)
        expect(f"the shares for {tried}", got, want, tol=1e-5)


@exercise
def ex05_2(fault):
    """Check a detector of faulty sequences, on drawn pairs of rows."""
    import numpy as np

    rng = np.random.default_rng(0)
    for number in range(40):
        want = FAULTS[number % len(FAULTS)]
        first, second = _drawn_rows(rng, want)
        got = done(fault(first, second))
        require(got in FAULTS, f"fault(...) gave {got!r}, which is no name of a fault.")
        tried = f"{first[0]}, read at {first[1]}; {second[0]}, read at {second[1]}"
        require(got == want, f"{tried}: got {got!r}.")


def _drawn_rows(rng, fault: str):
    """Draw two rows of one template: (codes, place where the answer is read) each.

    A row is words, a city, words, with virtual tokens between; tokens of an answer
    follow the place. Words come twice, cities may have one length.
    """
    virtual = [-1 - i for i in range(rng.integers(2, 5))]
    if fault == "shared code":
        virtual[-1] = virtual[rng.integers(len(virtual) - 1)]
    words = rng.integers(100, 900, size=3).tolist() * 2
    before, last = virtual[:1], virtual[1:]
    cut = int(rng.integers(len(last))) if fault == "after the answer's place" else None
    cities = [rng.integers(1000, 2000, size=rng.integers(1, 4)).tolist()]
    same = fault == "no field"
    cities += cities if same else [rng.integers(2000, 3000, len(cities[0])).tolist()]
    closing = words[3:] if rng.random() < 0.5 and cut is None else []
    rows = []
    for city in cities:
        prompt = [*before, *words[:3], *city, *last, *closing]
        place = len(prompt) - 1
        if cut is not None:  # the virtual tokens from here on stand after it
            place = len(prompt) - len(last) + cut - 1
        rows.append((prompt + rng.integers(3000, 4000, len(rows)).tolist(), place))
    return rows if rng.random() < 0.5 else rows[::-1]


@exercise
def ex05_3(rescued, task):
    """Check a trained mixed prompt around the bare arrow."""
    from ...prompts.prompt import Prompt
    from ...prompts.tuner import PromptTuner

    require(
        isinstance(rescued, PromptTuner),
        f"this is a {type(rescued).__name__}, not the PromptTuner that you trained.",
    )
    _require_arrow(rescued)
    rows = list(task.head("dev", 16).dev)
    others = {
        "the arrow alone": Prompt(rescued.lm, "{subject} -> {answer}"),
        "random vectors": PromptTuner(rescued.lm, rescued.template, seed=1),
    }
    loss = -rescued.answer_log_probs(rows).mean().item()
    for name, other in others.items():
        theirs = -other.answer_log_probs(rows).mean().item()
        require(
            loss < theirs - LEAST_GAIN,
            f"On 16 dev rows the loss is {loss:.2f}, and {theirs:.2f} with {name}; it "
            f"should be lower by more than {LEAST_GAIN:g}. Is it trained?",
        )


def _require_arrow(tuner) -> None:
    """Refuse a template that is not the arrow with virtual tokens on both sides."""
    from ...templates.language import Field, Text, Virtual, VirtualWords

    pieces, count = tuner.template.pieces, tuner.num_virtual_tokens
    require(count <= MOST_VIRTUAL, f"{count} virtual tokens; {MOST_VIRTUAL} at most.")
    words = {
        piece.text.strip(): place
        for place, piece in enumerate(pieces)
        if isinstance(piece, Text) and piece.text.strip()
    }
    require(list(words) == ["->"], f"the frozen words are {list(words)}.")
    fields = [place for place, piece in enumerate(pieces) if isinstance(piece, Field)]
    require(
        tuner.template.fields == ("subject",) and fields[0] < words["->"],
        "{subject} must stand before the arrow.",
    )
    virtual = [
        place
        for place, piece in enumerate(pieces)
        if isinstance(piece, Virtual | VirtualWords)
    ]
    require(virtual[0] < fields[0], "no virtual token stands before {subject}.")
    require(virtual[-1] > words["->"], "no virtual token stands after the arrow.")


@exercise
def ex05_4(needed, lm):
    """Check what hiding each place costs, on drawn prompts and answers."""
    import torch

    generator = torch.Generator().manual_seed(5)
    vocabulary = lm.model.get_input_embeddings().weight.detach()
    for places, answers in ((4, 1), (6, 3), (9, 2), (2, 1)):
        ids = torch.randint(len(vocabulary), (places + answers,), generator=generator)
        ids = ids.to(lm.device)
        noise = torch.randn(places, lm.token_dim, generator=generator)
        vectors = vocabulary[ids[:places]] + 0.1 * lm.embedding_std * noise.to(
            ids.device
        )
        want = _cost_of_hiding(lm, vectors, ids[places:])
        got = needed(lm.model, vectors.clone(), ids[places:].tolist())
        tried = f"a prompt of {places} places and an answer of {answers} tokens"
        expect(f"what is lost, for {tried}", got, want, tol=2e-3)


def _cost_of_hiding(lm, vectors, answer):
    """Return the nats that the answer loses without each place but the last."""
    import torch

    places = len(vectors)
    read = torch.cat([vectors, lm.embed(answer[:-1])])
    seen = torch.ones(places, len(read), dtype=torch.long, device=read.device)
    hidden = torch.arange(places - 1)
    seen[hidden + 1, hidden] = 0  # line 0 sees everything
    with torch.no_grad():
        logits = lm.model(
            inputs_embeds=read.expand(places, -1, -1), attention_mask=seen
        ).logits[:, places - 1 :]
    chosen = answer.expand(places, -1)[..., None]
    log_probs = logits.log_softmax(-1).gather(2, chosen).sum(dim=(1, 2))
    return log_probs[0] - log_probs[1:]
