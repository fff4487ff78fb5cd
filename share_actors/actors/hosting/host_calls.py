"""Calls to hosts that may be lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from share_actors.actors.messaging.messages import CommandReply
from share_actors.actors.ports import CallUnderWay, Host, HostLost

logger = logging.getLogger(__name__)


def ended(name: str) -> asyncio.Future[CommandReply]:
    """The reply to a command for a host that has ended: it raises `HostLost`."""
    reply: asyncio.Future[CommandReply] = asyncio.get_running_loop().create_future()
    reply.set_exception(HostLost(name, "it has ended"))
    return reply


async def under_way(host: Host) -> Sequence[CallUnderWay]:
    """The driver calls that are under way in *host*; none if it is lost."""
    try:
        return await host.under_way()
    except HostLost:
        return ()


async def stop(host: Host, timeout_s: float | None) -> Sequence[CallUnderWay]:
    """Stop *host*, unless it is lost; the driver calls that were cut off."""
    try:
        return await host.stop(timeout_s)
    except HostLost as lost:
        logger.warning("%s was lost before it was stopped", lost.host)
        return ()
