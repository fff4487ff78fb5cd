"""The command line on a terminal of a given width, in this process."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from tests.docs.shell import PROGRAM, root


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@contextmanager
def terminal(width: int, **variables: str) -> Iterator[tuple[Terminal, Terminal]]:
    """A terminal of *width* as stdout and stderr of this process; its variables are *variables*."""
    out, err = Terminal(), Terminal()
    environment = {"COLUMNS": str(width), "TERM": "dumb", **variables}
    with (
        mock.patch.object(sys, "stdout", out),
        mock.patch.object(sys, "stderr", err),
        mock.patch.dict(os.environ, environment),
    ):
        yield out, err


def seen(words: list[str], width: int = 80, **variables: str) -> tuple[str, str]:
    """What the command line *words* prints on a terminal of *width*: to stdout, and to stderr."""
    with terminal(width, **variables) as (out, err):
        run: Any = root()
        run.main(args=words, prog_name=PROGRAM, standalone_mode=False)
        return out.getvalue(), err.getvalue()


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of this process with *variables*, and none of the program's own."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("SHARE_ACTORS_")}
    return {**own, **variables}
