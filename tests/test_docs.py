"""README and the pages in docs/ say what is so, and lead somewhere."""

import re
from pathlib import Path

import nbformat
import pytest

from cells import tagged
from ptlearn.course import runner, said_and_found
from ptlearn.files import REPOSITORY as ROOT
from ptlearn.studies import load_study, results, verdicts

README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LESSONS = sorted(runner.NOTEBOOKS.glob("*.ipynb"))
TOY = ROOT / "tests" / "fixtures" / "99_toy.ipynb"
MOST_LINES = 150
TRAINED = ("bare", "LSTM")
# Pages that are made when the web edition is built; docs/index.md leads to them.
MADE = ("glossary.md", "reference/", "results/", "benchmarks/")


def dead_links(text: str, folder: Path) -> list[str]:
    """Links and pictures of a page that lead to no file."""
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    return [
        target
        for target in targets
        if "://" not in target and not (folder / target).exists()
    ]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_every_link_leads_to_a_file(path):
    dead = dead_links(path.read_text(), path.parent)
    made = [one for one in dead if path.name == "index.md" and one.startswith(MADE)]
    assert dead == made


def test_a_dead_link_is_noticed():
    text = "[a](README.md#part), [b](no-such-file.md) and ![c](no-such-picture.png)"
    assert dead_links(text, ROOT) == ["no-such-file.md", "no-such-picture.png"]


def test_readme_leads_to_every_page_and_is_short():
    assert README.count("\n") < MOST_LINES
    pages = {f"docs/{path.name}" for path in PAGES[1:]} - {"docs/index.md"}
    assert pages <= set(re.findall(r"\]\((docs/[^)]+)\)", README))
    listed = (ROOT / "docs" / "index.md").read_text()
    for page in pages:
        assert f"]({Path(page).name})" in listed, "the start page leads there, too"
        assert f"\n{Path(page).stem}\n" in listed, "it is in the sidebar"


def readme_faults(readme: str, lessons: list[Path]) -> list[str]:
    """How the README's table of lessons differs from the notebooks."""
    rows = re.findall(r"^\| (\d\d · [^|]+?) \|.*\| (\d+) \|$", readme, re.MULTILINE)
    listed = {title: int(exercises) for title, exercises in rows}
    faults = []
    for path in lessons:
        notebook = nbformat.read(path, as_version=4)
        title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
        exercises = len(tagged(notebook, "exercise"))
        if listed.get(title) != exercises:
            faults.append(f"{title}: {exercises} exercises, not {listed.get(title)}")
    return faults


def test_readme_lists_the_lessons_as_they_are():
    assert readme_faults(README, LESSONS) == []


def test_a_lesson_that_the_readme_lacks_is_noticed():
    assert readme_faults(README, [TOY]) == ["99 · A toy lesson: 3 exercises, not None"]


@pytest.mark.slow
def test_the_readme_reads_its_picture_rightly():
    """Every part lies in the band; trained vectors lie above demonstrations."""
    study = load_study("facts")
    judged = verdicts(results(study), study.contrasts, study.rule)
    of_parts = judged[~judged.index.str.contains("demonstrations")]
    assert len(judged) == 8 and len(of_parts) == 7, "eight comparisons"
    assert set(of_parts["verdict"]) == {"equivalent"}
    assert judged.loc["bare against 8 demonstrations", "difference"] > 0
    # Below the picture: better than the best wording, but not on reviews.
    said = said_and_found.table()
    pairs = [f"{arm} against best wording" for arm in TRAINED]
    trained = said[said["contrast"].isin(pairs)]
    found = {name: set(of["verdict"]) for name, of in trained.groupby("study")}
    assert found["facts"] == {"better"}
    assert "better" not in found["reviews"]


def test_the_table_of_names_names_what_can_be_imported():
    import ptlearn

    page = (ROOT / "docs" / "package.md").read_text()
    table = page.split("| from lesson | names |")[1].split("\n\n")[0]
    names = re.findall(r"`([\w.]+)`", table)
    assert len(names) > 30
    for dotted in names:
        value = ptlearn
        for name in dotted.split("."):
            value = getattr(value, name)
