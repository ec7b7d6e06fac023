"""A prompt as it is used and kept: one file, whole or not at all."""

import copy
import json
import pickle
import shutil
import sys
import warnings
from contextlib import contextmanager

import numpy as np
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
    metadata = {"prompt": json.dumps(about)}
    save_file({"prompt_embeddings": table}, folder / "prompt.safetensors", metadata)


def read(folder) -> dict:
    with safe_open(folder / "prompt.safetensors", "pt") as file:
        about = json.loads(file.metadata()["prompt"])
    del about["sha256"]  # of what stands there; a test may write something else
    return about


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


@pytest.fixture
def snapshots(tmp_path):
    """Copies of a folder before each operation on files while a block runs."""
    state = {"folder": None, "copies": []}

    def copy_folder(event, _):
        if state["folder"] and event.split(".")[0] in ("open", "os", "shutil"):
            folder, state["folder"] = state["folder"], None  # copying is no event
            target = tmp_path / f"killed-{len(state['copies'])}"
            state["copies"].append(shutil.copytree(folder, target))
            state["folder"] = folder

    @contextmanager
    def taken(folder):
        sys.addaudithook(copy_folder)  # cannot be removed, so it is switched off
        state["folder"] = folder
        try:
            yield state["copies"]
        finally:
            state["folder"] = None
        state["copies"].append(folder)

    return taken


def test_table_must_fit_the_template(lm):
    with pytest.raises(PromptError, match=r"\(6, 32\).*not \(0, 32\); train one"):
        pt.Prompt(lm, PAPER)
    with pytest.raises(PromptError, match=r"not \(2, 32\)"):
        pt.Prompt(lm, PAPER, torch.zeros(2, 32))
    with pytest.raises(PromptError, match="the table is a list, not a tensor"):
        pt.Prompt(lm, PAPER, [[0.0] * 32] * 6)


def test_a_prompt_keeps_its_table_while_the_tuner_goes_on(lm):
    tuner = pt.PromptTuner(lm, PAPER)
    before = tuner.prompt_embeddings().detach().clone()
    prompts = [tuner.fold(), pt.Prompt(lm, PAPER, tuner.prompt_embeddings())]
    with torch.no_grad():
        tuner.encoder.embedding.zero_()
    assert all(torch.equal(p.prompt_embeddings(), before) for p in prompts)


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
    assert (loaded.template, loaded.answers) == (prompt.template, ANSWERS)
    assert saved_lm_name(tmp_path / "old") == "tiny"
    with pytest.raises(PromptError, match="trained on 'tiny', this is 'gpt2'"):
        pt.Prompt.load(tmp_path / "old", causal_lm("gpt2"))


def test_saving_over_two_files_leaves_one(lm, prompt, tmp_path):
    write_two_files(tmp_path / "old", prompt)
    pt.Prompt(lm, "{subject} is in {answer}").save(tmp_path / "old")
    assert [p.name for p in (tmp_path / "old").iterdir()] == ["prompt.safetensors"]
    assert pt.Prompt.load(tmp_path / "old", lm).template.text.startswith("{subject}")


@pytest.mark.parametrize("before", [write_two_files, lambda f, p: p.save(f)])
def test_a_save_killed_anywhere_leaves_one_whole_prompt(
    lm, prompt, tmp_path, before, snapshots
):
    """At each step of the save the folder is copied: what a kill there would leave."""
    new = pt.PromptTuner(lm, "{subject} [V:6] {answer}", seed=8).fold()
    lm.fingerprint  # noqa: B018 - reads weights, which is no step of the save
    before(tmp_path / "kept", prompt)
    with snapshots(tmp_path / "kept") as copies:
        new.save(tmp_path / "kept")
    found = []
    for folder in copies:
        loaded = pt.Prompt.load(folder, lm)
        whole = new if loaded.template == new.template else prompt
        assert torch.equal(loaded.prompt_embeddings(), whole.prompt_embeddings())
        assert loaded.answers == whole.answers
        found.append(whole is new)
    assert found == sorted(found), "first the old one, then the new one"
    assert set(found) == {False, True}
    assert [p.name for p in (tmp_path / "kept").iterdir()] == ["prompt.safetensors"]


def test_a_prompt_for_another_model_is_refused_and_both_are_named(prompt, tmp_path):
    prompt.save(tmp_path)
    with pytest.raises(PromptError, match="trained on 'tiny', this is 'gpt2'"):
        pt.Prompt.load(tmp_path, causal_lm("gpt2"))


def test_a_fine_tuned_model_is_not_its_base(lm, prompt, tmp_path):
    prompt.save(tmp_path)
    write_two_files(tmp_path / "old", prompt)
    tuned = copy.deepcopy(lm.model)
    with torch.no_grad():
        next(tuned.model.layers[0].parameters()).add_(0.1)
    other = pt.LanguageModel(tuned, lm.tokenizer, lm.kind, "tiny, fine-tuned")
    with pytest.raises(PromptError, match="this is 'tiny, fine-tuned'"):
        pt.Prompt.load(tmp_path, other)
    # Format 1 knew the embeddings only, and cannot tell.
    pt.Prompt.load(tmp_path / "old", other)


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


@pytest.mark.parametrize("text", ["{ not JSON", "[]", "7", "{}", "[" * 100_000])
def test_metadata_that_describe_no_prompt_are_damage(lm, prompt, tmp_path, text):
    table = {"prompt_embeddings": prompt.prompt_embeddings()}
    save_file(table, tmp_path / "prompt.safetensors", {"prompt": text})
    with pytest.raises(PromptError, match="is damaged"):
        pt.Prompt.load(tmp_path, lm)


def test_a_later_format_is_called_so_though_its_entries_differ(lm, prompt, tmp_path):
    write(tmp_path, prompt.prompt_embeddings(), {"format": 99, "wording": "?"})
    for read_it in (saved_lm_name, lambda folder: pt.Prompt.load(folder, lm)):
        with pytest.raises(PromptError, match="format 99; known are 1 and 2"):
            read_it(tmp_path)


@pytest.mark.parametrize("name", ["another", "prompt_embeddings"])
def test_a_table_that_is_none_is_damage(lm, prompt, tmp_path, name):
    """Under another name, or a single number."""
    prompt.save(tmp_path)
    metadata = {"prompt": json.dumps(read(tmp_path))}
    table = {name: torch.tensor(1.0)}
    save_file(table, tmp_path / "prompt.safetensors", metadata)
    message = "is damaged" if name == "another" else r"needs a table of shape \(6, 32\)"
    with pytest.raises(PromptError, match=message):
        pt.Prompt.load(tmp_path, lm)
    assert saved_lm_name(tmp_path) == "tiny", "known without the table"


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

    def full(path, data):
        with open(path, "wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            pt.Prompt(lm, "{subject} {answer}").save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["prompt.safetensors"]
    assert pt.Prompt.load(tmp_path, lm).template == prompt.template


@pytest.mark.slow
def test_a_copied_or_pickled_prompt_says_the_same(prompt):
    """A user's process pool pickles what it sends to a worker."""
    for other in (copy.deepcopy(prompt), pickle.loads(pickle.dumps(prompt))):
        assert torch.equal(other.answer_log_probs(ROWS), prompt.answer_log_probs(ROWS))
        assert other.predict(ROWS) == prompt.predict(ROWS)


CALLS = {
    "predict": lambda tuner, task: tuner.fold().predict(ROWS, ANSWERS),
    "generate": lambda tuner, task: tuner.fold().generate(ROWS),
    "answer_log_probs": lambda tuner, task: tuner.fold().answer_log_probs(ROWS),
    "of a tuner": lambda tuner, task: tuner.answer_log_probs(ROWS),
    "evaluate": lambda tuner, task: pt.evaluate(tuner, task),
    "fit": lambda tuner, task: pt.fit(tuner, task, steps=1, progress=False),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_missing_column_is_one_error_from_every_call(lm, call):
    tuner = pt.PromptTuner(lm, "{subjct} [V] {answer}")
    with pytest.raises(DataError) as caught:
        CALLS[call](tuner, pt.Task.from_rows(ROWS, test=ROWS))
    assert str(caught.value) == (
        "the template needs a column 'subjct'. Did you mean 'subject'? "
        "The row has: subject, answer."
    )


def test_predict_needs_answers(lm):
    for answers in (None, []):
        with pytest.raises(PromptError, match="no answers to choose from"):
            pt.Prompt(lm, "{subject} {answer}").predict(ROWS, answers)


def test_one_text_is_no_list_of_answers(lm):
    with pytest.raises(PromptError, match="answers='Japan' is one text"):
        pt.Prompt(lm, "{subject} {answer}", answers="Japan")
    with pytest.raises(PromptError, match="answers='Japan' is one text"):
        pt.Prompt(lm, "{subject} {answer}").predict(ROWS, "Japan")


def test_answers_may_be_an_array(lm):
    prompt = pt.Prompt(lm, "{subject} {answer}", answers=np.array([1, 2]))
    assert prompt.answers == ["1", "2"]
    found = prompt.predict(ROWS, np.array(ANSWERS))
    assert found == prompt.predict(ROWS, ANSWERS)


def test_generate_writes_on_and_masked_models_refuse(lm):
    prompt = pt.PromptTuner(lm, PAPER).fold()
    written = prompt.generate(ROWS, max_new_tokens=3)
    assert len(written) == 3 and all(isinstance(text, str) for text in written)
    masked = pt.Prompt(masked_lm("bert"), "{subject} is in {answer} .")
    with pytest.raises(PromptError, match="fills gaps"):
        masked.generate(ROWS)


def flipped(path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_one_prompt_is_saved_as_the_same_bytes_each_time(prompt, tmp_path):
    written = {
        (prompt.save(tmp_path / str(i)) / "prompt.safetensors").read_bytes()
        for i in range(12)
    }
    assert len(written) == 1


def test_one_bit_of_the_table_or_of_the_template_is_noticed(lm, prompt, tmp_path):
    path = prompt.save(tmp_path) / "prompt.safetensors"
    whole = path.read_bytes()
    for place in (len(whole) - 1, whole.index(b"{subject}") + 1, whole.index(b"Japan")):
        flipped(path, place)
        with pytest.raises(PromptError, match="is damaged: its content is not what"):
            pt.Prompt.load(tmp_path, lm)
        path.write_bytes(whole)


def test_a_prompt_from_before_there_were_checksums_loads(lm, prompt, tmp_path):
    prompt.save(tmp_path)
    about = read(tmp_path)
    del about["lm_settings"]
    write(tmp_path, prompt.prompt_embeddings(), about)
    assert pt.Prompt.load(tmp_path, lm).answers == ANSWERS


def changed_tokenizer(lm):
    tokenizer = copy.deepcopy(lm.tokenizer)
    tokenizer.add_tokens(["Osaka"])
    return pt.LanguageModel(lm.model, tokenizer, lm.kind, lm.name)


def changed_config(lm):
    model = copy.deepcopy(lm.model)
    model.config.rms_norm_eps *= 2
    return pt.LanguageModel(model, lm.tokenizer, lm.kind, lm.name)


@pytest.mark.slow
@pytest.mark.parametrize("change", [changed_tokenizer, changed_config])
def test_another_tokenizer_or_config_is_warned_of(lm, prompt, tmp_path, change):
    prompt.save(tmp_path)
    other = change(lm)
    with pytest.warns(UserWarning, match="another tokenizer or other settings of 'ti"):
        pt.Prompt.load(tmp_path, other)


@pytest.mark.slow
def test_the_same_model_under_other_versions_is_not_warned_of(lm, prompt, tmp_path):
    lm.tokenizer(["a", "b c"], padding=True)  # leaves its mark on the tokenizer
    prompt.save(tmp_path)
    about = read(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pt.Prompt.load(tmp_path, pt.load_lm("tiny"))
        about["lm_settings"] |= {"transformers": "4.0", "sha256": "another"}
        write(tmp_path, prompt.prompt_embeddings(), about)
        pt.Prompt.load(tmp_path, lm)


@pytest.mark.parametrize("answer", [None, float("nan"), ["Japan"]])
def test_what_is_no_text_is_no_answer(lm, answer):
    with pytest.raises(PromptError, match="cannot be an answer"):
        pt.Prompt(lm, "{subject} {answer}").predict(ROWS, ["Japan", answer])
