"""Frozen language models: downloading, checking and loading them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["bfloat16", "download", "fetch", "language_model", "load", "names"],
    submod_attrs={
        "language_model": ["LanguageModel"],
        "load": ["load_lm", "random_lm_like"],
    },
)
