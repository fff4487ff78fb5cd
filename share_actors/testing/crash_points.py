"""Crashes at every step of a driver: processes that kill themselves at the nth executed line."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

_FAILED = "failed: "


class StepFailed(AssertionError):
    """The call raised an exception in its process; the message has its traceback."""


def count_steps(call: Callable[[], Any], driver: type) -> int:
    """The number of lines in the package of *driver* that the call executes, measured in a child process.

    Raises `StepFailed` if the call fails.
    """
    answer = _in_child(call, _Steps(driver, 0))
    assert answer, "the process that counts the steps of a call ended before it"
    return int(answer)


def die_at(step: int, call: Callable[[], Any], driver: type) -> None:
    """Run the call in a process that kills itself before the *step*th line of the driver's package.

    Raises `StepFailed` if the call fails before that.
    """
    _in_child(call, _Steps(driver, step))


class _Steps:
    """A trace function that counts lines and kills the process at line number *last*."""

    def __init__(self, driver: type, last: int) -> None:
        self._package = str(Path(sys.modules[driver.__module__].__file__ or "").parent)
        self._last = last
        self.n = 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> _Steps | None:
        if event == "call":
            return self if frame.f_code.co_filename.startswith(self._package) else None
        if event == "line":
            self.n += 1
            if self.n == self._last:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def _in_child(call: Callable[[], Any], steps: _Steps) -> str:
    """Run the call in a child process; returns the number of its steps, or nothing if it was killed."""
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as pipe:
        child = _fork()
        if child == 0:
            _run(call, steps, writing)
        os.close(writing)
        answer = pipe.read()
        os.waitpid(child, 0)
    if answer.startswith(_FAILED):
        raise StepFailed(f"the call failed in its process:\n{answer.removeprefix(_FAILED)}")
    return answer


def _run(call: Callable[[], Any], steps: _Steps, writing: int) -> None:
    """Run the call, write the number of its steps or what it raised, and end this process."""
    try:
        sys.settrace(steps)
        call()
        answer = str(steps.n)
    except BaseException:
        answer = _FAILED + traceback.format_exc()
    finally:
        sys.settrace(None)
    with os.fdopen(writing, "w", encoding="utf-8", errors="replace") as pipe:
        pipe.write(answer)
    os._exit(0)


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of other tests may linger
        return os.fork()
