"""The teacher's kit: its pages, questions, plans and projects."""

import os
import re
import subprocess
import sys
from collections import Counter

import pytest

import kit_rules
from ptlearn.course import runner
from ptlearn.course.teaching import notebooks, pages, plans, questions
from ptlearn.errors import CourseError
from ptlearn.files import REPOSITORY

CLASS = REPOSITORY / "class"
LESSONS = [path.stem[:2] for path in runner.find_lessons()]
BANK = questions.read_bank()
PLANS = plans.read_plans()
PROJECTS = sorted((CLASS / "projects").glob("*.md"))


def page(lesson: str) -> str:
    return (CLASS / "lessons" / f"{lesson}.md").read_text("utf-8")


# --- the pages of the lessons -----------------------------------------------


def test_every_lesson_has_its_page_and_no_page_is_left_over():
    assert [p.stem for p in sorted((CLASS / "lessons").glob("*.md"))] == LESSONS


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_page_says_what_a_teacher_needs(lesson):
    assert kit_rules.missing_parts(page(lesson)) == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_result_is_typed_in_a_page(lesson):
    assert kit_rules.typed_numbers(page(lesson)) == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_page_names_only_exercises_that_are_there(lesson):
    assert kit_rules.unknown_exercises(page(lesson)) == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_page_is_filled_from_its_lesson(lesson):
    notebook, path = notebooks.read(lesson)
    filled = pages.lesson_page(page(lesson), notebook, path.name)
    title, _, table, objectives = notebooks.opening(notebook)
    assert f"[{title}](../../notebooks/{path.name})" in filled
    assert table.splitlines()[2].split("|")[1] in filled and objectives in filled
    for one in notebooks.exercises(notebook):
        assert f"| {one.number} · {one.title} |" in filled
    assert "<!--" not in filled


@pytest.mark.parametrize(
    "typed",
    ["it scores 0.34", "a loss of .9", "29 % of them", "1,348 times", "134515008"],
)
def test_a_typed_result_is_noticed(typed):
    assert kit_rules.typed_numbers(f"Exercise 01.3. See {typed}, at 95 %.")


def test_what_is_no_result_may_be_typed():
    text = "Exercise 04.2 with 8 demonstrations, `0.03`, the 95 % interval, lesson 07."
    assert kit_rules.typed_numbers(text) == []


def test_a_poor_page_is_noticed():
    poor = page("04").replace("## On the board", "## Board")
    assert "On the board" in kit_rules.missing_parts(poor)
    silent = page("04").replace(
        "<summary>A good answer</summary>", "<summary>?</summary>"
    )
    assert "three questions, each with its answer" in kit_rules.missing_parts(silent)
    assert kit_rules.unknown_exercises("Exercise 04.9") == ["04.9"]


def test_a_mark_that_nobody_fills_is_refused():
    notebook, path = notebooks.read("00")
    with pytest.raises(CourseError, match="differ in: weather"):
        pages.lesson_page(page("00") + "<!-- made: weather -->", notebook, path.name)


# --- what is read from a lesson ---------------------------------------------


@pytest.mark.parametrize(
    ("written", "minutes"),
    [
        ("75 minutes", 75),
        ("3 hours, in two sittings", 180),
        ("2 hours 20 minutes", 140),
        ("105 minutes, and 35 for “Going further”", 105),
        ("1 hour", 60),
    ],
)
def test_a_study_time_is_read(written, minutes):
    notebook, _ = notebooks.read("00")
    first = notebook.cells[0]
    first.source = first.source.replace("75 minutes", written)
    assert notebooks.study_minutes(notebook) == minutes


def test_a_study_time_without_a_number_is_refused():
    notebook, _ = notebooks.read("00")
    notebook.cells[0].source = notebook.cells[0].source.replace("75 minutes", "a while")
    with pytest.raises(CourseError, match="'a while'"):
        notebooks.study_minutes(notebook)


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_exercise_of_a_lesson_is_read(lesson):
    notebook, _ = notebooks.read(lesson)
    stubs = [c for c in notebook.cells if "exercise" in c.metadata.get("tags", [])]
    found = notebooks.exercises(notebook)
    assert [one.number for one in found] == list(range(1, len(stubs) + 1))
    assert all(0 < one.minutes < 60 and one.level in notebooks.LEVELS for one in found)
    assert sum(one.minutes for one in found) < notebooks.study_minutes(notebook)


# --- questions --------------------------------------------------------------


def test_there_are_forty_questions_across_all_lessons():
    assert len(BANK) == 40 == len({one.id for one in BANK})
    assert [one.lesson for one in BANK] == sorted(one.lesson for one in BANK)
    assert set(LESSONS) == {one.lesson for one in BANK}
    assert min(Counter(one.lesson for one in BANK).values()) >= 3
    assert "40 questions" in (CLASS / "README.md").read_text("utf-8")


@pytest.mark.parametrize("one", BANK, ids=lambda one: one.id)
def test_a_question_has_one_right_answer_and_each_wrong_one_its_mistake(one):
    right = [option for option in one.options if not option.reveals]
    assert len(right) == (0 if one.is_open else 1)
    assert len(one.options) - len(right) >= 2
    assert len({option.says for option in one.options}) == len(one.options)
    assert len(one.answer.split()) >= 10
    assert all(
        len(option.reveals.split()) >= 4 for option in one.options if option.reveals
    )


@pytest.mark.parametrize("one", BANK, ids=lambda one: one.id)
def test_no_question_repeats_a_result_of_its_lesson(one):
    notebook, _ = notebooks.read(one.lesson)
    text = " ".join(
        [one.ask, one.answer, *(f"{o.says} {o.reveals}" for o in one.options)]
    )
    assert kit_rules.results_in(text, notebook) == []


def test_a_repeated_result_is_noticed():
    notebook, _ = notebooks.read("00")
    (seen,) = notebooks.shown.predictions(notebook)[1:2]
    assert kit_rules.results_in(f"a probability of {seen[2]}", notebook) == [seen[2]]


def test_the_place_of_the_right_answer_tells_nothing():
    places = Counter(
        [not option.reveals for option in one.options].index(True)
        for one in BANK
        if not one.is_open
    )
    assert set(places) == {0, 1, 2, 3}
    assert max(places.values()) <= 0.45 * places.total()


def test_the_page_of_questions_folds_every_answer():
    titles = dict.fromkeys(LESSONS, "A lesson")
    text = questions.page(BANK, titles)
    assert text.count("<details>") == text.count("### Question") == len(BANK)
    one = next(one for one in BANK if not one.is_open)
    letter = "ABCD"[[not o.reveals for o in one.options].index(True)]
    part = text[text.index(one.ask.strip()[:30]) :].partition("</details>")[0]
    assert f"**{letter}.** {one.answer.strip()[:30]}" in part.partition("<details>")[2]


def test_a_question_with_a_wrong_field_is_named(tmp_path):
    path = tmp_path / "questions.yml"
    path.write_text("- {id: odd, lesson: '00', ask: a, reply: b, options: []}\n")
    with pytest.raises(CourseError, match=r"questions\.yml, odd: .*reply"):
        questions.read_bank(path)


# --- plans ------------------------------------------------------------------


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_keeps_to_its_time(name):
    for day in PLANS[name]:
        assert 0 < day.minutes("in_class") <= day.at_most, day.name
        assert day.minutes("at_home") <= 240, day.name


def test_the_seven_weeks_hold_every_lesson_and_exercise_once():
    weeks = PLANS["seven weeks"]
    assert len(weeks) == 7
    done = Counter(
        (item.lesson, number)
        for week in weeks
        for item in week.items
        for number in item.exercises
    )
    wanted = {
        (lesson, one.number)
        for lesson in LESSONS
        for one in notebooks.exercises(notebooks.read(lesson)[0])
    }
    assert set(done) == wanted and set(done.values()) == {1}
    minutes = sum(week.minutes("in_class") + week.minutes("at_home") for week in weeks)
    own = sum(item.in_class for week in weeks for item in week.items if not item.lesson)
    studied = sum(notebooks.study_minutes(notebooks.read(one)[0]) for one in LESSONS)
    assert minutes - own == studied


def test_an_exercise_left_out_takes_its_minutes_with_it(tmp_path):
    path = tmp_path / "plans.yml"
    path.write_text(
        "p:\n- {name: D, at most: 9, items: [{class: '04', exercises: [1, 3]}, "
        "{home: '04', exercises: [2, 4], only exercises: true}]}\n"
    )
    ((day,),) = plans.read_plans(path).values()
    notebook, _ = notebooks.read("04")
    whole = notebooks.study_minutes(notebook)
    left = sum(o.minutes for o in notebooks.exercises(notebook) if o.number in (2, 4))
    assert (day.minutes("in_class"), day.minutes("at_home")) == (whole - left, left)
    written = plans.tables([day])
    assert f"| **Together** | **{whole - left}** | **{left}** |" in written
    assert "of its exercises only 04.1, 04.3" in written


def test_a_line_that_nobody_understands_is_refused(tmp_path):
    path = tmp_path / "plans.yml"
    path.write_text("p:\n- {name: D, at most: 9, items: [{nap: 20}]}\n")
    with pytest.raises(CourseError, match="nobody understands"):
        plans.read_plans(path)


# --- projects and README ----------------------------------------------------


def test_there_are_two_projects_with_all_their_parts():
    assert len(PROJECTS) == 2
    for path in PROJECTS:
        text = path.read_text("utf-8")
        for part in ("The task", "The data", "Milestones", "What to hand in"):
            assert f"\n## {part}\n" in text, path.name
        rubric = text.partition("## How it is marked")[2]
        rows = re.findall(r"^\| (?:\*\*.+?\*\*|) \|.*\|$", rubric, re.MULTILINE)
        assert len(rows) >= 5
        assert {row.count(" | ") for row in rows} == {4}, "four levels each"


@pytest.mark.slow
@pytest.mark.parametrize("path", PROJECTS, ids=lambda p: p.stem)
def test_the_beginning_of_a_project_runs(path, tmp_path):
    (code,) = re.findall(r"```python\n(.+?)```", path.read_text("utf-8"), re.DOTALL)
    # Fewer steps than a reader takes: what is tested is that the calls are right.
    code = code.replace("STEPS = 8 ", "STEPS = 2 ")
    (tmp_path / "beginning.py").write_text(code, "utf-8")
    done = subprocess.run(
        [sys.executable, "beginning.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_links_of_the_kit_lead_somewhere():
    for path in CLASS.rglob("*.md"):
        if "assignments" in path.parts:
            continue
        for link in re.findall(r"\]\((?!https:)([^)#]+)\)", path.read_text("utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_the_readme_is_short():
    assert (CLASS / "README.md").read_text("utf-8").count("\n") < 100
