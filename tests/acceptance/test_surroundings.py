"""Networks, servers, types, backends and managing, on a real system: by the client and the verbs."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import ray

from share_actors import NoValidHost, Refused, RequestContext, ShareHandle, sentence
from share_actors.client import ShareSystem
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.values import Share
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site, eventually, kill

CONTEXT = {"user_id": "alice", "project_id": "demo"}


@pytest.fixture(scope="module")
def site(new_sites: NewSite, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """One system with a backend of each mode, for the tests of this module."""
    home = tmp_path_factory.mktemp("backends")
    common = {"driver": "dummy", "backoff_s": 0.05, "max_backoff_s": 0.2}
    backends = {
        "plain": {**common, "options": {"directory": str(home / "plain"), "capacity_gib": 1000}},
        "served": {
            **common, "driver_handles_share_servers": True,
            "options": {"directory": str(home / "served"), "delay_s": 0.02},
        },
    }  # fmt: skip
    made = new_sites(backends=backends, hosting={"min_actors": 2, "max_actors": 2})
    made.config = made.config.model_copy(update={"default_backend": None})
    made.backends = home
    return made


@pytest.fixture
def system(site: Site) -> ShareSystem:
    return site.system


def served(site: Site) -> DummyBackend:
    return DummyBackend(site.backends / "served")


def plain(site: Site) -> DummyBackend:
    return DummyBackend(site.backends / "plain")


def on_servers(site: Site, name: str, cidr: str, count: int) -> list[ShareHandle]:
    network = site.system.networks.create(cidr=cidr, name=name)
    asked = [{"size": 1, "share_network_id": network.id} for _ in range(count)]
    made = site.system.create_shares(asked)
    assert all(isinstance(share, ShareHandle) for share in made), made
    return [share for share in made if isinstance(share, ShareHandle)]


def settled(share: ShareHandle) -> Share:
    return eventually(
        lambda: seen if (seen := share.refresh().seen).status == "available" else None
    )


# -- share servers -------------------------------------------------------------------------------
def test_shares_on_a_network_share_a_server_and_leave_nothing(
    site: Site, system: ShareSystem
) -> None:
    shares = on_servers(site, "blue", "10.0.0.0/28", 4)
    [server_id] = {share.seen.share_server_id for share in shares}
    assert server_id is not None
    with pytest.raises(Refused, match="ShareServerInUse"):
        system.servers.delete(server_id)
    for share in shares:
        share.delete()

    assert system.servers.delete(server_id).status == "deleted"

    assert system.networks.get("blue").allocations == {}
    assert server_id not in {**served(site).servers(), **served(site).networks()}
    told = [sentence(recorded) for recorded in system.servers.history(server_id)]
    assert told[-1] == "its addresses went back; it is gone"
    system.networks.delete("blue")


def test_a_kill_of_everything_in_the_middle_leaks_no_server_and_no_address(
    site: Site, system: ShareSystem
) -> None:
    network = system.networks.create(cidr="10.2.0.0/28", name="killed")
    asked = [{"size": 1, "share_network_id": network.id} for _ in range(6)]
    made = system.create_shares(asked, wait=False)
    for pid in (*site.share_actor_pids(), site.manager_pid()):
        kill(pid)

    shares = [settled(system.share(m.id)) for m in made if isinstance(m, ShareHandle)]
    assert len(shares) == 6
    [server_id] = {share.share_server_id for share in shares}
    assert system.servers.get(str(server_id)).shares != ()
    for share in shares:
        system.share(share.id).delete()
    system.servers.delete(str(server_id))
    known = system.networks.get("killed")
    assert (known.allocations, known.servers, known.shares) == ({}, {}, {})
    assert not {str(server_id)} & {**served(site).servers(), **served(site).networks()}.keys()


# -- types, placing, statistics ------------------------------------------------------------------
def test_a_type_and_its_backend_are_told_and_kept_in_the_event(system: ShareSystem) -> None:
    system.types.create("plain-only", {"driver_handles_share_servers": "False"})
    share = system.create_share(size=1, share_type="plain-only")

    placement = getattr(share.history()[0].event, "placement", None)
    assert placement is not None
    refused = {verdict.pool: list(verdict.refused) for verdict in placement.pools}
    assert refused == {"plain#plain": [], "served#served": ["share_servers"]}
    system.types.delete("plain-only")
    with pytest.raises(Exception, match="there is no share type plain-only"):
        system.create_share(size=1, share_type="plain-only")


def test_no_valid_host_tells_each_pools_reason(system: ShareSystem) -> None:
    with pytest.raises(NoValidHost) as nowhere:
        system.create_share(size=5000)

    assert "plain#plain: 5000 GiB do not fit" in nowhere.value.message
    assert "served#served: its shares are on share servers" in nowhere.value.message
    assert nowhere.value.exit_code == 7


def test_capabilities_are_told_and_watched(system: ShareSystem) -> None:
    told = system.capabilities()
    watching = system.capabilities(watch=True)

    assert {next(watching).backend, next(watching).backend} == {"plain", "served"} == set(told)
    published = system.backends.publish("plain")["plain"]
    assert next(watching) == published


def test_two_hundred_creations_at_once_fill_a_pool_of_one_hundred_exactly(
    new_site: NewSite,
) -> None:
    site = new_site()
    options = {"directory": str(site.backend.directory), "capacity_gib": 100}
    dummy = site.config.backends["dummy"].model_copy(update={"options": options})
    site.config = site.config.model_copy(update={"backends": {"dummy": dummy}})

    made = site.system.create_shares([{"size": 1}] * 200)

    assert sum(isinstance(share, ShareHandle) for share in made) == 100
    assert sum(isinstance(share, NoValidHost) for share in made) == 100
    assert len(site.backend.shares()) == 100


# -- managing ------------------------------------------------------------------------------------
def test_a_share_is_managed_and_let_go_by_the_client(site: Site, system: ShareSystem) -> None:
    assert system.preview_manage({"size": 3}, backend="plain") == {"size": 3}
    share = system.manage_share({"size": 3}, backend="plain", name="found")
    taken = share.manage_snapshot("/old/monday", "monday")
    assert (share.status, share.size, taken.status) == ("available", 3, "available")

    share.unmanage_snapshot(taken)
    share.unmanage()

    assert share.status == "unmanaged"
    assert share.id in plain(site).shares()
    assert not system.shares(name="found").items


# -- by Manila's verbs, from any Ray program -----------------------------------------------------
def test_the_verbs_of_the_manager_do_the_same(site: Site, system: ShareSystem) -> None:
    def ask(verb: str, *args: Any, **more: Any) -> Any:
        return ray.get(getattr(system.manager, verb).remote(CONTEXT, *args, **more))

    managed = ask("manage_share", "by-verb", {"size": 2}, backend="plain", wait=True)
    assert managed["status"] == "done"
    assert ask("unmanage_share", "by-verb", wait=True)["status"] == "done"
    told = ask("publish_service_capabilities")
    assert {name: published.reason for name, published in told.items()} == {
        "plain": None,
        "served": None,
    }
    manager: Any = system.manager
    assert set(ray.get(manager.init_host.remote())) == {"plain", "served"}

    [share] = on_servers(site, "verbs", "10.3.0.0/28", 1)
    server_id = share.seen.share_server_id
    share.delete()
    assert ask("delete_free_share_servers") == []
    assert ask("delete_share_server", {"id": server_id}, wait=True)["status"] == "done"


def test_hints_come_as_manila_sends_them(system: ShareSystem) -> None:
    hints = {"scheduler_hints": {"different_host": ["plain-share"]}}
    ask = system.manager.create_share.remote
    ray.get(ask(CONTEXT, "plain-share", {"size": 1}, wait=True))
    with pytest.raises(Exception, match="different_host: share"):
        ray.get(ask(CONTEXT, "other", {"size": 1}, hints, wait=True))


# -- going on with other settings ----------------------------------------------------------------
def test_a_reload_outlives_the_actors_that_it_reached(new_site: NewSite) -> None:
    site = new_site()
    before = site.config.backends["dummy"]
    extra = before.model_copy(update={"options": {"capacity_gib": 5}})
    now = site.config.model_copy(update={"backends": {"dummy": before, "extra": extra}})
    assert site.system.backends.reload(now)["added"] == ["extra"]
    for pid in (*site.share_actor_pids(), site.manager_pid()):
        kill(pid)

    share = site.system.create_share(size=1, backend="extra")

    assert share.seen.host == "extra#extra"


def test_the_asynchronous_client_has_the_same(site: Site) -> None:
    async def story() -> tuple[str, list[str]]:
        from share_actors.client import aio

        context = RequestContext(user_id="bob")
        system = await aio.connect(namespace=site.config.namespace, context=context)
        network = await system.networks.create(cidr="10.4.0.0/29", name="aio")
        await system.networks.delete("aio")
        told = await system.capabilities()
        return (await system.networks.get(network.id)).status, sorted(told)

    assert asyncio.run(story()) == ("deleted", ["plain", "served"])


def test_nothing_secret_is_in_the_files_of_the_system(site: Site, system: ShareSystem) -> None:
    network = system.networks.create(cidr="10.5.0.0/29", name="secret")
    system.networks.add_security_service("secret", type="ldap", password="in-plain-sight")
    share = system.create_share(size=1, share_network_id=network.id)
    share.delete()

    files = [f for f in site.home.iterdir() if ".db" in f.name]
    assert files
    assert not [f.name for f in files if b"in-plain-sight" in f.read_bytes()]
    history = json.dumps(
        [r.event.model_dump(mode="json") for r in system.networks.history("secret")]
    )
    assert "sealed:1:" in history
