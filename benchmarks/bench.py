"""ptlearn against PEFT on this machine: ``make bench`` writes README.md's tables.

Systems take turns in one process, so that a machine whose speed drifts slows all of
them; the medians of the repeats are compared. Peak memory is taken in a process of its
own for each system.
"""

import json
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from statistics import geometric_mean, median

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
import torch
import typer
from peers import CASES, TRAINING_CASES, Case, Ours, Peft, make_rows, seconds
from tqdm import tqdm

import ptlearn as pt
from ptlearn.plots.style import COLOURS

HERE = Path(__file__).parent
ENOUGH = 2.0
"""Loss on dev rows, in nats, at which a tuning run has come far enough."""
MARK = "<!-- measured: written by bench.py -->"


def step_row(lm: pt.LanguageModel, case: Case, repeats: int) -> dict:
    """Medians of a training step in seconds, of each system."""
    rows = make_rows(lm, case.tokens, case.batch_size * (repeats + 1))
    batches = [
        rows[i : i + case.batch_size] for i in range(0, len(rows), case.batch_size)
    ]
    peft, plain, ours = Peft(lm, case), Ours(lm, case, fast=False), Ours(lm, case)
    times: dict[str, list[float]] = {k: [] for k in ("peft", "plain", "first", "later")}
    for number, batch in enumerate(batches):
        ours.keep_contexts(batch)
        found = {
            "peft": seconds(peft.step, batch),
            "plain": seconds(plain.step, batch),
            "first": seconds(ours.step, batch),
            "later": seconds(ours.step, batch),
        }
        if number:  # the first batch warms up
            for name, value in found.items():
                times[name].append(value)
    row = {name: median(values) for name, values in times.items()}
    live = live_tokens(ours, batches[-1])
    return row | {
        "case": case.name,
        "trainable, ours": ours.num_trainable,
        "trainable, PEFT": peft.num_trainable,
        "needed": needed_flops(lm, live, case.batch_size),
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


def matmul_peak() -> float:
    """Best speed of a large float32 matrix product here, in FLOP/s."""
    a = torch.randn(2048, 2048)
    best = min(seconds(torch.mm, a, a) for _ in range(10))
    return 2 * 2048**3 / best


def score_row(lm: pt.LanguageModel, case: Case, repeats: int) -> dict:
    """Medians of one evaluation pass over 64 rows, in seconds."""
    rows = make_rows(lm, case.tokens, 64)
    batches = [
        rows[i : i + case.batch_size] for i in range(0, len(rows), case.batch_size)
    ]
    peft, ours = Peft(lm, case), Ours(lm, case)

    def whole(system):
        for batch in batches:
            system.score(batch)

    whole(peft)
    times: dict[str, list[float]] = {
        name: [] for name in ("peft", "single", "first", "again")
    }
    for _ in range(repeats):
        times["peft"].append(seconds(whole, peft))
        ours.context_cache = None
        times["single"].append(seconds(whole, ours))
        ours.keep_contexts(rows)
        times["first"].append(seconds(whole, ours))
        times["again"].append(seconds(whole, ours))
    return {"case": case.name} | {k: median(v) for k, v in times.items()}


def peak_memory(case: str, system: str) -> float:
    """Peak memory in GB of a process that runs three steps."""
    command = [sys.executable, __file__, "--memory-of", f"{case}|{system}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_for_memory(case: Case, system: str) -> None:
    lm = pt.load_lm(device="cpu")
    rows = make_rows(lm, case.tokens, case.batch_size)
    one = Peft(lm, case) if system == "peft" else Ours(lm, case)
    if system == "ours":
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


def precision_row(lm: pt.LanguageModel, repeats: int) -> dict:
    """Time a training step in bfloat16 and float32, and see how far answers move."""
    half = pt.load_lm(lm.name, device="cpu", dtype="bfloat16")
    case = CASES["prefix 20, 64 tokens"]
    rows = make_rows(lm, case.tokens, case.batch_size)
    systems = {"float32": Ours(lm, case), "bfloat16": Ours(half, case)}
    systems["bfloat16"].tuner.load_state_dict(systems["float32"].tuner.state_dict())
    answers = [one.tuner.answer_log_probs(rows) for one in systems.values()]
    times: dict[str, list[float]] = {name: [] for name in systems}
    for repeat in range(repeats + 1):
        for name, one in systems.items():
            times[name] += [seconds(one.step, rows)] if repeat else []
    result = {name: median(values) for name, values in times.items()}
    return result | {"apart": float((answers[0] - answers[1]).abs().max())}


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
    return pd.DataFrame(found).median().to_dict() | {"starts": starts}


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


def write_report(results: dict) -> None:
    """Put the tables and the plot into README.md, below its mark."""
    steps = pd.DataFrame(results["steps"]).set_index("case")
    steps["speed-up"] = steps["peft"] / steps["later"]
    mean = geometric_mean(steps.loc[[c.name for c in TRAINING_CASES], "speed-up"])
    table = pd.DataFrame(
        {
            "PEFT, ms": 1e3 * steps["peft"],
            "ptlearn plain, ms": 1e3 * steps["plain"],
            "first visit, ms": 1e3 * steps["first"],
            "later visits, ms": 1e3 * steps["later"],
            "PEFT / later": steps["speed-up"],
            "PEFT / first": steps["peft"] / steps["first"],
            "run of 512 rows": steps["peft"] / average_over_run(steps),
            "of the roofline": steps["needed"] / results["peak"] / steps["later"],
        }
    )
    scores = pd.DataFrame(results["scores"]).set_index("case")
    scores = pd.DataFrame(
        {
            "PEFT, s": scores["peft"],
            "PEFT / single pass": scores["peft"] / scores["single"],
            "PEFT / first of many": scores["peft"] / scores["first"],
            "PEFT / later pass": scores["peft"] / scores["again"],
            "PEFT / 7 passes of a run": 7
            * scores["peft"]
            / (scores["first"] + 6 * scores["again"]),
        }
    )
    memory = pd.DataFrame(results["memory"]).set_index("case")
    memory["ptlearn / PEFT"] = memory["ptlearn, GB"] / memory["PEFT, GB"]
    tuning, precision = results["tuning"], results["precision"]
    sections = [
        f"Measured on {results['machine']}.",
        "## Training step, batch of 16 unless named\n",
        table.to_markdown(floatfmt=("", *[".0f"] * 4, ".1f", ".1f", ".1f", ".0%")),
        f"\nGeometric mean of PEFT / later over the first six: **{mean:.1f}**. "
        f"Trainable numbers: {steps['trainable, ours'].iloc[0]:,} here, "
        f"{steps['trainable, PEFT'].iloc[0]:,} in PEFT (first case).\n",
        "![Bars of how many times faster than PEFT a training step is, by case.]"
        "(speed.png)\n",
        "## Evaluation pass over 64 rows\n",
        scores.to_markdown(floatfmt=".1f"),
        "\n## Peak memory of a process\n",
        memory.to_markdown(floatfmt=".2f"),
        "\n## bfloat16\n",
        f"A step of the 20-token prefix with 64 tokens takes "
        f"{precision['bfloat16'] / precision['float32']:.2f} times as long in "
        f'`load_lm(dtype="bfloat16")` as in float32; an answer\'s log-probability '
        f"moves by up to {precision['apart']:.2f}. float32 stays the default.",
        "\n## A whole tuning run\n",
        f"The 20-token prefix, trained until the loss on 64 dev rows (taken every ten "
        f"steps) is below {ENOUGH}, median of {tuning['starts']} starts: PEFT "
        f"{tuning['peft']:.0f} s and {tuning['peft, steps']:.0f} steps, ptlearn "
        f"{tuning['ours']:.0f} s and {tuning['ours, steps']:.0f} steps, "
        f"**{tuning['peft'] / tuning['ours']:.1f}** times. Both begin at the same "
        f"weights, and their first gradients differ by "
        f"{tuning['gradients apart']:.0e} of their size; then rounding parts them, so "
        "the numbers of steps differ by luck in either direction.\n",
    ]
    readme = HERE / "README.md"
    kept = readme.read_text(encoding="utf-8").split(MARK)[0]
    readme.write_text(kept + MARK + "\n\n" + "\n".join(sections), encoding="utf-8")
    draw(steps)


def average_over_run(steps: pd.DataFrame, rows: int = 512, visits: int = 2400):
    """Mean step of a run of 150 steps of 16: each row is new once, then kept."""
    missed = rows / visits
    return missed * steps["first"] + (1 - missed) * steps["later"]


def draw(steps: pd.DataFrame) -> None:
    pt.plots.use_style()
    fig, ax = plt.subplots(figsize=(7, 4))
    sns.barplot(x=steps["speed-up"], y=steps.index, ax=ax, color=COLOURS[0])
    ax.bar_label(ax.containers[0], fmt="%.1f", padding=3)
    ax.axvline(1, color="black", linestyle="--")
    ax.margins(x=0.1)
    ax.set(xlabel="times faster than PEFT, one training step", ylabel="")
    fig.savefig(HERE / "speed.png", bbox_inches="tight", metadata={"Software": None})


def machine() -> str:
    packages = ("torch", "transformers", "peft")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{torch.get_num_threads()} CPU threads ({platform.machine()}), {versions}"


def measure(part: str, lm: pt.LanguageModel, repeats: int, starts: int):
    """One part of the report, as results.json keeps it."""
    if part == "steps":
        return [step_row(lm, CASES[name], repeats) for name in tqdm(CASES, part)]
    if part == "scores":
        return [score_row(lm, case, 3) for case in tqdm(TRAINING_CASES, part)]
    if part == "memory":
        return [
            {
                "case": case.name,
                "PEFT, GB": peak_memory(case.name, "peft"),
                "ptlearn, GB": peak_memory(case.name, "ours"),
            }
            for case in tqdm(TRAINING_CASES[:3], part)
        ]
    if part == "precision":
        return precision_row(lm, repeats)
    return tuning_row(lm, starts)


PARTS = ("steps", "scores", "memory", "precision", "tuning")


def main(
    repeats: int = 5, starts: int = 3, only: str = "", memory_of: str = ""
) -> None:
    """Measure and rewrite the tables of benchmarks/README.md.

    --only PART measures one of steps, scores, memory, precision and tuning anew and
    takes the others from results.json.
    """
    if memory_of:
        case, system = memory_of.split("|")
        return run_for_memory(CASES[case], system)
    if only and only not in PARTS:
        raise typer.BadParameter(f"--only takes one of {', '.join(PARTS)}")
    lm, kept = pt.load_lm(device="cpu"), HERE / "results.json"
    results = json.loads(kept.read_text(encoding="utf-8")) if only else {}
    if not only or only == "steps":
        results |= {"machine": machine(), "peak": matmul_peak()}
    for part in (only,) if only else PARTS:
        results[part] = measure(part, lm, repeats, starts)
        # At once, or a run that is stopped would lose half an hour.
        kept.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write_report(results)


if __name__ == "__main__":
    typer.run(main)
