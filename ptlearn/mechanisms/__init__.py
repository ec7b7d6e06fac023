"""What a prompt encoder really does in training: experiments, rows and tables."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "catalogue": ["experiments", "load_experiment"],
        "run": ["experiment_results", "run_experiment"],
        "tables": ["barrier_summary", "coupling_maps", "mechanism_summary"],
    },
)
