"""A host: the entities that live in one Ray actor. A plain class; `actors/runtime` makes it a Ray actor."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from share_actors.actors.effects.backends import BackendDrivers
from share_actors.actors.effects.driver_setup import Hold
from share_actors.actors.effects.sealed_commands import sealed_command, without_secrets
from share_actors.actors.entity.turn import QueuedCommand
from share_actors.actors.hosting.batch_replies import Receipt, wait_while_ending
from share_actors.actors.hosting.deadlines import until_or_deadline
from share_actors.actors.hosting.outcomes import first_outcomes
from share_actors.actors.hosting.residents import ResidentEntities
from share_actors.actors.hosting.timings import HostTimings
from share_actors.actors.hosting.works import make_works
from share_actors.actors.messaging.batch import Answers, Batch, OpenBatches, Rest
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    check_addressee,
    command_in,
    context_in,
    header_error,
)
from share_actors.actors.messaging.routes import check_direct
from share_actors.actors.ports import CallUnderWay, HostReport
from share_actors.actors.sealing import Sealer
from share_actors.config import Config
from share_actors.errors import Busy, Moved, Outdated, ShareActorsError, Unavailable
from share_actors.events.decider import Command
from share_actors.events.log import Log, OpenLog, open_configured
from share_actors.events.share.messages import CreateShare
from share_actors.events.visibility import seen_by
from share_actors.observability.counts import Counts, Sample
from share_actors.observability.tracing import tracing_of
from share_actors.policy import Caller, caller_of
from share_actors.values import RequestContext
from share_actors.values.waiting import WaitingForThread
from share_actors.versions import OWN

MAX_CONTEXTS = 1000
"""How many unpacked request contexts are kept."""

NO_COMMAND, NOBODY = Command(), RequestContext()


class ShareHost:
    """Any number of entities in one process, on one event loop: shares, and all that they need.

    Every method that acts on an entity activates it first if need be. Which host an entity lives in
    is a matter of speed and memory; that only one activation can write is ensured by the log.
    """

    def __init__(
        self,
        config: Config,
        nodes: int = 1,
        entity_client: EntityClient | None = None,
        open_log: OpenLog = open_configured,
        timings: HostTimings | None = None,
        hold: Hold = lambda _: None,
    ) -> None:
        self._config, self._nodes, self._open_log = config, nodes, open_log
        self._timings = timings or HostTimings()
        self._backends = BackendDrivers(config.backends, hold)
        self._counts, self._tracing = Counts(), tracing_of(config.traces, config.namespace)
        client = entity_client or EntityClient(_no_manager)
        counts, tracing = self._counts, self._tracing
        works = make_works(self._backends, client, lambda: self._sealer, counts, tracing)
        self._entities = ResidentEntities(config, works, lambda: self._log, self._counts)
        self._contexts: dict[bytes, RequestContext] = {}
        self._batches = OpenBatches()
        self._submitting: set[asyncio.Future[None]] = set()
        self._waiting, self._stopping, self._needs = 0, False, ""
        self._sweeper: asyncio.Task[None] | None = None

    @cached_property
    def _sealer(self) -> Sealer:
        return Sealer.of(self._config)

    @cached_property
    def _log(self) -> Log:
        """The log, opened at first use; if that raises, the next use tries again."""
        return self._open_log(self._config, self._nodes)

    # -- commands --------------------------------------------------------------------------------
    async def submit(self, messages: list[CommandMessage]) -> list[CommandReply]:
        """Have each command decided and recorded; replies in order, for events that are durable.

        A command whose outcome was requested and takes longer than a moment gets the reply *accepted*;
        its outcome comes from `wait`.
        """
        return await self._take(messages).replies()

    async def begin(self, messages: list[CommandMessage]) -> Answers:
        """The same as `submit`, without waiting for the slowest: the replies that come first."""
        return await self._batches.begin(self._take(messages))

    async def begin_here(self, messages: list[CommandMessage]) -> Answers:
        """The same for a client that expects these entities here: `Moved` for those that are not active.

        Only the manager has entities activated, so that it knows their homes.
        """
        return await self._batches.begin(self._take(messages, only_active=True))

    async def more(self, rest: Rest) -> Answers:
        """The next replies to the commands of a batch; raises `Unavailable` if it is unknown."""
        return await self._batches.more(rest)

    def _take(self, messages: list[CommandMessage], *, only_active: bool = False) -> Batch:
        """Have each command decided and recorded; each is answered as its outcome comes."""
        self._start_sweeper()
        batch = Batch(len(messages), self._timings.batch_s)
        timers, tracing = self._counts.replies, self._tracing
        receipts = [Receipt(batch, n, m, timers, tracing) for n, m in enumerate(messages)]
        for message, receipt in zip(messages, receipts, strict=True):
            self._start(message, receipt, only_active)
        self._waiting += len(messages)
        submitting = asyncio.get_running_loop().create_task(self._follow(batch, receipts))
        self._submitting.add(submitting)
        submitting.add_done_callback(self._submitting.discard)
        return batch

    async def _follow(self, batch: Batch, receipts: Sequence[Receipt]) -> None:
        """Reply *accepted* to the commands of *batch* that take long."""
        await batch.until_taken()
        await wait_while_ending(batch, self._timings)
        for n in batch.unanswered:
            batch.answer(n, receipts[n].reply)
        self._waiting -= len(receipts)

    async def drain(self) -> None:
        """Return once all that is being submitted now has its reply."""
        if self._submitting:
            await asyncio.wait(list(self._submitting))

    async def wait(
        self,
        pairs: Sequence[tuple[str, str]],
        timeout_s: float,
        caller: Caller | None = None,
        *,
        only_active: bool = False,
    ) -> list[CommandReply]:
        """Outcomes of those of *pairs* (entity id, command id) that have ended, once one has.

        After *timeout_s* without any, an empty list. A command that was not recorded gets an error, and so
        does one of another project than the *caller*'s.
        """

        async def outcome_of(entity_id: str, command_id: str) -> asyncio.Future[CommandReply]:
            if only_active:
                self._check_active(entity_id)
            return await self._entities.get(entity_id).outcome_of(command_id, caller)

        return await first_outcomes(pairs, outcome_of, timeout_s, self._timings.batch_s)

    async def wait_here(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, context: RequestContext
    ) -> list[CommandReply]:
        """The same for the user of *context*, with `Moved` for those that are not active."""
        return await self.wait(pairs, timeout_s, caller_of(context), only_active=True)

    # -- entities --------------------------------------------------------------------------------
    async def wake(self, entity_ids: Sequence[str]) -> dict[str, str]:
        """Activate these entities, so that their pending work goes on.

        Returns the reasons of those that can't be activated, by id; the reason is empty if there is
        only no room now.
        """
        self._start_sweeper()
        reasons = await asyncio.gather(*(self._wake(entity_id) for entity_id in entity_ids))
        failed = zip(entity_ids, reasons, strict=True)
        return {entity_id: reason for entity_id, reason in failed if reason is not None}

    async def _wake(self, entity_id: str) -> str | None:
        try:
            await self._entities.get(entity_id).activate()
        except Outdated as error:
            self._needs = error.details["needs"]
            return error.message
        except (Busy, Moved):
            return ""
        except ShareActorsError as error:
            return error.message
        return None

    async def view(self, entity_id: str) -> Any:
        """The share, or the entity at that address, as clients see it; raises `NotFound`."""
        return await self._entities.get(entity_id).view()

    async def view_here(self, share_id: str, context: RequestContext) -> Any:
        """A share as the user of *context* may see it; raises `NotFound`, or `Moved` if it is not active."""
        self._check_active(share_id)
        return seen_by(caller_of(context), await self.view(share_id), share_id)

    async def passivated(self, leaving: Sequence[str]) -> list[str]:
        """Entities passivated since the last call, and those of *leaving* that are not active."""
        return self._entities.take_departed(leaving)

    async def resident(self) -> dict[str, int]:
        """The versions of all active entities, by id, for a manager that lost its directory."""
        return self._entities.versions()

    async def drop(self, entity_ids: Sequence[str]) -> None:
        """End the activations of these entities, which have their home elsewhere."""
        self._entities.drop(entity_ids)

    async def leave(self) -> list[str]:
        """Take in no more entities, begin no further attempts, end what is not at work; what is left."""
        self._entities.leave()
        return list(self._entities)

    async def passivate(self, idle_s: float) -> int:
        """Passivate the entities that have been idle for *idle_s*; return their number."""
        return self._entities.passivate_idle(idle_s)

    # -- the host --------------------------------------------------------------------------------
    async def versions(self) -> dict[str, Any]:
        """The versions of this process, see `Versions.told`, and the event that it could not read, if any."""
        return OWN.told() | ({"needs": self._needs} if self._needs else {})

    async def reconfigure(self, config: Config) -> None:
        """Use this configuration from now on; drivers whose settings did not change stay."""
        self._config = self._entities.config = config
        self._backends.reconfigure(config.backends)

    async def report(self) -> HostReport:
        """The state of this host; raises `LogError` if it cannot open its log."""
        return HostReport(
            pid=os.getpid(),
            entities=self._entities.load,
            waiting=self._waiting,
            hung=self._backends.hung,
            snapshot_failures=self._log.snapshot_failures,
            waiting_for_thread=self._backends.waiting,
            leaving=self._entities.leaving,
        )

    async def metrics(self, name: str) -> list[Sample]:
        """What this host has counted, as the series of the actor *name*."""
        commits = self._log.commit_times if "_log" in self.__dict__ else None
        return self._counts.samples(name, commits)

    async def under_way(self) -> list[CallUnderWay]:
        """The driver calls that are under way, without those that wait for a thread."""
        calls = self._entities.under_way()
        return [call for call in calls if self._backends.place_in_line(call.id) is None]

    async def place_in_line(self, entity_id: str) -> WaitingForThread | None:
        """Where the driver call of an entity waits for a thread; None if none does."""
        return self._backends.place_in_line(entity_id)

    async def stop(self, timeout_s: float | None = None) -> list[CallUnderWay]:
        """Accept no more commands, let driver calls end, save state snapshots, and close the log.

        Pending work may go on for a moment; then no call begins, and those under way may end until
        *timeout_s* (default: that moment). Returns the calls that were cut off, which is recorded.
        """
        self._stopping = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        began, moment_s = time.monotonic(), self._timings.stop_timeout_s
        timeout_s = moment_s if timeout_s is None else timeout_s
        await until_or_deadline(lambda: self._entities.all_idle, began + min(moment_s, timeout_s))
        self._entities.hold()
        self._backends.withdraw()
        await until_or_deadline(lambda: not self._entities.at_work, began + timeout_s)
        cut_off = self._entities.cut_off()
        await until_or_deadline(lambda: not self._entities.at_work, time.monotonic() + moment_s)
        await self.passivate(0.0)
        self._backends.close()
        if "_log" in self.__dict__:
            await asyncio.to_thread(self._log.close)
        return cut_off

    # -- inside ----------------------------------------------------------------------------------
    def _start(self, message: CommandMessage, receipt: Receipt, only_active: bool) -> None:
        queued = QueuedCommand(message, NO_COMMAND, NOBODY, receipt, receipt.outcome, receipt.span)
        if (malformed := header_error(message)) is not None:
            queued.refuse(malformed)
            return
        try:
            check_addressee(message)
            if only_active:
                self._check_active(message.share_id)
                check_direct(message)
            self._parse(queued)
            queued.context = self._context(message.context)
            self._admit(message)
            fresh = isinstance(queued.command, CreateShare) and not message.repeated
            self._entities.get(message.share_id, fresh=fresh).put(queued)
        except ShareActorsError as error:
            queued.refuse(error)
            self._entities.refuse(message.share_id)

    def _check_active(self, entity_id: str) -> None:
        if not self._entities.is_active(entity_id):
            raise Moved(f"{entity_id} is not active in this host", field="id", value=entity_id)

    def _parse(self, queued: QueuedCommand) -> None:
        """Set the command of *queued*, from here on with its secrets sealed."""
        message, command = queued.message, command_in(queued.message)
        if command.secrets:
            backends = self._config.backends
            command = sealed_command(command, message.share_id, lambda: self._sealer, backends)
            queued.message = without_secrets(message, command)
        queued.command = command

    def _admit(self, message: CommandMessage) -> None:
        if self._stopping:
            raise Moved("this host is stopping", field="id", value=message.share_id)
        if self._waiting >= self._config.hosting.backlog:
            raise Busy(f"{self._waiting} commands wait in this actor already", retry_after=0.2)

    def _context(self, packed: bytes) -> RequestContext:
        context = self._contexts.get(packed)
        if context is None:
            if len(self._contexts) > MAX_CONTEXTS:
                self._contexts.clear()
            context = self._contexts[packed] = context_in(packed)
        return context

    def _start_sweeper(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    async def _sweep(self) -> None:
        """Passivate idle entities, and remove those that are lost or do not exist."""
        while True:
            idle_timeout_s = self._config.hosting.idle_timeout_s
            await asyncio.sleep(min(self._timings.sweep_every_s, idle_timeout_s / 2))
            self._entities.forget_erased()
            await self.passivate(self._config.hosting.idle_timeout_s)
            self._entities.remove_useless()


def _no_manager() -> Any:
    raise Unavailable("this host has no manager")
