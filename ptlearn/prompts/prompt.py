"""A prompt as it is used: a template and, where it has virtual tokens, their table.

No encoder and no optimiser is left in it. A hand-written prompt is one with no table; a
tuned one is what ``PromptTuner.fold()`` gives. Both are scored by the same calls.
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from .. import __version__
from ..errors import PromptError
from ..files import write_atomically
from ..forward import generation, scoring
from ..forward.plan import ForwardPlan
from ..lm.language_model import LanguageModel
from ..templates.language import Template

FILE, OLD_FILE = "prompt.safetensors", "prompt.json"
KEY = "prompt_embeddings"
FORMAT = 2
"""Format 1 kept its JSON in a file of its own, and knew the embeddings only."""
ENTRIES = {
    "format": int,
    "template": str,
    "answers": list,
    "lm": str,
    "lm_fingerprint": str,
}
"""What a saved prompt must say of itself, and the type of each."""


class Prompt:
    """A template with its prompt table, ready to score, classify and generate.

    Parameters
    ----------
    lm : LanguageModel
    template : Template or str
    table : Tensor, shape (num_virtual_tokens, token_dim), optional
        The virtual tokens' vectors; none for a template without virtual tokens.
    answers : list of str, optional
        What :meth:`predict` chooses from.

    Raises
    ------
    PromptError
        If the table does not fit the template.
    """

    def __init__(
        self,
        lm: LanguageModel,
        template: Template | str,
        table: Tensor | None = None,
        *,
        answers: list[str] | None = None,
    ):
        template = Template(template) if isinstance(template, str) else template
        self.lm, self.template = lm, template
        self._plan = ForwardPlan(lm, template)
        self.tokens = self._plan.tokens
        self.answers = list(answers or [])
        wanted = (self.num_virtual_tokens, lm.token_dim)
        found = (0, lm.token_dim) if table is None else tuple(table.shape)
        if found != wanted:
            raise PromptError(
                f"the template {template.text!r} needs a table of shape {wanted} "
                f"(num_virtual_tokens, token_dim), not {found}"
                + ("; train one with PromptTuner" if table is None else "")
            )
        self._table = None if table is None else table.detach().to(lm.device)

    @property
    def num_virtual_tokens(self) -> int:
        """How many virtual tokens the template has under this tokenizer."""
        return self.tokens.num_virtual_tokens

    def prompt_embeddings(self) -> Tensor | None:
        """Return the table, (num_virtual_tokens, token_dim); None if there is none."""
        return self._table

    def answer_logits(self, rows) -> Tensor:
        """Return the logits at the answers' tokens, (their number, vocabulary)."""
        return scoring.answer_logits(self, rows)

    def answer_log_probs(self, rows, *, batch_size: int = 16) -> Tensor:
        """Return each row's log-probability of its answer, summed, shape (n,)."""
        return scoring.answer_log_probs(self, rows, batch_size=batch_size)

    def predict(self, rows, answers=None, *, batch_size: int = 16) -> list[str]:
        """Return the most probable answer for each row; needs no column ``answer``.

        Raises
        ------
        PromptError
            If there are no answers to choose from.
        """
        answers = answers or self.answers
        if not answers:
            raise PromptError(
                "no answers to choose from: predict(rows, answers=[...]), or train "
                "on a task, which keeps its answers with the prompt"
            )
        return scoring.score(self, rows, answers, batch_size=batch_size).predicted

    def generate(
        self, rows, *, max_new_tokens: int = 10, batch_size: int = 16
    ) -> list[str]:
        """Return what the model writes after the prompt, greedily, to a line's end.

        Raises
        ------
        PromptError
            For a masked language model, which fills gaps and does not go on writing.
        DataError
            If a prompt and ``max_new_tokens`` exceed the model's context window.
        """
        if self.lm.kind != "causal":
            raise PromptError(
                f"{self.lm.name} is a masked language model: it fills gaps and does "
                "not write on; use predict(rows, answers=[...])"
            )
        return generation.generate(self, rows, max_new_tokens, batch_size)

    def save(self, folder: str | Path) -> Path:
        """Write the prompt into a folder, as the one file ``prompt.safetensors``.

        Its metadata hold the template and all else as JSON, so that template and
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
        folder = Path(folder)
        table = self._table
        if table is None:
            table = torch.zeros(0, self.lm.token_dim)
        about = {
            "format": FORMAT,
            "template": self.template.text,
            "answers": self.answers,
            "lm": self.lm.name,
            "lm_fingerprint": self.lm.fingerprint,
            "num_virtual_tokens": self.num_virtual_tokens,
            "token_dim": self.lm.token_dim,
            "versions": {"ptlearn": __version__, "torch": torch.__version__},
        }
        metadata = {"prompt": json.dumps(about, ensure_ascii=False)}
        with write_atomically(folder / FILE) as path:
            path.write_bytes(save({KEY: table.cpu().contiguous()}, metadata))
        # What an earlier version of ptlearn wrote beside its table.
        (folder / OLD_FILE).unlink(missing_ok=True)
        return folder

    @classmethod
    def load(cls, folder: str | Path, lm: LanguageModel) -> "Prompt":
        """Read a saved prompt for the language model it was trained on.

        Raises
        ------
        PromptError
            If the folder holds no prompt, the file is damaged or of an unknown
            format, or the prompt belongs to another language model; the message
            names both.
        """
        folder = Path(folder)
        about, table = _read(folder)
        own = lm.fingerprint if about["format"] == FORMAT else lm.embedding_fingerprint
        if about["lm_fingerprint"] != own:
            raise PromptError(
                f"the prompt in {folder} was trained on {about['lm']!r}, this is "
                f"{lm.name!r} (its weights differ): a prompt fits one model"
            )
        table = table if len(table) else None
        return cls(lm, about["template"], table, answers=about["answers"])

    def __repr__(self) -> str:
        return (
            f"Prompt({self.template.text!r}, lm={self.lm.name!r}, "
            f"num_virtual_tokens={self.num_virtual_tokens})"
        )


def saved_lm_name(folder: str | Path) -> str:
    """Return the name of the language model that a saved prompt was trained on.

    Raises
    ------
    PromptError
        If the folder holds no prompt, or a damaged one.
    """
    return _read(Path(folder))[0]["lm"]


def _read(folder: Path) -> tuple[dict, Tensor]:
    """Read what a saved prompt says of itself, checked, and its table."""
    try:
        with safe_open(folder / FILE, "pt") as file:
            metadata, table = file.metadata() or {}, file.get_tensor(KEY)
        text = metadata.get("prompt")
        if text is None:  # of an earlier version, in two files
            text = (folder / OLD_FILE).read_text(encoding="utf-8")
        about = json.loads(text)
        found = {name: about[name] for name in ENTRIES}
        wrong = [n for n, kind in ENTRIES.items() if not isinstance(found[n], kind)]
    except FileNotFoundError as error:
        missing = Path(error.filename or folder / FILE).name
        raise PromptError(f"no prompt in {folder}: it has no {missing}") from error
    except Exception as error:  # the parsers raise kinds of their own
        raise PromptError(f"the prompt in {folder} is damaged: {error}") from error
    if found["format"] not in (1, FORMAT):
        raise PromptError(
            f"the prompt in {folder} has format {found['format']!r}; known are 1 and "
            f"{FORMAT}. A newer ptlearn may have written it: update yours"
        )
    if wrong or not all(isinstance(answer, str) for answer in found["answers"]):
        wrong = wrong or ["answers"]
        raise PromptError(
            f"the prompt in {folder} is damaged: {wrong[0]} is {found[wrong[0]]!r}"
        )
    return found, table
