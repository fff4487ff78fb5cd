"""Questions to a stored log: events by filter, one event, the streams that a text means, the last events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

from share_actors.audit.index import Indexed
from share_actors.audit.reading.reader import LogReader
from share_actors.errors import Ambiguous, LogError, NotFound, shown
from share_actors.events import share_network
from share_actors.events.aggregates import AGGREGATES, address_of
from share_actors.events.archives import STREAM, EventsArchived
from share_actors.events.envelope import Recorded
from share_actors.events.event_filter import EventFilter
from share_actors.events.log.log import Notification
from share_actors.values.checks.ids import is_id

FOLLOW_EVERY_S = 0.2
_SEE = "`share-actors log tail` shows the last events, with their positions."
_MAX_POSITION = 2**63 - 1
_EVERYTHING = EventFilter()
_CREATIONS = ("share.creation_requested", "share.manage_requested", "network.created")


def matching(
    reader: LogReader, chosen: EventFilter = _EVERYTHING, after: int = 0, upto: int | None = None
) -> Iterator[Recorded]:
    """The events that match, after position *after* and up to *upto*, in the order of the log.

    Raises `LogError` at a row that cannot be read.
    """
    rows = (
        reader.rows(after, upto)
        if chosen.stream is None
        else _of_stream(reader, chosen, after, upto)
    )
    return (reader.decode(row) for row in rows if is_chosen(reader, chosen, row))


def _of_stream(
    reader: LogReader, chosen: EventFilter, after: int, upto: int | None
) -> Iterator[Notification]:
    assert chosen.stream is not None
    for row in reader.stream_rows(chosen.stream):
        if after < row.position and (upto is None or row.position <= upto):
            yield row


def is_chosen(reader: LogReader, chosen: EventFilter, row: Notification) -> bool:
    """Whether the event of *row* matches; raises `LogError` if it cannot be read."""
    if not chosen.may_match(row.stream, row.topic):
        return False
    if not chosen.needs_envelope:
        return True
    plain = reader.opened(row)
    try:
        return chosen.accepts_plain(plain)
    except (ValueError, KeyError, TypeError):
        reader.decode(row)  # raises the error that names what is damaged
        raise


def last(reader: LogReader, chosen: EventFilter, limit: int, upto: int) -> list[Recorded]:
    """The last *limit* events up to position *upto* that match; memory holds no more than these."""
    if chosen == _EVERYTHING:
        after = max(upto - limit, 0)
        found = list(matching(reader, after=after, upto=upto))
        if len(found) == min(limit, upto):  # else positions are missing, as PostgreSQL skips some
            return found
    return list(deque(matching(reader, chosen, upto=upto), maxlen=limit))


def follow(
    reader: LogReader,
    chosen: EventFilter,
    after: int,
    wait: Callable[[float], object] = time.sleep,
) -> Iterator[Recorded]:
    """The events that match after position *after*, and then each new one, without end, in order."""
    while True:
        head = reader.head()
        if head < after:
            raise LogError(
                f"{reader.where}: its last position is {head}, before position {after} that was"
                " read already: another log has replaced it; start again without a position"
            )
        yield from matching(reader, chosen, after, head)
        after = max(after, head)
        wait(FOLLOW_EVERY_S)


# -- what is not there any more ------------------------------------------------------------------
def archives_of(reader: LogReader) -> list[EventsArchived]:
    """The records of archives to which events of the log were moved, the oldest first."""
    events = (recorded.event for recorded in reader.stream(STREAM))
    return [event for event in events if isinstance(event, EventsArchived)]


def _look_in(records: list[EventsArchived], otherwise: str) -> str:
    """The advice for what may be in one of the archives."""
    if not records:
        return otherwise
    files = ", ".join(dict.fromkeys(record.file for record in records))
    return f"It may have been archived: give --log FILE; the archives of this log are {files}."


# -- one event -----------------------------------------------------------------------------------
def find_event(reader: LogReader, text: str) -> Recorded:
    """The event at a position (a number), or with this event id; raises `NotFound`.

    An event id is looked for in all events, since the log has no index of them.
    """
    if text.isascii() and text.isdigit():
        return _at_position(reader, text)
    wanted = text.encode(errors="replace")
    prefix = b'{"event_id":"%s"' % wanted
    is_command = False
    for row in reader.rows():
        plain = reader.plain(row)
        if plain.startswith(prefix):
            return reader.decode(row)
        is_command = is_command or (b'"%s"' % wanted) in plain
    hint = ""
    if is_command:
        hint = "; events mention it, so it is another kind of id: try `log tail --command` or `log history`"
    raise NotFound(
        f"there is no event with the id {shown(text)}{hint}",
        field="event",
        value=text,
        next_step=_look_in(archives_of(reader), _SEE),
    )


def _at_position(reader: LogReader, text: str) -> Recorded:
    position = min(int(text[:20]), _MAX_POSITION)
    for row in reader.rows(position - 1, position) if position else ():
        return reader.decode(row)
    head = reader.head()
    raise NotFound(
        f"there is no event at position {text[:20]}; the log ends at {head}",
        field="event",
        value=text,
        next_step=_look_in([r for r in archives_of(reader) if r.first <= position <= r.last], _SEE),
    )


# -- entities ------------------------------------------------------------------------------------
def find_stream(reader: LogReader, text: str, index: Indexed | None = None) -> str:
    """The stream of the entity with this id, address or name; raises `NotFound` or `Ambiguous`.

    A name is looked for in the whole log, or for shares in its *index*. Ids come before names. A text that
    is the id of entities of several kinds is ambiguous: give `KIND-ID`.
    """
    streams = [f"{kind}-{text.removeprefix(f'{kind}:')}" for kind in AGGREGATES] + [text]
    streams = [s for s in streams if address_of(s) and is_id(s.partition("-")[2])]
    found = [stream for stream in dict.fromkeys(streams) if any(reader.stream_rows(stream))]
    found = found or sorted(_named(reader, text, index))
    if len(found) == 1:
        return found[0]
    if found:
        options = ", ".join(found)
        raise Ambiguous(
            f"{shown(text)} is ambiguous: give one of {options}", field="entity", value=text
        )
    raise NotFound(
        f"{reader.where}: there is no share, network, server, type or backend {shown(text)}",
        field="entity",
        value=text,
        next_step=_look_in(
            archives_of(reader),
            "`share-actors log list --gone --at TIME` shows the shares of a log.",
        ),
    )


def _named(reader: LogReader, name: str, index: Indexed | None) -> set[str]:
    """The streams of the shares and networks with this name."""
    index = index if index is not None and index.has_names else None
    rows = reader.rows() if index is None else _not_indexed(reader, index)
    found = {
        row.stream for row in rows if row.topic in _CREATIONS and _name(reader.decode(row)) == name
    }
    return found if index is None else found.union(index.named(name))


def _not_indexed(reader: LogReader, index: Indexed) -> Iterator[Notification]:
    """The rows that may name entities which the index has not."""
    yield from reader.rows_by_stream(f"{share_network.KIND}-")
    for stream in index.changed:
        yield from reader.stream_rows(stream)


def _name(recorded: Recorded) -> str | None:
    event = recorded.event
    for part in (getattr(event, "spec", None), getattr(event, "network", None), event):
        name = getattr(part, "name", None)
        if isinstance(name, str):
            return name
    return None
