"""Scores and predictions against brute force, and what is refused."""

import copy
import math
import pickle

import pandas as pd
import pytest
import torch
from small_models import causal_lm, masked_lm
from tqdm.auto import tqdm

import ptlearn as pt
from ptlearn.errors import DataError, PromptError
from ptlearn.forward import batches, scoring
from ptlearn.forward.plan import ForwardPlan
from ptlearn.training import run as training_run

ROWS = [
    {"subject": "Osaka", "answer": "Japan"},
    {"subject": "Port Moresby", "answer": "Papua New Guinea"},
    {"subject": "Rio", "answer": "Brazil"},
    {"subject": "Lagos", "answer": "New Guinea"},
]
# Several share a beginning, and most have several tokens.
ANSWERS = ["Japan", "Papua New Guinea", "Papua New", "New Guinea", "Brazil", "Nigeria"]
ANSWERS += ["Guinea", "New Japan", "Papua Brazil", "Brazil New Guinea"]


pytestmark = pytest.mark.filterwarnings("ignore:the answer")


def brute_force(prompted, rows, answers):
    """Every answer of every row by a forward pass of its own."""
    table = [
        prompted.answer_log_probs(
            [dict(row, answer=answer) for answer in answers], batch_size=1
        )
        for row in rows
    ]
    return torch.stack(table)


CAUSAL, MASKED = ["gpt2", "llama, grouped-query, tied"], ["bert", "roberta"]
TEMPLATES = [
    "{subject} is in {answer}",
    "[V:3] {subject} [V:2] {answer}",
    "{subject} [V:2] {answer}",
]


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("name", CAUSAL + MASKED)
@pytest.mark.parametrize("fast", [True, False])
def test_predict_is_the_best_of_all_answers(name, template, fast):
    lm = masked_lm(name) if name in MASKED else causal_lm(name)
    virtual = "[V" in template
    prompted = pt.PromptTuner(lm, template) if virtual else pt.Prompt(lm, template)
    prompted._plan = ForwardPlan(lm, prompted.template, fast=fast)
    wanted = brute_force(prompted, ROWS, ANSWERS)
    scores = scoring.score(prompted, ROWS, ANSWERS, batch_size=3)
    best = wanted.argmax(1).tolist()
    assert scores.predicted == [ANSWERS[i] for i in best]
    assert torch.allclose(torch.tensor(scores.predicted_log_prob), wanted.max(1)[0])
    gold = [wanted[i, ANSWERS.index(row["answer"])] for i, row in enumerate(ROWS)]
    assert torch.allclose(torch.tensor(scores.gold_log_prob), torch.stack(gold))


def greedy_row(prompt, choices):
    """A row whose answer the model itself writes: best tokens, or second best.

    ``choices`` has for each token 0 for the best, 1 for the second best. Not every
    such answer is tokenised as it was written, so subjects are tried in turn.
    """
    for number in range(1000):
        row = {"subject": f"City {number}"}
        ids, place = prompt.tokens.prompt_ids(row)
        for choice in choices:
            with torch.no_grad():
                logits = prompt.lm.model(torch.tensor([ids])).logits[0, -1]
            ids = [*ids, logits.topk(2).indices[choice].item()]
        answer = prompt.lm.tokenizer.decode(ids[place:]).strip()
        if answer and prompt.tokens.answer_ids(answer) == tuple(ids[place:]):
            return dict(row, answer=answer)
    raise AssertionError("no such row")


@pytest.mark.parametrize(
    ("choices", "hit"),
    [([0], True), ([1], False), ([0, 0], True), ([0, 1], False), ([1, 0], False)],
)
def test_p_at_1_is_strict_over_the_whole_vocabulary(choices, hit):
    prompt = pt.Prompt(causal_lm("gpt2"), "{subject} is in {answer}")
    row = greedy_row(prompt, choices)
    assert scoring.score(prompt, [row], [row["answer"]]).hit == [hit]
    assert scoring.score(prompt, [row], ANSWERS).hit == [hit], "needs no candidate"


def test_rows_without_answers_are_predicted_all_the_same():
    prompt = pt.Prompt(pt.load_lm("tiny"), "{subject} is in {answer}")
    bare = [{"subject": row["subject"]} for row in ROWS]
    assert prompt.predict(bare, ANSWERS) == prompt.predict(pd.DataFrame(ROWS), ANSWERS)


@pytest.mark.parametrize("missing", [None, float("nan"), "", " "])
def test_an_absent_answer_has_no_score(missing):
    prompt = pt.Prompt(pt.load_lm("tiny"), "{subject} is in {answer}")
    scores = scoring.score(prompt, [dict(ROWS[0], answer=missing)], ANSWERS)
    assert math.isnan(scores.gold_log_prob[0]) and scores.hit == [False]


@pytest.mark.parametrize("answer", [0, 1, False])
def test_answers_that_are_no_strings_are_written_as_such(answer):
    prompt = pt.Prompt(pt.load_lm("tiny"), "{subject} is {answer}")
    rows = [{"subject": "x", "answer": answer}]
    scores = scoring.score(prompt, rows, [0, 1, False])
    assert scores.predicted[0] in ("0", "1", "False")
    wanted = prompt.answer_log_probs([{"subject": "x", "answer": str(answer)}])
    assert scores.gold_log_prob == pytest.approx(wanted.tolist())
    assert torch.equal(prompt.answer_log_probs(rows), wanted)


def test_an_answer_given_twice_is_one():
    prompt = pt.Prompt(pt.load_lm("tiny"), "{subject} is in {answer}")
    twice = prompt.predict(ROWS, ["Japan", "Brazil", "Japan"])
    assert twice == prompt.predict(ROWS, ["Japan", "Brazil"])


def test_a_row_with_a_long_answer_of_its_own_must_fit_as_well():
    lm = pt.load_lm("tiny")
    prompt = pt.Prompt(lm, "{subject} is in {answer}")
    long = "Papua " * lm.context_window
    with pytest.raises(DataError, match="at most 512"):
        scoring.score(prompt, [dict(ROWS[0], answer=long)], ["Japan"])


def not_a_number(lm):
    """The same model with one weight that is NaN, in its last layer."""
    model = copy.deepcopy(lm.model)
    head = model.get_output_embeddings()
    head.weight = torch.nn.Parameter(head.weight.clone(), requires_grad=False)
    head.weight[7, 0] = torch.nan
    return pt.LanguageModel(model, lm.tokenizer, lm.kind, "broken")


CALLS = {
    "predict": lambda prompt: prompt.predict(ROWS, ANSWERS),
    "answer_log_probs": lambda prompt: prompt.answer_log_probs(ROWS),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("number", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_a_table_that_is_not_finite_is_said_to_be(call, number, name):
    lm = masked_lm(name) if name in MASKED else causal_lm(name)
    table = torch.zeros(2, lm.token_dim)
    table[1, :3] = number
    prompt = pt.Prompt(lm, "{subject} [V:2] {answer}", table)
    message = "row 0 and 3 others .* are NaN or infinite: 3 of the 64 numbers"
    with pytest.raises(PromptError, match=message):
        call(prompt)
    if name == "gpt2":
        with pytest.raises(PromptError, match="3 of the 64 numbers"):
            prompt.generate(ROWS)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_a_model_that_is_not_finite_is_named(call, name):
    lm = not_a_number(masked_lm(name) if name in MASKED else causal_lm(name))
    prompt = pt.Prompt(lm, "{subject} is in {answer}")
    with pytest.raises(PromptError, match="are NaN.*arise in broken.*float64"):
        call(prompt)


def test_one_row_that_is_not_finite_is_counted():
    """A word whose embedding is NaN stands in one row only."""
    lm = causal_lm("llama, multi-head, untied")
    model = copy.deepcopy(lm.model)
    place = lm.tokenizer(" Lagos")["input_ids"][0]
    model.get_input_embeddings().weight[place] = torch.nan
    broken = pt.LanguageModel(model, lm.tokenizer, "causal", "broken")
    prompt = pt.Prompt(broken, "The city {subject} is in {answer}")
    for call in CALLS.values():
        with pytest.raises(PromptError, match=r"logits of row 3 \(counted"):
            call(prompt)


@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_the_device_is_waited_for_once_a_batch_not_once_a_row(name, monkeypatch):
    lm = masked_lm(name) if name in MASKED else causal_lm(name)
    prompt, waits = pt.Prompt(lm, "{subject} is in {answer}"), []
    for how in ("item", "tolist", "__bool__", "__int__", "__float__"):
        original = getattr(torch.Tensor, how)

        def counted(tensor, original=original):
            waits.append(tensor)
            return original(tensor)

        monkeypatch.setattr(torch.Tensor, how, counted)

    def waits_for(rows):
        waits.clear()
        scoring.score(prompt, rows, ANSWERS, batch_size=len(rows), progress=False)
        return len(waits)

    assert waits_for([ROWS[1]] * 2) == waits_for([ROWS[1]] * 9) > 0


@pytest.mark.parametrize(
    "again", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy]
)
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.slow
def test_prompts_and_tuners_go_to_other_processes(again, trained):
    tuner = pt.PromptTuner(
        pt.load_lm("tiny"),
        '{subject} [V:"is in"] [V] {answer}',
        encoder="residual-lstm",
    )
    if trained:
        rows = [{"subject": row["subject"], "answer": row["answer"]} for row in ROWS]
        task = pt.Task.from_rows(rows, dev=rows)
        pt.fit(tuner, task, steps=1, progress=False)
    for prompted in (tuner, tuner.fold()):
        wanted = prompted.answer_log_probs(ROWS)
        copied = again(prompted)
        assert torch.equal(copied.answer_log_probs(ROWS), wanted)
        assert repr(copied) == repr(prompted)
        assert copied.answers == prompted.answers
    assert again(tuner).fold().predict(ROWS, ANSWERS) == tuner.fold().predict(
        ROWS, ANSWERS
    )


@pytest.mark.parametrize(("silenced", "disable"), [("1", True), ("0", None)])
def test_the_environment_can_hide_progress_bars(silenced, disable, monkeypatch):
    """In a notebook as well, where tqdm does not look at the variable by itself."""
    asked = []

    def recorded(*args, disable, **options):
        asked.append(disable)
        return tqdm(*args, **options, disable=True)

    for module in (batches, training_run):
        monkeypatch.setattr(module, "tqdm", recorded)
    monkeypatch.setenv("TQDM_DISABLE", silenced)
    tuner = pt.PromptTuner(pt.load_lm("tiny"), "[V] {subject} {answer}")
    task = pt.Task.from_rows(ROWS, test=ROWS)
    pt.evaluate(tuner, task, progress=True)
    pt.fit(tuner, task, steps=1, progress=True)
    assert asked == [disable] * 2


def test_an_answer_that_begins_another_is_warned_of():
    prompt = pt.Prompt(pt.load_lm("tiny"), "{subject} is in {answer}")
    with pytest.warns(
        UserWarning, match="'Papua New' is the beginning of 'Papua New G"
    ):
        prompt.predict(ROWS, ["Papua New", "Papua New Guinea"])


@pytest.mark.parametrize("kind", ["causal", "masked"])
@pytest.mark.parametrize(
    "text", ["[V:2] {subject} [V:2] {answer}", "{subject} {answer}"]
)
def test_own_answers_score_as_they_do_among_others(kind, text):
    """The quick way of the dev rows, held to the way that looks at all answers."""
    if kind == "causal":
        lm, rows, answers = causal_lm("llama, grouped-query, tied"), ROWS, ANSWERS
    else:
        lm, rows, answers = masked_lm(MASKED[0]), ROWS, ANSWERS
    table = None
    if "V" in text:
        table = pt.PromptTuner(lm, text, seed=2).prompt_embeddings().detach()
    prompt = pt.Prompt(lm, pt.Template(text), table)
    among = scoring.score(prompt, rows, answers, progress=False)
    examples = [prompt.tokens.encode(row) for row in rows]
    for batch_size in (1, 2, 16):
        own = scoring.score_own(prompt, examples, batch_size=batch_size)
        assert own.log_probs.tolist() == pytest.approx(among.gold_log_prob, abs=1e-5)
        assert own.hits == among.hit


@pytest.mark.slow
def test_many_long_answers_among_each_other_score_as_each_does_alone():
    words = ["Papua", "New", "Guinea", "Brazil"]
    answers = [f"{a} {b} {c}" for a in words for b in words for c in words]
    rows = [{"subject": f"City {i}", "answer": a} for i, a in enumerate(answers)]
    prompt = pt.Prompt(causal_lm("gpt2"), "{subject} is in {answer}")
    among = scoring.score(prompt, rows, answers, progress=False)
    alone = prompt.answer_log_probs(rows).tolist()
    assert among.gold_log_prob == pytest.approx(alone, abs=1e-4)


def test_a_row_whose_every_token_is_the_most_probable_is_a_hit():
    lm = causal_lm("llama, grouped-query, tied")
    prompt = pt.Prompt(lm, pt.Template("{subject} is in {answer}"))
    best = prompt.generate([{"subject": "Osaka"}], max_new_tokens=1)[0]
    rows = [{"subject": "Osaka", "answer": best.strip() or best}]
    example = prompt.tokens.encode(rows[0])
    wanted = prompt.answer_logits(rows).argmax(dim=1).tolist() == list(example.targets)
    other = prompt.tokens.encode({"subject": "Osaka", "answer": "Papua New Guinea"})
    assert scoring.score_own(prompt, [example, other]).hits == [wanted, False]
