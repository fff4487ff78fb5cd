"""Explanations of a share's state, from its stream alone: pending work, attempts, failures and advice."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from share_actors.events import share
from share_actors.events.attempts import AttemptFailed, AttemptStarted
from share_actors.events.envelope import Recorded
from share_actors.events.phrases import phrase, time_of
from share_actors.events.receipts import Receipts
from share_actors.events.share import ShareState
from share_actors.events.share.access import AccessRulesApplied
from share_actors.events.share.failure import ERRORS
from share_actors.events.share.messages import ShareCreationRequested
from share_actors.redaction import without_url_passwords
from share_actors.values import Frozen, Placement, Share
from share_actors.values.escaping import escaped

MAX_ATTEMPTS = 10
"""How many attempts an explanation shows."""

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


class Failed(Frozen):
    """Work that failed and has not been requested again since."""

    what: str
    reason: str


class Explanation(Frozen):
    """The state of a share and the reasons for it; `since` is the time of its last change of status."""

    share_id: str
    name: str | None
    status: str
    since: datetime
    summary: str
    owed: tuple[Owed, ...]
    failed: tuple[Failed, ...]
    attempts: tuple[Tried, ...]
    """The last attempts, the oldest first."""
    advice: tuple[str, ...]
    placement: Placement | None = None
    """The scheduler's verdicts on every pool when it placed the share."""


def progress(history: Sequence[Recorded], command_id: str) -> Tried | None:
    """Return the last attempt at the work that *command_id* requested; None if there was none yet."""
    return _fold(history, 1).progress(command_id)


def explain(
    history: Sequence[Recorded], now: datetime, attempts: int = MAX_ATTEMPTS
) -> Explanation:
    """Explain the state of a share at the time *now*; *history* is its stream, not empty."""
    return _fold(history, attempts).explanation(now)


def _fold(history: Sequence[Recorded], attempts: int) -> _Explainer:
    explainer = _Explainer(attempts)
    for recorded in history:
        explainer.record(recorded)
    return explainer


class _Explainer:
    """A fold over a stream: the share's state, its receipts, and its last attempts."""

    def __init__(self, attempts: int) -> None:
        self._state: ShareState = share.initial
        self._receipts = Receipts(keep=0)
        self._attempts: deque[Tried] = deque(maxlen=attempts)
        self._since: datetime
        self._placement: Placement | None = None

    def record(self, recorded: Recorded) -> None:
        """Add the next event of the stream."""
        event: Any = recorded.event
        before, at = self._state.share.status, recorded.envelope.at
        self._state = share.evolve(self._state, event)
        self._receipts.record(recorded)
        if self._state.share.status != before:
            self._since = at
        match event:
            case ShareCreationRequested(placement=placement):
                self._placement = placement
            case AttemptStarted():
                self._end_attempt(at, "cut off", None)
                self._attempts.append(_started(event, at))
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
        if self._attempts and self._attempts[-1].result == "under way":
            last = self._attempts.pop()
            self._attempts.append(last.replace(ended=at, result=result, said=message, next_at=due))

    def explanation(self, now: datetime) -> Explanation:
        """Return the explanation at the time *now*."""
        view = share.view(self._state)
        owed, failed = self._owed(), tuple(_failures(self._state, view))
        last = self._last_attempt()
        return Explanation(
            share_id=view.id,
            name=view.name,
            status=view.status,
            since=self._since,
            summary=escaped(without_url_passwords(_summary(view, owed, last))),
            owed=owed,
            failed=failed,
            attempts=tuple(self._attempts),
            advice=(*_waits(self._state), *_advice(view, owed, failed, last, now)),
            placement=self._placement,
        )

    def progress(self, command_id: str) -> Tried | None:
        """Return the last attempt at the work that *command_id* requested, unless it has ended."""
        receipt, last = self._receipts.get(command_id), self._last_attempt()
        if receipt is None or last is None or last.result in ("succeeded", "failed"):
            return None
        effects = {"access" if work.startswith("rule/") else work for work in receipt.works}
        return last if last.effect in effects else None

    def _last_attempt(self) -> Tried | None:
        return self._attempts[-1] if self._attempts else None

    def _owed(self) -> tuple[Owed, ...]:
        return tuple(_owed_work(work, self._receipts) for work in self._receipts.open_works())


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


def _failures(state: ShareState, view: Share) -> Iterator[Failed]:
    if view.status in ERRORS:
        yield Failed(what=phrase(state.doing or "create"), reason=view.status_reason or "")
    for rule in view.access_rules:
        if rule.state == "error":
            doing = "deny" if rule.id in state.rules.denied else "allow"
            yield Failed(what=phrase(f"rule/{rule.id}/{doing}"), reason=rule.reason or "")
    for snapshot in view.snapshots:
        if snapshot.status in ERRORS:
            what = phrase(f"snapshot/{snapshot.id}/{snapshot.doing}")
            yield Failed(what=what, reason=snapshot.reason or "")


# -- text ----------------------------------------------------------------------------------------
def _summary(view: Share, owed: tuple[Owed, ...], last: Tried | None) -> str:
    status = f"status {view.status}"
    if not owed:
        reason = f": {view.status_reason}" if view.status_reason else ""
        return f"{status}{reason}; no work is pending"
    if last is None or last.result in ("succeeded", "failed"):
        return f"{status}; waiting to {owed[0].what}"
    attempt = f"{status}; attempt {last.n} to {last.what}"
    if last.result == "under way":
        return f"{attempt} in progress since {time_of(last.began)}"
    due = "" if last.next_at is None else f"; next attempt at {time_of(last.next_at)}"
    return f"{attempt} did not succeed ({last.said}){due}"


def _waits(state: ShareState) -> Iterator[str]:
    """Name the shares whose creation a deletion waits for."""
    removed = {i for i, s in state.snapshots.held.items() if s.status in _REMOVED}
    for i in state.holds.snapshots:
        if i in removed or state.share.status == "deleting":
            shares = ", ".join(state.holds.holders(i))
            yield f"Wait: snapshot {i} is removed once what is created from it is done: share {shares}."


_REMOVED = ("deleting", "unmanage_starting")


def _advice(
    view: Share,
    owed: tuple[Owed, ...],
    failed: tuple[Failed, ...],
    last: Tried | None,
    now: datetime,
) -> Iterator[str]:
    if failed:
        yield "Fix the cause, then run `retry` to repeat what failed."
    if view.status == "manage_error":
        yield "Or run `unmanage` to give the share up; its data is left in place."
    elif view.status in ERRORS:
        yield "Or run `delete` to give the share up; it is accepted in any state."
    for rule in view.access_rules:
        if rule.warning:
            yield f"Access rule {rule.id} is {rule.state} but cannot work: {rule.warning}."
    if not owed or last is None:
        return
    if last.result == "under way" and now > last.deadline:
        yield "The deadline has passed and no process continues the work: run `status` to check the system."
    elif last.result == "under way":
        yield "Wait: if the driver does not reply by the deadline, the attempt is repeated."
    elif last.next_at is not None:
        yield "Wait: the next attempt starts automatically when it is due."
