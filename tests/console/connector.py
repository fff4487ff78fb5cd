"""A process for a console whose system is a few answers: `python -m tests.console.connector FD`."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any, cast

from share_actors.cli.console.answers import Answers
from share_actors.cli.console.frames import frame, read_frame
from share_actors.cli.console.source import About
from share_actors.errors import NotFound, Unavailable
from share_actors.values import Page, RequestContext, Share

if TYPE_CHECKING:
    from share_actors.cli.console.source import Source
    from share_actors.events.envelope import Recorded


class FewAnswers:
    """Tells its process, ends it, and never lists snapshots; *given_up* counts cancelled questions."""

    def __init__(self) -> None:
        self.given_up = 0

    async def about(self) -> About:
        return About(str(os.getpid()), RequestContext(user_id=str(self.given_up)))

    async def shares(self, _: object) -> Page[Share]:
        return Page((Share(id="s" * 300_000),), None)

    async def share(self, name: str) -> Share:
        raise NotFound(f"there is no share {name}", field="share", value=name)

    async def snapshots(self, _: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up += 1

    async def reports(self) -> Any:
        return lambda: None  # cannot be sent

    async def backends(self) -> None:
        os._exit(1)

    async def events(self, since: int) -> AsyncGenerator[Sequence[Recorded], None]:
        try:
            while True:
                yield ()
                await asyncio.sleep(0.001)
        finally:
            self.given_up += 1


async def main(connection: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=connection)
    options = await read_frame(reader)
    if options.namespace is not None:
        writer.write(frame(("problem", Unavailable(f"no system in {options.namespace}"))))
        await reader.read()
        return
    writer.write(frame(("ready",)))
    await Answers(cast("Source", FewAnswers()), reader, writer).serve()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(main(socket.socket(fileno=int(sys.argv[1]))))
