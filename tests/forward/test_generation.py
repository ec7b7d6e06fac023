"""What a causal model writes after a prompt."""

import pytest
import torch
from small_models import causal_lm

import ptlearn as pt
from ptlearn.errors import DataError

ROWS = [{"subject": "Osaka"}, {"subject": "Port Moresby"}, {"subject": "Rio"}]


def test_it_writes_the_most_probable_tokens():
    lm = causal_lm("llama, grouped-query, tied")
    prompt = pt.Prompt(lm, "{subject} is in {answer}")
    wanted = []
    for row in ROWS:
        ids, place = prompt.tokens.prompt_ids(row)
        for _ in range(4):
            with torch.no_grad():
                logits = lm.model(torch.tensor([ids])).logits[0, -1]
            ids = [*ids, logits.argmax().item()]
        text = lm.tokenizer.decode(ids[place:], skip_special_tokens=True)
        wanted.append((text.strip().splitlines() or [""])[0])
    assert prompt.generate(ROWS, max_new_tokens=4, batch_size=2) == wanted
    assert any(wanted)


@pytest.mark.slow
def test_a_prompt_and_its_new_tokens_must_fit_into_the_window():
    lm = pt.load_lm("tiny")
    prompt = pt.PromptTuner(lm, "[V:5] {subject} {answer}").fold()
    row = {"subject": "x" + " x" * (lm.context_window - 16)}
    length = len(prompt.tokens.prompt_ids(row)[0])
    assert len(prompt.generate([row], max_new_tokens=512 - length)) == 1
    message = (
        f"a row is {length} tokens long, with max_new_tokens=600 {length + 600}; tiny "
        "reads at most 512: shorten it or ask for fewer"
    )
    with pytest.raises(DataError, match=message):
        prompt.generate([row, ROWS[0]], max_new_tokens=600)
    with pytest.raises(DataError, match=r" 513; tiny"):
        prompt.generate([ROWS[0], row], max_new_tokens=513 - length)


def test_a_row_that_leaves_nothing_to_read_is_refused():
    prompt = pt.Prompt(pt.load_lm("tiny"), "{subject} {answer}")
    with pytest.raises(DataError, match="nothing stands before the answer.*subject"):
        prompt.generate([{"subject": ""}])


def test_a_missing_column_is_the_same_error_as_elsewhere():
    prompt = pt.Prompt(pt.load_lm("tiny"), "{city} {answer}")
    calls = [prompt.generate, prompt.answer_log_probs]
    calls += [lambda rows: prompt.predict(rows, ["Japan"])]
    for call in calls:
        with pytest.raises(
            DataError, match="needs a column 'city'.*has: subject, answer"
        ):
            call([dict(ROWS[0], answer="Japan")])
