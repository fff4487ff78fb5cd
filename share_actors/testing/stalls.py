"""Stalls at every step of a driver: threads that wait before the nth line until a test wakes them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any


class StalledCall:
    """A call in a thread of its own that stalls before the *step*th executed line of *package*.

    *package*: the beginning of the paths of the files whose lines count.
    """

    def __init__(self, step: int, call: Callable[[], Any], package: str) -> None:
        self._step, self._call, self._package = step, call, package
        self._n = 0
        self._stalled_or_ended, self._woken = threading.Event(), threading.Event()
        self.error: BaseException | None = None
        """What the call raised, once it has ended."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._stalled_or_ended.wait()

    def wake(self) -> None:
        """Let the call go on, and wait for its end."""
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        sys.settrace(self._trace)
        try:
            self._call()
        except BaseException as error:
            self.error = error
        finally:
            sys.settrace(None)
            self._stalled_or_ended.set()

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "call":
            return self._trace if frame.f_code.co_filename.startswith(self._package) else None
        if event == "line":
            self._n += 1
            if self._n == self._step:
                self._stalled_or_ended.set()
                self._woken.wait()
        return self._trace


def package_of(driver: type) -> str:
    """The directory of the module of *driver*: the files whose lines are its steps."""
    return str(Path(sys.modules[driver.__module__].__file__ or "").parent)
