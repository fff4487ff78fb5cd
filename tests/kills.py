"""Processes that are killed at a chosen line: `kill -9` at every step of a command that changes files.

A step is a line of the modules that read and write logs, at its first and at its last execution. Pure
modules, such as deciders, are left out: a kill there is one at the line that called them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import share_actors

_TOP = Path(share_actors.__file__).parent
_TRACED = tuple(
    str(_TOP / part)
    for part in (
        "audit",
        "cli/commands/log",
        "cli/new_file.py",
        "durable_files.py",
        "events/checkpoints",
        "events/erasing",
        "events/log/lease",
        "events/log/log.py",
        "events/log/postgres",
        "events/log/sqlite",
        "events/subjects",
        "file_lock.py",
        "scratch.py",
    )
)
_QUICK = 3


class Step(NamedTuple):
    """The *nth* execution of a line."""

    file: str
    line: int
    nth: int

    def __str__(self) -> str:
        return f"{Path(self.file).relative_to(_TOP)}:{self.line} for the {self.nth}. time"


def steps_of(call: Callable[[], Any], *, all_steps: bool) -> list[Step]:
    """The steps of *call*, in order, which is run in a child process; without *all_steps* some of them."""
    answer, status = _in_child(call, None)
    assert status == 0, f"the call failed in its process:\n{answer}"
    steps = []
    for file, line, count in json.loads(answer):
        steps += [Step(file, line, nth) for nth in sorted({1, count})]
    return steps if all_steps else steps[3 :: max(1, len(steps) // _QUICK)]


def kill_at(step: Step, call: Callable[[], Any]) -> bool:
    """Run *call* in a child process that is killed before *step*; False if it ended before."""
    answer, status = _in_child(call, step)
    assert status in (0, signal.SIGKILL), f"{step}: the call failed:\n{answer}"
    return status == signal.SIGKILL


def _in_child(call: Callable[[], Any], step: Step | None) -> tuple[str, int]:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        sys.stdout.flush()
        if (child := os.fork()) == 0:
            _run(call, step, file)
        status = os.waitpid(child, 0)[1]
        file.seek(0)
        return file.read(), status


def _run(call: Callable[[], Any], step: Step | None, file: Any) -> None:
    lines = _Lines(step)
    try:
        threading.settrace(lines)
        sys.settrace(lines)
        call()
        answer, status = json.dumps([[*place, n] for place, n in lines.counts.items()]), 0
    except BaseException:
        answer, status = traceback.format_exc(), 1
    finally:
        sys.settrace(None)
    file.write(answer)
    file.flush()
    os._exit(status)


class _Lines:
    """A trace function that counts the executions of lines, and kills the process before *step*."""

    def __init__(self, step: Step | None) -> None:
        self.counts: dict[tuple[str, int], int] = {}
        self._step = step

    def __call__(self, frame: FrameType, event: str, _: Any) -> _Lines | None:
        if event == "call":
            return self if frame.f_code.co_filename.startswith(_TRACED) else None
        if event == "line":
            place = (frame.f_code.co_filename, frame.f_lineno)
            self.counts[place] = count = self.counts.get(place, 0) + 1
            if self._step == (*place, count):
                os.kill(os.getpid(), signal.SIGKILL)
        return self
