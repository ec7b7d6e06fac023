"""Figures in one style, each shown with a sentence that says what is in it."""

from importlib.util import find_spec

import lazy_loader

if not find_spec("seaborn"):
    raise ModuleNotFoundError(
        "figures need matplotlib, seaborn and IPython, which the core of ptlearn does "
        "not install: pip install 'ptlearn[course]'"
    )

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "attention": ["attention_maps"],
        "clinic": ["symptoms"],
        "diagrams": ["unrolled_lstm"],
        "display": ["show"],
        "figures": [
            "lr_heatmap",
            "seeds_strip",
            "training_curves",
            "wording_bars",
        ],
        "folding": ["fold_before_after"],
        "found": ["differences_by_task"],
        "geometry": ["token_geometry", "token_paths"],
        "mechanisms": [
            "coupling",
            "grafts",
            "lengths",
            "rate_and_move",
            "sgd_and_adam",
        ],
        "other_tasks": ["arms_and_controls", "chosen_and_tested", "scores_by_draw"],
        "own_rows": ["loss_beside_prior", "sweep_curves"],
        "relatives": [
            "forgetting",
            "many_customers",
            "relatives_costs",
            "relatives_quality",
        ],
        "scores": ["coverage_curves", "scores_by_task"],
        "studies": ["beside_baselines", "convergence", "verdicts", "what_helped"],
        "style": ["arm_styles", "save_picture", "use_style"],
        "traces": ["barriers", "loss_curves", "switches"],
        "worlds": ["recall_and_guess", "union_of_prompts"],
    },
)
