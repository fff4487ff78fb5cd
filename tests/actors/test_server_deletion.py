"""Share servers whose shares are gone are torn down and leak nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.effects import server_attachment
from share_actors.actors.effects.server_attachment import NETWORK, SERVER
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.config import BackendSettings
from share_actors.drivers.base import DriverError
from share_actors.errors import Refused
from share_actors.events.share.messages import DeleteShare
from share_actors.events.share.state import ShareState, initial
from share_actors.events.share_network import DeleteShareNetwork, UnassignShare
from share_actors.events.share_server import DeleteServer, DetachShare
from share_actors.values import RequestContext, Share
from tests.actors.two_backend_system import (
    NET,
    TwoBackendSystem,
    nothing_left,
    running_system,
    servers_gone,
    settings,
)
from tests.waiting import until_async


def test_a_server_whose_share_is_deleted_can_be_deleted_and_gives_its_addresses_back(
    play: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        share = await system.create(share_network_id=NET)
        server = f"{SERVER}{share.share_server_id}"
        with pytest.raises(Refused, match="ShareServerInUse"):
            await system.ask(server, DeleteServer())
        with pytest.raises(Refused, match="in use by shares"):
            await system.ask(f"{NETWORK}{NET}", DeleteShareNetwork())

        await system.ask(share.id, DeleteShare())
        await system.ask(server, DeleteServer())

        assert nothing_left(system)
        network = await system.view_network()
        assert (network.allocations, network.servers, network.shares) == ({}, {}, {})
        await system.ask(f"{NETWORK}{NET}", DeleteShareNetwork())

    play(scenario)


def test_a_server_is_deleted_with_its_last_share_if_so_configured(tmp_path: Path) -> None:
    async def scenario() -> None:
        config = settings(tmp_path)
        served = config.backends["served"].model_copy(
            update={"delete_server_with_last_share": True}
        )
        config = config.model_copy(update={"backends": {**config.backends, "served": served}})
        async with running_system(config) as system:
            await system.network()
            shares = [await system.create(share_network_id=NET) for _ in range(2)]
            await system.ask(shares[0].id, DeleteShare())
            assert len(await system.servers("active")) == 1

            await system.ask(shares[1].id, DeleteShare())
            await until_async(lambda: servers_gone(system))
            assert nothing_left(system)

    asyncio.run(scenario())


def test_servers_unused_for_long_are_deleted_and_others_stay(tmp_path: Path) -> None:
    async def scenario() -> None:
        config = settings(tmp_path)
        async with running_system(config) as system:
            await system.network()
            await system.network("other", "10.1.0.0/28")
            going, staying = await asyncio.gather(
                system.create(share_network_id=NET), system.create(share_network_id="other")
            )
            await system.ask(going.id, DeleteShare())
            assert await system.manager.delete_free_share_servers() == []

            at_once = config.servers.model_copy(update={"unused_minutes": 0})
            system.manager._periodic_tasks.config = config.model_copy(update={"servers": at_once})
            assert await system.manager.delete_free_share_servers() == [going.share_server_id]

            await until_async(lambda: len(system.served.servers()) == 1)
            assert (await system.server(staying.share_server_id)).status == "active"
            history = await system.cluster.history(f"{SERVER}{going.share_server_id}")
            assert any(getattr(r.event, "why", None) == "unused" for r in history)

    asyncio.run(scenario())


def test_a_share_created_while_its_server_is_deleted_gets_another(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        for _ in range(6):
            share = await system.create(share_network_id=NET)
            await system.ask(share.id, DeleteShare())
            going = asyncio.ensure_future(
                system.ask(f"{SERVER}{share.share_server_id}", DeleteServer())
            )
            await asyncio.sleep(0)
            arrived = await system.create(share_network_id=NET)
            [result] = await asyncio.gather(going, return_exceptions=True)

            server = await system.server(arrived.share_server_id)
            assert server.status == "active"
            kept = arrived.share_server_id == share.share_server_id
            assert isinstance(result, Refused) == kept
            await system.ask(arrived.id, DeleteShare())

    play(scenario)


def stale_arguments(
    system: TwoBackendSystem, share_id: str
) -> tuple[EntityClient, ShareState, BackendSettings]:
    """The arguments of an `acquire` for that share by a process whose state is out of date."""
    share = Share(id=share_id, project_id="demo", host="served#served", share_network_id=NET)
    backend = system.config.backends["served"]
    return EntityClient(lambda: system.manager), initial.replace(share=share), backend


def test_a_late_acquire_of_a_detached_share_does_not_close_the_server_to_others(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        share = await system.create(share_network_id=NET)
        server = f"{SERVER}{share.share_server_id}"
        await system.ask(server, DetachShare(share_id="gone"))

        with pytest.raises(DriverError, match="share gone has left the share server"):
            await server_attachment.acquire(*stale_arguments(system, "gone"), RequestContext())

        assert (await system.view_network()).servers[str(share.share_server_id)].open
        assert (await system.create(share_network_id=NET)).share_server_id == share.share_server_id

    play(scenario)


def test_a_share_detached_during_the_set_up_does_not_close_the_server_to_others(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        first = asyncio.ensure_future(system.create(share_network_id=NET))
        [server] = await until_async(lambda: system.servers("creating"))
        acquiring = asyncio.ensure_future(
            server_attachment.acquire(*stale_arguments(system, "gone"), RequestContext())
        )
        await until_async(lambda: is_attached(system, server.id, "gone"))
        await system.ask(f"{SERVER}{server.id}", DetachShare(share_id="gone"))

        with pytest.raises(DriverError, match="the share left the server"):
            await acquiring
        assert (await system.view_network()).servers[server.id].open
        assert (await first).share_server_id == server.id

    play(scenario, delay_s=0.3)


async def is_attached(system: TwoBackendSystem, server_id: str, share_id: str) -> bool:
    return share_id in (await system.server(server_id)).shares


def test_a_deleted_share_is_detached_from_its_server_even_if_its_network_has_forgotten_it(
    play: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        share = await system.create(share_network_id=NET)
        await system.ask(f"{NETWORK}{NET}", UnassignShare(share_id=share.id))
        await system.ask(share.id, DeleteShare())

        assert (await system.server(share.share_server_id)).shares == ()

    play(scenario)
