"""The studies of products in bfloat16: one difference, and rows that say it."""

from dataclasses import asdict, replace

import pytest
import torch
from small_study import BASE

from ptlearn.course.results_page import _precision_part
from ptlearn.lm.load import load_lm
from ptlearn.studies import prepare, verification
from ptlearn.studies.catalogue import load_study
from ptlearn.studies.job import Job
from ptlearn.studies.precision import CONTRAST, precision_studies
from ptlearn.studies.run import run_job

HALF = replace(BASE, dtype="bfloat16", lr=0.1)


def test_the_arms_differ_in_nothing_but_the_type_of_products():
    for name, study in precision_studies().items():
        rounded, exact = load_study(name).arms
        assert (rounded.name, exact.name) == CONTRAST
        assert replace(rounded.job, dtype="float32") == exact.job
        assert rounded.lrs == exact.lrs and len(rounded.lrs) == 1
        assert len(study.seeds) == 5


def test_a_row_in_float32_is_shared_with_the_study_of_the_defaults():
    arm = load_study("precision_nationality").arms[1]
    others = [a.job for a in load_study("defaults_nationality").arms]
    assert arm.job in others


def test_a_job_in_float32_has_the_key_it_had_before_there_was_a_choice():
    assert BASE.key == "51a75f215979ae19"
    assert HALF.key != replace(HALF, dtype="float32").key


@pytest.mark.slow
def test_a_row_says_its_type_and_is_computed_in_it():
    row, exact = run_job(HALF), run_job(replace(HALF, dtype="float32"))
    assert (row["dtype"], exact["dtype"]) == ("bfloat16", "float32")
    assert Job.from_row(row) == HALF
    assert prepare.prepared_lm(HALF).product_dtype == torch.bfloat16
    assert row["losses"] != exact["losses"]
    assert abs(row["losses"][0] - exact["losses"][0]) < 0.02
    old = {name: value for name, value in asdict(HALF).items() if name != "dtype"}
    assert Job.from_row(old).dtype == "float32"


def test_a_processor_with_the_instructions_has_a_name_of_its_own(monkeypatch):
    place = load_lm("tiny").device
    for known in (True, False):
        monkeypatch.setattr(
            prepare, "has_bfloat16_instructions", lambda device, known=known: known
        )
        named = prepare.device_name(HALF).endswith(" BF16")
        assert named == (known and place.type == "cpu")
        assert "BF16" not in prepare.device_name(BASE)


@pytest.mark.slow
def test_a_row_in_bfloat16_is_verified_only_on_a_processor_like_its_own(tmp_path):
    row = run_job(HALF)
    row.pop("table")
    here = verification.verify_row(row, {}, tmp_path)
    assert here.faults == () and "prompt embeddings are not stored" in here.notes[0]
    wrong = row | {"losses": [loss + 1 for loss in row["losses"]]}
    assert verification.verify_row(wrong, {}, tmp_path).faults
    elsewhere = verification.verify_row(wrong | {"device": "abacus"}, {}, tmp_path)
    assert elsewhere.faults == () and "it ran on abacus" in elsewhere.notes[0]


def test_the_page_gives_no_verdict_before_all_runs_are_done(tmp_path):
    part = _precision_part(tmp_path)
    for name, study in precision_studies().items():
        assert f"`{name}`: 0 runs, {study.size()} are not done yet. No verdict" in part
