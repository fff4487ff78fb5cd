"""A lock between processes: `flock` on a file that only its owner may open, waited for with a bound."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

POLL_S = 0.05


class FileLock:
    """A lock file, opened; the kernel releases the lock when the process ends. Raises `OSError`.

    The file has mode 0600, since any user who can open it could hold the lock. It is never removed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.fstat(self._fd).st_uid == os.geteuid():
            os.fchmod(self._fd, 0o600)  # an earlier version created it with the umask's mode

    @property
    def holder(self) -> str:
        """The process that locked the file last, for messages."""
        text = self.read().strip()
        return f"process {text}" if text.isdecimal() else "another process"

    def acquire(self, timeout_s: float) -> bool:
        """Lock the file within *timeout_s*, and write this process's id to it; returns whether it did."""
        deadline = time.monotonic() + timeout_s
        while not self.try_lock(fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        self.write(f"{os.getpid()}\n")
        return True

    def read(self) -> str:
        """The content of the file."""
        size = os.fstat(self._fd).st_size
        return os.pread(self._fd, size, 0).decode("utf-8", "replace")

    def write(self, text: str) -> None:
        """Replace the content of the file."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text.encode(), 0)

    def try_lock(self, operation: int) -> bool:
        """Lock the file with `LOCK_EX` or `LOCK_SH` if that is possible now; returns whether it did."""
        try:
            fcntl.flock(self._fd, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(self) -> None:
        """Release the lock, and keep the file open."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release the lock; closing again does nothing."""
        descriptor, self._fd = self._fd, -1
        if descriptor >= 0:
            os.close(descriptor)
