"""A prompt as it is used: a template and, where it has virtual tokens, their table.

No encoder and no optimiser is left in it. A hand-written prompt is one with no table; a
tuned one is what ``PromptTuner.fold()`` gives. Both are scored by the same calls.
"""

import hashlib
import json
import reprlib
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from .. import __version__
from ..errors import PromptError, PtlearnError
from ..files import write_atomically
from ..forward import generation, scoring
from ..forward.plan import ForwardPlan
from ..lm.language_model import LanguageModel
from ..tasks.rows import text_of
from ..templates.language import Template

FILE, OLD_FILE = "prompt.safetensors", "prompt.json"
KEY, CHECK = "prompt_embeddings", "sha256"
FORMAT = 2
"""Format 1 kept its JSON in a second file, and knew a model by its embeddings alone."""
ENTRIES = {"template": str, "answers": list, "lm": str, "lm_fingerprint": str}
"""What a saved prompt must say of itself besides its format, and the type of each."""


class Prompt:
    """A template with its prompt table, ready to score, classify and generate.

    Parameters
    ----------
    lm : LanguageModel
    template : Template or str
    table : Tensor, shape (num_virtual_tokens, token_dim), optional
        The virtual tokens' vectors, which are copied; none for a template without
        virtual tokens.
    answers : iterable of str, optional
        What :meth:`predict` chooses from.

    Raises
    ------
    PromptError
        If the table does not fit the template, or the answers are no list.
    """

    def __init__(
        self,
        lm: LanguageModel,
        template: Template | str,
        table: Tensor | None = None,
        *,
        answers: Iterable[str] | None = None,
    ):
        template = template if isinstance(template, Template) else Template(template)
        self.lm, self.template = lm, template
        self._plan = ForwardPlan(lm, template)
        self.tokens = self._plan.tokens
        self.answers = [] if answers is None else _as_list(answers)
        if not isinstance(table, Tensor | None):
            raise PromptError(f"the table is a {type(table).__name__}, not a tensor")
        wanted = (self.num_virtual_tokens, lm.token_dim)
        found = (0, lm.token_dim) if table is None else tuple(table.shape)
        if found != wanted:
            raise PromptError(
                f"the template {template.text!r} needs a table of shape {wanted} "
                f"(num_virtual_tokens, token_dim), not {found}"
                + ("; train one with PromptTuner" if table is None else "")
            )
        # Copied: further training of a tuner must not change what was made of it.
        self._table = None if table is None else table.detach().to(lm.device, copy=True)

    @property
    def num_virtual_tokens(self) -> int:
        """How many virtual tokens the template has under this tokenizer."""
        return self.tokens.num_virtual_tokens

    def prompt_embeddings(self) -> Tensor | None:
        """Return the table, shape (num_virtual_tokens, token_dim), or None."""
        return self._table

    def answer_logits(self, rows) -> Tensor:
        """Return the logits at the answers' tokens, (their number, vocabulary)."""
        return scoring.answer_logits(self, rows)

    def answer_log_probs(self, rows, *, batch_size: int = 16) -> Tensor:
        """Score each row's own answer.

        Parameters
        ----------
        rows : Dataset, DataFrame or iterable of dict
            With the template's columns and ``answer``.

        Returns
        -------
        Tensor, shape (n,)
            The answers' log-probabilities (natural), summed over their tokens.

        Raises
        ------
        DataError
            If a row lacks a column or an answer, or is too long.
        """
        return scoring.answer_log_probs(self, rows, batch_size=batch_size)

    def predict(
        self, rows, answers: Iterable[str] | None = None, *, batch_size: int = 16
    ) -> list[str]:
        """Return the most probable answer for each row.

        Parameters
        ----------
        rows : Dataset, DataFrame or iterable of dict
            With the template's columns; no ``answer`` is needed.
        answers : iterable of str, optional
            What to choose from; by default the answers kept from training.

        Raises
        ------
        PromptError
            If there are no answers to choose from.
        DataError
            If a row lacks a column or is too long, or two answers cannot be told apart.
        """
        answers = self.answers if answers is None else _as_list(answers)
        if not answers:
            raise PromptError(
                "no answers to choose from: predict(rows, answers=[...]), or train "
                "on a task, which keeps its answers with the prompt"
            )
        return scoring.score(self, rows, answers, batch_size=batch_size).predicted

    def generate(
        self, rows, *, max_new_tokens: int = 10, batch_size: int = 16
    ) -> list[str]:
        """Return what the model writes after each row's prompt, greedily.

        Parameters
        ----------
        rows : Dataset, DataFrame or iterable of dict
            With the template's columns.
        max_new_tokens : int
            The text ends there, or earlier at the end of a line.

        Raises
        ------
        PromptError
            For a masked language model, which fills gaps and does not go on writing.
        DataError
            If a row lacks a column, or a prompt and ``max_new_tokens`` exceed the
            model's context window.
        """
        if self.lm.kind != "causal":
            raise PromptError(
                f"{self.lm.name} is a masked language model: it fills gaps and does "
                "not write on; use predict(rows, answers=[...])"
            )
        return generation.generate(self, rows, max_new_tokens, batch_size)

    def save(self, folder: str | Path) -> Path:
        """Write the prompt into a folder, as one file ``prompt.safetensors``.

        The file's metadata hold everything but the table as JSON, so that template and
        table can never part. A save that is cut off leaves what was there before.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        OSError
            If the folder cannot be written; no half-written file is left.
        """
        folder, table = Path(folder), self._table
        if table is None:
            table = torch.zeros(0, self.lm.token_dim)
        about = {
            "format": FORMAT,
            "template": self.template.text,
            "answers": self.answers,
            "lm": self.lm.name,
            "lm_fingerprint": self.lm.fingerprint,
            "lm_settings": self.lm.settings,
            "num_virtual_tokens": self.num_virtual_tokens,
            "token_dim": self.lm.token_dim,
            "versions": {"ptlearn": __version__, "torch": torch.__version__},
        }
        table = table.cpu().contiguous()
        about[CHECK] = _checksum(about, table)
        # One entry: safetensors writes several in any order, so with other bytes.
        metadata = {"prompt": json.dumps(about, ensure_ascii=False)}
        with write_atomically(folder / FILE) as path:
            path.write_bytes(save({KEY: table}, metadata))
        # The second file of a prompt of format 1, which says nothing of this table.
        (folder / OLD_FILE).unlink(missing_ok=True)
        return folder

    @classmethod
    def load(cls, folder: str | Path, lm: LanguageModel) -> "Prompt":
        """Read a saved prompt for the language model it was trained on.

        The model may have another ``dtype`` than in training: it is the same model.
        Warns if its tokenizer or settings are others than when it was saved.

        Raises
        ------
        PromptError
            If the folder holds no prompt, the prompt is damaged or of an unknown
            format, or it belongs to another language model; the message names both.
        """
        with _opened(folder) as file:
            about, table = _about(file, folder), file.get_tensor(KEY)
            if about.get(CHECK) not in (None, _checksum(about, table)):  # None: older
                raise _damaged(folder, "its content is not what was saved")
        own = lm.fingerprint if about["format"] == FORMAT else lm.embedding_fingerprint
        if about["lm_fingerprint"] != own:
            raise PromptError(
                f"the prompt in {folder} was trained on {about['lm']!r}, this is "
                f"{lm.name!r} with other weights: a prompt fits one model, so load that"
            )
        if not lm.has_settings(about.get("lm_settings")):
            warnings.warn(
                f"the prompt in {folder} was saved with another tokenizer or other "
                f"settings of {about['lm']!r} than {lm.name!r} has: answers may differ",
                stacklevel=2,
            )
        table = table if table.numel() else None
        return cls(lm, about["template"], table, answers=about["answers"])

    def __repr__(self) -> str:
        return (
            f"Prompt({self.template.text!r}, lm={self.lm.name!r}, "
            f"num_virtual_tokens={self.num_virtual_tokens})"
        )


def saved_lm_name(folder: str | Path) -> str:
    """Return the name of the language model that a saved prompt was trained on.

    Reads the head of the file and not the table.

    Raises
    ------
    PromptError
        If the folder holds no prompt, or one that is damaged or of an unknown format.
    """
    with _opened(folder) as file:
        return _about(file, folder)["lm"]


@contextmanager
def _opened(folder: str | Path) -> Iterator[safe_open]:
    """Open a saved prompt's file; what fails inside becomes a PromptError."""
    try:
        with safe_open(Path(folder) / FILE, "pt") as file:
            yield file
    except PtlearnError:
        raise
    except FileNotFoundError as error:
        missing = Path(error.filename or FILE).name
        raise PromptError(f"no prompt in {folder}: it has no {missing}") from error
    except Exception as error:  # the parsers raise kinds of their own
        raise _damaged(folder, error) from error


def _damaged(folder: str | Path, reason: object) -> PromptError:
    return PromptError(f"the prompt in {folder} is damaged: {reason}")


def _checksum(about: dict, table: Tensor) -> str:
    told = {name: value for name, value in about.items() if name != CHECK}
    text = f"{json.dumps(told)} {table.dtype} {tuple(table.shape)}"
    digest = hashlib.sha256(text.encode())
    digest.update(table.flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _about(file: safe_open, folder: str | Path) -> dict:
    """Return what a saved prompt says of itself, checked."""
    text = (file.metadata() or {}).get("prompt")
    if text is None:  # format 1
        text = (Path(folder) / OLD_FILE).read_text(encoding="utf-8")
    about = json.loads(text)
    if not isinstance(about, dict) or "format" not in about:
        raise _damaged(folder, f"{reprlib.repr(about)} has no format number")
    if about["format"] not in (1, FORMAT):
        raise PromptError(
            f"the prompt in {folder} has format {about['format']!r}; known are 1 and "
            f"{FORMAT}. A newer ptlearn may have written it: update yours"
        )
    for name, kind in ENTRIES.items():
        if name not in about:
            raise _damaged(folder, f"{name} is missing")
        if not isinstance(about[name], kind):
            raise _damaged(folder, f"{name} is {reprlib.repr(about[name])}")
    if not all(isinstance(answer, str) for answer in about["answers"]):
        raise _damaged(folder, f"answers is {reprlib.repr(about['answers'])}")
    return about


def _as_list(answers: Iterable[str]) -> list[str]:
    if isinstance(answers, str):
        raise PromptError(f"answers={answers!r} is one text; give a list of answers")
    for answer in (answers := list(answers)):
        if text_of(answer) is None:
            raise PromptError(f"{answer!r} cannot be an answer: give a word or number")
    return [text_of(answer) for answer in answers]
