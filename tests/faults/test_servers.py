"""Shares on share servers while their hosts die: no server, address or share leaks."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.effects.server_attachment import SERVER
from share_actors.config import Config
from share_actors.errors import NotFound, Refused
from share_actors.events.share.messages import DeleteShare
from share_actors.events.share_server import DeleteServer
from tests.actors.two_backend_system import TwoBackendSystem, running_system, settings
from tests.waiting import until_async

NETWORKS = {"n0": "10.0.0.0/28", "n1": "10.1.0.0/28"}
FAULTS: tuple[dict[str, Any], ...] = (
    {},
    {"transient": {"setup_server": 1, "allocate_network": 1}},
    {"bug": {"teardown_server": 1, "create_share": 1}},
    {"fail": {"setup_server": "no memory"}},
    {"refuse_access_to": ["x"], "transient": {"deallocate_network": 2, "delete_share": 1}},
)


@pytest.mark.parametrize("seed", range(len(FAULTS)))
def test_deaths_of_hosts_and_driver_faults_leak_no_server_address_or_share(
    tmp_path: Path, seed: int
) -> None:
    faults = {"delay_s": 0.005, **FAULTS[seed % len(FAULTS)]}

    async def scenario() -> None:
        async with running_system(settings(tmp_path, servers=faults)) as system:
            for name, cidr in NETWORKS.items():
                await system.network(name, cidr)
            await Chaos(system, random.Random(seed)).play()
            assert await until_async(lambda: settled(system), 30) == ["nothing"]

    asyncio.run(asyncio.wait_for(scenario(), 90))


@pytest.mark.parametrize("seed", range(4))
def test_hosts_declared_dead_that_still_write_leave_no_share_on_two_servers(
    tmp_path: Path, seed: int
) -> None:
    async def scenario() -> None:
        async with running_system(small_servers(tmp_path)) as system:
            for name, cidr in NETWORKS.items():
                await system.network(name, cidr)
            await Overtaken(system, random.Random(seed)).play()
            with suppress(TimeoutError):
                await until_async(lambda: agree(system), 30)
            assert await differences(system) == set()

    asyncio.run(asyncio.wait_for(scenario(), 90))


def small_servers(home: Path) -> Config:
    """Settings with four shares per server; a server is deleted with its last share."""
    base = settings(home, servers={"delay_s": 0.02, "transient": {"setup_server": 1}})
    more = {"delete_server_with_last_share": True, "max_shares_per_server": 4}
    served = base.backends["served"].model_copy(update=more)
    return base.model_copy(update={"backends": {**base.backends, "served": served}})


class Chaos:
    """Creates and deletes a dozen shares on two networks, deletes idle servers, and kills hosts meanwhile."""

    def __init__(self, system: TwoBackendSystem, rng: random.Random) -> None:
        self._system, self._rng = system, rng

    async def play(self) -> None:
        killing = asyncio.ensure_future(self._kill())
        await asyncio.gather(*(self._live(f"s{n}") for n in range(12)))
        killing.cancel()

    async def _live(self, share_id: str) -> None:
        await asyncio.sleep(self._rng.uniform(0, 0.5))
        network = self._rng.choice(list(NETWORKS))
        made = await self._system.create_reply(share_id, share_network_id=network)
        await asyncio.sleep(self._rng.uniform(0, 0.3))
        if made.status == "failed" or self._rng.random() < 0.7:
            await self._system.ask(share_id, DeleteShare())
        for server in await self._system.servers("active"):
            if self._rng.random() < 0.3:
                await self._end(server.id)

    async def _end(self, server_id: str) -> None:
        try:
            await self._system.ask(f"{SERVER}{server_id}", DeleteServer())
        except Refused:
            return

    async def _kill(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(0.1, 0.4))
            host = self._rng.choice(list(self._system.cluster.running.values()))
            if not host.is_lost:
                await host.restart()


class Overtaken(Chaos):
    """Deletes shares while they are created; hosts that were declared dead continue to write."""

    async def _live(self, share_id: str) -> None:
        for n in range(3):
            making = asyncio.ensure_future(self._make(f"{share_id}-{n}"))
            await asyncio.sleep(self._rng.uniform(0, 0.5))
            if self._rng.random() < 0.7:
                with suppress(NotFound):
                    await self._system.ask(f"{share_id}-{n}", DeleteShare())
            await making

    async def _make(self, share_id: str) -> None:
        with suppress(Refused):  # it is being deleted
            network = self._rng.choice(list(NETWORKS))
            await self._system.create_reply(share_id, share_network_id=network)

    async def _kill(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(0.1, 0.5))
            host = self._rng.choice(list(self._system.cluster.running.values()))
            if not host.is_lost:
                host.cut_off()
                asyncio.get_running_loop().call_later(0.2, host.start)


async def agree(system: TwoBackendSystem) -> bool:
    return not await differences(system)


async def differences(system: TwoBackendSystem) -> set[str]:
    """The differences between shares, servers and networks."""
    servers = await system.servers()
    networks = [await system.view_network(name) for name in NETWORKS]
    page = await system.cluster.catalog.ask("shares", limit=1000)
    on = {f"{s.id} on {s.share_server_id}" for s in page.items if s.status != "error"}
    attached = {f"{share} on {s.id}" for s in servers for share in s.shares}
    meant = {f"{share} on {i}" for n in networks for share, i in n.shares.items()}
    seats = {f"{i} open" for n in networks for i, seat in n.servers.items() if seat.open}
    active = {f"{s.id} open" for s in servers if s.status == "active"}
    others = {f"{s.id} {s.status}" for s in servers if s.status not in ("active", "deleted")}
    failed = {f"{s.id}: {s.status_reason}" for s in page.items if s.status == "error"}
    differing = {"server": on ^ attached, "network": on ^ meant, "seat": seats ^ active}
    told = {f"{what}: {one}" for what, several in differing.items() for one in several}
    return told | others | failed


async def settled(system: TwoBackendSystem) -> list[str]:
    """`["nothing"]` once all work has settled and servers, addresses and shares match the log."""
    servers = await system.servers() + await system.servers("error")
    if [s for s in servers if s.status in ("creating", "deleting")]:
        return []
    active = {s.id: s for s in servers if s.status in ("active", "error")}
    networks = [await system.view_network(name) for name in NETWORKS]
    granted = {i: a for network in networks for i, a in network.allocations.items()}
    page = await system.cluster.catalog.ask("shares", limit=1000)
    on = {s.id: s.share_server_id for s in page.items if s.status == "available"}
    taken = {i: tuple(held["addresses"]) for i, held in system.served.networks().items()}
    same = (
        granted == {i: s.network_allocations for i, s in active.items()} == taken
        and system.served.servers().keys() == active.keys()
        and {i: h["server"] for i, h in system.served.shares().items()} == on
        and {share: s.id for s in active.values() for share in s.shares} == on
        and {share: i for n in networks for share, i in n.shares.items()} == on
    )
    return ["nothing"] if same else []
