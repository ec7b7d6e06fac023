"""Training the virtual tokens."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["LEARNING_RATES", "TrainingConfig"],
        "diagnosis": ["UNSEEN", "diagnose"],
        "findings": ["Finding"],
        "fit": ["fit"],
        "history": ["History"],
        "learning_findings": ["gradient_norms"],
        "score_findings": ["yardsticks"],
    },
)
