"""ptlearn against PEFT on this machine: ``make bench`` writes README.md's tables.

Systems take turns in one process, so that a machine whose speed drifts slows all of
them; the medians of the turns are compared. Peak memory is taken in a process of its
own for each system.
"""

import json
import platform
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median

import pandas as pd
import torch
import typer
from peers import (
    CASES,
    TRAINING_CASES,
    Case,
    EachCandidate,
    Ours,
    Peft,
    make_rows,
    seconds,
)
from report import write_report
from tqdm import tqdm

import ptlearn as pt
from ptlearn.lm.bfloat16 import has_bfloat16_instructions

HERE = Path(__file__).parent
ENOUGH = 2.0
"""Loss on dev rows, in nats, at which a tuning run has come far enough."""
LONG = 60.0
"""Seconds after which a case is not measured more than twice."""
SCORED = 32
"""Rows of an evaluation pass."""
ANSWERED = 1000
CANDIDATES = 137
"""How many rows are answered, and how many answers there are to choose from."""
ASKED_EACH = 8
"""Rows that the obvious way answers; its time is in proportion to them."""


def load(dtype: str) -> pt.LanguageModel:
    with warnings.catch_warnings():
        # The report says it in its own words.
        warnings.filterwarnings("ignore", "no bfloat16 instructions")
        return pt.load_lm(device="cpu", dtype=dtype)


def turns(most: int) -> Iterator[int]:
    """Count turns, the first of them to warm up; but three where they take long."""
    began = time.perf_counter()
    for number in range(most + 1):
        if number > 2 and time.perf_counter() - began > LONG:
            return
        yield number


class Times:
    """Seconds of each system, turn by turn."""

    def __init__(self):
        self.all: dict[str, list[float]] = {}

    def take(self, name: str, call: Callable, *args) -> None:
        """Time a call as this turn of a system."""
        self.all.setdefault(name, []).append(seconds(call, *args))

    def medians(self) -> dict[str, float]:
        """Of all turns but the first, which warms up."""
        return {name: median(values[1:]) for name, values in self.all.items()}


def step_row(lms: dict[str, pt.LanguageModel], case: Case, repeats: int) -> dict:
    """Medians of a training step in seconds, of each system."""
    lm = lms["float32"]
    rows = make_rows(lm, case.tokens, case.batch_size * (repeats + 1))
    peft, plain, ours = Peft(lm, case), Ours(lm, case, fast=False), Ours(lm, case)
    systems = {"peft": peft, "plain": plain, "first": ours, "later": ours}
    keeping = [ours]
    if "bfloat16" in lms:
        rounded = Ours(lms["bfloat16"], case)
        systems["peft, bfloat16"] = Peft(lm, case, autocast=True)
        systems |= {"first, bfloat16": rounded, "later, bfloat16": rounded}
        keeping.append(rounded)
    times = Times()
    for turn in turns(repeats):
        batch = rows[turn * case.batch_size :][: case.batch_size]
        for one in keeping:
            one.keep_contexts(batch)
        for name, system in systems.items():
            times.take(name, system.step, batch)
    return times.medians() | {
        "case": case.name,
        "trainable, ours": ours.num_trainable,
        "trainable, PEFT": peft.num_trainable,
        "needed": needed_flops(lm, live_tokens(ours, batch), case.batch_size),
    }


def live_tokens(ours: Ours, batch: list[dict]) -> int:
    """Tokens that depend on the prompt table, and so must be run at each step."""
    tokens = ours.tuner.tokens
    shared = len(tokens.shared_ids)
    if tokens.starts_frozen:
        ids = [tokens.encode(row).ids for row in batch]
        return sum(len(i) - next(n for n, t in enumerate(i) if t < 0) for i in ids)
    return shared + sum(len(tokens.encode(row).ids) - shared for row in batch)


def needed_flops(lm: pt.LanguageModel, live: int, answers: int) -> float:
    """Multiplications and additions of the matrix products of one step.

    Forward and the gradient towards the input; frozen weights need no gradient.
    Attention's own products are left out: they are few at these lengths.
    """
    embeddings = lm.model.get_input_embeddings().weight.numel()
    body = lm.num_parameters() - embeddings
    return 2 * 2 * (live * body + answers * embeddings)


def matmul_peak(dtype: torch.dtype) -> float:
    """Best speed of a large matrix product here, in FLOP/s."""
    a = torch.randn(2048, 2048).to(dtype)
    best = min(seconds(torch.mm, a, a) for _ in range(10))
    return 2 * 2048**3 / best


def score_row(lm: pt.LanguageModel, case: Case, repeats: int) -> dict:
    """Medians of one evaluation pass over some rows, in seconds."""
    rows = make_rows(lm, case.tokens, SCORED)
    batches = [
        rows[i : i + case.batch_size] for i in range(0, len(rows), case.batch_size)
    ]
    peft, ours = Peft(lm, case), Ours(lm, case)

    def whole(system):
        for batch in batches:
            system.score(batch)

    times = Times()
    for _ in turns(repeats):
        times.take("peft", whole, peft)
        ours.context_cache = None
        times.take("single", whole, ours)
        ours.keep_contexts(rows)
        times.take("first", whole, ours)
        times.take("again", whole, ours)
    return {"case": case.name, "rows": SCORED} | times.medians()


def answering_row(lm: pt.LanguageModel, rows: int, sample: int) -> dict:
    """Seconds for answering rows, by ``predict`` and by reading each candidate."""
    task, others = pt.load_task("city_country"), pt.load_task("capital")
    countries = [*task.answers, *others.train["subject"], *others.test["subject"]]
    candidates = list(dict.fromkeys(countries))[:CANDIDATES]
    cities = [{"subject": row["subject"]} for s in task.splits for row in task.split(s)]
    cities = (cities * (1 + rows // len(cities)))[:rows]
    # Started at words, so that some answers are likelier than others.
    template = '[V:"City:"] {subject}[V:"\nCountry:"] {answer}'
    prompt = pt.PromptTuner(lm, template, init="normal").fold()
    prompt.predict(cities[:16], candidates)  # to warm up
    began = time.perf_counter()
    predicted = prompt.predict(cities, candidates)
    ours = time.perf_counter() - began
    each, asked = EachCandidate(prompt), cities[:sample]
    began = time.perf_counter()
    best, log_probs = zip(*(each.best(row, candidates) for row in asked), strict=True)
    theirs = time.perf_counter() - began
    named = [row | {"answer": a} for row, a in zip(asked, best, strict=True)]
    apart = prompt.answer_log_probs(named) - torch.tensor(log_probs)
    return {
        "rows": rows,
        "candidates": len(candidates),
        "sample": sample,
        "predict": ours,
        "each candidate": theirs * rows / sample,
        "same": sum(map(str.__eq__, predicted, best)),
        "apart": float(apart.abs().max()),
    }


def peak_memory(case: str, system: str) -> float:
    """Peak memory in GB of a process that runs three steps."""
    command = [sys.executable, __file__, "--memory-of", f"{case}|{system}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_for_memory(case: Case, system: str) -> None:
    lm = load("bfloat16" if system == "bfloat16" else "float32")
    rows = make_rows(lm, case.tokens, case.batch_size)
    one = Peft(lm, case) if system == "peft" else Ours(lm, case)
    if system != "peft":
        one.keep_contexts(rows)
    for _ in range(3):
        one.step(rows)
    print(own_peak() / 2**20)


def own_peak() -> int:
    """Peak memory of this process in KiB.

    Linux's own record where there is one: getrusage begins a child's figure at what
    its parent held.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def precision_row(lm: pt.LanguageModel, half: pt.LanguageModel, case: Case) -> dict:
    """How far bfloat16 moves answers, loss and gradient; and what the weights take."""
    rows = make_rows(lm, case.tokens, case.batch_size)
    systems = Ours(lm, case), Ours(half, case)
    answers = [one.tuner.answer_log_probs(rows) for one in systems]
    gradients = [one.backward(rows).flatten() for one in systems]
    return {
        "case": case.name,
        "apart": float((answers[0] - answers[1]).abs().max()),
        "loss apart": float((answers[0] - answers[1]).mean().abs()),
        "cosine": float(torch.cosine_similarity(*gradients, dim=0)),
        "weights": [sum(p.nbytes for p in m.model.parameters()) for m in (lm, half)],
    }


def tuning_row(lm: pt.LanguageModel, starts: int) -> dict:
    """Whole runs of both systems from the same weights, to the same dev loss."""
    case, found = CASES["prefix 20, short"], []
    rows = make_rows(lm, case.tokens, 320)
    train, dev = rows[:256], rows[256:]
    for seed in range(starts):
        ours, peft = Ours(lm, case, seed=seed), Peft(lm, case)
        copy_weights(ours, peft)
        mine, theirs = (one.backward(train[:16]) for one in (ours, peft))
        row = {"gradients apart": float((mine - theirs).norm() / theirs.norm())}
        for name, system in (("peft", peft), ("ours", ours)):
            row |= tune(name, system, train, dev)
        found.append(row)
    medians = pd.DataFrame(found).median().to_dict()
    return medians | {"starts": starts, "enough": ENOUGH}


def tune(name: str, system, train: list[dict], dev: list[dict]) -> dict:
    """Train until the dev loss, taken every ten steps, is small enough."""
    system.optimizer.zero_grad()
    for group in system.optimizer.param_groups:
        group["lr"] = 3e-4  # without warm-up, 1e-3 throws some starts off
    began, steps, loss = time.perf_counter(), 0, float("inf")
    while loss > ENOUGH and steps < 150:
        for step in range(steps, steps + 10):
            start = 16 * step % len(train)
            system.step(train[start : start + 16])
        steps += 10
        parts = [dev[i : i + 16] for i in range(0, len(dev), 16)]
        loss = -sum(system.score(part) for part in parts) / len(parts)
    return {name: time.perf_counter() - began, f"{name}, steps": steps}


def copy_weights(ours: Ours, peft: Peft) -> None:
    """Let PEFT start where ptlearn starts; the two encoders have the same shape."""
    peft.encoder.embedding.weight.data.copy_(ours.tuner.encoder.embedding)
    peft.encoder.lstm_head.load_state_dict(ours.tuner.encoder.lstm.state_dict())
    peft.encoder.mlp_head.load_state_dict(ours.tuner.encoder.mlp.state_dict())


def machine() -> str:
    packages = ("torch", "transformers", "peft")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    known = has_bfloat16_instructions(torch.device("cpu"))
    return (
        f"{torch.get_num_threads()} CPU threads ({platform.machine()}, "
        f"{'with' if known else 'without'} bfloat16 instructions), {versions}"
    )


def measure(part: str, repeats: int, starts: int, dtypes: list[str]):
    """One part of the report, as results.json keeps it."""
    lms = {dtype: load(dtype) for dtype in dtypes}
    lm = lms["float32"]
    if part == "steps":
        return [step_row(lms, case, repeats) for case in tqdm(CASES.values(), part)]
    if part == "scores":
        return [score_row(lm, case, repeats) for case in tqdm(TRAINING_CASES, part)]
    if part == "memory":
        systems = {"PEFT": "peft", "ptlearn": "ours"}
        systems |= {dtype: dtype for dtype in dtypes[1:]}
        return [
            {"case": case.name}
            | {f"{k}, GB": peak_memory(case.name, v) for k, v in systems.items()}
            for case in tqdm(TRAINING_CASES[:3], part)
        ]
    if part == "precision":
        cases = tqdm(TRAINING_CASES, part)
        return [precision_row(lm, lms["bfloat16"], case) for case in cases]
    if part == "answering":
        return {
            dtype: answering_row(one, ANSWERED, ASKED_EACH)
            for dtype, one in lms.items()
        }
    return tuning_row(lm, starts)


PARTS = ("steps", "scores", "memory", "precision", "answering", "tuning")


def main(
    repeats: int = 5,
    starts: int = 2,
    only: str = "",
    bfloat16: bool | None = None,
    memory_of: str = "",
) -> None:
    """Measure and rewrite the tables of benchmarks/README.md.

    --only PART measures one part anew and takes the others from results.json: steps,
    scores, memory, precision, answering or tuning. --bfloat16 measures products in
    bfloat16 too, which is done unasked where the processor has instructions for them;
    one that imitates them doubles the time.
    """
    if memory_of:
        case, system = memory_of.split("|")
        return run_for_memory(CASES[case], system)
    if only and only not in PARTS:
        raise typer.BadParameter(f"--only takes one of {', '.join(PARTS)}")
    if bfloat16 is None:
        known = has_bfloat16_instructions(torch.device("cpu"))
        bfloat16 = known or only == "precision"
    dtypes = ["float32", "bfloat16"] if bfloat16 else ["float32"]
    kept = HERE / "results.json"
    results = json.loads(kept.read_text(encoding="utf-8")) if only else {}
    if not only or only == "steps":
        peaks = {"peak": torch.float32, "peak, bfloat16": torch.bfloat16}
        results |= {name: matmul_peak(dtype) for name, dtype in peaks.items()}
        results["machine"] = machine()
    for part in (only,) if only else PARTS:
        if part == "precision" and not bfloat16:
            continue
        results[part] = measure(part, repeats, starts, dtypes)
        # At once, or a run that is stopped would lose a quarter of an hour.
        kept.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write_report(results, HERE)


if __name__ == "__main__":
    typer.run(main)
