"""Networks, servers, types, backends, and manage, on a real system: by the client and by Manila's verbs."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
import ray

from share_actors import NoValidHost, Refused, RequestContext, ShareHandle, sentence
from share_actors.client import ShareSystem
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.values import Share
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site, eventually, kill

CONTEXT = {"user_id": "alice", "project_id": "demo", "is_admin": True}


@pytest.fixture(scope="module")
def site(new_sites: NewSite, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """One system with a backend of each mode, for the tests of this module."""
    home = tmp_path_factory.mktemp("backends")
    common = {"driver": "dummy", "backoff_s": 0.05, "max_backoff_s": 0.2}
    backends = {
        "plain": {**common, "options": {"directory": str(home / "plain"), "capacity_gib": 1000}},
        "served": {
            **common,
            "driver_handles_share_servers": True,
            "options": {"directory": str(home / "served"), "delay_s": 0.02},
        },
    }
    site = new_sites(backends=backends, hosting={"min_actors": 2, "max_actors": 2})
    site.config = site.config.model_copy(update={"default_backend": None})
    site.backends = home
    eventually(lambda: site.system.capabilities().keys() == backends.keys())
    return site


@pytest.fixture
def system(site: Site) -> ShareSystem:
    return site.system


def served(site: Site) -> DummyBackend:
    return DummyBackend(site.backends / "served")


def plain(site: Site) -> DummyBackend:
    return DummyBackend(site.backends / "plain")


def on_servers(site: Site, name: str, cidr: str, count: int) -> list[ShareHandle]:
    network = site.system.networks.create(cidr=cidr, name=name)
    requests = [{"size": 1, "share_network_id": network.id} for _ in range(count)]
    results = site.system.create_shares(requests)
    assert all(isinstance(result, ShareHandle) for result in results), results
    return [result for result in results if isinstance(result, ShareHandle)]


def settled(share: ShareHandle) -> Share:
    return eventually(
        lambda: seen if (seen := share.refresh().seen).status == "available" else None
    )


# -- share servers -------------------------------------------------------------------------------
def test_shares_on_a_network_share_a_server_and_deleting_all_leaves_nothing(
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
    sentences = [sentence(recorded) for recorded in system.servers.history(server_id)]
    assert sentences[-1] == "its addresses were released; it is deleted"
    system.networks.delete("blue")


def test_killing_all_actors_during_creations_leaks_no_server_and_no_address(
    site: Site, system: ShareSystem
) -> None:
    network = system.networks.create(cidr="10.2.0.0/28", name="killed")
    requests = [{"size": 1, "share_network_id": network.id} for _ in range(6)]
    created = system.create_shares(requests, wait=False)
    for pid in (*site.share_actor_pids(), site.manager_pid()):
        kill(pid)

    shares = [settled(system.share(m.id)) for m in created if isinstance(m, ShareHandle)]
    assert len(shares) == 6
    [server_id] = {share.share_server_id for share in shares}
    assert system.servers.get(str(server_id)).shares != ()
    for share in shares:
        system.share(share.id).delete()
    system.servers.delete(str(server_id))
    network = system.networks.get("killed")
    assert (network.allocations, network.servers, network.shares) == ({}, {}, {})
    assert not {str(server_id)} & {**served(site).servers(), **served(site).networks()}.keys()


# -- types, placing, statistics ------------------------------------------------------------------
def test_the_verdict_on_each_pool_for_a_share_type_is_kept_in_the_event(
    system: ShareSystem,
) -> None:
    system.types.create("plain-only", {"driver_handles_share_servers": "False"})
    share = system.create_share(size=1, share_type="plain-only")

    placement = getattr(share.history()[0].event, "placement", None)
    assert placement is not None
    refused = {verdict.pool: list(verdict.refused) for verdict in placement.pools}
    assert refused == {"plain#plain": [], "served#served": ["share_servers"]}
    system.types.delete("plain-only")
    with pytest.raises(Exception, match="there is no share type plain-only"):
        system.create_share(size=1, share_type="plain-only")


def test_no_valid_host_has_the_reason_of_each_pool(system: ShareSystem) -> None:
    with pytest.raises(NoValidHost) as nowhere:
        system.create_share(size=5000)

    assert "plain#plain: 5000 GiB do not fit" in nowhere.value.message
    assert "served#served: its shares are on share servers" in nowhere.value.message
    assert nowhere.value.exit_code == 7


def test_capabilities_are_returned_and_watched(system: ShareSystem) -> None:
    reports = system.capabilities()
    watching = system.capabilities(watch=True)

    assert {next(watching).backend, next(watching).backend} == {"plain", "served"} == set(reports)
    published = system.backends.publish("plain")["plain"]
    assert next(watching) == published


def test_two_hundred_concurrent_creations_fill_a_pool_of_one_hundred_exactly(
    new_site: NewSite,
) -> None:
    site = new_site()
    options = {"directory": str(site.backend.directory), "capacity_gib": 100}
    dummy = site.config.backends["dummy"].model_copy(update={"options": options})
    site.config = site.config.model_copy(update={"backends": {"dummy": dummy}})

    results = site.system.create_shares([{"size": 1}] * 200)

    assert sum(isinstance(result, ShareHandle) for result in results) == 100
    assert sum(isinstance(result, NoValidHost) for result in results) == 100
    assert len(site.backend.shares()) == 100


# -- managing ------------------------------------------------------------------------------------
def test_a_share_and_a_snapshot_are_managed_and_unmanaged(site: Site, system: ShareSystem) -> None:
    assert system.preview_manage({"size": 3}, backend="plain") == {"size": 3}
    share = system.manage_share({"size": 3}, backend="plain", name="managed")
    taken = share.manage_snapshot("/old/monday", "monday")
    assert (share.status, share.size, taken.status) == ("available", 3, "available")

    share.unmanage_snapshot(taken)
    share.unmanage()

    assert share.status == "unmanaged"
    assert share.id in plain(site).shares()
    assert not system.shares(name="managed").items


# -- by Manila's verbs, from any Ray program -----------------------------------------------------
def test_the_verbs_of_the_manager_manage_shares_and_delete_servers(
    site: Site, system: ShareSystem
) -> None:
    def ask(verb: str, *args: Any, **more: Any) -> Any:
        return ray.get(getattr(system.manager, verb).remote(CONTEXT, *args, **more))

    by_verb = str(uuid4())
    managed = ask("manage_share", by_verb, {"size": 2}, backend="plain", wait=True)
    assert managed["status"] == "done"
    assert ask("unmanage_share", by_verb, wait=True)["status"] == "done"
    reports = ask("publish_service_capabilities")
    assert {name: report.reason for name, report in reports.items()} == {
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


def test_scheduler_hints_are_accepted_in_manilas_form(system: ShareSystem) -> None:
    plain_share, other = str(uuid4()), str(uuid4())
    hints = {"scheduler_hints": {"different_host": [plain_share]}}
    ask = system.manager.create_share.remote
    ray.get(ask(CONTEXT, plain_share, {"size": 1}, wait=True))
    with pytest.raises(Exception, match="different_host: share"):
        ray.get(ask(CONTEXT, other, {"size": 1}, hints, wait=True))


# -- going on with other settings ----------------------------------------------------------------
def test_reloaded_settings_are_kept_when_all_actors_are_restarted(new_site: NewSite) -> None:
    site = new_site()
    before = site.config.backends["dummy"]
    extra = before.model_copy(update={"options": {"capacity_gib": 5}})
    now = site.config.model_copy(update={"backends": {"dummy": before, "extra": extra}})
    assert site.system.backends.reload(now)["added"] == ["extra"]
    for pid in (*site.share_actor_pids(), site.manager_pid()):
        kill(pid)

    share = site.system.create_share(size=1, backend="extra")

    assert share.seen.host == "extra#extra"


def test_the_asynchronous_client_has_the_same_collections(site: Site) -> None:
    async def scenario() -> tuple[str, list[str]]:
        from share_actors.client import aio

        context = RequestContext(user_id="bob", is_admin=True)
        system = await aio.connect(namespace=site.config.namespace, context=context)
        network = await system.networks.create(cidr="10.4.0.0/29", name="aio")
        await system.networks.delete("aio")
        reports = await system.capabilities()
        return (await system.networks.get(network.id)).status, sorted(reports)

    assert asyncio.run(scenario()) == ("deleted", ["plain", "served"])


def test_no_file_of_the_system_has_a_password_in_plain(site: Site, system: ShareSystem) -> None:
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
    assert '{"sealed": "sealed:2:' in history
