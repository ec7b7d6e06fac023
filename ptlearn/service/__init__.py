"""A saved prompt behind HTTP, on this computer: rows in, answers out."""

from importlib.util import find_spec

import lazy_loader

if not (find_spec("starlette") and find_spec("uvicorn")):
    raise ModuleNotFoundError(
        "the service needs Starlette and uvicorn, which the core of ptlearn does not "
        "install: pip install 'ptlearn[serve]'"
    )

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={"app": ["make_app"], "server": ["serve", "serving"]},
)
