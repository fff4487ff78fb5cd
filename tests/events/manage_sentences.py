"""Expected sentences for events of managed shares."""

from __future__ import annotations

from share_actors.events import quota, snapshot_policy
from share_actors.events.decider import Event
from share_actors.events.share import (
    backend_change,
    ensure,
    forgetting,
    manage,
    properties,
    server_attachment,
    unknown_deletion,
)
from share_actors.events.share.protection import locks, soft_deletion
from share_actors.events.share.snapshot import access as snapshot_access
from share_actors.events.share.snapshot import messages as snapshot_messages
from share_actors.values import (
    ExportLocation,
    PolicyRun,
    ShareServer,
    ShareSpec,
    SnapshotSchedule,
)
from tests.events.share_events import NOON

alice = "alice (project demo)"
_exports = (ExportLocation(path="nas:/srv/s1"),)

MANAGE_SENTENCES: list[tuple[Event, str]] = [
    (
        manage.ShareManageRequested(
            share_id="s1",
            driver_options={"path": "/old"},
            at=NOON,
            spec=ShareSpec(
                name="found",
                description=None,
                share_proto="NFS",
                host="nas#fast",
                project_id="demo",
                user_id="alice",
                metadata={},
                is_public=False,
                share_type=None,
            ),
        ),
        f"{alice} asked to manage path=/old on backend nas, pool fast as share 'found'",
    ),
    (
        unknown_deletion.UnknownShareDeletionRequested(
            share_id="s1",
            location="/shares/s1",
            size=3,
            at=NOON,
            spec=ShareSpec(host="nas", project_id="demo", user_id="alice"),
        ),
        f"{alice} asked to delete what only the backend has: /shares/s1 on backend nas, 3 GiB",
    ),
    (
        manage.ShareManaged(size=3, export_locations=_exports),
        "it is managed, 3 GiB; it is exported at nas:/srv/s1",
    ),
    (manage.ShareUnmanageRequested(), f"{alice} asked to unmanage it"),
    (
        manage.ShareWithdrawn(),
        "its driver released it; it is still attached to its share server",
    ),
    (
        snapshot_messages.UnknownSnapshotDeletionRequested(
            snapshot_id="n2", location="/srv/s1@n2", at=NOON
        ),
        f"{alice} asked to delete what only the backend has: /srv/s1@n2, snapshot n2",
    ),
    (manage.ShareUnmanaged(), "it is no longer managed; its data is on the backend as before"),
    (
        snapshot_messages.SnapshotManageRequested(
            snapshot_id="n", name=None, provider_location="/old/n", driver_options={}, at=NOON
        ),
        f"{alice} asked to manage /old/n as snapshot n",
    ),
    (
        snapshot_messages.SnapshotManaged(snapshot_id="n", size=2, provider_location=None),
        "snapshot n, 2 GiB, is managed",
    ),
    (
        snapshot_messages.SnapshotUnmanageRequested(snapshot_id="n"),
        f"{alice} asked to unmanage snapshot n",
    ),
    (
        snapshot_messages.SnapshotUnmanaged(snapshot_id="n"),
        "snapshot n is no longer managed; its data is on the backend as before",
    ),
    (
        server_attachment.ShareServerAcquired(server=ShareServer(id="v1")),
        "it is on share server v1",
    ),
    (
        server_attachment.ShareDestroyed(),
        "the backend deleted it; it is still attached to its share server",
    ),
    (
        forgetting.ShareForgetRequested(reason="its disk broke"),
        f"{alice} asked to forget it: its disk broke",
    ),
    (
        forgetting.ShareForgotten(reason="its disk broke"),
        "it is no longer managed; its driver was not called: its disk broke",
    ),
    (
        backend_change.ShareBackendChanged(old="local", host="nas#gold"),
        f"{alice} renamed backend local; it is on backend nas, pool gold",
    ),
    (
        properties.ShareChanged(name="a", description=None, is_public=False, metadata={"k": "v"}),
        f"{alice} changed its properties: name 'a', no description, seen by its project,"
        " metadata {'k': 'v'}",
    ),
    (
        locks.ShareLocked(
            lock_id="l", access_id=None, reason="payroll", by_admin=True, user_id="alice", at=NOON
        ),
        f"{alice} locked it against deletion as an administrator (lock l): payroll",
    ),
    (
        locks.ShareLocked(
            lock_id="l", access_id="a", reason=None, by_admin=False, user_id="alice", at=NOON
        ),
        f"{alice} locked access rule a (lock l)",
    ),
    (locks.ShareUnlocked(lock_id="l"), f"{alice} removed lock l"),
    (
        soft_deletion.ShareSoftDeleted(until=NOON, cascade=True),
        f"{alice} asked to delete it with its snapshots at 2026-03-01 12:00:00 UTC, unless it is restored",
    ),
    (
        snapshot_policy.PolicyCreated(
            policy_id="p",
            name="nightly",
            schedules=(SnapshotSchedule.hourly(24), SnapshotSchedule.daily(7, at_s=7200)),
            project_id="demo",
            user_id="alice",
            at=NOON,
        ),
        f"{alice} created snapshot policy 'nightly': every 1h, keep 24; every 1d, keep 7, 2h later",
    ),
    (
        snapshot_policy.PolicyChanged(schedules=(SnapshotSchedule.weekly(4),), at=NOON),
        f"{alice} changed its schedules: every 1w, keep 4",
    ),
    (
        snapshot_policy.SharesAttached(shares=("s1", "s2")),
        f"{alice} attached it to shares s1, s2",
    ),
    (snapshot_policy.SharesDetached(shares=("s1",)), f"{alice} detached it from share s1"),
    (snapshot_policy.PolicyDeleted(), f"{alice} deleted it; its snapshots stay"),
    (
        snapshot_policy.PolicyRan(
            run=PolicyRun(
                every_s=3600, at=NOON, requested=1, missed=2, failed={"s2": "it is in error"}
            )
        ),
        "snapshots of 1 share were requested for 2026-03-01 12:00 UTC; 2 earlier times were missed;"
        " without a snapshot: share s2: it is in error",
    ),
    (
        quota.QuotaChanged(
            quota_id="q",
            project_id="web",
            user_id="bob",
            share_type=None,
            limits={"shares": 5, "gigabytes": -1},
            at=NOON,
        ),
        f"{alice} set the limits of user bob in project web to shares = 5, gigabytes = unlimited",
    ),
    (soft_deletion.ShareRestored(ensure=True), f"{alice} restored it"),
    (
        snapshot_messages.SnapshotForgotten(snapshot_id="n", reason="lost"),
        f"{alice} had snapshot n forgotten, without a driver call: lost",
    ),
    (
        snapshot_access.SnapshotAccessAllowed(
            snapshot_id="n", access_id="a", access_type="user", access_to="bob", access_level="ro"
        ),
        f"{alice} asked to let user bob read snapshot n (access rule a)",
    ),
    (
        snapshot_access.SnapshotAccessDenied(snapshot_id="n", access_id="a"),
        f"{alice} asked to remove access rule a of snapshot n",
    ),
    (
        snapshot_access.SnapshotAccessRulesApplied(
            snapshot_id="n", applied=("a",), export_locations=_exports
        ),
        "for snapshot n, the backend applied access rule a; it is exported at nas:/srv/s1",
    ),
    (
        snapshot_access.SnapshotAccessRulesApplied(snapshot_id="n", failed={"a": "no such user"}),
        "for snapshot n, the backend could not change access rule a (no such user)",
    ),
    (
        ensure.ShareEnsureRequested(info="i"),
        "its backend's settings changed; it will be re-exported",
    ),
    (
        ensure.ShareReapplyRequested(rules=("a",)),
        f"{alice} asked to apply its access rules and exports again",
    ),
    (
        ensure.ShareEnsured(export_locations=_exports),
        "it was re-exported with its backend's current settings; it is exported at nas:/srv/s1",
    ),
    (
        ensure.ShareEnsured(export_locations=None),
        "it was re-exported with its backend's current settings",
    ),
    (
        ensure.ShareEnsureFailed(reason="lost"),
        "it could not be re-exported with its backend's current settings: lost",
    ),
]
