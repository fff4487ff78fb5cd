"""The record of an archive in the log: which events were copied to a file before they were removed."""

from __future__ import annotations

from datetime import datetime

from share_actors.events.decider import Event

STREAM = "log-archives"
"""The stream of these records. It belongs to no entity, so no command leads to an event of it."""


class EventsArchived(Event, topic="log.archived"):
    """Events of deleted entities were written to a file, which was verified; their rows may be removed.

    `leaves_sha256` is over the leaves of these events, in the order of the log, a newline after each.
    """

    file: str
    file_sha256: str
    events: int
    streams: int
    first: int
    last: int
    leaves_sha256: str
    checkpoint_size: int
    until: datetime


def sentence(event: EventsArchived, who: str) -> str:
    """Describe *event*; *who* ran the command."""
    return (
        f"{who} archived {event.events} events of deleted entities (streams: {event.streams}), at"
        f" positions {event.first} to {event.last}, to {event.file} (SHA-256 {event.file_sha256})"
    )
