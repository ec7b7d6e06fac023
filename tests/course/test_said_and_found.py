"""What is said beside what was found: every verdict comes from the rows by the rule."""

import pandas as pd
import pytest

from ptlearn.course import said_and_found
from ptlearn.course.said_and_found import NOT_RUN, SAID, Said, markdown
from ptlearn.studies import load_study, results, verdicts
from ptlearn.studies.settling import settling_results, settling_studies
from ptlearn.studies.store import stored_folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def judged():
    return said_and_found.table()


@pytest.fixture(scope="module")
def stored():
    return {study.name: (study, f) for study, f in settling_results(stored_folder())}


def from_rows(monkeypatch, *studies):
    """The table, made of these studies and their rows alone."""
    monkeypatch.setattr(said_and_found, "settling_results", lambda folder: studies)
    return said_and_found.table()


def line(table: pd.DataFrame, contrast: str) -> pd.Series:
    (found,) = table[table["contrast"] == contrast].to_dict("records")
    return found


def test_planned_verdicts_are_those_of_the_study(judged):
    for name in ("facts", "reviews"):
        study = load_study(name)
        found = verdicts(results(study), study.contrasts, study.rule)
        here = judged[(judged["study"] == name) & judged["planned"]]
        here = here.set_index("contrast")
        assert len(here) == len(study.contrasts), "every planned one is told"
        for column in ("difference", "low", "high", "runs", "verdict"):
            assert here[column].tolist() == found.loc[here.index, column].tolist()


def test_added_comparisons_are_marked_and_a_family_of_their_own(judged, stored):
    study, rows = stored["facts"]
    added = judged[(judged["study"] == "facts") & ~judged["planned"]]
    pairs = sorted({(s.arm, s.baseline) for s in SAID if s.studies[0] == "facts"})
    pairs = [pair for pair in pairs if pair not in study.contrasts]
    alone = verdicts(rows, pairs, study.rule)
    assert set(added["contrast"]) == set(alone.index)
    for _, one in added.iterrows():
        assert one["verdict"] == alone.loc[one["contrast"], "verdict"]
    text = markdown(judged)
    assert "| LSTM against best wording * |" in text
    assert "| LSTM against bare |" in text


def test_other_rows_give_another_verdict(monkeypatch, stored):
    """The bad fixture: an LSTM that got everything right."""
    study, rows = stored["facts"]
    right = rows.copy()
    lstm = right["arm"] == "LSTM"
    hits = right.loc[lstm, "test_hits"]
    right.loc[lstm, "test_hits"] = [
        "1" * len(hit) if isinstance(hit, str) else hit for hit in hits
    ]
    contrast = "LSTM against bare"
    assert line(from_rows(monkeypatch, (study, rows)), contrast)["verdict"] != "better"
    found = from_rows(monkeypatch, (study, right))
    assert line(found, contrast)["verdict"] == "better"
    assert "**better**" in markdown(found[found["contrast"] == contrast])


def test_no_verdict_where_a_run_is_missing(monkeypatch, stored):
    study, rows = stored["reviews"]
    lost = rows.index[rows["final"] & (rows["arm"] == "mixed")][0]
    found = from_rows(monkeypatch, (study, rows.drop(lost)))
    assert set(found["verdict"]) == {NOT_RUN}
    assert found["difference"].isna().all()


def test_what_is_not_run_has_no_line(judged):
    alone = judged[judged["contrast"] == "LSTM against bare"].copy()
    alone.loc[alone.index[1], "verdict"] = NOT_RUN
    first, second = alone["study"].iloc[:2]
    assert f"{first}: " in markdown(alone) and f"{second}: " not in markdown(alone)
    assert "LSTM" not in markdown(alone.assign(verdict=NOT_RUN))


def test_each_claim_is_asked_somewhere_and_has_one_line(judged):
    assert set(judged["claim"]) == {one.claim for one in SAID}
    answered = judged.loc[judged["verdict"] != NOT_RUN, "claim"].nunique()
    assert len(markdown(judged).splitlines()) == answered + 2
    known = settling_studies()
    for one in SAID:
        assert set(one.studies) <= set(known)


def test_both_intervals_stand_there(judged):
    """Equivalent looks at the 90 % interval, and is not to be judged by the other."""
    ran = judged[judged["verdict"] == "equivalent"]
    assert ((ran["low90"] > -0.05) & (ran["high90"] < 0.05)).all()
    assert markdown(ran).count("90 %: [") == markdown(ran).count("95 %: [") == len(ran)


def test_an_arm_that_no_study_has_gives_no_line(monkeypatch, stored):
    monkeypatch.setattr(said_and_found, "settling_results", lambda _: [stored["facts"]])
    unknown = Said("A GRU helps", "nobody", "GRU", "bare")
    assert said_and_found.table(said=[unknown]).empty


def test_the_third_question_of_lesson_06_is_as_its_answer_says(judged):
    found = judged[judged["contrast"] == "bare against 8 demonstrations"]
    (facts,) = found[found["study"] == "facts"].to_dict("records")
    study, rows = load_study("facts"), results(load_study("facts"))
    (ends,) = verdicts(rows, study.contrasts, study.rule).loc[
        ["bare against 8 demonstrations"], "high90"
    ]
    assert facts["verdict"] == "undecided" and facts["low"] > 0
    assert 0.04 < facts["difference"] < 0.05 < ends
