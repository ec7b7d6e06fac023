"""Loading language models: the embedded one, "tiny", local folders of many kinds."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
import transformers as tf

from ptlearn.errors import ModelError
from ptlearn.lm.load import load_lm, random_lm_like

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
}
GPT2 = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 24}
OPT = {"word_embed_proj_dim": 16, "ffn_dim": 48}
ARCHITECTURES = {
    # name: (model class, config, kind, token_dim, context_window)
    "gpt2": (tf.GPT2LMHeadModel, tf.GPT2Config(**GPT2), "causal", 32, 24),
    "opt": (tf.OPTForCausalLM, tf.OPTConfig(**SIZES, **OPT), "causal", 16, 40),
    "neox": (tf.GPTNeoXForCausalLM, tf.GPTNeoXConfig(**SIZES), "causal", 32, 40),
    "bloom": (
        tf.BloomForCausalLM,
        tf.BloomConfig(hidden_size=32, n_layer=1, n_head=2),
        *("causal", 32, None),
    ),
    "bert": (tf.BertForMaskedLM, tf.BertConfig(**SIZES), "masked", 32, 40),
    "albert": (
        tf.AlbertForMaskedLM,
        tf.AlbertConfig(**SIZES, embedding_size=16),
        *("masked", 16, 40),
    ),
    "roberta": (
        tf.RobertaForMaskedLM,
        tf.RobertaConfig(**SIZES, pad_token_id=1),
        *("masked", 32, 38),
    ),
}


@pytest.fixture(scope="module")
def tiny():
    return load_lm("tiny")


@pytest.fixture(scope="module")
def tokenizer(tiny):
    """The tiny model's, with a mask token, for masked models."""
    folder = tiny.tokenizer.name_or_path
    return tf.AutoTokenizer.from_pretrained(folder, mask_token="<|endoftext|>")


@pytest.fixture(scope="module")
def save(tokenizer, tmp_path_factory):
    """Save a model of ARCHITECTURES as a user would; return its folder."""

    def save(name, **config_changes):
        model_class, config = ARCHITECTURES[name][:2]
        config.vocab_size = len(tokenizer)
        folder = tmp_path_factory.mktemp(name)
        model = model_class(config)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        change_config(folder, **config_changes)
        return folder

    return save


def change_config(folder, **changes):
    file = folder / "config.json"
    config = json.loads(file.read_text()) | changes
    kept = {key: value for key, value in config.items() if value is not None}
    file.write_text(json.dumps(kept))


def logits(lm, text="The capital of France is"):
    ids = torch.tensor([lm.tokenizer(text).input_ids])
    with torch.no_grad():
        return lm.model(input_ids=ids).logits[0, -1]


# --- tiny --------------------------------------------------------------------


def test_tiny_is_frozen_and_the_same_every_time(tiny):
    assert (tiny.kind, tiny.name, tiny.token_dim) == ("causal", "tiny", 32)
    assert tiny.context_window == 512
    assert not tiny.model.training
    assert not any(p.requires_grad for p in tiny.model.parameters())
    torch.manual_seed(7)  # whatever the user did before
    assert torch.equal(logits(tiny), logits(load_lm("tiny")))


def test_making_random_models_leaves_the_users_generator_alone(tiny):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    random_lm_like(load_lm("tiny"), seed=9)
    assert torch.equal(torch.rand(4), expected)


def test_embed_gives_rows_of_the_input_embedding(tiny):
    ids = torch.tensor([[5, 6], [7, 8]])
    matrix = tiny.model.get_input_embeddings().weight
    assert tiny.embed(ids).shape == (2, 2, 32)
    assert torch.equal(tiny.embed(ids), matrix[ids])
    assert tiny.embedding_std == pytest.approx(0.1, rel=0.01)
    assert tiny.num_parameters() == sum(p.numel() for p in tiny.model.parameters())


def test_the_fingerprint_tells_models_apart_but_not_number_types(tiny):
    assert load_lm("tiny").fingerprint == tiny.fingerprint
    assert load_lm("tiny", dtype="float64").fingerprint == tiny.fingerprint
    assert load_lm("tiny", dtype="bfloat16").fingerprint == tiny.fingerprint
    assert random_lm_like(tiny, seed=1).fingerprint != tiny.fingerprint


@pytest.mark.parametrize("name", ["model.norm", "model.layers.1.mlp.down_proj"])
def test_a_fine_tuned_model_has_another_fingerprint_than_its_base(tiny, name):
    tuned = load_lm("tiny")
    with torch.no_grad():
        tuned.model.get_submodule(name).weight[-1] += 0.5
    assert tuned.embedding_fingerprint == tiny.embedding_fingerprint
    assert tuned.fingerprint != tiny.fingerprint


def test_exchanged_layers_have_another_fingerprint(tiny):
    merged = load_lm("tiny")
    merged.model.model.layers = merged.model.model.layers[::-1]
    assert merged.fingerprint != tiny.fingerprint


def test_the_fingerprint_does_not_follow_the_order_of_modules(tiny):
    other = load_lm("tiny")
    modules = other.model.model._modules
    for name in reversed(list(modules)):
        modules[name] = modules.pop(name)
    assert next(other.model.named_parameters())[0] == "model.norm.weight"
    assert other.fingerprint == tiny.fingerprint


def test_tied_weights_count_once_in_the_fingerprint(tiny):
    other = load_lm("tiny")
    head = other.model.lm_head
    head.weight = torch.nn.Parameter(head.weight.clone())
    assert other.fingerprint != tiny.fingerprint
    other.model.tie_weights()
    assert replace(other).fingerprint == tiny.fingerprint


def test_prompts_of_the_first_format_carry_this_fingerprint(tiny):
    assert tiny.embedding_fingerprint == (
        "2055ac5d935f5667a1b90090f2ddca5b517f4bb555599cf512fb2eb4a6fbb29d"
    )


def test_a_random_model_has_the_same_shape_and_other_weights(tiny):
    one, again, other = (random_lm_like(tiny, seed) for seed in (1, 1, 2))
    assert one.num_parameters() == tiny.num_parameters()
    assert (one.kind, one.tokenizer) == (tiny.kind, tiny.tokenizer)
    assert torch.equal(logits(one), logits(again))
    assert not torch.allclose(logits(one), logits(other))
    assert not torch.allclose(logits(one), logits(tiny))
    assert not any(p.requires_grad for p in one.model.parameters())
    assert one.name != tiny.name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_number_types(dtype):
    lm = load_lm("tiny", dtype=dtype)
    assert lm.dtype == lm.product_dtype == getattr(torch, dtype)


def test_the_tokenizer_keeps_words_whole_and_can_pad(tiny):
    assert tiny.tokenizer("The capital", add_special_tokens=True).input_ids == [
        *(504, 3575)
    ]
    assert tiny.tokenizer.decode([504, 3575]) == "The capital"
    assert tiny.tokenizer.pad_token_id is not None
    assert len(tiny.tokenizer) == tiny.model.config.vocab_size


# --- the embedded model --------------------------------------------------------


@pytest.fixture(scope="module")
def embedded():
    return load_lm()


def test_the_embedded_model_knows_france(embedded):
    assert embedded.tokenizer.decode(logits(embedded).argmax()) == " Paris"
    assert (embedded.name, embedded.kind) == ("smollm2-135m", "causal")
    assert (embedded.token_dim, embedded.context_window) == (576, 8192)
    assert embedded.num_parameters() == 134_515_008


def test_tinys_committed_tokenizer_is_the_embedded_models(embedded, tiny):
    ours, theirs = tiny.tokenizer, embedded.tokenizer
    assert ours.backend_tokenizer.to_str() == theirs.backend_tokenizer.to_str()
    assert ours.special_tokens_map == theirs.special_tokens_map
    assert type(ours) is type(theirs)


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
@pytest.mark.slow
def test_loading_takes_little_more_than_the_weights(embedded):
    # A torch with CUDA holds twice as much as one without, before anything is loaded.
    code = """
from pathlib import Path
from transformers import AutoTokenizer, LlamaForCausalLM
from ptlearn.lm.load import load_lm

def kilobytes(name):
    return int(Path("/proc/self/status").read_text().split(name)[1].split()[0])

before = kilobytes("VmRSS:")
load_lm().fingerprint
print(before, kilobytes("VmHWM:"))
"""
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    before, peak = (1024 * int(kilobytes) for kilobytes in out.split())
    weights = 4 * embedded.num_parameters()
    assert weights < peak - before < 1.2 * weights
    if torch.version.cuda is None:
        assert peak < 1_500_000_000


# --- local folders -------------------------------------------------------------


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.slow
def test_a_local_folder_of_many_architectures(name, save):
    kind, token_dim, context_window = ARCHITECTURES[name][2:]
    lm = load_lm(str(save(name)))
    assert (lm.kind, lm.token_dim, lm.context_window) == (
        *(kind, token_dim, context_window),
    )
    assert logits(lm).shape == (len(lm.tokenizer),)
    assert lm.embed(torch.tensor([3])).shape == (1, token_dim)
    assert torch.isfinite(logits(random_lm_like(lm))).all()


def test_the_context_window_is_what_the_model_can_take(save):
    lm = load_lm(str(save("roberta")))
    assert lm.first_position == 2
    ids = torch.full((1, lm.context_window), 5)
    assert lm.model(input_ids=ids).logits.shape[1] == lm.context_window
    with pytest.raises((IndexError, RuntimeError)):
        lm.model(input_ids=torch.full((1, lm.context_window + 1), 5))


@pytest.mark.slow
def test_a_tokenizer_without_a_pad_token_gets_one_and_keeps_its_vocabulary(save):
    folder = save("gpt2")
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text())
    del config["pad_token"]
    file.write_text(json.dumps(config))
    assert tf.AutoTokenizer.from_pretrained(folder).pad_token is None
    lm = load_lm(str(folder))
    assert lm.tokenizer.pad_token_id is not None
    assert len(lm.tokenizer) == lm.model.config.vocab_size


def test_the_kind_is_asked_for_where_the_config_is_silent(save):
    folder = str(save("bert", architectures=None))
    with pytest.raises(ModelError, match="does not say .*kind="):
        load_lm(folder)
    assert load_lm(folder, kind="masked").kind == "masked"


def test_a_kind_that_contradicts_the_config(save):
    with pytest.raises(ModelError, match="is a masked language model, not kind='cau"):
        load_lm(str(save("bert")), kind="causal")
    with pytest.raises(ModelError, match="is a causal language model"):
        load_lm("tiny", kind="masked")


def test_a_model_without_its_language_model_head_is_refused(save, tmp_path):
    folder = save("bert")
    tf.BertModel.from_pretrained(folder).save_pretrained(folder)
    with pytest.raises(ModelError, match="not a whole masked language model"):
        load_lm(str(folder), kind="masked")


def test_a_masked_model_needs_a_mask_token(save, tiny):
    folder = save("bert")
    tiny.tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match="has no mask token"):
        load_lm(str(folder))


def test_weights_that_were_cut_off(save):
    folder = save("gpt2")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match="folder .* could not be loaded"):
        load_lm(str(folder))


@pytest.mark.parametrize(
    "change",
    [{"hidden_size": 48}, {"num_attention_heads": 5}, {"dtype": "float31"}],
)
def test_a_config_that_was_damaged_is_an_error_of_ours(save, change):
    folder = save("neox", **change)
    with pytest.raises(ModelError, match="could not be loaded"):
        load_lm(str(folder))


def test_pickled_weights_are_never_opened(save):
    folder = save("gpt2")
    (folder / "model.safetensors").unlink()

    class Trap:
        def __reduce__(self):
            return (folder.joinpath("opened").touch, ())

    torch.save({"weight": Trap()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="no safetensors weights"):
        load_lm(str(folder))
    assert not (folder / "opened").exists()


def test_code_that_comes_with_a_model_is_never_run(save):
    folder = save("gpt2", model_type="mine", auto_map={"AutoConfig": "mine.Config"})
    code = f"import pathlib; pathlib.Path({str(folder / 'ran')!r}).touch()"
    (folder / "mine.py").write_text(code)
    with pytest.raises(ModelError, match="never runs such code"):
        load_lm(str(folder))
    assert not (folder / "ran").exists()


def test_an_encoder_decoder_is_refused(save):
    folder = save("gpt2", model_type="t5", architectures=["T5ForConditionalGeneration"])
    with pytest.raises(ModelError, match="encoder-decoder"):
        load_lm(str(folder), kind="causal")


# --- names, devices, number types that do not fit --------------------------------


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("smollm2-135", "smollm2-135m"),
        ("SmolLM2-135M", "smollm2-135m"),
        ("tinny", "tiny"),
        ("world-mask", "world-masked"),
    ],
)
def test_a_misspelt_name_gets_the_right_one(name, close):
    with pytest.raises(ModelError, match=f"Did you mean '{close}'"):
        load_lm(name)


def test_a_misspelt_folder_gets_its_neighbour(save):
    folder = save("gpt2")
    wrong = str(folder)[:-1] + "x"
    with pytest.raises(ModelError, match="There is no model") as caught:
        load_lm(wrong)
    assert f"Did you mean {str(folder)!r}" in str(caught.value)


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "a/b/c", ""])
def test_a_folder_that_is_not_there_is_not_looked_up_on_the_hub(name):
    with pytest.raises(ModelError, match="There is no model"):
        load_lm(name)


@pytest.mark.parametrize(
    "name", ["someone/no-such-model", "unsloth/SmolLM2-135M", "me/SmolLM2-135M"]
)
def test_a_hub_id_is_looked_up_and_is_no_misspelling(name):
    with pytest.raises(ModelError, match="could not be loaded.*network") as caught:
        load_lm(name)
    for words in ("There is no model", "Did you mean"):
        assert words not in str(caught.value)


def test_a_folder_may_be_named_almost_like_a_built_in_model(save, monkeypatch):
    folder = save("gpt2")
    (folder / "SmolLM2-135M").symlink_to(folder, target_is_directory=True)
    monkeypatch.chdir(folder)
    assert load_lm("SmolLM2-135M").token_dim == 32


@pytest.mark.parametrize("kind", ["causal", "masked"])
def test_the_models_of_the_invented_world_have_names(kind):
    lm = load_lm(f"world-{kind}")
    assert (lm.kind, lm.name, lm.token_dim) == (kind, f"world-{kind}", 128)
    assert lm.dtype == torch.float32, "though it is stored in float16"


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(ModelError, match="could not be loaded"):
        load_lm(str(tmp_path))


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"dtype": "float16"}, "dtype='float16' is not one of float32, bfloat16"),
        ({"device": "gpu"}, "device='gpu' cannot be used here"),
        ({"device": "cuda:99"}, "device='cuda:99' cannot be used here"),
        ({"kind": "seq2seq"}, "kind='seq2seq' is not one of"),
    ],
)
def test_arguments_that_do_not_fit(arguments, words):
    with pytest.raises(ModelError, match=words):
        load_lm("tiny", **arguments)
