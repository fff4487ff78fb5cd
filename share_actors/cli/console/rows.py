"""Events as rows of a timeline: when, who, what, and where to find more. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from share_actors.audit.sentences import sentence
from share_actors.events.aggregates import address_of, kind_of
from share_actors.events.attempts import AttemptFailed, AttemptStarted
from share_actors.events.envelope import Recorded
from share_actors.events.share.access import AccessRulesApplied
from share_actors.events.share.messages import ShareCreationRequested
from share_actors.events.topics import topic_of
from share_actors.values import Placement

Tone = Literal["plain", "good", "warn", "bad"]
PER_PAGE = 100
GOOD = ("created", "managed", "resized", "reverted", "set_up", "up", "healthy", "rules_applied")
BAD = ("errored", "set_up_failed", "ensure_failed", "down")
WARN = ("refused", "resize_refused", "revert_refused", "deletion_refused", "unhealthy", "forgotten")


class Row(NamedTuple):
    """One event. *share_id* is set for an event of a share, *command_id* for that of a request."""

    position: int
    version: int
    at: datetime
    user: str
    project: str
    what: str
    topic: str
    tone: Tone
    entity: str
    share_id: str | None
    command_id: str | None
    correlation_id: str
    attempt: int | None


def row(recorded: Recorded) -> Row:
    """*recorded* as a row."""
    envelope, event = recorded.envelope, recorded.event
    address = address_of(recorded.stream)
    return Row(
        position=recorded.position,
        version=recorded.version,
        at=envelope.at,
        user=envelope.user_id,
        project=envelope.project_id,
        what=sentence(recorded),
        topic=topic_of(type(event)),
        tone=tone(event),
        entity=recorded.stream if address is None else address,
        share_id=address if address is not None and kind_of(address) == "share" else None,
        command_id=envelope.command_id,
        correlation_id=envelope.correlation_id,
        attempt=event.n if isinstance(event, AttemptStarted | AttemptFailed) else None,
    )


def tone(event: object) -> Tone:
    """Whether an event is bad news, good news, or neither."""
    if isinstance(event, AttemptFailed):
        return "warn"
    if isinstance(event, AccessRulesApplied) and event.failed:
        return "bad"
    word = str(getattr(event, "topic", "")).partition(".")[2]
    tones: tuple[tuple[tuple[str, ...], Tone], ...] = ((BAD, "bad"), (WARN, "warn"), (GOOD, "good"))
    return next((tone for words, tone in tones if word in words), "plain")


class Timeline(NamedTuple):
    """A page of a timeline, the newest first; *older* is the version from which the next page goes on."""

    rows: list[Row]
    total: int
    older: int | None


def timeline(
    history: Sequence[Recorded], before: int | None = None, command: str | None = None
) -> Timeline:
    """The last rows of *history* with a version below *before*, of the request *command* if it is given."""
    chosen = [
        recorded
        for recorded in history
        if (before is None or recorded.version < before)
        and command in (None, recorded.envelope.command_id, recorded.envelope.correlation_id)
    ]
    shown = chosen[-PER_PAGE:]
    older = shown[0].version if len(chosen) > len(shown) else None
    return Timeline([row(recorded) for recorded in reversed(shown)], len(chosen), older)


class Placed(NamedTuple):
    """A creation, and the verdicts of the scheduler on every pool."""

    at: datetime
    user: str
    share_id: str
    name: str | None
    size: int
    host: str
    placement: Placement


def placements(events: Iterable[Recorded]) -> list[Placed]:
    """The creations among *events* that the scheduler placed, the newest first."""
    found = [_placed(recorded) for recorded in events]
    return [placed for placed in reversed(found) if placed is not None]


def _placed(recorded: Recorded) -> Placed | None:
    event = recorded.event
    if not isinstance(event, ShareCreationRequested) or event.placement is None:
        return None
    return Placed(
        at=recorded.envelope.at,
        user=recorded.envelope.user_id,
        share_id=event.share_id,
        name=event.spec.name,
        size=event.size,
        host=event.spec.host,
        placement=event.placement,
    )
