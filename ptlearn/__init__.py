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
        "batching",
        "checkpoints",
        "checks",
        "claims",
        "course",
        "doctor",
        "encoders",
        "evaluation",
        "fetch",
        "files",
        "figure_style",
        "geometry",
        "initializers",
        "interop",
        "jobs",
        "models",
        "past",
        "plan",
        "plots",
        "prompt",
        "provenance",
        "scoring",
        "studies",
        "study_figures",
        "study_plans",
        "study_rows",
        "study_statistics",
        "tasks",
        "templates",
        "training",
        "tuner",
        "verify",
    ],
    submod_attrs={
        "encoders": ["EncoderConfig"],
        "evaluation": ["Report", "controls", "easy_rows", "evaluate"],
        "interop": ["from_peft", "to_peft"],
        "models": ["LanguageModel", "load_lm"],
        "jobs": ["Job"],
        "plots": ["show"],
        "prompt": ["Prompt"],
        "studies": ["Arm", "Study", "run_study"],
        "tasks": ["Task", "TaskError", "load_task", "task_names"],
        "templates": ["Template", "TemplateError"],
        "history": ["History", "TrainingError"],
        "training": ["fit"],
        "tuner": ["PromptTuner"],
    },
)
