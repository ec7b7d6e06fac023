"""The template language, and how a row becomes token ids."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "batching": ["embed", "pad"],
        "language": [
            "Answer",
            "Field",
            "Template",
            "Text",
            "Virtual",
            "VirtualWords",
            "render",
        ],
        "lengths": ["shorten", "token_lengths"],
        "tokenization": ["Example", "TemplateTokens"],
    },
)
