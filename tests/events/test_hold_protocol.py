"""Two shares and the commands between them: lost, late and repeated, in any order, while processes die.

The real deciders of a share that is created from a snapshot and of the snapshot's share; only the transport
is a list. No snapshot is removed while it is copied, and no hold is left at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from share_actors.events import share
from share_actors.events.attempts import BeginAttempt, ReportFailure
from share_actors.events.decider import Command, Rejected
from share_actors.events.share import ShareState
from share_actors.events.share.creation import CreateShare, Provision
from share_actors.events.share.deletion import DeleteShare
from share_actors.events.share.failure import RetryShare
from share_actors.events.share.snapshot.cloning import (
    ConfirmSourceHeld,
    ConfirmSourceReleased,
    HoldSource,
    ReleaseSource,
)
from share_actors.events.share.snapshot.holds import HoldSnapshot, ReleaseSnapshot
from share_actors.events.share.snapshot.messages import CreateSnapshot, DeleteSnapshot, DropSnapshot
from share_actors.values import ShareSpec, Snapshot
from tests.docs.state_diagram import success
from tests.events.share_events import NOON

SPEC = ShareSpec(host="b", project_id="p", user_id="u")
SNAPSHOT = Snapshot(id="n", share_id="p", size=1, status="available")
begin = BeginAttempt(activation="a", timeout_s=1.0)
cut_off = ReportFailure(kind="unknown", reason="died", retry_at=NOON, max_attempts=3)
broken = ReportFailure(kind="failed", reason="broken", retry_at=NOON)
Message = HoldSnapshot | ReleaseSnapshot


class Stream:
    """One share: its state, and the number of its events."""

    def __init__(self) -> None:
        self.state: ShareState = share.initial
        self.version = 0

    def ask(self, command: Command) -> str | None:
        """Decide *command*; the reason if it is rejected."""
        message: Any = command
        try:
            events = share.decide(message, self.state)
        except Rejected as rejected:
            return str(rejected)
        for event in events:
            self.state = share.evolve(self.state, event)
        self.version += len(events)
        return None

    def run(self) -> Any:
        """Begin the attempt that is pending; its effect."""
        effect = share.pending(self.state)
        assert self.ask(begin) is None
        return effect


class Copying:
    """A share `x` from the snapshot `n` of the share `p`."""

    def __init__(self) -> None:
        self.new, self.parent = Stream(), Stream()
        self.sent: list[Message] = []
        self.awaited: Message | None = None
        """The command whose reply the effect in progress waits for."""
        self.effect: Any = None
        """The effect of the new share that is in progress."""
        self.parent.ask(CreateShare(share_id="p", size=1, spec=SPEC, at=NOON))
        self.parent_goes_on()
        self.parent.ask(CreateSnapshot(snapshot_id="n", at=NOON))
        self.parent_goes_on()
        self.new.ask(CreateShare(share_id="x", size=1, spec=SPEC, source=SNAPSHOT, at=NOON))

    # -- the new share ---------------------------------------------------------------------------
    def begins(self) -> None:
        if self.effect is not None or share.pending(self.new.state) is None:
            return
        self.effect = self.new.run()
        names: Any = {"snapshot_id": "n", "share_id": "x", "number": self.new.version}
        if isinstance(self.effect, HoldSource):
            self.awaited = HoldSnapshot(**names)
        elif isinstance(self.effect, ReleaseSource):
            self.awaited = ReleaseSnapshot(**names)
        self.sent += [] if self.awaited is None else [self.awaited]

    def dies(self) -> None:
        if self.effect is not None:
            self._ends(cut_off)

    def succeeds(self) -> None:
        if self.effect is not None and self.awaited is None:
            self._ends(success(self.new.state))

    def fails(self) -> None:
        if self.effect is not None and self.awaited is None:
            self._ends(broken)

    def _ends(self, outcome: Command | None) -> None:
        self.effect = self.awaited = None
        assert outcome is not None
        self.new.ask(outcome)

    # -- the transport ---------------------------------------------------------------------------
    def arrives(self) -> None:
        """The command of the effect in progress arrives in time."""
        if self.awaited is not None:
            self._arrive(self.awaited)

    def arrives_late(self) -> None:
        """The oldest command arrives, perhaps again."""
        if self.sent:
            self._arrive(self.sent[0])
            self.sent = [*self.sent[1:], self.sent[0]]

    def _arrive(self, message: Message) -> None:
        refusal = self.parent.ask(message)
        if message is self.awaited:
            hold = isinstance(message, HoldSnapshot)
            confirmed = ConfirmSourceHeld() if hold else ConfirmSourceReleased()
            self._ends(confirmed if refusal is None else broken)

    # -- the snapshot's share --------------------------------------------------------------------
    def parent_goes_on(self) -> None:
        while share.pending(self.parent.state) is not None:
            effect = self.parent.run()
            removes = isinstance(effect, DropSnapshot)
            assert not (removes and isinstance(self.effect, Provision)), "removed while copied"
            outcome = success(self.parent.state)
            assert outcome is not None
            assert self.parent.ask(outcome) is None

    # -- what holds ------------------------------------------------------------------------------
    def check(self) -> None:
        """A snapshot that is being copied exists, and is held."""
        if isinstance(self.effect, Provision):
            assert "n" in self.parent.state.snapshots.held
            assert self.parent.state.holds.holders("n") == ("x",)

    def finish(self) -> None:
        """All that is pending is done; what was sent before arrives last."""
        for _ in range(20):
            self.begins()
            self.arrives()
            self.succeeds()
        assert share.pending(self.new.state) is None
        for late in self.sent:
            self._arrive(late)
        self.parent_goes_on()


Move = Callable[[Copying], None]


def asks(command: Command, *, of_parent: bool = False) -> Move:
    def move(copying: Copying) -> None:
        (copying.parent if of_parent else copying.new).ask(command)
        copying.parent_goes_on()

    return move


OFTEN: tuple[Move, ...] = (
    *(Copying.begins, Copying.begins, Copying.begins, Copying.arrives, Copying.arrives),
    *(Copying.dies, Copying.arrives_late, Copying.fails, asks(RetryShare())),
)
SELDOM: tuple[Move, ...] = (
    *(Copying.succeeds, asks(DeleteShare())),
    asks(DeleteSnapshot(snapshot_id="n"), of_parent=True),
    asks(DeleteShare(cascade=True), of_parent=True),
)
weighted = st.sampled_from([*OFTEN * 4, *SELDOM])


@settings(max_examples=1000, deadline=None)
@given(st.lists(weighted, min_size=10, max_size=40))
def test_no_order_of_commands_and_deaths_removes_what_is_copied_or_leaves_a_hold(
    moves: list[Move],
) -> None:
    copying = Copying()
    for move in moves:
        move(copying)
        copying.check()
    copying.finish()

    assert copying.parent.state.holds.by_share == {}
