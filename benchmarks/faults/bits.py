"""One bit flipped: in a model, a prompt, a checkpoint, a study's rows."""

import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from small_models import MASKED_BASE, masked_lm
from small_study import STUDY, MadeUpRows, run
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

import ptlearn as pt
from ptlearn.errors import PtlearnError
from ptlearn.studies.store import read_rows
from ptlearn.training.checkpoints import Checkpoint, Checkpoints

from .outcome import Outcome, one

ROWS = [{"subject": "Osaka city"}, {"subject": "very good film"}, {"subject": "Rio"}]
TOLERANCE = 1e-4
ANSWERS = ["Japan", "Nigeria", "Papua New Guinea"]


def flip(folder: Path, number: int) -> str:
    """Flip a bit of one of a folder's files, drawn by the number; say which."""
    draw = random.Random(number)
    path = draw.choice(sorted(p for p in folder.rglob("*") if p.is_file()))
    data = bytearray(path.read_bytes())
    place, bit = draw.randrange(len(data)), draw.randrange(8)
    data[place] ^= 1 << bit
    path.write_bytes(data)
    return f"bit {bit} of byte {place} of {path.name}"


def flips(
    numbers: range, folder: Path, whole: Path, look: Callable[[Path], str]
) -> Iterator[Outcome]:
    """Copy the whole folder, flip a bit, and look.

    Parameters
    ----------
    look : callable
        Returns "harmless", or what noticed it; raises an error of ours, or warns. An
        empty text: other results, and nobody was told.
    """
    for number in numbers:
        place = folder / "flipped"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(whole, place)
        where = flip(place, number)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            try:
                kind = look(place)
            except PtlearnError:
                kind = "refused"
            except Exception as error:
                yield one(fell=f"{where}: {type(error).__name__}: {error}"[:300])
                continue
        said = [str(w.message) for w in warned]
        if not kind and any("damaged" in s or "was saved with" in s for s in said):
            kind = "warned of"
        yield one(kind, "" if kind else f"{where}: other results, unnoticed")


def in_a_model(numbers: range, folder: Path) -> Iterator[Outcome]:
    """A folder of a model that a prompt was saved for."""
    logging.set_verbosity_error()  # it reports on each model that does not fit
    whole, saved = folder / "whole", folder / "prompt"
    tokenizer = masked_lm("bert").tokenizer
    sizes = MASKED_BASE | {"hidden_size": 16, "intermediate_size": 32}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(**sizes, num_key_value_heads=2))
    model.save_pretrained(whole)
    tokenizer.save_pretrained(whole)
    lm = pt.load_lm(str(whole), device="cpu")
    tuner = pt.PromptTuner(lm, "[V:2] the capital of {subject} is in {answer}", seed=0)
    prompt = tuner.fold()
    prompt.answers = ANSWERS
    prompt.save(saved)
    right = results(prompt)

    def look(place: Path) -> str:
        loaded = pt.Prompt.load(saved, pt.load_lm(str(place), device="cpu"))
        return "harmless" if same(results(loaded), right) else ""

    yield from flips(numbers, folder, whole, look)


def in_a_prompt(numbers: range, folder: Path) -> Iterator[Outcome]:
    """A saved prompt; what it says of itself must come back too."""
    lm = pt.load_lm("tiny", device="cpu")
    whole = folder / "whole"
    tuner = pt.PromptTuner(lm, "[V:2] the capital of {subject} is in {answer}", seed=0)
    prompt = tuner.fold()
    prompt.answers = ANSWERS
    prompt.save(whole)

    def look(place: Path) -> str:
        loaded = pt.Prompt.load(place, lm)
        equal = loaded.template == prompt.template and loaded.answers == ANSWERS
        table = loaded.prompt_embeddings()
        return "harmless" if equal and table.equal(prompt.prompt_embeddings()) else ""

    yield from flips(numbers, folder, whole, look)


def results(prompt: pt.Prompt) -> tuple[list[str], torch.Tensor]:
    """Return what a prompt answers, and the log-probabilities of all answers."""
    rows = [row | {"answer": answer} for row in ROWS for answer in ANSWERS]
    return prompt.predict(ROWS), prompt.answer_log_probs(rows)


def same(found: tuple, wanted: tuple) -> bool:
    """Whether answers are equal, and log-probabilities to what rounding does."""
    near = torch.allclose(found[1], wanted[1], rtol=0, atol=TOLERANCE)
    return found[0] == wanted[0] and near


def in_a_checkpoint(numbers: range, folder: Path) -> Iterator[Outcome]:
    """One of the two checkpoints of a run: the other one must be taken, or this one."""
    whole = folder / "whole"
    kept = Checkpoints(whole, {"lr": 0.1})
    tensors = [{"x": torch.randn(3, 32), "t": torch.tensor(n)} for n in (4, 8)]
    for step, tensor in zip((4, 8), tensors, strict=True):
        kept.save(Checkpoint(step, tensor, {"loss": 1 / 3}))

    def look(place: Path) -> str:
        found = Checkpoints(place, {"lr": 0.1}).newest()
        wanted = tensors[found.step // 4 - 1]
        right = all(torch.equal(found.tensors[name], wanted[name]) for name in wanted)
        if not right or found.values != {"loss": 1 / 3}:
            return ""
        return "harmless" if found.step == 8 else "passed over with a warning"

    yield from flips(numbers, folder, whole, look)


def in_rows(numbers: range, folder: Path) -> Iterator[Outcome]:
    """A study's file of rows; a last row that is cut off is done again."""
    whole = folder / "whole"
    run(STUDY, whole, MadeUpRows())
    name = f"{STUDY.name}.jsonl"
    right = read_rows(whole / name)

    def look(place: Path) -> str:
        found = read_rows(place / name)
        # A row whose hash goes by another name has all that it had, and is not checked.
        if len(found) == len(right) and all(
            row | whole == row for row, whole in zip(found, right, strict=True)
        ):
            return "harmless"
        return "the last row is done again" if found == right[:-1] else ""

    yield from flips(numbers, folder, whole, look)
