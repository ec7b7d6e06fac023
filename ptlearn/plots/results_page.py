"""The figures of the page of results, one file for each complete study."""

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from ..studies.report import all_experiments, is_complete, staged_results
from ..studies.verdict import verdicts as find_verdicts
from .mechanisms import coupling, grafts, lengths, rate_and_move, sgd_and_adam
from .studies import verdicts
from .traces import barriers, switches

OF_EXPERIMENT = {
    "step_or_direction": {"": grafts, "_sgd": sgd_and_adam},
    "coupling": {"": coupling},
    "speed_or_optimum": {"": switches},
    "surface": {"": barriers},
    "lengths": {"": lengths},
}
"""What draws an experiment, by the end of the file's name."""
DOTS_PER_INCH = 110


def draw_figures(folder: str | Path) -> list[Path]:
    """Draw all figures of the page into ``folder/figures``; return their files."""
    target, files = Path(folder) / "figures", []
    target.mkdir(exist_ok=True)
    for name, figure in _figures(folder):
        files.append(target / f"{name}.png")
        # Without the date and the version, the same rows give the same file.
        figure.savefig(files[-1], dpi=DOTS_PER_INCH, metadata={"Software": None})
    return files


def _figures(folder: str | Path) -> Iterator[tuple[str, Figure]]:
    for study, frame in staged_results(folder):
        if is_complete(study, frame):
            table = find_verdicts(frame, study.contrasts, study.rule)
            effect = study.rule.smallest_effect
            title = study.question.partition(":")[0]
            yield study.name, verdicts(table, smallest_effect=effect, title=title)
            tuning = frame[frame["stage"].isin(("search", "halving", "widening"))]
            yield f"{study.name}_rates", rate_and_move(tuning)
    for experiment, frame, missing in all_experiments(folder):
        if not missing:
            for end, draw in OF_EXPERIMENT[experiment.name].items():
                yield f"why_{experiment.name}{end}", draw(frame)
