"""The topics of events and commands: stable short names, stored in the log instead of import paths."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from share_actors.events import attempts, backend, decider, share_network, share_server, share_type
from share_actors.events.decider import Command, Event
from share_actors.events.share import access, ensure, manage, server_attachment, snapshot_messages
from share_actors.events.share import messages as share

EVENTS: Mapping[str, type[Event]] = MappingProxyType(
    {
        "share.creation_requested": share.ShareCreationRequested,
        "share.created": share.ShareCreated,
        "share.resize_requested": share.ShareResizeRequested,
        "share.resized": share.ShareResized,
        "share.resize_refused": share.ShareResizeRefused,
        "share.deletion_requested": share.ShareDeletionRequested,
        "share.deleted": share.ShareDeleted,
        "share.errored": share.ShareErrored,
        "share.retry_requested": share.RetryRequested,
        "request.joined": decider.RequestJoined,
        "share.attempt_started": attempts.AttemptStarted,
        "share.attempt_failed": attempts.AttemptFailed,
        "access.allowed": access.AccessAllowed,
        "access.denied": access.AccessDenied,
        "access.rules_applied": access.AccessRulesApplied,
        "snapshot.requested": snapshot_messages.SnapshotRequested,
        "snapshot.created": snapshot_messages.SnapshotCreated,
        "snapshot.deletion_requested": snapshot_messages.SnapshotDeletionRequested,
        "snapshot.deleted": snapshot_messages.SnapshotDeleted,
        "snapshot.errored": snapshot_messages.SnapshotErrored,
        "snapshot.deletion_refused": snapshot_messages.SnapshotDeletionRefused,
        "snapshot.manage_requested": snapshot_messages.SnapshotManageRequested,
        "snapshot.managed": snapshot_messages.SnapshotManaged,
        "snapshot.unmanage_requested": snapshot_messages.SnapshotUnmanageRequested,
        "snapshot.unmanaged": snapshot_messages.SnapshotUnmanaged,
        "share.manage_requested": manage.ShareManageRequested,
        "share.managed": manage.ShareManaged,
        "share.unmanage_requested": manage.ShareUnmanageRequested,
        "share.unmanaged": manage.ShareUnmanaged,
        "share.server_acquired": server_attachment.ShareServerAcquired,
        "share.destroyed": server_attachment.ShareDestroyed,
        "share.ensure_requested": ensure.ShareEnsureRequested,
        "share.ensured": ensure.ShareEnsured,
        "share.ensure_failed": ensure.ShareEnsureFailed,
        "network.created": share_network.ShareNetworkCreated,
        "network.deleted": share_network.ShareNetworkDeleted,
        "network.security_service_added": share_network.SecurityServiceAdded,
        "network.security_service_removed": share_network.SecurityServiceRemoved,
        "network.addresses_granted": share_network.AddressesGranted,
        "network.addresses_released": share_network.AddressesReleased,
        "network.server_assigned": share_network.ServerAssigned,
        "network.server_retired": share_network.ServerRetired,
        "network.share_turned_away": share_network.ShareRejected,
        "network.share_unassigned": share_network.ShareUnassigned,
        "server.requested": share_server.ServerRequested,
        "server.share_attached": share_server.ShareAttached,
        "server.share_detached": share_server.ShareDetached,
        "server.addresses_allocated": share_server.AddressesAllocated,
        "server.set_up": share_server.ServerSetUp,
        "server.set_up_failed": share_server.ServerSetUpFailed,
        "server.deletion_requested": share_server.ServerDeletionRequested,
        "server.torn_down": share_server.ServerTornDown,
        "server.deleted": share_server.ServerDeleted,
        "server.errored": share_server.ServerErrored,
        "server.retried": share_server.ServerRetried,
        "type.created": share_type.ShareTypeCreated,
        "type.changed": share_type.ShareTypeChanged,
        "type.deleted": share_type.ShareTypeDeleted,
        "backend.up": backend.BackendUp,
        "backend.changed": backend.BackendChanged,
        "backend.down": backend.BackendDown,
        "backend.info_changed": backend.BackendInfoChanged,
        "backend.shares_ensured": backend.BackendSharesEnsured,
    }
)
"""Every event type that a log can have, by topic. A released topic is permanent."""

COMMANDS: Mapping[str, type[Command]] = MappingProxyType(
    {
        "share.create": share.CreateShare,
        "share.delete": share.DeleteShare,
        "share.extend": share.ExtendShare,
        "share.shrink": share.ShrinkShare,
        "share.retry": share.RetryShare,
        "access.allow": access.AllowAccess,
        "access.deny": access.DenyAccess,
        "snapshot.create": snapshot_messages.CreateSnapshot,
        "snapshot.delete": snapshot_messages.DeleteSnapshot,
        "snapshot.manage": snapshot_messages.ManageSnapshot,
        "snapshot.unmanage": snapshot_messages.UnmanageSnapshot,
        "share.manage": manage.ManageShare,
        "share.unmanage": manage.UnmanageShare,
        "share.ensure": ensure.EnsureShare,
        "network.create": share_network.CreateShareNetwork,
        "network.delete": share_network.DeleteShareNetwork,
        "network.add_security_service": share_network.AddSecurityService,
        "network.remove_security_service": share_network.RemoveSecurityService,
        "network.grant_addresses": share_network.GrantAddresses,
        "network.release_addresses": share_network.ReleaseAddresses,
        "network.acquire_server": share_network.AssignServer,
        "network.retire_server": share_network.RetireServer,
        "network.turn_away": share_network.RejectShare,
        "network.leave_server": share_network.UnassignShare,
        "server.attach_share": share_server.AttachShare,
        "server.detach_share": share_server.DetachShare,
        "server.delete": share_server.DeleteServer,
        "server.retry": share_server.RetryServer,
        "type.create": share_type.CreateShareType,
        "type.change": share_type.ChangeShareType,
        "type.delete": share_type.DeleteShareType,
        "backend.report_stats": backend.ReportStats,
        "backend.report_silence": backend.ReportSilence,
        "backend.confirm_shares": backend.ConfirmShares,
    }
)
"""The commands that are sent to entities, by clients or other entities, by topic.

Commands that an entity gives itself (`BeginAttempt`, `ConfirmCreated`, ...) have no topic.
"""

_TOPICS: Mapping[type[Event] | type[Command], str] = MappingProxyType(
    {**{cls: topic for topic, cls in EVENTS.items()}, **{c: t for t, c in COMMANDS.items()}}
)


def topic_of(cls: type[Event] | type[Command]) -> str:
    """Return the topic of *cls*; raises `KeyError` if it is neither stored nor sent."""
    return _TOPICS[cls]
