"""Calls to hosts that may be lost: none of them outlasts its host."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from share_actors.actors.messaging.batch import Answers, Rest, in_parts
from share_actors.actors.messaging.coalescer import Coalescer
from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.actors.ports import CallUnderWay, Host, HostLost

T = TypeVar("T")
logger = logging.getLogger(__name__)
STOP_S = 15.0
"""How long a host may take to stop, beyond the time that driver calls are given."""


class Losses:
    """The calls to hosts that are in flight: they end as soon as their host is known to be lost.

    Ray may take a minute to say that a host on a node which was cut off is lost; a call has no result until
    then. The supervisor notices earlier that the host does not answer.
    """

    def __init__(self) -> None:
        self._limits: dict[str, set[asyncio.Timeout]] = {}

    async def until_lost(self, name: str, call: Awaitable[T]) -> T:
        """The result of a *call* to host *name*; raises `HostLost` once `end` is called for it."""
        limits = self._limits.setdefault(name, set())
        try:
            async with asyncio.timeout(None) as limit:
                limits.add(limit)
                try:
                    return await call
                finally:
                    limits.discard(limit)
        except TimeoutError:
            if limit.expired():
                raise HostLost(name, "it does not answer") from None
            raise

    def end(self, name: str) -> None:
        """End the calls to host *name* that are in flight."""
        now = asyncio.get_running_loop().time()
        for limit in self._limits.pop(name, ()):
            limit.reschedule(now)


class _Batches:
    """Sends batches of commands to *host*, as long as that is not lost."""

    def __init__(self, name: str, host: Host, losses: Losses) -> None:
        self._host, self._until_lost = host, partial(losses.until_lost, name)

    async def begin(self, messages: list[CommandMessage], /) -> Answers:
        """See `Host.begin`."""
        return await self._until_lost(self._host.begin(messages))

    async def more(self, rest: Rest, /) -> Answers:
        """See `Host.more`."""
        return await self._until_lost(self._host.more(rest))


class Lanes:
    """The coalesced ways to hosts by name: commands that go on gathering while batches are in flight."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._lanes: dict[tuple[str, bool], Coalescer[CommandMessage, CommandReply]] = {}

    def open(self, name: str, host: Host) -> None:
        """Make the ways to *host*: two, so that no receipt waits for the outcomes of others."""
        batches = _Batches(name, host, self._losses)
        for wait in (True, False):
            self._lanes[name, wait] = Coalescer(partial(in_parts, batches), lanes=2)

    def close(self, name: str) -> None:
        """Send nothing more to host *name*."""
        for wait in (True, False):
            self._lanes.pop((name, wait), None)

    def send(
        self, name: str, message: CommandMessage, taken: Callable[[], None]
    ) -> asyncio.Future[CommandReply]:
        """Send *message* to host *name*; see `Supervisor.send`."""
        lane = self._lanes.get((name, message.wait))
        return _ended(name) if lane is None else lane.put(message, taken)


def _ended(name: str) -> asyncio.Future[CommandReply]:
    """The reply to a command for a host that has ended: it raises `HostLost`."""
    reply: asyncio.Future[CommandReply] = asyncio.get_running_loop().create_future()
    reply.set_exception(HostLost(name, "it has ended"))
    return reply


async def under_way(host: Host, limit_s: float) -> Sequence[CallUnderWay]:
    """The driver calls that are under way in *host*; none if it is lost, or silent for *limit_s*."""
    try:
        async with asyncio.timeout(limit_s):
            return await host.under_way()
    except (HostLost, TimeoutError):
        return ()


async def stop(host: Host, timeout_s: float | None, limit_s: float) -> Sequence[CallUnderWay]:
    """Stop *host*, unless it is lost or silent for *limit_s*; the driver calls that were cut off."""
    try:
        async with asyncio.timeout(limit_s):
            return await host.stop(timeout_s)
    except HostLost as lost:
        logger.warning("%s was lost before it was stopped", lost.host)
    except TimeoutError:
        logger.warning("a share actor did not stop within %g s", limit_s)
    return ()
