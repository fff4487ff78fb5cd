"""Hosts of several versions: those that cannot read an event are drained if there are newer ones."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from share_actors.actors.hosting import host_calls
from share_actors.actors.ports import Host, HostLost
from share_actors.errors import Outdated, ShareActorsError, Unavailable
from share_actors.versions import OWN, Versions, mismatch

if TYPE_CHECKING:
    from share_actors.actors.hosting.supervisor import Supervisor

logger = logging.getLogger(__name__)
DRAIN_POLL_S, ANSWER_S = 0.1, 10.0
NEXT_STEP = (
    "Start the newer version on a node that can host it, or upgrade the node of one of these share actors;"
    " `share-actors upgrade show` lists the versions."
)


class Upgrades:
    """What each host tells of its version, and which versions are *outdated*: they cannot read some event.

    Outdated hosts get no entities while another can take them. One that met such an event is drained: it ends
    its driver calls, gives its entities up, and is restarted, by then perhaps in the newer version.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._told: dict[str, Versions] = {}
        self._pids: dict[str, int] = {}
        self._needs: dict[Versions, str] = {}
        """Of each outdated version: the event that it could not read."""
        self._draining: set[str] = set()

    async def look_at(self, name: str, host: Host, pid: int) -> None:
        """Ask *host* for its versions, once for each of its processes; see `Host.versions`."""
        if self._pids.get(name) == pid:
            return
        told = Versions.of(await host.versions())
        if (problem := mismatch(OWN, told, name)) is not None:
            logger.warning("%s", problem)
        self._told[name], self._pids[name] = told, pid
        self._mark()

    def _mark(self) -> None:
        for name in self._supervisor.hosts:
            self._supervisor.directory.set_outdated(
                name, outdated=self._version(name) in self._needs
            )

    async def ask(self, name: str, host: Host) -> bool:
        """Ask a *host* that could not activate an entity whether an event of a newer version is the cause.

        Returns whether another host may be able to activate it.
        """
        if needs := (await host.versions()).get("needs"):
            with suppress(Unavailable):  # there is no other: this one goes on with the rest
                self.note(name, Outdated(needs, needs=needs))
                return True
        return False

    def note(self, name: str, error: Outdated) -> None:
        """Note that host *name* cannot read an event, and drain it.

        Raises `Unavailable`, with the versions, if no living host of another version can take its entities.
        """
        if self._version(name) not in self._needs:
            logger.warning("share actor %s is outdated: %s", name, error.message)
        self._needs[self._version(name)] = str(error.details.get("needs", error.reason))
        self._mark()
        if not self._supervisor.directory.has_newer(name):
            raise self._no_newer(error)
        if name not in self._draining:
            self._draining.add(name)
            self._supervisor.spawn(self._drain(name))

    def _no_newer(self, error: Outdated) -> Unavailable:
        needs = error.details.get("needs", error.reason)
        hosts = sorted(
            name for name in self._supervisor.hosts if self._version(name) in self._needs
        )
        which = ", ".join(f"{name} {self._version(name).program}" for name in hosts)
        return Unavailable(
            f"{error.value} needs a newer version of share_actors: {needs}. No share actor that could host"
            f" it can read that: {which}",
            field="id",
            value=error.value,
            needs=needs,
            next_step=NEXT_STEP,
        )

    async def told(self) -> dict[str, dict[str, Any]]:
        """What each living host tells of its version, by name; one that does not answer counts as earlier."""
        alive = sorted(self._supervisor.directory.hosts)
        for name in alive:
            if name not in self._told:  # it has just joined
                with suppress(HostLost, TimeoutError):
                    async with asyncio.timeout(ANSWER_S):
                        self._told[name] = Versions.of(
                            await self._supervisor.hosts[name].versions()
                        )
        return {name: self._version(name).told() for name in alive}

    def _version(self, name: str) -> Versions:
        return self._told.get(name, Versions())

    def status(self, name: str) -> dict[str, Any]:
        """The part of a host's status: its version, and the event that it cannot read if it is outdated."""
        if name not in self._told:
            return {}
        needs = self._needs.get(self._told[name])
        return {"version": self._told[name].program} | ({"outdated": needs} if needs else {})

    async def _drain(self, name: str) -> None:
        """Have a host give up its entities, once they are not at work, and restart it."""
        supervisor, host = self._supervisor, self._supervisor.hosts.get(name)
        try:
            if host is None:  # it has ended meanwhile
                return
            with suppress(HostLost, ShareActorsError, TimeoutError):
                async with asyncio.timeout(supervisor.timings.drain_s):
                    while left := await host.leave():
                        if supervisor.directory.keep(name, left):
                            supervisor.host_lost.set()  # what is pending goes on elsewhere
                        await asyncio.sleep(DRAIN_POLL_S)
            supervisor.mark_lost(name)
            with suppress(TimeoutError):
                limit_s = supervisor.timings.recycle_timeout_s
                await asyncio.wait_for(host_calls.stop(host, None), limit_s)
            logger.warning("share actor %s has given up its shares; it is restarted", name)
            await host.restart()
        finally:
            self._draining.discard(name)
