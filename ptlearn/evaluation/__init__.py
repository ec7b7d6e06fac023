"""How good a prompt is, and what a task gives away without one."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "baselines": ["controls", "easy_rows", "text_baselines"],
        "report": ["Report", "evaluate", "wilson_interval"],
    },
)
