"""What a task gives away without any knowledge in the language model.

A tuned prompt can learn the answers' distribution from its training rows alone, so a
score says little until a majority vote, naive Bayes and a language model that has
learnt nothing stand beside it (OptiPrompt, Zhong et al. 2021, section 3.3).
"""

import pandas as pd

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
    """Score what the task gives away without any knowledge in the language model.

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
    """Return what a majority vote and naive Bayes on the input's words answer.

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
    """Tell which rows a majority vote or naive Bayes gets right; others are hard.

    Returns
    -------
    Series of bool
        In the order of the split. Gains on hard rows cannot come from the answers'
        distribution or the look of the input alone (Zhong et al. 2021, section 5).
    """
    answers = [str(row["answer"]) for row in scoring.as_rows(task.split(split))]
    guesses = text_baselines(task, split)
    return guesses.eq(pd.Series(answers), axis=0).any(axis=1).rename("easy")
