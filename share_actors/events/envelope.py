"""Who, when and why: what every event in the log carries besides itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from share_actors.events.decider import Event
from share_actors.values import Frozen


class Envelope(Frozen):
    """What is recorded with each event.

    `command_id` and `fingerprint` (of the command's content) are those of the client's command that
    the event answers; None when the system itself wrote it, as with the outcome of a driver's call.
    `correlation_id` is the command that all of this goes back to. `writer` is the activation that wrote.
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
    """One event as the log holds it; `version` counts from 1 in its stream.

    `position` is its place in the log as a whole (0 where the reader did not ask for it).
    """

    stream: str
    version: int
    event_id: str
    envelope: Envelope
    event: Event
    position: int = 0
