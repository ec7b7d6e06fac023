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
from ..forward import scoring
from ..forward.plan import Plan
from ..lm.load import LanguageModel
from ..templates.language import Template


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
        self._plan = Plan(lm, template)
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
        """The table, shape (num_virtual_tokens, token_dim); None if it has none."""
        return self._table

    def answer_log_probs(self, rows, *, batch_size: int = 16) -> Tensor:
        """Log-probability of each row's answer, summed over its tokens, shape (n,)."""
        return scoring.answer_log_probs(self, rows, batch_size=batch_size)

    def predict(self, rows, answers=None, *, batch_size: int = 16) -> list[str]:
        """The most probable answer for each row; needs no ``answer`` column.

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
        """What the model writes after the prompt, greedily, up to a line's end.

        Raises
        ------
        PromptError
            For a masked language model, which fills gaps and does not go on writing.
        """
        if self.lm.kind != "causal":
            raise PromptError(
                f"{self.lm.name} is a masked language model: it fills gaps and does "
                "not write on; use predict(rows, answers=[...])"
            )
        return scoring.generate(self, rows, max_new_tokens, batch_size)

    def save(self, folder: str | Path) -> Path:
        """Write ``prompt.safetensors`` and ``prompt.json`` into a folder.

        The JSON file is written last and holds everything but the numbers, so a save
        that was cut off is never taken for a whole one.

        Raises
        ------
        OSError
            If the folder cannot be written; no half-written file is left.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        table = self._table
        if table is None:
            table = torch.zeros(0, self.lm.token_dim)
        with write_atomically(folder / "prompt.safetensors") as path:
            path.write_bytes(save({"prompt_embeddings": table.cpu().contiguous()}))
        about = {
            "format": 1,
            "template": self.template.text,
            "answers": self.answers,
            "lm": self.lm.name,
            "lm_fingerprint": self.lm.fingerprint,
            "num_virtual_tokens": self.num_virtual_tokens,
            "token_dim": self.lm.token_dim,
            "versions": {"ptlearn": __version__, "torch": torch.__version__},
        }
        with write_atomically(folder / "prompt.json") as path:
            text = json.dumps(about, indent=2, ensure_ascii=False)
            path.write_text(text + "\n", encoding="utf-8")
        return folder

    @classmethod
    def load(cls, folder: str | Path, lm: LanguageModel) -> "Prompt":
        """Read a saved prompt for the language model it was trained on.

        Raises
        ------
        PromptError
            If the folder holds no prompt, the files are damaged, or the prompt
            belongs to another language model; the message names both.
        """
        folder = Path(folder)
        try:
            about = json.loads((folder / "prompt.json").read_text(encoding="utf-8"))
            with safe_open(folder / "prompt.safetensors", "pt") as file:
                table = file.get_tensor("prompt_embeddings")
            text, fingerprint = about["template"], about["lm_fingerprint"]
        except FileNotFoundError as error:
            raise PromptError(f"no prompt in {folder}: {error.filename}") from error
        except Exception as error:  # the parsers raise kinds of their own
            raise PromptError(f"the prompt in {folder} is damaged: {error}") from error
        if fingerprint != lm.fingerprint:
            raise PromptError(
                f"the prompt in {folder} was trained on {about['lm']!r}, this is "
                f"{lm.name!r} (its word embeddings differ): a prompt fits one model"
            )
        return cls(lm, text, table if len(table) else None, answers=about["answers"])

    def __repr__(self) -> str:
        return (
            f"Prompt({self.template.text!r}, lm={self.lm.name!r}, "
            f"num_virtual_tokens={self.num_virtual_tokens})"
        )


def saved_lm_name(folder: str | Path) -> str:
    """Return the name of the language model that a saved prompt belongs to.

    Raises
    ------
    PromptError
        If the folder holds no prompt, or a damaged one.
    """
    try:
        text = (Path(folder) / "prompt.json").read_text(encoding="utf-8")
        return json.loads(text)["lm"]
    except FileNotFoundError as error:
        raise PromptError(f"no prompt in {folder}: {error.filename}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PromptError(f"the prompt in {folder} is damaged: {error}") from error
