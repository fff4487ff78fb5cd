"""Attempts at an effect: numbered, recorded before the driver is called and again when it did not succeed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from share_actors.events.decider import EPOCH, Command, Effect, Event, Rejected, RequestJoined
from share_actors.events.phrases import phrase, time_of
from share_actors.values import Frozen


class BeginAttempt(Command):
    """The shell is about to call the driver."""

    activation: str
    timeout_s: float


class ReportFailure(Command):
    """The driver's call did not succeed.

    kind `failed`: the backend said so. `refused`: it declined and changed nothing. `transient`: it asks
    for another attempt. `bug`: the driver raised something else. `unknown`: the deadline passed.
    Kinds but the first two are tried again at `retry_at` until `max_attempts` attempts were made.
    """

    kind: Literal["failed", "refused", "transient", "bug", "unknown"]
    reason: str
    retry_at: datetime = EPOCH
    max_attempts: int = 1
    details: dict[str, str] = {}
    """What there is nonetheless, as of a share server that was half set up."""


class AttemptStarted(Event):
    """The driver is about to be asked: the *n*th time for this effect, by this activation.

    With *probe* it is asked first what exists, for what came of the attempt before is not known.
    """

    n: int
    effect: str
    activation: str
    timeout_s: float
    probe: bool = False


class AttemptFailed(Event):
    """The attempt did not succeed, and another follows at *retry_at*."""

    n: int
    effect: str
    kind: Literal["transient", "bug", "unknown"]
    reason: str
    retry_at: datetime


AttemptEvent = AttemptStarted | AttemptFailed


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


def evolve(event: AttemptEvent, last: Attempt | None) -> Attempt:
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


# -- sentences -----------------------------------------------------------------------------------
_FAILED = {
    "transient": "did not succeed",
    "bug": "met a bug in the driver",
    "unknown": "ended without an answer",
}


def sentence(event: AttemptEvent, who: str) -> str:
    """What happened; nobody asks for it."""
    work = f"attempt {event.n} to {phrase(event.effect)}"
    if isinstance(event, AttemptStarted):
        return f"{work} began"
    lines = event.reason.strip().splitlines() or ["no reason given"]
    # Of a traceback, the last line is the error; the event keeps all of it.
    due = time_of(event.retry_at)
    return f"{work} {_FAILED[event.kind]}: {lines[-1]}; the next is due {due}"


def joined_sentence(event: RequestJoined, who: str) -> str:
    """What happened; *who* asked once more."""
    return f"{who} asked as well to {phrase(event.work)}, which is under way"
