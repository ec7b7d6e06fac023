"""Which cells become slides, and the page that nbconvert makes of them."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ptlearn.course import runner
from ptlearn.course.slides import blocks, build, choose
from ptlearn.errors import CourseError
from ptlearn.files import REPOSITORY

TOY = REPOSITORY / "tests" / "fixtures" / "99_toy.ipynb"
PNG = "iVBORw0KGgo="


# --- blocks -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("## A\nText\n\n- one\n- two", ["heading", "text", "list"]),
        ("There are two:\n* one\n* two", ["list"]),
        ("$$a\n\n= b$$\n\nText", ["formula", "text"]),
        ("Now $$a = b,$$\n\nText\n\n### B", ["formula", "text", "heading"]),
        ("```python\na\n\nb\n```", ["code"]),
        ("![A box.](figures/a.svg)", ["picture"]),
        ("- one\n\n  | a | b |\n  |---|---|", ["list", "table"]),
        ("Text\n<details><summary>Hint</summary>\n\nFolded\n\n</details>", ["text"]),
    ],
)
def test_a_cells_text_is_cut_into_blocks(text, kinds):
    assert [blocks.kind(block) for block in blocks.blocks(text)] == kinds


def test_a_link_to_a_notebook_leaves_its_words():
    (block,) = blocks.blocks("See [lesson 01](01_a.ipynb) and [PEFT](https://x.org).")
    assert block == "See lesson 01 and [PEFT](https://x.org)."


def test_longer_text_takes_more_room():
    short, long = blocks.room("word " * 10), blocks.room("word " * 100)
    assert 1 <= short < 2 and long > 5
    assert blocks.room("$$a$$") > short
    rows = "\n".join(["| a | b |", "|---|---|", *["| 1 | 2 |"] * 5])
    assert 6 < blocks.room(rows) < 8


# --- the choice -------------------------------------------------------------


def chosen(*cells):
    return choose.slides(new_notebook(cells=list(cells)))


def figure(*more):
    data = {"image/png": {"alt": "A line goes up."}}
    png = new_output("display_data", {"image/png": PNG}, metadata=data)
    return new_code_cell("draw()", outputs=[png, *more])


def said(text):
    return new_output("stream", text=text)


def test_a_section_begins_a_slide_and_parts_of_it_come_below():
    made = chosen(
        new_markdown_cell("# 1\n*a*"), new_markdown_cell("## A\nb\n\n### B\nc")
    )
    assert [(s.title, s.top) for s in made] == [("1", True), ("A", True), ("B", False)]


def test_the_first_words_are_shown_and_the_rest_becomes_notes():
    (slide,) = chosen(new_markdown_cell("## A\nFirst.\n\nSecond.\n\n- one\n- two"))
    assert slide.parts == ["First.", "- one\n- two"]
    assert slide.notes == ["Second."]


def test_a_question_and_its_answer_are_on_different_slides():
    claim = said("Claim holds: it does\n")
    made = chosen(
        new_markdown_cell("## A\nText.\n\n**Predict:** what comes?"),
        new_code_cell("run()", outputs=[claim]),
    )
    assert "Predict" in made[0].parts[-1] and len(made) == 2
    assert "Claim holds: it does" in made[1].parts[0]


def test_a_figure_has_a_slide_of_its_own_with_its_words():
    made = chosen(new_markdown_cell("## A\nText."), figure(said("Claim holds: yes\n")))
    assert [len(slide.parts) for slide in made] == [1, 1, 1]
    assert 'alt="A line goes up."' in made[1].parts[0]
    assert made[1].notes == ["A line goes up."]


def test_hints_solutions_sources_and_code_stay_in_the_notebook():
    stub = new_code_cell("x = ...", outputs=[said("Claim holds: no\n")])
    stub.metadata["tags"] = ["exercise"]
    made = chosen(
        new_markdown_cell(
            "### Exercise 99.1 · Do\n*You.*\n\n1. This\n\nExpected output: x"
        ),
        stub,
        new_markdown_cell("<details><summary>Solution</summary>\n\n42\n\n</details>"),
        new_markdown_cell("## Sources\n- A book"),
    )
    assert [slide.parts for slide in made] == [["*You.*", "1. This"]]


def test_after_an_exercise_its_section_goes_on():
    made = chosen(
        new_markdown_cell("## A\nText.\n\n### Exercise 99.1 · Do\n*You.*"),
        new_markdown_cell("<details><summary>Hint</summary>\n\n42\n\n</details>"),
        new_markdown_cell("More."),
    )
    assert [(slide.title, slide.parts) for slide in made][-1] == ("A", ["More."])


def test_what_does_not_fit_goes_on_a_second_slide():
    many = [new_markdown_cell("word " * 80) for _ in range(6)]
    made = chosen(new_markdown_cell("## A\nText."), *many)
    assert len(made) > 2 and {slide.title for slide in made} == {"A"}
    assert all(slide.used <= choose.ROOM for slide in made)


def test_what_fits_on_no_slide_becomes_a_note():
    (slide,) = chosen(new_markdown_cell("## A\nText.\n\n- " + "word " * 1000))
    assert slide.parts == ["Text."] and len(slide.notes) == 1


@pytest.mark.parametrize("path", runner.find_lessons(), ids=lambda p: p.stem[:2])
def test_every_lesson_gives_slides_that_hold_its_figures(path):
    notebook = nbformat.read(path, as_version=4)
    made = choose.slides(notebook)
    text = "\n".join(slide.text() for slide in made)
    figures = sum(
        "image/png" in output.get("data", {})
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    pictures = len(
        re.findall(r"^!\[", "\n".join(c.source for c in notebook.cells), re.M)
    )
    assert text.count("<img ") == figures
    assert len(re.findall(r"^!\[", text, re.MULTILINE)) == pictures
    assert 15 <= len(made) <= 60
    assert "<details>" not in text and "Expected output" not in text
    assert made[0].title == notebook.cells[0].source.splitlines()[0].removeprefix("# ")
    assert made[-1].title == "Self-check"


# --- the page ---------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    out = tmp_path_factory.mktemp("slides")
    (path,) = build.build_slides(out, notebooks=TOY.parent)
    return path


def test_the_page_fetches_only_what_lies_beside_it(page):
    text = page.read_text("utf-8")
    loaded = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', text)
    assert "reveal/dist/reveal.js" in loaded and "reveal/tex-svg.js" in loaded
    for address in loaded:
        assert address.startswith("data:") or (page.parent / address).is_file(), address
    for host in ("cdn", "unpkg", "googleapis", "require("):
        assert host not in text


def test_slides_and_their_notes_are_in_the_page(page):
    text = page.read_text("utf-8")
    notebook = nbformat.read(TOY, as_version=4)
    for slide in choose.slides(notebook):
        assert slide.title in text
    assert text.count("<section>") > len(choose.slides(notebook))
    assert page.name == "99.html"


def test_each_slide_is_a_cell_and_its_notes_are_another():
    made = build.notebook_of([choose.Slide("A", top=True, parts=["b"], notes=["c"])])
    nbformat.validate(made)
    kinds = [cell.metadata["slideshow"]["slide_type"] for cell in made.cells]
    assert kinds == ["slide", "notes"]
    assert [cell.source for cell in made.cells] == ["# A\n\nb", "c"]


def test_a_lesson_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CourseError, match="No lesson begins with '42'"):
        build.build_slides(tmp_path, lesson="42")


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("no-such-package", "Install what they need"),
        ("sphinx", "has no file js/dist/reveal.js"),
    ],
)
def test_missing_files_of_reveal_are_told(package, words):
    with pytest.raises(CourseError, match=words):
        build.reveal_files(package)


def test_another_file_of_reveal_is_told(monkeypatch):
    monkeypatch.setitem(build.FILES, "dist/reveal.css", "0" * 64)
    with pytest.raises(CourseError, match="checksum of .*reveal.css is wrong"):
        build.reveal_files()
