"""A program that uses every method of the client; it is not run.

`test_installed_package.py` checks it with mypy. Each function uses all public members of the class of its
parameter.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import assert_type

import ray

import share_actors
from share_actors import (
    AccessRule,
    BackendDifference,
    BackendReport,
    CapacityPoint,
    Config,
    DataSubject,
    EntityExplanation,
    Explanation,
    Forgetting,
    Page,
    Receipt,
    RequestContext,
    ResourceLock,
    SecurityService,
    Share,
    ShareActorsError,
    ShareChange,
    ShareClient,
    ShareHandle,
    ShareNetwork,
    ShareRule,
    ShareServer,
    ShareSystem,
    ShareType,
    ShareUsage,
    Snapshot,
    SnapshotPolicy,
    SnapshotSchedule,
    sentence,
)
from share_actors.client import aio
from share_actors.client.aio import AsyncShare, AsyncShareSystem
from share_actors.client.backends import AsyncBackendCollection
from share_actors.client.bulk.batch import AsyncBulk
from share_actors.client.bulk.results import BulkResult
from share_actors.client.entities import (
    AsyncShareNetworkCollection,
    AsyncShareServerCollection,
    AsyncShareTypeCollection,
)
from share_actors.client.manager import Manager
from share_actors.client.nodes import AsyncNodeCollection, NodeCollection
from share_actors.client.policies import (
    AsyncSnapshotPolicyCollection,
    SnapshotPolicyCollection,
)
from share_actors.client.quotas import AsyncQuotaCollection
from share_actors.client.results import (
    BackendChanges,
    ForgottenNode,
    HandledEntities,
    ManagePreview,
    MarkedNode,
    MovedBackend,
    NodeDrain,
    NodeStatus,
    ShareLocation,
    SystemStatus,
    SystemVersions,
)
from share_actors.client.share.actor import ShareActor
from share_actors.client.subjects import AsyncSubjectCollection, SubjectCollection
from share_actors.client.sync.bulk import Bulk
from share_actors.client.sync.entities import (
    BackendCollection,
    ShareNetworkCollection,
    ShareServerCollection,
    ShareTypeCollection,
)
from share_actors.client.sync.quotas import QuotaCollection
from share_actors.events.envelope import Recorded
from share_actors.values import BackendState, Counts, Quota, QuotaLimits, QuotaUsage, QuotaUse


# -- functions -----------------------------------------------------------------------------------
def use_functions() -> None:
    bob = RequestContext(user_id="bob", project_id="web")
    config = share_actors.load("site.toml")
    assert_type(config, Config)
    with share_actors.start(config, context=bob) as system:
        assert_type(system, ShareSystem)
    assert_type(share_actors.connect("auto", namespace="share-actors", context=bob), ShareSystem)


async def use_asynchronous_functions() -> None:
    async with await aio.start(Config()) as system:
        assert_type(system, AsyncShareSystem)
    assert_type(await aio.connect(namespace="share-actors"), AsyncShareSystem)


# -- the synchronous client ----------------------------------------------------------------------
def use_system(system: ShareSystem) -> None:
    assert_type(system.config, Config)
    assert_type(system.context, RequestContext)
    assert_type(system.as_user(RequestContext(user_id="eve")), ShareSystem)
    assert_type(system.manager, Manager)
    assert_type(ray.get(system.manager.where.remote("share-1")), object)
    assert_type(system.networks, ShareNetworkCollection)
    assert_type(system.servers, ShareServerCollection)
    assert_type(system.types, ShareTypeCollection)
    assert_type(system.backends, BackendCollection)
    assert_type(system.bulk, Bulk)
    assert_type(system.subjects, SubjectCollection)
    assert_type(system.nodes, NodeCollection)
    assert_type(system.quotas, QuotaCollection)
    assert_type(system.snapshot_policies, SnapshotPolicyCollection)
    assert_type(system.subjects.list(), Sequence[DataSubject])
    assert_type(system.subjects.forget("user:alice", dry_run=True), Forgetting)
    assert_type(system.capabilities(), dict[str, BackendReport])
    assert_type(system.capabilities(watch=True), Iterator[BackendReport])
    assert_type(system.init_host("fast"), dict[str, BackendReport])

    share = system.create_share(
        size=1,
        name="projects",
        protocol="NFS",
        description="for everybody",
        backend="fast",
        metadata={"owner": "web"},
        is_public=True,
        availability_zone="nova",
        share_type="gold",
        share_network_id="network-1",
        snapshot_id="snapshot-1",
        same_host=["share-1"],
        different_host="share-2,share-3",
        share_id="share-4",
        wait=False,
        timeout=10.0,
        command_id="create-share-4",
    )
    assert_type(share, ShareHandle)
    created = system.create_shares([{"size": 1}, {"size": 2, "name": "b"}], wait=True, timeout=9)
    assert_type(created, list[ShareHandle | ShareActorsError])
    preview = system.preview_manage({"path": "old"}, backend="fast", protocol="NFS")
    assert_type(preview, ManagePreview)
    assert_type(preview["size"], int)
    managed = system.manage_share(
        {"path": "old"}, backend="fast", name="old", share_server_id="server-1", wait=False
    )
    assert_type(managed, ShareHandle)

    assert_type(system.share("projects"), ShareHandle)
    assert_type(system.actor("share-1"), ShareActor)
    page = system.shares(name="a", status="available", project_id="p", backend="fast", limit=9)
    assert_type(page, Page[ShareHandle])
    assert_type(page.items, tuple[ShareHandle, ...])
    assert_type(system.shares(marker=page.next_marker).next_marker, str | None)
    assert_type(system.count_shares(status="error"), Counts)
    assert_type(system.snapshots(share_id="share-1", limit=1), Page[Snapshot])
    assert_type(system.snapshot("snapshot-1"), Snapshot)
    rules = system.rules(share_id="share-1", state="active")
    assert_type(rules, Page[ShareRule])
    assert_type(rules.items[0].share_id, str)

    receipt = system.receipt("create-share-4", "share-4")
    assert_type(receipt, Receipt)
    assert_type(system.wait(receipt, timeout=1.0).share, Share | None)
    waited = system.wait_for_shares([share, "share-2"], "available", timeout=1.0)
    assert_type(waited, list[ShareHandle | ShareActorsError])
    assert_type(system.watch_shares(status="error", backend="fast"), Iterator[ShareChange])
    status = system.status()
    assert_type(status, SystemStatus)
    assert_type(status["manager"]["backends"]["fast"]["reason"], str | None)
    assert_type(status["catalog"]["shares"], dict[str, int])
    assert_type(system.where("share-1"), ShareLocation)
    assert_type([sentence(recorded) for recorded in system.history("share-1")], list[str])
    assert_type(system.events(7, kind="share.created", project=None), Iterator[Recorded])
    assert_type(system.versions(), SystemVersions)
    assert_type(system.finish_upgrade(), bool)
    assert_type(system.rebuild_catalog(), int)
    assert_type(system.rebuild_progress(), tuple[int, int] | None)
    assert_type(system.unpark("share-1"), bool)
    system.stop(timeout=1.0)
    system.close()


def use_share(share: ShareHandle) -> None:
    assert_type(share.id, str)
    assert_type(share.seen, Share)
    assert_type(share.receipt, Receipt | None)
    assert_type(share.name, str | None)
    assert_type(share.status, str)
    assert_type(share.status_reason, str | None)
    assert_type(share.size, int)
    assert_type(share.export_locations, tuple[str, ...])
    assert_type(share.access_rules, tuple[AccessRule, ...])
    assert_type(share.snapshots, tuple[Snapshot, ...])
    assert_type(share.refresh(), ShareHandle)
    assert_type(share.wait_for("available", timeout=1.0), ShareHandle)
    for change in share.watch():
        assert_type(change, ShareChange)
        assert_type(change.share, Share)
        assert_type(change.before, Share | None)
        assert_type(change.fields, tuple[str, ...])

    rule = share.allow_access("10.0.0.0/24", type="ip", level="ro", wait=False, timeout=1.0)
    assert_type(rule, AccessRule)
    share.deny_access(rule, command_id="deny-1")
    snapshot = share.create_snapshot("monday", wait=True)
    assert_type(snapshot, Snapshot)
    reader = share.allow_snapshot_access(snapshot, "10.0.0.0/24", type="ip", level="ro", wait=False)
    assert_type(reader, AccessRule)
    share.deny_snapshot_access(snapshot.id, reader, timeout=1.0)
    assert_type(snapshot.access_rules, tuple[AccessRule, ...])
    share.delete_snapshot(snapshot.id)
    options: dict[str, object] = {"force": True}
    assert_type(share.manage_snapshot("old", "monday", driver_options=options), Snapshot)
    share.unmanage_snapshot(snapshot)
    assert_type(share.set(name="archive", is_public=False, metadata={"k": "v"}), ShareHandle)
    assert_type(share.unset(description=True, metadata=["k"], wait=False), ShareHandle)
    assert_type(share.extend(2), ShareHandle)
    assert_type(share.shrink(1), ShareHandle)
    assert_type(share.revert_to(snapshot), ShareHandle)
    assert_type(share.retry(wait=False), ShareHandle)
    assert_type(share.reapply(wait=False), ShareHandle)
    assert_type(share.unmanage(), ShareHandle)
    share.forget_snapshot(snapshot, "lost")
    assert_type(share.forget("lost", timeout=1.0), ShareHandle)
    assert_type(share.delete(cascade=True), ShareHandle)
    assert_type(share.delete(after=timedelta(days=7)), ShareHandle)
    assert_type(share.restore(timeout=1.0), ShareHandle)
    assert_type(share.lock("payroll", rule="rule-1", by_admin=True), ResourceLock)
    assert_type(share.locks, tuple[ResourceLock, ...])
    assert_type(share.unlock("lock-1", by_admin=True), ShareHandle)
    assert_type(share.history(), list[Recorded])
    assert_type(share.clients(), Sequence[ShareClient])
    usage = share.usage()
    assert_type(usage, ShareUsage)
    assert_type(usage.percent, float)
    assert_type(share.explain(), Explanation)


def use_share_actor(actor: ShareActor) -> None:
    assert_type(actor.id, str)
    assert_type(ray.get(actor.show.remote()), Share)
    assert_type(ray.get(actor.wait_for.remote("available", timeout=1.0)), Share)
    allowing = actor.allow_access.options(command_id="allow-1", timeout=9.0, wait=False)
    rule = ray.get(allowing.remote("10.0.0.0/24", type="ip", level="ro"))
    assert_type(rule, AccessRule)
    assert_type(ray.get(actor.deny_access.remote(rule, timeout=1.0)), None)
    snapshot = ray.get(actor.create_snapshot.remote("monday"))
    assert_type(snapshot, Snapshot)
    reader = ray.get(actor.allow_snapshot_access.remote(snapshot, "bob", level="ro"))
    assert_type(reader, AccessRule)
    assert_type(ray.get(actor.deny_snapshot_access.remote(snapshot, reader)), None)
    assert_type(ray.get(actor.delete_snapshot.remote(snapshot.id)), None)
    managed = ray.get(actor.manage_snapshot.remote("old", "monday", driver_options={}))
    assert_type(managed, Snapshot)
    assert_type(ray.get(actor.unmanage_snapshot.remote(snapshot)), None)
    assert_type(ray.get(actor.forget_snapshot.remote(snapshot, "lost")), None)
    assert_type(ray.get(actor.set.remote(description="old")), Share)
    assert_type(ray.get(actor.unset.remote(name=True)), Share)
    assert_type(ray.get(actor.extend.remote(2)), Share)
    assert_type(ray.get(actor.shrink.remote(1)), Share)
    assert_type(ray.get(actor.revert_to.remote(snapshot)), Share)
    assert_type(ray.get(actor.restore.remote()), Share)
    assert_type(ray.get(actor.lock.remote("payroll")), ResourceLock)
    assert_type(ray.get(actor.unlock.remote("lock-1")), Share)
    assert_type(ray.get(actor.retry.remote()), Share)
    assert_type(ray.get(actor.reapply.remote()), Share)
    assert_type(ray.get(actor.unmanage.remote()), Share)
    assert_type(ray.get(actor.forget.remote("lost")), Share)
    assert_type(ray.get(actor.delete.remote(cascade=True)), Share)
    assert_type(ray.get(actor.history.remote()), list[Recorded])
    assert_type(ray.get(actor.usage.remote()), ShareUsage)
    assert_type(ray.get(actor.clients.remote()), Sequence[ShareClient])
    assert_type(ray.get(actor.explain.remote()), Explanation)


def use_networks(networks: ShareNetworkCollection) -> None:
    network = networks.create(
        cidr="10.0.0.0/24", name="blue", gateway="10.0.0.1", network_type="vlan", segmentation_id=7
    )
    assert_type(network, ShareNetwork)
    service = networks.add_security_service("blue", type="ldap", server="s", password="secret")
    assert_type(service, SecurityService)
    networks.remove_security_service("blue", service.id)
    assert_type(networks.list(name="blue", limit=10), Page[ShareNetwork])
    assert_type(networks.get("blue"), ShareNetwork)
    assert_type(networks.history("blue"), Sequence[Recorded])
    assert_type(networks.explain("blue"), EntityExplanation)
    networks.delete("blue")


def use_servers(servers: ShareServerCollection) -> None:
    assert_type(servers.list(parent="network-1"), Page[ShareServer])
    assert_type(servers.get("server-1"), ShareServer)
    assert_type(servers.history("server-1"), Sequence[Recorded])
    assert_type(servers.delete("server-1", wait=False), ShareServer)
    assert_type(servers.retry("server-1", timeout=1.0), ShareServer)
    assert_type(servers.forget("server-1", "lost"), ShareServer)
    assert_type(servers.explain("server-1"), EntityExplanation)
    assert_type(servers.delete_free(), list[str])


def use_types(types: ShareTypeCollection) -> None:
    specs = {"driver_handles_share_servers": "False"}
    assert_type(types.create("gold", specs, is_public=False, projects=["web"]), ShareType)
    assert_type(types.change("gold", extra_specs={"thin_provisioning": None}), ShareType)
    assert_type(types.list(), Page[ShareType])
    assert_type(types.get("gold"), ShareType)
    assert_type(types.history("gold"), Sequence[Recorded])
    types.delete("gold")


def use_bulk(bulk: Bulk) -> None:
    items: list[dict[str, object]] = [{"size": 1, "key": "first"}, {"size": 2}]
    results = bulk.create_shares(items, batch_id="b", wait=False, timeout=9, in_flight=64)
    assert_type(results, Iterator[BulkResult])
    result = next(results)
    assert_type((result.index, result.key, result.command_id), tuple[int, str, str])
    assert_type((result.ok, result.share_id, result.share), tuple[bool, str | None, Share | None])
    assert_type(result.receipt, Receipt | None)
    assert_type(result.error, ShareActorsError | None)
    assert_type(result.rule, AccessRule | None)
    assert_type(bulk.allow_access(iter([{"share": "a", "to": "b"}])), Iterator[BulkResult])
    assert_type(bulk.delete_shares([{"share": "a"}]), Iterator[BulkResult])
    assert_type(bulk.check("create_shares", items), dict[int, ShareActorsError])


def use_policies(policies: SnapshotPolicyCollection) -> None:
    schedules = [SnapshotSchedule.hourly(24), SnapshotSchedule.daily(7, at_s=7200)]
    assert_type(policies.create("nightly", schedules, command_id="c"), SnapshotPolicy)
    assert_type(policies.change("nightly", schedules[:1]), SnapshotPolicy)
    assert_type(policies.attach("nightly", ["s1"]), SnapshotPolicy)
    assert_type(policies.detach("nightly", ["s1"]), SnapshotPolicy)
    assert_type(policies.list(), Page[SnapshotPolicy])
    assert_type(policies.get("nightly").schedules, tuple[SnapshotSchedule, ...])
    assert_type(policies.history("nightly"), Sequence[Recorded])
    policies.delete("nightly")


def use_nodes(nodes: NodeCollection) -> None:
    assert_type(nodes.list(), Sequence[NodeStatus])
    assert_type(nodes.history(), Sequence[Recorded])
    drained = nodes.drain("rack", reason="new disks", wait=False, timeout=9)
    assert_type(drained["staying"], dict[str, str])
    assert_type(nodes.undrain("rack"), MarkedNode)
    assert_type(nodes.forget("rack", "it burned")["backends"], list[str])
    assert_type(nodes.accept("rack")["name"], str)


def use_quotas(quotas: QuotaCollection) -> None:
    usage = quotas.usage("physics", user_id="alice")
    assert_type(usage, QuotaUsage)
    assert_type(usage.quotas["shares"], QuotaUse)
    assert_type((usage.quotas["shares"].used, usage.exceeded), tuple[int, tuple[str, ...]])
    assert_type(quotas.usages(["physics"], share_type="gold"), Sequence[QuotaUsage])
    assert_type(quotas.set({"shares": 9}, "physics", wait=True, timeout=9), Quota)
    assert_type(quotas.unset(["shares"], "physics"), Quota)
    assert_type(quotas.set_default({"gigabytes": 9}), Quota)
    assert_type(quotas.unset_default(), Quota)
    assert_type(quotas.get("physics").limits, tuple[QuotaLimits, ...])
    assert_type(quotas.history("physics"), Sequence[Recorded])


def use_backends(backends: BackendCollection) -> None:
    assert_type(backends.stats(), dict[str, BackendReport])
    assert_type(backends.publish("fast"), dict[str, BackendReport])
    assert_type(backends.audit("fast"), Sequence[BackendDifference])
    assert_type(backends.watch(), Iterator[BackendReport])
    assert_type(backends.start("fast"), BackendReport)
    assert_type(backends.stop("fast"), BackendReport)
    assert_type(backends.usage("fast"), dict[str, ShareUsage])
    assert_type(backends.rename("old", "new"), HandledEntities)
    assert_type(backends.forget("old", "lost"), HandledEntities)
    assert_type(backends.move("fast", "rack", reason="it burned"), MovedBackend)
    assert_type(backends.capacity("fast", limit=9), Sequence[CapacityPoint])
    assert_type(backends.delete_unknown("fast", "share-1", wait=False), Share)
    changes = backends.reload(Config())
    assert_type(changes, BackendChanges)
    assert_type(changes["added"], list[str])
    assert_type(backends.list(status="down"), Page[BackendState])
    assert_type(backends.get("fast"), BackendState)
    assert_type(backends.history("fast"), Sequence[Recorded])


def misuse(system: ShareSystem, share: ShareHandle) -> None:
    """Errors that mypy must find: an unused `type: ignore` is an error, too."""
    system.create_share(size=1, colour="red")  # type: ignore[call-arg]
    system.create_share(size="1")  # type: ignore[arg-type]
    system.shares(colour="red")  # type: ignore[call-arg]
    system.shares(limit="9")  # type: ignore[arg-type]
    share.extend(2, patience=1.0)  # type: ignore[call-arg]
    share.allow_access("bob", wait="no")  # type: ignore[arg-type]
    actor = system.actor(share.id)
    actor.extend.remote("2")  # type: ignore[arg-type]
    actor.extend.options(patience=1.0)  # type: ignore[call-arg]
    actor.show.remote(2)  # type: ignore[call-arg]
    system.networks.create(cidr="10.0.0.0/24", network_type="token-ring")  # type: ignore[arg-type]
    print(system.shares().items[0].colour)  # type: ignore[attr-defined]
    print(system.status()["colour"])  # type: ignore[typeddict-item]


# -- the asynchronous client ---------------------------------------------------------------------
async def use_asynchronous_system(system: AsyncShareSystem) -> None:
    waited = await system.wait_for_shares(["share-1"], "deleted", timeout=1.0)
    assert_type(waited, list[AsyncShare | ShareActorsError])
    assert_type(system.watch_shares(project_id="web"), AsyncIterator[ShareChange])
    assert_type(system.config, Config)
    assert_type(system.context, RequestContext)
    assert_type(system.as_user(RequestContext(user_id="eve")), AsyncShareSystem)
    assert_type(await system.manager.where.remote("share-1"), object)
    assert_type(system.networks, AsyncShareNetworkCollection)
    assert_type(system.servers, AsyncShareServerCollection)
    assert_type(system.types, AsyncShareTypeCollection)
    assert_type(system.backends, AsyncBackendCollection)
    assert_type(system.bulk, AsyncBulk)
    assert_type(system.subjects, AsyncSubjectCollection)
    assert_type(system.nodes, AsyncNodeCollection)
    assert_type(system.quotas, AsyncQuotaCollection)
    assert_type(system.snapshot_policies, AsyncSnapshotPolicyCollection)
    assert_type(await system.subjects.list(), Sequence[DataSubject])
    assert_type(await system.subjects.forget("user:alice"), Forgetting)
    assert_type(system.capabilities(), Awaitable[dict[str, BackendReport]])
    async for report in system.capabilities(watch=True):
        assert_type(report, BackendReport)
    assert_type(await system.init_host(), dict[str, BackendReport])

    share = await system.create_share(size=1, share_type="gold", wait=False)
    assert_type(share, AsyncShare)
    created = await system.create_shares([{"size": 1}])
    assert_type(created, list[AsyncShare | ShareActorsError])
    assert_type(await system.preview_manage({"path": "old"}), ManagePreview)
    assert_type(await system.manage_share({"path": "old"}, share_id="share-5"), AsyncShare)

    assert_type(await system.share("projects"), AsyncShare)
    assert_type(await system.actor("share-1"), ShareActor)
    assert_type(await (await system.actor("share-1")).show.remote(), Share)
    assert_type(await system.shares(backend="fast"), Page[AsyncShare])
    assert_type(await system.count_shares(), Counts)
    assert_type(await system.snapshots(), Page[Snapshot])
    assert_type(await system.snapshot("snapshot-1"), Snapshot)
    assert_type(await system.rules(), Page[ShareRule])

    receipt = await system.receipt("create-share-4")
    assert_type(await system.wait(receipt), Receipt)
    assert_type(await system.status(), SystemStatus)
    assert_type(await system.where("share-1"), ShareLocation)
    assert_type(await system.history("share-1"), list[Recorded])
    async for recorded in system.events(datetime.now(UTC), entity="share-1"):
        assert_type(recorded, Recorded)
    assert_type(await system.versions(), SystemVersions)
    assert_type(await system.finish_upgrade(), bool)
    assert_type(await system.rebuild_catalog(), int)
    assert_type(await system.rebuild_progress(), tuple[int, int] | None)
    assert_type(await system.unpark("share-1"), bool)
    await system.stop(timeout=1.0)
    await system.close()


async def use_asynchronous_share(share: AsyncShare) -> None:
    assert_type(await share.wait_for("rule-active=alice", timeout=1.0), AsyncShare)
    assert_type(share.watch(), AsyncIterator[ShareChange])
    assert_type(share.id, str)
    assert_type(share.seen, Share)
    assert_type(share.receipt, Receipt | None)
    assert_type(share.name, str | None)
    assert_type(share.status, str)
    assert_type(share.status_reason, str | None)
    assert_type(share.size, int)
    assert_type(share.export_locations, tuple[str, ...])
    assert_type(share.access_rules, tuple[AccessRule, ...])
    assert_type(share.snapshots, tuple[Snapshot, ...])
    assert_type(await share.refresh(), AsyncShare)

    assert_type(await share.allow_access("bob", level="ro", wait=False), AccessRule)
    await share.deny_access("rule-1")
    assert_type(await share.create_snapshot(), Snapshot)
    assert_type(await share.allow_snapshot_access("snapshot-1", "bob"), AccessRule)
    await share.deny_snapshot_access("snapshot-1", "rule-1")
    await share.delete_snapshot("snapshot-1")
    assert_type(await share.manage_snapshot("old", driver_options={}), Snapshot)
    await share.unmanage_snapshot("snapshot-1", timeout=1.0)
    assert_type(await share.set(name="archive"), AsyncShare)
    assert_type(await share.unset(name=True), AsyncShare)
    assert_type(await share.extend(2), AsyncShare)
    assert_type(await share.shrink(1), AsyncShare)
    assert_type(await share.revert_to("snap-1"), AsyncShare)
    assert_type(await share.restore(), AsyncShare)
    assert_type(await share.lock(), ResourceLock)
    assert_type(share.locks, tuple[ResourceLock, ...])
    assert_type(await share.unlock("lock-1"), AsyncShare)
    assert_type(await share.retry(), AsyncShare)
    assert_type(await share.reapply(), AsyncShare)
    assert_type(await share.unmanage(), AsyncShare)
    await share.forget_snapshot("snapshot-1", "lost")
    assert_type(await share.forget("lost"), AsyncShare)
    assert_type(await share.delete(cascade=True, command_id="delete-1"), AsyncShare)
    assert_type(await share.history(), list[Recorded])
    assert_type(await share.clients(), Sequence[ShareClient])
    usage = await share.usage()
    assert_type(usage, ShareUsage)
    assert_type(usage.percent, float)
    assert_type(await share.explain(), Explanation)


async def use_asynchronous_networks(networks: AsyncShareNetworkCollection) -> None:
    assert_type(await networks.create(cidr="10.0.0.0/24"), ShareNetwork)
    service = await networks.add_security_service("blue", type="kerberos", domain="example")
    assert_type(service, SecurityService)
    await networks.remove_security_service("blue", service.id)
    assert_type(await networks.list(project_id="web"), Page[ShareNetwork])
    assert_type(await networks.get("blue"), ShareNetwork)
    assert_type(await networks.history("blue"), Sequence[Recorded])
    assert_type(await networks.explain("blue"), EntityExplanation)
    await networks.delete("blue")


async def use_asynchronous_servers(servers: AsyncShareServerCollection) -> None:
    assert_type(await servers.list(), Page[ShareServer])
    assert_type(await servers.get("server-1"), ShareServer)
    assert_type(await servers.history("server-1"), Sequence[Recorded])
    assert_type(await servers.delete("server-1"), ShareServer)
    assert_type(await servers.retry("server-1"), ShareServer)
    assert_type(await servers.forget("server-1", "lost"), ShareServer)
    assert_type(await servers.explain("server-1"), EntityExplanation)
    assert_type(await servers.delete_free(), list[str])


async def use_asynchronous_types(types: AsyncShareTypeCollection) -> None:
    specs = {"driver_handles_share_servers": "True"}
    assert_type(await types.create("gold", specs, description="fast"), ShareType)
    assert_type(await types.change("gold", is_public=True, projects=()), ShareType)
    assert_type(await types.list(), Page[ShareType])
    assert_type(await types.get("gold"), ShareType)
    assert_type(await types.history("gold"), Sequence[Recorded])
    await types.delete("gold")


async def use_asynchronous_bulk(bulk: AsyncBulk) -> None:
    assert_type(bulk.create_shares([{"size": 1}]), AsyncIterator[BulkResult])
    async for result in bulk.allow_access([{"share": "a", "to": "b"}], batch_id="b"):
        assert_type(result, BulkResult)
    assert_type(bulk.delete_shares([{"share": "a"}]), AsyncIterator[BulkResult])
    assert_type(await bulk.check("delete_shares", []), dict[int, ShareActorsError])


async def use_asynchronous_policies(policies: AsyncSnapshotPolicyCollection) -> None:
    schedule = SnapshotSchedule(every_s=900, keep=8)
    assert_type(await policies.create("often", [schedule]), SnapshotPolicy)
    assert_type(await policies.change("often", [schedule]), SnapshotPolicy)
    assert_type(await policies.attach("often", ["s1"]), SnapshotPolicy)
    assert_type(await policies.detach("often", ["s1"]), SnapshotPolicy)
    assert_type(await policies.list(), Page[SnapshotPolicy])
    assert_type(await policies.get("often"), SnapshotPolicy)
    assert_type(await policies.history("often"), Sequence[Recorded])
    await policies.delete("often")


async def use_asynchronous_nodes(nodes: AsyncNodeCollection) -> None:
    assert_type(await nodes.list(), Sequence[NodeStatus])
    assert_type(await nodes.history(), Sequence[Recorded])
    assert_type(await nodes.drain("rack"), NodeDrain)
    assert_type(await nodes.undrain("rack"), MarkedNode)
    assert_type(await nodes.forget("rack", "it burned"), ForgottenNode)
    assert_type(await nodes.accept("rack"), MarkedNode)


async def use_asynchronous_backends(backends: AsyncBackendCollection) -> None:
    assert_type(await backends.stats(), dict[str, BackendReport])
    assert_type(await backends.publish(), dict[str, BackendReport])
    assert_type(await backends.audit("fast"), Sequence[BackendDifference])
    assert_type(await backends.capacity("fast"), Sequence[CapacityPoint])
    assert_type(await backends.delete_unknown("fast", "share-1"), Share)
    assert_type(backends.watch(), AsyncIterator[BackendReport])
    assert_type(await backends.reload(Config()), BackendChanges)
    assert_type(await backends.start("fast"), BackendReport)
    assert_type(await backends.stop("fast"), BackendReport)
    assert_type(await backends.usage("fast"), dict[str, ShareUsage])
    assert_type(await backends.rename("old", "new"), HandledEntities)
    assert_type(await backends.forget("old", "lost"), HandledEntities)
    assert_type(await backends.move("fast", "rack"), MovedBackend)
    assert_type(await backends.list(), Page[BackendState])
    assert_type(await backends.get("fast"), BackendState)
    assert_type(await backends.history("fast"), Sequence[Recorded])
