"""A log that this process writes on behalf of a system, for as long as the system holds the log's lease."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock, Thread

from share_actors.config import Config, LogSettings
from share_actors.errors import NOT_RECORDED, LogError
from share_actors.events.log.lease.guarded import LeaseGuard
from share_actors.events.log.lease.lease import (
    BEAT_S,
    QUIET_S,
    Lease,
    LeaseStore,
    Owner,
    acquire,
    in_use,
)
from share_actors.events.log.lease.postgres import PostgresLease
from share_actors.events.log.lease.sqlite import SqliteLease
from share_actors.events.log.log import Log, OpenLog
from share_actors.events.log.subject_keys import record_sealer

logger = logging.getLogger(__name__)


def open_leased(owner: Callable[[], Owner]) -> OpenLog:
    """A function that opens the log of a configuration and has the system of *owner* hold its lease.

    It raises what `Log.open` raises, and `LogError` if another system holds the lease.
    """

    def open_log(config: Config, nodes: int = 1) -> Log:
        subjects = record_sealer(config)
        log = Log.open(config.log, config.log_path, nodes=nodes, subjects=subjects)
        try:
            LeaseKeeper(lease_store(config.log, config.log_path), owner()).keep(log)
        except BaseException:
            log.close()
            raise
        return log

    return open_log


def lease_store(settings: LogSettings, path: Path) -> LeaseStore:
    """The lease of the log of *settings*; *path* is the file of kind `sqlite`."""
    return SqliteLease(path) if settings.kind == "sqlite" else PostgresLease(settings)


class LeaseKeeper:
    """Holds the lease for one process: renews the heartbeat, and ends the writing when the lease is lost."""

    def __init__(self, store: LeaseStore, owner: Owner) -> None:
        self._store, self._owner = store, owner
        began = time.monotonic()  # this process may be suspended before it has the answer
        try:
            self._lease = acquire(store, owner)
        except BaseException:
            store.close()
            raise
        self._verified_at = began
        self._is_unbroken = False
        """Whether the log was read with the lease, and no other system can have had it since."""
        self._lock, self._closed = Lock(), Event()
        self._lost: LogError | None = None
        self._log: Log | None = None

    @property
    def lease(self) -> Lease:
        """The lease as it was acquired."""
        return self._lease

    def keep(self, log: Log) -> None:
        """Renew the heartbeat until *log* is closed; before each commit of *log*, see `check`.

        The commit itself reads the lease again: this process may be suspended after the check.
        """
        self._log = log
        log.when_closed(self.close)
        self._guard()
        log.head()  # which asks for the tables: from now on nobody else can replace them
        self._is_unbroken = True
        log.before_commit(self.check)
        Thread(target=self._run, name="log-lease", daemon=True).start()

    def _guard(self) -> None:
        if self._log is not None:
            guard = LeaseGuard(self._owner.system, self._lease.epoch, self._refusal, self._is_fresh)
            self._log.require_lease(guard)

    def _is_fresh(self) -> bool:
        """Whether no other system can have had the lease: none takes it before it is silent for `QUIET_S`."""
        return self._is_unbroken and time.monotonic() - self._verified_at < QUIET_S

    def _refusal(self) -> LogError:
        """The error of a commit that found another lease."""
        try:
            self.renew()
        except LogError as error:
            return error
        return LogError(
            f"the lease of the log was lost and regained meanwhile{NOT_RECORDED}",
            field=self._store.field,
            value=self._store.value,
        )

    def _run(self) -> None:
        while not self._closed.wait(BEAT_S):
            try:
                self.renew()
            except LogError as error:
                logger.warning("the lease of the log was not renewed: %s", error)
                if self._lost is not None:
                    return

    def check(self) -> None:
        """Raise `LogError` if another system has the lease.

        It is read only if it was not renewed for long: this process may have been suspended.
        """
        if self._lost is not None:
            raise self._lost
        if time.monotonic() - self._verified_at > QUIET_S:
            self.renew()

    def renew(self) -> None:
        """Renew the heartbeat; raises `LogError` if another system has the lease, or it can't be read."""
        with self._lock:
            if self._closed.is_set():
                return
            began = time.monotonic()  # this process may be suspended before it has the answer
            self._store.lock(shared=True)  # a connection that was lost has lost its lock
            if not self._store.beat(self._owner, self._lease.epoch):
                self._lose()
            self._verified_at = began

    def _lose(self) -> None:
        lease, _ = self._store.read()
        if lease is not None and lease.owner.system == self._owner.system:
            self._lease, self._is_unbroken = lease, False
            self._guard()
            return
        self._lost = in_use(self._store, lease)
        self._store.unlock()
        raise self._lost

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No heartbeat meanwhile: a long transaction on the same SQLite file would make it fail.

        The lock of this process still shows that it lives.
        """
        with self._lock:
            yield

    def close(self) -> None:
        """Give the lock of this process up; the last process of the system also ends the lease."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            with suppress(LogError):
                if self._lost is None and self._store.lock(shared=False):
                    self._store.end(self._owner, self._lease.epoch)
                self._store.unlock()  # a server frees a closed connection's lock only later
            self._store.close()
