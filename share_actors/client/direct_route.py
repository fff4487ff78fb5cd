"""The direct route: requests go to the host of a share, past the manager, once the client knows its home.

The manager's replies name homes. A home that proves wrong is forgotten, and the manager is asked instead: it
places shares, and notices the hosts that are lost. Nothing is trusted here: an activation confirms with the
log before it refuses anything or shows a state.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial

from share_actors.actors.messaging.batch import in_parts
from share_actors.actors.messaging.coalescer import Coalescer, Part, at_once
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    doubtful_reply,
    in_passing,
)
from share_actors.actors.messaging.routes import Homes, has_moved, may_go_direct
from share_actors.client.connection import Connection
from share_actors.errors import Busy, Moved, ShareActorsError, Unavailable
from share_actors.values import RequestContext, Share

Put = Callable[[CommandMessage], "asyncio.Future[CommandReply]"]
Outcomes = Coalescer[tuple[str, str], CommandReply | None]
LANES = 2
"""How many batches are on their way to one host before others gather."""
OUTCOME_LANES, OUTCOME_BATCH = 64, 256
"""How many calls for outcomes are on their way to one host, and for how many outcomes each."""
POLL_S = 10.0
"""How long one call waits for outcomes."""
SILENCE_S = 8.0
"""How much later than it should a host may reply before the manager is asked, who may replace it."""


class DirectRoute:
    """Commands of the user of *context* to the hosts whose shares this client knows.

    *by_manager* sends one the other way.
    """

    def __init__(self, connection: Connection, by_manager: Put, context: RequestContext) -> None:
        self._connection, self._by_manager, self._context = connection, by_manager, context
        self._homes = Homes()
        self._lanes: dict[tuple[str, bool], Coalescer[CommandMessage, CommandReply]] = {}
        self._outcomes: dict[str, Outcomes] = {}

    def learn(self, replies: Iterable[CommandReply]) -> None:
        """Remember the homes that the manager's *replies* name."""
        self._homes.learn(replies)

    # -- commands --------------------------------------------------------------------------------
    def put(self, message: CommandMessage) -> asyncio.Future[CommandReply]:
        """Send a command to the host of its share if that is known, else to the manager."""
        home = self._homes.get(message.share_id)
        if home is None or not may_go_direct(message):
            return self._by_manager(message)
        reply: asyncio.Future[CommandReply] = asyncio.get_running_loop().create_future()
        sent = self._lane(home, message.wait).put(message)
        sent.add_done_callback(partial(self._sent, message, reply))
        return reply

    def _lane(self, home: str, wait: bool) -> Coalescer[CommandMessage, CommandReply]:
        lane = self._lanes.get((home, wait))
        if lane is None:
            send = partial(self._send, home)
            lane = self._lanes[home, wait] = Coalescer(send, lanes=LANES)
        return lane

    async def _send(
        self, home: str, messages: list[CommandMessage]
    ) -> AsyncIterator[Part[CommandReply]]:
        host = await self._connection.host(home)
        async for part in in_parts(host, messages, SILENCE_S):
            yield part

    def _sent(
        self,
        message: CommandMessage,
        reply: asyncio.Future[CommandReply],
        sent: asyncio.Future[CommandReply],
    ) -> None:
        if reply.done():  # its caller has left
            return
        if sent.exception() is None and not has_moved(sent.result()):
            reply.set_result(sent.result())
            return
        self._homes.forget(message.share_id)
        again = self._by_manager(message._replace(repeated=True))
        again.add_done_callback(partial(_answer_again, message, reply))

    # -- questions -------------------------------------------------------------------------------
    def outcomes_of(self, share_id: str) -> Outcomes | None:
        """Where to wait for outcomes of a share's commands; None if its home is unknown.

        A call has the result None if the command has not ended, and if the home proved wrong.
        """
        home = self._homes.get(share_id)
        if home is not None and home not in self._outcomes:
            wait = at_once(partial(self._wait_at, home))
            self._outcomes[home] = Coalescer(wait, max_batch=OUTCOME_BATCH, lanes=OUTCOME_LANES)
        return None if home is None else self._outcomes[home]

    async def _wait_at(
        self, home: str, requests: list[tuple[str, str]]
    ) -> list[CommandReply | None]:
        ended: dict[tuple[str, str], CommandReply] = {}
        try:
            async with asyncio.timeout(POLL_S + SILENCE_S):
                host = await self._connection.host(home)
                for reply in await host.wait_here(requests, POLL_S, self._context):
                    ended[reply.share_id, reply.command_id] = reply
        except (Unavailable, TimeoutError):
            wrong = [share_id for share_id, _ in requests]
        else:
            wrong = [share_id for (share_id, _), reply in ended.items() if has_moved(reply)]
        for share_id in wrong:
            self._homes.forget(share_id)
        known = {request: reply for request, reply in ended.items() if request[0] not in wrong}
        return [known.get(request) for request in requests]

    async def view(self, share_id: str, context: RequestContext) -> Share | None:
        """A share from its host; None if its home is unknown or proved wrong. Raises `NotFound`."""
        home = self._homes.get(share_id)
        if home is None:
            return None
        try:
            async with asyncio.timeout(SILENCE_S):
                host = await self._connection.host(home)
                return await host.view_here(share_id, context)
        except (Busy, Moved, Unavailable, TimeoutError):
            self._homes.forget(share_id)
            return None


def _answer_again(
    message: CommandMessage,
    reply: asyncio.Future[CommandReply],
    again: asyncio.Future[CommandReply],
) -> None:
    """Answer with the manager's reply to a command that a host may have recorded before."""
    error = again.exception()
    if reply.done():
        return
    if error is None:
        reply.set_result(doubtful_reply(message, again.result()))
    else:
        reply.set_exception(_in_doubt(error))


def _in_doubt(error: BaseException) -> BaseException:
    """*error* of the manager, as one after which the command is sent again: a host may have recorded it."""
    return in_passing(error) if isinstance(error, ShareActorsError) else error
