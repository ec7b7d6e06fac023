"""How good a prompt is, and what the same score is worth without one.

A tuned prompt can learn the answers' distribution from its training rows alone, so a
score says little until a majority vote, naive Bayes and a language model that has
learnt nothing stand beside it (OptiPrompt, Zhong et al. 2021, section 3.3).
"""

from dataclasses import dataclass

import pandas as pd
from scipy.stats import binomtest

from . import scoring
from .models import LanguageModel, random_lm_like
from .past import ContextStore
from .prompt import Prompt
from .tasks import Task
from .templates import Template
from .tuner import PromptTuner

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Report:
    """What one prompt scored on one split.

    Attributes
    ----------
    rows : DataFrame
        One line a row: the task's columns, ``predicted`` (best of the task's
        answers), ``correct``, ``hit`` (strict P@1), ``log_prob`` (of the row's own
        answer, natural logarithm, summed over its tokens).
    split : str
    """

    rows: pd.DataFrame
    split: str

    @property
    def n(self) -> int:
        """Number of rows scored."""
        return len(self.rows)

    @property
    def p_at_1(self) -> float:
        """Share of rows whose answer is the argmax over the whole vocabulary."""
        return float(self.rows["hit"].mean())

    @property
    def accuracy(self) -> float:
        """Share of rows whose answer is the best of the task's answers."""
        return float(self.rows["correct"].mean())

    @property
    def loss(self) -> float:
        """Minus the mean log-probability of the answers, in nats."""
        return float(-self.rows["log_prob"].mean())

    @property
    def p_at_1_interval(self) -> tuple[float, float]:
        """95 % interval of :attr:`p_at_1` (Wilson) over other rows like these."""
        return wilson_interval(int(self.rows["hit"].sum()), self.n)

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % interval of :attr:`accuracy` (Wilson) over other rows like these."""
        return wilson_interval(int(self.rows["correct"].sum()), self.n)

    def __repr__(self) -> str:
        low, high = self.p_at_1_interval
        below, above = self.accuracy_interval
        return (
            f"Report({self.split}, n={self.n}, "
            f"p_at_1={self.p_at_1:.3f} [{low:.3f}, {high:.3f}], "
            f"accuracy={self.accuracy:.3f} [{below:.3f}, {above:.3f}])"
        )


def wilson_interval(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of ``hits`` in ``n``, by Wilson's score."""
    interval = binomtest(hits, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def evaluate(
    prompted: Prompt | PromptTuner,
    task: Task,
    *,
    split: str = "test",
    batch_size: int = 16,
    store: ContextStore | None = None,
    progress: bool = True,
) -> Report:
    """Score a hand-written, tuned or folded prompt on a split of a task.

    P@1 is strict: every token of the answer must be the most probable one of the whole
    vocabulary, the tokens before it being given. In a masked model the number of masks
    is the right answer's. Accuracy chooses among ``task.answers`` by log-probability,
    which is easier: a chance guess is right once in ``len(task.answers)``.

    Parameters
    ----------
    prompted : Prompt or PromptTuner
        A tuner is scored as it would be after folding: without dropout.
    split : "train", "dev" or "test"
    store : ContextStore, optional
        Keeps frozen contexts, for a split that is scored several times.

    Raises
    ------
    TaskError
        If the task has no such split, or lacks a column of the template; names those
        there are.
    EncodingError
        If a row is too long or an answer has no tokens.
    """
    task.check_columns(prompted.template.fields)
    rows = scoring.as_rows(task.split(split))
    scores = scoring.score(
        prompted,
        rows,
        task.answers,
        batch_size=batch_size,
        store=store,
        progress=progress,
    )
    frame = pd.DataFrame(rows).assign(
        predicted=scores.predicted,
        correct=[
            predicted == str(row["answer"])
            for predicted, row in zip(scores.predicted, rows, strict=True)
        ],
        hit=scores.hit,
        log_prob=scores.gold_log_prob,
    )
    return Report(frame, split)


def controls(
    task: Task,
    lm: LanguageModel,
    template: Template | str,
    *,
    split: str = "test",
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """What the task gives away without any knowledge in the language model.

    Parameters
    ----------
    lm : LanguageModel
        The control keeps its architecture and tokenizer and draws new weights.
    template : Template or str
        Without virtual tokens: the wording that the random-weight LM reads.
    seed : int
        For the random weights.

    Returns
    -------
    DataFrame, one line a control
        Index: "majority" (the commonest training answer), "naive Bayes" (on the words
        of the input, learnt on the training rows), "random-weight LM". Columns:
        ``accuracy``, ``low``, ``high`` (95 % interval), ``n``.
    """
    answers = [str(row["answer"]) for row in scoring.as_rows(task.split(split))]
    guesses = text_baselines(task, split)
    prompt = Prompt(random_lm_like(lm, seed=seed), template)
    report = evaluate(prompt, task, split=split, progress=progress)
    guesses["random-weight LM"] = report.rows["predicted"]
    lines = {}
    for name, predicted in guesses.items():
        hits = sum(p == a for p, a in zip(predicted, answers, strict=True))
        low, high = wilson_interval(hits, len(answers))
        share = hits / len(answers)
        lines[name] = {"accuracy": share, "low": low, "high": high, "n": len(answers)}
    return pd.DataFrame.from_dict(lines, orient="index")


def text_baselines(task: Task, split: str = "test") -> pd.DataFrame:
    """Answers that a majority vote and naive Bayes on the input's words would give.

    Both learn from the training rows and never see a language model.

    Returns
    -------
    DataFrame
        Columns "majority" and "naive Bayes", a line for each row of the split.
    """
    # Slow to import, and needed here alone.
    from sklearn.dummy import DummyClassifier
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    train, test = (scoring.as_rows(task.split(s)) for s in ("train", split))
    # Pieces of words as well, or a name that was never seen would tell it nothing.
    words = CountVectorizer(analyzer="char_wb", ngram_range=(2, 4))
    models = {
        "majority": DummyClassifier(strategy="most_frequent"),
        "naive Bayes": make_pipeline(words, MultinomialNB()),
    }
    texts = {
        name: [" ".join(str(row[c]) for c in task.inputs) for row in rows]
        for name, rows in (("train", train), ("test", test))
    }
    labels = [str(row["answer"]) for row in train]
    return pd.DataFrame(
        {
            name: model.fit(texts["train"], labels).predict(texts["test"])
            for name, model in models.items()
        }
    )


def easy_rows(task: Task, split: str = "test") -> pd.Series:
    """Which rows a majority vote or naive Bayes gets right; the others are hard.

    Returns
    -------
    Series of bool
        In the order of the split. Gains on hard rows cannot come from the answers'
        distribution or the look of the input alone (Zhong et al. 2021, section 5).
    """
    answers = [str(row["answer"]) for row in scoring.as_rows(task.split(split))]
    guesses = text_baselines(task, split)
    return guesses.eq(pd.Series(answers), axis=0).any(axis=1).rename("easy")
