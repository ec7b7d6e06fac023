"""How good a prompt is, and what a task gives away without one."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "attention": ["answer_attention"],
        "baselines": ["controls", "easy_rows", "text_baselines"],
        "calibration": ["answer_table", "calibrate", "content_free_bias"],
        "demonstrations": [
            "draw_demonstrations",
            "in_context",
            "with_demonstrations",
        ],
        "label_words": ["frequent_words", "score_label_words", "word_log_probs"],
        "probabilities": ["answer_probabilities"],
        "report": ["Report", "evaluate", "wilson_interval"],
    },
)
