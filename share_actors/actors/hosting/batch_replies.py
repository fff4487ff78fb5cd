"""The replies to one command of a batch: its receipt, then its outcome, if that is wanted."""

from __future__ import annotations

import time

from share_actors.actors.hosting.timings import HostTimings
from share_actors.actors.messaging.batch import Batch
from share_actors.actors.messaging.messages import CommandReply


class Receipt:
    """The receipt of command *n* of *batch*; *wait*: the sender wants the outcome instead."""

    __slots__ = ("_batch", "_n", "_reply", "outcome")

    def __init__(self, batch: Batch, n: int, wait: bool) -> None:
        self._batch, self._n = batch, n
        self._reply: CommandReply | None = None
        self.outcome = Outcome(batch, n) if wait else None

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
        if self.outcome is None or reply.status == "error":
            self._batch.answer(self._n, reply)
        else:
            self._batch.take(self._n)


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
