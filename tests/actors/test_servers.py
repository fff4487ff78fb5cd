"""Shares on share servers: servers are set up for them, shared, and repaired after failures."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.effects.server_attachment import NETWORK, SERVER
from share_actors.errors import NotFound, ShareActorsError
from share_actors.events.share.messages import DeleteShare, RetryShare
from share_actors.events.share.snapshot.messages import CreateSnapshot
from share_actors.events.share_network import AddSecurityService
from share_actors.events.share_server import DeleteServer
from share_actors.values import SecurityService
from tests.actors.two_backend_system import (
    NET,
    TwoBackendSystem,
    nothing_left,
    running_system,
    servers_gone,
    settings,
)
from tests.waiting import until_async


# -- creating --------------------------------------------------------------------------------------
def test_a_share_on_a_network_gets_a_server_with_addresses_of_that_network(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        share = await system.create(share_network_id=NET)

        server = await system.server(share.share_server_id)
        assert (server.status, server.shares) == ("active", (share.id,))
        assert server.network_allocations == ("10.0.0.1", "10.0.0.2")
        assert system.served.servers()[server.id]["addresses"] == ["10.0.0.1", "10.0.0.2"]
        assert system.served.networks()[server.id]["addresses"] == ["10.0.0.1", "10.0.0.2"]
        assert system.served.shares()[share.id]["server"] == server.id
        assert share.host == "served#served"

    play(scenario, addresses=2)


def test_shares_that_are_created_together_share_one_server(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        shares = await asyncio.gather(*(system.create(share_network_id=NET) for _ in range(6)))

        assert len({share.share_server_id for share in shares}) == 1
        assert len(system.served.servers()) == 1
        assert len(system.served.calls("setup_server")) == 1

    play(scenario, delay_s=0.05)


def test_each_network_has_servers_of_its_own(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        await system.network("other", "10.1.0.0/28")
        share, other = await asyncio.gather(
            system.create(share_network_id=NET), system.create(share_network_id="other")
        )

        assert share.share_server_id != other.share_server_id
        assert (await system.server(other.share_server_id)).network_allocations == ("10.1.0.1",)

    play(scenario)


def test_shares_beyond_the_limit_of_a_server_get_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        config = settings(tmp_path)
        served = config.backends["served"].model_copy(update={"max_shares_per_server": 2})
        config = config.model_copy(update={"backends": {**config.backends, "served": served}})
        async with running_system(config) as system:
            await system.network()
            shares = [await system.create(share_network_id=NET) for _ in range(5)]
            assert len({share.share_server_id for share in shares}) == 3

    asyncio.run(scenario())


def test_a_share_from_a_snapshot_is_on_the_server_of_the_snapshot(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        first = await system.create("first", share_network_id=NET)
        await system.ask("first", CreateSnapshot(snapshot_id="snap"))
        source = await system.cluster.catalog.ask("snapshot", snapshot_id="snap")

        copy = await system.create(share_network_id=NET, source=source)

        assert copy.share_server_id == first.share_server_id

    play(scenario)


# -- secrets ---------------------------------------------------------------------------------------
def test_passwords_reach_the_driver_and_are_written_only_sealed(play: Any, tmp_path: Path) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        service = SecurityService(id="c1", type="ldap", password="hunter2-in-plain")
        await system.ask(f"{NETWORK}{NET}", AddSecurityService(service=service))
        share = await system.create(share_network_id=NET)

        server = await system.server(share.share_server_id)
        assert server.backend_details["admin_password"].startswith("sealed:")
        network = await system.view_network()
        assert str(network.security_services[0].password).startswith("sealed:")

    play(scenario)
    written = b"".join(f.read_bytes() for f in tmp_path.glob("*.db*"))
    assert b'{"sealed":"sealed:2:' in written
    assert b"hunter2-in-plain" not in written
    assert b"secret of" not in written


# -- failures --------------------------------------------------------------------------------------
def test_after_a_failed_set_up_the_server_is_torn_down_and_the_share_has_the_reason(
    play: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        answer = await system.create_reply("s1", share_network_id=NET)

        assert answer.status == "failed"
        assert "no memory for it" in str(answer.reason)
        await until_async(lambda: servers_gone(system))
        [server] = await system.servers("deleted")
        assert server.backend_details == {"half": server.id}
        assert server.status_reason == "no memory for it"
        assert [c.share_id for c in system.served.calls("teardown_server")] == [server.id]
        network = await system.view_network()
        assert (network.allocations, network.servers) == ({}, {})

        assert (await system.ask("s1", DeleteShare())).status == "done"

    play(scenario, fail={"setup_server": "no memory for it"})


def test_once_the_cause_of_a_failure_is_fixed_the_share_can_be_retried(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        await system.create_reply("s1", share_network_id=NET)
        fixed = settings(system.config.home)
        assert (await system.manager.reload(fixed))["changed"] == ["served"]

        assert (await system.ask("s1", RetryShare())).status == "done"

        share = await system.share("s1")
        assert share.status == "available"
        assert (await system.server(share.share_server_id)).status == "active"

    play(scenario, fail={"setup_server": "no memory for it"})


@pytest.mark.parametrize("method", ["allocate_network", "setup_server"])
@pytest.mark.parametrize("kind", ["transient", "bug"])
def test_a_call_that_fails_for_a_while_is_repeated(play: Any, method: str, kind: str) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        share = await system.create(share_network_id=NET)

        assert (await system.server(share.share_server_id)).status == "active"
        assert len(system.served.calls(method)) == 3

    play(scenario, **{kind: {method: 2}})


def test_after_a_failed_teardown_the_server_is_in_error_until_its_deletion_is_repeated(
    play: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        share = await system.create(share_network_id=NET)
        await system.ask(share.id, DeleteShare())
        address = f"{SERVER}{share.share_server_id}"

        assert (await system.ask(address, DeleteServer())).status == "failed"
        server = await system.server(share.share_server_id)
        assert (server.status, server.status_reason) == ("error", "stuck")
        assert (await system.view_network()).allocations[server.id] == server.network_allocations

        await system.manager.reload(settings(system.config.home))
        assert (await system.ask(address, DeleteServer())).status == "done"
        assert nothing_left(system)

    play(scenario, fail={"teardown_server": "stuck"})


def test_a_share_on_a_network_without_free_addresses_fails_and_leaks_none(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network(cidr="10.0.0.0/30")
        answer = await system.create_reply("s1", share_network_id=NET)

        assert "10.0.0.0/30 has 2 free addresses, and 3 are needed" in str(answer.reason)
        await until_async(lambda: servers_gone(system))
        network = await system.view_network()
        assert (network.allocations, network.servers, system.served.networks()) == ({}, {}, {})

    play(scenario, addresses=3)


def test_a_server_that_does_not_exist_is_not_found(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        with pytest.raises(NotFound, match="there is no share server nobody"):
            await system.ask(f"{SERVER}nobody", DeleteServer())
        with pytest.raises(ShareActorsError, match="is not the address of a share server"):
            await system.ask("what:ever", DeleteServer())

    play(scenario)


# -- lost hosts ------------------------------------------------------------------------------------
def test_shares_on_servers_are_completed_although_hosts_are_restarted_at_every_step(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with running_system(settings(tmp_path, servers={"delay_s": 0.03})) as system:
            await system.network()
            for n in range(6):
                making = asyncio.ensure_future(system.create(f"s{n}", share_network_id=NET))
                await asyncio.sleep(0.02 * n)
                for host in system.cluster.running.values():
                    if not host.is_lost:
                        await host.restart()
                await asyncio.sleep(0.4)
                share = await making
                assert (await system.server(share.share_server_id)).status == "active"
            assert len(system.served.servers()) == 1

            for n in range(6):
                await system.ask(f"s{n}", DeleteShare())
            [server] = await system.servers("active")
            await system.ask(f"{SERVER}{server.id}", DeleteServer())
            assert nothing_left(system)

    asyncio.run(asyncio.wait_for(scenario(), 60))
