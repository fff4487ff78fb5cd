"""The fleet: the hosts that are known, which of them live, what they report, and who lives where."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

from share_actors.actors.hosting.directory import HostDirectory
from share_actors.actors.messaging.coalescer import Coalescer
from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.actors.ports import Cluster, Host, HostLost, HostReport, node_of
from share_actors.config import HostingSettings
from share_actors.errors import ShareActorsError, Unavailable

logger = logging.getLogger(__name__)
PATIENCE_S = 60.0
"""How long a command may look for a living host before it is answered `Unavailable`."""
REPORT_EVERY_S = 1.0
RECYCLE_WITHIN_S = 10.0
"""How long what runs well in an actor that is to be restarted may take to end."""


class Supervisor:
    """Hosts join, grow in number, are watched and lost. Which share lives where is for speed only."""

    def __init__(self, cluster: Cluster, settings: HostingSettings) -> None:
        self._cluster, self._settings = cluster, settings
        self.directory = HostDirectory(settings.max_actors)
        self.hosts: dict[str, Host] = {}
        """All that were ever known, by name: one that died is restarted by Ray under its name."""
        self.host_lost = asyncio.Event()
        """A host was lost since this was cleared."""
        self.stopping = False
        self._lanes: dict[tuple[str, bool], Coalescer[CommandMessage, CommandReply]] = {}
        self._reports: dict[str, HostReport] = {}
        self._growing: asyncio.Task[None] | None = None
        self._reaching: dict[str, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()

    def spawn(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run *job* beside everything else."""
        task = asyncio.create_task(job)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    # -- joining ---------------------------------------------------------------------------------
    async def gather(self) -> None:
        """Know the hosts that there are, and start those that are missing."""
        for name, host in await self._cluster.hosts():
            try:
                self._join(name, host, await host.report(), await host.resident())
            except HostLost:
                self._join(name, host, None, ())
        missing = self._settings.min_actors - len(self.directory)
        try:
            await asyncio.gather(*(self._grow() for _ in range(missing)))
        except HostLost as lost:
            raise Unavailable(f"{lost}") from None

    def _join(
        self, name: str, host: Host, report: HostReport | None, shares: Sequence[str]
    ) -> None:
        """Know *host* from now on; without a *report* it is taken to be dead."""
        if name not in self.hosts:
            self.hosts[name] = host
            for wait in (True, False):  # a receipt shall not wait for other commands' outcomes
                self._lanes[name, wait] = Coalescer(host.submit, lanes=2)
            self.spawn(self._watch(name))
        self.directory.add(name, shares, node_of(name))
        if report is None:
            self.directory.lost(name)
        else:
            self._reports[name] = report

    async def _grow(self, node: str | None = None) -> None:
        name, host = await self._cluster.start_host(node)
        self._join(name, host, await host.report(), ())

    def _grow_if_wanted(self) -> None:
        """One more host at a time, in the background."""
        if self._growing is None or self._growing.done():
            self._growing = self.spawn(self._grow_while_wanted())

    async def _grow_while_wanted(self) -> None:
        while self.directory.wants_more and self.directory.may_grow and not self.stopping:
            self.directory.wants_more = False
            try:
                await self._grow()
            except (HostLost, ShareActorsError) as error:
                logger.warning("no further share actor could be started: %s", error)
                return

    # -- homes -----------------------------------------------------------------------------------
    def send(self, host: str, asked: CommandMessage) -> asyncio.Future[CommandReply]:
        """*asked* on its way to *host*, with others."""
        return self._lanes[host, asked.wait].put(asked)

    async def place(
        self, share_id: str, *, dedicated: bool = False, node: str | None = None
    ) -> str:
        """The home of a share, chosen if it has none; waits for a host to come up if there is none."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            host = self.directory.place(share_id, dedicated=dedicated, node=node)
            if host is None and not self.directory.may_grow:  # no room: it moves in with others
                host = self.directory.place(share_id, node=node)
            if host is None and node is not None and not self.directory.reaches(node):
                self._reach(node)
            self._grow_if_wanted()
            if host is not None:
                return host
            await asyncio.sleep(0.05)
        raise Unavailable("no share actor is alive and free", field="id", value=share_id)

    def _reach(self, node: str) -> None:
        """Start the one host on nodes of this kind, unless that is under way: beyond the pool's limit."""
        if node not in self._reaching:
            self._reaching[node] = self.spawn(self._begin_there(node))

    async def _begin_there(self, node: str) -> None:
        try:
            await self._grow(node)
        except (HostLost, ShareActorsError) as error:
            logger.warning("no share actor could be started on a node with %s: %s", node, error)
        finally:
            del self._reaching[node]

    def forget_home(self, share_id: str, lost: BaseException | None) -> None:
        """The share is not where it was thought to live, or (*lost*) that host died."""
        if not isinstance(lost, HostLost):
            self.directory.forget([share_id])
        elif self.directory.home(share_id) == lost.host:  # else that is known, and it may be back
            self.lost(lost.host)

    # -- supervision -----------------------------------------------------------------------------
    def lost(self, name: str) -> None:
        """A host died. Ray restarts it; until then its shares live elsewhere."""
        if name in self.directory.hosts:
            logger.warning("share actor %s died; its shares move", name)
            self.directory.lost(name)
            self._reports.pop(name, None)
            self.host_lost.set()

    async def no_loss_within(self, seconds: float) -> bool:
        """Whether no host was lost for so long."""
        try:
            await asyncio.wait_for(self.host_lost.wait(), seconds)
        except TimeoutError:
            return True
        return False

    async def _watch(self, name: str) -> None:
        while not self.stopping:
            await asyncio.sleep(REPORT_EVERY_S)
            try:
                await self._check(name)
            except HostLost:
                self.lost(name)
            except TimeoutError:
                await self._give_up(name)
            except ShareActorsError as error:
                logger.warning("share actor %s: %s", name, error)
            except Exception:  # whatever it is, somebody has to go on watching
                logger.exception("share actor %s could not be looked after", name)

    async def _check(self, name: str) -> None:
        host = self.hosts[name]
        report = await asyncio.wait_for(host.report(), self._settings.unresponsive_s)
        before = self._reports.get(name)
        if before is not None and before.pid != report.pid:  # it died and is back already
            self.lost(name)
        self.directory.passivated(name, await host.passivated(self.directory.leaving(name)))
        if name not in self.directory.hosts:
            shares = [s for s in await host.resident() if self.directory.home(s) is None]
            self._join(name, host, report, shares)
        self._reports[name] = report
        if report.hung >= self._settings.hung_calls:
            await self._recycle(name, report.hung)

    async def _give_up(self, name: str) -> None:
        """It does not answer: suspended, or stuck. One that is being started is given its time."""
        if name in self.directory.hosts:
            logger.warning("share actor %s does not answer: it is restarted", name)
            self.lost(name)
            await self.hosts[name].restart()

    async def _recycle(self, name: str, hung: int) -> None:
        """Too many of its threads are stuck in drivers: its shares move, and it starts anew."""
        logger.warning("share actor %s has %d driver calls that hang: it is restarted", name, hung)
        self.lost(name)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.hosts[name].stop(), RECYCLE_WITHIN_S)
        await self.hosts[name].restart()

    def status(self) -> list[dict[str, Any]]:
        """Every host, whether it lives, and what it last said of itself."""
        return [
            {
                "actor": name,
                "alive": name in self.directory.hosts,
                "shares": self.directory.hosts.get(name, 0),
            }
            | self._reported(name)
            for name in self.hosts
        ]

    def _reported(self, name: str) -> dict[str, Any]:
        report = self._reports.get(name)
        return {} if report is None else report._asdict()

    def abandon(self) -> None:
        """Cancel all background tasks at once, as when the process ends; the hosts go on."""
        self.stopping = True
        for task in self._background:
            task.cancel()

    async def stop(self) -> None:
        """Every host leaves its log in order."""
        self.stopping = True
        await asyncio.gather(*(_quietly(host) for host in self.hosts.values()))


async def _quietly(host: Host) -> None:
    try:
        await host.stop()
    except HostLost as lost:
        logger.warning("%s was gone already", lost.host)
