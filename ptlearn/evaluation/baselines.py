"""Controls: what a task gives away to a model that knows nothing.

A tuned prompt can learn the answers' distribution from its training rows alone, so a
score says little until a majority vote, naive Bayes and a language model that has
learnt nothing stand beside it (OptiPrompt, Zhong et al. 2021, section 3.3).
"""

import pandas as pd

from ..errors import DataError
from ..forward import scoring
from ..lm.language_model import LanguageModel
from ..lm.load import random_lm_like
from ..prompts.prompt import Prompt
from ..tasks.task import Task
from ..templates.language import Template
from .report import evaluate, wilson_interval


def controls(
    task: Task,
    lm: LanguageModel,
    template: Template | str,
    *,
    split: str = "test",
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Score what gets by on a task without any knowledge in the language model.

    Parameters
    ----------
    task : Task
        With a train split, from which majority and naive Bayes learn.
    lm : LanguageModel
        The control has its architecture and tokenizer, and random weights.
    template : Template or str
        Without virtual tokens: the wording that the random-weight LM reads.
    split : "train", "dev" or "test"
        What is scored.
    seed : int
        For the random weights.

    Returns
    -------
    DataFrame, one line for each control
        Index: "majority" (the commonest answer in training), "naive Bayes" (on the
        text of the input), "random-weight LM". Columns: ``accuracy``, ``low`` and
        ``high`` (its 95 % interval), ``n`` (rows).

    Raises
    ------
    DataError
        If the task has no such split or no train split; as :func:`evaluate` besides.
    PromptError
        If the template has virtual tokens.
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
    """Return what a majority vote and naive Bayes on the input's text answer.

    Both learn from the training rows and never see a language model.

    Returns
    -------
    DataFrame
        Columns "majority" and "naive Bayes", a line for each row of the split.

    Raises
    ------
    DataError
        If the task has no such split, no train split, or no text in its train rows.
    """
    # Slow to import, and needed here alone.
    from sklearn.dummy import DummyClassifier
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    train, test = (scoring.as_rows(task.split(s)) for s in ("train", split))
    # Pieces of words, because a name never seen in training is made of familiar ones.
    pieces = CountVectorizer(analyzer="char_wb", ngram_range=(2, 4))
    models = {
        "majority": DummyClassifier(strategy="most_frequent"),
        "naive Bayes": make_pipeline(pieces, MultinomialNB()),
    }
    texts = {
        name: [" ".join(str(row[c]) for c in task.inputs) for row in rows]
        for name, rows in (("train", train), ("test", test))
    }
    if not any(map(str.strip, texts["train"])):
        raise DataError(f"the train rows of {task.name} have no text to learn from")
    labels = [str(row["answer"]) for row in train]
    return pd.DataFrame(
        {
            name: model.fit(texts["train"], labels).predict(texts["test"])
            for name, model in models.items()
        }
    )


def easy_rows(task: Task, split: str = "test") -> pd.Series:
    """Tell which rows a majority vote or naive Bayes gets right; the rest are hard.

    Gains on hard rows cannot come from the answers' distribution or the look of the
    input alone (Zhong et al. 2021, section 5).

    Returns
    -------
    Series of bool
        In the order of the split.

    Raises
    ------
    DataError
        If the task has no such split or no train split.
    """
    answers = [str(row["answer"]) for row in scoring.as_rows(task.split(split))]
    guesses = text_baselines(task, split)
    return guesses.eq(pd.Series(answers), axis=0).any(axis=1).rename("easy")
