"""One family of errors. Each message says what was wrong, the value, and what to do.

A learner reads them, so the command line prints the message alone, without traceback.
``except pt.errors.PtlearnError`` catches all of them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .training.history import History


class PtlearnError(Exception):
    """Base of all errors that this package raises on purpose."""


class TemplateError(PtlearnError):
    """A template that cannot be read, or that does not fit the language model."""


class DataError(PtlearnError):
    """Rows, answers or files of data that cannot be used; says which and where."""


class ModelError(PtlearnError):
    """A language model that cannot be downloaded, loaded or used as asked."""


class PromptError(PtlearnError):
    """A prompt, its encoder or its initialisation that cannot be made or loaded."""


class TrainingError(PtlearnError):
    """Training that cannot start or go on; the tuner holds the last good state.

    Attributes
    ----------
    history : History or None
        What was recorded up to there.
    """

    def __init__(self, message: str, history: "History | None" = None):
        super().__init__(message)
        self.history = history


class StudyError(PtlearnError):
    """A study, a job or stored rows that cannot be run, continued or read."""


class CourseError(PtlearnError):
    """Lessons that cannot be run as asked."""


class ClaimError(CourseError):
    """A claim of a lesson does not hold where it has to."""
