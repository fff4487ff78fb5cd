"""Stalls at every change of a driver: threads that wait before the nth change until a test wakes them."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from io import IOBase
from pathlib import Path
from socket import SocketType
from types import FrameType
from typing import Any

CHANGES = {
    "posix": {
        *("chmod", "chown", "fchmod", "fchown", "lchmod", "lchown", "utime"),
        *(
            "link",
            "mkdir",
            "mkfifo",
            "mknod",
            "remove",
            "rename",
            "replace",
            "rmdir",
            "symlink",
            "unlink",
        ),
        *("copy_file_range", "ftruncate", "posix_fallocate", "sendfile", "splice", "truncate"),
        *("pwrite", "pwritev", "write", "writev", "removexattr", "setxattr"),
        *("kill", "killpg", "posix_spawn", "posix_spawnp"),
    },
    "fcntl": {"ioctl"},
    "_posixsubprocess": {"fork_exec"},
}
"""The functions, by their module, that change what is outside of the process."""
WRITING = {"flush", "send", "sendall", "sendmsg", "sendto", "truncate", "write", "writelines"}
"""The methods of open files and sockets that do."""


_calls = threading.local()


class StalledCall:
    """A call in a thread of its own that stalls before its *last*th change; it ends if there are fewer.

    A change is a call of the operating system that may change a file, start a program or send a message,
    wherever the code is that makes it; and a call of a function in a module that uses `ctypes.CDLL`.
    """

    def __init__(self, last: int, call: Callable[[], Any]) -> None:
        self._last, self._call = last, call
        self.changes = 0
        """How many changes the call has begun, or stalls before."""
        self.error: BaseException | None = None
        """What the call raised, once it has ended."""
        self._foreign: dict[str, bool] = {}
        self._stalled_or_ended, self._woken = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._stalled_or_ended.wait()

    def wake(self) -> None:
        """Let the call go on, and wait for its end."""
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        _watch_opening()
        _calls.current = self
        sys.setprofile(self._note)
        try:
            self._call()
        except BaseException as error:
            self.error = error
        finally:
            sys.setprofile(None)
            _calls.current = None
            self._stalled_or_ended.set()

    def _note(self, frame: FrameType, event: str, called: Any) -> None:
        if (event == "c_call" and _changes(called)) or (
            event == "call" and self._is_foreign(frame)
        ):
            self.change()

    def change(self) -> None:
        """Count a change that the call is about to make, and stall before the last one."""
        self.changes += 1
        if self.changes == self._last:
            self._stalled_or_ended.set()
            self._woken.wait()

    def _is_foreign(self, frame: FrameType) -> bool:
        """Whether *frame* is in a module that calls a library by `ctypes`, which no profile shows."""
        file = frame.f_code.co_filename
        if file not in self._foreign:
            libraries = [v for v in frame.f_globals.values() if isinstance(v, ctypes.CDLL)]
            self._foreign[file] = bool(libraries) and "share_actors" in file
        return self._foreign[file]


def count_changes(call: Callable[[], Any]) -> int:
    """The number of changes that *call* makes; raises what it raises."""
    counted = StalledCall(0, call)
    counted.wake()
    if counted.error is not None:
        raise counted.error
    return counted.changes


def wait_while_busy(thread: threading.Thread, asleep_s: float) -> None:
    """Wait until *thread* has ended, or has been asleep for *asleep_s*, as one that waits for a lock is."""
    asleep_since = time.monotonic()
    while thread.is_alive() and time.monotonic() - asleep_since < asleep_s:
        thread.join(asleep_s / 10)
        if not _is_asleep(thread):
            asleep_since = time.monotonic()


def _is_asleep(thread: threading.Thread) -> bool:
    with suppress(OSError):  # it has ended
        status = Path(f"/proc/self/task/{thread.native_id}/stat").read_text()
        return status.rpartition(")")[2].split()[0] == "S"
    return False


def spread(number: int, most: int) -> list[int]:
    """The numbers 1 to *number*, or *most* of them from the first to the last, evenly spread."""
    if number <= most:
        return list(range(1, number + 1))
    return sorted({1 + round(i * (number - 1) / max(1, most - 1)) for i in range(most)})


@cache
def _watch_opening() -> None:
    """Note files that are created or emptied as they are opened, which a profile cannot tell from others."""

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or (call := getattr(_calls, "current", None)) is None:
            return
        if arguments[2] & (os.O_CREAT | os.O_TRUNC):
            call.change()

    sys.addaudithook(note)  # it stays until the process ends


def _changes(called: Any) -> bool:
    owner = getattr(called, "__self__", None)
    if isinstance(owner, IOBase | SocketType):
        return called.__name__ in WRITING
    return called.__name__ in CHANGES.get(getattr(called, "__module__", None) or "", ())
