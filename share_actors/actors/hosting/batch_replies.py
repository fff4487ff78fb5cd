"""The replies to one command of a batch: its receipt, then its outcome, if that is wanted."""

from __future__ import annotations

import time

from share_actors.actors.hosting.timings import HostTimings
from share_actors.actors.messaging.batch import Batch
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    kind_of_command,
    unpack_error,
)
from share_actors.actors.messaging.traces import error_in, span_of
from share_actors.observability.counts import Timers
from share_actors.observability.tracing import Tracing


class Receipt:
    """The receipt of *message*, command *n* of *batch*; if it waits, its outcome is the answer instead."""

    __slots__ = ("_batch", "_began", "_n", "_reply", "_timers", "_topic", "outcome", "span")

    def __init__(
        self,
        batch: Batch,
        n: int,
        message: CommandMessage,
        timers: Timers,
        tracing: Tracing | None = None,
    ) -> None:
        self._batch, self._n, self._topic = batch, n, message.topic
        self._began, self._timers = time.perf_counter(), timers
        self._reply: CommandReply | None = None
        self.outcome = Outcome(batch, n) if message.wait else None
        self.span = None if tracing is None else span_of(tracing, "record", message)
        """The time until it is recorded or refused, if that is traced."""

    @property
    def reply(self) -> CommandReply:
        """The reply, once it has one."""
        assert self._reply is not None
        return self._reply

    def done(self) -> bool:
        """Whether it has its reply."""
        return self._reply is not None

    def set_result(self, reply: CommandReply) -> None:
        """Answer a command that has no outcome, or that nothing was recorded of; note the others as taken."""
        self._reply = reply
        self._count(reply)
        if self.outcome is None or reply.status == "error":
            self._batch.answer(self._n, reply)
        else:
            self._batch.take(self._n)

    def _count(self, reply: CommandReply) -> None:
        kind: str = self._topic  # that of a recorded command is known
        outcome: str = reply.status
        if reply.error is not None:
            kind, outcome = kind_of_command(self._topic), unpack_error(reply.error).code
        self._timers[kind, outcome].add(time.perf_counter() - self._began)
        if self.span is not None:
            self.span.end(error_in(reply))


class Outcome:
    """The outcome of command *n* of *batch*."""

    __slots__ = ("_batch", "_n")

    def __init__(self, batch: Batch, n: int) -> None:
        self._batch, self._n = batch, n

    def done(self) -> bool:
        """Whether the command has its reply, which is *accepted* if its outcome took long."""
        return self._batch.is_answered(self._n)

    def set_result(self, reply: CommandReply) -> None:
        """Answer the command, unless its batch was answered without the outcome."""
        self._batch.answer(self._n, reply)


async def wait_while_ending(batch: Batch, timings: HostTimings) -> None:
    """Wait for outcomes as long as another one comes within every grace period, up to a limit."""
    deadline, before = time.monotonic() + timings.max_outcome_wait_s, -1
    waiting = await batch.until_answered(0)
    while waiting and waiting != before and time.monotonic() < deadline:
        before, waiting = waiting, await batch.until_answered(timings.grace_s)
