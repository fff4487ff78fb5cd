"""The supervisor of the hosts: starts and watches them, restarts those that hang, keeps their directory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from share_actors.actors.hosting import host_calls
from share_actors.actors.hosting.directory import HostDirectory, newest_homes
from share_actors.actors.hosting.nodes import NodeWatch
from share_actors.actors.hosting.timings import SupervisorTimings
from share_actors.actors.hosting.upgrades import Upgrades
from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.actors.ports import CallUnderWay, Cluster, Host, HostLost, HostReport, node_of
from share_actors.config import HostingSettings
from share_actors.errors import ShareActorsError, Unavailable

T = TypeVar("T")
logger = logging.getLogger(__name__)
PLACE_RETRY_S = 0.05


class Supervisor:
    """Hosts by name, the coalesced way to each, and the directory of entities, which is for speed only."""

    def __init__(
        self, cluster: Cluster, settings: HostingSettings, timings: SupervisorTimings | None = None
    ) -> None:
        self._cluster, self._settings = cluster, settings
        self.timings = timings or SupervisorTimings()
        self.directory = HostDirectory(settings.max_actors)
        self.nodes = NodeWatch(settings.unresponsive_s)
        self.upgrades = Upgrades(self)
        self.hosts: dict[str, Host] = {}
        """All hosts, alive or not: Ray restarts one that died, under the same name."""
        self.host_lost = asyncio.Event()
        """Set when a host is lost; whoever waits for it clears it."""
        self.stopping = False
        self.losses = host_calls.Losses()
        self._lanes = host_calls.Lanes(self.losses)
        self.reports: dict[str, HostReport] = {}  # the last one of each
        self._node_ids: dict[str, str] = {}
        """On which node each host was when it last reported."""
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._heard_at: dict[str, float] = {}
        """When each host was last known to answer, or to be restarted (as of `time.monotonic`)."""
        self._growing: asyncio.Task[None] | None = None
        self._watching_nodes: asyncio.Task[None] | None = None
        self._reaching: dict[str, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()

    def spawn(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run *job* in the background."""
        task = asyncio.create_task(job)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    # -- starting --------------------------------------------------------------------------------
    async def gather(self) -> None:
        """Find the hosts that run already, and start those that are missing.

        An entity that is active in two hosts has its home where its version is greater. A host that does
        not answer counts as lost.
        """
        await self.look_at_nodes()
        if self._watching_nodes is None:
            self._watching_nodes = self.spawn(self._watch_nodes())
        hosts = dict(await self._cluster.hosts())
        reports, residents = dict[str, HostReport](), dict[str, Mapping[str, int]]()
        answers = await asyncio.gather(*map(self._look_at, hosts.values()))
        for name, answer in zip(hosts, answers, strict=True):
            if answer is not None:
                reports[name], residents[name] = answer
        at_home, strays = newest_homes(residents)
        for name, host in hosts.items():
            self._join(name, host, reports.get(name), at_home.get(name, ()))
        for name, entity_ids in strays.items():
            self.spawn(self._drop(name, entity_ids))
        missing = self._settings.min_actors - len(self.directory)
        try:
            await asyncio.gather(*(self.start_host() for _ in range(missing)))
        except HostLost as lost:
            raise Unavailable(f"{lost}") from None

    async def _look_at(self, host: Host) -> tuple[HostReport, Mapping[str, int]] | None:
        """The report of *host* and the versions of its entities; None if it is lost or does not answer."""
        with suppress(HostLost, TimeoutError):
            return await self.answer(host.report()), await self.answer(host.resident())
        return None

    async def _watch_nodes(self) -> None:
        while not self.stopping:
            await asyncio.sleep(self.timings.report_every_s)
            await self.look_at_nodes()

    async def look_at_nodes(self) -> None:
        """Take in which nodes the cluster has now; without an answer they stay as they were."""
        try:
            self.nodes.update(await self.answer(self._cluster.nodes()))
            for name in self.hosts:
                if self.is_on_lost_node(name):
                    self.mark_lost(name)
        except TimeoutError:
            logger.warning("the cluster has not said which nodes it has")
        except Exception:  # whatever it is, watching must go on
            logger.exception("the nodes of the cluster cannot be read")

    async def answer(self, call: Awaitable[T]) -> T:
        """The result of a *call* to a host that takes no time; raises `TimeoutError` if none comes.

        A process can be suspended, or hang, between any two calls.
        """
        async with asyncio.timeout(self._settings.unresponsive_s):
            return await call

    async def _drop(self, name: str, entity_ids: Sequence[str]) -> None:
        """Have host *name* end its activations of entities that have their home elsewhere."""
        logger.info("%s drops %d entities that are active elsewhere", name, len(entity_ids))
        with suppress(HostLost, TimeoutError):
            await self.answer(self.hosts[name].drop(entity_ids))

    def _join(
        self, name: str, host: Host, report: HostReport | None, entity_ids: Sequence[str]
    ) -> None:
        """Supervise *host* from now on; without a *report* it counts as lost."""
        if name not in self.hosts:
            self.hosts[name] = host
            self._lanes.open(name, host)
            self._watches[name] = self.spawn(self._watch(name))
        self.directory.add(name, entity_ids, node_of(name))
        self._heard_at[name] = time.monotonic()
        if report is None:
            self.directory.lost(name)
        else:
            self.reports[name], self._node_ids[name] = report, report.node

    async def start_host(self, node: str | None = None) -> None:
        """Start a host; raises `Unavailable` if it does not answer in time. It then joins once it does."""
        limit_s = self.timings.start_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                name, host = await self._cluster.start_host(node)
                report = await host.report()
        except TimeoutError:
            raise Unavailable(f"a new share actor has not answered for {limit_s:g} s") from None
        self._join(name, host, report, ())

    def _grow_if_wanted(self) -> None:
        """Start further hosts in the background, one at a time."""
        if self._growing is None or self._growing.done():
            self._growing = self.spawn(self._grow_while_wanted())

    async def _grow_while_wanted(self) -> None:
        while self.directory.wants_more and self.directory.may_grow and not self.stopping:
            self.directory.wants_more = False
            try:
                await self.start_host()
            except (HostLost, ShareActorsError) as error:
                logger.warning("no further share actor could be started: %s", error)
                return

    def _reach(self, node: str) -> None:
        """Start the one host on nodes with the resource *node*, which may exceed the limit of hosts."""
        if node not in self._reaching:
            self._reaching[node] = self.spawn(self._start_host_on(node))

    async def _start_host_on(self, node: str) -> None:
        try:
            await self.start_host(node)
        except (HostLost, ShareActorsError) as error:
            logger.warning("no share actor could be started on a node with %s: %s", node, error)
        finally:
            del self._reaching[node]

    # -- homes -----------------------------------------------------------------------------------
    def send(
        self, host: str, message: CommandMessage, taken: Callable[[], None]
    ) -> asyncio.Future[CommandReply]:
        """Send *message* to *host*, coalesced with others; the future resolves to its reply.

        *taken* is called once it is recorded, or has its reply.
        """
        return self._lanes.send(host, message, taken)

    async def place(
        self, entity_id: str, *, dedicated: bool = False, node: str | None = None
    ) -> str:
        """The host of an entity, chosen if it has none.

        Waits for a host that can take it; raises `Unavailable` if none comes in `max_wait_s`, or as soon as
        the cluster has no living node with the resource *node*.
        """
        deadline = time.monotonic() + self.timings.max_wait_s
        while time.monotonic() < deadline:
            self._require_node(node)
            host = self.place_now(entity_id, dedicated=dedicated, node=node)
            if host is not None:
                return host
            await asyncio.sleep(PLACE_RETRY_S)
        raise Unavailable("no share actor is alive and free", field="id", value=entity_id)

    def _require_node(self, node: str | None) -> None:
        if (absence := self.nodes.absence(node)) is not None:
            raise Unavailable(absence, node=node)

    def place_now(
        self, entity_id: str, *, dedicated: bool = False, node: str | None = None
    ) -> str | None:
        """The host of an entity, chosen if it has none; None while no host can take it."""
        host = self.directory.place(entity_id, dedicated=dedicated, node=node)
        if host is None and not self.directory.may_grow:  # no room: it joins others
            host = self.directory.place(entity_id, node=node)
        if host is None and node is not None and not self.directory.reaches(node):
            self._reach(node)
        self._grow_if_wanted()
        return host

    def retire(self, name: str) -> None:
        """Supervise a host no more, which has ended for good; what is left in it moves."""
        self._watches.pop(name).cancel()
        self.directory.remove(name)
        for known in (self.hosts, self.reports, self._node_ids, self._heard_at):
            known.pop(name, None)
        self._lanes.close(name)
        self.losses.end(name)
        self.host_lost.set()

    def forget_home(self, entity_id: str, error: BaseException | None) -> None:
        """Forget a home that proved wrong; if *error* is `HostLost`, its host is lost."""
        if not isinstance(error, HostLost):
            self.directory.forget([entity_id])
        elif self.directory.home(entity_id) == error.host:  # else the loss was noticed already
            self.mark_lost(error.host)

    # -- watching --------------------------------------------------------------------------------
    def mark_lost(self, name: str) -> None:
        """Mark a host as lost: its entities move to others. Ray restarts the host."""
        if name in self.directory.hosts:
            logger.warning("share actor %s died; its shares move", name)
            self.directory.lost(name)
            self.losses.end(name)
            self.reports.pop(name, None)
            self.host_lost.set()

    async def no_loss_within(self, seconds: float) -> bool:
        """Wait for the loss of a host; return True if there was none for so many seconds."""
        try:
            await asyncio.wait_for(self.host_lost.wait(), seconds)
        except TimeoutError:
            return True
        return False

    async def _watch(self, name: str) -> None:
        while not self.stopping:
            await asyncio.sleep(self.timings.report_pause_s(len(self.hosts)))
            try:
                await self._check(name)
                self._heard_at[name] = time.monotonic()
            except HostLost:  # Ray restarts it
                self.mark_lost(name)
                self._heard_at[name] = time.monotonic()
            except TimeoutError:
                await self._restart_unresponsive(name)
            except ShareActorsError as error:
                logger.warning("share actor %s: %s", name, error)
            except Exception:  # whatever it is, watching must go on
                logger.exception("the health check of share actor %s failed", name)

    async def _check(self, name: str) -> None:
        host = self.hosts[name]
        report = await self.answer(host.report())
        previous = self.reports.get(name)
        if previous is not None and previous.pid != report.pid:  # it died, and is back already
            self.mark_lost(name)
        leaving = self.directory.leaving(name)
        self.directory.passivated(name, await self.answer(host.passivated(leaving)))
        if name not in self.directory.hosts:
            resident = await self.answer(host.resident())
            homeless = [id_ for id_ in resident if self.directory.home(id_) is None]
            self._join(name, host, report, homeless)
            if strays := resident.keys() - homeless:
                await self._drop(name, list(strays))
        self.reports[name], self._node_ids[name] = report, report.node
        await self.answer(self.upgrades.look_at(name, host, report.pid))
        if report.hung >= self._settings.hung_calls:
            await self._recycle(name, report.hung)

    async def _restart_unresponsive(self, name: str) -> None:
        """Restart a host that does not answer; one that is lost may be starting, which takes longer."""
        silent_s = time.monotonic() - self._heard_at[name]
        if name in self.directory.hosts or silent_s > self.timings.start_timeout_s:
            logger.warning("share actor %s does not answer: it is restarted", name)
            self.mark_lost(name)
            self._heard_at[name] = time.monotonic()
            await self.hosts[name].restart()

    async def _recycle(self, name: str, hung: int) -> None:
        """Restart a host in which too many threads are stuck in drivers; its entities move first."""
        logger.warning("share actor %s has %d driver calls that hang: it is restarted", name, hung)
        self.mark_lost(name)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.hosts[name].stop(), self.timings.recycle_timeout_s)
        await self.hosts[name].restart()

    def status(self) -> list[dict[str, Any]]:
        """Each host: its name, whether it is alive, its number of shares, and its last report."""
        alive = self.directory.hosts
        return [
            {"actor": name, "alive": name in alive, "shares": alive.get(name, 0)}
            | self._last_report(name)
            for name in self.hosts
        ]

    def is_on_lost_node(self, name: str) -> bool:
        """Whether the node that a host last reported from is lost."""
        return self.nodes.silent_s(self._node_ids.get(name, "")) is not None

    def actors_on(self, node_id: str) -> list[str]:
        """The hosts that are on a node, or were on it when they last reported."""
        return sorted(name for name, id_ in self._node_ids.items() if id_ == node_id)

    def _last_report(self, name: str) -> dict[str, Any]:
        report = self.reports.get(name)
        return self.upgrades.status(name) | ({} if report is None else report._asdict())

    def abandon(self) -> None:
        """Cancel all background tasks at once, as when the process ends; the hosts go on."""
        self.stopping = True
        for task in self._background:
            task.cancel()

    async def under_way(self, names: Iterable[str] | None = None) -> list[CallUnderWay]:
        """The driver calls that are under way in all hosts, or in these, that can be reached."""
        hosts = self.hosts.values() if names is None else map(self.hosts.__getitem__, names)
        limit_s = self._settings.unresponsive_s
        calls = await asyncio.gather(*(host_calls.under_way(host, limit_s) for host in hosts))
        return [call for of_host in calls for call in of_host]

    async def stop(self, timeout_s: float | None = None) -> list[CallUnderWay]:
        """Stop every host, so that it leaves its log in order; returns the calls that were cut off."""
        self.stopping = True
        limit_s = self._settings.unresponsive_s + host_calls.STOP_S + (timeout_s or 0.0)
        stops = [host_calls.stop(host, timeout_s, limit_s) for host in self.hosts.values()]
        cut_off = await asyncio.gather(*stops)
        return [call for of_host in cut_off for call in of_host]
