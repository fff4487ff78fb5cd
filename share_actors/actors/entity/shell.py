"""The imperative shell round an aggregate, written once: decide, append, evolve, perform. No Ray here.

An entity works in turns. A turn takes everything that waits for it, decides each command on the state
that the ones before it lead to, and appends all their events, with the start of the next attempt, in
one transaction. Nothing is answered and no driver is asked before that is durable.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Generic

from share_actors.actors.entity.backoff import Backoff
from share_actors.actors.entity.replies import PendingReplies
from share_actors.actors.entity.stream import EntityStream
from share_actors.actors.entity.turn import Aggregate, E, F, Outcome, QueuedCommand, S, Turn, Work
from share_actors.actors.messaging.messages import CommandReply, fingerprint
from share_actors.errors import Busy, LogError, Moved, NotFound, Refused, ShareActorsError
from share_actors.events.aggregates import id_of, stream_of
from share_actors.events.attempts import BeginAttempt
from share_actors.events.decider import Command, Missing, Rejected
from share_actors.events.envelope import Recorded
from share_actors.events.log import Conflict, Log
from share_actors.events.receipts import RecordedRequest
from share_actors.values import Frozen, utc_now

logger = logging.getLogger(__name__)
RETRY_APPEND_S = 0.5
"""How soon an outcome that could not be recorded (a full disk, a lost database) is appended again."""


class Entity(Generic[E, S, F]):
    """One aggregate, alive: its state is what its stream says, and nothing else.

    A *fresh* entity is taken to have no stream yet, which saves reading it; a conflict tells otherwise.
    """

    def __init__(
        self,
        entity_id: str,
        aggregate: Aggregate[E, S, F],
        log: Log,
        work: Work[S, F],
        activation: str,
        *,
        mailbox: int = 1000,
        snapshot_every: int = 100,
        fresh: bool = False,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._clock = clock
        self.id, self._aggregate, self._work = entity_id, aggregate, work
        self._activation, self._mailbox = activation, mailbox
        stream = stream_of(entity_id)
        self._memory: EntityStream[E, S, F] = EntityStream(stream, aggregate, log, snapshot_every)
        self._promises = PendingReplies(entity_id, aggregate, self._memory)
        self._fresh = self._loaded = fresh
        self._loading = asyncio.Lock()
        self._inbox: deque[QueuedCommand | Outcome] = deque()
        self._recalled: dict[str, RecordedRequest | None] = {}
        self._in_flight = self._woken = self._busy = False
        self._preparing: asyncio.Task[None] | None = None
        self._pause = Backoff()
        self.lost = False
        self.last_used = 0.0

    # -- from outside ----------------------------------------------------------------------------
    @property
    def idle(self) -> bool:
        """Nothing waits, nothing is under way and nothing is owed."""
        busy = self._inbox or self._promises or self._busy or self._in_flight
        if busy or not self._loaded:
            return False
        return self.lost or self._aggregate.pending(self._memory.state) is None

    @property
    def exists(self) -> bool:
        """Whether its stream has any events."""
        return self._memory.version > 0

    def put(self, asked: QueuedCommand) -> None:
        """Take a command; its futures tell what came of it."""
        waiting = len(self._inbox)
        if waiting >= self._mailbox:
            asked.refuse(Busy(f"{waiting} commands wait for {self.id} already", retry_after=0.1))
            return
        self._inbox.append(asked)
        self.wake()

    def wake(self) -> None:
        """See to what waits and what is owed."""
        self._woken = True
        if not self._busy and not self.lost:
            self._busy = True
            asyncio.get_running_loop().call_soon(self._turn)

    async def rouse(self) -> None:
        """Be in memory, and see to what is owed; raises `LogError` if the stream can't be read."""
        try:
            await self._load()
        except ShareActorsError as error:
            self._drop(error)
            raise
        self.wake()

    async def outcome_of(self, command_id: str) -> asyncio.Future[CommandReply]:
        """The future outcome of a command that was recorded before; `NotFound` if none was."""
        await self._load()
        receipt = await self._memory.recall(command_id)
        if receipt is None:
            raise NotFound(
                f"{self.id} has no command {command_id}", field="command_id", value=command_id
            )
        outcome: asyncio.Future[CommandReply] = asyncio.get_running_loop().create_future()
        self._promises.promise(receipt, outcome)
        self.wake()
        return outcome

    async def view(self) -> Frozen:
        """The state as clients see it; `NotFound` if it never existed."""
        await self._load()
        if not self.exists:
            raise self._not_found()
        return self._aggregate.view(self._memory.state)

    def passivate(self) -> None:
        """Leave a state snapshot behind, off the command path; the caller forgets the entity."""
        self._pause.cancel()
        self._memory.save_if_due(always=True)

    # -- the loop --------------------------------------------------------------------------------
    async def _load(self) -> None:
        async with self._loading:
            if not self._loaded:
                await self._memory.load()
                self._loaded = True

    async def _prepare(self) -> None:
        """What a turn needs from the log before it can decide."""
        try:
            await self._load()
            for item in self._to_recall():
                command_id = item.ask.command_id
                self._recalled[command_id] = await self._memory.recall(command_id)
        except ShareActorsError as error:  # its stream can't be read: this entity answers nothing
            self._drop(error)
        except Exception as error:
            self._failed(error)
        else:
            self._turn()

    def _to_recall(self) -> list[QueuedCommand]:
        """Those that may be older than what is remembered of commands."""
        if not self._memory.receipts.forgotten:
            return []
        asked = [i for i in self._inbox if isinstance(i, QueuedCommand) and i.ask.repeated]
        return [item for item in asked if item.ask.command_id not in self._recalled]

    def _turn(self) -> None:
        """Decide all that waits, without a pause in which anything could change, and append it."""
        if not self._loaded or self._to_recall():
            self._preparing = asyncio.get_running_loop().create_task(self._prepare())
            return
        self._woken = False
        batch, self._inbox = list(self._inbox), deque()
        try:
            turn = self._decided(batch)
            if turn.entries:
                self._append(turn, batch)
            else:
                self._finish(turn)
        except Exception as error:  # whatever it is, who waits must be told
            self._failed(error, batch)

    def _append(self, turn: Turn[S, F], batch: list[QueuedCommand | Outcome]) -> None:
        try:
            recorded, durable = self._memory.append(turn.entries)
        except LogError as error:
            self._unrecorded(turn, error)
        else:
            durable.add_done_callback(partial(self._appended, turn, batch, recorded))

    def _decided(self, batch: list[QueuedCommand | Outcome]) -> Turn[S, F]:
        state, now = self._memory.state, self._clock()
        turn: Turn[S, F] = Turn(self._aggregate, state, now, self._activation)
        for item in batch:
            if isinstance(item, Outcome):
                self._conclude(item, turn)
            else:
                self._take(item, turn)
        self._begin(turn)
        return turn

    def _conclude(self, item: Outcome, turn: Turn[S, F]) -> None:
        try:
            turn.conclude(item)
        except Rejected as stray:  # what it is about is over already: the log is right
            logger.warning("%s: an outcome came too late: %s", self.id, stray)

    def _finish(self, turn: Turn[S, F]) -> None:
        if turn.outcome is not None:
            self._in_flight = False
        self._promises.keep(turn)
        self._perform(turn)
        self._rest()

    def _rest(self) -> None:
        """On to the next turn if anything came in the meantime."""
        self._busy = not self.lost and bool(self._woken or self._inbox)
        if self._busy:
            asyncio.get_running_loop().call_soon(self._turn)

    def _failed(self, error: Exception, batch: Sequence[QueuedCommand | Outcome] = ()) -> None:
        """A bug of ours: this activation ends, and the next one starts from what the log says."""
        logger.error("%s: the shell failed", self.id, exc_info=error)
        self._inbox.extend(batch)
        self._drop(ShareActorsError(f"{self.id}: internal error: {error!r}"))

    def _take(self, item: QueuedCommand, turn: Turn[S, F]) -> None:
        asked = item.ask
        known = self._memory.receipts.get(asked.command_id)
        known = known or self._recalled.pop(asked.command_id, None)
        if asked.command_id in turn.ids:
            self._inbox.append(item)  # its twin is in this turn: answered in the next
            return
        content = asked.content or fingerprint(asked.topic, asked.body)
        if known is not None:
            self._promises.again(item, known, content)
            return
        try:
            owed = self._memory.receipts.open_works()
            turn.decided(item, content, self._decide(item, turn), owed)
        except ShareActorsError as error:
            item.refuse(error)

    def _decide(self, item: QueuedCommand, turn: Turn[S, F]) -> list[E]:
        try:
            self._work.check(item.command, turn.state)
            return self._aggregate.decide(item.command.stamped(turn.at), turn.state)
        except Rejected as rejection:
            if turn.state == self._aggregate.initial:
                raise self._not_found() from None
            said = f"{self._named}: {rejection}"
            if isinstance(rejection, Missing):
                raise NotFound(said, field=rejection.field, value=rejection.value) from None
            raise Refused(said, field="id", value=id_of(self.id)) from None

    @property
    def _named(self) -> str:
        return f"{self._aggregate.KIND.replace('_', ' ')} {id_of(self.id)}"

    def _not_found(self) -> NotFound:
        return NotFound(f"there is no {self._named}", field="id", value=id_of(self.id))

    def _begin(self, turn: Turn[S, F]) -> None:
        """Start the next attempt at what is owed, unless one is being made or it is not due yet."""
        if self._in_flight and turn.outcome is None:
            return
        if self._aggregate.under_way(turn.state):  # by an activation that is no more
            turn.report(self._work.cut_off(turn.state, turn.at), self._memory.last_asked)
        effect = self._aggregate.pending(turn.state)
        if effect is None or self._later(turn):
            return
        timeout_s = self._work.timeout_s(turn.state)
        begin = BeginAttempt(activation=self._activation, timeout_s=timeout_s)
        cause = self._memory.receipts.cause(effect.key())
        turn.begin(effect, begin, cause or turn.origin or self._memory.last_asked)

    def _later(self, turn: Turn[S, F]) -> bool:
        longest_s = self._work.longest_pause_s(turn.state)
        delay = self._pause.left(self._aggregate.not_before(turn.state), turn.at, longest_s)
        if delay > 0:
            self._pause.then(delay, self.wake)
        return delay > 0

    # -- the append, and after it ----------------------------------------------------------------
    def _appended(
        self,
        turn: Turn[S, F],
        batch: list[QueuedCommand | Outcome],
        recorded: tuple[Recorded, ...],
        durable: asyncio.Future[Sequence[int]],
    ) -> None:
        error = durable.exception()
        try:
            if error is None:
                self._adopt(turn, recorded)
                self._finish(turn)
            elif isinstance(error, Conflict):
                self._conflict(batch)
            elif isinstance(error, LogError):
                self._unrecorded(turn, error)
            else:
                raise error
        except Exception as bug:
            self._failed(bug, batch)

    def _adopt(self, turn: Turn[S, F], recorded: tuple[Recorded, ...]) -> None:
        self._memory.adopt(turn.state, recorded)
        self._fresh = False

    def _perform(self, turn: Turn[S, F]) -> None:
        if turn.began is None:
            return
        origin, _ = turn.entries[-1]
        self._in_flight = True

        def done(command: Command) -> None:
            self._inbox.appendleft(Outcome(command, origin))
            self.wake()

        context = turn.context(self._memory.version)
        self._work.start(turn.began, self._memory.state, context, done)

    # -- when the append fails -------------------------------------------------------------------
    def _conflict(self, batch: list[QueuedCommand | Outcome]) -> None:
        self._inbox.extendleft(reversed(batch))
        if self._fresh:  # it had a stream after all: read it, and decide again
            self._fresh = self._loaded = False
            self._rest()
            return
        self._drop(Moved(f"{self.id} is alive elsewhere", field="id", value=self.id))

    def _unrecorded(self, turn: Turn[S, F], error: LogError) -> None:
        """Nothing was recorded: say so to who asked; an outcome is kept, and appended again soon."""
        for item in (*turn.recorded, *(item for item, _ in turn.silent)):
            item.refuse(error)
        if turn.outcome is not None:
            asyncio.get_running_loop().call_later(RETRY_APPEND_S, self._again, turn.outcome)
        elif self.exists:
            self._pause.then(RETRY_APPEND_S, self.wake)
        self._rest()

    def _again(self, outcome: Outcome) -> None:
        self._inbox.appendleft(outcome)
        self.wake()

    def _drop(self, error: ShareActorsError) -> None:
        """This activation is over: everyone who waits is told, and the router asks elsewhere."""
        self.lost, self._busy = True, False
        for item in self._inbox:
            if isinstance(item, QueuedCommand):
                item.refuse(error)
        self._inbox.clear()
        self._promises.break_all(error)
