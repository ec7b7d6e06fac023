"""Virtual tokens: their encoders and initial vectors, tuning, folding, files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "encoders": ["EncoderConfig", "PromptEncoder", "make_encoder"],
        "initializers": ["initial_table"],
        "peft_format": ["from_peft", "to_peft"],
        "prompt": ["Prompt"],
        "tuner": ["PromptTuner"],
    },
)
