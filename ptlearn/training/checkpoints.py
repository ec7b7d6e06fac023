"""Checkpoints of a training run: one safetensors file each, never a pickle.

A file's name holds the start of its own SHA-256, so a damaged one is noticed; the last
two are kept, so that there is one to fall back to.
"""

import hashlib
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import TrainingError
from ..files import write_atomically

NAME = re.compile(r"step-(\d{6})-([0-9a-f]{16})\.safetensors")
KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on.

    Attributes
    ----------
    tensors : dict of str to Tensor
        Parameters, the optimiser's moments, the best parameters, the random state.
    about : dict
        What JSON holds: the step, the history, the run's settings.
    """

    tensors: dict[str, Tensor]
    about: dict


class Checkpoints:
    """The checkpoints in a folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    settings : dict
        Of the run; a checkpoint of other settings is refused.
    """

    def __init__(self, folder: str | Path, settings: dict):
        self.folder = Path(folder)
        self.settings = json.loads(json.dumps(settings))
        self.folder.mkdir(parents=True, exist_ok=True)

    def files(self) -> list[Path]:
        """Checkpoint files, the newest first."""
        found = [p for p in self.folder.iterdir() if NAME.fullmatch(p.name)]
        return sorted(found, reverse=True)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write one, atomically, and remove all but the newest two."""
        about = {"about": json.dumps(checkpoint.about | {"settings": self.settings})}
        tensors = {
            k: t.detach().cpu().contiguous() for k, t in checkpoint.tensors.items()
        }
        content = save(tensors, metadata=about)
        digest = hashlib.sha256(content).hexdigest()[:16]
        name = f"step-{checkpoint.about['step']:06d}-{digest}.safetensors"
        with write_atomically(self.folder / name) as path:
            path.write_bytes(content)
        for old in self.files()[KEPT:]:
            old.unlink(missing_ok=True)

    def newest(self) -> Checkpoint | None:
        """The newest one that is whole; None if there is none.

        Warns of each damaged one that it passes over.

        Raises
        ------
        TrainingError
            If it was made with other settings; the message names them.
        """
        for path in self.files():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if not digest.startswith(NAME.fullmatch(path.name)[2]):
                warnings.warn(
                    f"the checkpoint {path} is damaged (its SHA-256 differs from its "
                    "name); falling back to the one before it",
                    stacklevel=3,
                )
                continue
            with safe_open(path, "pt") as file:
                about = json.loads(file.metadata()["about"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            self._check(about.pop("settings"), path)
            return Checkpoint(tensors, about)
        return None

    def _check(self, settings: dict, path: Path) -> None:
        differing = [
            f"{key}: {settings.get(key)!r} there, {self.settings.get(key)!r} here"
            for key in sorted(settings.keys() | self.settings.keys())
            if settings.get(key) != self.settings.get(key)
        ]
        if differing:
            raise TrainingError(
                f"the checkpoint {path} belongs to a run with other settings ("
                + "; ".join(differing)
                + "): use another checkpoint_dir or the same settings"
            )
