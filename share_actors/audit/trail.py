"""The trail of an entity: its state, its pending work and its last attempts, folded from its stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from share_actors.events.attempts import AttemptFailed, AttemptStarted
from share_actors.events.envelope import Recorded
from share_actors.events.phrases import phrase, time_of
from share_actors.events.receipts import Receipts
from share_actors.events.share.access import AccessRulesApplied
from share_actors.redaction import without_url_passwords
from share_actors.values import Frozen
from share_actors.values.checks.escaping import escaped

Result = Literal["under way", "succeeded", "failed", "transient", "bug", "unknown", "cut off"]
"""The last four are retried. `cut off`: the process died during the attempt."""


class Owed(Frozen):
    """Pending work, with the user, project and time of the request for it."""

    work: str
    what: str
    asked_by: str
    project: str
    asked_at: datetime
    command_id: str | None


class Tried(Frozen):
    """One attempt; `said` is the driver's message, `next_at` when the next attempt is due."""

    n: int
    effect: str
    what: str
    began: datetime
    deadline: datetime
    result: Result = "under way"
    ended: datetime | None = None
    said: str | None = None
    next_at: datetime | None = None


class Trail:
    """The fold; *evolve* and *status* are the aggregate's, *attempts* how many of the last ones it keeps."""

    def __init__(
        self,
        initial: Any,
        evolve: Callable[[Any, Any], Any],
        status: Callable[[Any], str],
        attempts: int,
    ) -> None:
        self.state, self._evolve, self._status = initial, evolve, status
        self.receipts = Receipts(keep=0)
        self.attempts: deque[Tried] = deque(maxlen=attempts)
        self.since: datetime

    def record(self, recorded: Recorded) -> None:
        """Add the next event of the stream."""
        event: Any = recorded.event
        before, at = self._status(self.state), recorded.envelope.at
        self.state = self._evolve(self.state, event)
        self.receipts.record(recorded)
        if self._status(self.state) != before:
            self.since = at
        match event:
            case AttemptStarted():
                self._end_attempt(at, "cut off", None)
                self.attempts.append(_started(event, at))
            case AttemptFailed(kind=kind, reason=reason, retry_at=due):
                self._end_attempt(at, kind, reason, due)
            case _ if recorded.envelope.command_id is None:
                failure = _failure_reason(event)
                self._end_attempt(at, "succeeded" if failure is None else "failed", failure)
            case _:
                pass

    def _end_attempt(
        self, at: datetime, result: Result, message: str | None, due: datetime | None = None
    ) -> None:
        if self.attempts and self.attempts[-1].result == "under way":
            last = self.attempts.pop()
            self.attempts.append(last.replace(ended=at, result=result, said=message, next_at=due))

    @property
    def last_attempt(self) -> Tried | None:
        """The last attempt; None if there was none."""
        return self.attempts[-1] if self.attempts else None

    def owed(self) -> tuple[Owed, ...]:
        """The pending work, in the order in which it was requested."""
        return tuple(_owed_work(work, self.receipts) for work in self.receipts.open_works())


def _failure_reason(event: Any) -> str | None:
    """Return the reason in the outcome *event*; None if the outcome is a success."""
    if isinstance(event, AccessRulesApplied):
        return "; ".join(event.failed.values()) or None
    reason: str | None = getattr(event, "reason", None)
    return reason


def _started(event: AttemptStarted, at: datetime) -> Tried:
    return Tried(
        n=event.n,
        effect=event.effect,
        what=phrase(event.effect),
        began=at,
        deadline=at + timedelta(seconds=event.timeout_s),
    )


def _owed_work(work: str, receipts: Receipts) -> Owed:
    cause = receipts.cause(work)
    assert cause is not None
    return Owed(
        work=work,
        what=phrase(work),
        asked_by=escaped(cause.user_id),
        project=escaped(cause.project_id),
        asked_at=cause.at,
        command_id=cause.command_id,
    )


# -- text ----------------------------------------------------------------------------------------
def summary(status: str, reason: str | None, owed: tuple[Owed, ...], last: Tried | None) -> str:
    """One line about an entity: its status, and what it waits for; safe to show."""
    return escaped(without_url_passwords(_summary(status, reason, owed, last)))


def _summary(status: str, reason: str | None, owed: tuple[Owed, ...], last: Tried | None) -> str:
    text = f"status {status}"
    if not owed:
        return f"{text}{f': {reason}' if reason else ''}; no work is pending"
    if last is None or last.result in ("succeeded", "failed"):
        return f"{text}; waiting to {owed[0].what}"
    attempt = f"{text}; attempt {last.n} to {last.what}"
    if last.result == "under way":
        return f"{attempt} in progress since {time_of(last.began)}"
    due = "" if last.next_at is None else f"; next attempt at {time_of(last.next_at)}"
    return f"{attempt} did not succeed ({last.said}){due}"


DEADLINE_PASSED = (
    "The deadline has passed and no process continues the work: run `status` to check the system."
)
IN_TIME = "Wait: if the driver does not reply by the deadline, the attempt is repeated."
ATTEMPT_ADVICE = (DEADLINE_PASSED, IN_TIME)
"""What is said about an attempt under way."""


def waiting_advice(last: Tried | None, now: datetime) -> str | None:
    """What to do about work that goes on by itself; None if there is nothing to say."""
    if last is None:
        return None
    if last.result == "under way" and now > last.deadline:
        return DEADLINE_PASSED
    if last.result == "under way":
        return IN_TIME
    if last.next_at is not None:
        return "Wait: the next attempt starts automatically when it is due."
    return None


def gone_advice(backend: str) -> str:
    """What to do about a backend that is not configured, if it is not gone for good."""
    return (
        f"Backend {backend!r} is not configured. If it still exists, configure it again, or run"
        f" `backend rename {backend} NEW` if it is called NEW now."
    )
