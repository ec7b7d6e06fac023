"""What the course found, for the start page and README: one picture and one table.

Both come from the stored rows by :mod:`ptlearn.course.said_and_found`; no number and no
verdict is typed.
"""

import re
from pathlib import Path

import pandas as pd

from ... import plots
from ...files import REPOSITORY, write_atomically
from ...studies.catalogue import load_study
from ...studies.verdict import Rule
from .. import said_and_found

PICTURE = "found.png"


def found(folder: Path | None = None) -> pd.DataFrame:
    """Return the judged claims of the studies that have been run.

    Parameters
    ----------
    folder : Path, optional
        Where the rows lie; None: the stored ones.
    """
    judged = said_and_found.table(folder)
    return judged[judged["verdict"] != said_and_found.NOT_RUN]


def draw(judged: pd.DataFrame, folder: Path) -> str:
    """Save the picture in a folder; return it as Markdown, with its description."""
    effect = Rule().smallest_effect
    figure = plots.differences_by_task(judged, smallest_effect=effect)
    plots.save_picture(figure, folder / PICTURE)
    return f"![{describe(judged)}]({PICTURE})"


def renew_readme(clone: Path = REPOSITORY) -> list[Path]:
    """Draw the picture of README.md anew, with its description; return the files.

    Nothing is done where there is no clone of the repository.
    """
    readme = clone / "README.md"
    if not readme.exists():
        return []
    picture = draw(found(), clone / "docs").replace("](", "](docs/")
    place = re.compile(rf"!\[[^\]]*\]\(docs/{re.escape(PICTURE)}\)")
    text = place.sub(lambda _: picture, readme.read_text(encoding="utf-8"))
    with write_atomically(readme) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return [readme, clone / "docs" / PICTURE]


def describe(judged: pd.DataFrame) -> str:
    """Say in words what the picture shows."""
    parts = []
    for task, lines in judged.groupby("task", sort=False):
        counts = lines["verdict"].value_counts()
        told = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
        widest = lines.loc[lines["difference"].abs().idxmax()]
        parts.append(
            f"on {task}: {told}; the largest is {widest['difference']:+.3f} "
            f"({widest['contrast']})"
        )
    number = judged["contrast"].nunique()
    return f"Differences in score of {number} comparisons, {'; '.join(parts)}."


def table(judged: pd.DataFrame) -> str:
    """Write the claims as a Markdown table, with a column for each task."""
    tasks = list(dict.fromkeys(judged["task"]))
    lines = [["what is said, and by whom", *tasks]]
    lines.append(["---"] * len(lines[0]))
    for (claim, source), group in judged.groupby(["claim", "source"], sort=False):
        cells = {line["task"]: _cell(line) for line in group.to_dict("records")}
        said = f"{claim}<br>*{source}*"
        lines.append([said, *(cells.get(name, "") for name in tasks)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(line: dict) -> str:
    star = "" if line["planned"] else " \\*"
    return (
        f"**{line['verdict']}**{star}<br>{line['difference']:+.3f} "
        f"[{line['low']:+.3f},&nbsp;{line['high']:+.3f}]"
    )


def how_to_read(judged: pd.DataFrame) -> str:
    """Say what the words of the table mean, with the rule's own numbers."""
    rule = Rule()
    asked = [
        f"*{name}*: {load_study(name).question.partition(':')[0].lower()}"
        for name in dict.fromkeys(judged["task"])
    ]
    text = (
        f"The tasks are {'; '.join(asked)}.\n\n*Better* and *worse*: the difference "
        f"is at least {rule.smallest_effect:g}, "
        "and chance alone hardly gives it. *Equivalent*: the whole "
        f"{rule.equivalence_confidence:.0%} interval lies within "
        f"{rule.smallest_effect:g}. *Undecided*: these runs cannot say. In brackets "
        f"stands the {rule.confidence:.0%} interval."
    ).replace("%", " %")
    if not judged["planned"].all():
        text += " A star marks a comparison that was added after the runs."
    return text
