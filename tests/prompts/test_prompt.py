"""A prompt as it is used and kept: one file, whole or not at all."""

import copy
import json
import pickle

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from small_models import causal_lm, masked_lm

import ptlearn as pt
from ptlearn.errors import DataError, PromptError
from ptlearn.prompts.prompt import saved_lm_name

ROWS = [
    {"subject": "Osaka", "answer": "Japan"},
    {"subject": "Port Moresby", "answer": "Papua New Guinea"},
    {"subject": "Rio", "answer": "Brazil"},
]
ANSWERS = [row["answer"] for row in ROWS]
PAPER = "[V:3] {subject} [V:3] {answer}"


@pytest.fixture(scope="module")
def lm():
    return pt.load_lm("tiny")


@pytest.fixture
def prompt(lm):
    folded = pt.PromptTuner(lm, PAPER, seed=7).fold()
    folded.answers = ANSWERS
    return folded


def write(folder, table, about) -> None:
    """Write a prompt of today's format, with what it says of itself altered."""
    folder.mkdir(exist_ok=True)
    metadata = {"prompt": about if isinstance(about, str) else json.dumps(about)}
    save_file({"prompt_embeddings": table}, folder / "prompt.safetensors", metadata)


def read(folder) -> dict:
    with safe_open(folder / "prompt.safetensors", "pt") as file:
        return json.loads(file.metadata()["prompt"])


def write_two_files(folder, prompt) -> None:
    """Write a prompt as ptlearn did before it was one file."""
    about = {
        "format": 1,
        "template": prompt.template.text,
        "answers": prompt.answers,
        "lm": prompt.lm.name,
        "lm_fingerprint": prompt.lm.embedding_fingerprint,
    }
    folder.mkdir()
    table = {"prompt_embeddings": prompt.prompt_embeddings()}
    save_file(table, folder / "prompt.safetensors")
    (folder / "prompt.json").write_text(json.dumps(about))


def test_table_must_fit_the_template(lm):
    with pytest.raises(PromptError, match=r"\(6, 32\).*not \(0, 32\); train one"):
        pt.Prompt(lm, PAPER)
    with pytest.raises(PromptError, match=r"not \(2, 32\)"):
        pt.Prompt(lm, PAPER, torch.zeros(2, 32))


def test_a_saved_prompt_is_one_file_and_comes_back(lm, prompt, tmp_path):
    prompt.save(tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["prompt.safetensors"]
    loaded = pt.Prompt.load(tmp_path / "mine", lm)
    assert torch.equal(loaded.prompt_embeddings(), prompt.prompt_embeddings())
    assert loaded.predict([{"subject": "Osaka"}]) == prompt.predict(ROWS[:1])
    assert saved_lm_name(tmp_path / "mine") == "tiny"


def test_a_wording_is_saved_without_a_table(lm, tmp_path):
    pt.Prompt(lm, "{subject} is in {answer}", answers=ANSWERS).save(tmp_path)
    loaded = pt.Prompt.load(tmp_path, lm)
    assert loaded.prompt_embeddings() is None and loaded.answers == ANSWERS


def test_a_prompt_of_two_files_still_loads(lm, prompt, tmp_path):
    write_two_files(tmp_path / "old", prompt)
    loaded = pt.Prompt.load(tmp_path / "old", lm)
    assert torch.equal(loaded.prompt_embeddings(), prompt.prompt_embeddings())
    assert saved_lm_name(tmp_path / "old") == "tiny"
    with pytest.raises(PromptError, match="trained on 'tiny', this is 'gpt2'"):
        pt.Prompt.load(tmp_path / "old", causal_lm("gpt2"))


def test_saving_over_two_files_leaves_one(lm, prompt, tmp_path):
    write_two_files(tmp_path / "old", prompt)
    pt.Prompt(lm, "{subject} is in {answer}").save(tmp_path / "old")
    assert [p.name for p in (tmp_path / "old").iterdir()] == ["prompt.safetensors"]
    assert pt.Prompt.load(tmp_path / "old", lm).template.text.startswith("{subject}")


def test_a_save_killed_before_the_old_file_went_loads_the_new_prompt(
    lm, prompt, tmp_path
):
    write_two_files(tmp_path / "old", prompt)
    stale = (tmp_path / "old" / "prompt.json").read_text()
    pt.Prompt(lm, "{subject} is in {answer}").save(tmp_path / "old")
    (tmp_path / "old" / "prompt.json").write_text(stale)
    assert pt.Prompt.load(tmp_path / "old", lm).template.text.startswith("{subject}")


def test_a_prompt_for_another_model_is_refused_and_both_are_named(prompt, tmp_path):
    prompt.save(tmp_path)
    with pytest.raises(PromptError, match="trained on 'tiny', this is 'gpt2'"):
        pt.Prompt.load(tmp_path, causal_lm("gpt2"))


def test_a_fine_tuned_model_is_not_its_base(lm, prompt, tmp_path):
    prompt.save(tmp_path)
    tuned = copy.deepcopy(lm.model)
    with torch.no_grad():
        next(tuned.model.layers[0].parameters()).add_(0.1)
    other = pt.LanguageModel(tuned, lm.tokenizer, lm.kind, "tiny, fine-tuned")
    with pytest.raises(PromptError, match="this is 'tiny, fine-tuned'"):
        pt.Prompt.load(tmp_path, other)


@pytest.mark.parametrize("form", [99, 3, "2", None])
def test_an_unknown_format_is_refused(lm, prompt, tmp_path, form):
    prompt.save(tmp_path)
    about = read(tmp_path) | {"format": form}
    write(tmp_path, prompt.prompt_embeddings(), about)
    with pytest.raises(PromptError, match=f"has format {form!r}; known are 1 and 2"):
        pt.Prompt.load(tmp_path, lm)


@pytest.mark.parametrize("entry", ["template", "answers", "lm", "lm_fingerprint"])
@pytest.mark.parametrize("damage", ["missing", "a number", "a list of numbers"])
def test_a_wrong_entry_is_damage_and_is_named(lm, prompt, tmp_path, entry, damage):
    prompt.save(tmp_path)
    about = read(tmp_path)
    if damage == "missing":
        del about[entry]
    else:
        about[entry] = 7 if damage == "a number" else [7]
    write(tmp_path, prompt.prompt_embeddings(), about)
    with pytest.raises(PromptError, match=f"is damaged: .*{entry}"):
        pt.Prompt.load(tmp_path, lm)


def test_metadata_that_are_no_json_are_damage(lm, prompt, tmp_path):
    write(tmp_path, prompt.prompt_embeddings(), "{ not JSON")
    with pytest.raises(PromptError, match="is damaged"):
        pt.Prompt.load(tmp_path, lm)


def test_a_file_cut_off_anywhere_is_damage(lm, prompt, tmp_path):
    prompt.save(tmp_path)
    whole = (tmp_path / "prompt.safetensors").read_bytes()
    for length in range(0, len(whole), 97):
        (tmp_path / "prompt.safetensors").write_bytes(whole[:length])
        with pytest.raises(PromptError, match="is damaged"):
            pt.Prompt.load(tmp_path, lm)


def test_a_folder_without_a_prompt_says_so(lm, tmp_path):
    with pytest.raises(PromptError, match="no prompt in .*no prompt.safetensors"):
        pt.Prompt.load(tmp_path, lm)
    with pytest.raises(PromptError, match="no prompt in"):
        saved_lm_name(tmp_path / "nowhere")


def test_a_failed_overwrite_leaves_the_old_prompt(lm, prompt, tmp_path, monkeypatch):
    prompt.save(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            pt.Prompt(lm, "{subject} {answer}").save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["prompt.safetensors"]
    assert pt.Prompt.load(tmp_path, lm).template == prompt.template


def test_a_copied_or_pickled_prompt_says_the_same(prompt):
    """A user's process pool pickles what it sends to a worker."""
    for other in (copy.deepcopy(prompt), pickle.loads(pickle.dumps(prompt))):
        assert torch.equal(other.answer_log_probs(ROWS), prompt.answer_log_probs(ROWS))
        assert other.predict(ROWS) == prompt.predict(ROWS)


@pytest.mark.parametrize(
    "call", ["predict", "answer_log_probs", "generate", "evaluate"]
)
def test_a_missing_column_is_one_error_from_every_call(lm, call):
    prompt = pt.Prompt(lm, "{city} is in {answer}", answers=ANSWERS)
    calls = {
        "predict": lambda: prompt.predict(ROWS),
        "answer_log_probs": lambda: prompt.answer_log_probs(ROWS),
        "generate": lambda: prompt.generate(ROWS),
        "evaluate": lambda: pt.evaluate(prompt, pt.Task.from_rows(ROWS, test=ROWS)),
    }
    with pytest.raises(DataError, match="needs a column 'city'.*subject, answer"):
        calls[call]()


def test_predict_needs_answers(lm):
    with pytest.raises(PromptError, match="no answers to choose from"):
        pt.Prompt(lm, "{subject} {answer}").predict(ROWS)


def test_generate_writes_on_and_masked_models_refuse(lm):
    prompt = pt.PromptTuner(lm, PAPER).fold()
    written = prompt.generate(ROWS, max_new_tokens=3)
    assert len(written) == 3 and all(isinstance(text, str) for text in written)
    masked = pt.Prompt(masked_lm("bert"), "{subject} is in {answer} .")
    with pytest.raises(PromptError, match="fills gaps"):
        masked.generate(ROWS)
