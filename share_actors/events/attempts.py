"""Attempts at an effect: numbered, recorded before the driver is called and again when it did not succeed."""

from __future__ import annotations

from datetime import datetime

from share_actors.events.base import BeginAttempt, Effect, Rejected, ReportFailure
from share_actors.events.share_words import AttemptFailed, AttemptStarted
from share_actors.values import Frozen


class Attempt(Frozen):
    """The last attempt at an effect; `retry_at` is set while the next one waits for its time."""

    n: int
    effect: str
    retry_at: datetime | None = None
    reason: str | None = None


def begin(command: BeginAttempt, effect: Effect | None, last: Attempt | None) -> AttemptStarted:
    """The next attempt at what is owed."""
    if effect is None:
        raise Rejected("nothing is owed")
    key = effect.key()
    n = last.n + 1 if last is not None and last.effect == key else 1
    activation, timeout_s = command.activation, command.timeout_s
    return AttemptStarted(n=n, effect=key, activation=activation, timeout_s=timeout_s)


def failed(command: ReportFailure, attempt: Attempt) -> AttemptFailed | str:
    """That another attempt follows, or the reason why none does."""
    kind, reason = command.kind, command.reason
    if kind in ("failed", "refused"):
        return reason
    if attempt.n >= command.max_attempts:
        return f"{reason} (gave up after {attempt.n} attempts)"
    return AttemptFailed(
        n=attempt.n, effect=attempt.effect, kind=kind, reason=reason, retry_at=command.retry_at
    )


def evolve(event: AttemptStarted | AttemptFailed) -> Attempt:
    """The last attempt after *event*."""
    if isinstance(event, AttemptStarted):
        return Attempt(n=event.n, effect=event.effect)
    return Attempt(n=event.n, effect=event.effect, retry_at=event.retry_at, reason=event.reason)


def require(attempt: Attempt | None, *effects: str) -> None:
    """Raise `Rejected` unless the attempt under way, whose outcome came, is at one of *effects*."""
    if attempt is None or attempt.effect not in effects:
        raise Rejected(f"no attempt at {' or '.join(effects)} is being made")
