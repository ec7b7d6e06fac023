"""P-Tuning among its relatives: the same rows, each method at its own best rate."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "catalogue": ["RelativesStudy"],
        "model_tuner": ["ModelTuner"],
        "methods": [
            "full_tuner",
            "lora_tuner",
            "make_tuner",
            "prefix_tuner",
        ],
        "probe": ["LinearProbe"],
        "run": ["relatives_results", "run_relatives", "run_timings", "timings"],
        "tables": [
            "customers_table",
            "decision_guide",
            "missing_runs",
            "relatives_summary",
            "relatives_verdicts",
            "timing_summary",
        ],
        "trial": ["METHODS", "SETTINGS", "Trial"],
    },
)
