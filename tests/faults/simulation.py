"""The real entity shell, log and aggregate of one share, in simulated processes that die at given points.

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
from typing import Any, Literal, NamedTuple, cast

from eventsourcing.persistence import ApplicationRecorder

from share_actors.actors.effects.backends import BackendDriver, BackendDrivers
from share_actors.actors.effects.share import ShareWork
from share_actors.actors.entity.shell import Entity
from share_actors.actors.entity.turn import QueuedCommand
from share_actors.actors.messaging.messages import (
    CommandReply,
    Sender,
    command_message,
    unpack_error,
)
from share_actors.config import BackendSettings, LogSettings
from share_actors.drivers.base import DriverError, ShareDriver, TransientError
from share_actors.errors import Moved, NotFound, ShareActorsError
from share_actors.events import share
from share_actors.events.decider import Command
from share_actors.events.log import Log
from share_actors.events.log.group_commit import GroupCommit
from share_actors.events.log.memory import LogMemory
from share_actors.events.share.messages import CreateShare
from share_actors.values import Frozen, RequestContext, ShareSpec
from tests.faults.backend import ProbingDriver, SteppingDriver, Storage
from tests.faults.virtual_clock import Deadlock, Died, SimulatedLoop

Fault = Literal["", "transient", "transient after", "bug", "refused", "failed", "hangs"]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
WHO = RequestContext(user_id="alice", project_id="demo", is_admin=True)
SENDER = Sender.of(WHO)
SETTINGS = BackendSettings(driver="sim", timeout_s=30.0, backoff_s=0.5, max_backoff_s=5.0)
A_DAY = 86_400.0


@dataclass(frozen=True)
class Case:
    """Groups of commands, each sent once the group before has its replies, and the deaths and faults.

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
class ClientReply:
    """The replies to a client for one command."""

    acknowledged: bool = False
    status: str | None = None
    """`done`, `failed`, or the code of an error, with which nothing is recorded."""
    since: int | None = None
    """The version of the stream when the client first sent the command."""
    until: int = 0
    """The version of the stream when the reply came."""


class View(NamedTuple):
    """What a client was shown, and the versions of the stream before and after; None: no such share."""

    share: Frozen | None
    since: int
    until: int


@dataclass(eq=False)
class Late:
    """A driver's call beyond its deadline, and the time at which it continues."""

    due: float
    call: Callable[[], Any]


@dataclass
class World:
    """Everything that survives a process: the log, the backend, the clients and the clock."""

    case: Case
    points: int = 0
    died_at: list[str] = field(default_factory=list)
    replies: dict[str, ClientReply] = field(default_factory=dict)
    views: list[View] = field(default_factory=list)
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
        """Let the process die here if the case says so."""
        self.points += 1
        if self.points in self.case.deaths and self.running is not None:
            self.died_at.append(f"{self.points}: {name}")
            raise Died(name)

    def clock(self) -> datetime:
        """The date and time, set back by `Case.back_s` with every death."""
        now = self.running.time() if self.running is not None else self.now
        return EPOCH + timedelta(seconds=now - self.case.back_s * len(self.died_at))

    def version(self) -> int:
        """The version of the share's stream."""
        return self.log.version("share-s")

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
        """Run processes until one settles, then the driver calls that outlived them all."""
        while not self._live():
            pass
        for late in sorted(self.overdue, key=lambda late: late.due):
            self.run_late(late)

    def run_late(self, late: Late) -> None:
        """Run a driver call whose process has given it up."""
        if late in self.overdue:
            self.overdue.remove(late)
            with suppress(DriverError):
                late.call()

    def _live(self) -> bool:
        loop = self.running = SimulatedLoop(self.now)
        for late in self.overdue:
            loop.call_at(max(late.due, self.now), self.run_late, late)
        try:
            loop.run_until_complete(Process(self, loop).run())
        except Died:
            return False
        except Deadlock:  # some client gets no reply: the oracle reports it
            return True
        else:
            return True
        finally:
            self.now, self.running = loop.time(), None
            self.committer.forget()
            loop.abandon()


class Process:
    """One process: one activation or two rivals, and the clients that have no final reply yet."""

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
        """Wait until no living activation has work in progress or pending."""
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
        """A random activation; a lost one is replaced first."""
        n = self._world.random.randrange(len(self._living))
        if self._living[n].lost:
            self._living[n] = self._activation()
        return self._living[n]

    async def _client(self, command_id: str, command: Command) -> None:
        """Send *command* by one id until there is a final reply."""
        reply = self._world.replies.setdefault(command_id, ClientReply())
        if reply.status is not None or (reply.acknowledged and self._world.case.forgetful):
            return
        if reply.since is None:
            reply.since = self._world.version()
        result = await self._answered(command_id, command, reply)
        while isinstance(result, Moved):
            await asyncio.sleep(0.01)
            result = await self._answered(command_id, command, reply)
        reply.status = result.code if isinstance(result, ShareActorsError) else result.status
        reply.until = self._world.version()
        await self._view()

    async def _view(self) -> None:
        """Note what a client is shown by any activation."""
        since, shown = self._world.version(), None
        while True:
            try:
                shown = await self._one().view()
            except Moved:
                await asyncio.sleep(0.01)
                continue
            except NotFound:
                pass
            break
        self._world.views.append(View(shown, since, self._world.version()))

    async def _answered(
        self, command_id: str, command: Command, reply: ClientReply
    ) -> CommandReply | ShareActorsError:
        message = command_message("s", command, SENDER, command_id, wait=True, repeated=True)
        item = QueuedCommand(
            message, command, WHO, self._loop.create_future(), self._loop.create_future()
        )
        self._one().put(item)
        receipt = await item.receipt
        self._world.point("receipt")
        if receipt.error is not None:
            return unpack_error(receipt.error)
        reply.acknowledged = True
        assert item.outcome is not None
        outcome = await item.outcome
        return outcome if outcome.error is None else unpack_error(outcome.error)


# -- what stands for threads ---------------------------------------------------------------------
class SimulatedCommitter(GroupCommit):
    """Commits on the event loop, a moment later; the process may die just before and just after."""

    def __init__(
        self, recorder: ApplicationRecorder, explain: Callable[[Exception], str], world: World
    ) -> None:
        super().__init__(recorder, explain)
        self.world = world

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self.world.running.call_later(self.world.latency(), self._commit_now, gathered)

    def _commit_now(self, gathered: list[Any]) -> None:
        self.world.point("before a commit")
        self._write(gathered)
        self.world.point("after a commit")

    def forget(self) -> None:
        """Drop the writes of a process that died."""
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
    """The one backend `sim`, whose threads are callbacks of the event loop."""

    def __init__(self, world: World) -> None:
        self.settings = {"sim": SETTINGS}
        self._backend = BackendDriver(
            "sim", SETTINGS, world.driver, cast(Any, SimulatedThreads(world))
        )

    def preparation(self, name: str) -> None:
        """None: it is ready."""

    def get(self, name: str) -> BackendDriver:
        return self._backend

    def driver(self, name: str) -> ShareDriver:
        return self._backend.driver

    def place_in_line(self, entity_id: str) -> None:
        """None: no call waits for a thread."""

    def withdraw(self) -> None:
        """No call waits for a thread."""

    def when_ready(self, name: str, found: Callable[[BackendDriver], None]) -> None:
        found(self._backend)


class SimulatedThreads:
    """Runs calls of the driver, each with the next fault of the case."""

    def __init__(self, world: World) -> None:
        self._world = world

    def submit(
        self,
        call: Callable[[], Any],
        timeout_s: float,
        done: Callable[[Any], None],
        key: str = "",
    ) -> None:
        world, n = self._world, self._world.calls
        world.calls += 1
        fault = world.case.faults[n] if n < len(world.case.faults) else ""
        if fault == "hangs":  # given up at its deadline; it goes on some time, whoever lives then
            due = world.running.time() + timeout_s * world.random.choice((1.1, 2, 40))
            world.overdue.append(late := Late(due, call))
            world.running.call_at(due, world.run_late, late)
            world.running.call_later(timeout_s, done, TimeoutError("no result in time"))
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
        raise TransientError("the result was lost")
    return result


def create(size: int = 1) -> CreateShare:
    return CreateShare(
        share_id="s",
        size=size,
        at=EPOCH,
        spec=ShareSpec(host="sim", project_id="demo", user_id="alice"),
    )
