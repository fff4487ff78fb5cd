"""The router: sends each command to the only activation of its entity, and again if that died or moved."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from share_actors.actors.hosting.nodes import unreachable
from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    doubtful_reply,
    error_reply,
)
from share_actors.actors.messaging.routes import has_moved, moved
from share_actors.actors.ports import CatalogPort, Host, HostLost
from share_actors.config import Config
from share_actors.errors import Moved, Outdated, ShareActorsError, Unavailable
from share_actors.events.aggregates import calls_drivers, kind_of
from share_actors.policy import Caller

FIRST_RETRY_S, MAX_RETRY_S = 0.01, 1.0
"""The pauses between two tries to send a command: doubled each time, up to the limit."""
CALL_RETRY_S = 0.05
Answer = Callable[[CommandReply], None]
Sent = tuple[str, "asyncio.Future[CommandReply]"]
"""A host, and the future of its reply."""
T = TypeVar("T")
logger = logging.getLogger(__name__)


class Router:
    """Finds the homes of entities, and sends commands and calls there."""

    def __init__(
        self,
        supervisor: Supervisor,
        catalog: CatalogPort,
        config: Config,
        pins_known: Callable[[float], Awaitable[None]],
        refusal: Callable[[CommandMessage, ShareActorsError], CommandReply] = error_reply,
    ) -> None:
        self._supervisor, self._catalog, self._pins_known = supervisor, catalog, pins_known
        self._refusal = refusal
        self.reconfigure(config)

    def reconfigure(self, config: Config) -> None:
        """Use this configuration: backends may require dedicated hosting, or certain nodes.

        Which nodes, is certain once *pins_known* has returned, which is given a limit in seconds.
        """
        self._config = config
        self._any_particular = any(b.dedicated or b.node for b in config.backends.values())

    # -- commands --------------------------------------------------------------------------------
    def send(self, message: CommandMessage, answer: Answer, taken: Callable[[], None]) -> None:
        """Send *message* to its entity; *answer* gets the reply, without waiting for other commands.

        *taken* is called once a host has recorded it, or before it is sent again.
        """
        host = self._home_now(message.share_id)
        if host is None:
            self._supervisor.spawn(self._deliver(message, answer, taken))
            return
        sent = self._supervisor.send(host, message, taken)
        sent.add_done_callback(partial(self._sent, message, answer, taken, host))

    def _home_now(self, address: str) -> str | None:
        """The host of an entity, chosen if it has none; None if that takes time."""
        home = self._supervisor.directory.home(address)
        if home is not None or self._any_particular:
            return home
        return self._supervisor.place_now(address)

    def _sent(
        self,
        message: CommandMessage,
        answer: Answer,
        taken: Callable[[], None],
        host: str,
        sent: asyncio.Future[CommandReply],
    ) -> None:
        if _arrived(sent):
            answer(sent.result())
        else:
            self._supervisor.spawn(self._deliver(message, answer, taken, (host, sent)))

    async def _deliver(
        self,
        message: CommandMessage,
        answer: Answer,
        taken: Callable[[], None],
        sent: Sent | None = None,
    ) -> None:
        """Send *message* until it arrives; *sent* is a first try that did not."""
        try:
            first = sent or await self._find_and_send(message, taken)
            reply = await self._retry(message, *first)
        except ShareActorsError as error:
            reply = self._refusal(message, error)
        except Exception as error:  # whatever it is, the caller must get a reply
            logger.exception("command %s can't be sent", message.command_id)
            reply = self._refusal(message, ShareActorsError(f"internal error: {error!r}"))
        answer(reply)

    async def _find_and_send(
        self, message: CommandMessage, taken: Callable[[], None] = lambda: None
    ) -> Sent:
        """Send *message* once its entity has a home: that, and the future of its reply, which has ended."""
        host = await self._find(message)
        sent = self._supervisor.send(host, message, taken)
        await asyncio.wait([sent])
        return host, sent

    async def _retry(
        self, message: CommandMessage, host: str, sent: asyncio.Future[CommandReply]
    ) -> CommandReply:
        """Send a command whose host died or whose entity moved to its new home, with the same id."""
        if _arrived(sent):
            return sent.result()
        deadline = time.monotonic() + self._supervisor.timings.max_wait_s
        pause_s = FIRST_RETRY_S
        while not _arrived(sent) and time.monotonic() < deadline:
            error = sent.exception() or moved(sent.result())
            if not isinstance(error, HostLost | Unavailable | Moved):
                raise error or AssertionError
            try:
                self._forget_home(message.share_id, host, error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, MAX_RETRY_S)
                host, sent = await self._find_and_send(message._replace(repeated=True))
            except ShareActorsError as failed:
                return doubtful_reply(message, error_reply(message, failed))
        if _arrived(sent):
            return doubtful_reply(message, sent.result())
        return doubtful_reply(message, error_reply(message, _unreachable(message.share_id)))

    # -- homes -----------------------------------------------------------------------------------
    def _forget_home(self, address: str, host: str, error: BaseException) -> None:
        """Forget the home of an entity that proved wrong; *host* answered, or was lost, with *error*.

        Raises `Unavailable` if the entity needs a newer version than any host runs.
        """
        self._supervisor.forget_home(address, error)
        if isinstance(error, Outdated):
            self._supervisor.upgrades.note(host, error)

    async def home(self, share_id: str) -> str:
        """The name of the host that a share lives in; one that has none gets one."""
        return await self._find(CommandMessage(share_id, "", "", b"", b""))

    async def _find(self, message: CommandMessage) -> str:
        address = message.share_id
        home = self._supervisor.directory.home(address)
        if home is not None:
            return home
        backend = await self._backend_of(message) if self._any_particular else ""
        settings = self._config.backends.get(backend)
        if settings is None:
            return await self._supervisor.place(address)
        if settings.node is not None:
            await self._pins_known(self._supervisor.timings.max_wait_s)
            settings = self._config.backends.get(backend, settings)
        dedicated = settings.dedicated and kind_of(address) == "share"
        try:
            return await self._supervisor.place(address, dedicated=dedicated, node=settings.node)
        except Unavailable as error:
            if "node" not in error.details:
                raise
            raise unreachable(backend, error.message, **error.details) from None

    async def _backend_of(self, message: CommandMessage) -> str:
        """The backend of a share or a share server; empty for entities that call no driver."""
        address = message.share_id
        if not calls_drivers(address):
            return ""
        if message.assignment is not None:
            host = message.assignment.host
        elif message.backend:
            host = message.backend
        elif kind_of(address) == "share":
            host = getattr(await self._catalog.ask("share", share_id=address), "host", "")
        else:
            host = getattr(await self._catalog.ask("entity", address=address), "host", "")
        return str(host).partition("#")[0]

    # -- calls -----------------------------------------------------------------------------------
    async def call(self, share_id: str, call: Callable[[Host], Awaitable[T]]) -> tuple[str, T]:
        """Make *call* to the host of an entity; the host's name, and the result.

        The call is made again if the host is lost or the entity is active elsewhere.
        """
        deadline = time.monotonic() + self._supervisor.timings.max_wait_s
        while True:
            name = await self.home(share_id)
            try:
                called = call(self._supervisor.hosts[name])
                return name, await self._supervisor.losses.until_lost(name, called)
            except (HostLost, Moved) as error:
                self._forget_home(share_id, name, error)
                if time.monotonic() > deadline:
                    raise _unreachable(share_id) from None
                await asyncio.sleep(CALL_RETRY_S)

    async def wait(
        self, pairs: list[tuple[str, str]], timeout_s: float, caller: Caller | None = None
    ) -> list[CommandReply]:
        """Outcomes of those of *pairs* (entity id, command id) that have ended; see `ShareHost.wait`."""
        pairs_by_host: dict[str, list[tuple[str, str]]] = {}
        calls: list[Awaitable[list[CommandReply]]] = []
        for pair in pairs:
            host = self._home_now(pair[0])
            if host is None:  # others must not wait until it has one
                calls.append(self._wait_at_home(pair, timeout_s, caller))
            else:
                pairs_by_host.setdefault(host, []).append(pair)
        calls += [
            self._wait_in(host, of_host, timeout_s, caller)
            for host, of_host in pairs_by_host.items()
        ]
        running = [_retrieved(asyncio.ensure_future(call)) for call in calls]
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        asked = {pair[0]: host for host, of_host in pairs_by_host.items() for pair in of_host}
        settled = [self._settled(reply, asked) for call in done for reply in self._replies(call)]
        return [reply for reply in settled if reply is not None]

    def _wait_in(
        self, host: str, pairs: list[tuple[str, str]], timeout_s: float, caller: Caller | None
    ) -> Awaitable[list[CommandReply]]:
        called = self._supervisor.hosts[host].wait(pairs, timeout_s, caller)
        return self._supervisor.losses.until_lost(host, called)

    def _settled(self, reply: CommandReply, asked: Mapping[str, str]) -> CommandReply | None:
        """*reply* to a wait for an outcome; None if the next wait will find the entity elsewhere.

        *asked* has the hosts that were asked, by entity; one that has it no more is not asked again.
        """
        error, address = moved(reply), reply.share_id
        if error is None:
            return reply
        home = self._supervisor.directory.home_of_active(address)
        if not isinstance(error, Outdated) and asked.get(address, home) != home:
            return None  # it has a new home already
        try:
            self._forget_home(address, home, error)
        except Unavailable as unavailable:
            message = CommandMessage(address, reply.command_id, "", b"", b"")
            return error_reply(message, unavailable)
        return None

    async def _wait_at_home(
        self, pair: tuple[str, str], timeout_s: float, caller: Caller | None
    ) -> list[CommandReply]:
        until = time.monotonic() + timeout_s
        while True:
            try:
                host = await self.home(pair[0])
            except Unavailable:  # its node may come back: the caller asks again after *timeout_s*
                remaining_s = until - time.monotonic()
                if remaining_s <= 0:
                    raise
                await asyncio.sleep(min(remaining_s, MAX_RETRY_S))
            else:
                remaining_s = max(until - time.monotonic(), 0.0)
                return await self._wait_in(host, [pair], remaining_s, caller)

    def _replies(self, call: asyncio.Future[list[CommandReply]]) -> list[CommandReply]:
        """What *call* returned: nothing if its host is lost, or if the entity can have none now."""
        error = call.exception()
        if isinstance(error, HostLost):
            self._supervisor.mark_lost(error.host)
        return [] if isinstance(error, HostLost | Unavailable) else call.result()


def _unreachable(share_id: str) -> Unavailable:
    return Unavailable(f"share {share_id} can't be reached", field="id")


def _retrieved(call: asyncio.Future[T]) -> asyncio.Future[T]:
    """*call*, whose exception counts as retrieved although nothing may wait for it any more."""
    call.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return call


def _arrived(sent: asyncio.Future[CommandReply]) -> bool:
    return sent.exception() is None and not has_moved(sent.result())
