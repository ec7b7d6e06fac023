"""Comparisons that are fair and can be repeated: runs, rows and statistics."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "catalogue": ["course_studies", "load_study"],
        "costs": ["estimate_cost"],
        "inference": ["Comparison", "compare"],
        "job": ["Job"],
        "robustness": ["reliability", "steps_to_loss"],
        "run": ["run_job"],
        "scheduler": ["run_study"],
        "statistics": [
            "easy_and_hard",
            "mean_interval",
            "paired_differences",
            "recovered_gain",
            "steps_to",
            "summary",
        ],
        "study": ["Arm", "Study", "results"],
        "sweep": ["sweep"],
        "verdict": ["Rule", "verdicts"],
        "verification": ["verify"],
    },
)
