"""Whether a prompt tuned with products in bfloat16 scores as one tuned in float32.

Both arms of a task differ in ``dtype`` alone and take what ``fit`` takes where nothing
is set, the learning rate too: whoever turns bfloat16 on changes nothing else.
"""

from dataclasses import replace

from ..training.config import LEARNING_RATES, LONGEST_RUN
from .job import Job
from .study import Arm, Study

PLATEAU = {"steps": LONGEST_RUN, "schedule": "plateau"}
JOBS = {
    # As "bare, now" in the study `defaults_nationality`, whose rows float32 shares.
    "nationality": Job("nationality", "[V:3] {subject} [V:3] {answer}", **PLATEAU),
    "topic": Job("topic", "{text} [V:6] {answer}", metric="accuracy", **PLATEAU),
}
"""A fact, with a shared prefix; and classes of a text, whose frozen context is kept."""
CONTRAST = ("bfloat16", "float32")


def precision_studies() -> dict[str, Study]:
    """Return a study for each task; a verdict compares the two arms ``CONTRAST``."""
    rate = LEARNING_RATES["none"]
    studies = [
        Study(
            f"precision_{task}",
            f"Do products in bfloat16 change what is learnt? ({task})",
            tuple(Arm(dtype, replace(job, dtype=dtype), (rate,)) for dtype in CONTRAST),
        )
        for task, job in JOBS.items()
    ]
    return {study.name: study for study in studies}
