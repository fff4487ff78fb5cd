"""Hosting: the entities that live in one Ray actor. A plain class; `actors/runtime` makes it a Ray actor."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any
from uuid import uuid4

from share_actors.actors.effects.backends import BackendDrivers
from share_actors.actors.effects.no_effects import NoWork
from share_actors.actors.effects.share import ShareWork
from share_actors.actors.effects.share_server import ServerWork
from share_actors.actors.entity.shell import Entity
from share_actors.actors.entity.turn import QueuedCommand
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    command_in,
    context_in,
    refusal,
)
from share_actors.actors.ports import HostReport
from share_actors.actors.sealing import Sealer
from share_actors.config import Config
from share_actors.errors import Busy, InvalidRequest, Moved, ShareActorsError, Unavailable
from share_actors.events import share, share_server
from share_actors.events.aggregates import AGGREGATES, calls_drivers, kind_of
from share_actors.events.decider import Command
from share_actors.events.log import Log, OpenLog, open_configured
from share_actors.events.share.messages import CreateShare
from share_actors.values import RequestContext

logger = logging.getLogger(__name__)
GRACE_S = 0.05
"""How long a call waits for a next outcome before it answers *accepted* for those in progress."""
MOST_S = 1.0
TOGETHER_S = 0.005

NO_COMMAND, NOBODY = Command(), RequestContext()

AnyEntity = Entity[Any, Any, Any]


class ShareHost:
    """Any number of entities in one process, on one event loop: shares, and all that they need.

    Every method that acts on a share wakes it from its stream first if need be: which host a share
    lives on is a matter of speed and memory; that only one activation can write is the log's doing.
    """

    def __init__(
        self,
        config: Config,
        nodes: int = 1,
        entity_client: EntityClient | None = None,
        open_log: OpenLog = open_configured,
    ) -> None:
        self._config, self._nodes, self._open_log = config, nodes, open_log
        self._backends = BackendDrivers(config.backends)
        self._works = self._kinds_of_work(entity_client or EntityClient(_no_manager))
        self._entities: dict[str, AnyEntity] = {}
        self._beside: set[str] = set()
        """Those of them that call no drivers: they take up no room to speak of."""
        self._gone: set[str] = set()
        """Left memory since `passivated` was asked."""
        self._contexts: dict[bytes, RequestContext] = {}
        self._waiting = 0
        self._submitting: set[asyncio.Future[None]] = set()
        self._activation = uuid4().hex[:12]
        self._activations = 0
        self._stopping = False
        self._sweeper: asyncio.Task[None] | None = None

    def _kinds_of_work(self, entity_client: EntityClient) -> dict[str, Any]:
        """What effects mean, by the kind of entity that owes them."""
        works: dict[str, Any] = dict.fromkeys(AGGREGATES, NoWork())
        sealer = partial(getattr, self, "_sealer")
        works[share.KIND] = ShareWork(self._backends, entity_client=entity_client, sealer=sealer)
        works[share_server.KIND] = ServerWork(self._backends, entity_client, sealer)
        return works

    @cached_property
    def _sealer(self) -> Sealer:
        return Sealer.of(self._config)

    @cached_property
    def _log(self) -> Log:
        """Opened with its first use: one that cannot be opened now, perhaps can the next time."""
        return self._open_log(self._config, self._nodes)

    # -- what the manager asks -------------------------------------------------------------------
    async def submit(self, asks: list[CommandMessage]) -> list[CommandReply]:
        """Have each command decided and recorded; answers in order, each durable when given.

        Outcomes that were asked for and take longer than a moment are answered *accepted*: `wait`.
        """
        self._sweep_from_now_on()
        started = [self._start(asked) for asked in asks]
        self._waiting += len(started)
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._submitting.add(over)
        try:
            await asyncio.wait([item.receipt for item in started])
            slow = [i.outcome for i in started if i.outcome is not None and not _over(i)]
            await _while_they_come(slow)
            return [_answer(item) for item in started]
        finally:
            self._waiting -= len(started)
            self._submitting.discard(over)
            over.set_result(None)

    async def drain(self) -> None:
        """Return when all that is being submitted now is answered."""
        if self._submitting:
            await asyncio.wait(list(self._submitting))

    async def wait(self, pairs: Sequence[tuple[str, str]], timeout_s: float) -> list[CommandReply]:
        """Answers for those of *pairs* (share id, command id) that ended, once one has.

        After *timeout_s* without any, an empty list. Those not recorded at all answer with an error.
        """
        futures = [await self._outcome(share_id, command_id) for share_id, command_id in pairs]
        if not any(f.done() for f in futures):
            await asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(TOGETHER_S)  # what ends together goes together
        return [f.result() for f in futures if f.done()]

    async def _outcome(self, share_id: str, command_id: str) -> asyncio.Future[CommandReply]:
        try:
            return await self._entity(share_id).outcome_of(command_id)
        except ShareActorsError as error:
            failed: asyncio.Future[CommandReply] = asyncio.get_running_loop().create_future()
            failed.set_result(refusal(CommandMessage(share_id, command_id, "", b"", b""), error))
            return failed

    async def wake(self, share_ids: Sequence[str]) -> dict[str, str]:
        """Activate these shares, so that they see to what they owe; why some can't be, by their ids.

        Those for which there is no room now have an empty reason.
        """
        self._sweep_from_now_on()
        woken = await asyncio.gather(*(self._woken(share_id) for share_id in share_ids))
        return {i: why for i, why in zip(share_ids, woken, strict=True) if why is not None}

    async def _woken(self, share_id: str) -> str | None:
        try:
            await self._entity(share_id).activate()
        except Busy:
            return ""
        except ShareActorsError as error:
            return error.message
        return None

    async def view(self, share_id: str) -> Any:
        """The share, or whatever has that address, as it is now; raises `NotFound`."""
        return await self._entity(share_id).view()

    async def reconfigure(self, config: Config) -> None:
        """Go on with this configuration; drivers whose settings are as they were stay."""
        self._config = config
        self._backends.reconfigure(config.backends)

    async def report(self) -> HostReport:
        """How this host is doing; raises `LogError` when it cannot open its log."""
        return HostReport(
            os.getpid(), len(self._entities) - len(self._beside), self._waiting, self._backends.hung,
            self._log.snapshot_failures,
        )  # fmt: skip

    async def passivated(self, others: Sequence[str]) -> list[str]:
        """The shares that left memory since this was last asked, and of *others* those not here now."""
        gone, self._gone = self._gone | set(others), set()
        return [share_id for share_id in gone if share_id not in self._entities]

    async def resident(self) -> list[str]:
        """The ids of the shares that live here, for a manager that lost its directory."""
        return list(self._entities)

    async def passivate(self, idle_s: float) -> int:
        """Let go of the shares that have been idle for *idle_s*; how many they were."""
        before = time.monotonic() - idle_s
        idle = [e for e in self._entities.values() if e.idle and e.last_used <= before]
        for entity in idle:
            entity.passivate()
            self._forget(entity)
        return len(idle)

    async def stop(self) -> None:
        """Take nothing new, let running turns end, leave snapshots, and close the log."""
        self._stopping = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for _ in range(50):
            if all(entity.idle for entity in self._entities.values()):
                break
            await asyncio.sleep(0.1)
        await self.passivate(0.0)
        self._backends.close()
        if "_log" in self.__dict__:
            await asyncio.to_thread(self._log.close)

    # -- inside ----------------------------------------------------------------------------------
    def _start(self, asked: CommandMessage) -> QueuedCommand:
        loop = asyncio.get_running_loop()
        outcome = loop.create_future() if asked.wait else None
        item = QueuedCommand(asked, NO_COMMAND, NOBODY, loop.create_future(), outcome)
        try:
            item.command = command_in(asked)
            item.context = self._context(asked.context)
            self._admit(asked)
            fresh = isinstance(item.command, CreateShare) and not asked.repeated
            self._entity(asked.share_id, fresh=fresh).put(item)
        except ShareActorsError as error:
            item.refuse(error)
            if asked.share_id not in self._entities:
                self._gone.add(asked.share_id)  # it has no home here, whatever the manager thinks
        return item

    def _admit(self, asked: CommandMessage) -> None:
        if self._stopping:
            raise Moved("this host is going down", field="id", value=asked.share_id)
        if self._waiting >= self._config.hosting.backlog:
            raise Busy(f"{self._waiting} commands wait in this actor already", retry_after=0.2)

    def _entity(self, share_id: str, *, fresh: bool = False) -> AnyEntity:
        entity = self._entities.get(share_id)
        if entity is None or entity.lost:
            entity = self._activate(share_id, fresh)
        entity.last_used = time.monotonic()
        return entity

    def _activate(self, share_id: str, fresh: bool) -> AnyEntity:
        if len(self._entities) >= self._config.hosting.entities_per_actor:
            self._make_room(share_id)
        kind = kind_of(share_id)
        if kind not in AGGREGATES:
            raise InvalidRequest(
                f"id: {share_id!r} is of no kind known", field="id", value=share_id
            )
        self._activations += 1
        aggregate: Any = AGGREGATES[kind]
        entity: AnyEntity = Entity(
            share_id,
            aggregate,
            self._log,
            self._works[kind],
            f"{self._activation}-{self._activations}",
            mailbox=self._config.hosting.mailbox,
            snapshot_every=self._config.log.snapshot_every,
            fresh=fresh,
        )
        self._entities[share_id] = entity
        if not calls_drivers(share_id):
            self._beside.add(share_id)
        return entity

    def _make_room(self, share_id: str) -> None:
        """Let go of the longest idle of the first few entities, for *share_id* to come; or `Busy`."""
        for entity in list(self._entities.values())[:64]:
            if entity.idle:
                entity.passivate()
                self._forget(entity)
                return
        self._gone.add(share_id)
        limit = self._config.hosting.entities_per_actor
        raise Busy(f"all {limit} shares of this actor are at work", retry_after=0.5)

    def _forget(self, entity: AnyEntity) -> None:
        if self._entities.get(entity.id) is entity:
            del self._entities[entity.id]
            self._beside.discard(entity.id)
            self._gone.add(entity.id)

    def _context(self, packed: bytes) -> RequestContext:
        context = self._contexts.get(packed)
        if context is None:
            if len(self._contexts) > 1000:
                self._contexts.clear()
            context = self._contexts[packed] = context_in(packed)
        return context

    def _sweep_from_now_on(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    async def _sweep(self) -> None:
        """Passivate what is idle, drop what was lost or never existed."""
        while True:
            await asyncio.sleep(min(5.0, self._config.hosting.idle_timeout_s / 2))
            await self.passivate(self._config.hosting.idle_timeout_s)
            for entity in [
                e for e in self._entities.values() if e.lost or (e.idle and not e.exists)
            ]:
                self._forget(entity)


def _no_manager() -> Any:
    raise Unavailable("this host knows no manager")


async def _while_they_come(outcomes: Sequence[asyncio.Future[CommandReply]]) -> None:
    """Wait for *outcomes* as long as some come every moment, and not much longer than a second."""
    left = [outcome for outcome in outcomes if not outcome.done()]
    until, came = time.monotonic() + MOST_S, 1
    while left and came and time.monotonic() < until:
        _, pending = await asyncio.wait(left, timeout=GRACE_S)
        came, left = len(left) - len(pending), list(pending)


def _over(item: QueuedCommand) -> bool:
    """Whether no outcome is to be waited for: there is one, or nothing was recorded."""
    assert item.outcome is not None
    return item.outcome.done() or item.receipt.result().status == "error"


def _answer(item: QueuedCommand) -> CommandReply:
    receipt = item.receipt.result()
    if item.outcome is None or not item.outcome.done() or receipt.status == "error":
        return receipt
    return item.outcome.result()
