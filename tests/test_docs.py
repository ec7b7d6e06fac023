"""README and the pages in docs/ say what is so, and lead somewhere."""

import re
from pathlib import Path

import nbformat
import pytest

from cells import tagged
from ptlearn.course import runner
from ptlearn.course.site import findings
from ptlearn.files import REPOSITORY as ROOT

README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LESSONS = sorted(runner.NOTEBOOKS.glob("*.ipynb"))
TOY = ROOT / "tests" / "fixtures" / "99_toy.ipynb"
MOST_LINES = 150
# Pages that are made when the web edition is built; docs/index.md leads to them.
MADE = ("glossary.md", "reference/", "results/", "benchmarks/", "class/")


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
def test_the_readme_shows_the_picture_of_all_that_was_found():
    (described,) = re.findall(r"!\[([^\]]*)\]\(docs/found.png\)", README)
    assert described == findings.describe(findings.found()), "run: ptlearn study report"


@pytest.mark.slow
def test_the_readme_reads_its_picture_rightly():
    judged = findings.found()
    found = judged.set_index(["contrast", "task"])["verdict"]
    tasks = ["facts", "hypernyms", "reviews", "topics"]
    assert sorted(set(judged["task"])) == tasks, "four tasks"
    ahead = found["bare against best wording"] == "better"
    assert ahead.to_dict() == {task: task != "reviews" for task in tasks}
    encoders = [found[f"{e} against bare"] for e in ("LSTM", "MLP", "residual MLP")]
    assert all(set(of.index) == set(tasks) for of in encoders)
    assert "better" not in {verdict for of in encoders for verdict in of}
    assert "undecided" in {verdict for of in encoders for verdict in of}
    assert found["bare against 5 after", "facts"] == "better"
    assert found["16 after against 5 after", "facts"] == "equivalent"


def test_the_report_renews_picture_and_words_of_the_readme(tmp_path, monkeypatch):
    monkeypatch.setattr(findings, "found", lambda: "judged")
    monkeypatch.setattr(findings, "draw", lambda judged, _: "![Dots.](found.png)")
    (tmp_path / "README.md").write_text("a ![old](docs/found.png) ![b](c.png)\n")
    assert len(findings.renew_readme(tmp_path)) == 2
    renewed = (tmp_path / "README.md").read_text()
    assert renewed == "a ![Dots.](docs/found.png) ![b](c.png)\n"
    assert findings.renew_readme(tmp_path / "no-clone") == []


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
