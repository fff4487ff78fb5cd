"""Crashes at every step of a driver: processes that kill themselves at the nth executed line."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any


def count_steps(call: Callable[[], Any], driver: type) -> int:
    """The number of lines in the package of *driver* that the call executes, measured in a child process."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        child = _fork()
        if child == 0:
            steps = _Steps(driver, 0)
            _run(call, steps)
            os.write(writing, str(steps.n).encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        return int(pipe.read() or b"0")


def die_at(step: int, call: Callable[[], Any], driver: type) -> None:
    """Run the call in a process that kills itself before the *step*th line of the driver's package."""
    child = _fork()
    if child == 0:
        _run(call, _Steps(driver, step))
        os._exit(0)
    os.waitpid(child, 0)


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


def _run(call: Callable[[], Any], steps: _Steps) -> None:
    try:
        sys.settrace(steps)
        call()
    except BaseException:
        os._exit(1)
    finally:
        sys.settrace(None)


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of other tests may linger
        return os.fork()
