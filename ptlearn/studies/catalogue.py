"""The course's studies, as data: what is compared with what.

Two studies that list the same run share its row. So the studies below the first tier
take its rows for what they have in common, and widening costs only what is new.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from ..errors import StudyError
from ..tasks.shipped import catalogue as shipped_tasks
from .defaults import defaults_studies
from .job import Job
from .other_tasks import same_meaning
from .precision import precision_studies
from .settling import settling_studies
from .staged import StagedStudy
from .study import Arm, Study

LRS = (2e-3, 2e-2, 2e-1)
CHOICE_TASKS = ("movie_sentiment", "product_sentiment", "topic", "word_in_context")
# The wording of each task whose words the arms start from. It was chosen on dev rows,
# and a test holds it to the stored rows.
BEST_WORDING = {
    "city_country": "City: {subject}\nCountry: {answer}",
    "movie_sentiment": "Review: {text}\nSentiment: {answer}",
}
AROUND = "[V:3] {subject} [V:3] {answer}"
# The best wording, with a virtual token for each token of its words.
WORDS_IN_PLACE = {
    "template": '[V:"City:"] {subject}[V:"\nCountry:"] {answer}',
    "init": "normal",
}
CITY = Job("city_country", AROUND, steps=60, evaluate_every=15, dev_rows=64)
REVIEW = Job(
    "movie_sentiment",
    "{text} [V:6] {answer}",
    steps=60,
    batch_size=8,
    evaluate_every=20,
    metric="accuracy",
    per_answer=32,
    dev_rows=64,
    test_rows=200,
)


def _wordings(task: str) -> tuple[Arm, ...]:
    metric = "accuracy" if task in CHOICE_TASKS else "p_at_1"
    jobs = [
        Job(task, text, metric=metric, dev_rows=200, test_rows=200)
        for text in shipped_tasks()[task]["prompts"]
    ]
    return tuple(Arm(f"{job.task}: {job.template}", job) for job in jobs)


def _named(base: Job, arms: dict[str, dict]) -> tuple[Arm, ...]:
    """Return arms by name, each with what differs from `base`."""
    return tuple(Arm(name, replace(base, **own)) for name, own in arms.items())


AT_WORDS = {"best wording's words": WORDS_IN_PLACE}
START = {
    "normal start": {"init": "normal"},
    "paper's N(0, 1)": {"init": "paper"},
    "vocabulary sample": {"init": "vocabulary"},
    "task words": {"init": "task"},
    "answer words": {"init": "answers"},
    **AT_WORDS,
}
ENCODER = {
    "MLP": {"encoder": "mlp"},
    "LSTM": {"encoder": "lstm"},
    "residual LSTM, words": WORDS_IN_PLACE | {"encoder": "residual-lstm"},
}
# The same words in the same places: only the start differs.
MIXED = {
    "mixed": {
        "template": "[V:3] City: {subject}\nCountry: [V:3] {answer}",
        "init": "normal",
    },
    "mixed, context words": {
        "template": '[V:"Name the country"] City: {subject}\nCountry: '
        '[V:"It is in"] {answer}',
        "init": "normal",
    },
}
WORDING = {"best wording, untrained": {"template": BEST_WORDING["city_country"]}}
PLACES = {
    "6 before": {"template": "[V:6] {subject} {answer}", "init": "normal"},
    "6 after": {"template": "{subject} [V:6] {answer}", "init": "normal"},
    **{
        f"{n} after": {"template": f"{{subject}} [V:{n}] {{answer}}", "init": "normal"}
        for n in (1, 2, 4, 8, 16)
    },
}
REVIEWS = {
    "all virtual": {"init": "normal"},
    "all virtual, task words": {"init": "task"},
    "LSTM": {"encoder": "lstm"},
    "mixed": {
        "template": "Review: {text}\n[V:3] Sentiment: [V:3] {answer}",
        "init": "normal",
    },
    "wording, trained": {
        "template": 'Review: {text}[V:"\nSentiment:"] {answer}',
        "init": "normal",
    },
    "wording, untrained": {"template": BEST_WORDING["movie_sentiment"]},
}
CONTROLS = {
    "majority": {"control": "majority"},
    "naive Bayes": {"control": "naive Bayes"},
    "random weights, wording": {
        "control": "random weights",
        "template": BEST_WORDING["city_country"],
    },
    "random weights, tuned": {"control": "random weights", "init": "normal"},
    "random embeddings, tuned": {"control": "random embeddings", "init": "normal"},
    "shuffled labels, tuned": {"control": "shuffled labels", "init": "normal"},
}
SHARED_RATE = {
    "normal start": {"init": "normal"},
    "MLP": {"encoder": "mlp"},
    "LSTM": {"encoder": "lstm"},
    "residual LSTM, words": WORDS_IN_PLACE | {"encoder": "residual-lstm"},
}


def _few_shot() -> tuple[Arm, ...]:
    arms = []
    for n in (8, 32, 128):
        base = replace(REVIEW, per_answer=n, dev_rows=min(2 * n, 200))
        for test in ("", "product_sentiment"):
            where = " to products" if test else ""
            arms += [
                replace(arm, name=f"{arm.name}, {n} a class{where}")
                for arm in _named(replace(base, test_task=test), REVIEWS)
            ]
    return tuple(arms)


@cache
def course_studies() -> Mapping[str, Study | StagedStudy]:
    """Return all studies of the course by name; the first four are the first tier."""
    shared = tuple(replace(arm, lrs=LRS[:1]) for arm in _named(CITY, SHARED_RATE))
    wordings = [arm for task in shipped_tasks() for arm in _wordings(task)]
    best = {"normal start": START["normal start"]}
    studies = [
        Study("wording", "How much depends on the wording?", tuple(wordings)),
        Study(
            "controls",
            "What is a score worth: what is reached without any knowledge?",
            _named(CITY, CONTROLS),
            LRS,
            (0, 1, 2),
        ),
        Study(
            "city_country",
            "Do the start, the encoder and words between help?",
            _named(CITY, START | ENCODER | MIXED | WORDING),
            LRS,
        ),
        Study(
            "movie_sentiment",
            "The same with 32 examples a class",
            _named(REVIEW, REVIEWS),
            LRS,
        ),
        Study(
            "start",
            "Does a random start of a bare table end in worse optima?",
            _named(CITY, START),
            LRS,
        ),
        Study(
            "encoder",
            "Does an encoder help, each at its own best rate?",
            _named(CITY, best | ENCODER),
            LRS,
        ),
        Study(
            "shared_rate",
            "What would one shared learning rate have claimed of the encoders?",
            shared,
        ),
        Study(
            "mixed",
            "All virtual, mixed or all words; where, and how many virtual tokens?",
            _named(CITY, best | AT_WORDS | MIXED | WORDING | PLACES),
            LRS,
        ),
        Study(
            "few_shot",
            "How many examples does it take, and does it carry over to products?",
            _few_shot(),
            LRS,
        ),
    ]
    own = {study.name: study for study in studies}
    others = {study.name: study for study in (same_meaning(),)}
    settling = settling_studies() | defaults_studies()
    return MappingProxyType(own | settling | others | precision_studies())


FIRST_TIER = ("wording", "controls", "city_country", "movie_sentiment")


def load_study(name: str) -> Study | StagedStudy:
    """Return a study of the course by its name.

    Raises
    ------
    StudyError
        If the name is unknown; lists the names there are.
    """
    studies = course_studies()
    if name not in studies:
        raise StudyError(
            f"no study is called {name!r}; there are: {', '.join(studies)}"
        )
    return studies[name]
