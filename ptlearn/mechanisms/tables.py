"""What the experiments on encoders say, in small tables: means over seeds."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from ..studies.statistics import mean_interval

FIRST_STEPS = slice(10, 20)
"""The first steps at the full rate."""
LABELS = {"none": "bare", "linear": "linear", "mlp": "MLP", "lstm": "LSTM"}


def mechanism_summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each arm of an experiment: means over seeds.

    Parameters
    ----------
    frame : DataFrame
        What ``experiment_results`` returned.

    Returns
    -------
    DataFrame
        Index arm. ``dev_loss`` with ``low`` and ``high`` (95 % interval), ``lowest``
        and ``highest``: at the last step (nats a row); ``at_start``, ``at_20``, ...:
        at other steps, the step before a switch among them; ``runs`` and ``failed``
        (not finite); ``rate``; ``multiplier``: how far the table moves in one of the
        first steps, over the rate; ``move`` and ``later_move``: the mean of steps 11
        to 20, and of those after them, a coordinate; ``coupling`` and ``descent``:
        mean cosine of two virtual tokens' moves, and of the move with straight down,
        over all steps; ``start_length`` and ``end_length`` of a vector.
    """
    traces = frame[frame["kind"] == "trace"]
    return pd.DataFrame.from_dict(
        {arm: _trace_line(runs) for arm, runs in traces.groupby("arm", sort=False)},
        orient="index",
    )


def _trace_line(runs: pd.DataFrame) -> dict:
    whole = runs[runs["error"] == ""]

    def mean(value: Callable) -> float:
        return pd.Series(
            [value(row) for _, row in whole.iterrows()], dtype=float
        ).mean()

    ends = [curve[-1][1] for curve in whole["dev_losses"]]
    dev, low, high = mean_interval(ends)
    return {
        "dev_loss": dev,
        "low": low,
        "high": high,
        "lowest": min(ends, default=np.nan),
        "highest": max(ends, default=np.nan),
        **{
            f"at_{step or 'start'}": mean(lambda row, s=step: dev_loss_at(row, s))
            for step in _shown_steps(whole)
        },
        "runs": len(runs),
        "failed": len(runs) - len(whole),
        "rate": mean(lambda row: row["rates"][0]),
        "multiplier": mean(_multiplier),
        "move": mean(early_move),
        "later_move": mean(_later_move),
        "coupling": mean(lambda row: np.mean(row["couplings"])),
        "descent": mean(lambda row: np.mean(row["descents"])),
        "start_length": mean(lambda row: np.mean(row["start_lengths"])),
        "end_length": mean(lambda row: np.mean(row["end_lengths"])),
    }


def _shown_steps(runs: pd.DataFrame) -> list[int]:
    """Return the start, steps 20, 60 and 120: each arm has them, if it is long enough.

    Every switch of the course's experiments lies at one of them.
    """
    shown = (0, 20, 60, 120)
    return [s for s in shown if all(s <= steps for steps in runs["steps"])]


def dev_loss_at(row: pd.Series, step: int) -> float:
    """Return a trace's dev loss at a step; NaN if it was not taken there."""
    return dict(map(tuple, row["dev_losses"])).get(step, np.nan)


def early_move(row: Mapping) -> float:
    """Return how far the table moves in a step of a run: rms, a coordinate.

    The mean over the first steps after warm-up; of all steps, if the run ended before.
    """
    moves = row["moves"]
    return float(np.mean(moves[FIRST_STEPS] or moves or np.nan))


def _later_move(row: Mapping) -> float:
    return float(np.mean(row["moves"][FIRST_STEPS.stop :] or np.nan))


def _multiplier(row: pd.Series) -> float:
    return row["probe"].get(row["encoder"], {}).get("multiplier", np.nan)


def barrier_summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each kind of line between tables.

    Parameters
    ----------
    frame : DataFrame
        What ``experiment_results`` returned for an experiment with lines.

    Returns
    -------
    DataFrame
        Index what the lines are between. ``barrier``: how far the loss rises above the
        higher end (nats a row), mean of the lines; ``lowest`` and ``highest`` of them;
        ``distance`` of the ends, root mean square a coordinate; ``lines``. Lines that
        share a table are not independent, so there is no interval.
    """
    found = frame[(frame["kind"] == "line") & (frame["error"] == "")]
    lines = {}
    for arm, rows in found.groupby("arm", sort=False):
        lines[arm] = {
            "barrier": rows["barrier"].mean(),
            "lowest": rows["barrier"].min(),
            "highest": rows["barrier"].max(),
            "distance": rows["distance"].mean(),
            "lines": len(rows),
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def coupling_maps(frame: pd.DataFrame) -> dict[str, dict[int, np.ndarray]]:
    """Return each arm's cosines between the moves of virtual tokens, mean over seeds.

    Parameters
    ----------
    frame : DataFrame
        What ``experiment_results`` returned.

    Returns
    -------
    dict
        Arm to step to an array, (num_virtual_tokens, num_virtual_tokens).
    """
    traces = frame[(frame["kind"] == "trace") & (frame["error"] == "")]
    return {
        arm: {
            int(step): np.mean([row[step] for row in runs["cosines"]], axis=0)
            for step in runs["cosines"].iloc[0]
        }
        for arm, runs in traces.groupby("arm", sort=False)
    }


def graft_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the dev loss of each direction of a step with each length.

    Parameters
    ----------
    frame : DataFrame
        What ``experiment_results("step_or_direction")`` returned.

    Returns
    -------
    DataFrame
        ``encoder``: whose fresh output all start at; ``direction`` and ``length`` of
        the steps; ``dev_loss``, ``low``, ``high``: mean at the last step with its
        interval; ``text``: mean and [lowest, highest] over seeds.
    """
    whole = _whole(frame)
    plain = whole[(whole["optimizer"] == "adam") & (whole["switch_at"] == 0)]
    lines = []
    for kind in ("mlp", "lstm"):
        lengths = {
            ("none", kind): f"bare, at the\n{LABELS[kind]}'s rate",
            ("none", ""): "bare, at its\nown rate",
            (kind, ""): LABELS[kind],
        }
        own = plain[(plain["start"] == kind) | (plain["encoder"] == kind)]
        for direction in ("none", kind):
            for (length, rate), label in lengths.items():
                lends = "" if length == direction else length
                runs = own[
                    (own["encoder"] == direction)
                    & (own["length_of"] == lends)
                    & (own["rate_of"] == rate)
                ]
                names = {"direction": LABELS[direction], "length": label}
                if len(runs):
                    lines.append({"encoder": LABELS[kind], **names, **_ends(runs)})
    columns = ["encoder", "direction", "length", "dev_loss", "low", "high", "text"]
    return pd.DataFrame(lines, columns=columns)


def sgd_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the dev loss after as many steps of SGD as of Adam.

    Parameters
    ----------
    frame : DataFrame
        What ``experiment_results("step_or_direction")`` returned.

    Returns
    -------
    DataFrame
        ``encoder``, ``optimizer``, ``move`` (of the first steps, as was asked),
        ``step`` (the last that all have), ``dev_loss``, ``low``, ``high``.
    """
    whole = _whole(frame)
    grafted = (whole["length_of"] != "") | (whole["rate_of"] != "")
    plain = whole[~grafted & (whole["start"] == "normal")]
    lines = []
    step = plain["steps"].min() if len(plain) else 0
    groups = plain.groupby(["encoder", "optimizer", "move"], sort=False)
    for (kind, optimizer, move), runs in groups:
        about = {"encoder": LABELS[kind], "optimizer": optimizer, "move": move}
        lines.append(about | {"step": step} | _ends(runs, step))
    columns = ["encoder", "optimizer", "move", "step", "dev_loss", "low", "high"]
    return pd.DataFrame(lines, columns=columns)


def _whole(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the traces that did not break off."""
    settings = ["encoder", "optimizer", "switch_at", "start", "length_of", "rate_of"]
    if frame.empty:
        return pd.DataFrame(columns=[*settings, "move", "steps"])
    return frame[(frame["kind"] == "trace") & (frame["error"] == "")]


def _ends(runs: pd.DataFrame, step: int | None = None) -> dict:
    """Return mean, interval, lowest and highest dev loss at a step, or at the last."""
    losses = [dev_loss_at(row, step or row["steps"]) for _, row in runs.iterrows()]
    mean, low, high = mean_interval(losses)
    text = f"{mean:.2f}\n[{min(losses):.2f}, {max(losses):.2f}]"
    return {"dev_loss": mean, "low": low, "high": high, "text": text}
