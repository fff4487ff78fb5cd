"""Attempts at an effect: numbered, and recorded before the driver is called and after it failed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from share_actors.events.decider import EPOCH, Command, Effect, Event, Rejected, RequestJoined
from share_actors.events.phrases import phrase, time_of
from share_actors.values import Internal
from share_actors.values.secret import SecretText

RetryKind = Literal["transient", "bug", "unknown"]
UNDONE_BY: Mapping[str, str] = {"hold": "release_snapshot"}
"""Work that is owed from the first attempt at an effect on, whatever comes of the attempt."""


class BeginAttempt(Command):
    """Record the next attempt; the entity is about to call the driver."""

    activation: str
    timeout_s: float


class ReportFailure(Command):
    """Record that the driver's call did not succeed.

    kind `failed`: the backend reported a failure. `refused`: it refused and changed nothing. `transient`:
    the driver requested another attempt. `bug`: the driver raised another exception. `unknown`: the
    deadline passed. The last three are retried at `retry_at`, up to `max_attempts` attempts. A *planned*
    one was cut off by a stop of the system: it does not count towards them.
    """

    kind: Literal["failed", "refused", "transient", "bug", "unknown"]
    reason: str
    retry_at: datetime = EPOCH
    max_attempts: int = 1
    planned: bool = False
    details: dict[str, SecretText] = Field(default_factory=dict)
    """The remains of the failed call, such as the details of a share server that is half set up."""


class AttemptStarted(Event, topic="share.attempt_started"):
    """The *n*th attempt at an effect, by this activation: the driver is about to be called.

    With *probe*, the driver is first called to find out what exists, since the outcome of the previous
    attempt is unknown.
    """

    n: int
    effect: str
    activation: str
    timeout_s: float
    probe: bool = False

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        undone_by = UNDONE_BY.get(self.effect)
        return () if undone_by is None else (undone_by,)


class AttemptFailed(Event, topic="share.attempt_failed"):
    """The attempt did not succeed, and another follows at *retry_at*.

    A *planned* one was cut off as its process was stopped: it does not count towards any limit of attempts.
    """

    schema_version: ClassVar[int] = 2

    n: int
    effect: str
    kind: RetryKind
    reason: str
    retry_at: datetime
    planned: bool = False


AttemptEvent = AttemptStarted | AttemptFailed


class Attempt(Internal):
    """The last attempt at an effect; `kind` is how it failed, None while it is in progress.

    `retry_at`: when the next attempt is due. `probe`: the next attempt starts with a probe of what
    exists, since the outcome of an earlier one is unknown. `planned_stops`: how many attempts at the
    effect a stop of the system cut off.
    """

    n: int
    effect: str
    kind: RetryKind | None = None
    retry_at: datetime | None = None
    reason: str | None = None
    probe: bool = False
    planned_stops: int = 0


_NEW = Attempt(n=0, effect="")
"""A pattern: a copy with the fields of an event, which are validated already, is faster to make."""


def begin(command: BeginAttempt, effect: Effect | None, last: Attempt | None) -> AttemptStarted:
    """Start the next attempt at the pending *effect*; raises `Rejected` if no work is pending."""
    if effect is None:
        raise Rejected("no work is pending")
    key = effect.key()
    n = last.n + 1 if last is not None and last.effect == key else 1
    return AttemptStarted(
        n=n,
        effect=key,
        activation=command.activation,
        timeout_s=command.timeout_s,
        probe=last is not None and _outcome_unknown(last, key),
    )


def _outcome_unknown(last: Attempt, key: str) -> bool:
    """Return whether the backend may already have carried out the effect *key*, wholly or in part."""
    return last.effect == key and (last.kind is None or last.probe)


def failed(command: ReportFailure, attempt: Attempt) -> AttemptFailed | str:
    """Return the event before another attempt, or the reason for the failure when none follows."""
    kind, reason = command.kind, command.reason
    if kind in ("failed", "refused"):
        return reason
    counted = attempt.n - attempt.planned_stops
    if not command.planned and counted >= command.max_attempts:
        return f"{reason} (gave up after {counted} attempts)"
    return again(command, attempt)


def again(command: ReportFailure, attempt: Attempt) -> AttemptFailed:
    """Return the event before another attempt, whatever the kind of the failure."""
    kind = command.kind
    if kind in ("failed", "refused"):
        kind = "transient"
    return AttemptFailed(
        n=attempt.n,
        effect=attempt.effect,
        kind=kind,
        reason=command.reason,
        retry_at=command.retry_at,
        planned=command.planned,
    )


def evolve(event: AttemptEvent, last: Attempt | None) -> Attempt:
    """Return the last attempt after *event*."""
    stops = last.planned_stops if last is not None and last.effect == event.effect else 0
    if isinstance(event, AttemptStarted):
        stops = stops if event.n > 1 else 0
        return _NEW.replace(n=event.n, effect=event.effect, probe=event.probe, planned_stops=stops)
    return _NEW.replace(
        n=event.n,
        effect=event.effect,
        kind=event.kind,
        retry_at=event.retry_at,
        reason=event.reason,
        probe=event.kind == "unknown" or (last is not None and last.probe),
        planned_stops=stops + event.planned,
    )


def under_way(attempt: Attempt | None) -> bool:
    """Return whether an attempt is in progress: started, without a recorded outcome."""
    return attempt is not None and attempt.kind is None


def require(attempt: Attempt | None, *effects: str) -> None:
    """Raise `Rejected` unless the attempt in progress is at one of *effects*."""
    if attempt is None or attempt.effect not in effects:
        raise Rejected(f"no attempt at {' or '.join(effects)} is in progress")


def stopped(at: datetime) -> ReportFailure:
    """Report that a planned stop cut the attempt off: of the system, or of a share actor whose calls hang."""
    reason = "the process that made it was stopped in order before the outcome was known"
    return ReportFailure(kind="unknown", reason=reason, retry_at=at, planned=True)


def not_begun(at: datetime) -> ReportFailure:
    """Report that a planned stop of the system came before the driver was called."""
    reason = "the system was stopped before the driver was called"
    return ReportFailure(kind="transient", reason=reason, retry_at=at, planned=True)


# -- sentences -----------------------------------------------------------------------------------
_FAILURES: dict[RetryKind, str] = {
    "transient": "did not succeed",
    "bug": "failed on a bug in the driver",
    "unknown": "ended without a result",
}


def sentence(event: AttemptEvent, who: str) -> str:
    """Describe *event*; *who* is not part of it, since the system itself makes attempts."""
    attempt = f"attempt {event.n} to {phrase(event.effect)}"
    if isinstance(event, AttemptStarted):
        return f"{attempt} started"
    lines = event.reason.strip().splitlines() or ["no reason given"]
    # The last line of a traceback is the error; the event keeps all lines.
    failure = f"{_FAILURES[event.kind]}: {lines[-1]}"
    return f"{attempt} {failure}; next attempt at {time_of(event.retry_at)}"


def joined_sentence(event: RequestJoined, who: str) -> str:
    """Describe a request by *who* for work that is already pending."""
    return f"{who} also asked to {phrase(event.work)}, already in progress"
