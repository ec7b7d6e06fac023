"""A job: the settings of one run of a study, and the key that names it.

A job says everything that decides its row; a row says everything needed to repeat it.
Jobs are plain data, so that any executor can carry them to another process or machine.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import StudyError
from ..files import short_hash
from ..templates.language import Template
from ..training.config import TrainingConfig

GUESSES = ("majority", "naive Bayes")
"""Controls that read no prompt and need no language model."""
CONTROLS = (*GUESSES, "random weights", "random embeddings", "shuffled labels")
KEY_DEFAULTS = {
    "model": "smollm2-135m",
    "encoder": "none",
    "init": "",
    "lr": None,
    "seed": 0,
    "steps": 150,
    "batch_size": 16,
    "evaluate_every": 25,
    "metric": "p_at_1",
    "control": "",
    "per_answer": None,
    "dev_rows": None,
    "test_rows": None,
    "test_task": "",
    "weight_decay": 0.0,
    "warmup": 0.1,
    "max_grad_norm": 1.0,
    "patience": None,
    "schedule": "linear",
    "cv_fold": None,
    "few_rows": None,
    "start_seed": None,
    "weights_seed": None,
    "order_seed": None,
    "choose_by": "",
    "demonstrations": 0,
    "score_test": True,
    "rows": "",
    "dtype": "float32",
}
"""What a setting is where a key or a stored row does not mention it.

These were the defaults when rows were first stored. NEVER EDIT AN ENTRY, even if the
default itself changes: every stored row would be taken for another one. A new setting
of a job gets an entry here, with the value that the rows before it were made with.
"""


@dataclass(frozen=True)
class Job:
    """One run: everything that decides its numbers, and nothing else.

    Attributes
    ----------
    task, template, model : str
        A template without virtual tokens is scored as it is, and not trained.
    encoder, init : str
        As in ``PromptTuner``; an empty `init` leaves the start to the encoder.
    lr : float or None
        Peak learning rate; None where nothing is trained.
    seed : int
        Draws the initial vectors, the encoder's weights, the order of the rows,
        few-shot rows, shuffled labels and random weights alike.
    steps, batch_size, evaluate_every, metric
        As in ``fit``.
    control : str
        One of ``CONTROLS``, or "" for the real thing.
    per_answer : int or None
        Training rows of each answer (None: all), drawn by the seed.
    dev_rows, test_rows : int or None
        Only the first so many (None: all).
    test_task : str
        Score on the test rows of this other task; "" for the task's own.
    weight_decay, warmup, max_grad_norm, patience, schedule
        As in ``fit``.
    cv_fold : int or None
        Split all rows anew, into five folds, and test on this one; see
        ``tasks.cv_split``. None: the task's own splits.
    few_rows : int or None
        Learn from so many rows and choose by as many others; see ``tasks.few_rows``.
    start_seed, weights_seed, order_seed : int or None
        Seeds of their own for the initial vectors, the encoder's weights and the order
        of the rows; None is ``seed``.
    choose_by : str
        As ``metric`` in ``fit``; "" is ``metric``, which scores the test rows.
    demonstrations : int
        Training rows, drawn by ``seed``, that stand before a hand-written wording.
    score_test : bool
        False for a run that helps to choose a learning rate: it never sees a test row.
    rows : str
        ``tasks.content_hash`` of rows of your own, which the run is given beside the
        job; ``task`` is then only their name. "": a task that ships with the package.
    dtype : str
        As in ``load_lm``.

    Raises
    ------
    StudyError
        If there is no such control, or if steps or schedule are left open.
    TrainingError
        If ``fit`` would refuse the settings.
    """

    task: str
    template: str
    model: str = "smollm2-135m"
    encoder: str = "none"
    init: str = ""
    lr: float | None = TrainingConfig.lr
    seed: int = TrainingConfig.seed
    steps: int = 150
    batch_size: int = TrainingConfig.batch_size
    evaluate_every: int = TrainingConfig.evaluate_every
    metric: str = TrainingConfig.metric
    control: str = ""
    per_answer: int | None = None
    dev_rows: int | None = None
    test_rows: int | None = None
    test_task: str = ""
    weight_decay: float = TrainingConfig.weight_decay
    warmup: float = TrainingConfig.warmup
    max_grad_norm: float = TrainingConfig.max_grad_norm
    patience: int | None = TrainingConfig.patience
    schedule: str = "linear"
    cv_fold: int | None = None
    few_rows: int | None = None
    start_seed: int | None = None
    weights_seed: int | None = None
    order_seed: int | None = None
    choose_by: str = ""
    demonstrations: int = 0
    score_test: bool = True
    rows: str = ""
    dtype: str = "float32"

    def __post_init__(self):
        if self.control and self.control not in CONTROLS:
            raise StudyError(
                f"no control is called {self.control!r}: take one of "
                f'{", ".join(CONTROLS)}, or "" for none'
            )
        for name in ("steps", "schedule"):
            if getattr(self, name) is None:
                raise StudyError(
                    f"a job needs its {name}, not None: its row must say what was run, "
                    "whatever fit takes by default"
                )
        TrainingConfig(**self.training_settings())

    def training_settings(self) -> dict[str, Any]:
        """Return the settings that ``fit`` takes, by name."""
        own = asdict(self) | {"metric": self.choose_by or self.metric}
        if self.order_seed is not None:
            own["seed"] = self.order_seed
        names = [field.name for field in fields(TrainingConfig)]
        return {name: own[name] for name in names if name in own}

    @property
    def is_guess(self) -> bool:
        """Whether the answers come from the training rows alone, without a model."""
        return self.control in GUESSES

    @property
    def is_trained(self) -> bool:
        """Whether there is anything to train."""
        return Template(self.template).has_virtual_tokens and not self.is_guess

    @property
    def key(self) -> str:
        """What names the job: 16 hexadecimal digits, hashed from its settings.

        Only settings that differ from ``KEY_DEFAULTS`` count. So a setting that is
        added one day leaves the keys of old rows alone, and a default that changes
        gives another key to the jobs that take it.
        """
        told = {
            name: value
            for name, value in asdict(self).items()
            if name not in KEY_DEFAULTS or value != KEY_DEFAULTS[name]
        }
        text = json.dumps(told, sort_keys=True)
        return short_hash(text)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Job":
        """Return the job that gave a row.

        A setting that is younger than the row takes its value in ``KEY_DEFAULTS``.

        Raises
        ------
        StudyError
            If the row does not say its task or template.
        """
        known = KEY_DEFAULTS | dict(row)
        missing = [field.name for field in fields(cls) if field.name not in known]
        if missing:
            raise StudyError(
                f"row {row.get('key')} does not say its {', '.join(missing)}: "
                "take its line out and run the study again"
            )
        return cls(**{field.name: known[field.name] for field in fields(cls)})


def settings_key(kind: str, settings) -> str:
    """Return what names a run of another kind: 16 hexadecimal digits.

    Parameters
    ----------
    kind : str
        So that runs of two kinds with the same settings have two names.
    settings : dataclass
        Its fields that differ from their defaults count, so no default may change.
    """
    own = {f.name: getattr(settings, f.name) for f in fields(settings)}
    told = {f.name: own[f.name] for f in fields(settings) if own[f.name] != f.default}
    return short_hash(json.dumps({kind: told}, sort_keys=True))
