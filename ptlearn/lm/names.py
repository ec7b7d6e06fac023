"""What a model's name may mean, and what to say of one that cannot be loaded."""

import difflib
from pathlib import Path

from ..errors import ModelError
from ..tasks.worlds import WORLD_MODELS, world_dir
from .fetch import SMOLLM2

BUILT_IN = (SMOLLM2.name, "tiny", *WORLD_MODELS)


def folder_or_hub_id(name: str) -> str:
    """Return a folder's path or a Hub id; the world's models are folders of ours.

    Raises
    ------
    ModelError
        The name can be neither, or is a misspelling of a built-in one.
    """
    if name in WORLD_MODELS:
        return str(world_dir() / name)
    path = Path(name).expanduser()
    if name and path.is_dir():
        return str(path)
    looks_like_a_path = name[:1] in tuple("./~") or name.count("/") > 1 or "\\" in name
    # A misspelt "smollm2-135m" is not worth a question to the Hub.
    if not name or looks_like_a_path or _built_in(name):
        raise ModelError(f"There is no model {name!r}.{_suggestion(name)}")
    return name


def why_not_loaded(name: str, error: Exception) -> str:
    """Tell a learner what transformers' complaint comes to."""
    text = str(error)
    if "trust_remote_code" in text:
        return (
            f"{name!r} needs program code that comes with the model. ptlearn never "
            "runs such code; choose a model that transformers itself knows."
        )
    if "safetensors" in text:
        return (
            f"{name!r} has no safetensors weights. Other formats can run code when "
            f"they are opened and are never read. transformers said: {text}"
        )
    if Path(name).expanduser().is_dir():
        return (
            f"The folder {name!r} could not be loaded. It must hold a model in the "
            f"transformers format. transformers said: {text}"
        )
    return (
        f"{name!r} could not be loaded.{_suggestion(name)} A Hub id needs a network "
        f"the first time. transformers said: {text}"
    )


def _built_in(name: str) -> list[str]:
    """Return the built-in names that are close; none to a name with a slash."""
    if "/" in name:  # somebody's own SmolLM2 on the Hub
        return []
    return difflib.get_close_matches(name.lower(), BUILT_IN, n=3, cutoff=0.75)


def _suggestion(name: str) -> str:
    """Return the names close to one that is not there, and what else is possible."""
    path = Path(name).expanduser()
    near = [str(f) for f in path.parent.glob("*") if (f / "config.json").is_file()]
    close = _built_in(name) or difflib.get_close_matches(str(path), near)
    text = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return (
        f"{text} Known are {', '.join(map(repr, BUILT_IN))}, any local folder in the "
        "transformers format, and any Hub id such as 'openai-community/gpt2'."
    )
