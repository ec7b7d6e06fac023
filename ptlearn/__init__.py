"""P-Tuning, taught by running it: ``import ptlearn as pt``.

Names are loaded when they are first used, so that ``import ptlearn`` and the
command line's ``--help`` do not wait for torch.
"""

import importlib.metadata
import platform

import lazy_loader

__version__ = "0.1.0"


def versions() -> str:
    """One line with the versions that a lesson's numbers depend on."""
    packages = ("torch", "transformers")
    found = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    python = f"Python {platform.python_version()}"
    return ", ".join([python, f"ptlearn {__version__}", *found])


__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "course",
        "errors",
        "evaluation",
        "lm",
        "mechanisms",
        "plots",
        "prompts",
        "relatives",
        "studies",
        "tasks",
        "templates",
        "training",
    ],
    submod_attrs={
        "errors": ["PtlearnError"],
        "evaluation.baselines": ["controls", "easy_rows"],
        "evaluation.demonstrations": ["in_context", "with_demonstrations"],
        "evaluation.report": ["Report", "evaluate"],
        "lm.language_model": ["LanguageModel"],
        "lm.load": ["load_lm"],
        "plots.display": ["show"],
        "prompts.encoders": ["EncoderConfig"],
        "prompts.peft_format": ["from_peft", "to_peft"],
        "prompts.prompt": ["Prompt"],
        "prompts.tuner": ["PromptTuner"],
        "tasks.task": ["Task", "load_task", "task_names"],
        "templates.language": ["Template"],
        "training.config": ["TrainingConfig"],
        "training.fit": ["fit"],
        "training.history": ["History"],
    },
)
