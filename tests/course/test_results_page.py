"""The page of results says what the stored rows say, and nothing else."""

import json
import shutil

import pytest

from ptlearn.course.results_page import (
    BEGIN,
    END,
    all_experiments,
    put_into,
    results_page,
)
from ptlearn.errors import StudyError
from ptlearn.mechanisms import (
    barrier_summary,
    experiment_results,
    mechanism_summary,
)
from ptlearn.studies import load_study, reliability, verdicts
from ptlearn.studies.settling import settling_results
from ptlearn.studies.staged import is_complete
from ptlearn.studies.store import stored_folder

pytestmark = pytest.mark.slow

PAGE = stored_folder() / "README.md"


@pytest.fixture(scope="module")
def page():
    return results_page(stored_folder())


def section(page: str, name: str) -> str:
    """The part of a study, up to the next heading."""
    return page.partition(f"`{name}`: ")[2].partition("\n## ")[0]


def test_the_stored_page_is_what_the_rows_give(page):
    made = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert made.strip() == page.strip(), "run: ptlearn study report"


def test_every_question_stands_on_the_page(page):
    for study, _ in settling_results(stored_folder()):
        assert f"## {study.question}" in page and f"`{study.name}`: " in page
    for experiment, _, _ in all_experiments(stored_folder()):
        assert f"### {experiment.question}" in page


def test_every_figure_on_the_page_is_there_and_no_other(page):
    linked = {part.partition(")")[0] for part in page.split("](")[1:]}
    there = {f"figures/{path.name}" for path in (PAGE.parent / "figures").iterdir()}
    assert linked == there


def test_a_study_is_complete_only_with_all_its_confirming_runs(page):
    complete = {
        study.name: is_complete(study, frame)
        for study, frame in settling_results(stored_folder())
    }
    assert complete["facts"] and complete["reviews"]
    for name, done in complete.items():
        assert ("| verdict" in section(page, name)) == done


def test_no_verdict_where_a_row_is_missing(tmp_path):
    """The bad fixture: one confirming run taken away."""
    shutil.copytree(stored_folder() / "plans", tmp_path / "plans")
    (tmp_path / "why").mkdir()
    lines = (stored_folder() / "reviews.jsonl").read_text().splitlines(keepends=True)
    cut = next(n for n, line in enumerate(lines) if json.loads(line)["plan"])
    (tmp_path / "reviews.jsonl").write_text("".join(lines[:cut] + lines[cut + 1 :]))
    part = section(results_page(tmp_path), "reviews")
    assert "No verdict before all of them are." in part
    assert "| verdict" not in part and "figures/" not in part


def test_what_the_page_says_in_words_is_what_the_rows_say():
    """The sentences above the made part; the numbers below it are made."""
    frames = {study.name: frame for study, frame in settling_results(stored_folder())}
    facts, reviews = frames["facts"], frames["reviews"]
    study = load_study("facts")
    found = verdicts(facts, study.contrasts, study.rule)["verdict"]
    encoders = [name for name in found.index if "LSTM" in name or "MLP" in name]
    assert len(encoders) == 4 and set(found[encoders]) == {"equivalent"}
    assert (reliability(facts, "best wording")["below"] == 0).all()
    # No remedy where there are few rows: runs of every arm end below, two or more.
    few = reliability(reviews, "best wording")["below"]
    assert (few[["bare", "LSTM", "MLP", "residual MLP"]] >= 2).all()
    # Random starts end in optima of their own, which are not poorer.
    hills = barrier_summary(experiment_results("surface"))
    assert hills.loc["bare, two seeds", "lowest"] > 0.5
    assert hills.loc["bare, words, two seeds", "highest"] < 0.5
    # A bare table at the encoder's rate hardly moves.
    trained = mechanism_summary(experiment_results("step_or_direction"))["dev_loss"]
    assert trained["bare from MLP's output, MLP's rate"] > 3 * trained["bare, Adam"]


def test_only_what_stands_between_the_marks_is_replaced(tmp_path):
    page = tmp_path / "README.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put_into(page, "new")
    assert page.read_text() == f"before\n{BEGIN}\n\nnew\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(StudyError, match="lacks the line"):
        put_into(page, "new")
    assert page.read_text() == "no marks"
