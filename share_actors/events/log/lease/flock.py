"""What leases have in common whose lock is `flock` on a file."""

from __future__ import annotations

import fcntl
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from share_actors.file_lock import FileLock


class FlockedLease(ABC):
    """The lock of a `LeaseStore`, on the open file `_lock`; the kernel frees it when the process ends."""

    lock_outlives_machine = False
    _lock: FileLock

    def lock(self, *, shared: bool) -> bool:
        """See `LeaseStore`."""
        with self._errors():
            return self._lock.try_lock(fcntl.LOCK_SH if shared else fcntl.LOCK_EX)

    def unlock(self) -> None:
        """See `LeaseStore`."""
        self._lock.unlock()

    @abstractmethod
    def _errors(self) -> AbstractContextManager[None]:
        """Translate errors of the block to `LogError`."""
