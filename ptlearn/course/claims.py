"""Claims: the sentences of a lesson that a run must bear out.

``claims.check("mixed beats the best wording", mixed.p_at_1 > best.p_at_1)``
stands below the sentence it checks. The lessons were written on the embedded
model, so there a claim that fails stops the notebook: a test run of the
notebook is then a test of its text. Another model may well differ, and then the
claim only says that it "does not hold here".
"""

import re

import numpy as np

from ..errors import ClaimError

EMBEDDED_MODEL = "smollm2-135m"
HOLDS = "Claim holds: "
FAILS = "Claim does not hold here: "

# The model of this kernel, set by `about`. None means: nothing but arithmetic so
# far, and arithmetic must hold everywhere.
_model_name: str | None = None


def about(lm) -> None:
    """Say which language model the claims below are about.

    ``lm`` is what ``load_lm`` gave, or a model's name.
    """
    global _model_name
    _model_name = lm if isinstance(lm, str) else lm.name


def check(sentence: str, holds: bool, *, any_model: bool = False) -> None:
    """Print whether a sentence holds; stop the notebook where it has to.

    Parameters
    ----------
    sentence : str
    holds : bool
    any_model : bool
        True for claims that no model may break: shapes, identities, "the difference
        is 0.0".

    Raises
    ------
    ClaimError
        If it does not hold, and the model is the embedded one or ``any_model`` is set.
    TypeError
        If ``holds`` is no boolean.
    """
    if not isinstance(holds, bool | np.bool_):
        raise TypeError(
            f"A claim needs True or False, and {sentence!r} got {holds!r} "
            f"({type(holds).__name__}). Compare single numbers, or use .all()."
        )
    if holds:
        print(HOLDS + sentence)
    elif any_model or _model_name in (None, EMBEDDED_MODEL):
        raise ClaimError(
            f"This claim does not hold: {sentence!r}. The lesson's text rests on "
            "it. If you changed a parameter or a cell above, you have found where "
            "the claim ends; put it back to go on. If you changed nothing, please "
            "report it with the output of `ptlearn doctor`."
        )
    else:
        print(FAILS + sentence)


def count(text: str) -> tuple[int, int]:
    """Count the claims that held, and those that were made, in printed text."""
    held = len(re.findall(f"^{re.escape(HOLDS)}", text, re.MULTILINE))
    failed = len(re.findall(f"^{re.escape(FAILS)}", text, re.MULTILINE))
    return held, held + failed
