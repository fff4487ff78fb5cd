"""One table of stable short names for events and client commands; the log holds these, never import paths."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from share_actors.events import (
    access,
    backend,
    base,
    custody,
    share_network,
    share_server_words,
    share_type,
    snapshot_words,
    upkeep,
)
from share_actors.events import share_words as share
from share_actors.events.base import Command, Event

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
        "request.joined": base.RequestJoined,
        "share.attempt_started": share.AttemptStarted,
        "share.attempt_failed": share.AttemptFailed,
        "access.allowed": access.AccessAllowed,
        "access.denied": access.AccessDenied,
        "access.rules_applied": access.AccessRulesApplied,
        "snapshot.requested": snapshot_words.SnapshotRequested,
        "snapshot.created": snapshot_words.SnapshotCreated,
        "snapshot.deletion_requested": snapshot_words.SnapshotDeletionRequested,
        "snapshot.deleted": snapshot_words.SnapshotDeleted,
        "snapshot.errored": snapshot_words.SnapshotErrored,
        "snapshot.deletion_refused": snapshot_words.SnapshotDeletionRefused,
        "snapshot.manage_requested": snapshot_words.SnapshotManageRequested,
        "snapshot.managed": snapshot_words.SnapshotManaged,
        "snapshot.unmanage_requested": snapshot_words.SnapshotUnmanageRequested,
        "snapshot.unmanaged": snapshot_words.SnapshotUnmanaged,
        "share.manage_requested": custody.ShareManageRequested,
        "share.managed": custody.ShareManaged,
        "share.unmanage_requested": custody.ShareUnmanageRequested,
        "share.unmanaged": custody.ShareUnmanaged,
        "share.server_acquired": upkeep.ShareServerAcquired,
        "share.destroyed": upkeep.ShareDestroyed,
        "share.ensure_requested": upkeep.ShareEnsureRequested,
        "share.ensured": upkeep.ShareEnsured,
        "share.ensure_failed": upkeep.ShareEnsureFailed,
        "network.created": share_network.ShareNetworkCreated,
        "network.deleted": share_network.ShareNetworkDeleted,
        "network.security_service_added": share_network.SecurityServiceAdded,
        "network.security_service_removed": share_network.SecurityServiceRemoved,
        "network.addresses_granted": share_network.AddressesGranted,
        "network.addresses_released": share_network.AddressesReleased,
        "network.server_assigned": share_network.ServerAssigned,
        "network.server_retired": share_network.ServerRetired,
        "network.share_turned_away": share_network.ShareTurnedAway,
        "network.share_unassigned": share_network.ShareUnassigned,
        "server.requested": share_server_words.ServerRequested,
        "server.share_attached": share_server_words.ShareAttached,
        "server.share_detached": share_server_words.ShareDetached,
        "server.addresses_allocated": share_server_words.AddressesAllocated,
        "server.set_up": share_server_words.ServerSetUp,
        "server.set_up_failed": share_server_words.ServerSetUpFailed,
        "server.deletion_requested": share_server_words.ServerDeletionRequested,
        "server.torn_down": share_server_words.ServerTornDown,
        "server.deleted": share_server_words.ServerDeleted,
        "server.errored": share_server_words.ServerErrored,
        "server.retried": share_server_words.ServerRetried,
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
"""Every kind of event that a log may hold. A name, once released, is for ever."""

COMMANDS: Mapping[str, type[Command]] = MappingProxyType(
    {
        "share.create": share.CreateShare,
        "share.delete": share.DeleteShare,
        "share.extend": share.ExtendShare,
        "share.shrink": share.ShrinkShare,
        "share.retry": share.RetryShare,
        "access.allow": access.AllowAccess,
        "access.deny": access.DenyAccess,
        "snapshot.create": snapshot_words.CreateSnapshot,
        "snapshot.delete": snapshot_words.DeleteSnapshot,
        "snapshot.manage": snapshot_words.ManageSnapshot,
        "snapshot.unmanage": snapshot_words.UnmanageSnapshot,
        "share.manage": custody.ManageShare,
        "share.unmanage": custody.UnmanageShare,
        "share.ensure": upkeep.EnsureShare,
        "network.create": share_network.CreateShareNetwork,
        "network.delete": share_network.DeleteShareNetwork,
        "network.add_security_service": share_network.AddSecurityService,
        "network.remove_security_service": share_network.RemoveSecurityService,
        "network.grant_addresses": share_network.GrantAddresses,
        "network.release_addresses": share_network.ReleaseAddresses,
        "network.acquire_server": share_network.AcquireServer,
        "network.retire_server": share_network.RetireServer,
        "network.turn_away": share_network.TurnAway,
        "network.leave_server": share_network.LeaveServer,
        "server.attach_share": share_server_words.AttachShare,
        "server.detach_share": share_server_words.DetachShare,
        "server.delete": share_server_words.DeleteServer,
        "server.retry": share_server_words.RetryServer,
        "type.create": share_type.CreateShareType,
        "type.change": share_type.ChangeShareType,
        "type.delete": share_type.DeleteShareType,
        "backend.report_stats": backend.ReportStats,
        "backend.report_silence": backend.ReportSilence,
        "backend.confirm_shares": backend.ConfirmShares,
    }
)
"""What travels: what a client can ask for, and entities ask of each other.

What an entity's own attempts come to (`BeginAttempt`, `ConfirmCreated`...) does not.
"""

_TOPICS: Mapping[type[Event] | type[Command], str] = MappingProxyType(
    {**{cls: topic for topic, cls in EVENTS.items()}, **{c: t for t, c in COMMANDS.items()}}
)


def topic_of(cls: type[Event] | type[Command]) -> str:
    """The name under which *cls* is stored and sent; raises `KeyError` for what never is."""
    return _TOPICS[cls]
