"""Explanations of a share's state, from its stream alone: pending work, attempts, failures and advice."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from share_actors.audit import exits
from share_actors.audit.exits import Exit
from share_actors.audit.trail import (
    ATTEMPT_ADVICE,
    Owed,
    Trail,
    Tried,
    gone_advice,
    summary,
    waiting_advice,
)
from share_actors.events import share
from share_actors.events.envelope import Recorded
from share_actors.events.phrases import phrase
from share_actors.events.share import ShareState
from share_actors.events.share.failure import ERRORS
from share_actors.events.share.forgetting import ShareForgetRequested, ShareForgotten
from share_actors.events.share.manage import ShareUnmanaged
from share_actors.events.share.messages import ShareCreationRequested
from share_actors.values import Frozen, Placement, Share
from share_actors.values.waiting import WaitingForThread, sentence

MAX_ATTEMPTS = 10
"""How many attempts an explanation shows."""


_RULE = re.compile(r"rule/[^/]*/\w+$")
"""The end of a work on an access rule: one effect, `access`, is for all rules of a share or a snapshot."""


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
    exits: tuple[Exit, ...] = ()
    """The requests that lead out of an error, or end work that does not end; empty if all is well."""
    waiting_for_thread: WaitingForThread | None = None
    """The place in line of its driver call, if that waits for a driver thread."""


def progress(history: Sequence[Recorded], command_id: str) -> Tried | None:
    """Return the last attempt at the work that *command_id* requested; None if there was none yet."""
    return _fold(history, 1).progress(command_id)


def explain(
    history: Sequence[Recorded],
    now: datetime,
    attempts: int = MAX_ATTEMPTS,
    backends: Collection[str] | None = None,
    permits: Callable[[str], bool] = exits.everything,
    waiting: WaitingForThread | None = None,
) -> Explanation:
    """Explain the state of a share at the time *now*; *history* is its stream, not empty.

    *backends* are those that are configured: without its backend a share has fewer exits. *permits* tells
    whether the caller may do an operation: no other is an exit for the caller. *waiting*: where its driver
    call waits for a thread.
    """
    explanation = _fold(history, attempts).explanation(now, backends, permits)
    return explanation if waiting is None else _with_place(explanation, waiting)


def _with_place(explanation: Explanation, waiting: WaitingForThread) -> Explanation:
    """Return *explanation* with the place in line of the driver call, whose deadline is not set yet."""
    line = (
        f"Wait: its driver call has place {waiting.place} of {waiting.waiting} in line. To let more than"
        f" {waiting.threads} calls run at once: `threads` of backend {waiting.backend}."
    )
    return explanation.replace(
        summary=f"status {explanation.status}; {sentence(waiting)}",
        advice=(*(text for text in explanation.advice if text not in ATTEMPT_ADVICE), line),
        waiting_for_thread=waiting,
    )


def _fold(history: Sequence[Recorded], attempts: int) -> _Explainer:
    explainer = _Explainer(attempts)
    for recorded in history:
        explainer.record(recorded)
    return explainer


class _Explainer:
    """A fold over a stream: the share's trail, its placement, and what it was when it left the system."""

    def __init__(self, attempts: int) -> None:
        self._trail = Trail(share.initial, share.evolve, lambda s: str(s.share.status), attempts)
        self._placement: Placement | None = None
        self._last_managed = share.initial

    def record(self, recorded: Recorded) -> None:
        """Add the next event of the stream."""
        event: Any = recorded.event
        match event:
            case ShareCreationRequested(placement=placement):
                self._placement = placement
            case ShareForgetRequested() | ShareForgotten() | ShareUnmanaged():
                if self._trail.state.doing != "forget":
                    self._last_managed = self._trail.state
            case _:
                pass
        self._trail.record(recorded)

    def explanation(
        self,
        now: datetime,
        backends: Collection[str] | None,
        permits: Callable[[str], bool],
    ) -> Explanation:
        """Return the explanation at the time *now*."""
        trail = self._trail
        view = share.view(trail.state)
        owed, failed = trail.owed(), tuple(_failures(trail.state, view))
        gone = backends is not None and view.backend not in backends
        ways_out, others = exits.split(exits.of_share(trail.state, gone=gone), permits)
        reading = _Advice(view, owed, failed, trail.last_attempt, ways_out, gone)
        return Explanation(
            share_id=view.id,
            name=view.name,
            status=view.status,
            since=trail.since,
            summary=summary(view.status, view.status_reason, owed, trail.last_attempt),
            owed=owed,
            failed=failed,
            attempts=tuple(trail.attempts),
            advice=(
                *_waits(trail.state),
                *reading.lines(now),
                *exits.for_an_administrator(others if gone or failed else ()),
                *_return_advice(view, self._last_managed),
            ),
            placement=self._placement,
            exits=ways_out,
        )

    def progress(self, command_id: str) -> Tried | None:
        """Return the last attempt at the work that *command_id* requested, unless it has ended."""
        receipt, last = self._trail.receipts.get(command_id), self._trail.last_attempt
        if receipt is None or last is None or last.result in ("succeeded", "failed"):
            return None
        effects = {_RULE.sub("access", work) for work in receipt.works}
        return last if last.effect in effects else None


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
        for rule in snapshot.access_rules:
            if rule.state == "error":
                rules = state.snapshots.rules[snapshot.id]
                doing = "deny" if rule.id in rules.denied else "allow"
                what = phrase(f"snapshot/{snapshot.id}/rule/{rule.id}/{doing}")
                yield Failed(what=what, reason=rule.reason or "")


# -- text ----------------------------------------------------------------------------------------
class _Advice:
    """What can be done now, in words; only what the share accepts is named."""

    def __init__(
        self,
        view: Share,
        owed: tuple[Owed, ...],
        failed: tuple[Failed, ...],
        last: Tried | None,
        ways_out: tuple[Exit, ...],
        gone: bool,
    ) -> None:
        self._view, self._owed, self._failed, self._last = view, owed, failed, last
        self._exits, self._gone = ways_out, gone
        self._verbs = {exit_.verb for exit_ in ways_out if exit_.of == "share"}

    def lines(self, now: datetime) -> Iterator[str]:
        """The lines of advice at the time *now*."""
        if self._gone and self._view.status not in ("deleted", "unmanaged"):
            yield gone_advice(self._view.backend)
            yield from (f"Or: {exit_.how}." for exit_ in self._exits if exit_.of == "share")
            return
        yield from self._ways_out_of_errors()
        for rule in self._view.access_rules:
            if rule.warning:
                yield f"Access rule {rule.id} is {rule.state} but cannot work: {rule.warning}."
        waiting = waiting_advice(self._last, now) if self._owed else None
        if waiting is not None:
            yield waiting

    def _ways_out_of_errors(self) -> Iterator[str]:
        if self._failed and "retry" in self._verbs:
            yield "Fix the cause, then run `retry` to repeat what failed."
        if self._view.status in ERRORS:
            if "delete" in self._verbs:
                yield "Or run `delete` to give the share up; it is accepted in any state."
            elif "unmanage" in self._verbs:
                yield "Or run `unmanage` to give the share up; its data is left in place."
            if "forget" in self._verbs:
                yield "Or run `forget` if its backend is lost for good: no driver is called."
        for exit_ in self._exits:
            if exit_.of != "share":
                yield f"Or for {_name_of(exit_)}: {exit_.how}."


def _waits(state: ShareState) -> Iterator[str]:
    """Name the shares whose creation a deletion waits for."""
    removed = {i for i, s in state.snapshots.held.items() if s.status in _REMOVED}
    for i in state.holds.snapshots:
        if i in removed or state.share.status == "deleting":
            shares = ", ".join(state.holds.holders(i))
            yield f"Wait: snapshot {i} is removed once what is created from it is done: share {shares}."


_REMOVED = ("deleting", "unmanage_starting")


def _name_of(way_out: Exit) -> str:
    return f"{'access rule' if way_out.of == 'rule' else way_out.of} {way_out.id}"


def _return_advice(view: Share, before: ShareState) -> Iterator[str]:
    """How a share that left the system can be managed again; *before* is its state when it left."""
    if view.status != "unmanaged":
        return
    share = before.share
    which = f"--id {view.id} --backend {share.backend}"
    if share.share_network_id is not None:  # its network takes it no more under this id
        which = f"--backend {share.backend} --server {share.share_server_id or 'SERVER'}"
    yield (
        f"To manage it again, run `share manage {which}` with the options by which the driver finds it"
        " (such as `--option path=PATH`)."
    )
    if share.share_network_id is not None:
        return
    for i, snapshot in before.snapshots.held.items():
        where = snapshot.provider_location
        if where is not None:
            yield f"Then its snapshot: `snapshot manage {view.id} --id {i} --location {where}`."
