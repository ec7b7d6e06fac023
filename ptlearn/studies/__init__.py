"""Comparisons that are fair and can be repeated: runs, rows and statistics."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "catalogue": ["study_plan", "study_plans"],
        "job": ["Job", "run_job"],
        "study": ["Arm", "Study", "estimate", "results", "run_study"],
        "statistics": [
            "easy_and_hard",
            "mean_interval",
            "paired",
            "recovered_gain",
            "steps_to",
            "summary",
        ],
        "verify": ["verify"],
    },
)
