"""The process of a console that is connected to the system, and ends with it: `python -m ... FD`.

Ray may end a process whose cluster is lost, and a process that has left a cluster cannot be sure to join
another one. So the pages are served by a process without Ray, which starts this one again.
"""

# ruff: noqa: PLC0415 - Ray is imported once there is a system to join
from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import NoReturn

from share_actors.actors.runtime.system_state import SystemState, check_reachable
from share_actors.cli.console.answers import Answers
from share_actors.cli.console.frames import frame, read_frame
from share_actors.cli.console.system_source import SystemSource
from share_actors.cli.foreground import hang_noticed
from share_actors.cli.session import Options, Session
from share_actors.client.system import AsyncShareSystem
from share_actors.errors import Forbidden, ShareActorsError, Unavailable

LOOK_EVERY_S = 1.0
"""How often it looks for a system, and whether the one that it joined is still the same."""
ASK_EVERY_S, ANSWER_WITHIN_S, SILENT_S = 5.0, 5.0, 15.0
"""How often it asks the manager for a sign of life, for how long, and after what silence it gives up."""


async def _run(connection: socket.socket) -> NoReturn:
    reader, writer = await asyncio.open_connection(sock=connection)
    options: Options = await read_frame(reader)
    gone = asyncio.create_task(_end_with(reader))
    try:
        system, state, session = await _connected(options, writer)
    except Exception as error:  # end: a process that has joined one cluster cannot join another
        await _tell(writer, _known(error))
        _end()
    gone.cancel()
    with suppress(asyncio.CancelledError):
        await gone
    watching = asyncio.create_task(_watch(session, system, state))
    writer.write(frame(("ready",)))
    answering = asyncio.create_task(Answers(SystemSource(system), reader, writer).serve())
    await asyncio.wait((watching, answering), return_when=asyncio.FIRST_COMPLETED)
    _end()


async def _end_with(reader: asyncio.StreamReader) -> None:
    """End this process when the console is gone; it sends nothing before it is told `ready`."""
    await reader.read(1)
    _end()


async def _connected(
    options: Options, writer: asyncio.StreamWriter
) -> tuple[AsyncShareSystem, SystemState, Session]:
    """Join the system as soon as it runs; tell the console meanwhile why it does not."""
    told = None
    while True:
        session = Session(options)
        try:
            state = await asyncio.to_thread(session.running_system)
            await asyncio.to_thread(session.prepare_connection, state)
            break
        except ShareActorsError as error:
            if (text := str(error)) != told:
                told = text
                await _tell(writer, error)
        await asyncio.sleep(LOOK_EVERY_S)
    return await _join(session, state), state, session


async def _join(session: Session, state: SystemState) -> AsyncShareSystem:
    from share_actors.client import aio

    assert state.address is not None
    with hang_noticed(state, _end):
        return await aio.connect(state.address, namespace=state.namespace, context=session.context)


def _known(error: Exception) -> ShareActorsError:
    if isinstance(error, ShareActorsError):
        return error
    return Unavailable(f"unexpected {type(error).__name__}: {error}")


async def _tell(writer: asyncio.StreamWriter, problem: ShareActorsError) -> None:
    writer.write(frame(("problem", problem)))
    await writer.drain()


async def _watch(session: Session, system: AsyncShareSystem, joined: SystemState) -> None:
    """Return when the system that was joined is gone, or when another one runs in its place."""
    loop = asyncio.get_running_loop()
    heard = asked = loop.time()
    while await asyncio.to_thread(_is_there, session, joined) and loop.time() < heard + SILENT_S:
        if loop.time() >= asked + ASK_EVERY_S:
            asked = loop.time()
            if await _answers(system):
                heard = loop.time()
        await asyncio.sleep(LOOK_EVERY_S)


def _is_there(session: Session, joined: SystemState) -> bool:
    try:
        now = session.running_system()
        assert joined.address is not None
        check_reachable(joined.address)
    except Unavailable:
        return False
    return now.has_head_of(joined)


async def _answers(system: AsyncShareSystem) -> bool:
    """Whether the manager answers within a while."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return "error" not in (await system.status())["manager"]
    except Forbidden:  # the policy answers for it, without the manager
        return True
    except (TimeoutError, ShareActorsError):
        return False


def _end() -> NoReturn:
    """End at once: Ray's own clean-up at exit would wait for a cluster that may be gone."""
    os._exit(0)


def main() -> NoReturn:
    """Serve the socket whose file descriptor is the only argument, until either side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the console, which ends this process
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        asyncio.run(_run(connection))


if __name__ == "__main__":
    main()
