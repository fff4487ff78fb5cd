"""`stopped.json` in the home: the systems that were stopped last, so that others are known to have died."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from share_actors.actors.runtime.system_state import SystemState

MAX_KEPT = 20
"""A program is told of its system's end long before so many later ones were stopped."""
_Key = tuple[int, float]


@contextmanager
def stopping(home: Path, state: SystemState) -> Iterator[None]:
    """Record that the running system of *state* is being stopped, from the beginning of the block.

    It is not recorded if the block raises, or if the system has died before.
    """
    if state.pid is None or not state.alive:
        yield
        return
    before = _read(home)
    _write(home, [*before, (state.pid, state.created)][-MAX_KEPT:])
    try:
        yield
    except BaseException:
        _write(home, before)
        raise


def was_stopped(home: Path, state: SystemState) -> bool:
    """Whether the system of *state* was stopped, or is being stopped."""
    return (state.pid, state.created) in _read(home)


def _path(home: Path) -> Path:
    return home / "stopped.json"


def _read(home: Path) -> list[_Key]:
    """The head process of each stopped system; what cannot be read says nothing of any system."""
    with suppress(OSError, ValueError, TypeError):
        return [(int(pid), float(created)) for pid, created in json.loads(_path(home).read_bytes())]
    return []


def _write(home: Path, stopped: list[_Key]) -> None:
    """Replace the file; a home that cannot be written to keeps no system from being stopped."""
    with suppress(OSError):
        descriptor, temporary = tempfile.mkstemp(prefix=".stopped.json.", dir=home)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(stopped) + "\n")
        os.replace(temporary, _path(home))
