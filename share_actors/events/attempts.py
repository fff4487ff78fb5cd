"""Attempts at an effect: numbered, recorded before the driver is called and again when it did not succeed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from share_actors.events.base import BeginAttempt, Effect, Rejected, ReportFailure
from share_actors.events.share_words import AttemptFailed, AttemptStarted
from share_actors.values import Frozen


class Attempt(Frozen):
    """The last attempt at an effect; `kind` tells how it failed, and is None while it is under way.

    `retry_at` is when the next one is due. `probe`: the outcome of the one before is not known, so that
    the driver is first asked what exists.
    """

    n: int
    effect: str
    kind: Literal["transient", "bug", "unknown"] | None = None
    retry_at: datetime | None = None
    reason: str | None = None
    probe: bool = False


def begin(command: BeginAttempt, effect: Effect | None, last: Attempt | None) -> AttemptStarted:
    """The next attempt at what is owed."""
    if effect is None:
        raise Rejected("nothing is owed")
    key = effect.key()
    n = last.n + 1 if last is not None and last.effect == key else 1
    return AttemptStarted(
        n=n, effect=key, activation=command.activation, timeout_s=command.timeout_s,
        probe=last is not None and _in_doubt(last, key),
    )  # fmt: skip


def _in_doubt(last: Attempt, key: str) -> bool:
    """Whether the backend may have done, wholly or in part, what is about to be asked for."""
    return last.effect == key and (last.kind is None or last.probe)


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


def evolve(event: AttemptStarted | AttemptFailed, last: Attempt | None) -> Attempt:
    """The last attempt after *event*."""
    if isinstance(event, AttemptStarted):
        return Attempt(n=event.n, effect=event.effect, probe=event.probe)
    return Attempt(
        n=event.n, effect=event.effect, kind=event.kind, retry_at=event.retry_at,
        reason=event.reason, probe=event.kind == "unknown" or (last is not None and last.probe),
    )  # fmt: skip


def under_way(attempt: Attempt | None) -> bool:
    """Whether an attempt began whose outcome is not recorded."""
    return attempt is not None and attempt.kind is None


def require(attempt: Attempt | None, *effects: str) -> None:
    """Raise `Rejected` unless the attempt under way, whose outcome came, is at one of *effects*."""
    if attempt is None or attempt.effect not in effects:
        raise Rejected(f"no attempt at {' or '.join(effects)} is being made")
