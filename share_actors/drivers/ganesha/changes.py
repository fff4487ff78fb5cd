"""One change of an export, made in the daemon and then on file; with the unit's change lock held.

Each function returns whether the change is complete: the daemon that took it still ran, with its bus, after
the file was written, so that any later daemon reads the new file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from share_actors.drivers.base import DriverError
from share_actors.drivers.ganesha.bus import Clients, Daemon, Refused
from share_actors.drivers.ganesha.exports import ExportFiles
from share_actors.drivers.ganesha.rendering import ExportRecord, export_file
from share_actors.drivers.ganesha.rules import flat_rules

Check = Callable[[], None]
_MOST_NAMED = 5
"""The rules that a message names."""


def draft(name: str, path: Path, clients: Mapping[str, str]) -> ExportRecord:
    """The export without its final id; raises `DriverError` for what cannot be exported."""
    record = ExportRecord(id=1, name=name, path=str(path), clients=dict(clients))
    try:
        export_file(record)
    except ValueError as error:
        raise DriverError(f"the export {name!r} was not changed: {error}") from error
    if not path.is_absolute() or not path.is_dir():
        raise DriverError(f"the export {name!r} was not changed: {path} is not a directory")
    return record


def numbered(exports: ExportFiles, record: ExportRecord) -> ExportRecord:
    """*record* with the id that the export has on file, else with a new one."""
    before = exports.record(record.name)
    return record.replace(id=before.id if before else exports.new_id())


def apply(daemon: Daemon, exports: ExportFiles, record: ExportRecord, check: Check) -> bool:
    """Let the daemon serve *record*, and write it to its file.

    Raises `DriverError` with the rules of before in force and on file, also if the daemon took the rules but
    reports others, or, if the daemon serves another
    directory than *record* names, with the export removed.
    """
    shown = daemon.shown(record.id)
    wanted = (record.path, f"/{record.name}", flat_rules(record.clients))
    if shown != wanted or not exports.holds(record):
        check()
        _take(daemon, exports, record, shown)
        _compare_rules(daemon, exports, record)
    try:
        _compare_directories(daemon, record)
    except DriverError:
        check()
        with suppress(Refused):
            daemon.remove(record.id)
        exports.remove(record.name)
        raise
    if not exports.holds(record):
        exports.make_permanent(record.name)
    return daemon.still_runs()


def withdraw(daemon: Daemon, exports: ExportFiles, name: str, check: Check) -> bool:
    """Let the daemon serve the export *name* no more, and remove its file."""
    record = exports.record(name)
    number = record.id if record else number_of(daemon, name)
    check()
    if number is not None and _is_shown(daemon, number, name):
        daemon.remove(number)
    exports.remove(name)
    return daemon.still_runs()


def number_of(daemon: Daemon, name: str) -> int | None:
    """The id of the export *name* in the daemon, for one without a file; slow with many exports."""
    return next((id_ for id_, pseudo in daemon.served().items() if pseudo == f"/{name}"), None)


def _is_shown(daemon: Daemon, number: int, name: str) -> bool:
    shown = daemon.shown(number)
    return shown is not None and shown[1] == f"/{name}"


def _take(
    daemon: Daemon,
    exports: ExportFiles,
    record: ExportRecord,
    shown: tuple[str, str, object] | None,
) -> None:
    """Let the daemon take *record*: update the export if it has it, else add it. Raises `DriverError`."""
    file = exports.propose(record)
    try:
        if shown is not None and shown[:2] == (record.path, f"/{record.name}"):
            daemon.update(file, record.id)
        else:
            _replace(daemon, exports, record, file, shown is not None)
    except Refused as error:
        file.unlink(missing_ok=True)
        raise DriverError(f"the export {record.name!r} was not changed: {error}") from error


def _replace(
    daemon: Daemon, exports: ExportFiles, record: ExportRecord, file: Path, is_shown: bool
) -> None:
    """Add *record* in place of an export with its id or its name; raises `Refused`."""
    stray = record.id if is_shown else None
    if stray is None:
        try:
            daemon.add(file, record.id)
        except Refused:  # also if an export whose file was lost has the name
            if (stray := number_of(daemon, record.name)) is None:
                raise
        else:
            return
    daemon.remove(stray)
    try:
        daemon.add(file, record.id)
    except Refused:
        if (before := exports.record(record.name)) is not None:
            daemon.add(exports.path(record.name), before.id)
        raise


def _compare_rules(daemon: Daemon, exports: ExportFiles, record: ExportRecord) -> None:
    """Raise `DriverError` unless the rules that the daemon enforces are those of *record*.

    The daemon drops without a word what it cannot read in a list of clients. The rules of before, or no
    export, are in force afterwards.
    """
    shown, wanted = daemon.shown(record.id), flat_rules(record.clients)
    if shown is not None and shown[2] == wanted:
        return
    exports.pending(record.name).unlink(missing_ok=True)
    before = exports.record(record.name)
    with suppress(Refused):
        daemon.remove(record.id)
    if before is not None:
        daemon.add(exports.path(record.name), before.id)
    raise DriverError(
        f"the export {record.name!r} was not changed: NFS-Ganesha took the rules, and then"
        f" {_difference(shown[2] if shown else (), wanted)}."
        f" {'The previous rules are in force' if before else 'It is not exported'}:"
        " write the clients that NFS-Ganesha does not read in another form"
    )


def _difference(shown: Clients, wanted: Clients) -> str:
    """What the daemon does with rules that differ from those that were *wanted*."""
    missing = [" ".join(rule) for rule in wanted if rule not in shown][:_MOST_NAMED]
    extra = [" ".join(rule) for rule in shown if rule not in wanted][:_MOST_NAMED]
    if not missing and not extra:
        return "compared them in another order"
    words = (("did not enforce", missing), ("enforced", extra))
    return " and ".join(f"{verb} {', '.join(rules)}" for verb, rules in words if rules)


def _compare_directories(daemon: Daemon, record: ExportRecord) -> None:
    """Raise `DriverError` unless the daemon sees the directory that this process sees at the path."""
    path = Path(record.path)
    try:
        own = path.stat()
        theirs = Path(f"/proc/{daemon.pid}/root{path.resolve()}").stat()
    except OSError as error:
        raise DriverError(
            f"the export {record.name!r} was removed: {path} is not there for NFS-Ganesha: {error}"
        ) from error
    if (own.st_dev, own.st_ino) != (theirs.st_dev, theirs.st_ino):
        raise DriverError(
            f"the export {record.name!r} was removed: NFS-Ganesha would serve another directory than"
            f" {path}, the one beneath the mount. Mount it where the daemon's mount namespace sees it"
            f" (device {os.major(theirs.st_dev)}:{os.minor(theirs.st_dev)}, inode {theirs.st_ino}),"
            " then export it again"
        )
