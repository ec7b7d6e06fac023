"""Running the service: until it is stopped, or for the length of a ``with`` block."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from ..errors import PromptError
from ..prompts.prompt import Prompt
from .app import make_app

HOST, PORT = "127.0.0.1", 8000
"""This computer alone: nobody else can reach the service."""
SECONDS_TO_START = 20


def serve(prompt: Prompt, *, host: str = HOST, port: int = PORT) -> None:
    """Answer requests until Ctrl-C.

    Raises
    ------
    PromptError
        If the address is not free.
    """
    with _bound(host, port) as listening:
        _server(prompt).run(sockets=[listening])


@contextmanager
def serving(prompt: Prompt, *, port: int = 0) -> Iterator[str]:
    """Answer requests in the background while a ``with`` block lasts.

    Parameters
    ----------
    prompt : Prompt
    port : int
        0 takes a free one.

    Yields
    ------
    str
        The address, such as ``http://127.0.0.1:51234``.

    Raises
    ------
    PromptError
        If the port is not free, or the service did not start.
    """
    with _bound(HOST, port) as listening:
        server = _server(prompt)
        work = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, daemon=True
        )
        work.start()
        try:
            _wait(server, work)
            yield f"http://{HOST}:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            work.join()


def _server(prompt: Prompt) -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(make_app(prompt), log_level="warning"))


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Take the address before anything is said of it."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise PromptError(
                f"the service cannot have {host}:{port}: {error.strerror}. Take "
                "another port: --port 8001"
            ) from error
        yield listening


def _wait(server: uvicorn.Server, work: threading.Thread) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while not server.started:
        if not work.is_alive() or time.monotonic() > end:
            raise PromptError("the service did not start.")
        time.sleep(0.01)
