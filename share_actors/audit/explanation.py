"""Why a share is as it is: from its stream alone, what is owed, what was tried, and what can be done now."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from share_actors.events import share
from share_actors.events.attempts import AttemptFailed, AttemptStarted
from share_actors.events.envelope import Recorded
from share_actors.events.phrases import phrase, time_of
from share_actors.events.receipts import Receipts
from share_actors.events.share import ShareState
from share_actors.events.share.access import AccessRulesApplied
from share_actors.events.share.messages import ShareCreationRequested
from share_actors.events.share.state import ERRORS
from share_actors.values import Frozen, Placement, Share

ATTEMPTS_TOLD = 10

Result = Literal["under way", "succeeded", "failed", "transient", "bug", "unknown", "cut off"]
"""`transient`, `bug` and `unknown` are tried again, and so is `cut off`: its process ended in the middle."""


class Owed(Frozen):
    """Work that is recorded and not done: who asked for it, and when."""

    work: str
    what: str
    asked_by: str
    project: str
    asked_at: datetime
    command_id: str | None


class Tried(Frozen):
    """One attempt and what the driver said; `next_at` is when the next one is due."""

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
    """What the backend could not or would not do, and nobody has asked for again since."""

    what: str
    reason: str


class Explanation(Frozen):
    """The state of a share and the reasons for it; `since` is when it came into this state."""

    share_id: str
    name: str | None
    status: str
    since: datetime
    summary: str
    owed: tuple[Owed, ...]
    failed: tuple[Failed, ...]
    attempts: tuple[Tried, ...]
    """The last ones, the oldest first."""
    advice: tuple[str, ...]
    placement: Placement | None = None
    """Why it is where it is: what every filter said of every pool, when the scheduler chose."""


def progress(history: Sequence[Recorded], command_id: str) -> Tried | None:
    """The last attempt at what the request *command_id* asked for; None while that waits its turn."""
    told = _Teller(1)
    for recorded in history:
        told.record(recorded)
    return told.progress(command_id)


def explain(
    history: Sequence[Recorded], now: datetime, attempts: int = ATTEMPTS_TOLD
) -> Explanation:
    """What the events of one share, of which there must be one at least, come to at the time *now*."""
    told = _Teller(attempts)
    for recorded in history:
        told.record(recorded)
    return told.explanation(now)


class _Teller:
    """Follows a stream: the share's state, its open works, and its attempts."""

    def __init__(self, attempts: int) -> None:
        self._state: ShareState = share.initial
        self._receipts = Receipts(keep=0)
        self._attempts: deque[Tried] = deque(maxlen=attempts)
        self._since: datetime
        self._placement: Placement | None = None

    def record(self, recorded: Recorded) -> None:
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
                self._end(at, "cut off", None)
                self._attempts.append(_begun(event, at))
            case AttemptFailed(kind=kind, reason=reason, retry_at=due):
                self._end(at, kind, reason, due)
            case _ if recorded.envelope.command_id is None:
                said = _failure(event)
                self._end(at, "succeeded" if said is None else "failed", said)
            case _:
                pass

    def _end(
        self, at: datetime, result: Result, said: str | None, due: datetime | None = None
    ) -> None:
        if self._attempts and self._attempts[-1].result == "under way":
            last = self._attempts.pop()
            self._attempts.append(last.replace(ended=at, result=result, said=said, next_at=due))

    def explanation(self, now: datetime) -> Explanation:
        held = share.view(self._state)
        owed, failed = self._owed(), tuple(_failed(self._state, held))
        last = self._attempts[-1] if self._attempts else None
        return Explanation(
            share_id=held.id, name=held.name, status=held.status, since=self._since,
            summary=_summary(held, owed, last), owed=owed, failed=failed,
            attempts=tuple(self._attempts), advice=tuple(_advice(held, owed, failed, last, now)),
            placement=self._placement,
        )  # fmt: skip

    def progress(self, command_id: str) -> Tried | None:
        receipt = self._receipts.get(command_id)
        last = self._attempts[-1] if self._attempts else None
        if receipt is None or last is None or last.result in ("succeeded", "failed"):
            return None
        kinds = {"access" if work.startswith("rule/") else work for work in receipt.works}
        return last if last.effect in kinds else None

    def _owed(self) -> tuple[Owed, ...]:
        works = self._receipts.open_works()
        return tuple(_owing(work, self._receipts) for work in works)


def _failure(event: Any) -> str | None:
    """Why the outcome that *event* tells of is a bad one; None if it is good."""
    if isinstance(event, AccessRulesApplied):
        return "; ".join(event.failed.values()) or None
    reason: str | None = getattr(event, "reason", None)
    return reason


def _begun(event: AttemptStarted, at: datetime) -> Tried:
    deadline = at + timedelta(seconds=event.timeout_s)
    return Tried(
        n=event.n, effect=event.effect, what=phrase(event.effect), began=at, deadline=deadline
    )


def _owing(work: str, receipts: Receipts) -> Owed:
    cause = receipts.cause(work)
    assert cause is not None
    return Owed(
        work=work, what=phrase(work), asked_by=cause.user_id, project=cause.project_id,
        asked_at=cause.at, command_id=cause.command_id,
    )  # fmt: skip


def _failed(state: ShareState, held: Share) -> list[Failed]:
    failed = []
    if held.status in ERRORS:
        failed.append(Failed(what=f"{state.doing} it", reason=held.status_reason or ""))
    for rule in held.access_rules:
        if rule.state == "error":
            what = phrase(f"rule/{rule.id}/{_direction(state, rule.id)}")
            failed.append(Failed(what=what, reason=rule.reason or ""))
    for snapshot in held.snapshots:
        if snapshot.status in ERRORS:
            what = phrase(f"snapshot/{snapshot.id}/{snapshot.doing}")
            failed.append(Failed(what=what, reason=snapshot.reason or ""))
    return failed


def _direction(state: ShareState, rule_id: str) -> str:
    return "deny" if rule_id in state.rules.denied else "allow"


# -- in words ------------------------------------------------------------------------------------
def _summary(held: Share, owed: tuple[Owed, ...], last: Tried | None) -> str:
    if not owed:
        why = f": {held.status_reason}" if held.status_reason else ""
        return f"it is {held.status}{why}; nothing is owed"
    if last is None or last.result in ("succeeded", "failed"):
        return f"it is {held.status}; the backend has yet to {owed[0].what}"
    attempt = f"it is {held.status}; attempt {last.n} to {last.what}"
    if last.result == "under way":
        return f"{attempt} is under way since {time_of(last.began)}"
    return f"{attempt} did not succeed ({last.said}){_next(last)}"


def _next(last: Tried) -> str:
    return "" if last.next_at is None else f"; the next is due {time_of(last.next_at)}"


def _advice(
    held: Share,
    owed: tuple[Owed, ...],
    failed: tuple[Failed, ...],
    last: Tried | None,
    now: datetime,
) -> list[str]:
    said = []
    if failed:
        said.append("mend the cause, then `retry`: what failed is tried again")
    if held.status == "manage_error":
        said.append("`unmanage`, if it is not wanted any more: what exists is left as it is")
    elif held.status in ERRORS:
        said.append("`delete`, if it is not wanted any more: that is accepted in any state")
    if owed and last is not None and last.result == "under way" and now > last.deadline:
        said.append("its deadline is over and no process took it up: `status` tells what runs")
    elif owed and last is not None and last.result == "under way":
        said.append("wait: without an answer by its deadline the attempt is made again")
    elif owed and last is not None and last.next_at is not None:
        said.append("wait: the next attempt comes by itself when it is due")
    return said
