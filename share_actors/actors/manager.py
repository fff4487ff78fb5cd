"""ManagerActor: routes commands to the one living activation of each share. It owns no truth.

A kill loses nothing: what it knew of homes is asked of the hosts again, and what is owed is in the log.
A plain class; `cluster.py` makes it a Ray actor, named, detached and restarted for ever.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from share_actors.actors.coalescer import Coalescer
from share_actors.actors.host import HostReport
from share_actors.actors.messages import Answer, Ask, refusal, unpack_error
from share_actors.actors.pool import Pool
from share_actors.actors.ports import Cluster, Host, HostLost
from share_actors.actors.verbs import ManagerVerbs
from share_actors.config import Config
from share_actors.errors import Busy, Moved, NotFound, ShareActorsError, Unavailable
from share_actors.values import Share

T = TypeVar("T")
logger = logging.getLogger(__name__)
PATIENCE_S = 60.0
"""How long a command may look for a living host before it is answered `Unavailable`."""
WAKE_AT_ONCE = 50
WAKE_AGAIN_S = 15.0
"""How often all that owes work is woken, for what no sign of trouble told of."""
REPORT_EVERY_S = 1.0


class ManagerActor(ManagerVerbs):
    """Verbs with the seed's names (`verbs.py`), and the calls that clients batch: `submit` and `wait`."""

    def __init__(self, config: Config, cluster: Cluster) -> None:
        self._config, self._cluster = config, cluster
        self._pool = Pool(config.pool.max_actors)
        self._hosts: dict[str, Host] = {}
        self._lanes: dict[tuple[str, bool], Coalescer[Ask, Answer]] = {}
        self._reports: dict[str, HostReport] = {}
        self._waiting = 0
        self._started_at = time.time()
        self._homeless = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        self._growing: asyncio.Task[None] | None = None
        self._ready: asyncio.Task[None] | None = None
        self._stopping = False
        self._any_dedicated = any(b.dedicated for b in config.backends.values())

    # -- start -----------------------------------------------------------------------------------
    async def ready(self) -> None:
        """Return once commands can be routed; the first call starts it all."""
        if self._ready is None or (self._ready.done() and self._ready.exception()):
            self._ready = asyncio.create_task(self._start())
        await asyncio.shield(self._ready)

    async def _start(self) -> None:
        for name, host in await self._cluster.hosts():
            try:
                self._join(name, host, await host.report(), await host.resident())
            except HostLost:
                self._join(name, host, None, ())
        missing = self._config.pool.min_actors - len(self._pool)
        try:
            await asyncio.gather(*(self._grow() for _ in range(missing)))
        except HostLost as lost:
            raise Unavailable(f"{lost}") from None
        self._spawn(self._recover())

    def _join(
        self, name: str, host: Host, report: HostReport | None, shares: Sequence[str]
    ) -> None:
        """Know *host* from now on; without a *report* it is taken to be dead."""
        if name not in self._hosts:
            self._hosts[name] = host
            for wait in (True, False):  # a receipt shall not wait for other commands' outcomes
                self._lanes[name, wait] = Coalescer(host.submit, lanes=2)
            self._spawn(self._watch(name))
        self._pool.add(name, shares)
        if report is None:
            self._pool.lost(name)
        else:
            self._reports[name] = report

    async def _grow(self) -> None:
        name, host = await self._cluster.start_host()
        self._join(name, host, await host.report(), ())

    def _grow_if_wanted(self) -> None:
        """One more host at a time, in the background."""
        if self._growing is None or self._growing.done():
            self._growing = self._spawn(self._grow_while_wanted())

    async def _grow_while_wanted(self) -> None:
        while self._pool.wants_more and self._pool.may_grow and not self._stopping:
            self._pool.wants_more = False
            try:
                await self._grow()
            except (HostLost, ShareActorsError) as error:
                logger.warning("no further share actor could be started: %s", error)
                return

    def _spawn(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(job)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    # -- routing ---------------------------------------------------------------------------------
    async def submit(self, asks: list[Ask]) -> list[Answer]:
        """Route each command to its share; answers in order. See `ShareHost.submit`."""
        await self.ready()
        room = 0 if self._stopping else max(0, self._config.pool.backlog - self._waiting)
        over = [refusal(asked, self._too_busy()) for asked in asks[room:]]
        return [*await self._routed(asks[:room]), *over]

    async def _routed(self, asks: list[Ask]) -> list[Answer]:
        if not asks:
            return []
        self._waiting += len(asks)
        try:
            sent = [self._send(asked) for asked in asks]
            await asyncio.wait(sent)
            again = {
                n: asyncio.create_task(self._again(asks[n], first))
                for n, first in enumerate(sent)
                if not _landed(first)
            }
            return [await again[n] if n in again else f.result() for n, f in enumerate(sent)]
        finally:
            self._waiting -= len(asks)

    def _too_busy(self) -> ShareActorsError:
        if self._stopping:
            return Unavailable("the system is going down; nothing was recorded")
        return Busy(f"{self._waiting} commands wait already", retry_after=0.2)

    def _send(self, asked: Ask) -> asyncio.Future[Answer]:
        """On its way at once if it is known where to; else it waits for a home, and holds up nobody."""
        home = self._pool.home(asked.share_id)
        if home is not None:
            return self._lanes[home, asked.wait].put(asked)
        return asyncio.ensure_future(self._find_and_send(asked))

    async def _find_and_send(self, asked: Ask) -> Answer:
        try:
            host = await self._find(asked)
        except ShareActorsError as error:
            return refusal(asked, error)
        return await self._lanes[host, asked.wait].put(asked)

    async def _find(self, asked: Ask) -> str:
        """Where a share lives; waits for a host to come up if there is none for it."""
        known = self._pool.home(asked.share_id)
        if known is not None:
            return known
        dedicated = self._any_dedicated and await self._is_dedicated(asked)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            host = self._pool.place(asked.share_id, dedicated=dedicated)
            if host is None and not self._pool.may_grow:  # no room: it moves in with others
                host = self._pool.place(asked.share_id)
            self._grow_if_wanted()
            if host is not None:
                return host
            await asyncio.sleep(0.05)
        raise Unavailable("no share actor is alive and free", field="id", value=asked.share_id)

    async def _is_dedicated(self, asked: Ask) -> bool:
        if asked.topic == "share.create":
            host = str(json.loads(asked.body).get("host", ""))
        else:
            known = await self._cluster.catalog.ask("share", share_id=asked.share_id)
            host = known.host if isinstance(known, Share) else ""
        settings = self._config.backends.get(host.partition("#")[0])
        return settings is not None and settings.dedicated

    async def _again(self, asked: Ask, sent: asyncio.Future[Answer]) -> Answer:
        """The host died or the share moved: the same command, by the same id, to where it lives now."""
        until = time.monotonic() + PATIENCE_S
        pause = 0.01
        while not _landed(sent) and time.monotonic() < until:
            lost = sent.exception()
            if lost is not None and not isinstance(lost, HostLost):
                raise lost
            self._unsettle(asked.share_id, lost)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)
            sent = self._send(asked._replace(repeated=True))
            await asyncio.wait([sent])
        if _landed(sent):
            return sent.result()
        return refusal(asked, Unavailable(f"share {asked.share_id} can't be reached", field="id"))

    def _unsettle(self, share_id: str, lost: BaseException | None) -> None:
        if not isinstance(lost, HostLost):
            self._pool.forget([share_id])
        elif self._pool.home(share_id) == lost.host:  # else that is known, and it may be back
            self._lost(lost.host)

    # -- outcomes --------------------------------------------------------------------------------
    async def wait(self, pairs: Sequence[tuple[str, str]], timeout_s: float) -> list[Answer]:
        """Outcomes of those of *pairs* (share id, command id) that ended; see `ShareHost.wait`."""
        await self.ready()
        by_host: dict[str, list[tuple[str, str]]] = {}
        for share_id, command_id in pairs:
            host = await self._find(Ask(share_id, command_id, "", b"", b""))
            by_host.setdefault(host, []).append((share_id, command_id))
        calls = [
            asyncio.ensure_future(self._hosts[host].wait(mine, timeout_s))
            for host, mine in by_host.items()
        ]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        return [a for call in done for a in self._outcomes(call) if not _moved(a)]

    def _outcomes(self, call: asyncio.Future[list[Answer]]) -> list[Answer]:
        lost = call.exception()
        if isinstance(lost, HostLost):
            self._lost(lost.host)
            return []
        return call.result()

    async def view(self, share_id: str) -> Share:
        """The share as its own actor knows it; raises `NotFound`."""
        try:
            return (await self._asked(share_id, lambda host: host.view(share_id)))[1]
        except NotFound:
            self._pool.forget([share_id])  # what is not there takes up no room
            raise

    async def where(self, share_id: str) -> dict[str, Any]:
        """The name and OS process of the Ray actor that *share_id* lives in, waking it if need be."""
        await self.view(share_id)
        name, report = await self._asked(share_id, lambda host: host.report())
        self._pool.forget(report.gone)
        return {"actor": name, "pid": report.pid, "shares": report.entities}

    async def _asked(self, share_id: str, ask: Callable[[Host], Awaitable[T]]) -> tuple[str, T]:
        """The host that a share lives in, and what it answers."""
        await self.ready()
        until = time.monotonic() + PATIENCE_S
        while True:
            name = await self._find(Ask(share_id, "", "", b"", b""))
            try:
                return name, await ask(self._hosts[name])
            except HostLost as lost:
                self._unsettle(share_id, lost)
                if time.monotonic() > until:
                    raise Unavailable(f"share {share_id} can't be reached") from None
                await asyncio.sleep(0.05)

    # -- supervision -----------------------------------------------------------------------------
    def _lost(self, name: str) -> None:
        """A host died. Ray restarts it; until then its shares live elsewhere."""
        if name in self._pool.hosts:
            logger.warning("share actor %s died; its shares move", name)
            self._pool.lost(name)
            self._reports.pop(name, None)
            self._homeless.set()

    async def _watch(self, name: str) -> None:
        while not self._stopping:
            await asyncio.sleep(REPORT_EVERY_S)
            try:
                await self._check(name)
            except HostLost:
                self._lost(name)
            except TimeoutError:
                logger.warning("share actor %s does not answer", name)
            except ShareActorsError as error:
                logger.warning("share actor %s: %s", name, error)

    async def _check(self, name: str) -> None:
        host = self._hosts[name]
        report = await asyncio.wait_for(host.report(), 30.0)
        before = self._reports.get(name)
        if before is not None and before.pid != report.pid:  # it died and is back already
            self._lost(name)
        self._pool.forget(report.gone)
        if name not in self._pool.hosts:
            shares = [s for s in await host.resident() if self._pool.home(s) is None]
            self._join(name, host, report, shares)
        self._reports[name] = report

    async def _recover(self) -> None:
        """Wake what owes work: what lives nowhere when a host died, and all of it now and then."""
        everyone = False
        while not self._stopping:
            self._homeless.clear()
            if await self._wake_owing(everyone=everyone):
                everyone = await self._calm(WAKE_AGAIN_S)
            else:
                await asyncio.sleep(1.0)

    async def _calm(self, seconds: float) -> bool:
        """Whether no host was lost for so long."""
        try:
            await asyncio.wait_for(self._homeless.wait(), seconds)
        except TimeoutError:
            return True
        return False

    async def _wake_owing(self, *, everyone: bool) -> bool:
        """Wake every share that owes work, or only those that live nowhere; whether all could be."""
        marker, well = "", True
        while not self._stopping:
            try:
                owing = await self._cluster.catalog.ask("owing", limit=WAKE_AT_ONCE, marker=marker)
            except ShareActorsError as error:
                logger.warning("recovery waits for the catalog: %s", error)
                return False
            for share_id in owing:
                if everyone or self._pool.home(share_id) is None:
                    well = await self._wake(share_id) and well
            if len(owing) < WAKE_AT_ONCE:
                break
            marker = owing[-1]
        return well

    async def _wake(self, share_id: str) -> bool:
        try:
            host = await self._find(Ask(share_id, "", "", b"", b""))
            await self._hosts[host].wake([share_id])
        except HostLost as lost:
            self._unsettle(share_id, lost)
            return False
        except ShareActorsError as error:
            logger.warning("share %s could not be woken: %s", share_id, error)
            self._pool.forget([share_id])
            return False
        return True

    # -- the whole system ------------------------------------------------------------------------
    async def status(self) -> dict[str, Any]:
        """How the system is doing, for `share-actors status`; the catalog's part comes from the catalog."""
        await self.ready()
        hosts = [
            {
                "actor": name,
                "alive": name in self._pool.hosts,
                "shares": self._pool.hosts.get(name, 0),
            }
            | (self._reports[name]._asdict() if name in self._reports else {})
            for name in self._hosts
        ]
        for host in hosts:
            host.pop("gone", None)
        return {
            "pid": os.getpid(),
            "up_s": round(time.time() - self._started_at, 1),
            "waiting": self._waiting,
            "actors": hosts,
            "backends": {n: b.driver for n, b in self._config.backends.items()},
            "log": self._config.log.kind,
        }

    async def config(self) -> Config:
        """The configuration in force."""
        return self._config

    async def stop(self) -> None:
        """Answer what is in flight, take nothing new, and let every host leave its log in order."""
        self._stopping = True
        until = time.monotonic() + 10.0
        while self._waiting and time.monotonic() < until:
            await asyncio.sleep(0.05)
        await asyncio.gather(*(_quietly(host.stop) for host in self._hosts.values()))


def _moved(answer: Answer) -> bool:
    if answer.status != "error" or answer.error is None:
        return False
    return isinstance(unpack_error(answer.error), Moved)


def _landed(sent: asyncio.Future[Answer]) -> bool:
    return sent.exception() is None and not _moved(sent.result())


async def _quietly(stop: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await stop()
    except HostLost as lost:
        logger.warning("%s was gone already", lost.host)
