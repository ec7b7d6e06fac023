"""The command line: ``ptlearn`` and ``python -m ptlearn``.

Every command imports what it needs when it runs, so that ``--help`` is immediate.
"""

import errno
import sys
from typing import Annotated

import typer

from .. import __version__
from ..errors import PtlearnError
from . import course, doctor, predict, serve, study, train

NO_BUG = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
"""What the system says of a full disk, and of files that may not be used."""

app = typer.Typer(
    help="P-Tuning, taught by running it: the lessons, and prompts for your own data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # errors of the options look like our own: plain lines
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. An error of ours is a clean message and exit code 1.

    So is a full disk, or a folder that may not be written. Any other error is a bug and
    keeps its traceback.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.

    Raises
    ------
    SystemExit
        With the command's exit code.
    """
    try:
        app(arguments)
    except PtlearnError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in NO_BUG or not error.filename:
            raise
        print(f"Error: {error.filename}: {error.strerror}.", file=sys.stderr)
        sys.exit(1)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"ptlearn {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    pass


app.command()(course.fetch)
app.command()(doctor.doctor)
app.command()(course.course)
app.command()(course.site)
app.command()(course.slides)
app.command()(course.refresh)
app.command()(train.train)
app.command()(predict.predict)
app.command()(serve.serve)
app.add_typer(study.app, name="study")
