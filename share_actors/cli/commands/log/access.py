"""`share-actors log access`, `reach` and `exposure`: who could mount what, what for, and for how long."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.commands.log.reading import LogOption, opened
from share_actors.cli.commands.log.times import say_what_is_archived
from share_actors.cli.new_file import new_file
from share_actors.cli.output import Column, Table, count, format_time
from share_actors.cli.output.columns import WIDE
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest

if TYPE_CHECKING:
    from share_actors.audit.access import AccessPeriod, Exposure
    from share_actors.audit.access.page import Lane, Page
    from share_actors.audit.reading.reader import LogReader
    from share_actors.values import Frozen


def _known(state: object) -> object:
    return "not known" if state in (None, "unknown") else state


def _level(level: str | None) -> str | None:
    return "not known" if level == "unknown" else level


def _ruled(period: AccessPeriod) -> str:
    return f"{period.access_type} {period.access_to}" if period.access_id else "all others"


ACCESS = Table(
    "period",
    (
        Column("CLIENT", "access_to", "id", 0, shown=_ruled),
        Column("LEVEL", "access_level", "word", 1),
        Column("INTENDED", "intended", "word", 1, shown=lambda period: _known(period.intended)),
        Column("IN FORCE", "in_force", "word", 1, shown=lambda period: _known(period.in_force)),
        Column("SINCE", "start", "time", 2),
        Column("UNTIL", "end", "time", 2),
        Column("SNAPSHOT", "snapshot_id", "id", 6),
        Column("ASKED AT", "asked_at", "time", 4),
        Column("ASKED BY", "asked_by", "word", 3),
        Column("APPLIED AT", "applied_at", "time", 5),
        Column("REVOKED AT", "revoked_at", "time", 5),
        Column("RULE", "access_id", "id", 7),
        Column("WHY", "because", "text", 6),
        Column("TYPE", "access_type", "word", WIDE),
    ),
    identity=None,
    times="absolute",
)
REACH = Table(
    "period",
    (
        Column("FROM", "start", "time", 0),
        Column("TO", "end", "time", 1),
        Column("SHARE", "share_id", "id", 3),
        Column("NAME", "share_name", "word", 2),
        Column("PROJECT", "project_id", "word", 5),
        Column("CLIENT", "client", "id", 4),
        Column("INTENDED", "intended", "word", 1, shown=lambda found: _level(found.intended)),
        Column("IN FORCE", "in_force", "word", 1, shown=lambda found: _level(found.in_force)),
        Column("SNAPSHOT", "snapshot_id", "id", 6),
        Column("AT MOST", "at_most", "word", 5),
        Column("RULES", "rules", "id", 7),
        Column("WHY", "because", "text", 6),
    ),
    identity=None,
    times="absolute",
)
EXPOSURES = Table(
    "exposure",
    (
        Column("ASKED AT", "asked_at", "time", 0),
        Column("GONE AT", "gone_at", "time", 5),
        Column("SECONDS", "seconds", "size", 1, shown=lambda found: _rounded(found.seconds)),
        Column("SHARE", "share_id", "id", 4),
        Column("NAME", "share_name", "word", 2),
        Column(
            "CLIENT", "access_to", "id", 2, shown=lambda one: f"{one.access_type} {one.access_to}"
        ),
        Column("LEVEL", "access_level", "word", 5),
        Column("KIND", "kind", "word", 3),
        Column("RESULT", "result", "word", 1),
        Column("SNAPSHOT", "snapshot_id", "id", 7),
        Column("REMAINS", "remains", "text", 6),
        Column("ASKED BY", "asked_by", "word", 5),
        Column("RULE", "access_id", "id", 7),
        Column("FAILED", "failed", "text", 6),
        Column("TYPE", "access_type", "word", WIDE),
    ),
    identity=None,
    times="absolute",
)
ORDERS = {
    "longest prefix": "The backend takes the rule for the smallest network that has the client's address.",
    "exact name": "The backend takes the rule that has the client's name.",
    "unknown": "Which of several rules for one address the backend takes is not known: the log does not"
    " have its driver, or the driver is not one whose order is known.",
}
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page with a timeline to this new file."),
]


# -- access --------------------------------------------------------------------------------------
@command(
    "log access",
    table=ACCESS,
    examples=[
        "log access homes --at 2026-03-01T14:05:00Z",
        "log access homes --at 2026-03-01T14:05:00Z --log copy.db --html homes.html",
    ],
)
def access(
    session: Session,
    share: Annotated[str, typer.Argument(metavar="SHARE", help="Id or name of a share.")],
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="A time with its zone: ...Z.")],
    html: HtmlOption = None,
    log: LogOption = None,
) -> None:
    """Show who could mount a share, or one of its snapshots, at a time, and who was intended to.

    INTENDED: the rule had been requested and not revoked. IN FORCE: the backend had confirmed the rule, and
    not yet its removal: yes, no, or not known. SINCE and UNTIL are the beginning and the end of this state.
    The page that --html writes shows the whole history of the share's rules.
    """
    from share_actors.audit.access import access_at, access_history
    from share_actors.audit.access.page import Page, history_lanes
    from share_actors.events.event_filter import point_in_time

    when = point_in_time("at", at)
    with opened(session, log) as reader:
        found = access_at(reader, share, when)
        _warn_after(session, reader, when)
        if html is not None:
            question = f"Who could mount share {share} at {format_time(when)}?"
            page = Page(f"Access to {share}", question, reader.where, "rule", mark=when)
            _write(session, html, page, reader, history_lanes(access_history(reader, share)))
            return
    _print(session, ACCESS, found, "Nobody could mount it, and nobody was intended to.")
    _print_orders(session, {period.order for period in found if period.access_type == "ip"})


# -- reach ---------------------------------------------------------------------------------------
ClientOption = Annotated[
    str,
    typer.Argument(
        metavar="CLIENT",
        help="An address, a network, a user, or TYPE:NAME, such as user:@staff or cert:host-1.",
    ),
]
StartOption = Annotated[str, typer.Option("--from", metavar="TIME", help="From this time on.")]
EndOption = Annotated[str, typer.Option("--to", metavar="TIME", help="Before this time.")]


@command(
    "log reach",
    table=REACH,
    examples=[
        "log reach 10.0.0.7 --from 2026-03-01T00:00:00Z --to 2026-03-02T00:00:00Z",
        "log reach user:alice --from 2026-03-01T00:00:00Z --to 2026-03-02T00:00:00Z --json",
    ],
)
def reach(
    session: Session,
    client: ClientOption,
    start: StartOption,
    end: EndOption,
    html: HtmlOption = None,
    log: LogOption = None,
) -> None:
    """List what a client could reach between two times, share by share.

    Of an address, INTENDED and IN FORCE say what all rules of the share came to, as its backend decides among
    them. Of a network, each rule that names all or a part of it has its own rows. A user's groups are not
    in the log: ask for each as user:@GROUP. With --json it prints one period a line.
    """
    from share_actors.audit import access as machine
    from share_actors.audit.access.page import Page, reach_lanes

    first, last = _times(start, end)
    assert first is not None
    assert last is not None
    wanted = machine.parse_client(client)
    with opened(session, log) as reader:
        say_what_is_archived(session, reader)
        found = machine.reach(reader, wanted, first, last)
        _warn_after(session, reader, last)
        if html is not None:
            name = f"{wanted.access_type} {wanted.name}"
            question = f"What could {name} reach from {format_time(first)} to {format_time(last)}?"
            page = Page(f"Reach of {name}", question, reader.where, "share", first, last)
            _write(session, html, page, reader, reach_lanes(found))
            return
        orders: set[str] = set()
        shown = _noting(found, lambda one: orders.add(one.order))
        _print(session, REACH, shown, "It could reach nothing.")
    _print_orders(session, orders)


# -- exposure ------------------------------------------------------------------------------------
@command(
    "log exposure",
    table=EXPOSURES,
    examples=["log exposure", "log exposure homes --from 2026-03-01T00:00:00Z --html gaps.html"],
)
def exposure(
    session: Session,
    share: Annotated[
        str | None, typer.Argument(metavar="SHARE", help="Only of this share: its id or name.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Only what lasted after this time.")
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="Only what was asked before this time."),
    ] = None,
    html: HtmlOption = None,
    log: LogOption = None,
) -> None:
    """List how long access lasted after the request to end it: when it was requested, and when it ended.

    KIND is revoked, lowered (from rw to ro) or deleted (with its share). RESULT is gone, open, or unknown if
    the share was not managed any more. With --json it prints one exposure a line, share by share.
    """
    from share_actors.audit.access import exposures
    from share_actors.audit.access.page import Page, exposure_lanes

    first, last = _times(start, end)
    with opened(session, log) as reader:
        if share is None:
            say_what_is_archived(session, reader)
        found: Iterable[Exposure] = exposures(reader, share, first, last)
        if html is not None:
            question = "How long did access last after the request to end it?"
            title = "Exposures" if share is None else f"Exposures of {share}"
            page = Page(title, question, reader.where, "exposure", first, last)
            _write(session, html, page, reader, exposure_lanes(found))
            return
        if session.output.view.is_for_people:
            found = sorted(found, key=lambda one: one.asked_at)
        _print(session, EXPOSURES, found, "There was no request to end access.")


# -- shared --------------------------------------------------------------------------------------
def _times(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """Both times; raises `InvalidRequest`, also if the first is after the second."""
    from share_actors.events.event_filter import point_in_time

    first = None if start is None else point_in_time("from", start)
    last = None if end is None else point_in_time("to", end)
    if first is not None and last is not None and first > last:
        text = f"--from: {start} is after --to {end}"
        raise InvalidRequest(text, field="from", value=start)
    return first, last


def _warn_after(session: Session, reader: LogReader, at: datetime) -> None:
    """Say that the log has nothing of the time *at*, if so."""
    from share_actors.audit.access import log_times

    times = log_times(reader)
    if times is not None and at > times.last:
        text = f"The log ends at {format_time(times.last)}: what is later is as of then."
        session.output.print_message(text)


def _noting(found: Iterable[Any], note: Callable[[Any], object]) -> Iterable[Any]:
    for one in found:
        note(one)
        yield one


def _print(session: Session, table: Table, found: Iterable[Any], nothing: str) -> None:
    """Print one document a line, or rows of *table*."""
    session.output.print_each(table, found, _document, nothing)


def _document(found: Frozen) -> dict[str, Any]:
    document: dict[str, Any] = found.model_dump(mode="json")
    seconds = getattr(found, "seconds", _NO_SECONDS)
    return document if seconds is _NO_SECONDS else {**document, "seconds": seconds}


_NO_SECONDS = object()


def _rounded(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:g}"


def _print_orders(session: Session, orders: set[str]) -> None:
    for order in sorted(orders):
        session.output.print_message(ORDERS[order])


def _write(
    session: Session, html: Path, page: Page, reader: LogReader, lanes: Iterable[Lane]
) -> None:
    from share_actors.audit.access import log_times
    from share_actors.audit.access.page import write_page

    times = log_times(reader)
    if times is not None:
        source = f"{page.source}, from {format_time(times.first)} to {format_time(times.last)}"
        page = page._replace(source=source, log=times)
    with new_file(html, "html") as file:
        number = write_page(file, page, lanes)
    if session.json:
        session.output.print_json({"rows": number, "file": str(html)})
    else:
        session.output.print(f"Wrote a page with {count(number, page.noun)}.")
