"""The command line on a system in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from share_actors.cli.session import Session
from share_actors.client import ShareSystem
from tests.command_tree import invoke


@contextmanager
def on(system: ShareSystem) -> Iterator[None]:
    """Have commands in this process work with *system* instead of connecting to one on Ray."""
    connecting = Session.__dict__["system"]
    Session.system = system  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        Session.system = connecting  # type: ignore[method-assign]


def run(words: Sequence[str]) -> Any:
    """The result of the command line with these words: `exit_code`, `output`, `exception`."""
    return invoke(list(words))
