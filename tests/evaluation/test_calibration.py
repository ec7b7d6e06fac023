"""Calibration: the numbers by hand, what each method takes off, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from small_models import causal_lm, masked_lm

import ptlearn as pt
from ptlearn.errors import DataError, PromptError
from ptlearn.evaluation import answer_table, calibrate, content_free_bias

ROWS = [
    {"subject": "Osaka", "answer": "Japan"},
    {"subject": "Lagos", "answer": "Nigeria"},
    {"subject": "Port Moresby", "answer": "Papua New Guinea"},
]
ANSWERS = ["Japan", "Nigeria", "Papua New Guinea"]


@pytest.fixture(scope="module")
def prompt():
    return pt.Prompt(causal_lm("gpt2"), "City: {subject} Country: {answer}")


def test_the_best_of_the_table_is_what_predict_gives(prompt):
    table = answer_table(prompt, ROWS, ANSWERS)
    assert table.columns.tolist() == ANSWERS
    assert table.idxmax(axis=1).tolist() == prompt.predict(ROWS, ANSWERS)


def test_the_bias_is_the_mean_probability_over_content_free_inputs(prompt):
    inputs = ["N/A", "", "[MASK]"]
    probabilities = np.zeros(3)
    for text in inputs:
        rows = [{"subject": text, "answer": answer} for answer in ANSWERS]
        each = prompt.answer_log_probs(rows).exp().numpy()
        probabilities += each / each.sum() / len(inputs)
    bias = content_free_bias(prompt, ANSWERS)
    assert np.exp(bias).tolist() == pytest.approx(probabilities.tolist())
    assert bias.index.tolist() == ANSWERS


def test_contextual_calibration_leaves_nothing_of_a_row_without_content(prompt):
    table = answer_table(prompt, [{"subject": "N/A"}], ANSWERS)
    bias = content_free_bias(prompt, ANSWERS, ["N/A"])
    left = (table - bias).loc[0]
    assert left.tolist() == pytest.approx([left["Japan"]] * 3)


def test_pmi_takes_off_what_the_words_of_the_prompt_give(prompt):
    table = answer_table(prompt, ROWS, ANSWERS)
    alone = [{"subject": "", "answer": answer} for answer in ANSWERS]
    wanted = table - prompt.answer_log_probs(alone).tolist()
    pd.testing.assert_frame_equal(calibrate(table, prompt, "pmi"), wanted)


def test_length_divides_by_the_number_of_tokens(prompt):
    table = answer_table(prompt, ROWS, ANSWERS)
    sizes = [len(prompt.tokens.answer_ids(answer)) for answer in ANSWERS]
    assert sizes[2] > sizes[0]
    pd.testing.assert_frame_equal(calibrate(table, prompt, "length"), table / sizes)


@pytest.mark.parametrize("method", ["contextual", "pmi", "length"])
def test_evaluate_predicts_with_the_calibrated_numbers(prompt, method):
    task = pt.Task.from_rows(ROWS, test=ROWS)
    plain = pt.evaluate(prompt, task, progress=False)
    report = pt.evaluate(prompt, task, calibration=method, progress=False)
    table = answer_table(prompt, ROWS, task.answers)
    wanted = calibrate(table, prompt, method).idxmax(axis=1)
    assert report.rows["predicted"].tolist() == wanted.tolist()
    right = report.rows["predicted"] == report.rows["answer"]
    assert report.accuracy == right.mean()
    same = ["hit", "log_prob"]
    pd.testing.assert_frame_equal(report.rows[same], plain.rows[same])


def test_what_the_prompt_says_of_nothing_is_taken_off():
    """Rows that speak weakly for their answers, under a bias that drowns them."""
    prompt = pt.Prompt(causal_lm("gpt2"), "City: {subject} Country: {answer}")
    bias = content_free_bias(prompt, ANSWERS)
    first, second, *_ = bias.sort_values(ascending=False)
    table = bias + (first - second) / 2 * pd.DataFrame(np.eye(3), columns=ANSWERS)
    assert table.idxmax(axis=1).tolist() == [bias.idxmax()] * 3
    assert calibrate(table, prompt).idxmax(axis=1).tolist() == ANSWERS


def test_a_masked_model_is_calibrated_too():
    prompt = pt.Prompt(masked_lm("bert"), "{answer} is the country of {subject}")
    bias = content_free_bias(prompt, ANSWERS)
    assert np.exp(bias).sum() == pytest.approx(1.0)


def test_an_input_that_leaves_nothing_to_read_is_passed_over():
    prompt = pt.Prompt(causal_lm("gpt2"), "{subject} {answer}")
    bias = content_free_bias(prompt, ANSWERS, ["", "N/A"])
    assert bias.equals(content_free_bias(prompt, ANSWERS, ["N/A"]))
    table = answer_table(prompt, ROWS, ANSWERS)
    with pytest.raises(PromptError, match=r"\[''\] leave nothing to read in .*subject"):
        calibrate(table, prompt, "pmi")


def test_wrong_choices_are_told(prompt):
    table = answer_table(prompt, ROWS, ANSWERS)
    with pytest.raises(DataError, match="no calibration is called 'zhao': take con"):
        calibrate(table, prompt, "zhao")
    task = pt.Task.from_rows(ROWS, test=ROWS)
    with pytest.raises(DataError, match="no calibration is called 'zhao'"):
        pt.evaluate(prompt, task, calibration="zhao")
    with pytest.raises(PromptError, match="inputs='N/A' is one text"):
        content_free_bias(prompt, ANSWERS, "N/A")
