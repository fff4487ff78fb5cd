"""Directories that one system at a time may use, such as the root of a `local` backend: a lease on each.

The record of the holder is in a lock file in the directory; every process of the system that uses the
directory holds the lock shared, until it ends. See `events.log.lease`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from share_actors.actors.effects.driver_setup import driver_of
from share_actors.config import BackendSettings
from share_actors.drivers.base import DriverError, ShareDriver
from share_actors.errors import LogError, Refused
from share_actors.events.log.lease.flock import FlockedLease
from share_actors.events.log.lease.lease import Lease, Owner, acquire
from share_actors.file_lock import FileLock

LOCK_FILE = ".share-actors.lock"
START_WAIT_S = 5.0
"""How long a start waits for processes of an ended system to end."""
USE_WAIT_S = 0.5
"""How long the first use waits, on an event loop; it is repeated."""


class DirectoryLease(FlockedLease):
    """A `LeaseStore` in the lock file of *directory*. Its lock alone shows that the holder lives."""

    def __init__(self, directory: Path, field: str) -> None:
        self.field, self.value = field, str(directory)
        with self._errors():
            self._lock = FileLock(directory / LOCK_FILE)

    def read(self) -> tuple[Lease | None, float]:
        """See `LeaseStore`; a record that a killed process left incomplete is none."""
        with self._errors():
            text = self._lock.read()
        try:
            record = json.loads(text)
            lease = Lease(Owner(**record.pop("owner")), **record)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None, time.time()
        return lease, time.time()

    def take(self, owner: Owner, epoch: int) -> bool:
        """See `LeaseStore`; called with the lock alone."""
        now = time.time()
        record = asdict(Lease(owner, epoch, started_at=now, beat_at=now))
        with self._errors():
            self._lock.write(json.dumps(record) + "\n")
        return True

    def beat(self, owner: Owner, epoch: int) -> bool:
        """See `LeaseStore`; there is no heartbeat."""
        lease, _ = self.read()
        return lease is not None and (lease.owner.system, lease.epoch) == (owner.system, epoch)

    def end(self, owner: Owner, epoch: int) -> None:
        """See `LeaseStore`."""

    def close(self) -> None:
        """See `LeaseStore`."""
        self._lock.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LogError(
                f"{self.field} {self.value}: {LOCK_FILE} can't be used: {error.strerror}",
                field=self.field,
                value=self.value,
            ) from error


class Directories:
    """The directories that this process uses; their leases are held until it ends."""

    def __init__(self, owner: Callable[[], Owner]) -> None:
        self._owner = owner
        self._held: dict[Path, DirectoryLease] = {}
        self._lock = threading.Lock()

    def hold(self, driver: ShareDriver, wait_s: float = USE_WAIT_S) -> None:
        """Hold the existing directories of *driver*; raises `DriverError`, which names another holder."""
        with self._lock:
            for directory, field in self._missing(driver):
                try:
                    self._held[directory] = self._acquired(directory, field, wait_s)
                except LogError as error:
                    raise DriverError(error.message) from error

    def _missing(self, driver: ShareDriver) -> list[tuple[Path, str]]:
        prefix = f"backends.{driver.backend_name}.options"
        return [
            (directory.resolve(), f"{prefix}.{option}")
            for option, directory in driver.exclusive_directories().items()
            if directory.is_dir() and directory.resolve() not in self._held
        ]

    def _acquired(self, directory: Path, field: str, wait_s: float) -> DirectoryLease:
        lease = DirectoryLease(directory, field)
        try:
            acquire(lease, self._owner(), wait_s=wait_s)
        except BaseException:
            lease.close()
            raise
        return lease

    def hold_at_start(self, backends: dict[str, BackendSettings]) -> None:
        """Hold the directories of those *backends* that any node reaches.

        Raises `Refused`, which names the holder, if another system has one of them.
        """
        for name, settings in backends.items():
            if settings.node is not None:
                continue
            driver = driver_of(name, settings)
            try:
                self.hold(driver, START_WAIT_S)
            except DriverError as error:
                cause = error.__cause__
                assert isinstance(cause, LogError)
                raise Refused(
                    cause.message, field=cause.field, value=cause.value, **cause.details
                ) from None
