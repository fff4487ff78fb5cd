"""Exports over CIFS by a private smbd: what is exported, to whom, and who was cut off."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
from pydantic import ValidationError

from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.filesystem.durable import put_file
from share_actors.drivers.filesystem.locks import locked
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.samba import config
from share_actors.drivers.samba.accounts import Accounts
from share_actors.drivers.samba.config import Export, Served
from share_actors.drivers.samba.names import checked_export, checked_user, problem
from share_actors.drivers.samba.programs import Programs
from share_actors.drivers.samba.records import read_exports, write_exports
from share_actors.drivers.samba.sessions import Cut, Sessions, Status
from share_actors.drivers.samba.settings import SambaSettings
from share_actors.drivers.samba.unit import samba_unit

DIRECTORIES = {
    "private": 0o700,
    "lock": 0o755,
    "state": 0o755,
    "cache": 0o755,
    "pid": 0o755,
    "ncalrpc": 0o755,
}
"""The directories of smbd, with the modes that it asks for; the one around them is closed to others."""
NOT_RUNNING = (
    "smbd does not run for {directory}: {what} and comes into force when it starts;"
    " start the backend, then repeat the call"
)


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
        self._unit = samba_unit(settings, self._programs)

    # -- the daemon ----------------------------------------------------------------------------
    def start(self) -> None:
        """Start smbd unless it runs, with the recorded exports; it accepts connections when this returns."""
        with self._locked("start smbd"):
            self._prepare()
            self._programs.require()
            exports = self._recorded()
            self._put_config(exports)
            self._unit.start()
            for name in [name for name, export in exports.items() if export.lost]:
                self._apply(exports, name)

    def stop(self) -> None:
        """End smbd and its supervisor; exports and users stay recorded. Succeeds if nothing runs."""
        with os_errors("stop smbd"):
            self._unit.stop()

    def problems(self) -> tuple[str, ...]:
        """What is wrong now, one sentence each; empty if clients are served. Changes nothing."""
        try:
            with os_errors("examine smbd"):
                return (*self._unit.problems(), *self._config_problems())
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
        export = _checked_export(name, path, users)
        with self._locked(f"export {name}"):
            self._prepare()
            exports = self._recorded()
            _refuse_same_name(name, exports)
            old = exports.get(name)
            exports[name] = export.replace(lost=_lost(old, export))
            if exports[name] == old and not old.lost and self._is_in_force(exports):
                return Cut()
            self._change(exports, check)
            return self._apply(exports, name)

    def remove(self, name: str, check: Callable[[], None] = _no_check) -> Cut:
        """End the export *name*, if there is one, and disconnect its clients; returns who they were."""
        checked_export(name)
        with self._locked(f"remove export {name}"):
            self._prepare()
            exports = self._recorded()
            old = exports.pop(name, None)
            if old is not None or not self._is_in_force(exports):
                self._change(exports, check)
            if self._unit.daemon() is None:
                return Cut()
            lost = frozenset(old.users if old else ())
            return self._disconnect(name, frozenset(), lost, everyone=True)

    def recorded(self, name: str) -> Mapping[str, str] | None:
        """The users of the export *name* as recorded, also while smbd does not run; None if there is none."""
        export = self._recorded().get(name)
        return None if export is None else dict(export.users)

    def served(self, name: str) -> Mapping[str, str] | None:
        """Whom smbd lets in to *name* now; None if to nobody, because it does not run or has no such share.

        A change of its configuration by hand shows here. `*` stands for everybody.
        """
        share = self._served().get(name) if self._unit.daemon() is not None else None
        return None if share is None else dict(share.users)

    def served_path(self, name: str) -> Path | None:
        """The directory that smbd serves as *name* now; None if none."""
        share = self._served().get(name) if self._unit.daemon() is not None else None
        return None if share is None else Path(share.path)

    def export_names(self) -> frozenset[str]:
        """The names of all recorded exports."""
        return frozenset(self._recorded())

    def status(self) -> Status:
        """Who is connected now, and by which processes."""
        daemon = self._unit.daemon()
        return Status({}, ()) if daemon is None else Sessions(self._programs, daemon).status()

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
            self._put_config(self._recorded())
            self._accounts.set(name, password)

    def remove_user(self, name: str) -> None:
        """Remove the user *name*, if there is one, and end its sessions; rules that name it stay recorded."""
        checked_user(name)
        with self._locked(f"remove user {name}"):
            self._prepare()
            self._put_config(self._recorded())
            self._accounts.forget_password(name)
            if (daemon := self._unit.daemon()) is not None:
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
                    f"{operation}: smbd ended meanwhile; the call can be repeated"
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

    def _recorded(self) -> dict[str, Export]:
        with os_errors("read the exports of smbd"):
            return read_exports(self.settings.exports_path)

    def _served(self) -> dict[str, Served]:
        parameters, _ = self._programs.testparm(self.settings.config_path)
        return config.served(parameters)

    def _is_in_force(self, exports: Mapping[str, Export]) -> bool:
        """Whether smb.conf is what is rendered from *exports*, and smbd runs."""
        return self._unit.daemon() is not None and self._config_is(exports)

    def _config_is(self, exports: Mapping[str, Export]) -> bool:
        path = self.settings.config_path
        return path.exists() and path.read_bytes() == self._text(exports)

    def _text(self, exports: Mapping[str, Export]) -> bytes:
        return config.rendered(self.settings, exports).encode()

    def _change(self, exports: dict[str, Export], check: Callable[[], None]) -> None:
        """Record *exports* and make them the configuration, if smbd accepts it and *check* does not raise."""
        candidate = self._checked_candidate(exports)
        check()
        write_exports(self.settings.exports_path, exports)
        put_file(self.settings.config_path, candidate)

    def _put_config(self, exports: dict[str, Export]) -> None:
        """Make smb.conf what is rendered from *exports*."""
        if not self._config_is(exports):
            put_file(self.settings.config_path, self._checked_candidate(exports))

    def _checked_candidate(self, exports: dict[str, Export]) -> bytes:
        """The text of smb.conf for *exports*; raises `DriverError` unless smbd understands exactly them."""
        text = self._text(exports)
        candidate = self.settings.config_path.with_name("smb.conf.candidate")
        put_file(candidate, text)
        try:
            parameters, complaints = self._programs.testparm(candidate)
        except DriverError as error:
            raise DriverError(
                f"smbd refuses the new configuration: {error}; the old one stays"
            ) from None
        finally:
            candidate.unlink()
        refused = config.complaint(complaints) or config.difference(
            exports, config.served(parameters)
        )
        if refused:
            raise DriverError(f"smbd refuses the new configuration: {refused}; the old one stays")
        return text

    def _apply(self, exports: dict[str, Export], name: str) -> Cut:
        """Bring *name* into force, and record that nobody has more any longer than the rules say."""
        export = exports[name]
        lost = frozenset(export.lost)
        cut = self._disconnect(name, frozenset(export.users), lost, everyone=export.interrupts)
        if export.lost:
            exports[name] = export.replace(lost=())
            write_exports(self.settings.exports_path, exports)
        return cut

    def _disconnect(
        self, name: str, allowed: frozenset[str], lost: frozenset[str], *, everyone: bool
    ) -> Cut:
        """Let the running smbd read its configuration; raises `TransientError` if none runs."""
        daemon = self._unit.daemon()
        if daemon is None:
            what = f"the change of export {name} is recorded"
            raise TransientError(NOT_RUNNING.format(directory=self.settings.directory, what=what))
        return Sessions(self._programs, daemon).cut(name, allowed, lost, everyone=everyone)

    def _config_problems(self) -> Iterator[str]:
        exports = self._recorded()
        if not self._config_is(exports):
            yield self._config_difference(exports)
        accounts = self._accounts.names()
        for name, export in sorted(exports.items()):
            if not Path(export.path).is_dir():
                yield f"export {name}: {export.path} is not a directory"
            if unknown := sorted(export.users.keys() - accounts):
                yield f"export {name}: {', '.join(unknown)} cannot log in: no password is set"

    def _config_difference(self, exports: dict[str, Export]) -> str:
        path = self.settings.config_path
        if not path.exists():
            return f"{path} is missing: start the backend, or apply the rules of any share again"
        found = config.difference(exports, self._served()) or "a parameter was changed"
        return f"{path} was changed by hand: {found}; the next change of any share restores it"


def _checked_export(name: str, path: Path, users: Mapping[str, str]) -> Export:
    """The export with these fields; raises `DriverError` with the field and the value that is wrong."""
    checked_export(name)
    try:
        return Export.model_validate({"path": str(path), "users": dict(users)})
    except ValidationError as error:
        raise DriverError(f"{problem(error, f'export {name}')}; nothing was changed") from None


def _refuse_same_name(name: str, exports: Mapping[str, Export]) -> None:
    for other in exports:
        if other != name and other.lower() == name.lower():
            raise DriverError(
                f"export {name!r}: clients cannot tell it from the export {other!r}; nothing was changed"
            )


def _lost(old: Export | None, new: Export) -> tuple[str, ...]:
    """The users who may do less than before, or whose files are elsewhere now."""
    if old is None:
        return ()
    moved = old.path != new.path
    lost = {
        user
        for user, level in old.users.items()
        if moved or new.users.get(user, "") not in {level, "rw"}
    }
    return tuple(sorted(lost.union(old.lost)))
