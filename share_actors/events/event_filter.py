"""A choice of events by what their envelopes and streams say; it decodes only the rows that may match."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic_core import from_json

from share_actors.errors import InvalidRequest, showable, shown
from share_actors.events.aggregates import is_address, stream_of
from share_actors.events.envelope import Recorded
from share_actors.events.topics import EVENTS


class EventFilter(NamedTuple):
    """What an event must have, where a field is set. Build it with `event_filter`, which checks it."""

    entity: str | None = None
    """The address of an entity: a share's id, or `share_network:ID` and the like."""
    project: str | None = None
    user: str | None = None
    kind: str | None = None
    """A topic such as `share.created`, or all topics that start with it: `share`."""
    since: datetime | None = None
    """The earliest time, which is included."""
    until: datetime | None = None
    """The latest time, which is included."""
    command: str | None = None
    """The id of the request that led to the event, directly or through other events."""

    @property
    def stream(self) -> str | None:
        """The only stream whose events can match; None if there may be several."""
        return None if self.entity is None else stream_of(self.entity)

    def may_match(self, stream: str, topic: str) -> bool:
        """Whether an event with this *stream* and *topic* can match."""
        if self.entity is not None and stream != self.stream:
            return False
        return self.kind is None or topic == self.kind or topic.startswith(f"{self.kind}.")

    @property
    def needs_envelope(self) -> bool:
        """Whether stream and topic alone do not tell which events match."""
        return any((self.project, self.user, self.since, self.until, self.command))

    def accepts_plain(self, plain: bytes) -> bool:
        """Whether the event with this stored JSON matches; raises ValueError or KeyError if damaged."""
        if not self.needs_envelope:
            return True
        envelope = from_json(plain)["envelope"]
        return self._accepts({**envelope, "at": datetime.fromisoformat(envelope["at"])})

    def accepts(self, recorded: Recorded, topic: str) -> bool:
        """Whether *recorded*, an event with this *topic*, matches."""
        return self.may_match(recorded.stream, topic) and self._accepts(recorded.envelope.__dict__)

    def _accepts(self, envelope: dict[str, Any]) -> bool:
        at = envelope["at"]
        return (
            (self.project is None or envelope["project_id"] == self.project)
            and (self.user is None or envelope["user_id"] == self.user)
            and (self.since is None or at >= self.since)
            and (self.until is None or at <= self.until)
            and self.command in (None, envelope["command_id"], envelope["correlation_id"])
        )


def event_filter(**fields: object) -> EventFilter:
    """Check *fields* and build the filter; times may be texts.

    Raises `InvalidRequest` with the field and its value.
    """
    if unknown := sorted(fields.keys() - set(EventFilter._fields)):
        name = unknown[0]
        text = f"{name}: not a filter of events, which are: {', '.join(EventFilter._fields)}"
        raise InvalidRequest(text, field=name, value=showable(fields[name]))
    given = {name: value for name, value in fields.items() if value is not None}
    for name in ("since", "until"):
        if name in given:
            given[name] = point_in_time(name, given[name])
    for name, value in given.items():
        if name not in ("since", "until"):
            _check_text(name, value)
    return EventFilter(**given)  # type: ignore[arg-type]


def _check_text(name: str, value: object) -> None:
    problem = None
    if not isinstance(value, str) or not value:
        problem = "is not a text"
    elif name == "entity" and not is_address(value):
        problem = "is neither the id of a share nor KIND:ID, such as share_network:ID"
    elif name == "kind" and not any(f"{topic}.".startswith(f"{value}.") for topic in EVENTS):
        groups = sorted({topic.partition(".")[0] for topic in EVENTS})
        problem = (
            f"is not a topic, and no topic starts with it; they start with {', '.join(groups)}"
        )
    if problem:
        raise InvalidRequest(f"{name}: {shown(value)} {problem}", field=name, value=showable(value))


def point_in_time(field: str, value: object) -> datetime:
    """*value*, a time with a zone or such a text in ISO 8601, in UTC; raises `InvalidRequest`."""
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        text = f"{field}: {shown(value)} is not a time such as 2026-03-01T14:05:00Z"
    else:
        text = (
            f"{field}: {shown(value)} has no time zone: add Z for UTC, or an offset such as +01:00"
        )
    raise InvalidRequest(text, field=field, value=showable(value))
