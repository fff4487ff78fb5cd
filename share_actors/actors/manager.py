"""ManagerActor: routes commands to the one living activation of each share. It owns no truth.

A kill loses nothing: what it knew of homes is asked of the hosts again, and what is owed is in the log.
A plain class; `runtime.py` makes it a Ray actor, named, detached and restarted for ever.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from share_actors.actors.coalescer import Coalescer
from share_actors.actors.host import HostReport
from share_actors.actors.messages import Answer, Ask, refusal, unpack_error
from share_actors.actors.pool import Pool
from share_actors.actors.ports import Cluster, Host, HostLost
from share_actors.actors.verbs import ManagerVerbs
from share_actors.config import Config
from share_actors.errors import Busy, Moved, NotFound, ShareActorsError, Unavailable
from share_actors.values import Share

logger = logging.getLogger(__name__)
PATIENCE_S = 60.0
"""How long a command may look for a living host before it is answered `Unavailable`."""
WAKE_AT_ONCE = 50
REPORT_EVERY_S = 1.0


class ManagerActor(ManagerVerbs):
    """Verbs with the seed's names (`verbs.py`), and the calls that clients batch: `submit` and `wait`."""

    def __init__(self, config: Config, cluster: Cluster) -> None:
        self._config, self._cluster = config, cluster
        self._pool = Pool(config.pool.max_actors)
        self._hosts: dict[str, Host] = {}
        self._lanes: dict[str, Coalescer[Ask, Answer]] = {}
        self._reports: dict[str, HostReport] = {}
        self._waiting = 0
        self._started_at = time.time()
        self._recovering: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._ready: asyncio.Task[None] | None = None
        self._stopping = False
        self._any_dedicated = any(b.dedicated for b in config.backends.values())

    # -- start -----------------------------------------------------------------------------------
    async def ready(self) -> None:
        """Return once commands can be routed; the first call starts it all."""
        if self._ready is None:
            self._ready = asyncio.create_task(self._start())
        await asyncio.shield(self._ready)

    async def _start(self) -> None:
        for name, host in await self._cluster.hosts():
            try:
                self._join(name, host, await host.resident())
            except HostLost:
                self._join(name, host, ())
                self._pool.lost(name)
        missing = self._config.pool.min_actors - len(self._pool)
        await asyncio.gather(*(self._grow() for _ in range(missing)))
        self._spawn(self._supervise())
        self._recover()

    def _join(self, name: str, host: Host, shares: Sequence[str]) -> None:
        self._hosts[name] = host
        self._lanes[name] = Coalescer(host.submit, lanes=2)
        self._pool.add(name, shares)

    async def _grow(self) -> None:
        name, host = await self._cluster.start_host()
        self._join(name, host, ())

    def _spawn(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(job)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    # -- routing ---------------------------------------------------------------------------------
    async def submit(self, asks: list[Ask]) -> list[Answer]:
        """Route each command to its share; answers in order. See `ShareHost.submit`."""
        await self.ready()
        if self._stopping or self._waiting + len(asks) > self._config.pool.backlog:
            return [refusal(asked, self._too_busy()) for asked in asks]
        self._waiting += len(asks)
        try:
            sent = [await self._send(asked) for asked in asks]
            await asyncio.wait(sent)
            pairs = zip(asks, sent, strict=True)
            return [f.result() if _landed(f) else await self._again(a, f) for a, f in pairs]
        finally:
            self._waiting -= len(asks)

    def _too_busy(self) -> ShareActorsError:
        if self._stopping:
            return Unavailable("the system is going down; nothing was recorded")
        return Busy(f"{self._waiting} commands wait already", retry_after=0.2)

    async def _send(self, asked: Ask) -> asyncio.Future[Answer]:
        try:
            host = self._pool.home(asked.share_id) or await self._find(asked)
        except ShareActorsError as error:
            refused: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            refused.set_result(refusal(asked, error))
            return refused
        return self._lanes[host].put(asked)

    async def _find(self, asked: Ask) -> str:
        dedicated = self._any_dedicated and await self._is_dedicated(asked)
        host = self._pool.place(asked.share_id, dedicated=dedicated)
        if self._pool.wants_more and self._pool.may_grow:
            self._pool.wants_more = False
            growing = self._spawn(self._grow())
            if host is None:
                await asyncio.shield(growing)
        return host or await self._first_free(asked.share_id, dedicated)

    async def _first_free(self, share_id: str, dedicated: bool) -> str:
        """Wait for a host to come up; a dedicated share without room moves in with others."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            host = self._pool.place(share_id, dedicated=dedicated and self._pool.may_grow)
            if host is not None:
                return host
            await asyncio.sleep(0.05)
        raise Unavailable("no share actor is alive", field="id", value=share_id)

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
            sent = await self._send(asked._replace(repeated=True))
            await asyncio.wait([sent])
        if _landed(sent):
            return sent.result()
        return refusal(asked, Unavailable(f"share {asked.share_id} can't be reached", field="id"))

    def _unsettle(self, share_id: str, lost: BaseException | None) -> None:
        if isinstance(lost, HostLost):
            self._lost(lost.host)
        else:
            self._pool.forget([share_id])

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
        await self.ready()
        until = time.monotonic() + PATIENCE_S
        while True:
            host = await self._find(Ask(share_id, "", "", b"", b""))
            try:
                return await self._hosts[host].view(share_id)
            except HostLost as lost:
                self._lost(lost.host)
                if time.monotonic() > until:
                    raise Unavailable(f"share {share_id} can't be reached") from lost
                await asyncio.sleep(0.05)

    async def where(self, share_id: str) -> dict[str, Any]:
        """The name and OS process of the Ray actor that *share_id* lives in, waking it if need be."""
        await self.view(share_id)
        host = self._pool.home(share_id)
        if host is None:
            raise NotFound(f"share {share_id} lives nowhere", field="id", value=share_id)
        report = await self._hosts[host].report()
        self._pool.forget(report.gone)
        return {"actor": host, "pid": report.pid, "shares": report.entities}

    # -- supervision -----------------------------------------------------------------------------
    def _lost(self, name: str) -> None:
        """A host died. Ray restarts it; until then its shares live elsewhere."""
        if name in self._pool.hosts:
            logger.warning("share actor %s died; its shares move", name)
            self._pool.lost(name)
            self._reports.pop(name, None)
            self._recover()

    async def _supervise(self) -> None:
        while not self._stopping:
            await asyncio.sleep(REPORT_EVERY_S)
            await asyncio.gather(*(self._check(name) for name in list(self._hosts)))

    async def _check(self, name: str) -> None:
        try:
            report = await asyncio.wait_for(self._hosts[name].report(), 30.0)
        except HostLost:
            self._lost(name)
        except TimeoutError:
            logger.warning("share actor %s does not answer", name)
        else:
            self._reports[name] = report
            self._pool.forget(report.gone)
            if name not in self._pool.hosts:
                self._pool.add(name, await self._residents(name))

    async def _residents(self, name: str) -> Sequence[str]:
        try:
            return [s for s in await self._hosts[name].resident() if self._pool.home(s) is None]
        except HostLost:
            return ()

    def _recover(self) -> None:
        if self._recovering is None or self._recovering.done():
            self._recovering = self._spawn(self._wake_owing())

    async def _wake_owing(self) -> None:
        """Wake every share that owes work and lives nowhere; the others sleep on."""
        marker: str | None = None
        while not self._stopping:
            try:
                owing = await self._cluster.catalog.ask("owing", limit=WAKE_AT_ONCE, marker=marker)
            except ShareActorsError as error:
                logger.warning("recovery waits for the catalog: %s", error)
                await asyncio.sleep(1.0)
                continue
            for share_id in [s for s in owing if self._pool.home(s) is None]:
                await self._wake(share_id)
            if len(owing) < WAKE_AT_ONCE:
                return
            marker = owing[-1]

    async def _wake(self, share_id: str) -> None:
        try:
            host = await self._find(Ask(share_id, "", "", b"", b""))
            await self._hosts[host].wake([share_id])
        except HostLost as lost:
            self._lost(lost.host)
        except ShareActorsError as error:
            logger.warning("share %s could not be woken: %s", share_id, error)

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
