"""Prompts go to PEFT and back with the same logits, or are refused with a reason."""

import copy
import shutil

import pytest
import torch
from peft import (
    PeftModel,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
)
from safetensors.torch import load_file, save_file
from small_models import CAUSAL, causal_lm, masked_lm

import ptlearn as pt
from ptlearn.errors import PromptError

pytestmark = pytest.mark.slow

TEMPLATE = "[V:3] {subject} is in {answer}"
ROWS = [
    {"subject": "Osaka", "answer": "Japan"},
    {"subject": "Port Moresby", "answer": "Papua New Guinea"},
]


def random_prompt(lm, template=TEMPLATE, seed=0):
    return pt.PromptTuner(lm, template, encoder="mlp", seed=seed).fold()


def peft_log_probs(peft_model, prompt, rows=ROWS):
    """What PEFT says of the answers, given the tokens after the virtual ones."""
    found = []
    for row in rows:
        example = prompt.tokens.encode(row)
        ids = torch.tensor([[i for i in example.ids if i >= 0]])
        with torch.no_grad():
            logits = peft_model(input_ids=ids).logits
        log_probs = logits[0, -len(example.targets) :].log_softmax(-1)
        targets = torch.tensor(example.targets)
        found.append(log_probs.gather(1, targets[:, None]).sum())
    return torch.stack(found).float()


def assert_same(peft_model, prompt, tolerance):
    theirs, ours = peft_log_probs(peft_model, prompt), prompt.answer_log_probs(ROWS)
    assert (theirs - ours).abs().max() < tolerance
    # Not because the prompt does nothing.
    none = pt.Prompt(prompt.lm, "{subject} is in {answer}").answer_log_probs(ROWS)
    assert (none - ours).abs().max() > 1e-2


# --- to PEFT ------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in CAUSAL if "narrow" not in n])
def test_peft_loads_what_is_written_with_the_same_logits(name, tmp_path):
    prompt = random_prompt(causal_lm(name))
    pt.to_peft(prompt, tmp_path)
    model = PeftModel.from_pretrained(prompt.lm.model, tmp_path)
    assert_same(model, prompt, 1e-5)


def test_a_prompt_trained_here_is_the_same_in_peft(tmp_path):
    lm = pt.load_lm("tiny")
    tuner = pt.PromptTuner(lm, '[V:"the city of"][V:2] {subject} is in {answer}')
    task = pt.Task.from_rows(ROWS)
    pt.fit(tuner, task, steps=5, lr=0.3, batch_size=2, progress=False)
    prompt = tuner.fold()
    assert pt.to_peft(prompt, tmp_path / "new" / "folder").is_dir()
    model = PeftModel.from_pretrained(lm.model, tmp_path / "new" / "folder")
    assert_same(model, prompt, 1e-4)


@pytest.mark.embedded
def test_peft_loads_it_for_the_embedded_model(embedded_lm, tmp_path):
    prompt = random_prompt(embedded_lm)
    pt.to_peft(prompt, tmp_path)
    assert_same(PeftModel.from_pretrained(embedded_lm.model, tmp_path), prompt, 1e-4)


def test_two_files_are_written_and_nothing_else(tmp_path):
    prompt = random_prompt(pt.load_lm("tiny"))
    pt.to_peft(prompt, tmp_path)
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"adapter_model.safetensors", "adapter_config.json"}
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    assert list(tensors) == ["prompt_embeddings"]
    assert torch.equal(tensors["prompt_embeddings"], prompt.prompt_embeddings())


@pytest.mark.parametrize(
    "template",
    [
        "[V:3] {subject} [V:3] {answer}",
        "{subject} [V:3] {answer}",
        "The city of {subject} [V:2] is in {answer}",
        "City: [V:3] {subject} is in {answer}",
    ],
)
def test_a_mixed_template_is_refused_and_nothing_written(template, tmp_path):
    prompt = random_prompt(pt.load_lm("tiny"), template)
    with pytest.raises(PromptError, match="PEFT cannot express"):
        pt.to_peft(prompt, tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()


def test_a_tuner_is_told_to_fold_first(tmp_path):
    with pytest.raises(PromptError, match=r"PromptTuner.*tuner\.fold\(\)"):
        pt.to_peft(pt.PromptTuner(pt.load_lm("tiny"), TEMPLATE), tmp_path)


def test_a_prompt_of_words_has_nothing_to_write(tmp_path):
    words = pt.Prompt(pt.load_lm("tiny"), "{subject} is in {answer}")
    with pytest.raises(PromptError, match="no virtual tokens"):
        pt.to_peft(words, tmp_path)


def test_a_masked_model_is_refused(tmp_path):
    prompt = random_prompt(masked_lm("bert"))
    with pytest.raises(PromptError, match="masked"):
        pt.to_peft(prompt, tmp_path)


def test_a_tokenizer_with_a_start_token_is_refused(tmp_path):
    """PEFT would put the virtual tokens before it, so the logits would differ."""
    bert = masked_lm("bert")
    model = causal_lm("llama, grouped-query, tied").model
    lm = pt.LanguageModel(model, bert.tokenizer, "causal", "with a start")
    with pytest.raises(PromptError, match=r"starts each text with '\[CLS\]'"):
        pt.to_peft(random_prompt(lm), tmp_path)


# --- from PEFT ----------------------------------------------------------------


def peft_adapter(lm, folder, config):
    """A PEFT model with random virtual tokens, saved into a folder."""
    torch.manual_seed(0)
    model = get_peft_model(lm.model, config)
    model.eval()
    model.save_pretrained(folder)
    return model


CONFIGS = {
    "prompt tuning": PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    "p-tuning, MLP": PromptEncoderConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=3, encoder_hidden_size=8
    ),
    "p-tuning, LSTM": PromptEncoderConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=3,
        encoder_hidden_size=8,
        encoder_reparameterization_type="LSTM",
    ),
}


@pytest.mark.parametrize("method", CONFIGS)
def test_an_adapter_of_peft_has_the_same_logits_here(method, tmp_path):
    lm = pt.load_lm("tiny")
    model = peft_adapter(lm, tmp_path, CONFIGS[method])
    prompt = pt.from_peft(tmp_path, lm, TEMPLATE, answers=["Japan", "Peru"])
    assert_same(model, prompt, 1e-4)
    assert prompt.answers == ["Japan", "Peru"]


def test_there_and_back_is_the_same_table_bit_for_bit(tmp_path):
    prompt = random_prompt(pt.load_lm("tiny"))
    back = pt.from_peft(pt.to_peft(prompt, tmp_path), prompt.lm, prompt.template)
    assert torch.equal(back.prompt_embeddings(), prompt.prompt_embeddings())


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("[V:4] {subject} is in {answer}", r"\(3, 32\).*needs \(4, 32\)"),
        ("{subject} is in {answer}", r"\(3, 32\).*needs \(0, 32\)"),
        ("{subject} [V:3] {answer}", "PEFT cannot express"),
    ],
)
def test_a_template_that_does_not_fit_is_refused(template, said, tmp_path):
    prompt = random_prompt(pt.load_lm("tiny"))
    pt.to_peft(prompt, tmp_path)
    with pytest.raises(PromptError, match=said):
        pt.from_peft(tmp_path, prompt.lm, template)


def test_another_width_is_refused_with_both(tmp_path):
    pt.to_peft(random_prompt(pt.load_lm("tiny")), tmp_path)
    narrow = causal_lm("opt, narrow embedding")
    with pytest.raises(PromptError, match=r"\(3, 32\).*needs \(3, 16\)"):
        pt.from_peft(tmp_path, narrow, TEMPLATE)


def test_another_model_of_the_same_width_is_refused(tmp_path):
    pt.to_peft(random_prompt(pt.load_lm("tiny")), tmp_path)
    other = causal_lm("gpt2")
    with pytest.raises(PromptError, match="made for 'tiny', this is 'gpt2'"):
        pt.from_peft(tmp_path, other, TEMPLATE)


def fine_tuned(lm):
    """The same embeddings, and one other weight."""
    model = copy.deepcopy(lm.model)
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[0, 0] += 1
    return pt.LanguageModel(model, lm.tokenizer, lm.kind, "tiny, fine-tuned")


def test_a_fine_tuned_model_is_not_its_base(tmp_path):
    lm = pt.load_lm("tiny")
    pt.to_peft(random_prompt(lm), tmp_path)
    with pytest.raises(PromptError, match="made for 'tiny', this is 'tiny, fine-t"):
        pt.from_peft(tmp_path, fine_tuned(lm), TEMPLATE)


def test_an_export_that_names_the_embeddings_alone_still_loads(tmp_path):
    """As earlier versions wrote it."""
    prompt = random_prompt(pt.load_lm("tiny"))
    pt.to_peft(prompt, tmp_path)
    path = tmp_path / "adapter_model.safetensors"
    identity = {"lm_fingerprint": prompt.lm.embedding_fingerprint}
    save_file(load_file(path), path, metadata=identity)
    back = pt.from_peft(tmp_path, prompt.lm, TEMPLATE)
    assert torch.equal(back.prompt_embeddings(), prompt.prompt_embeddings())


def test_another_method_of_peft_is_refused(tmp_path):
    lm = pt.load_lm("tiny")
    config = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    peft_adapter(lm, tmp_path, config)
    with pytest.raises(PromptError, match="PREFIX_TUNING"):
        pt.from_peft(tmp_path, lm, TEMPLATE)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(PromptError, match="no adapter of PEFT"):
        pt.from_peft(tmp_path, pt.load_lm("tiny"), TEMPLATE)


def lost_table(folder):
    (folder / "adapter_model.safetensors").unlink()


def cut_table(folder):
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-7])


def bad_json(folder):
    (folder / "adapter_config.json").write_text('{"peft_type"')


def json_list(folder):
    (folder / "adapter_config.json").write_text("[]")


def more_weights(folder):
    path = folder / "adapter_model.safetensors"
    save_file(load_file(path) | {"score.weight": torch.zeros(2)}, path)


def pickled(folder):
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    path.unlink()
    torch.save(tensors, folder / "adapter_model.bin")


DAMAGE = {
    lost_table: "no adapter of PEFT",
    pickled: "no adapter of PEFT",
    cut_table: "is damaged",
    bad_json: "is damaged",
    json_list: "is damaged",
    more_weights: r"score\.weight \(keys: 2\)",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda f: f.__name__)
def test_a_damaged_adapter_is_refused(damage, tmp_path):
    prompt = random_prompt(pt.load_lm("tiny"))
    pt.to_peft(prompt, tmp_path)
    damage(tmp_path)
    with pytest.raises(PromptError, match=DAMAGE[damage]):
        pt.from_peft(tmp_path, prompt.lm, TEMPLATE)


@pytest.mark.parametrize("writes", ["write_bytes", "write_text"])
def test_a_full_disk_leaves_the_old_adapter(writes, tmp_path, monkeypatch):
    lm = pt.load_lm("tiny")
    old, new = random_prompt(lm), random_prompt(lm, "[V:2] {subject} {answer}", seed=1)
    pt.to_peft(old, tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")

    def full(path, data, **_):
        with open(path, "wb" if isinstance(data, bytes) else "w") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(f"pathlib.Path.{writes}", full)
        with pytest.raises(OSError, match="No space left"):
            pt.to_peft(new, tmp_path / "a")
    for path in (tmp_path / "b").iterdir():
        assert (tmp_path / "a" / path.name).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "a").iterdir())) == 2
