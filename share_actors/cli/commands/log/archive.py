"""`share-actors log archive`: move events of entities that were deleted long ago to a file."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.commands.log.reading import opened, progress
from share_actors.cli.output import count, escape
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest
from share_actors.values.checks.durations import parse_duration

if TYPE_CHECKING:
    from share_actors.audit.archives import Archived, Selection

MAX_SHOWN = 20


@command(
    "log archive",
    examples=[
        "log archive --older-than 365d --dry-run",
        "log archive --older-than 365d --to /mnt/archive/2026.gz",
    ],
)
def archive(
    session: Session,
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than",
            metavar="AGE|TIME",
            help="Only entities deleted longer ago than this, such as 90d, 12w or 36h, or before this time.",
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Write this new archive, or continue this one."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be archived, and change nothing.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Write and prove the file; remove nothing from the log.")
    ] = False,
) -> None:
    """Move the events of shares, servers and networks that were deleted long ago from the log to a file.

    No system may be running. The file is durable and proven before anything is removed, and the log gets a
    record of it; after a crash, repeat the command with the same file. All proofs of the log still hold. The
    file is read by --log, as in `log history SHARE --log FILE`. Needs `audit.checkpoints`.
    """
    until = _until(older_than)
    if dry_run:
        _dry_run(session, until)
        return
    if to is None:
        text = "--to: name the file of the archive, or add --dry-run"
        raise InvalidRequest(text, field="to")
    from share_actors.audit.archives import archive as archive_log

    with progress(session, "archiving") as report:
        done = archive_log(session.config, until, to, session.context, keep=keep, progress=report)
    _print(session, done, keep=keep)


def _until(text: str) -> datetime:
    """The time that *text* means: that long ago, or itself; raises `InvalidRequest`."""
    from share_actors.events.event_filter import point_in_time

    now = datetime.now(UTC)
    if (age := parse_duration(text)) is None:
        until = point_in_time("older_than", text)
    else:
        until = _before(now, text, age)
    if until > now:
        raise InvalidRequest(
            f"older_than: {text} is in the future; nothing was archived",
            field="older_than",
            value=text,
        )
    return until


def _before(now: datetime, text: str, age: timedelta) -> datetime:
    try:
        return now - age
    except OverflowError:
        raise InvalidRequest(
            f"older_than: {text} is before the year 1", field="older_than", value=text
        ) from None


def _dry_run(session: Session, until: datetime) -> None:
    from share_actors.audit.archives import select

    with opened(session, None) as reader, progress(session, "reading") as report:
        found = select(reader, until, report)
    if session.json:
        facts = {"until": until.isoformat(), "events": found.events, "bytes": found.bytes}
        session.output.print_json({**facts, "streams": found.streams})
        return
    _print_selection(session, found)


def _print_selection(session: Session, found: Selection) -> None:
    output = session.output
    largest = sorted(found.streams.items(), key=lambda item: (-item[1], item[0]))[:MAX_SHOWN]
    if largest:
        output.print_table(("STREAM", "EVENTS"), largest)
    if len(found.streams) > len(largest):
        output.print(f"... and {len(found.streams) - len(largest)} more.")
    output.print(
        f"{count(found.events, 'event')} of {count(len(found.streams), 'stream')} would be archived,"
        f" {found.bytes} bytes; nothing was changed."
    )


def _print(session: Session, done: Archived, *, keep: bool) -> None:
    document: dict[str, Any] = {**done._asdict(), "file": str(done.file)}
    if session.json:
        session.output.print_json(document)
        return
    if not done.events:
        session.output.print("Nothing is old enough; no file was written.")
        return
    what = f"{count(done.events, 'event')} of {count(done.streams, 'stream')}"
    text = f"{done.file} has {what}, proven by its checkpoint. SHA-256: {done.file_sha256}"
    session.output.print(escape(text))
    if keep:
        rest = "Nothing was removed from the log; repeat the command without --keep to do so."
    elif done.removed:
        removed = count(done.removed, "event")
        rest = f"{removed} were removed from the log; its position {done.position} says so."
    else:
        rest = f"They were removed from the log before; its position {done.position} says so."
    session.output.print(escape(rest))
    if done.freed_bytes:
        session.output.print(f"The file of the log is {done.freed_bytes} bytes smaller.")
