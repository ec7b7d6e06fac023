"""The page of results: every question with its verdict, made from the stored rows.

Nothing on the page is typed: ``ptlearn study report`` writes the part of
``data/results/README.md`` between two marks anew, and draws its figures.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from .. import plots
from ..errors import StudyError
from ..mechanisms.catalogue import Experiment, experiments
from ..mechanisms.run import experiment_results
from ..mechanisms.traces import Trace
from ..studies.defaults import ENCODERS, defaults_studies, rate_regrets
from ..studies.precision import CONTRAST, precision_studies
from ..studies.settling import settling_results
from ..studies.staged import StagedStudy, is_complete
from ..studies.study import Study, results
from ..studies.verdict import verdicts
from .results_tables import (
    arm_table,
    as_markdown,
    default_rates,
    differences,
    experiment_table,
    now_and_before,
    verdict_table,
)

BEGIN = "<!-- from here on made by: ptlearn study report -->"
END = "<!-- up to here -->"
FIGURES = {
    "step_or_direction": {"": plots.grafts, "_sgd": plots.sgd_and_adam},
    "coupling": {"": plots.coupling},
    "speed_or_optimum": {"": plots.switches},
    "surface": {"": plots.barriers},
    "lengths": {"": plots.lengths},
}
"""What draws an experiment, by the end of the file's name."""


def write_page(folder: str | Path) -> list[Path]:
    """Write the page of a folder of rows anew, with its figures; return the files.

    Raises
    ------
    StudyError
        If the folder's README.md lacks a mark.
    """
    page, figures = Path(folder) / "README.md", Path(folder) / "figures"
    put_into(page, results_page(folder))
    figures.mkdir(exist_ok=True)
    files = [page]
    for name, figure in _figures(folder):
        files.append(plots.save_picture(figure, figures / f"{name}.png"))
    return files


def results_page(folder: str | Path) -> str:
    """Return the made part of the page, as Markdown.

    Parameters
    ----------
    folder : path
        Where the rows lie.
    """
    parts = [_study_part(study, frame) for study, frame in settling_results(folder)]
    parts += [_defaults_part(folder), _precision_part(folder)]
    parts.append("## Why: what an encoder does\n\n" + _how_the_experiments_ran())
    for experiment, frame, missing in all_experiments(folder):
        part = f"### {experiment.question}\n\n`{experiment.name}`: "
        if missing:
            parts.append(part + f"{missing} runs are not done yet.\n")
            continue
        part += f"{len(frame)} runs.\n\n{as_markdown(experiment_table(frame))}"
        for end in FIGURES[experiment.name]:
            file = f"figures/why_{experiment.name}{end}.png"
            part += f"\n![{experiment.question}]({file})\n"
        parts.append(part)
    return "\n".join(parts)


def all_experiments(
    folder: str | Path,
) -> Iterator[tuple[Experiment, pd.DataFrame, int]]:
    """Yield each experiment, the table of its rows, and how many runs it lacks."""
    for experiment in experiments().values():
        frame = experiment_results(experiment, Path(folder) / "why")
        done = 0 if frame.empty else int((frame["kind"] == "trace").sum())
        yield experiment, frame, len(list(experiment.traces())) - done


def put_into(page: Path, made: str) -> None:
    """Replace what stands between the marks of a page.

    Raises
    ------
    StudyError
        If the page lacks a mark.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise StudyError(f"{page} lacks the line {BEGIN!r} or {END!r}")
    page.write_text(f"{before}{BEGIN}\n\n{made}\n{END}{after}", encoding="utf-8")


def _study_part(study: StagedStudy, frame: pd.DataFrame) -> str:
    part = f"## {study.question}\n\n`{study.name}`: "
    final = pd.Series(dtype=bool) if frame.empty else frame["final"]
    tuning = int((~final).sum())
    if study.plan is None:
        return part + f"{tuning} runs so far, no rates chosen yet. No verdict.\n"
    keys = set(study.plan["confirming_keys"])
    done = 0 if frame.empty else len(keys & set(frame.loc[final, "key"]))
    part += (
        f"{tuning} runs chose the rates; {done} of {len(keys)} confirming runs are "
        f"done. Plan `{study.plan['hash']}`.\n"
    )
    if not is_complete(study, frame):
        return part + "\nNo verdict before all of them are.\n"
    part += f"\n{as_markdown(verdict_table(study, frame))}"
    part += f"\n{as_markdown(arm_table(frame))}"
    return part + (
        f"\n![Differences with their intervals](figures/{study.name}.png)\n"
        "\n![Dev loss by rate and by move of the table]"
        f"(figures/{study.name}_rates.png)\n"
    )


def _defaults_part(folder: str | Path) -> str:
    regrets = rate_regrets(folder)
    part = (
        "## What `fit` takes where nothing is set\n\n"
        "Each encoder's rate is the one that loses least on the worst of four tasks. "
        "The columns of the studies say how many nats of dev loss it lies above the "
        "task's own best rate, which stands in brackets.\n\n"
        f"{as_markdown(default_rates(regrets))}"
    )
    for study in defaults_studies().values():
        frame = results(study, folder)
        part += "\n" + _progress(study, frame)
        if len(frame) < study.size():
            continue
        part += " No setting was chosen on this task.\n\n"
        found = verdicts(frame, [(f"{a}, now", f"{a}, before") for a in ENCODERS])
        steps = frame.groupby("arm")["steps_taken"].mean()
        table = differences(found)
        table.insert(1, "score", [now_and_before(frame, a) for a in ENCODERS])
        table["steps now"] = [f"{steps[f'{a}, now']:.0f}" for a in ENCODERS]
        part += as_markdown(table)
    return part


def _progress(study: Study, frame: pd.DataFrame) -> str:
    part = f"### {study.question}\n\n`{study.name}`: {len(frame)} runs"
    left = study.size() - len(frame)
    if left:
        return f"{part}, {left} are not done yet. No verdict before all of them are.\n"
    return f"{part}."


def _precision_part(folder: str | Path) -> str:
    part = (
        "## Products in bfloat16\n\nThe same rows, starts and orders of rows; only "
        '`load_lm(dtype="bfloat16")` differs.\n'
    )
    for study in precision_studies().values():
        frame = results(study, folder)
        part += "\n" + _progress(study, frame)
        if len(frame) == study.size():
            part += "\n\n" + as_markdown(differences(verdicts(frame, [CONTRAST])))
            part += "\n" + as_markdown(arm_table(frame))
    return part


def _how_the_experiments_ran() -> str:
    return (
        "A probe found each arm's rate: the one at which the table moves by "
        f"{Trace.move:g} in a step. Not so the arms that take another arm's rate, and "
        "those with SGD, which are tried at several moves. Later they drift apart: "
        "*later move* is the mean after step 20. *Move / rate* is the move in one of "
        "the first steps, over the rate. `why/README.md` says what a row holds. The "
        "seeds of an arm are three: their lowest and highest stand beside the mean, "
        "for an interval would say little.\n"
    )


def _figures(folder: str | Path) -> Iterator[tuple[str, Figure]]:
    for study, frame in settling_results(folder):
        if is_complete(study, frame):
            table = verdicts(frame, study.contrasts, study.rule)
            effect = study.rule.smallest_effect
            title = study.question.partition(":")[0]
            yield study.name, plots.verdicts(table, smallest_effect=effect, title=title)
            tuning = frame[frame["stage"].isin(("search", "halving", "widening"))]
            yield f"{study.name}_rates", plots.rate_and_move(tuning)
    for experiment, frame, missing in all_experiments(folder):
        if not missing:
            for end, draw in FIGURES[experiment.name].items():
                yield f"why_{experiment.name}{end}", draw(frame)
