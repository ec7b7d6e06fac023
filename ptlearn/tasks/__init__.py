"""Tasks: rows with answers, from the package or your own."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "rows": ["content_hash"],
        "groups": ["split_rows"],
        "sampling": ["cv_split", "few_rows"],
        "task": ["Task", "load_task", "task_names"],
        "worlds": ["world_task", "world_text"],
    },
)
