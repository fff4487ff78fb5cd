"""The imperative shell of an aggregate, written once: decide, append, evolve, perform. No Ray in this module.

An entity works in turns. A turn takes every waiting command and outcome, decides each on the state that
the ones before it lead to, and appends all their events, with the start of the next attempt, in one
transaction. No reply is given and no driver is called before that is durable. A turn without events
compares its version with the log's before it replies: two activations of an entity may exist for a while,
and only the one whose state is current may refuse a command, show a view, or say what became of a request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Generic

from share_actors.actors.entity.attempts import Attempts
from share_actors.actors.entity.commands import CommandDecisions
from share_actors.actors.entity.mailbox import Item, Mailbox
from share_actors.actors.entity.replies import PendingReplies
from share_actors.actors.entity.stream import EntityStream
from share_actors.actors.entity.turn import (
    Aggregate,
    E,
    F,
    Outcome,
    QueuedCommand,
    Reading,
    S,
    Turn,
    Work,
)
from share_actors.actors.entity.turns import Turns
from share_actors.actors.messaging.messages import CommandReply
from share_actors.errors import LogError, Moved, NotFound, ShareActorsError
from share_actors.events.aggregates import stream_of
from share_actors.events.log import Conflict, Log
from share_actors.observability.counts import Counts
from share_actors.policy import Caller
from share_actors.values import Frozen, utc_now

logger = logging.getLogger(__name__)
RETRY_APPEND_S = 0.5
"""How soon an outcome that could not be recorded (a full disk, a lost database) is appended again."""


class Entity(Generic[E, S, F]):
    """One activation of an aggregate; its state is what its stream leads to.

    A *fresh* entity is assumed to have no stream, which saves reading it; a conflict corrects that.
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
        turns: Turns | None = None,
        counts: Counts | None = None,
    ) -> None:
        self.id, self._aggregate, self._clock = entity_id, aggregate, clock
        self._activation, self._turns = activation, turns or Turns()
        self._stream: EntityStream[E, S, F]
        self._stream = stream = EntityStream(stream_of(entity_id), aggregate, log, snapshot_every)
        self._replies = PendingReplies(entity_id, aggregate, stream, counts)
        self._commands = CommandDecisions(entity_id, aggregate, work, stream, self._replies)
        self._attempts = Attempts(
            aggregate, work, stream, activation, put_outcome=self._put_outcome, wake=self.wake
        )
        self._fresh = self._loaded = fresh
        self._loading = asyncio.Lock()
        self._inbox = Mailbox(entity_id, mailbox)
        self._woken = self._busy = False
        self._task: asyncio.Task[None] | None = None
        """What the turn waits for: a read of the stream, or of its version."""
        self.lost, self.last_used = False, 0.0

    # -- from outside ----------------------------------------------------------------------------
    @property
    def idle(self) -> bool:
        """Whether nothing waits or is in progress, nor any effect is pending unless it ended or is held."""
        busy = self._inbox or self._replies or self._busy or self._attempts.in_flight
        if busy or self.lost or not self._loaded:
            return not busy and self.lost
        return self._attempts.held or self._aggregate.pending(self._stream.state) is None

    @property
    def at_work(self) -> bool:
        """Whether a command waits, a turn is in progress, or a driver call is under way."""
        return not self.lost and bool(self._inbox or self._busy or self._attempts.in_flight)

    @property
    def under_way(self) -> tuple[str, float] | None:
        """The effect whose driver call is under way, and for how many seconds; None if there is none."""
        return None if self.lost else self._attempts.under_way

    @property
    def version(self) -> int:
        """The number of events that its state is made of."""
        return self._stream.version

    @property
    def exists(self) -> bool:
        """Whether its stream has any events."""
        return self.version > 0

    def put(self, queued: QueuedCommand) -> None:
        """Accept a command into the mailbox; its futures resolve later. A full mailbox refuses it: `Busy`."""
        if self._inbox.accept(queued):
            self.wake()

    def wake(self) -> None:
        """Take a turn soon: for what waits in the mailbox, and for what is pending."""
        self._woken = True
        if not self._busy and not self.lost:
            self._busy = True
            self._turns.add(self._turn)

    async def activate(self) -> None:
        """Load the stream and continue pending work; raises `LogError` if the stream can't be read."""
        await self._load()
        self.wake()

    async def outcome_of(
        self, command_id: str, caller: Caller | None = None
    ) -> asyncio.Future[CommandReply]:
        """The future outcome of a recorded command; see `EntityStream.receipt_for`.

        A caller that waits no more cancels it. Raises `NotFound` if there is no such command, and `Moved` if
        this activation is not the last.
        """
        await self._load()
        receipt = await self._stream.receipt_for(caller, command_id)
        if receipt is None or receipt.status != "accepted":
            await self._confirm_current()
            receipt = await self._stream.receipt_for(caller, command_id)
        if receipt is None:
            raise NotFound(
                f"{self.id} has no command {command_id}", field="command_id", value=command_id
            )
        outcome = self._replies.outcome_of(receipt, caller)
        self.wake()
        return outcome

    async def view(self) -> Frozen:
        """The state as clients see it.

        Raises `NotFound` if the entity does not exist, and `Moved` if this activation is not the last.
        """
        await self._load()
        await self._confirm_current()
        if not self.exists:
            raise self._commands.not_found()
        return self._aggregate.view(self._stream.state)

    async def _confirm_current(self) -> None:
        """Return once the log has confirmed that the state is current; raises `Moved` if it is not."""
        if self.lost:
            raise self._moved()
        confirmed = self._inbox.add_reading()
        self.wake()
        await confirmed

    def drop(self) -> None:
        """End this activation: the entity is active elsewhere. One at work compares itself with the log."""
        if self.idle or (self._attempts.held and not self.at_work):
            self._end(self._moved())
        elif not self.lost:
            self._inbox.add_comparison()
            self.wake()

    def hold(self) -> None:
        """Begin no further attempts: what is pending goes on with the next activation."""
        self._attempts.held = True

    def cut_off(self) -> None:
        """Record that a planned stop ends the driver call that is under way."""
        self._attempts.cut_off(self._clock())

    def passivate(self) -> None:
        """Save a state snapshot, off the command path; the caller forgets the entity."""
        self._attempts.cancel_wake()
        self._stream.save_if_due(passivating=True)

    # -- the loop --------------------------------------------------------------------------------
    async def _load(self) -> None:
        """Read the stream; an error ends this activation, and the next one reads it again."""
        async with self._loading:
            if self._loaded:
                return
            try:
                await self._stream.load()
            except ShareActorsError as error:
                self._end(error)
                raise
            self._loaded = True

    async def _prepare(self) -> None:
        """Read what the turn needs from the log before it can decide, then take the turn."""
        try:
            await self._load()
            for queued in self._commands.to_look_up(self._inbox):
                await self._commands.look_up(queued.key)
            for queued, preparation in self._commands.to_prepare(self._inbox):
                await preparation
                queued.prepared = True
        except ShareActorsError as error:  # the stream can't be read: this entity decides nothing
            self._end(error)
        except Exception as error:
            self._fail(error)
        else:
            self._turn()

    def _turn(self) -> None:
        """Decide all that waits, without a pause in which anything could change, and append it."""
        try:
            must_wait = not self._loaded or self._commands.to_look_up(self._inbox)
            if must_wait or self._commands.to_prepare(self._inbox):
                self._task = asyncio.get_running_loop().create_task(self._prepare())
                return
        except Exception as error:  # no set-up can be started: the callers must get a reply
            self._fail(error)
            return
        self._woken = False
        batch = self._inbox.take()
        try:
            turn = self._decide(batch)
            if turn.entries:
                self._append(turn, batch)
            elif turn.statements:
                self._task = asyncio.get_running_loop().create_task(self._confirm(turn, batch))
            else:
                self._finish(turn)
        except Exception as error:  # whatever it is, every caller must get a reply
            self._fail(error, batch)

    async def _confirm(self, turn: Turn[S, F], batch: list[Item]) -> None:
        """Reply if the log has no event of another activation."""
        try:
            current = await self._stream.is_current()
        except LogError as error:
            self._not_recorded(turn, error)
        except Exception as error:
            self._fail(error, batch)
        else:
            if current:
                self._finish(turn)
            else:
                self._conflict(batch)

    def _decide(self, batch: list[Item]) -> Turn[S, F]:
        turn: Turn[S, F] = Turn(
            self._aggregate, self._stream.state, self._clock(), self._activation
        )
        for item in batch:
            if isinstance(item, Outcome):
                self._attempts.conclude(item, turn)
            elif isinstance(item, Reading):
                turn.readings.append(item)
            elif not self._commands.decide(item, turn):
                self._inbox.append(item)
        self._attempts.begin(turn)
        return turn

    def _append(self, turn: Turn[S, F], batch: list[Item]) -> None:
        try:
            settled = turn.traced(partial(self._appended, turn, batch))
            turn.events = self._stream.append(turn.entries, settled)
        except LogError as error:
            self._not_recorded(turn, error)

    def _appended(
        self, turn: Turn[S, F], batch: list[Item], outcome: Sequence[int] | Exception
    ) -> None:
        try:
            if isinstance(outcome, Conflict):
                self._conflict(batch)
            elif isinstance(outcome, LogError):
                self._not_recorded(turn, outcome)
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                self._stream.advance(turn.state, turn.events)
                self._fresh = False
                self._finish(turn)
        except Exception as bug:
            self._fail(bug, batch)

    def _finish(self, turn: Turn[S, F]) -> None:
        """Reply and perform: all of *turn* is durable."""
        self._replies.settle(turn)
        self._attempts.perform(turn)
        self._take_next_turn()

    def _take_next_turn(self) -> None:
        """Schedule the next turn if a command, an outcome or a wake-up arrived during this one."""
        self._busy = not self.lost and bool(self._woken or self._inbox)
        if self._busy:
            self._turns.add(self._turn)

    def _put_outcome(self, outcome: Outcome) -> None:
        """Put the outcome of the attempt in flight before every command that waits."""
        self._inbox.appendleft(outcome)
        self.wake()

    # -- when the append fails -------------------------------------------------------------------
    def _conflict(self, batch: list[Item]) -> None:
        self._inbox.put_back(batch)
        if self._fresh:  # it had a stream after all: read it, and decide again
            self._fresh = self._loaded = False
            self._take_next_turn()
            return
        self._end(self._moved())

    def _moved(self) -> Moved:
        return Moved(f"{self.id} is active elsewhere", field="id", value=self.id)

    def _not_recorded(self, turn: Turn[S, F], error: LogError) -> None:
        """Refuse the commands of *turn*; its outcome is kept, and appended again soon."""
        for item in (*turn.recorded, *turn.statements):
            item.refuse(error)
        if turn.outcome is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(RETRY_APPEND_S, self._put_outcome, turn.outcome)
        elif self.exists:
            self._attempts.wake_after(RETRY_APPEND_S)
        self._take_next_turn()

    def _fail(self, error: Exception, batch: Sequence[Item] = ()) -> None:
        """End this activation because of a bug; the next one starts from the log."""
        logger.error("%s: the shell failed", self.id, exc_info=error)
        self._inbox.extend(batch)
        self._end(ShareActorsError(f"{self.id}: internal error: {error!r}"))

    def _end(self, error: ShareActorsError) -> None:
        """End this activation: every caller gets *error*; the router sends their commands elsewhere."""
        self.lost, self._busy = True, False
        self._inbox.refuse_all(error)
        self._replies.fail_all(error)
