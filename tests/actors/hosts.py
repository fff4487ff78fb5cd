"""A host in this process, and the errors that it replies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from share_actors.actors.hosting.host import ShareHost
from share_actors.actors.hosting.timings import HostTimings
from share_actors.actors.messaging.messages import CommandReply, unpack_error
from share_actors.errors import ShareActorsError
from share_actors.events.log import OpenLog
from tests.actors.in_process import config, in_memory

PATIENT = HostTimings(grace_s=5.0, max_outcome_wait_s=5.0)
"""Replies wait for outcomes, however long they take on a slow machine."""
HASTY = HostTimings(grace_s=0.01, max_outcome_wait_s=0.01)
"""Replies wait for no outcome that takes any time."""


@asynccontextmanager
async def hosting(
    home: Path,
    open_log: OpenLog = in_memory,
    timings: HostTimings = PATIENT,
    **settings: Any,
) -> AsyncIterator[ShareHost]:
    host = ShareHost(config(home, **settings), open_log=open_log, timings=timings)
    try:
        yield host
    finally:
        await host.stop()


def error_in(reply: CommandReply) -> ShareActorsError:
    assert reply.error is not None
    return unpack_error(reply.error)
