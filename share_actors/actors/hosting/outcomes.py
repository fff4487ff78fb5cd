"""Waiting for the outcomes of several commands of one host, of which the first to end are returned."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack

from share_actors.actors.messaging.messages import CommandMessage, CommandReply, error_reply
from share_actors.errors import ShareActorsError

OutcomeOf = Callable[[str, str], Awaitable["asyncio.Future[CommandReply]"]]
"""The future outcome of a command, by the ids of its entity and of itself; raises if it is not recorded."""


async def first_outcomes(
    pairs: Sequence[tuple[str, str]], outcome_of: OutcomeOf, timeout_s: float, gather_s: float
) -> list[CommandReply]:
    """The outcomes of those of *pairs* that have ended, or that raise, once there is one.

    After *timeout_s* without any, an empty list. Others may follow the first one for *gather_s*.
    """
    futures: list[asyncio.Future[CommandReply]] = []
    with ExitStack() as unneeded:
        for pair in pairs:
            future = await _future(pair, outcome_of)
            unneeded.callback(future.cancel)
            futures.append(future)
        if not any(future.done() for future in futures):
            await asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(gather_s)
        return [future.result() for future in futures if future.done()]


async def _future(pair: tuple[str, str], outcome_of: OutcomeOf) -> asyncio.Future[CommandReply]:
    try:
        return await outcome_of(*pair)
    except ShareActorsError as error:
        failed: asyncio.Future[CommandReply] = asyncio.get_running_loop().create_future()
        failed.set_result(error_reply(CommandMessage(*pair, "", b"", b""), error))
        return failed
