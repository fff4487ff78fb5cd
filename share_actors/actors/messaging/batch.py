"""Batches of commands whose replies are handed out in parts: each reply as it comes.

A caller sends a batch with `begin`, which returns the first part, and asks for the others with `more`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple, Protocol
from uuid import uuid4

from share_actors.actors.messaging.coalescer import Part
from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.errors import Unavailable
from share_actors.wire import sent_as_report

GATHER_S, MOST_GATHER_S = 0.005, 0.05
"""A part that has replies waits for further ones: at least and at most so long."""
QUIET_S = 0.05
"""How long a batch whose commands are all taken waits for a reply before it says so."""
FIRST_POLL_S, POLL_S = 2.0, 10.0
"""How long `begin`, and one call of `more`, wait for a reply."""
ABANDONED_S = 60.0
"""After this time without a call of `more` the rest of a batch is forgotten."""


@sent_as_report
class Rest(NamedTuple):
    """What is left of a batch: its id, and how many parts of it were handed out."""

    batch_id: str
    part: int


@sent_as_report
class Answers(NamedTuple):
    """One part of the replies to a batch, by the position of the command in the batch.

    *taken*: every command is recorded, refused or sent on, so that there is room for another batch. *rest* is
    the argument of the next call of `more`; None if every command has had its reply.
    """

    replies: dict[int, CommandReply]
    taken: bool
    rest: Rest | None


class Batch:
    """The replies to a batch of *size* commands, which come at any time and in any order."""

    def __init__(self, size: int, gather_s: float = GATHER_S) -> None:
        self._replies: list[CommandReply | None] = [None] * size
        self._new: dict[int, CommandReply] = {}
        """The replies that were not handed out yet."""
        self._untaken, self._open = set(range(size)), size
        self._handed_out, self._said_taken, self._parts = 0, False, 0
        self._last = Answers({}, False, None)
        self._since = time.monotonic()
        """When the batch began, or its last part was handed out."""
        self._gather_s = gather_s
        self._changed = asyncio.Event()

    # -- by those who process the commands --------------------------------------------------------
    def take(self, n: int) -> None:
        """Note that command *n* is recorded or sent on: no other command needs to wait for it."""
        self._untaken.discard(n)
        if not self._untaken:
            self._changed.set()

    def answer(self, n: int, reply: CommandReply) -> None:
        """Reply to command *n*; only its first reply counts."""
        if self._replies[n] is None:
            self._replies[n] = self._new[n] = reply
            self._open -= 1
            self._untaken.discard(n)
            self._changed.set()

    def is_answered(self, n: int) -> bool:
        """Whether command *n* has its reply."""
        return self._replies[n] is not None

    @property
    def unanswered(self) -> list[int]:
        """The positions of the commands that have no reply."""
        return [n for n, reply in enumerate(self._replies) if reply is None]

    # -- by those who wait --------------------------------------------------------------------------
    async def until_taken(self) -> None:
        """Return once every command is taken."""
        await self._until(lambda: not self._untaken)

    async def until_answered(self, timeout_s: float | None = None) -> int:
        """The number of commands without a reply: 0 once each has one, or more after *timeout_s*."""
        await self._until(lambda: not self._open, timeout_s)
        return self._open

    async def replies(self) -> list[CommandReply]:
        """All replies, in the order of the commands."""
        await self.until_answered()
        return [reply for reply in self._replies if reply is not None]

    async def part(self, batch_id: str, number: int) -> Answers:
        """The next replies once there are any; without any, that every command is taken.

        The part with the last *number* is the same if it is asked for again: its reply may have been lost.
        """
        poll_s = POLL_S if number else FIRST_POLL_S
        await self._until(lambda: self._has_replies(number) or self._is_untold(), poll_s)
        await self._until(lambda: self._has_replies(number), QUIET_S if self._is_untold() else 0.0)
        await self._until(lambda: self._parts != number or not self._open, self._gathering_s())
        if self._parts == number:
            self._hand_out(batch_id)
        return self._last

    def _has_replies(self, number: int) -> bool:
        return bool(self._new) or not self._open or self._parts != number

    def _is_untold(self) -> bool:
        """Whether every command is taken, and no part has said so."""
        return not self._untaken and not self._said_taken

    def _gathering_s(self) -> float:
        """How long to wait for further replies: half of the time that the first ones took."""
        if not self._new:
            return 0.0
        took_s = time.monotonic() - self._since
        return min(max(self._gather_s, took_s / 2), MOST_GATHER_S)

    def _hand_out(self, batch_id: str) -> None:
        new, self._new = self._new, {}
        self._handed_out += len(new)
        self._parts += 1
        self._said_taken, self._since = not self._untaken, time.monotonic()
        rest = None if self._handed_out == len(self._replies) else Rest(batch_id, self._parts)
        self._last = Answers(new, self._said_taken, rest)

    async def _until(self, condition: Callable[[], bool], timeout_s: float | None = None) -> None:
        if condition():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()


class OpenBatches:
    """The batches of one actor that have not been handed out completely."""

    def __init__(self) -> None:
        self._batches: dict[str, tuple[float, Batch]] = {}
        self._actor, self._number = uuid4().hex, 0

    async def begin(self, batch: Batch) -> Answers:
        """The first part of the replies to *batch*."""
        self._forget_abandoned()
        self._number += 1
        return await self._part(f"{self._actor}-{self._number}", batch, 0)

    async def more(self, rest: Rest) -> Answers:
        """The next part; raises `Unavailable` if the batch is unknown, as after a restart of the actor."""
        known = self._batches.get(rest.batch_id)
        if known is None:
            text = "the replies are lost: the actor was restarted, or nobody asked for them"
            raise Unavailable(text, passing=True)
        return await self._part(rest.batch_id, known[1], rest.part)

    async def _part(self, batch_id: str, batch: Batch, number: int) -> Answers:
        answers = await batch.part(batch_id, number)
        self._batches.pop(batch_id, None)
        if answers.rest is not None:
            self._batches[batch_id] = time.monotonic(), batch
        return answers

    def _forget_abandoned(self) -> None:
        """Forget the batches whose callers have not asked for long; the longest unasked are first."""
        asked_after = time.monotonic() - ABANDONED_S
        while self._batches:
            batch_id, (asked, _) = next(iter(self._batches.items()))
            if asked > asked_after:
                return
            del self._batches[batch_id]


class TakesBatches(Protocol):
    """A host or a manager, wherever it runs."""

    async def begin(self, messages: list[CommandMessage], /) -> Answers:
        """Have each command recorded; the replies that come first."""

    async def more(self, rest: Rest, /) -> Answers:
        """The next replies to the commands of a batch."""


async def in_parts(
    target: TakesBatches, messages: list[CommandMessage], silence_s: float | None = None
) -> AsyncIterator[Part[CommandReply]]:
    """Send *messages* to *target*, and yield the replies as they come.

    Raises `Unavailable` if a call has no answer *silence_s* after it should have had one: the connection to
    *target* may be cut, which nobody reports for long.
    """
    answers = await _heard(target.begin(messages), FIRST_POLL_S, silence_s)
    yield Part(answers.replies, answers.taken)
    while answers.rest is not None:
        answers = await _heard(target.more(answers.rest), POLL_S, silence_s)
        yield Part(answers.replies, answers.taken)


async def _heard(call: Awaitable[Answers], poll_s: float, silence_s: float | None) -> Answers:
    try:
        async with asyncio.timeout(None if silence_s is None else poll_s + silence_s):
            return await call
    except TimeoutError:
        text = f"an actor has not replied for {poll_s + (silence_s or 0.0):g} s"
        raise Unavailable(text, passing=True) from None
