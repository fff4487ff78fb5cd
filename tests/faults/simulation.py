"""The real shell, log and aggregates of one share, in simulated processes that die where they are told to.

A `Case` says everything: what is asked, where processes die, what goes wrong at the backend, and the seed
of all that is left to chance. The same case is the same run, to the last event.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from eventsourcing.persistence import ApplicationRecorder

from share_actors.actors.effects.backends import BackendDriver, BackendDrivers
from share_actors.actors.effects.share import ShareWork
from share_actors.actors.entity.shell import Entity
from share_actors.actors.entity.turn import QueuedCommand
from share_actors.actors.messaging.messages import CommandReply, ask, unpack_error
from share_actors.config import BackendSettings, LogSettings
from share_actors.drivers.base import DriverError, TransientError
from share_actors.errors import Moved, ShareActorsError
from share_actors.events import share
from share_actors.events.decider import Command
from share_actors.events.log import Log
from share_actors.events.log.group_commit import GroupCommit
from share_actors.events.log.memory import LogMemory
from share_actors.events.share.messages import CreateShare
from share_actors.values import RequestContext
from tests.faults.backend import ProbingDriver, SteppingDriver, Storage
from tests.faults.virtual_clock import Deadlock, Died, SimulatedLoop

Fault = Literal["", "transient", "transient after", "bug", "refused", "failed", "hangs"]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
WHO = RequestContext(user_id="alice", project_id="demo")
PACKED = WHO.model_dump_json().encode()
SETTINGS = BackendSettings(driver="sim", timeout_s=30.0, backoff_s=0.5, max_backoff_s=5.0)
A_DAY = 86_400.0


@dataclass(frozen=True)
class Case:
    """Groups of commands, each sent together once the group before was answered; what dies and fails.

    *deaths* count the points at which a process may die, over all its lives. *faults* are what the
    backend's calls meet, in order. With *rivals* two activations of the share live at once. A client
    that is *forgetful* does not ask again for what was acknowledged. *back_s* is how far the calendar
    is set back with each death.
    """

    groups: tuple[tuple[Command, ...], ...]
    deaths: frozenset[int] = frozenset()
    faults: tuple[Fault, ...] = ()
    probes: bool = True
    rivals: bool = False
    forgetful: bool = False
    back_s: float = 0.0
    seed: int = 0


@dataclass
class Told:
    """What a client was told of one command."""

    acknowledged: bool = False
    status: str | None = None
    """`done`, `failed`, or the code of an error, with which nothing is recorded."""


@dataclass(eq=False)
class Late:
    """A driver's call beyond its deadline, and when it will come to life again."""

    due: float
    call: Callable[[], Any]


@dataclass
class World:
    """All that outlives a process: the log, the backend, the clients, and the clock."""

    case: Case
    points: int = 0
    died_at: list[str] = field(default_factory=list)
    told: dict[str, Told] = field(default_factory=dict)
    now: float = 0.0
    calls: int = 0
    running: Any = None
    committer: SimulatedCommitter = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.case.seed)
        self.storage = Storage()
        kind = ProbingDriver if self.case.probes else SteppingDriver
        self.driver = kind(self.storage, self.point)
        self.overdue: list[Late] = []
        self.log = _log(self)
        backends = cast(BackendDrivers, SimulatedBackends(self))
        self.work = ShareWork(backends, self.clock)

    def point(self, name: str) -> None:
        """A process may die here."""
        self.points += 1
        if self.points in self.case.deaths and self.running is not None:
            self.died_at.append(f"{self.points}: {name}")
            raise Died(name)

    def clock(self) -> datetime:
        """The calendar, which is set back with every death."""
        now = self.running.time() if self.running is not None else self.now
        return EPOCH + timedelta(seconds=now - self.case.back_s * len(self.died_at))

    def latency(self) -> float:
        return self.random.choice((0.0, 0.001, 0.01))

    def commands(self) -> list[tuple[str, Command]]:
        return [
            (f"c{g}.{n}", command)
            for g, group in enumerate(self.case.groups)
            for n, command in enumerate(group)
        ]

    # -- lives -----------------------------------------------------------------------------------
    def run(self) -> None:
        """Process after process, until one comes to rest; and then what comes too late for all of them."""
        while not self._live():
            pass
        for late in sorted(self.overdue, key=lambda late: late.due):
            self.running_late(late)

    def running_late(self, late: Late) -> None:
        """A call that nobody waits for any more does what it can."""
        if late in self.overdue:
            self.overdue.remove(late)
            with suppress(DriverError):
                late.call()

    def _live(self) -> bool:
        loop = self.running = SimulatedLoop(self.now)
        for late in self.overdue:
            loop.call_at(max(late.due, self.now), self.running_late, late)
        try:
            loop.run_until_complete(Process(self, loop).run())
        except Died:
            return False
        except Deadlock:  # nobody will ever be answered: the oracle tells what that means
            return True
        else:
            return True
        finally:
            self.now, self.running = loop.time(), None
            self.committer.forget()
            loop.abandon()


class Process:
    """One life: one activation or two rivals, and the clients who ask for what they do not know yet."""

    def __init__(self, world: World, loop: SimulatedLoop) -> None:
        self._world, self._loop = world, loop
        self._count = 0
        self._living = [self._activation() for _ in range(2 if world.case.rivals else 1)]

    def _activation(self) -> Entity[Any, Any, Any]:
        self._count += 1
        name = f"life{len(self._world.died_at)}-{self._count}"
        return Entity(
            "s",
            share,
            self._world.log,
            self._world.work,
            name,
            snapshot_every=0,
            clock=self._world.clock,
        )

    async def run(self) -> None:
        for g, group in enumerate(self._world.case.groups):
            clients = [self._client(f"c{g}.{n}", command) for n, command in enumerate(group)]
            await asyncio.gather(*clients)
        await self._rest()

    async def _rest(self) -> None:
        """Until nothing is under way or owed, as far as anybody alive knows."""
        until = self._loop.time() + A_DAY
        while self._loop.time() < until:
            with suppress(ShareActorsError):
                await self._one().activate()
            await asyncio.sleep(1.0)
            if all(e.idle or e.lost for e in self._living) and not all(
                e.lost for e in self._living
            ):
                return

    def _one(self) -> Entity[Any, Any, Any]:
        """An activation that is not lost, chosen at random."""
        n = self._world.random.randrange(len(self._living))
        if self._living[n].lost:
            self._living[n] = self._activation()
        return self._living[n]

    async def _client(self, command_id: str, command: Command) -> None:
        """Ask until there is an answer: by one id, whoever is alive."""
        known = self._world.told.setdefault(command_id, Told())
        if known.status is not None or (known.acknowledged and self._world.case.forgetful):
            return
        answer = await self._answered(command_id, command, known)
        while isinstance(answer, Moved):
            await asyncio.sleep(0.01)
            answer = await self._answered(command_id, command, known)
        known.status = answer.code if isinstance(answer, ShareActorsError) else answer.status

    async def _answered(
        self, command_id: str, command: Command, known: Told
    ) -> CommandReply | ShareActorsError:
        told = ask("s", command, PACKED, command_id, wait=True, repeated=True)
        item = QueuedCommand(
            told, command, WHO, self._loop.create_future(), self._loop.create_future()
        )
        self._one().put(item)
        receipt = await item.receipt
        self._world.point("receipt")
        if receipt.error is not None:
            return unpack_error(receipt.error)
        known.acknowledged = True
        assert item.outcome is not None
        outcome = await item.outcome
        return outcome if outcome.error is None else unpack_error(outcome.error)


# -- what stands for threads ---------------------------------------------------------------------
class SimulatedCommitter(GroupCommit):
    """Commits on the loop, a moment later; a process may die just before and just after."""

    def __init__(
        self, recorder: ApplicationRecorder, explain: Callable[[Exception], str], world: World
    ) -> None:
        super().__init__(recorder, explain)
        self.world = world

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self.world.running.call_later(self.world.latency(), self._commit_now, gathered)

    def _run(self) -> None:
        """No thread."""

    def _commit_now(self, gathered: list[Any]) -> None:
        self.world.point("before a commit")
        self._write(gathered)
        self.world.point("after a commit")

    def forget(self) -> None:
        """What was handed in dies with its process."""
        self._gathered = []

    def close(self) -> None:
        """Nothing to close."""


def _log(world: World) -> Log:
    def group_commit(
        recorder: ApplicationRecorder, explain: Callable[[Exception], str]
    ) -> GroupCommit:
        world.committer = SimulatedCommitter(recorder, explain, world)
        return world.committer

    return Log(LogMemory().open(LogSettings()), group_commit)


class SimulatedBackends:
    """One backend, `sim`, whose threads are turns of the loop."""

    def __init__(self, world: World) -> None:
        self.settings = {"sim": SETTINGS}
        self._backend = BackendDriver(
            "sim", SETTINGS, world.driver, cast(Any, SimulatedThreads(world))
        )

    def get(self, name: str) -> BackendDriver:
        return self._backend


class SimulatedThreads:
    """Calls of the driver, each with the fault that is its turn."""

    def __init__(self, world: World) -> None:
        self._world = world

    def submit(
        self, call: Callable[[], Any], timeout_s: float, done: Callable[[Any], None]
    ) -> None:
        world, n = self._world, self._world.calls
        world.calls += 1
        fault = world.case.faults[n] if n < len(world.case.faults) else ""
        if fault == "hangs":  # given up at its deadline; it goes on some time, whoever lives then
            due = world.running.time() + timeout_s * world.random.choice((1.1, 2, 40))
            world.overdue.append(late := Late(due, call))
            world.running.call_at(due, world.running_late, late)
            world.running.call_later(timeout_s, done, TimeoutError("no answer in time"))
        else:
            world.running.call_later(world.latency(), self._call, call, fault, done)

    def _call(self, call: Callable[[], Any], fault: Fault, done: Callable[[Any], None]) -> None:
        result: Any
        try:
            result = _faulty(call, fault)
        except Exception as error:
            result = error
        self._world.point("the driver answered")
        done(result)


def _faulty(call: Callable[[], Any], fault: Fault) -> Any:
    if fault == "transient":
        raise TransientError("not now")
    if fault == "bug":
        raise RuntimeError("a bug")
    if fault == "failed":
        raise DriverError("no")
    result = call()
    if fault == "transient after":
        raise TransientError("the answer was lost")
    return result


def create(size: int = 1) -> CreateShare:
    return CreateShare(
        share_id="s", size=size, host="sim", project_id="demo", user_id="alice", at=EPOCH
    )
