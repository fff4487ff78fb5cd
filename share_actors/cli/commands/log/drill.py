"""`share-actors log restore-drill`: restore a backup into a new log, replay it, and prove what it is."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from share_actors.cli.command import command
from share_actors.cli.commands.log.reading import progress
from share_actors.cli.commands.log.verify import FOREIGN_KEY, settings_named
from share_actors.cli.exit_codes import DIFFERS, LOST
from share_actors.cli.output import count, escape, format_time
from share_actors.cli.session import Session
from share_actors.cli.trusted_checkpoint import (
    CheckpointFile,
    Key,
    Trusted,
    trusted_checkpoint,
)
from share_actors.errors import InvalidRequest

if TYPE_CHECKING:
    from share_actors.audit.transfer.restore_drill import Drill, Target
    from share_actors.config import Config, LogSettings
    from share_actors.events.checkpoints.leaves import Leaf


Backup = Annotated[
    str,
    typer.Argument(
        metavar="BACKUP",
        help="A SQLite file, an export (JSON Lines), a dump by pg_dump (plain or custom format), or"
        " the URL of a restored database.",
    ),
]
Into = Annotated[
    str | None,
    typer.Option(
        "--into",
        metavar="FILE|URL",
        help="Keep the restored log: a new file, or a database with an empty schema. Default: a"
        " temporary file.",
    ),
]
MaxLost = Annotated[
    int | None,
    typer.Option(
        "--max-lost",
        min=0,
        help="Exit code 17 if the checkpoint has more events than this beyond it.",
    ),
]


@command(
    "log restore-drill",
    examples=[
        "log restore-drill copy.db",
        "log restore-drill copy.db --into /srv/restored/log.db --max-lost 1000 --json",
    ],
)
def restore_drill(
    session: Session,
    backup: Backup,
    into: Into = None,
    max_lost: MaxLost = None,
    checkpoint: CheckpointFile = None,
    key: Key = None,
) -> None:
    """Restore a backup into a new log, replay it, and verify it against the newest checkpoint.

    Shows the times, the numbers of events and shares, and which recorded events the backup lacks.
    The log of the configuration is neither read nor changed, and a system may be running. Exit code 14 if the
    backup is not what was recorded or cannot be replayed, 12 if it cannot be restored at all.
    """
    from share_actors.audit.transfer.restore_drill import drill

    trusted = trusted_checkpoint(session, checkpoint, key, required=False)
    with (
        _source(session.config, backup) as source,
        _target(session.config, into) as target,
        progress(session, "restoring") as report,
    ):
        found = drill(
            backup,
            source,
            target,
            trusted.checkpoint if trusted else None,
            lambda: _leaves(trusted),
            report,
        )
    _print(session, found, trusted, into)
    if not found.ok:
        raise typer.Exit(DIFFERS)
    if max_lost is not None and found.lost is not None and found.lost.events > max_lost:
        raise typer.Exit(LOST)


@contextmanager
def _source(config: Config, backup: str) -> Iterator[LogSettings]:
    """The settings of the log in *backup*; a dump is restored into a database that is dropped afterwards."""
    from share_actors.audit.transfer.postgres_dump import is_dump, restored

    if not is_dump(backup):
        yield settings_named(backup, config.log, "backup")
        return
    with restored(Path(backup), config.log) as settings:
        yield settings


def _leaves(trusted: Trusted | None) -> Iterable[Leaf]:
    return () if trusted is None else trusted.directory.leaves(trusted.checkpoint.size)


@contextmanager
def _target(config: Config, into: str | None) -> Iterator[Target]:
    """The new log, which is removed afterwards unless it has a name; raises `InvalidRequest`.

    A file gets its name when the block ends, so that one with the name is always whole.
    """
    from share_actors.audit.transfer.new_log import new_log
    from share_actors.audit.transfer.restore_drill import Target
    from share_actors.scratch import Scratch

    with Scratch("drill") as scratch, ExitStack() as stack:
        where = f"{scratch}/log.db" if into is None else into
        settings, path = settings_named(where, config.log, "--into"), Path(where)
        if settings.kind != "sqlite" and _place(settings) == _place(config.log):
            raise _refused(into, "it is the log of the configuration")
        if settings.kind == "sqlite" and into is not None:
            _check_new(path)
            path = stack.enter_context(new_log(path, "into"))
        yield Target(log=settings, path=path, catalog=scratch / "catalog.db")


def _check_new(path: Path) -> None:
    from share_actors.scratch import clear_beside

    if os.path.lexists(path):
        clear_beside(path)
        raise _refused(path, "it exists, and was not changed")
    if not path.parent.is_dir():
        raise _refused(path, "its directory does not exist")


def _place(settings: object) -> tuple[object, ...]:
    names = ("kind", "host", "port", "database", "schema_name")
    return tuple(getattr(settings, name) for name in names)


def _refused(into: object, problem: str) -> InvalidRequest:
    text = f"--into: {into}: {problem}; choose a new file, or another schema"
    return InvalidRequest(text, field="into", value=str(into))


# -- printing ------------------------------------------------------------------------------------
def _print(session: Session, found: Drill, trusted: Trusted | None, kept: str | None) -> None:
    unproven = _unproven(found, trusted)
    if session.json:
        document = {**found.model_dump(mode="json"), "ok": found.ok, "not_verified": unproven}
        session.output.print_json({**document, "log": kept})
        return
    output = session.output
    shares = ", ".join(f"{n} {status}" for status, n in sorted(found.shares.items())) or "none"
    times = (
        f"{name} {getattr(found, f'{name}_s'):.1f} s" for name in ("restore", "replay", "verify")
    )
    output.print_fields(
        {
            "events": found.events,
            "streams": found.streams,
            "head": found.head,
            "last event": found.last_at,
        }
        | {"shares": shares, "times": ", ".join(times)}
    )
    rows = [(f["position"], f["kind"], f["share"], f["text"]) for f in found.findings[:10]]
    output.print_section(("POSITION", "KIND", "SHARE", "WHAT"), rows)
    output.print_section(("NOT REPLAYED",), [(item,) for item in found.not_replayed[:10]])
    for text in _sentences(found, trusted):
        output.print(escape(text))
    for text in unproven:
        output.print(f"Not verified: {escape(text)}.")
    verdict = "can be restored" if found.ok else "is not what was recorded, or cannot be replayed"
    output.print(f"The backup {verdict}.")


def _sentences(found: Drill, trusted: Trusted | None) -> Iterator[str]:
    if trusted is not None and found.covered:
        at = trusted.checkpoint.extension("at")
        yield (
            f"Verified: {count(found.covered, 'event')} are those of the checkpoint of"
            f" {count(trusted.checkpoint.size, 'event')} ({at})."
        )
    if (lost := found.lost) is not None:
        since = f" recorded after {format_time(found.last_at)}" if found.last_at else ""
        yield (
            f"Lost if restored: {count(lost.events, 'event')} of {count(lost.entities, 'stream')}{since},"
            f" from position {lost.first} on."
        )


def _unproven(found: Drill, trusted: Trusted | None) -> list[str]:
    if trusted is None:
        return ["that no event was edited or removed, and what is lost: there is no checkpoint"]
    texts = list(found.notes)
    if found.after_checkpoint:
        texts.append(
            f"the last {count(found.after_checkpoint, 'event')}: they are after the checkpoint"
        )
    if not trusted.own_key:
        texts.append(FOREIGN_KEY.format("from beside the checkpoint"))
    return texts
