"""Checkpoints of a training run: one safetensors file each, never a pickle.

A file's name holds the start of its own SHA-256, so a damaged one is noticed; the last
two are kept, so that there is one to fall back to.
"""

import hashlib
import json
import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import TrainingError
from ..files import sha256, sole_holder, write_atomically

NAME = re.compile(r"step-(\d{6,})-([0-9a-f]{16})\.safetensors")
KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on.

    Attributes
    ----------
    step : int
        How many steps were taken.
    tensors : dict of str to Tensor
    values : dict
        What else there is to know, of JSON's types.
    """

    step: int
    tensors: dict[str, Tensor]
    values: dict


class Checkpoints:
    """The checkpoints in a folder.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    identity : dict
        What tells the run from others, of JSON's types; a checkpoint with another
        identity is refused.

    Raises
    ------
    TrainingError
        If the folder cannot be made.
    """

    def __init__(self, folder: str | Path, identity: dict):
        self.folder = Path(folder)
        self.identity = json.loads(json.dumps(identity, default=float))
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
        self._held = ExitStack()

    def hold(self) -> None:
        """Keep other runs away from the folder until ``release``.

        Two runs would remove each other's files.

        Raises
        ------
        TrainingError
            If another run holds it.
        """
        if not self._held.enter_context(sole_holder(self.folder)):
            raise TrainingError(
                f"another process is training in {self.folder}: wait until it has "
                "ended, or take another checkpoint_dir"
            )

    def release(self) -> None:
        """Let other runs use the folder; does nothing if it is not held."""
        self._held.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TrainingError(
                f"{self.folder} cannot be written, so no checkpoint is kept: "
                f"{error.strerror or error}. Free some space, or take another "
                "checkpoint_dir; what is there stays whole"
            ) from error

    def files(self) -> list[Path]:
        """Return the checkpoint files, the newest first."""
        found = [p for p in self.folder.iterdir() if NAME.fullmatch(p.name)]
        return sorted(found, key=_step, reverse=True)

    def refuse_used_folder(self) -> None:
        """Raise TrainingError if the folder holds checkpoints."""
        files = self.files()
        if files:
            raise TrainingError(
                f"{self.folder} holds a run's checkpoints, up to step "
                f"{_step(files[0])}: resume=True goes on from there, overwrite=True "
                "starts over, or take another checkpoint_dir"
            )

    def remove_leftovers(self) -> None:
        """Remove what a run that was killed while writing has left behind."""
        for folder in self.folder.glob(".step-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def clear(self) -> None:
        """Remove all checkpoints."""
        for path in self.files():
            path.unlink(missing_ok=True)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write one, atomically, and keep beside it only the newest one before it.

        Raises
        ------
        TrainingError
            If the disk is full or the folder cannot be written.
        """
        metadata = {
            "step": str(checkpoint.step),
            "values": json.dumps(checkpoint.values),
            "identity": json.dumps(self.identity),
        }
        tensors = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in checkpoint.tensors.items()
        }
        content = save(tensors, metadata=metadata)
        digest = hashlib.sha256(content).hexdigest()[:16]
        path = self.folder / f"step-{checkpoint.step:06d}-{digest}.safetensors"
        with self._writing():
            with write_atomically(path) as temporary:
                temporary.write_bytes(content)
            self._tidy(path)

    def _tidy(self, newest: Path) -> None:
        # Later steps can only be damaged ones, which the run fell back from.
        files = self.files()
        earlier = [path for path in files if _step(path) < _step(newest)]
        for path in set(files) - {newest, *earlier[: KEPT - 1]}:
            path.unlink(missing_ok=True)

    def newest(self) -> Checkpoint | None:
        """Return the newest one that is whole; None if there is none.

        Warns of each damaged one that it passes over.

        Raises
        ------
        TrainingError
            If it belongs to another run; the message names what differs.
        """
        for path in self.files():
            if not sha256(path).startswith(NAME.fullmatch(path.name)[2]):
                warnings.warn(
                    f"the checkpoint {path} is damaged (its SHA-256 differs from its "
                    "name); falling back to the one before it",
                    stacklevel=3,
                )
                continue
            with safe_open(path, "pt") as file:
                metadata = file.metadata()
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            self._refuse_other_run(json.loads(metadata["identity"]), path)
            step, values = int(metadata["step"]), json.loads(metadata["values"])
            return Checkpoint(step, tensors, values)
        return None

    def _refuse_other_run(self, identity: dict, path: Path) -> None:
        differing = [
            f"{key}: {identity.get(key)!r} there, {self.identity.get(key)!r} here"
            for key in sorted(identity.keys() | self.identity.keys())
            if identity.get(key) != self.identity.get(key)
        ]
        if differing:
            raise TrainingError(
                f"the checkpoint {path} belongs to another run "
                f"({'; '.join(differing)}): use the same settings, or another "
                "checkpoint_dir, or overwrite=True to start over"
            )


def _step(path: Path) -> int:
    return int(NAME.fullmatch(path.name)[1])
