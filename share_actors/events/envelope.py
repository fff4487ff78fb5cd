"""The envelope of an event (who, when and why), and the record of an event in the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from share_actors.events.decider import Event
from share_actors.values import Internal


class Envelope(Internal):
    """The metadata that is recorded with each event.

    `command_id` and `fingerprint` (a digest of the command's content) identify the client's command that
    caused the event; None for an event of the system itself, such as the outcome of a driver's call.
    `correlation_id` is the id of the command at the start of the chain. `writer` is the activation that
    recorded the event.
    """

    command_id: str | None
    fingerprint: str | None
    correlation_id: str
    request_id: str | None
    user_id: str
    project_id: str
    roles: tuple[str, ...]
    at: datetime
    writer: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event in the log; `version` counts from 1 in its stream.

    `position` is its place in the whole log, counted from 1; 0 where a reader leaves it out.
    """

    stream: str
    version: int
    event_id: str
    envelope: Envelope
    event: Event
    position: int = 0
