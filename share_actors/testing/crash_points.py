"""Crashes at every step of a driver: processes that kill themselves at the nth executed line."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, TextIO

from share_actors.drivers.base import ShareDriver

_FAILED = "failed: "


class StepFailed(AssertionError):
    """The call raised an exception in its process; the message has its traceback."""


class Different(NamedTuple):
    """Which executed lines are steps: those before which another state may be left than before."""

    pure: frozenset[str] = frozenset()
    """The names of files of the package, such as `rules.py`, whose functions have no effects: no steps."""
    times: int = 2
    """How often a line that the same calls reach is a step: a wait runs the same lines many times."""


def count_steps(call: Callable[[], Any], driver: type, different: Different | None = None) -> int:
    """The lines in the packages of *driver* and its bases that the call executes, counted in a child process.

    *different*: which of them are steps; default: all. Raises `StepFailed` if the call fails.
    """
    answer = _in_child(call, _Steps(driver, 0, different))
    assert answer, "the process that counts the steps of a call ended before it"
    return int(answer)


def die_at(
    step: int, call: Callable[[], Any], driver: type, different: Different | None = None
) -> None:
    """Run the call in a process that kills itself before the *step*th line of the driver's package.

    *different*: as for `count_steps`. Raises `StepFailed` if the call fails before that.
    """
    _in_child(call, _Steps(driver, step, different))


class _Steps:
    """A trace function that counts lines and kills the process at line number *last*."""

    def __init__(self, driver: type, last: int, different: Different | None) -> None:
        self._packages = _packages(driver)
        self._last, self._different = last, different
        self._executed: Counter[tuple[tuple[str, int], ...]] = Counter()
        self.n = 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> _Steps | None:
        if event == "call":
            return self if frame.f_code.co_filename.startswith(self._packages) else None
        if event == "line" and (self._different is None or self._differs(frame, self._different)):
            self.n += 1
            if self.n == self._last:
                os.kill(os.getpid(), signal.SIGKILL)
        return self

    def _differs(self, frame: FrameType, different: Different) -> bool:
        lines = tuple(self._lines(frame))
        if any(Path(file).name in different.pure for file, _ in lines):
            return False
        self._executed[lines] += 1
        return self._executed[lines] <= different.times

    def _lines(self, frame: FrameType | None) -> Iterator[tuple[str, int]]:
        """The lines of the package that run now, from the called to the calling ones."""
        while frame is not None:
            if frame.f_code.co_filename.startswith(self._packages):
                yield frame.f_code.co_filename, frame.f_lineno
            frame = frame.f_back


def _packages(driver: type) -> tuple[str, ...]:
    """The folders of the modules that define *driver* and its bases, without that of the port."""
    bases = [kind for kind in driver.__mro__ if issubclass(kind, ShareDriver)]
    folders = dict.fromkeys(_folder(kind) for kind in (driver, *bases))
    folders.pop(_folder(ShareDriver), None)
    return tuple(folders)


def _folder(kind: type) -> str:
    return str(Path(sys.modules[kind.__module__].__file__ or "").parent) + os.sep


def _in_child(call: Callable[[], Any], steps: _Steps) -> str:
    """Run the call in a child process; returns the number of its steps, or nothing if it was killed."""
    # A pipe would stay open in daemons that the call forks.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        child = _fork()
        if child == 0:
            _run(call, steps, file)
        os.waitpid(child, 0)
        file.seek(0)
        answer = file.read()
    if answer.startswith(_FAILED):
        raise StepFailed(f"the call failed in its process:\n{answer.removeprefix(_FAILED)}")
    return answer


def _run(call: Callable[[], Any], steps: _Steps, file: TextIO) -> None:
    """Run the call, write the number of its steps or what it raised to *file*, and end this process."""
    try:
        sys.settrace(steps)
        call()
        answer = str(steps.n)
    except BaseException:
        answer = _FAILED + traceback.format_exc()
    finally:
        sys.settrace(None)
    file.write(answer)
    file.flush()
    os._exit(0)


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of other tests may linger
        return os.fork()
