"""One example of every event, as in its golden file.

`python -m tests.golden.examples` writes missing golden files and leaves existing ones unchanged.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from share_actors.events import (
    archives,
    attempts,
    backend,
    cluster,
    formats,
    quota,
    share_network,
    share_server,
    share_type,
    snapshot_policy,
    subject,
)
from share_actors.events.decider import Event, RequestJoined
from share_actors.events.envelope import Envelope, Recorded
from share_actors.events.log.codec import Codec
from share_actors.events.share import (
    access,
    backend_change,
    ensure,
    forgetting,
    manage,
    properties,
    server_attachment,
    unknown_deletion,
)
from share_actors.events.share import messages as share
from share_actors.events.share.protection import locks, soft_deletion
from share_actors.events.share.snapshot import access as snapshot_access
from share_actors.events.share.snapshot import cloning, holds
from share_actors.events.share.snapshot import messages as snapshot_messages
from share_actors.events.topics import topic_of
from share_actors.values import (
    Capabilities,
    ClusterNode,
    ExportLocation,
    Placement,
    PolicyRun,
    Pool,
    SecurityService,
    Share,
    ShareServer,
    ShareSpec,
    Snapshot,
    SnapshotSchedule,
)
from share_actors.values.secret import Sealed

AT = datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC)
STREAM, VERSION, EVENT_ID = "share-1", 7, "5f0c8a4e9b7d4c7f8a1b2c3d4e5f6071"

ENVELOPE = Envelope(
    command_id="cmd-1",
    fingerprint="9c1185a5c5e9fc54612808977ee8f548",
    correlation_id="cmd-1",
    request_id="req-1",
    user_id="alice",
    project_id="physics",
    roles=("member", "reader"),
    at=AT,
    writer="activation-1",
)

_SOURCE = Snapshot(
    id="snap-1",
    share_id="share-0",
    name="before",
    size=3,
    share_proto="NFS",
    status="available",
    provider_location="/snapshots/1",
    created_at=AT,
)

SEALED = Sealed("sealed:2:AAAA")
_SERVER = ShareServer(
    id="server-1",
    host="local#gold",
    share_network_id="net-1",
    project_id="physics",
    status="active",
    created_at=AT,
    network_allocations=("10.0.0.2",),
    backend_details={"root": "/servers/1", "password": SEALED},
)
_SAID = Capabilities(
    backend_name="local",
    driver_name="local",
    storage_protocols=("NFS",),
    access_types=("user",),
    access_support={"NFS": {"user": ("rw", "ro")}},
    pools=(Pool(name="gold", total_capacity_gib=100.0, free_capacity_gib=60.5),),
)

_NODE = ClusterNode(id="a1", name="rack", address="10.0.0.2", resources=("near",))

EXAMPLES: tuple[Event, ...] = (
    share.ShareCreationRequested(
        share_id="share-1",
        size=3,
        source=_SOURCE,
        parent=Share(id=_SOURCE.share_id, size=3, host="local#gold", status="available"),
        extra_specs={"thin_provisioning": "<is> True"},
        placement=Placement(
            filters="backend capacity",
            refused={"far#p": {"capacity": "3 GiB do not fit into 1 GiB"}},
            weights={"local#gold": 1.5},
        ),
        at=AT,
        spec=ShareSpec(
            name="Grüße",
            description=None,
            share_proto="NFS",
            host="local#gold",
            project_id="physics",
            user_id="alice",
            metadata={"tier": "hot"},
            is_public=False,
            availability_zone="nova",
            share_type="default",
            share_network_id="net-1",
        ),
    ),
    share.ShareCreated(
        export_locations=(
            ExportLocation(path="10.0.0.1:/shares/1", preferred=True),
            ExportLocation(path="10.0.0.2:/shares/1", is_admin_only=True),
        )
    ),
    share.ShareResizeRequested(doing="extend", size=5),
    share.ShareResized(doing="extend", size=5),
    share.ShareResizeRefused(doing="shrink", reason="4 GiB are in use"),
    share.ShareRevertRequested(snapshot_id="snap-2"),
    share.ShareReverted(snapshot_id="snap-2", remount=True),
    share.ShareRevertRefused(snapshot_id="snap-2", reason="a client has a lock"),
    share.ShareDeletionRequested(cascade=True),
    share.ShareDeleted(),
    share.ShareErrored(doing="create", reason="no space\nleft on the pool"),
    share.RetryRequested(works=("create", "rule/r1/allow")),
    RequestJoined(work="create"),
    attempts.AttemptStarted(n=2, effect="create", activation="activation-1", timeout_s=300.0),
    attempts.AttemptFailed(
        n=2, effect="create", kind="unknown", reason="stopped", retry_at=AT, planned=True
    ),
    snapshot_access.SnapshotAccessAllowed(
        snapshot_id="snap-2",
        access_id="r9",
        access_type="ip",
        access_to="10.0.0.0/24",
        access_level="ro",
    ),
    snapshot_access.SnapshotAccessDenied(snapshot_id="snap-2", access_id="r9"),
    snapshot_access.SnapshotAccessRulesApplied(
        snapshot_id="snap-2",
        applied=("r9",),
        export_locations=(ExportLocation(path="10.0.0.1:/share-1@snap-2", preferred=True),),
    ),
    access.AccessAllowed(
        access_id="r1", access_type="ip", access_to="10.0.0.0/24", access_level="ro"
    ),
    access.AccessDenied(access_id="r1"),
    access.AccessRulesApplied(
        applied=("r1",),
        removed=("r2",),
        failed={"r3": "no such user"},
        warnings={"r1": "out of reach"},
        cut_off=("bob at 10.0.0.7",),
    ),
    snapshot_messages.SnapshotRequested(snapshot_id="snap-2", name="nightly", at=AT),
    snapshot_messages.SnapshotCreated(snapshot_id="snap-2", provider_location="/snapshots/2"),
    snapshot_messages.SnapshotDeletionRequested(snapshot_id="snap-2"),
    snapshot_messages.SnapshotDeleted(snapshot_id="snap-2"),
    snapshot_messages.SnapshotErrored(snapshot_id="snap-2", doing="create", reason="quota"),
    snapshot_messages.SnapshotDeletionRefused(snapshot_id="snap-2", reason="a clone needs it"),
    snapshot_messages.SnapshotManageRequested(
        snapshot_id="snap-3",
        name=None,
        provider_location="/old/3",
        driver_options={"deep": True, "token": SEALED},
        at=AT,
    ),
    snapshot_messages.SnapshotManaged(
        snapshot_id="snap-3", size=3, provider_location="/snapshots/3"
    ),
    snapshot_messages.UnknownSnapshotDeletionRequested(
        snapshot_id="snap-4", location="/snapshots/4", at=AT
    ),
    snapshot_messages.SnapshotUnmanageRequested(snapshot_id="snap-3"),
    snapshot_messages.SnapshotUnmanaged(snapshot_id="snap-3"),
    holds.SnapshotHeld(snapshot_id="snap-1", share_id="share-1", number=8),
    holds.SnapshotReleased(snapshot_id="snap-1", share_id="share-1", number=9),
    cloning.ShareSourceHeld(snapshot_id="snap-1"),
    cloning.ShareSourceReleased(snapshot_id="snap-1"),
    snapshot_messages.SnapshotForgotten(snapshot_id="snap-3", reason="its disk broke"),
    manage.ShareManageRequested(
        share_id="share-2",
        driver_options={"path": "/old/share", "like": {"sealed": "x"}, "token": SEALED},
        share_server_id="server-1",
        extra_specs={"snapshot_support": "true"},
        at=AT,
        spec=ShareSpec(
            name="found",
            description=None,
            share_proto="NFS",
            host="local#gold",
            project_id="physics",
            user_id="alice",
            metadata={},
            is_public=False,
            share_type="default",
        ),
    ),
    unknown_deletion.UnknownShareDeletionRequested(
        share_id="share-4",
        location="/shares/4",
        size=4,
        at=AT,
        spec=ShareSpec(host="local", project_id="physics", user_id="alice"),
    ),
    manage.ShareManaged(
        size=4, export_locations=(ExportLocation(path="10.0.0.1:/shares/2"),), pool="gold"
    ),
    manage.ShareUnmanageRequested(),
    manage.ShareWithdrawn(gone=None),
    manage.ShareUnmanaged(),
    forgetting.ShareForgetRequested(reason="its disk broke"),
    forgetting.ShareForgotten(reason="its disk broke"),
    backend_change.ShareBackendChanged(old="local", host="nas#gold"),
    properties.ShareChanged(
        name="archive", description=None, is_public=True, metadata={"team": "web"}
    ),
    locks.ShareLocked(
        lock_id="lock-1",
        access_id="r1",
        reason="used by the payroll",
        by_admin=False,
        user_id="alice",
        at=AT,
    ),
    locks.ShareUnlocked(lock_id="lock-1"),
    soft_deletion.ShareSoftDeleted(until=AT, cascade=True),
    soft_deletion.ShareRestored(ensure=True),
    snapshot_policy.PolicyCreated(
        policy_id="policy-1",
        name="nightly",
        schedules=(SnapshotSchedule.daily(7, at_s=7200),),
        project_id="physics",
        user_id="alice",
        at=AT,
    ),
    snapshot_policy.PolicyChanged(schedules=(SnapshotSchedule.hourly(24),), at=AT),
    snapshot_policy.SharesAttached(shares=("share-1", "share-2")),
    snapshot_policy.SharesDetached(shares=("share-2",)),
    snapshot_policy.PolicyRan(
        run=PolicyRun(
            every_s=3600, at=AT, requested=1, missed=2, failed={"share-2": "it is in error"}
        )
    ),
    snapshot_policy.PolicyDeleted(),
    server_attachment.ShareServerAcquired(server=_SERVER),
    server_attachment.ShareDestroyed(),
    ensure.ShareEnsureRequested(info="a1b2"),
    ensure.ShareReapplyRequested(rules=("r1", "r2"), snapshot_rules={"snap-2": ("r9",)}),
    ensure.ShareEnsured(export_locations=(ExportLocation(path="10.0.0.3:/shares/1"),)),
    ensure.ShareEnsureFailed(reason="it is lost"),
    share_network.ShareNetworkCreated(
        network_id="net-1",
        name="blue",
        description=None,
        project_id="physics",
        user_id="alice",
        cidr="10.0.0.0/24",
        gateway="10.0.0.1",
        network_type="vlan",
        segmentation_id=7,
        at=AT,
    ),
    share_network.ShareNetworkDeleted(),
    share_network.SecurityServiceAdded(
        service=SecurityService(
            id="sec-1", type="ldap", server="10.0.0.9", user="admin", password=SEALED
        )
    ),
    share_network.SecurityServiceRemoved(service_id="sec-1"),
    share_network.AddressesGranted(server_id="server-1", addresses=("10.0.0.2", "10.0.0.3")),
    share_network.AddressesReleased(server_id="server-1", addresses=("10.0.0.2", "10.0.0.3")),
    share_network.ServerAssigned(share_id="share-1", server_id="server-1", backend="local"),
    share_network.ServerRetired(server_id="server-1"),
    share_network.ShareRejected(share_id="share-1"),
    share_network.ShareUnassigned(share_id="share-1", server_id="server-1"),
    share_network.NetworkBackendChanged(old="local", new="nas"),
    share_server.ServerRequested(
        server_id="server-1",
        host="local#gold",
        share_network_id="net-1",
        project_id="physics",
        at=AT,
    ),
    share_server.ShareAttached(share_id="share-1", ready=False),
    share_server.ShareDetached(share_id="share-1", at=AT, data_stay=True),
    share_server.AddressesAllocated(addresses=("10.0.0.2",)),
    share_server.ServerSetUp(details={"root": "/servers/1", "password": SEALED}),
    share_server.ServerSetUpFailed(reason="no memory", details={"vlan": "7", "key": SEALED}),
    share_server.ServerDeletionRequested(why="unused"),
    share_server.ServerTornDown(),
    share_server.ServerDeleted(),
    share_server.ServerErrored(reason="stuck"),
    share_server.ServerRetried(),
    share_server.ServerForgetRequested(reason="its disk broke"),
    share_server.ServerForgotten(),
    share_server.ServerBackendChanged(old="local", host="nas#gold"),
    share_type.ShareTypeCreated(
        name="gold",
        description="fast",
        extra_specs={"driver_handles_share_servers": "False", "iops": ">= 900"},
        is_public=False,
        projects=("physics",),
        at=AT,
    ),
    share_type.ShareTypeChanged(
        extra_specs={"driver_handles_share_servers": "False"}, is_public=True, projects=()
    ),
    share_type.ShareTypeDeleted(),
    quota.QuotaChanged(
        quota_id="3f2a",
        project_id="physics",
        user_id="alice",
        share_type=None,
        limits={"shares": 10, "gigabytes": -1},
        at=AT,
    ),
    backend.BackendUp(backend="local", capabilities=_SAID, wrong={}, at=AT),
    backend.BackendChanged(
        capabilities=_SAID.replace(
            pools=(Pool(name="gold", total_capacity_gib="infinite", free_capacity_gib="unknown"),)
        ),
        wrong={"pools.1.free_capacity_gib": "-1 is not 0 or more"},
        at=AT,
    ),
    backend.BackendDown(backend="local", reason="no route", at=AT),
    backend.BackendUnhealthy(problems=("the daemon does not run",), at=AT),
    backend.BackendHealthy(at=AT),
    backend.BackendRenamed(backend="local", new="nas", at=AT),
    backend.BackendMoved(
        backend="local", configured="near", node="far", reason="the rack burned", at=AT
    ),
    backend.BackendMoveEnded(configured="far"),
    backend.BackendPinned(backend="local", configured="far"),
    cluster.NodeJoined(node=_NODE, instead_of="a0"),
    cluster.NodeDrained(node=_NODE, reason="new disks", at=AT),
    cluster.NodeUndrained(node=_NODE),
    cluster.NodeForgotten(node=_NODE, backends=("local",), reason="the rack burned", at=AT),
    cluster.NodeAccepted(node=_NODE),
    backend.BackendInfoChanged(info="a1b2"),
    backend.BackendSharesEnsured(info="a1b2", shares=3),
    archives.EventsArchived(
        file="2026.gz",
        file_sha256="9c" * 32,
        events=6,
        streams=1,
        first=10,
        last=15,
        leaves_sha256="1f" * 32,
        checkpoint_size=15,
        until=AT,
    ),
    formats.FormatRaised(format=2, program="0.3.0"),
    subject.SubjectForgotten(
        subject_id="0123456789abcdef0123456789abcdef", kind="user", events=12, streams=3
    ),
    subject.SubjectKept(subject_id="0123456789abcdef0123456789abcdef", kind="user"),
)


def golden_file(event: Event) -> Path:
    """Return the path of the permanent record of this event type and schema version."""
    name = f"{topic_of(type(event))}.v{event.schema_version}.json"
    return Path(__file__).parent / "events" / name


def recorded(event: Event) -> Recorded:
    """Return the record of *event* with the envelope of the golden files."""
    return Recorded(STREAM, VERSION, EVENT_ID, ENVELOPE, event)


def stored(event: Event) -> dict[str, Any]:
    """Return the stored row of *event*, with its state as JSON."""
    row = Codec().encode(STREAM, VERSION, EVENT_ID, ENVELOPE, event)
    return {
        "stream": row.originator_id,
        "version": row.originator_version,
        "topic": row.topic,
        "state": json.loads(row.state),
    }


def write_missing() -> None:
    """Write the golden files that are missing."""
    for event in EXAMPLES:
        file = golden_file(event)
        if not file.exists():
            text = json.dumps(stored(event), indent=1, ensure_ascii=False)
            file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_missing()
