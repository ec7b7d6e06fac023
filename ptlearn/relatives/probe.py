"""A linear probe: logistic regression on the model's last hidden state.

It reads what the model has made of the row at the place where the answer would be
read, and has no vocabulary: it can only give an answer that it was shown.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from ..forward import scoring
from ..forward.batches import batches_by_length
from ..lm.language_model import LanguageModel
from ..tasks.task import Task
from ..templates.batching import pad
from ..templates.language import Template
from ..templates.tokenization import TemplateTokens

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""The values of C, the inverse of scikit-learn's penalty, that dev rows choose from."""
LEAST = 1e-9
"""The probability of an answer that the probe was never shown."""


class LinearProbe:
    """Logistic regression on the last hidden state, its penalty chosen by dev loss.

    Parameters
    ----------
    lm : LanguageModel
        A causal one. It is read and not changed.
    wording : str
        What the row is put into; its answer is not read.

    Attributes
    ----------
    strength : float
        The C that was chosen.
    dev_loss : float
        Of it, in nats a row.
    """

    def __init__(self, lm: LanguageModel, wording: str):
        self.lm, self.tokens = lm, TemplateTokens(lm, Template(wording))
        self.strength = self.dev_loss = float("nan")

    def fit(self, task: Task) -> "LinearProbe":
        """Learn from the train rows; dev rows choose the penalty."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        states = {name: self.states(task.split(name)) for name in ("train", "dev")}
        answers = {name: list(task.split(name)["answer"]) for name in states}
        best = float("inf")
        for strength in STRENGTHS:
            regression = LogisticRegression(C=strength, max_iter=1000)
            model = make_pipeline(StandardScaler(), regression)
            with warnings.catch_warnings():
                # Of 32 cities hardly two lie in one country.
                warnings.filterwarnings("ignore", "The number of unique classes")
                model.fit(states["train"], answers["train"])
            loss = self._loss(model, states["dev"], answers["dev"])
            if loss < best:
                best, self.strength, self.dev_loss = loss, strength, loss
                self.model = model
        return self

    @torch.no_grad()
    def states(self, rows, batch_size: int = 16) -> np.ndarray:
        """Return the last layer's state at the last token, shape (n, hidden size)."""
        prompts = [self.tokens.prompt_ids(row)[0] for row in scoring.as_rows(rows)]
        found = np.empty(len(prompts), dtype=object)
        for batch in batches_by_length([len(p) for p in prompts], batch_size):
            ids, mask = pad([prompts[i] for i in batch], "left", self.lm.device)
            out = self.lm.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=(mask.cumsum(1) - 1).clamp(min=0),
                output_hidden_states=True,
                logits_to_keep=1,
            )
            last = out.hidden_states[-1][:, -1].float().cpu().numpy()
            for i, state in zip(batch, last, strict=True):
                found[i] = state
        return np.stack(list(found))

    def predict(self, rows) -> list[str]:
        """Return an answer for each row, among those it was shown."""
        return [str(answer) for answer in self.model.predict(self.states(rows))]

    def num_trainable(self) -> int:
        """Count weights and intercepts; of two classes one line is enough."""
        regression = self.model[-1]
        return regression.coef_.size + regression.intercept_.size

    def save(self, folder: str | Path) -> Path:
        """Write weights, intercepts and the scaling of the states."""
        scaler, regression = self.model[0], self.model[-1]
        arrays = {
            "weights": regression.coef_,
            "intercepts": regression.intercept_,
            "means": scaler.mean_,
            "scales": scaler.scale_,
        }
        tensors = {
            name: torch.tensor(array, dtype=torch.float32).contiguous()
            for name, array in arrays.items()
        }
        names = {"answers": "\n".join(map(str, regression.classes_))}
        save_file(tensors, Path(folder) / "probe.safetensors", names)
        return Path(folder)

    @staticmethod
    def _loss(model, states: np.ndarray, answers: Sequence[str]) -> float:
        place = {answer: i for i, answer in enumerate(model[-1].classes_)}
        chances = model.predict_proba(states)
        own = [
            chances[row, place[answer]] if answer in place else 0.0
            for row, answer in enumerate(answers)
        ]
        return float(-np.log(np.maximum(own, LEAST)).mean())
