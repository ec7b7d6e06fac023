"""The parts of the web edition: what is made for a page, without Sphinx."""

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_output

from ptlearn.course import runner
from ptlearn.course.site import address, build, findings, formulas, lessons, pages
from ptlearn.course.site import reference as ref
from ptlearn.errors import CourseError

ALT = "A line goes up, and another one goes down."
PNG = {"image/png": {"alt": ALT}}


# --- lessons ----------------------------------------------------------------


def cell_with(*outputs):
    return new_code_cell("draw()", outputs=list(outputs))


def figure(metadata=PNG):
    return new_output("display_data", {"image/png": "AAAA"}, metadata=metadata)


def test_what_is_printed_after_a_caption_stays():
    cell = cell_with(figure(), new_output("stream", text=f"{ALT}\nClaim holds: yes\n"))
    lessons.describe_figures(cell)
    assert cell.metadata["mystnb"]["image"]["alt"] == ALT
    _, caption, rest = cell.outputs
    assert ALT in caption["data"]["text/html"]
    assert rest["text"] == "Claim holds: yes\n"


def test_two_figures_of_a_cell_are_both_described():
    other = {"image/png": {"alt": "A <dot> & a line are drawn."}}
    cell = cell_with(figure(), figure(other))
    lessons.describe_figures(cell)
    told = cell.metadata["mystnb"]["image"]["alt"]
    assert told == f"{ALT} A <dot> & a line are drawn."


def test_a_learners_own_figure_without_words_is_left_alone():
    cell = cell_with(figure({}), new_output("stream", text="loss 1.2\n"))
    lessons.describe_figures(cell)
    assert "mystnb" not in cell.metadata
    assert cell.outputs[1]["text"] == "loss 1.2\n"


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("a (伪标记) b", 'a (<span lang="zh">伪标记</span>) b'),
        ("`伪标记`", "`伪标记`"),
        ("## 伪标记\n词元", '## 伪标记\n<span lang="zh">词元</span>'),
        ("```python\nx = '词元'\n```", "```python\nx = '词元'\n```"),
        ('<span lang="zh">词</span>元', None),
        ("no Chinese, $x_0$", "no Chinese, $x_0$"),
    ],
)
def test_chinese_is_marked_outside_code_and_headings(text, marked):
    if marked is not None:
        assert lessons.mark_chinese(text) == marked


def test_the_notebook_on_disk_stays_as_it_is():
    path = runner.find_lessons("00")[0]
    before = path.read_bytes()
    assert "figure-caption" in lessons.prepare(path.read_text("utf-8"))
    assert path.read_bytes() == before


def test_a_claim_that_failed_here_is_named(run_here):
    notebook = nbformat.from_dict(run_here)
    notebook.cells[-1] = cell_with(
        new_output("stream", text="Claim does not hold here: mixed beats $ words\n")
    )
    note = lessons.note_on_run(notebook)
    assert "2 of 3 claims held" in note
    assert note.endswith("> These claims did not hold:\n> - `mixed beats $ words`")
    assert "did not hold" not in lessons.note_on_run(run_here)
    del notebook.metadata["papermill"]
    assert lessons.note_on_run(notebook) == "", "nothing of a stored lesson"


# --- start page, glossary ---------------------------------------------------


def test_every_lesson_can_be_listed():
    found = [pages.lesson(path) for path in runner.find_lessons()]
    for one in found:
        assert one.title[:2] == one.page.removeprefix("notebooks/")[:2]
        assert one.minutes.isdigit() and one.exercises >= 3
        assert "\n" not in one.subtitle
    table = pages.lessons_table(found)
    assert table.count("\n") == len(found) + 1
    assert pages.run_table(found) == "", "nothing was run here"


def test_a_lesson_that_was_run_is_listed_with_its_claims(run_here, tmp_path):
    nbformat.write(run_here, tmp_path / "99_toy.ipynb")
    stored = build.REPOSITORY / "tests" / "fixtures" / "99_toy.ipynb"
    one = pages.lesson(stored, tmp_path / "99_toy.ipynb")
    assert (
        "(notebooks/99_toy.ipynb) | 1.5 | 2 of 2, then an error |"
        in pages.run_table([one])
    )


def test_a_lesson_without_its_opening_is_refused(tmp_path):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_markdown_cell("# 12 · No table")]
    nbformat.write(notebook, tmp_path / "12_bad.ipynb")
    with pytest.raises(CourseError, match="12_bad.ipynb does not begin"):
        pages.lesson(tmp_path / "12_bad.ipynb")


def test_a_mark_without_its_part_is_refused():
    assert pages.fill("a <!-- made: b --> c", {"b": "B"}) == "a B c"
    for template, made in (("<!-- made: b -->", {}), ("nothing", {"b": "B"})):
        with pytest.raises(CourseError, match="differ in: b"):
            pages.fill(template, made)


def test_words_and_symbols_are_those_of_lesson_00():
    page = pages.look_up_page(runner.NOTEBOOKS)
    lesson = nbformat.read(runner.find_lessons("00")[0], as_version=4)
    tables = "\n".join(
        cell.source
        for cell in lesson.cells
        if cell.id in ("symbols", "symbols-training", "glossary")
    )
    rows = [line for line in tables.splitlines() if line.startswith("| ")]
    for row in rows:
        first = row.removeprefix("| ").partition(" | ")[0]
        assert f"{first}\n" in page or row in page or first == "English", first
    assert "<details>" not in page


# --- what was found ---------------------------------------------------------

JUDGED = pd.DataFrame(
    [
        ("It helps", "v1", "facts", "LSTM against bare", 0.2, "better", True),
        ("It helps", "v1", "reviews", "LSTM against bare", -0.01, "undecided", True),
        ("Words help", "v2", "facts", "words against bare", 0.0, "equivalent", False),
    ],
    columns=[
        "claim",
        "source",
        "task",
        "contrast",
        "difference",
        "verdict",
        "planned",
    ],
).assign(
    low=lambda f: f["difference"] - 0.04,
    high=lambda f: f["difference"] + 0.04,
    low90=lambda f: f["difference"] - 0.03,
    high90=lambda f: f["difference"] + 0.03,
)


def test_the_table_has_a_line_a_claim_and_a_column_a_task():
    head, _, helps, words = findings.table(JUDGED).splitlines()
    assert head == "| what is said, and by whom | facts | reviews |"
    assert "**better**<br>+0.200 [+0.160,&nbsp;+0.240] | **undecided**<br>" in helps
    assert r"**equivalent** \*<br>" in words and words.endswith("|  |")


def test_the_pictures_text_counts_the_verdicts(tmp_path):
    drawn = findings.draw(JUDGED, tmp_path)
    assert (tmp_path / findings.PICTURE).stat().st_size > 1000
    assert "of 2 comparisons, on facts: 1 better, 1 equivalent" in drawn
    assert "on reviews: 1 undecided; the largest is -0.010" in drawn


def test_the_rule_is_told_with_its_own_numbers():
    told = findings.how_to_read(JUDGED)
    assert "at least 0.05" in told and "90 % interval" in told and "A star" in told
    assert "A star" not in findings.how_to_read(JUDGED[JUDGED["planned"]])


# --- address and buttons ----------------------------------------------------


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.delenv("PTLEARN_REPOSITORY", raising=False)
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "x"\n')
    return path


def test_without_an_address_there_are_no_buttons(project, monkeypatch):
    assert address.repository(project) is None
    monkeypatch.setattr(address, "repository", lambda: None)
    assert "launch_buttons" not in address.theme_options()
    assert address.notebook_button("notebooks/00.ipynb") is None


def test_the_address_comes_from_the_project_or_the_environment(project, monkeypatch):
    project.write_text(
        '[project]\nname = "x"\n[project.urls]\nRepository = "https://github.com/a/b"\n'
    )
    assert address.repository(project) == "https://github.com/a/b"
    monkeypatch.setenv("PTLEARN_REPOSITORY", "https://gitlab.com/c/d")
    assert address.repository(project) == "https://gitlab.com/c/d"


@pytest.mark.parametrize("bad", ["github.com/a/b", "https://github.com/a", "x"])
def test_what_is_no_address_is_refused(bad, project, monkeypatch):
    monkeypatch.setenv("PTLEARN_REPOSITORY", bad)
    with pytest.raises(CourseError, match="https://HOST/OWNER/NAME"):
        address.repository(project)


def test_buttons_lead_to_the_address(monkeypatch):
    monkeypatch.setenv("PTLEARN_REPOSITORY", "https://github.com/a/b")
    options = address.theme_options()
    assert options["repository_url"] == "https://github.com/a/b"
    assert "binderhub_url" in options["launch_buttons"]
    url = address.notebook_button("notebooks/00.ipynb")["url"]
    assert url == "https://github.com/a/b/raw/main/notebooks/00.ipynb"


# --- what pages need --------------------------------------------------------


def test_the_typesetter_is_the_right_file(monkeypatch):
    assert formulas.typesetter().name == "tex-svg.js"
    monkeypatch.setattr(formulas, "SHA256", "0" * 64)
    with pytest.raises(CourseError, match="checksum of .*tex-svg.js is wrong"):
        formulas.typesetter()


@pytest.mark.parametrize(
    ("package", "words"), [("no-such-package", "need no-such"), ("numpy", "no file")]
)
def test_a_missing_typesetter_is_told(package, words):
    with pytest.raises(CourseError, match=words):
        formulas.typesetter(package)


def test_what_is_missing_is_told_with_the_remedy(monkeypatch):
    assert build.missing_packages() == ""
    monkeypatch.setattr(build, "PACKAGES", ("sphinx", "no_such_package"))
    said = build.missing_packages()
    assert "need no_such_package." in said and "'.[docs]'" in said
    with pytest.raises(CourseError, match="no_such_package"):
        build.build_site()


def test_without_a_clone_there_is_nothing_to_build(tmp_path):
    with pytest.raises(CourseError, match="clone"):
        build.build_site(tmp_path / "site", notebooks=tmp_path)
    assert list(tmp_path.iterdir()) == [], "nothing half-made is left"


# --- reference --------------------------------------------------------------


def test_every_public_name_has_a_place():
    import ptlearn

    at_home = {}
    text = "".join(ref.page(name, at_home) for name in ref.packages())
    for name in dir(ptlearn):
        value = getattr(ptlearn, name)
        if name.startswith("_") or f"ptlearn.{name}" in ref.packages():
            continue
        assert f":: ptlearn.{name}\n" in text, name
        assert id(value) in at_home
    for name in ("studies.verdicts", "plots.wording_bars", "course.claims.check"):
        assert f".. autofunction:: ptlearn.{name}\n" in text
    assert "_defined" not in text and "ex00_1" not in text


def test_a_name_is_described_once():
    at_home = {}
    text = "".join(ref.page(name, at_home) for name in ("ptlearn", "ptlearn.tasks"))
    assert text.count("autoclass:: ptlearn.Task\n") == 1
    assert "``Task`` is :py:obj:`ptlearn.Task`." in text
