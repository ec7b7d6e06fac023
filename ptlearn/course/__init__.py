"""What only the course needs: lessons, exercises, claims, the doctor."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "architectures",
        "claims",
        "clinic",
        "doctor",
        "exercises",
        "feedback",
        "predictions",
        "runner",
        "said_and_found",
    ],
)
