"""``ptlearn serve``: a saved prompt answers over HTTP, on this computer."""

from pathlib import Path
from typing import Annotated

import typer

from .predict import Device, Model, load_prompt


def serve(
    prompt: Annotated[Path, typer.Option(help="The folder that `train` wrote.")],
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Where to listen.")
    ] = 8000,
    host: Annotated[
        str,
        typer.Option(
            help="127.0.0.1 is this computer alone. With another address everybody "
            "who can reach it can ask: there is no password."
        ),
    ] = "127.0.0.1",
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Answer rows over HTTP until Ctrl-C: POST them as JSON to /predict."""
    from .. import service  # first: without the extra it says how to install it

    loaded = load_prompt(prompt, model, device)
    fields = ", ".join(f'"{field}": "..."' for field in loaded.template.fields)
    print(
        f"http://{host}:{port} answers, until Ctrl-C. In another window:\n"
        f"  curl http://{host}:{port}/predict -d '{{\"rows\": [{{{fields}}}]}}'",
        flush=True,
    )
    service.serve(loaded, host=host, port=port)
