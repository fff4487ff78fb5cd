"""`share-actors log state`, `list` and `diff`: what was true at a time, and what changed between two."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from share_actors.cli.command import command, installed_version
from share_actors.cli.commands.log.reading import (
    EntityArgument,
    LogOption,
    opened,
    progress,
)
from share_actors.cli.output import Column, Table, count, escape, format_time
from share_actors.cli.rendering import print_entity, print_share
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest
from share_actors.values import Share
from share_actors.values.secret import SHOWN

if TYPE_CHECKING:
    from share_actors.audit.index import Indexed
    from share_actors.audit.reading.reader import LogReader
    from share_actors.audit.time_travel import Change, StateAt, Until

PENDING_COLUMNS = ("ASKED FOR, NOT DONE", "ASKED BY", "ASKED AT")
PAST_SHARES = Table(
    "share",
    (
        Column("ID", "id", "id", 0),
        Column("NAME", "name", "word", 1),
        Column("GIB", "size", "size", 2),
        Column("STATUS", "status", "word", 1),
        Column("PROJECT", "project_id", "word", 4),
        Column("HOST", "host", "word", 3),
        Column("RULES", "access_rules", "size", 4, lambda share: len(share.access_rules)),
    ),
    times="absolute",
)


def _result(change: Change) -> str:
    if change.failed:
        return f"failed: {change.failed}"
    return "done" if change.done_at else "pending"


CHANGES = Table(
    "change",
    (
        Column("ASKED AT", "asked_at", "time", 0),
        Column("DONE AT", "done_at", "time", 4),
        Column("SHARE", "share_id", "id", 1),
        Column("NAME", "name", "word", 2),
        Column("CHANGE", "kind", "word", 1),
        Column("DETAIL", "detail", "text", 4),
        Column("ASKED BY", "asked_by", "word", 5),
        Column("RESULT", "result", "text", 5, _result),
    ),
    identity=None,
    times="absolute",
)
LEFT_OUT = {"file", "file_sha256", "events", "streams", "until"}
"""What is said of an archive whose events are not in an answer."""


IndexOption = Annotated[
    Path | None,
    typer.Option("--index", metavar="FILE", help="Index of the log. Default: LOG.index, if valid."),
]


@contextmanager
def indexed(reader: LogReader, log: str | None, path: Path | None) -> Iterator[Indexed | None]:
    """The index at *path*; without one, that beside the file *log*, or None if it does not fit."""
    from share_actors.audit.index import open_index

    with ExitStack() as stack:
        if path is not None:
            yield stack.enter_context(open_index(reader, path, installed_version()))
            return
        beside = index_beside(log)
        usable = None
        if beside is not None and beside.is_file():
            with suppress(
                InvalidRequest
            ):  # of another log or version: the log alone has the answer
                usable = stack.enter_context(open_index(reader, beside, installed_version()))
        yield usable


def index_beside(log: str | None) -> Path | None:
    """The place of the index of the file *log*; None for a URL and for the log of the configuration."""
    return None if log is None or "://" in log else Path(f"{log}.index")


@command(
    "log index",
    examples=["log index --log copy.db", "log index --log copy.db --index fleet.index"],
)
def make_index(
    session: Session,
    log: LogOption = None,
    index: Annotated[
        Path | None,
        typer.Option("--index", metavar="FILE", help="Write this file. Default: LOG.index."),
    ] = None,
) -> None:
    """Build or update an index of a log, which makes `state`, `list` and `diff` faster.

    It contains the last state of every share, and may be deleted at any time. The log is not changed.
    """
    from share_actors.audit.index import update_index

    path = index or index_beside(log)
    if path is None:
        text = (
            "--index: name the file to write: there is no file of a copied log to write it beside"
        )
        raise InvalidRequest(text, field="index")
    with opened(session, log) as reader, progress(session, "indexing") as report:
        update = update_index(reader, path, installed_version(), report)
    if session.json:
        session.output.print_json({**update.model_dump(mode="json"), "file": str(path)})
        return
    verb = "Made" if update.made else "Updated"
    folded = f"{count(update.shares, 'share')} folded, up to position {update.head}"
    session.output.print(escape(f"{verb} {path}: {folded}."))


@command(
    "log state",
    examples=["log state homes --at 2026-03-01T14:05:00Z", "log state homes --at 7"],
)
def state(
    session: Session,
    entity: EntityArgument,
    at: Annotated[
        str,
        typer.Option("--at", metavar="TIME|VERSION", help="A time with its zone, or a version."),
    ],
    log: LogOption = None,
    index: IndexOption = None,
) -> None:
    """Show the past state of a share or another entity, and the requests that were pending then."""
    from share_actors.audit.queries import find_stream
    from share_actors.audit.time_travel import state_at

    until = _until(at)
    with opened(session, log) as reader, indexed(reader, log, index) as usable:
        found = state_at(reader, find_stream(reader, entity, usable), until)
    if session.json:
        session.output.print_json(_document(found))
    else:
        _print_state(session, found)


def _until(text: str) -> Until:
    """The version or time that *text* is; raises `InvalidRequest`."""
    from share_actors.events.event_filter import point_in_time

    if text.isascii() and text.isdigit():
        return int(text[:20])
    return point_in_time("at", text)


def _document(found: StateAt) -> dict[str, Any]:
    view = found.view.model_dump(mode="json", context=SHOWN)
    return {**found.model_dump(mode="json", exclude={"view"}), "view": view}


def _print_state(session: Session, found: StateAt) -> None:
    output = session.output
    if isinstance(found.view, Share):
        print_share(session, found.view)
    else:
        print_entity(session, found.view)
    rows = [(owed.what, owed.asked_by, owed.asked_at) for owed in found.pending]
    output.print_section(PENDING_COLUMNS, rows)
    output.print("")
    output.print_fields({"version": found.version, "changed_at": found.changed_at})
    for version in found.backwards:
        output.print_message(
            f"[yellow]Warning:[/] version {version} is dated before its predecessor:"
            " a clock ran backwards; give a version instead of a time."
        )


@command("log list", table=PAST_SHARES, examples=["log list --at 2026-03-01T14:05:00Z"])
def list_(
    session: Session,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="A time with its zone.")],
    gone: Annotated[
        bool, typer.Option("--gone", help="Also those that were deleted or unmanaged by then.")
    ] = False,
    log: LogOption = None,
    index: IndexOption = None,
) -> None:
    """List every share that there was at a time. With --json it prints one share a line."""
    from share_actors.audit.time_travel import shares_at
    from share_actors.events.event_filter import point_in_time

    when = point_in_time("at", at)
    with opened(session, log) as reader, indexed(reader, log, index) as usable:
        say_what_is_archived(session, reader)
        shares = shares_at(reader, when, gone=gone, index=usable)
        session.output.print_each(
            PAST_SHARES,
            shares,
            lambda share: share.model_dump(mode="json", context=SHOWN),
            "No shares.",
        )


def say_what_is_archived(session: Session, reader: LogReader) -> None:
    """Say which shares are not in the log any more: on stderr, and as a first line with --json."""
    from share_actors.audit.queries import archives_of

    records = list(archives_of(reader))
    if session.output.view.has_documents and records:
        left_out = [record.model_dump(mode="json", include=LEFT_OUT) for record in records]
        session.output.print_json_line({"not_included": left_out})
    for record in records:
        session.output.print_message(
            f"Not included: {count(record.streams, 'stream')} deleted before"
            f" {format_time(record.until)}, archived in {escape(record.file)}: add --log FILE."
        )


@command(
    "log diff",
    table=CHANGES,
    examples=["log diff --from 2026-03-01T00:00:00Z --to 2026-03-02T00:00:00Z"],
)
def diff(
    session: Session,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="After this time.")],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="Up to this time.")],
    log: LogOption = None,
    index: IndexOption = None,
) -> None:
    """List what changed: shares created, deleted or resized, and access opened or closed.

    ASKED AT is when it was requested, DONE AT when the backend had done it; what was requested between the
    two times and not done by the second has no DONE AT. With --json it prints one change a line.
    """
    from share_actors.audit.time_travel import changes
    from share_actors.events.event_filter import point_in_time

    first, last = point_in_time("from", start), point_in_time("to", end)
    if first > last:
        text = f"--from: {start} is after --to {end}"
        raise InvalidRequest(text, field="from", value=start)
    with opened(session, log) as reader, indexed(reader, log, index) as usable:
        say_what_is_archived(session, reader)
        found = sorted(
            changes(reader, first, last, usable), key=lambda c: (c.done_at or last, c.asked_at)
        )
    session.output.print_each(
        CHANGES, found, lambda change: change.model_dump(mode="json"), "Nothing changed."
    )
