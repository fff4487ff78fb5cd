"""`share-actors log ...`: read the event log, or a copy of it; no system has to be running."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.output import escape, format_time
from share_actors.cli.rendering import event_document, print_history
from share_actors.cli.session import Session
from share_actors.cli.tables import HISTORY
from share_actors.errors import InvalidRequest, ShareActorsError

if TYPE_CHECKING:
    from share_actors.audit.reading.reader import LogReader
    from share_actors.audit.statistics import Progress as Report
    from share_actors.events.envelope import Recorded
    from share_actors.events.event_filter import EventFilter

LogOption = Annotated[
    str | None,
    typer.Option(
        "--log",
        metavar="FILE|URL",
        help="Read this SQLite file, or postgresql://USER@HOST/DATABASE?schema=NAME."
        " Default: the log of the configuration, which also has the cipher key.",
    ),
]
EntityArgument = Annotated[
    str,
    typer.Argument(
        metavar="ENTITY", help="Id or name of a share, network, server, type or backend."
    ),
]
ShareFilter = Annotated[
    str | None,
    typer.Option("--share", metavar="ENTITY", help="Only events of this share or other entity."),
]
ProjectFilter = Annotated[
    str | None, typer.Option("--project", help="Only events of requests of this project.")
]
UserFilter = Annotated[
    str | None, typer.Option("--user", help="Only events of requests of this user.")
]
KindFilter = Annotated[
    str | None,
    typer.Option(
        "--kind", help="Only this topic, such as share.created, or a group of topics: access."
    ),
]
SinceFilter = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="Only events from this time on; with a zone: ...Z."
    ),
]
UntilFilter = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Only events up to this time.")
]
CommandFilter = Annotated[
    str | None,
    typer.Option("--command", metavar="ID", help="Only events that result from this request."),
]


# -- shared by the commands ----------------------------------------------------------------------
@contextmanager
def opened(session: Session, where: str | None) -> Iterator[LogReader]:
    """The log at *where*, or that of the configuration; raises `LogError`."""
    from share_actors.audit.reading.reader import open_configured_reader, open_reader

    with advised(where):
        if where is None:
            reader = open_configured_reader(session.config)
        elif not where or "\0" in where:
            raise InvalidRequest(f"--log: {where!r} is not a file or URL", field="log", value=where)
        else:
            reader = open_reader(where, session.config.log, session.config.erasure.store)
        with reader:
            yield reader


@contextmanager
def advised(log: str | None) -> Iterator[None]:
    """Give errors of the block the advice for a log that is only read; *log* is the option --log.

    A copy has no system, and the configuration does not say where it is; and a command of `log` that is
    named in a message has to read the same log.
    """
    try:
        yield
    except ShareActorsError as error:
        step = error.details.get("next_step") or _READING.get(error.code)
        if log is not None:
            step = step or _COPY.get(error.code)
            error.message = _with_log(error.message, log)
        if step is not None:
            error.details["next_step"] = step if log is None else _with_log(step, log)
        raise


_READING = {
    "ambiguous": "The log was only read. Use the id instead of the name.",
    "log_too_new": "The log was only read. Use the version of share-actors that wrote it, or later.",
    "not_found": "The log was only read. `share-actors log stats` shows what it has.",
}
"""The second line of errors of commands that only read a log, by their codes."""
_COPY = {
    "config": "Nothing was read. Correct --log, or the file of --config, which has the keys and passwords.",
    "log": "The log was only read. --log names it; the file of --config has its keys and password.",
}
"""The same if --log names the log."""
_LOG_COMMAND = re.compile(r"`share-actors log ([^`]*)`")


def _with_log(text: str, log: str) -> str:
    """*text* with --log in each command of `log` that it names."""
    option = shlex.quote(log).replace("{", "{{").replace("}", "}}")

    def with_option(found: re.Match[str]) -> str:
        return found[0] if "--log" in found[1] else f"`share-actors log {found[1]} --log {option}`"

    return _LOG_COMMAND.sub(with_option, text)


def chosen(reader: LogReader, share: str | None, **filters: str | None) -> EventFilter:
    """The filter of the options; raises `InvalidRequest`, or `NotFound` for an unknown share."""
    from share_actors.audit.queries import find_stream
    from share_actors.events.aggregates import address_of
    from share_actors.events.event_filter import event_filter

    checked = event_filter(**filters)
    if share is None:
        return checked
    return checked._replace(entity=address_of(find_stream(reader, share)))


@contextmanager
def progress(session: Session, text: str) -> Iterator[Report]:
    """A function that shows how much is done, on a terminal."""
    from share_actors.audit.statistics import no_progress

    if session.json or not session.output.err.is_terminal:
        yield no_progress
        return
    from rich.progress import Progress

    with Progress(console=session.output.err, transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def document(recorded: Recorded) -> dict[str, Any]:
    """An event as JSON, with its place in the log."""
    place = {"position": recorded.position, "stream": recorded.stream}
    return {**place, **event_document(recorded)}


# -- commands ------------------------------------------------------------------------------------
FollowOption = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on with each new event, until Ctrl-C.")
]
LinesOption = Annotated[
    int, typer.Option("--lines", "-n", min=0, max=100_000, help="Number of events.")
]
AfterOption = Annotated[
    int | None,
    typer.Option("--after", metavar="POSITION", min=0, help="All after this position."),
]


@command("log tail", examples=["log tail", "log tail --follow --json --share homes"])
def tail(
    session: Session,
    follow: FollowOption = False,
    lines: LinesOption = 10,
    after: AfterOption = None,
    share: ShareFilter = None,
    project: ProjectFilter = None,
    user: UserFilter = None,
    kind: KindFilter = None,
    since: SinceFilter = None,
    until: UntilFilter = None,
    command: CommandFilter = None,
    log: LogOption = None,
) -> None:
    """Show the last events, and with --follow each new one as it is recorded.

    With --json it prints one JSON document per line. A program that stores the last `position` it has seen
    continues there with `--after POSITION`: no event is missed, and none comes twice.
    """
    from share_actors.audit import queries

    filters = {"project": project, "user": user, "kind": kind, "since": since, "until": until}
    with opened(session, log) as reader:
        wanted = chosen(reader, share, command=command, **filters)
        head = reader.head()
        if after is None:
            events: Iterable[Recorded] = queries.last(reader, wanted, lines, head)
        else:
            _check_position(after, head)
            events = queries.matching(reader, wanted, after, head)
        for recorded in events:
            _print(session, recorded)
        for recorded in queries.follow(reader, wanted, head) if follow else ():
            _print(session, recorded)


def _check_position(after: int, head: int) -> None:
    if after > head:
        text = f"--after: {after} is beyond the last position, {head}: it is of another log"
        raise InvalidRequest(text, field="after", value=after)


def _print(session: Session, recorded: Recorded) -> None:
    from share_actors.audit.sentences import sentence

    at = recorded.position
    session.interrupt_message = f"Stopped after position {at}; `--after {at}` continues."
    if session.json:
        session.output.print_json_line(document(recorded))
        return
    when = format_time(recorded.envelope.at)
    text = f"{when}  {recorded.position}  {recorded.stream}  {sentence(recorded)}"
    session.output.print(escape(text))


@command("log show", examples=["log show 17", "log show 1f2cfc46e79442f0-1 --log copy.db"])
def show(
    session: Session,
    event: Annotated[
        str, typer.Argument(metavar="EVENT", help="Position of the event in the log, or its id.")
    ],
    log: LogOption = None,
) -> None:
    """Show one event: its sentence, who asked for it and when, and all its fields."""
    from share_actors.audit.queries import find_event

    with opened(session, log) as reader:
        shown = document(find_event(reader, event))
    if session.json:
        session.output.print_json(shown)
        return
    envelope, fields = shown.pop("envelope"), shown.pop("event")
    session.output.print_fields(
        {**shown, **envelope, "roles": ", ".join(envelope["roles"]), **_flat(fields)}
    )


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of an event that are set, under names that do not collide with the envelope's."""
    import json

    return {
        f"event.{name}": value if isinstance(value, str | int) else json.dumps(value)
        for name, value in fields.items()
        if value not in (None, "", [], {})
    }


@command(
    "log history",
    table=replace(HISTORY, times="absolute"),
    examples=["log history homes", "log history homes --log copy.db"],
)
def history(session: Session, entity: EntityArgument, log: LogOption = None) -> None:
    """Show all events of a share, network, server, type or backend as sentences."""
    from share_actors.audit.queries import find_stream

    with opened(session, log) as reader:
        events = list(reader.stream(find_stream(reader, entity)))
    print_history(session, events)
