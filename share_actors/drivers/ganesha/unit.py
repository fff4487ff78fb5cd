"""A private NFS-Ganesha: one supervised unit of a bus, the daemon and, for NFSv3, an rpcbind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.filesystem.locks import locked
from share_actors.drivers.ganesha import changes
from share_actors.drivers.ganesha.bus import Daemon, connect
from share_actors.drivers.ganesha.clients import clients_of
from share_actors.drivers.ganesha.exports import ExportFiles
from share_actors.drivers.ganesha.plan import ganesha_spec
from share_actors.drivers.ganesha.rendering import checked_name
from share_actors.drivers.ganesha.rules import clients_in_force, flat_rules
from share_actors.drivers.ganesha.settings import GaneshaSettings
from share_actors.drivers.supervision.status import log_end
from share_actors.drivers.supervision.unit import SupervisedUnit
from share_actors.values import ShareClient

WAIT_S = 20.0
"""How long a change waits for a daemon that is being started again, in seconds."""
READ_WAIT_S = 5.0
"""The same for `served` and `clients`."""
_POLL_S = 0.005


def _unfenced() -> None:
    """The check of a caller without a fence."""


class Ganesha:
    """The unit of *settings*. Any number of objects and processes may use one unit at once.

    Every change is complete when its method returns: the daemon enforces it, and enforces it again after
    a restart. `TransientError`: the unit does not run now, and the same call may be repeated.
    """

    def __init__(self, settings: GaneshaSettings) -> None:
        self.settings = settings
        self._files = settings.files
        self._exports = ExportFiles(settings.files)
        spec = ganesha_spec(settings)
        self._name = spec.name
        self._unit = SupervisedUnit(settings.directory, spec)

    # -- the unit ------------------------------------------------------------------------------
    def start(self) -> None:
        """Start the unit unless it runs; returns when the daemon serves all permanent exports.

        A unit that runs with other settings is started again. Raises `DriverError` with the end of the
        daemon's log if it cannot start, and then ends what it started; also if the daemon runs but does not
        serve all exports, and then it goes on to serve the others.
        """
        self._files.make()
        with self._changing():
            self._unit.start(self._answers)
            self._check_all_served()

    def stop(self) -> None:
        """End the unit and wait for the exit of all parts; succeeds if nothing runs."""
        if self._files.directory.is_dir():
            with self._changing():
                self._unit.stop()
                self._files.socket.unlink(missing_ok=True)

    @property
    def is_wanted(self) -> bool:
        """Whether the unit was started and not stopped since."""
        return self._unit.is_wanted

    @property
    def may_run(self) -> bool:
        """Whether the unit was started, or is left of a stop that was interrupted."""
        return self._unit.is_wanted or self._unit.is_supervised

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the unit now, one sentence each."""
        found = self._unit.problems()
        if not found:
            try:
                with connect(self._files.socket) as daemon:
                    found = sum(self._differences(daemon), ())
            except TransientError as error:
                found = (f"{self._name}: {error}",)
        return (*found, *self._exports.damage())

    # -- exports -------------------------------------------------------------------------------
    def export(
        self,
        name: str,
        path: Path,
        clients: Mapping[str, str],
        check: Callable[[], None] = _unfenced,
    ) -> None:
        """Export the directory *path* as `/NAME` to exactly *clients*: address or network to "rw" or "ro".

        *check* is called right before each change and may raise. Raises `DriverError` if the daemon
        refuses, and then the rules of before are in force and on file; also if the daemon does not see the
        directory that this process sees, and then the export is removed.
        """
        draft = changes.draft(name, path, clients)
        if not self._unit.is_wanted:
            raise TransientError(f"{self._name} is not started; nothing was changed. Start it")
        with self._changing():
            record = changes.numbered(self._exports, draft)
            self._repeat(lambda daemon: changes.apply(daemon, self._exports, record, check))

    def remove(self, name: str, check: Callable[[], None] = _unfenced) -> None:
        """Remove the export `/NAME`; clients lose access to open files. Succeeds for none.

        *check* is called right before each change and may raise.
        """
        checked_name(name)
        if not self._files.exports.is_dir():
            return
        with self._changing():
            if self._unit.is_wanted:
                self._repeat(lambda daemon: changes.withdraw(daemon, self._exports, name, check))
            else:
                self._unit.stop()  # what an interrupted stop left
                check()
                self._exports.remove(name)

    def recorded(self, name: str) -> Mapping[str, str] | None:
        """The clients of the export *name* on file, as they were given; None if there is no export."""
        record = self._exports.record(name)
        return None if record is None else dict(record.clients)

    def served(self, name: str) -> Mapping[str, str] | None:
        """The clients of the export *name* that the daemon lets in now; None if it does not serve it.

        As they were given if the rules on file are in force, else as the daemon has them.
        """
        record = self._exports.record(name)
        try:
            with self._daemon(READ_WAIT_S, mend=False) as daemon:
                number = record.id if record else changes.number_of(daemon, name)
                shown = daemon.shown(number) if number else None
        except TransientError:
            return None
        if shown is None or shown[1] != f"/{name}":
            return None
        if record is not None and shown[2] == flat_rules(record.clients):
            return dict(record.clients)
        return clients_in_force(shown[2])

    def clients(self, name: str) -> tuple[ShareClient, ...]:
        """The clients that are connected now and that the rules of the export *name* let in.

        Ganesha does not tell which of its exports a client uses, and counts for all of them. Raises
        `TransientError` if it does not answer.
        """
        record = self._exports.record(name)
        if record is None:
            return ()
        with self._daemon(READ_WAIT_S, mend=False) as daemon:
            return clients_of(daemon, record.clients, self.settings.nfs_port)

    def export_names(self) -> frozenset[str]:
        """The names of the exports on file."""
        return self._exports.names()

    # -- inside --------------------------------------------------------------------------------
    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Let no other thread or process change the unit in the block."""
        folder = os.open(self._files.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with locked(folder, self._files.change_lock):
                yield
        finally:
            os.close(folder)

    def _repeat(self, change: Callable[[Daemon], bool]) -> None:
        """Make *change* again until it is complete within the life of one daemon."""
        end = time.monotonic() + WAIT_S
        while True:
            try:
                with self._daemon(end - time.monotonic(), mend=True) as daemon:
                    if change(daemon):
                        return
            except TransientError:
                if time.monotonic() > end:
                    raise

    def _daemon(self, seconds: float, *, mend: bool) -> Daemon:
        """The daemon, after a wait of at most *seconds* for it; raises `TransientError`.

        *mend*: start a supervisor that was killed again; the caller has the change lock.
        """
        end = time.monotonic() + seconds
        while True:
            if not self._unit.is_wanted:
                raise TransientError(f"{self._name} is not started; nothing was changed. Start it")
            if mend:
                self._unit.ensure_supervised()
            late = time.monotonic() > end
            try:
                if late or not self._unit.is_starting:
                    return connect(self._files.socket)
            except TransientError as error:
                if late:
                    raise TransientError(self._down(error)) from error
            time.sleep(_POLL_S)

    def _down(self, error: TransientError) -> str:
        status = self._unit.status
        reason = f" It ended before: {status.reason}" if status and status.reason else ""
        return f"{self._name} does not answer: {error}.{reason}"

    def _answers(self) -> bool:
        """Whether the daemon is on its bus: that it serves is told a little longer than it is true."""
        try:
            connect(self._files.socket).__exit__()
        except TransientError:
            return False
        return True

    def _check_all_served(self) -> None:
        with self._daemon(WAIT_S, mend=True) as daemon:  # the supervisor may be killed at any time
            missing, _ = self._differences(daemon)
        if missing:
            raise DriverError(
                f"{self._name} runs, but {'; '.join(missing)}. The others are served. Make sure that their"
                f" directories exist and are mounted, then start it again. The end of its log:"
                f" {log_end(self._files.log)}"
            )

    def _differences(self, daemon: Daemon) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The exports on file that are not served, and those that are served without a file: sentences.

        What changes meanwhile is in neither.
        """
        before = self._exports.names()
        served = {pseudo.removeprefix("/") for pseudo in daemon.served().values()}
        after = self._exports.names()
        missing = sorted((before & after) - served)
        extra = sorted(served - before - after)
        return (
            tuple(f"the export {name!r} is not served" for name in missing),
            tuple(f"the export {name!r} is served without a file" for name in extra),
        )
