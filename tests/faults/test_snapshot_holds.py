"""Shares from snapshots while hosts die: no copy of a snapshot that went, and no hold for ever."""

from __future__ import annotations

import asyncio
import random
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from share_actors.errors import NotFound, Refused, Unavailable
from share_actors.events import share
from share_actors.events.attempts import AttemptStarted
from share_actors.events.decider import Command, replay
from share_actors.events.envelope import Recorded
from share_actors.events.share import ShareState
from share_actors.events.share.messages import DeleteShare, RetryShare, ShareCreated
from share_actors.events.share.snapshot.cloning import ShareSourceHeld
from share_actors.events.share.snapshot.messages import CreateSnapshot, DeleteSnapshot
from share_actors.testing.in_process.host import InProcessHost
from tests.actors.in_process import in_memory
from tests.actors.two_backend_system import TwoBackendSystem, running_system, settings
from tests.waiting import until_async

FAULTS: tuple[dict[str, Any], ...] = (
    {},
    {"transient": {"create_share_from_snapshot": 2, "delete_snapshot": 1}},
    {"bug": {"create_share_from_snapshot": 1, "delete_share": 1}},
    {"fail": {"create_share_from_snapshot": "no space"}},
)
MOVING = ("creating", "deleting")


@pytest.mark.parametrize("seed", range(len(FAULTS) * 2))
def test_no_death_leaves_a_copy_of_a_snapshot_that_went_or_a_hold(
    tmp_path: Path, seed: int
) -> None:
    async def scenario() -> None:
        faults = {"delay_s": 0.01, **FAULTS[seed % len(FAULTS)]}
        async with running_system(settings(tmp_path, **faults)) as system:
            kind = Copying if seed % 2 else Overtaken
            copying = kind(system, random.Random(seed))
            await copying.play()
            await until_async(copying.has_settled, 60)
            histories = recorded_in(system)
            assert holds(histories) == []
            assert [
                r for h in histories.values() for r in removals_while_copied(h, histories)
            ] == []
            assert "fail" in faults or any(copyings(history) for history in histories.values())

    asyncio.run(asyncio.wait_for(scenario(), 120))


class Copying:
    """Creates shares from snapshots, and deletes snapshots and both shares, while processes are killed."""

    def __init__(self, system: TwoBackendSystem, rng: random.Random) -> None:
        self._system, self._rng = system, rng

    async def play(self) -> None:
        killing = asyncio.ensure_future(self._kill())
        await asyncio.gather(*(self._live(f"p{n}") for n in range(3)))
        killing.cancel()

    async def _live(self, parent: str) -> None:
        """One share, whose snapshots are copied and deleted at the same time."""
        await self._ask(parent, None)
        for n in range(3):
            snapshot = f"{parent}-n{n}"
            await self._ask(parent, CreateSnapshot(snapshot_id=snapshot))
            copies = (self._copy(f"{snapshot}-{m}", snapshot) for m in range(3))
            await asyncio.gather(*copies, self._delete(parent, snapshot))
        if self._rng.random() < 0.5:
            await self._ask(parent, DeleteShare(cascade=True))

    async def _copy(self, share_id: str, snapshot: str) -> None:
        await asyncio.sleep(self._rng.uniform(0, 0.1))
        asking = asyncio.ensure_future(self._ask(share_id, None, snapshot_id=snapshot))
        await asyncio.sleep(self._rng.uniform(0, 0.1))
        if self._rng.random() < 0.4:
            await self._ask(share_id, DeleteShare())
        await asking
        if self._rng.random() < 0.3:
            await self._ask(share_id, RetryShare())

    async def _delete(self, parent: str, snapshot: str) -> None:
        await asyncio.sleep(self._rng.uniform(0, 0.2))
        await self._ask(parent, DeleteSnapshot(snapshot_id=snapshot))

    async def _ask(self, share_id: str, command: Command | None, **fields: Any) -> None:
        """Send *command*, or a creation; refusals, and a manager that was killed, are part of the play."""
        with suppress(NotFound, Refused, Unavailable):
            if command is None:
                await self._system.create_reply(share_id, host=self._host(fields), **fields)
            else:
                await self._system.ask(share_id, command)

    def _host(self, fields: dict[str, Any]) -> str:
        return "" if fields else "plain"

    async def _kill(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(0.05, 0.3))
            host = self._rng.choice(list(self._system.cluster.running.values()))
            if not host.is_lost:
                await self._end(host)

    async def _end(self, host: InProcessHost) -> None:
        await host.restart()

    # -- what is left ----------------------------------------------------------------------------
    async def has_settled(self) -> bool:
        page = await self._system.cluster.catalog.ask("shares", limit=1000)
        owing = await self._system.cluster.catalog.ask("owing", limit=1000)
        statuses = {s.status for s in page.items} | {
            n.status for s in page.items for n in s.snapshots
        }
        return not owing and not statuses & {*MOVING}


class Overtaken(Copying):
    """Hosts that were declared dead continue to write, and to send commands to other shares."""

    async def _end(self, host: InProcessHost) -> None:
        host.cut_off()
        asyncio.get_running_loop().call_later(0.2, host.start)


# -- what is left ------------------------------------------------------------------------------
Histories = dict[str, list[Recorded]]


def recorded_in(system: TwoBackendSystem) -> Histories:
    """All events in the log of the shares, by the id of the share, with their positions."""
    histories: Histories = {}
    with closing(in_memory(system.config)) as log:
        for raw in log.notifications(0, 100_000):
            kind, _, share_id = raw.stream.partition("-")
            if kind == share.KIND:
                histories.setdefault(share_id, []).append(log.decode(raw))
    return histories


def holds(histories: Histories) -> list[str]:
    """The holds that are left, in the streams of both shares."""
    left = []
    for share_id, history in histories.items():
        events: list[Any] = [recorded.event for recorded in history]
        state: ShareState = replay(share, events)
        left += [f"{share_id} is held by {holder}" for holder in state.holds.by_share]
        left += [] if state.hold is None else [f"{share_id} holds {state.hold.id}"]
    return left


def removals_while_copied(history: list[Recorded], histories: Histories) -> list[str]:
    """Attempts to delete the snapshot of a share between its hold and the end of the creation."""
    return [
        f"{snapshot} at {removed}, copied from {held} to {ended}"
        for snapshot, held, ended in copyings(history)
        for removed in _removals(histories[snapshot.rpartition("-")[0]], snapshot)
        if held < removed < ended
    ]


def copyings(history: list[Recorded]) -> list[tuple[str, int, int]]:
    """The snapshot, its hold and the success of the creation, by position in the log."""
    source = getattr(history[0].event, "source", None)
    held = [r.position for r in history if isinstance(r.event, ShareSourceHeld)]
    ended = [r.position for r in history if isinstance(r.event, ShareCreated)]
    if source is None:
        return []
    return [(source.id, max(n for n in held if n < end), end) for end in ended]


def _removals(history: list[Recorded], snapshot_id: str) -> list[int]:
    """Where the log has attempts to delete the snapshot, alone or with its share."""
    effects = (f"snapshot/{snapshot_id}/delete", "delete")
    return [
        r.position
        for r in history
        if isinstance(r.event, AttemptStarted) and r.event.effect in effects
    ]
