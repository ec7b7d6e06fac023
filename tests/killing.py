"""Killing a piece of work at a chosen moment, in a fork that has imported everything.

POSIX alone. Modules are given as the files whose lines count as moments.
"""

import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Collection
from pathlib import Path


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_process(work: Callable) -> int:
    """Call ``work`` in a fork; returns the signal that ended it, or 0."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    assert os.WEXITSTATUS(status) == 0, "see the traceback above"
    return 0


def traced(work: Callable, files: Collection[str], at_line: Callable) -> None:
    """Call ``work``, and ``at_line(place)`` before each line of the files."""

    def lines(frame, event, argument):
        if event == "line":
            name = Path(frame.f_code.co_filename).name
            at_line(f"{name}, line {frame.f_lineno}, {frame.f_code.co_name}")
        return lines

    def calls(frame, event, argument):
        return lines if frame.f_code.co_filename in files else None

    sys.settrace(calls)
    try:
        work()
    finally:
        sys.settrace(None)


def places(work: Callable, files: Collection[str]) -> list[str]:
    """Return the places that ``work`` comes through, in order."""
    found: list[str] = []
    traced(work, files, found.append)
    return found


def killed_at_line(work: Callable, files: Collection[str], number: int) -> bool:
    """Do the work in a fork that kills itself at a line; False if it came to the end.

    Parameters
    ----------
    number : int
        Lines that it may come through before.
    """
    left = iter(range(number))

    def kill(place):
        if next(left, None) is None:
            die()

    return in_a_process(lambda: traced(work, files, kill)) == signal.SIGKILL


def killed_at_byte(work: Callable, number: int) -> bool:
    """Do the work in a fork that dies once a file of its has so many bytes.

    The system itself kills a process that writes beyond its limit, after the bytes up
    to the limit were written.
    """

    def limited():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # Python turns the signal into an error, unless it is put back.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))
        work()

    return in_a_process(limited) == signal.SIGXFSZ
