"""Routes: each command to the one living activation of its share, again when that died or moved."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from share_actors.actors.hosting import supervisor as supervisors
from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    refusal,
    unpack_error,
)
from share_actors.actors.ports import CatalogPort, Host, HostLost
from share_actors.config import BackendSettings, Config
from share_actors.errors import Moved, ShareActorsError, Unavailable
from share_actors.events.aggregates import calls_drivers, kind_of

BEGINNINGS = ("share.create", "share.manage", "server.attach_share")
T = TypeVar("T")


class Router:
    """Finds homes, sends commands there, and asks hosts about their shares."""

    def __init__(self, supervisor: Supervisor, catalog: CatalogPort, config: Config) -> None:
        self._supervisor, self._catalog = supervisor, catalog
        self.reconfigure(config)

    def reconfigure(self, config: Config) -> None:
        """Backends may ask for dedicated hosting, or for nodes, or not any more."""
        self._config = config
        self._any_particular = any(b.dedicated or b.node for b in config.backends.values())

    # -- commands --------------------------------------------------------------------------------
    async def answers(self, asks: list[CommandMessage]) -> list[CommandReply]:
        """The answer to each command, in order."""
        if not asks:
            return []
        sent = [self._send(asked) for asked in asks]
        await asyncio.wait(sent)
        again = {
            n: asyncio.create_task(self._again(asks[n], first))
            for n, first in enumerate(sent)
            if not _landed(first)
        }
        return [await again[n] if n in again else f.result() for n, f in enumerate(sent)]

    def _send(self, asked: CommandMessage) -> asyncio.Future[CommandReply]:
        """On its way at once if it is known where to; else it waits for a home, and holds up nobody."""
        home = self._supervisor.directory.home(asked.share_id)
        if home is not None:
            return self._supervisor.send(home, asked)
        return _untold(asyncio.ensure_future(self._find_and_send(asked)))

    async def _find_and_send(self, asked: CommandMessage) -> CommandReply:
        try:
            host = await self._find(asked)
        except ShareActorsError as error:
            return refusal(asked, error)
        return await self._supervisor.send(host, asked)

    async def _again(
        self, asked: CommandMessage, sent: asyncio.Future[CommandReply]
    ) -> CommandReply:
        """The host died or the share moved: the same command, by the same id, to where it lives now."""
        until = time.monotonic() + supervisors.PATIENCE_S
        pause = 0.01
        while not _landed(sent) and time.monotonic() < until:
            lost = sent.exception()
            if lost is not None and not isinstance(lost, HostLost):
                raise lost
            self._supervisor.forget_home(asked.share_id, lost)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)
            sent = self._send(asked._replace(repeated=True))
            await asyncio.wait([sent])
        if _landed(sent):
            return sent.result()
        return refusal(asked, Unavailable(f"share {asked.share_id} can't be reached", field="id"))

    # -- homes -----------------------------------------------------------------------------------
    async def home(self, share_id: str) -> str:
        """The name of the host that a share lives in; it is given a home if it has none."""
        return await self._find(CommandMessage(share_id, "", "", b"", b""))

    async def _find(self, asked: CommandMessage) -> str:
        known = self._supervisor.directory.home(asked.share_id)
        if known is not None:
            return known
        settings = await self._backend_of(asked) if self._any_particular else None
        if settings is None:
            return await self._supervisor.place(asked.share_id)
        dedicated = settings.dedicated and kind_of(asked.share_id) == "share"
        return await self._supervisor.place(asked.share_id, dedicated=dedicated, node=settings.node)

    async def _backend_of(self, asked: CommandMessage) -> BackendSettings | None:
        """Of a share or a share server; None for what has nothing to do with any."""
        address = asked.share_id
        if not calls_drivers(address):
            return None
        if asked.topic in BEGINNINGS:
            host = str(json.loads(asked.body).get("host", ""))
        elif kind_of(address) == "share":
            host = getattr(await self._catalog.ask("share", share_id=address), "host", "")
        else:
            host = getattr(await self._catalog.ask("entity", address=address), "host", "")
        return self._config.backends.get(host.partition("#")[0])

    # -- questions -------------------------------------------------------------------------------
    async def asked(self, share_id: str, ask: Callable[[Host], Awaitable[T]]) -> tuple[str, T]:
        """The host that a share lives in, and what it answers; asked again where the share lives then."""
        until = time.monotonic() + supervisors.PATIENCE_S
        while True:
            name = await self.home(share_id)
            try:
                return name, await ask(self._supervisor.hosts[name])
            except HostLost as lost:
                self._supervisor.forget_home(share_id, lost)
                if time.monotonic() > until:
                    raise Unavailable(f"share {share_id} can't be reached") from None
                await asyncio.sleep(0.05)

    async def outcomes(self, pairs: list[tuple[str, str]], timeout_s: float) -> list[CommandReply]:
        """Outcomes of those of *pairs* (share id, command id) that ended; see `ShareHost.wait`."""
        by_host: dict[str, list[tuple[str, str]]] = {}
        for share_id, command_id in pairs:
            by_host.setdefault(await self.home(share_id), []).append((share_id, command_id))
        calls = [
            _untold(asyncio.ensure_future(self._supervisor.hosts[host].wait(mine, timeout_s)))
            for host, mine in by_host.items()
        ]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        return [a for call in done for a in self._ended(call) if not _moved(a)]

    def _ended(self, call: asyncio.Future[list[CommandReply]]) -> list[CommandReply]:
        lost = call.exception()
        if isinstance(lost, HostLost):
            self._supervisor.lost(lost.host)
            return []
        return call.result()


def _untold(call: asyncio.Future[T]) -> asyncio.Future[T]:
    """*call*, whose failure nobody need be told of when nobody waits for it any more."""
    call.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return call


def _moved(answer: CommandReply) -> bool:
    if answer.status != "error" or answer.error is None:
        return False
    return isinstance(unpack_error(answer.error), Moved)


def _landed(sent: asyncio.Future[CommandReply]) -> bool:
    return sent.exception() is None and not _moved(sent.result())
