"""The command line in this process; its tree of commands is built once, which takes 0.1 s."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from click.testing import CliRunner, Result
from typer.main import get_command

from share_actors.cli import app


@cache
def _commands() -> Any:
    return get_command(app)


def invoke(words: Sequence[str]) -> Result:
    """The result of the command line *words*."""
    return CliRunner().invoke(_commands(), list(words))
