"""The tables of the page of results: what stands in their cells, and as Markdown."""

import pandas as pd

from ..mechanisms.tables import mechanism_summary
from ..studies.defaults import ENCODERS
from ..studies.robustness import reliability
from ..studies.staged import StagedStudy
from ..studies.verdict import verdicts
from ..training.config import LEARNING_RATES

WORDING = "best wording"
AT_THE_LIMIT = "ended by the limit of steps"
OVER_FOLDS = "90 % interval, other training sets too"


def default_rates(regrets: pd.DataFrame) -> pd.DataFrame:
    """Return each encoder's default rate, and what it loses on each task, in nats."""
    lines = []
    for arm, encoder in ENCODERS.items():
        rate = LEARNING_RATES[encoder]
        line = {"encoder": f"{arm} (`{encoder}`)", "default rate": rate}
        for study, tried in regrets[regrets["arm"] == arm].groupby("study", sort=False):
            best = tried.loc[tried["regret"].idxmin(), "lr"]
            lost = tried.loc[tried["lr"] == rate, "regret"].item()
            line[study] = f"{lost:.2f} ({best:g})"
        lines.append(line)
    return pd.DataFrame(lines)


def now_and_before(frame: pd.DataFrame, arm: str) -> str:
    """Return the mean scores of the defaults and of the earlier ones, as text."""
    means = frame.groupby("arm")["score"].mean()
    return f"{means[f'{arm}, now']:.3f}, {means[f'{arm}, before']:.3f}"


def verdict_table(study: StagedStudy, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the planned comparisons of a study with their verdicts."""
    found = verdicts(frame, study.contrasts, study.rule)
    # The rows that helped to choose rates: those of the tuning fold and its dev fold.
    tuned_on = study.protocol.tuning_fold
    without = found
    if tuned_on is not None:
        held = (tuned_on, (tuned_on + 1) % len(study.protocol.folds))
        without = verdicts(frame, study.contrasts, study.rule, without_folds=held)
    table = differences(found)
    if tuned_on is not None:
        table["without the rows that chose"] = list(without["verdict"])
        table[OVER_FOLDS] = _intervals(found, "folds_low90", "folds_high90")
    return table


def differences(found: pd.DataFrame) -> pd.DataFrame:
    """Return what ``verdicts`` found, as the page shows it."""
    return pd.DataFrame(
        {
            "comparison": found.index,
            "difference": [_signed(d) for d in found["difference"]],
            "95 % interval": _intervals(found, "low", "high"),
            "90 % interval": _intervals(found, "low90", "high90"),
            "p (Holm)": [f"{p:.3f}" for p in found["p_holm"]],
            "runs, rows": [
                f"{r}, {n}" for r, n in zip(found["runs"], found["rows"], strict=True)
            ],
            "verdict": [f"**{v}**" for v in found["verdict"]],
        }
    )


def arm_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each arm: rate, scores, how far training came."""
    final = frame[frame["final"]]
    arms = final.groupby("arm", sort=False)
    below = reliability(frame, WORDING) if WORDING in arms.groups else pd.DataFrame()
    lines = []
    for name, runs in arms:
        line = {"arm": name, "rate": runs["lr"].iloc[0], "runs": len(runs)}
        line |= {"score": f"{runs['score'].mean():.3f}"}
        line["lowest, highest"] = (
            f"{runs['score'].min():.3f}, {runs['score'].max():.3f}"
        )
        line |= _training(runs)
        if name in below.index:
            share = below.loc[name]
            line["runs below the wording"] = (
                f"{share['below']:.0f} of {share['runs']:.0f} "
                f"[{share['low']:.2f}, {share['high']:.2f}]"
            )
        lines.append(line)
    return pd.DataFrame(lines)


def _training(runs: pd.DataFrame) -> dict[str, str]:
    """Return how far training came; an empty dict for what was not trained."""
    if "stopped" not in runs or runs["stopped"].isna().all():
        return {}
    first = runs["first_losses"].str[0].mean()
    return {
        "training loss, first and last": f"{first:.2f}, {runs['last_loss'].mean():.2f}",
        AT_THE_LIMIT: f"{(runs['stopped'] == 'done').sum()} of {len(runs)}",
    }


def experiment_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each arm of an experiment: losses and moves."""
    found = mechanism_summary(frame)
    return pd.DataFrame(
        {
            "arm": found.index,
            "dev loss at the end": [f"{v:.3f}" for v in found["dev_loss"]],
            "lowest, highest": [
                f"{low:.2f}, {high:.2f}"
                for low, high in zip(found["lowest"], found["highest"], strict=True)
            ],
            "after 20 steps": [f"{v:.2f}" for v in found["at_20"]],
            "after 60 steps": [f"{v:.2f}" for v in found["at_60"]],
            "move / rate": [f"{v:.3g}" for v in found["multiplier"]],
            "later move": [f"{v:.2g}" for v in found["later_move"]],
            "runs": found["runs"],
        }
    )


def _intervals(found: pd.DataFrame, low: str, high: str) -> list[str]:
    pairs = zip(found[low], found[high], strict=True)
    return [f"{_signed(a)} to {_signed(b)}" for a, b in pairs]


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def as_markdown(frame: pd.DataFrame) -> str:
    """Write a table in Markdown; a cell without a value stays empty."""
    head = [str(column) for column in frame.columns]
    lines = [head, ["---"] * len(head)]
    for row in frame.itertuples(index=False):
        lines.append(["" if pd.isna(value) else _cell(value) for value in row])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _cell(value) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|")
