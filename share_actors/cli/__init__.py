"""`share-actors`, the command line. A command is imported when it is run, and Ray when it connects."""

from __future__ import annotations

import io
import sys
from contextlib import suppress

import typer

from share_actors.cli import command
from share_actors.cli.exit_codes import EXIT_CODES, INTERRUPTED
from share_actors.cli.program import ProgramGroup

__all__ = ["EXIT_CODES", "app", "main"]


def _exit_code_help() -> str:
    lines = [f"{code:>4}  {meaning}" for code, meaning in EXIT_CODES.items()]
    return "\n".join(["[bold]Exit codes[/]", *lines])


app = typer.Typer(
    name="share-actors",
    cls=ProgramGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_exit_code_help(),
)


@app.callback()
@command.root_callback
def _root() -> None:
    """Manage shared filesystems: create shares, control access, take snapshots.

    Sizes are whole GiB. A command that changes something returns when the backend has finished.
    The request is recorded durably before that, so stopping early (--no-wait, Ctrl-C) loses nothing.

    New here? [bold]share-actors demo[/] shows everything in a minute; [bold]share-actors up[/] starts
    a system that keeps running.
    """


def main() -> None:
    """Run the command line: the entry point of the `share-actors` script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that can't be printed is no defect
            with suppress(OSError):  # a stream that was opened for reading too
                stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="share-actors")
    except SystemExit as exit_request:
        if exit_request.code == INTERRUPTED:
            command.exit_now(INTERRUPTED)
        raise
