"""The relatives as ``fit`` takes them: prefix, LoRA, everything."""

import peft
import pytest
import torch

import ptlearn as pt
from ptlearn.errors import ModelError, StudyError
from ptlearn.forward.plan import ForwardPlan
from ptlearn.prompts.initializers import initial_table
from ptlearn.relatives.methods import (
    full_tuner,
    lora_tuner,
    make_tuner,
    prefix_tuner,
)
from ptlearn.relatives.trial import SETTINGS

pytestmark = pytest.mark.slow

WORDING = "City: {subject}\nCountry: {answer}"
ROWS = [
    {"subject": "Osaka", "answer": "Japan"},
    {"subject": "New York City", "answer": "United States"},
    {"subject": "Homyel", "answer": "Belarus"},
]
TASK = pt.Task.from_rows(ROWS, dev=ROWS, answers=[row["answer"] for row in ROWS])


def fresh(dtype="float64"):
    return pt.load_lm("tiny", dtype=dtype, device="cpu")


def test_a_prefix_starts_as_the_virtual_tokens_that_it_is_made_of():
    lm = fresh()
    table = initial_table("normal", lm, 5, seed=3)
    prompt = pt.Prompt(lm, f"[V:5]{WORDING}", table)
    found = prefix_tuner(lm, WORDING, 5, seed=3).fold().answer_log_probs(ROWS)
    assert found.tolist() == pytest.approx(prompt.answer_log_probs(ROWS).tolist())


def test_a_prefix_answers_as_pefts_own_forward_does():
    tuner = prefix_tuner(fresh(), WORDING, 4)
    example = tuner.tokens.encode(ROWS[0])
    with torch.no_grad():
        logits = tuner.lm.model.adapted(input_ids=torch.tensor([example.ids])).logits
    want = logits[0, example.first_target].log_softmax(-1)[example.targets[0]]
    assert tuner.fold().answer_log_probs(ROWS[:1]).item() == pytest.approx(want.item())


def test_batch_mates_and_kept_keys_change_nothing_behind_a_prefix():
    prompt = prefix_tuner(fresh(), WORDING, 4).fold()
    assert prompt._plan.fast
    together = prompt.answer_log_probs(ROWS)
    alone = torch.cat([prompt.answer_log_probs([row]) for row in ROWS])
    prompt._plan = ForwardPlan(prompt.lm, prompt.template, fast=False)
    plain = prompt.answer_log_probs(ROWS)
    for found in (alone, plain):
        assert found.tolist() == pytest.approx(together.tolist(), abs=1e-6)
    answers = TASK.answers
    best = [
        max(
            answers,
            key=lambda a, row=row: prompt.answer_log_probs([row | {"answer": a}]),
        )
        for row in ROWS
    ]
    assert prompt.predict(ROWS, answers) == best


@pytest.mark.parametrize("method", ["prefix tuning", "LoRA", "full fine-tuning"])
def test_fit_trains_it_and_nothing_else(method):
    lm, before = fresh("float32"), fresh("float32").model.state_dict()
    tuner = make_tuner(method, lm, SETTINGS["city_country"], seed=1)
    start = -tuner.fold().answer_log_probs(ROWS).mean().item()
    settings = {"steps": 8, "metric": "loss", "evaluate_every": 4, "progress": False}
    lr = 0.2 if method == "prefix tuning" else 0.01
    pt.fit(tuner, TASK, lr=lr, **settings)
    assert -tuner.fold().answer_log_probs(ROWS).mean().item() < start - 0.1
    after = {
        name.replace(".base_layer", ""): weight
        for name, weight in lm.model.state_dict().items()
        if "lora_" not in name
    }
    same = all(torch.equal(weight, before[name]) for name, weight in after.items())
    assert after.keys() == before.keys()
    assert same == (method != "full fine-tuning")


def test_a_wording_is_scored_by_the_same_code_as_any_prompt():
    lm = fresh()
    before = pt.Prompt(lm, WORDING).answer_log_probs(ROWS)
    tuner = lora_tuner(lm, WORDING, seed=0)
    # LoRA's product is zero at the start.
    assert torch.equal(tuner.fold().answer_log_probs(ROWS), before)
    report = pt.evaluate(tuner.fold(), TASK, split="dev", progress=False)
    assert report.n == len(ROWS)


def test_counts_are_those_of_the_formulas():
    lm = fresh()
    config, d = lm.model.config, lm.token_dim
    layers = config.num_hidden_layers
    kv = d * config.num_key_value_heads // config.num_attention_heads
    assert prefix_tuner(lm, WORDING, 3).num_trainable() == 3 * layers * 2 * kv
    assert full_tuner(lm, WORDING).num_trainable() == lm.num_parameters()
    count = lora_tuner(lm, WORDING, r=2).num_trainable()
    assert count == layers * 2 * ((d + d) + (d + kv))


def test_what_is_saved_of_lora_is_what_peft_loads(tmp_path):
    lm = fresh("float32")
    tuner = lora_tuner(lm, WORDING, seed=0)
    with torch.no_grad():
        for weight in tuner.encoder:
            weight.normal_(std=0.1)
    want = tuner.fold().answer_log_probs(ROWS)
    tuner.save(tmp_path)
    other = fresh("float32")
    peft.PeftModel.from_pretrained(other.model, tmp_path)
    found = pt.Prompt(other, WORDING).answer_log_probs(ROWS)
    assert found.tolist() == pytest.approx(want.tolist(), abs=1e-4)


def test_a_method_without_steps_has_no_tuner():
    with pytest.raises(StudyError, match="no gradient steps train 'linear probe'"):
        make_tuner("linear probe", fresh(), SETTINGS["city_country"])


@pytest.mark.filterwarnings("ignore:no bfloat16 instructions")
@pytest.mark.parametrize("make", [lora_tuner, full_tuner])
def test_weights_in_bfloat16_are_too_coarse_to_be_trained(make):
    with pytest.raises(ModelError, match="bfloat16: too coarse for small steps"):
        make(fresh("bfloat16"), WORDING)
