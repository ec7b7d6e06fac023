"""The tables and the plot of README.md, from what bench.py has measured."""

from pathlib import Path
from statistics import geometric_mean

import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from peers import TRAINING_CASES

import ptlearn as pt
from ptlearn.plots.style import COLOURS

MARK = "<!-- measured: written by bench.py -->"


def write_report(results: dict, folder: Path) -> None:
    """Put the tables and the plot into a folder's README.md, below its mark.

    A part that was not measured is left out.
    """
    steps = pd.DataFrame(results["steps"]).set_index("case")
    steps["speed-up"] = steps["peft"] / steps["later"]
    made = {
        "steps": lambda _: step_section(steps, results["peak"]),
        "scores": score_section,
        "memory": memory_section,
        "precision": lambda found: precision_section(found, steps, results),
        "answering": answering_section,
        "tuning": tuning_section,
    }
    parts = [make(results[name]) for name, make in made.items() if name in results]
    readme = folder / "README.md"
    kept = readme.read_text(encoding="utf-8").split(MARK)[0]
    parts = [kept + MARK, f"Measured on {results['machine']}.", *parts]
    readme.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    draw(steps, folder / "speed.png")


def step_section(steps: pd.DataFrame, peak: float) -> str:
    table = pd.DataFrame(
        {
            "PEFT, ms": 1e3 * steps["peft"],
            "ptlearn plain, ms": 1e3 * steps["plain"],
            "first visit, ms": 1e3 * steps["first"],
            "later visits, ms": 1e3 * steps["later"],
            "PEFT / later": steps["speed-up"],
            "PEFT / first": steps["peft"] / steps["first"],
            "run of 512 rows": steps["peft"] / average_over_run(steps),
            "of the roofline": steps["needed"] / peak / steps["later"],
        }
    )
    mean = geometric_mean(main_cases(steps)["speed-up"])
    return (
        "## Training step, batch of 16 unless named\n\n"
        + table.to_markdown(floatfmt=("", *[".0f"] * 4, ".1f", ".1f", ".1f", ".0%"))
        + f"\n\nGeometric mean of PEFT / later over the first six: **{mean:.1f}**. "
        f"Trainable numbers: {steps['trainable, ours'].iloc[0]:,} here, "
        f"{steps['trainable, PEFT'].iloc[0]:,} in PEFT (first case).\n\n"
        "![Bars of how many times faster than PEFT a training step is, by case.]"
        "(speed.png)"
    )


def main_cases(steps: pd.DataFrame) -> pd.DataFrame:
    """Return the cases of the geometric mean."""
    return steps.filter([case.name for case in TRAINING_CASES], axis="index")


def average_over_run(steps: pd.DataFrame, rows: int = 512, visits: int = 2400):
    """Mean step of a run of 150 steps of 16: each row is new once, then kept."""
    missed = rows / visits
    return missed * steps["first"] + (1 - missed) * steps["later"]


def score_section(found: list[dict]) -> str:
    scores = pd.DataFrame(found).set_index("case")
    of_run = (scores["first"] + 6 * scores["again"]) / 7
    table = pd.DataFrame(
        {
            "PEFT, s": scores["peft"],
            "PEFT / single pass": scores["peft"] / scores["single"],
            "PEFT / first of many": scores["peft"] / scores["first"],
            "PEFT / later pass": scores["peft"] / scores["again"],
            "PEFT / 7 passes of a run": scores["peft"] / of_run,
        }
    )
    head = f"## Evaluation pass over {found[0].get('rows', 64)} rows\n\n"
    return head + table.to_markdown(floatfmt=".1f")


def memory_section(found: list[dict]) -> str:
    memory = pd.DataFrame(found).set_index("case")
    memory["ptlearn / PEFT"] = memory["ptlearn, GB"] / memory["PEFT, GB"]
    return "## Peak memory of a process\n\n" + memory.to_markdown(floatfmt=".2f")


def precision_section(found: list[dict], steps: pd.DataFrame, results: dict) -> str:
    """Say what bfloat16 gains and moves, with PEFT under autocast beside it."""
    moved = pd.DataFrame(found).set_index("case")
    exact, rounded = moved["weights"].iloc[0]
    table = pd.DataFrame(
        {
            "loss moves by": moved["loss apart"],
            "an answer by up to": moved["apart"],
            "cosine of the gradients": moved["cosine"],
        }
    )
    digits = ("", ".3f", ".3f", ".4f")
    gain = ""
    if "later, bfloat16" in steps:
        own = main_cases(steps)
        later, cast = own["later, bfloat16"], own["peft, bfloat16"]
        speed = pd.DataFrame(
            {
                "PEFT, autocast, ms": 1e3 * cast,
                "first visit, ms": 1e3 * own["first, bfloat16"],
                "later visits, ms": 1e3 * later,
                "PEFT in float32 / later": own["peft"] / later,
                "PEFT, autocast / later": cast / later,
                "ptlearn in float32 / later": own["later"] / later,
            }
        )
        table = speed.join(table)
        digits = ("", *[".0f"] * 3, *[".1f"] * 2, ".2f", *digits[1:])
        means = [geometric_mean(speed[name]) for name in speed.columns[3:]]
        ratio = results["peak, bfloat16"] / results["peak"]
        gain = (
            f" Geometric means: **{means[0]:.1f}** times as fast as PEFT in float32, "
            f"{means[1]:.1f} times as PEFT under autocast, {means[2]:.2f} times as "
            f"ptlearn in float32. A large matrix product alone is {ratio:.2f} times as "
            "fast in bfloat16 here."
        )
    worst = moved["cosine"].idxmin()
    return (
        "## Products in bfloat16\n\n"
        + table.to_markdown(floatfmt=digits)
        + "\n\nLoss, answers (log-probabilities, in nats) and gradient are those of "
        "the first step, against float32. The model's weights take "
        f"{rounded / 1e6:.0f} instead of {exact / 1e6:.0f} MB.{gain}\n\n"
        "float32 stays the default: a first step from random vectors is sensitive to "
        f"rounding. The lowest cosine is {moved['cosine'].min():.2f} (case *{worst}*); "
        "below zero, the rounded step goes the other way."
    )


def answering_section(found: dict[str, dict]) -> str:
    lines = {
        dtype: {
            "predict, s": one["predict"],
            "each candidate, s": one["each candidate"],
            "times as fast": one["each candidate"] / one["predict"],
            "same answer": f"{one['same']} of {one['sample']}",
            "log-probabilities apart": one["apart"],
        }
        for dtype, one in found.items()
    }
    one = next(iter(found.values()))
    table = pd.DataFrame.from_dict(lines, orient="index")
    return (
        f"## Answering {one['rows']:,} rows, {one['candidates']} candidates\n\n"
        + table.to_markdown(floatfmt=("", ".1f", ".0f", ".0f", "", ".0e"))
        + "\n\n`Prompt.predict` on a folded prompt, against the obvious loop with "
        "transformers, which reads every candidate after every row, a row's candidates "
        f"as one batch. The loop was timed on {one['sample']} rows; its time for all "
        "is in proportion."
    )


def tuning_section(found: dict) -> str:
    return (
        "## A whole tuning run\n\n"
        f"The 20-token prefix, trained until the loss on 64 dev rows (taken every ten "
        f"steps) is below {found.get('enough', 2.0)}, median of {found['starts']} "
        f"starts: PEFT {found['peft']:.0f} s and {found['peft, steps']:.0f} steps, "
        f"ptlearn {found['ours']:.0f} s and {found['ours, steps']:.0f} steps, "
        f"**{found['peft'] / found['ours']:.1f}** times. Both begin at the same "
        f"weights, and their first gradients differ by "
        f"{found['gradients apart']:.0e} of their size; then rounding parts them, so "
        "the numbers of steps differ by luck in either direction."
    )


def draw(steps: pd.DataFrame, file: Path) -> None:
    pt.plots.use_style()
    fig, ax = plt.subplots(figsize=(7, 4))
    sns.barplot(x=steps["speed-up"], y=steps.index, ax=ax, color=COLOURS[0])
    ax.bar_label(ax.containers[0], fmt="%.1f", padding=3)
    ax.axvline(1, color="black", linestyle="--")
    ax.margins(x=0.1)
    ax.set(xlabel="times faster than PEFT, one training step", ylabel="")
    fig.savefig(file, bbox_inches="tight", metadata={"Software": None})
    plt.close(fig)
