"""Exports over CIFS by a private smbd: what is exported, to whom, and who was cut off."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.filesystem.locks import locked
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.samba.accounts import Accounts
from share_actors.drivers.samba.config import Served
from share_actors.drivers.samba.configuration import Configuration
from share_actors.drivers.samba.exports import Export, Exports, new_export, refuse_same_name
from share_actors.drivers.samba.names import checked_export, checked_user
from share_actors.drivers.samba.programs import Programs
from share_actors.drivers.samba.sessions import Cut, Sessions, Status, time_of
from share_actors.drivers.samba.settings import SambaSettings
from share_actors.drivers.samba.unit import samba_unit
from share_actors.values import ShareClient

DIRECTORIES = {
    "private": 0o700,
    "lock": 0o755,
    "state": 0o755,
    "cache": 0o755,
    "pid": 0o755,
    "ncalrpc": 0o755,
}
"""The directories of smbd, with the modes that it asks for; the one around them is closed to others."""


def _no_check() -> None:
    """Nothing to check."""


class Samba:
    """One private smbd, for any number of processes and threads: a lock of its directory orders them.

    What is exported outlives smbd, this object and the machine's restart. Every method can be repeated
    after a crash at any moment. Methods raise `DriverError`.
    """

    def __init__(self, settings: SambaSettings) -> None:
        self.settings = settings
        self._programs = Programs(settings)
        self._accounts = Accounts(settings, self._programs)
        self._configuration = Configuration(settings, self._programs)
        self._unit = samba_unit(settings, self._programs)

    # -- the daemon ----------------------------------------------------------------------------
    def start(self) -> None:
        """Start smbd unless it runs, with the recorded exports; it accepts connections when this returns."""
        with self._locked("start smbd"):
            self._prepare()
            self._programs.require()
            exports = self._configuration.recorded()
            edited = self._configuration.restore(exports)
            self._unit.start()
            if edited:
                self._cut_strangers(exports)
            for name in [name for name, export in exports.items() if export.lost]:
                self._apply(exports, name)

    def stop(self) -> None:
        """End smbd and its supervisor; exports and users stay recorded. Succeeds if nothing runs."""
        if self.settings.directory.is_dir():
            with self._locked("stop smbd"):
                self._unit.stop()

    def problems(self) -> tuple[str, ...]:
        """What is wrong now, one sentence each; empty if clients are served. Changes nothing."""
        try:
            with os_errors("examine smbd"):
                return (*self._unit.problems(), *self._export_problems())
        except DriverError as error:
            return (str(error),)

    # -- exports -------------------------------------------------------------------------------
    def export(
        self,
        name: str,
        path: Path,
        users: Mapping[str, str],
        check: Callable[[], None] = _no_check,
    ) -> Cut:
        """Export *path* as *name* to exactly *users*, whose levels are `rw` or `ro`; returns who was cut off.

        Nobody uses the share by earlier rules when this returns. Clients that are denied lose their open
        files, others keep theirs; but smbd makes a share read-only to connected clients for all or none,
        so that `rw` to `ro` interrupts every client of the share. *check* is called just before the
        change, and may raise. A configuration that smbd refuses changes nothing.
        """
        export = new_export(name, path, users)
        with self._locked(f"export {name}"):
            self._prepare()
            exports = self._configuration.recorded()
            refuse_same_name(name, exports)
            edited = not self._configuration.is_rendered(exports)
            old = exports.get(name)
            exports[name] = export.after(old)
            if exports[name] == export == old and not edited and self._unit.process() is not None:
                return Cut()
            self._configuration.change(exports, check)
            if edited:
                self._cut_strangers(exports)
            return self._apply(exports, name)

    def remove(self, name: str, check: Callable[[], None] = _no_check) -> Cut:
        """End the export *name*, if there is one, and disconnect its clients; returns who they were."""
        checked_export(name)
        with self._locked(f"remove export {name}"):
            self._prepare()
            exports = self._configuration.recorded()
            old = exports.pop(name, None)
            if old is not None or not self._configuration.is_rendered(exports):
                self._configuration.change(exports, check)
            if (daemon := self._unit.process()) is None:
                return Cut()
            lost = frozenset(old.users if old else ())
            return Sessions(self._programs, daemon).cut(name, (), lost, everyone=True)

    def recorded(self, name: str) -> Mapping[str, str] | None:
        """The users of the export *name* as recorded, also while smbd does not run; None if there is none."""
        export = self._configuration.recorded().get(name)
        return None if export is None else dict(export.users)

    def served(self, name: str) -> Mapping[str, str] | None:
        """Whom smbd lets in to *name* now; None if to nobody, because it does not run or has no such share.

        A change of its configuration by hand shows here. `*` stands for everybody.
        """
        share = self._served(name)
        return None if share is None else dict(share.users)

    def served_path(self, name: str) -> Path | None:
        """The directory that smbd serves as *name* now; None if none."""
        share = self._served(name)
        return None if share is None else Path(share.path)

    def export_names(self) -> frozenset[str]:
        """The names of all recorded exports."""
        return frozenset(self._configuration.recorded())

    def status(self) -> Status:
        """Who is connected now, and by which processes."""
        daemon = self._unit.process()
        return Status({}, ()) if daemon is None else Sessions(self._programs, daemon).status()

    def clients(self, name: str) -> tuple[ShareClient, ...]:
        """The clients that are connected to the export *name* now, with when they connected."""
        found = (c for c in self.status().connections if c.share.lower() == name.lower())
        return tuple(
            ShareClient(
                address=connection.address,
                protocol="CIFS",
                user=connection.user or None,
                since=time_of(connection.since),
            )
            for connection in sorted(found, key=lambda c: (c.user, c.address, c.since))
        )

    # -- users ---------------------------------------------------------------------------------
    def users(self) -> frozenset[str]:
        """The users that have an account."""
        with os_errors("read the users of smbd"):
            return self._accounts.names()

    def set_user(self, name: str, password: str) -> None:
        """Create the user *name*, or change its password. Sessions that it has go on.

        The password goes to pdbedit by a pipe: it is in no command, no environment, no log and no error.
        """
        checked_user(name)
        with self._locked(f"set the password of user {name}"):
            self._prepare()
            self._configuration.restore(self._configuration.recorded())
            self._accounts.set(name, password)

    def remove_user(self, name: str) -> None:
        """Remove the user *name*, if there is one, and end its sessions; rules that name it stay recorded."""
        checked_user(name)
        with self._locked(f"remove user {name}"):
            self._prepare()
            self._configuration.restore(self._configuration.recorded())
            self._accounts.forget_password(name)
            if (daemon := self._unit.process()) is not None:
                Sessions(self._programs, daemon).end_user(name)
            self._accounts.remove(name)

    # -- the parts -----------------------------------------------------------------------------
    @contextmanager
    def _locked(self, operation: str) -> Iterator[None]:
        """Lock the directory, which is created; translates `OSError`, and the end of smbd meanwhile."""
        with os_errors(operation):
            self.settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(self.settings.directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                with locked(folder, "changes.lock"):
                    yield
            except psutil.NoSuchProcess:
                raise TransientError(
                    f"{operation}: smbd ended meanwhile; repeat the call"
                ) from None
            finally:
                os.close(folder)

    def _prepare(self) -> None:
        """Make the directories and files that must exist before anything else."""
        for name, mode in DIRECTORIES.items():
            path = self.settings.directory / name
            if not path.is_dir():
                path.mkdir()
                path.chmod(mode)  # whatever the umask is
        self._accounts.prepare()

    def _served(self, name: str) -> Served | None:
        return self._configuration.served().get(name) if self._unit.process() is not None else None

    def _apply(self, exports: dict[str, Export], name: str) -> Cut:
        """Bring *name* into force, and record that nobody has more any longer than the rules say."""
        daemon = self._unit.process()
        if daemon is None:
            raise TransientError(
                f"smbd does not run for {self.settings.directory}: the change of export {name} is recorded,"
                " and comes into force when it starts; start the backend, then repeat the call"
            )
        export = exports[name]
        cut = Sessions(self._programs, daemon).cut(
            name, export.users, export.lost, everyone=export.interrupts
        )
        if export.lost:
            exports[name] = export.replace(lost=())
            self._configuration.record(exports)
        return cut

    def _cut_strangers(self, exports: Exports) -> None:
        """Cut off whom a configuration that was edited by hand has let in."""
        daemon = self._unit.process()
        if daemon is None:
            return
        sessions = Sessions(self._programs, daemon)
        found: dict[str, set[str]] = {}
        for connection in sessions.status().connections:
            found.setdefault(connection.share, set()).add(connection.user)
        for share, users in found.items():
            allowed = exports[share].users if share in exports else {}
            if share != "IPC$" and (strangers := users - allowed.keys()):
                sessions.cut(share, allowed, strangers, everyone=share not in exports)

    def _export_problems(self) -> Iterator[str]:
        exports = self._configuration.recorded()
        if self._configuration.difference(exports) is not None:
            with self._locked("examine smbd"):  # a change may be under way
                exports = self._configuration.recorded()
                if (found := self._configuration.difference(exports)) is not None:
                    yield found
        accounts = self._accounts.names()
        for name, export in sorted(exports.items()):
            if not Path(export.path).is_dir():
                yield f"export {name}: {export.path} is not a directory"
            if unknown := sorted(export.users.keys() - accounts):
                yield f"export {name}: {', '.join(unknown)} cannot log in: no password is set"
