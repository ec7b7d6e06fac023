"""Rules for the teacher's kit, one small function each; each gives faults in words."""

import re

import nbformat

from ptlearn.course.teaching import notebooks

EXERCISE = re.compile(r"\b(\d\d)\.(\d)\b(?!\.\d)")
PARTS = [
    "Before the class",
    "The lesson in order",
    "On the board",
    "Where students stumble",
]
PARTS += ["Questions to ask", "Exercises", "Predictions to collect"]


def typed_numbers(text: str) -> list[str]:
    """Numbers that look like results: they belong into the notebook.

    Numbers of exercises, code, the name of the 95 % interval and that of the 90 % one
    are none.
    """
    text = re.sub(r"<!--.*?-->|`[^`]*`", "", text, flags=re.DOTALL)
    text = EXERCISE.sub("", text).replace("95 %", "").replace("90 %", "")
    return re.findall(r"\d*\.\d+|\d[\d,]*\d\d\b|\d+ ?%", text)


def missing_parts(text: str) -> list[str]:
    """What a page of a lesson lacks."""
    faults = [part for part in PARTS if f"\n## {part}\n" not in text]
    faults += ["**Aim.**"] * ("\n**Aim.** " not in text)
    board = text.partition("## On the board")[2].partition("\n## ")[0]
    stumbles = text.partition("## Where students stumble")[2].partition("\n## ")[0]
    asked = text.partition("## Questions to ask")[2].partition("\n## ")[0]
    questions = len(re.findall(r"^\d+\. \*", asked, re.MULTILINE))
    answers = asked.count("<summary>A good answer</summary>")
    if len(re.findall(r"^\d+\. \*\*", board, re.MULTILINE)) < 3:
        faults.append("three things for the board")
    if len(re.findall(r"^- \*\*", stumbles, re.MULTILINE)) < 4:
        faults.append("four stumbles")
    if questions < 3 or answers != questions:
        faults.append("three questions, each with its answer")
    return faults


def unknown_exercises(text: str) -> list[str]:
    """Exercises that a page names and no lesson has."""
    known = {}
    faults = []
    for lesson, number in EXERCISE.findall(text):
        if lesson not in known:
            notebook, _ = notebooks.read(lesson)
            known[lesson] = {one.number for one in notebooks.exercises(notebook)}
        if int(number) not in known[lesson]:
            faults.append(f"{lesson}.{number}")
    return faults


def results_in(text: str, notebook: nbformat.NotebookNode) -> list[str]:
    """Numbers of a text that a notebook's cells have shown.

    One place after the point may be chance (0.5), two places are not.
    """
    exact = r"(?<![\d.])\d*\.\d\d+"
    found = set(re.findall(exact, text))
    shown = "\n".join(
        str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    return sorted(found & set(re.findall(exact, shown)))
