"""The command line in this process; its tree of commands is built once, which takes 0.1 s."""

from __future__ import annotations

from collections.abc import Sequence

from click.testing import CliRunner, Result

from tests.docs.shell import root


def invoke(words: Sequence[str]) -> Result:
    """The result of the command line *words*."""
    return CliRunner().invoke(root(), list(words))
