"""The clinic's patients have the faults that they are said to have."""

import pytest

import ptlearn as pt
from ptlearn.course import clinic


@pytest.fixture(scope="module")
def ward():
    return clinic.admit(pt.load_lm("tiny"), steps=6)


@pytest.fixture(scope="module")
def patients(ward):
    return {patient._diagnosis: patient for patient in ward.values()}


@pytest.mark.slow
def test_there_are_eight_with_a_fault_each(ward, patients):
    assert list(ward) == list("ABCDEFGH")
    assert set(patients) == set(clinic.DIAGNOSES) == set(clinic.LOOK_AT)


def test_another_deal_gives_the_letters_to_others(monkeypatch, ward):
    monkeypatch.setattr(clinic, "_run", lambda lm, task, diagnosis, steps: diagnosis)
    dealt = {letter: patient._diagnosis for letter, patient in ward.items()}
    assert clinic.admit(None) == dealt
    others = [clinic.admit(None, deal=deal) for deal in range(3)]
    assert all(set(other.values()) == set(dealt.values()) for other in others)
    assert len({tuple(other.values()) for other in others}) == 3


def test_a_patient_does_not_tell_its_fault(ward):
    for patient in ward.values():
        assert patient._diagnosis not in repr(patient)
    assert not set(clinic.DIAGNOSES) & set(clinic.chart(ward).to_string().split("  "))


def test_the_symptoms_are_those_of_the_fault(patients):
    norms = {name: patient.gradient_norms for name, patient in patients.items()}
    assert norms["no gradient"] == [0, 0]
    assert norms["loss at the wrong place"][-1] == 0 < norms["rate too cold"][-1]
    dropped = patients["template drops the field"]
    assert len(set(dropped.lengths)) == 1 and len(set(dropped.predicted)) == 1
    strange = patients["label never among the candidates"]
    assert not set(strange.predicted) & set(strange.labels)
    assert max(patients["input cut off"].lengths) < min(16, *[
        max(patients[name].lengths) for name in ("rate too hot", "labels shuffled")
    ])  # fmt: skip
    dev = patients["no gradient"].history.frame["dev_loss"].dropna()
    assert dev.nunique() == 1
    moved = patients["rate too hot"].tuner.prompt_embeddings().abs().max().item()
    assert moved > 20


def test_shuffled_labels_are_the_same_labels_on_other_rows(patients):
    shuffled, sound = (
        patients[name].task.train for name in ("labels shuffled", "rate too hot")
    )
    assert sorted(shuffled["answer"]) == sorted(sound["answer"])
    assert set(shuffled["text"]) == set(sound["text"])
    true = dict(zip(sound["text"], sound["answer"], strict=True))
    told = dict(zip(shuffled["text"], shuffled["answer"], strict=True))
    for label in clinic.LABELS:
        wrong = [told[text] != label for text in true if true[text] == label]
        assert 2 * sum(wrong) == len(wrong)


@pytest.mark.slow
def test_the_doctor_proves_what_must_hold_exactly(ward):
    said = clinic.doctor_says(ward, eight_rows=False).set_index("it has")["about it"]
    for proved in (
        "loss at the wrong place",
        "no gradient",
        "template drops the field",
        "label never among the candidates",
        "rate too cold",
    ):
        assert said[proved] == "FAIL", proved
    assert said["input cut off"] == "LOOK"
    assert said["labels shuffled"] != "FAIL"


def test_the_figure_has_a_line_of_panels_for_each(ward):
    fig = pt.plots.symptoms({letter: ward[letter] for letter in "AB"})
    assert len(fig.axes) == 8
