"""Expected sentences for events of networks, servers, types and backends."""

from __future__ import annotations

from share_actors.events import (
    archives,
    backend,
    cluster,
    formats,
    share_network,
    share_server,
    share_type,
    subject,
)
from share_actors.events.decider import Event
from share_actors.events.share.snapshot import cloning, holds
from share_actors.values import Capabilities, ClusterNode, Pool, SecurityService
from tests.events.manage_sentences import alice
from tests.events.share_events import NOON

_capabilities = Capabilities(
    backend_name="blue",
    driver_name="d",
    storage_protocols=("NFS",),
    access_types=("ip",),
    pools=(Pool(name="p", total_capacity_gib=100.0, free_capacity_gib=40.0),),
)
_specs = {"driver_handles_share_servers": "False"}

_rack = ClusterNode(id="a1", name="rack", address="10.0.0.2", resources=("near", "fast"))

OTHER_SENTENCES: list[tuple[Event, str]] = [
    (
        holds.SnapshotHeld(snapshot_id="n", share_id="s2", number=5),
        "snapshot n is held: share s2 is created from it",
    ),
    (
        holds.SnapshotReleased(snapshot_id="n", share_id="s2", number=9),
        "share s2 has released snapshot n",
    ),
    (cloning.ShareSourceHeld(snapshot_id="n"), "snapshot n is kept until it is created"),
    (cloning.ShareSourceReleased(snapshot_id="n"), "it has released snapshot n"),
    (
        share_network.ShareNetworkCreated(
            network_id="n1",
            name="blue",
            description=None,
            project_id="demo",
            user_id="alice",
            cidr="10.0.0.0/24",
            gateway=None,
            network_type="none",
            segmentation_id=None,
            at=NOON,
        ),
        f"{alice} created share network blue, 10.0.0.0/24",
    ),
    (share_network.ShareNetworkDeleted(), f"{alice} deleted it"),
    (
        share_network.SecurityServiceAdded(
            service=SecurityService(id="c1", type="ldap", password="s3cret")
        ),
        f"{alice} added security service c1 (ldap)",
    ),
    (share_network.SecurityServiceRemoved(service_id="c1"), f"{alice} removed security service c1"),
    (
        share_network.AddressesGranted(server_id="v1", addresses=("10.0.0.2", "10.0.0.3")),
        "share server v1 was granted 10.0.0.2, 10.0.0.3",
    ),
    (
        share_network.AddressesReleased(server_id="v1", addresses=()),
        "share server v1 was removed; released addresses: nothing",
    ),
    (
        share_network.ServerAssigned(share_id="s1", server_id="v1", backend="b"),
        "share s1 was assigned to share server v1",
    ),
    (share_network.ServerRetired(server_id="v1"), "share server v1 accepts no more shares"),
    (
        share_network.ShareRejected(share_id="s1"),
        "share s1 is being deleted; no server will be assigned to it",
    ),
    (share_network.ShareUnassigned(share_id="s1", server_id="v1"), "share s1 left share server v1"),
    (
        share_network.ShareUnassigned(share_id="s1", server_id=None),
        "share s1 left its share network",
    ),
    (
        share_server.ServerRequested(
            server_id="v1", host="b#p", share_network_id="n1", project_id="demo", at=NOON
        ),
        "share server v1 was requested on backend b, pool p in share network n1",
    ),
    (
        share_server.ShareAttached(share_id="s1", ready=False),
        "share s1 was attached and waits for the set-up",
    ),
    (share_server.ShareAttached(share_id="s1", ready=True), "share s1 was attached"),
    (share_server.ShareDetached(share_id="s1", at=NOON), "share s1 was detached"),
    (share_server.AddressesAllocated(addresses=("10.0.0.2",)), "it was allocated 10.0.0.2"),
    (share_server.ServerSetUp(details={}), "the backend set it up"),
    (
        share_server.ServerSetUpFailed(reason="full", details={}),
        "it could not be set up and will be torn down: full",
    ),
    (share_server.ServerDeletionRequested(why="asked"), f"{alice} asked to delete it"),
    (
        share_server.ServerDeletionRequested(why="unused"),
        "it will be deleted, unused for too long",
    ),
    (
        share_server.ServerDeletionRequested(why="last_share"),
        "it will be deleted, since its last share left",
    ),
    (
        share_server.ServerDeletionRequested(why="set_up_failed"),
        "it will be deleted, since it could not be set up",
    ),
    (share_server.ServerTornDown(), "the backend tore it down"),
    (share_server.ServerDeleted(), "its addresses were released; it is deleted"),
    (
        share_server.ServerErrored(reason="stuck"),
        "it could not be deleted and is now in error: stuck",
    ),
    (share_server.ServerRetried(), f"{alice} asked to retry its deletion"),
    (share_server.ServerForgetRequested(reason="lost"), f"{alice} asked to forget it: lost"),
    (
        share_server.ServerForgotten(),
        "its addresses were released; it is no longer managed, and its driver was not called",
    ),
    (
        share_server.ServerBackendChanged(old="local", host="nas#nas"),
        f"{alice} renamed backend local; it is on backend nas",
    ),
    (
        share_network.NetworkBackendChanged(old="local", new="nas"),
        f"{alice} renamed backend local to nas; its share servers are on backend nas",
    ),
    (
        backend.BackendRenamed(backend="local", new="nas", at=NOON),
        f"{alice} renamed backend local to nas",
    ),
    (
        backend.BackendMoved(
            backend="blue", configured="near", node="far", reason="it burned", at=NOON
        ),
        f"{alice} moved backend blue; it is pinned to far now, while the configuration says near:"
        " it burned",
    ),
    (
        backend.BackendMoved(backend="b", configured="near", node="far", reason=None, at=NOON),
        f"{alice} moved backend b; it is pinned to far now, while the configuration says near",
    ),
    (
        backend.BackendMoveEnded(configured="far"),
        "the configuration says far: it is where that says again",
    ),
    (
        backend.BackendMoveEnded(configured=None),
        "the configuration says no node: it is where that says again",
    ),
    (
        backend.BackendPinned(backend="b", configured="far"),
        "the configuration pins backend b to far now",
    ),
    (
        backend.BackendPinned(backend="b", configured=None),
        "the configuration pins backend b to no node now",
    ),
    (
        cluster.NodeJoined(node=_rack, instead_of=None),
        "node rack (10.0.0.2) joined with near, fast",
    ),
    (
        cluster.NodeJoined(node=_rack.replace(resources=()), instead_of="a0"),
        "node rack (10.0.0.2) is back with no resource",
    ),
    (
        cluster.NodeDrained(node=_rack, reason="new disks", at=NOON),
        f"{alice} drained node rack (10.0.0.2): new disks",
    ),
    (
        cluster.NodeDrained(node=_rack, reason=None, at=NOON),
        f"{alice} drained node rack (10.0.0.2)",
    ),
    (
        cluster.NodeUndrained(node=_rack),
        f"{alice} undrained node rack (10.0.0.2): it is used again",
    ),
    (
        cluster.NodeForgotten(node=_rack, backends=("blue",), reason="it burned", at=NOON),
        f"{alice} forgot node rack (10.0.0.2), which will not come back; pinned to it: blue:"
        " it burned",
    ),
    (
        cluster.NodeForgotten(node=_rack, backends=(), reason="it burned", at=NOON),
        f"{alice} forgot node rack (10.0.0.2), which will not come back: it burned",
    ),
    (
        cluster.NodeAccepted(node=_rack),
        f"{alice} accepted node rack (10.0.0.2), which had been forgotten: it is used again",
    ),
    (
        share_type.ShareTypeCreated(
            name="gold",
            description=None,
            extra_specs=_specs,
            is_public=True,
            projects=(),
            at=NOON,
        ),
        f"{alice} created share type gold: driver_handles_share_servers = False",
    ),
    (
        share_type.ShareTypeChanged(extra_specs={}, is_public=False, projects=("web",)),
        f"{alice} changed it to nothing, for projects web",
    ),
    (
        share_type.ShareTypeChanged(extra_specs={"tier": "1"}, is_public=True, projects=()),
        f"{alice} changed it to tier = 1, for all projects",
    ),
    (share_type.ShareTypeDeleted(), f"{alice} deleted it"),
    (
        backend.BackendUp(backend="blue", capabilities=_capabilities, wrong={}, at=NOON),
        "backend blue is up: p 40 of 100 GiB free",
    ),
    (
        backend.BackendChanged(
            capabilities=_capabilities.replace(pools=()), wrong={"pools": "is 5"}, at=NOON
        ),
        "its capabilities changed: no pool; ignored invalid values: pools is 5",
    ),
    (
        backend.BackendDown(backend="blue", reason="no route", at=NOON),
        "backend blue is down: no route",
    ),
    (
        backend.BackendUnhealthy(problems=("nfsd is gone", "port 2049 is taken"), at=NOON),
        "it is unhealthy: nfsd is gone; port 2049 is taken",
    ),
    (backend.BackendHealthy(at=NOON), "it is healthy again"),
    (
        backend.BackendInfoChanged(info="i"),
        "its settings changed; its shares will be re-exported with them",
    ),
    (
        backend.BackendSharesEnsured(info="i", shares=2),
        "2 of its shares are exported with its current settings",
    ),
    (
        archives.EventsArchived(
            file="2026.gz",
            file_sha256="9c",
            events=6,
            streams=1,
            first=10,
            last=15,
            leaves_sha256="1f",
            checkpoint_size=15,
            until=NOON,
        ),
        f"{alice} archived 6 events of deleted entities (streams: 1), at positions 10 to 15, to 2026.gz"
        " (SHA-256 9c)",
    ),
    (
        formats.FormatRaised(format=2, program="0.3.0"),
        f"{alice} finished an upgrade: the log is written in format 2, which share_actors 0.3.0 and later"
        " versions can read",
    ),
    (
        subject.SubjectForgotten(subject_id="a1b2", kind="user", events=12, streams=3),
        f"{alice} had user a1b2 forgotten: its texts in 12 events of 3 streams cannot be read any more",
    ),
    (
        subject.SubjectKept(subject_id="a1b2", kind="user"),
        "a crash ended the forgetting of user a1b2 before its key was destroyed: nothing was erased",
    ),
]
