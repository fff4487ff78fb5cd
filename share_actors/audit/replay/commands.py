"""The command that led to recorded events, built from them: the log holds the events and who asked, not it.

What cannot be built: a request that joined pending work or changed nothing has no event of its own; scheduler
hints, server limits and the failures that drivers reported are not recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from share_actors.events import attempts, quota, share_type, snapshot_policy
from share_actors.events.decider import Command, Event
from share_actors.events.share import (
    access,
    backend_change,
    creation,
    deletion,
    ensure,
    failure,
    forgetting,
    manage,
    properties,
    resize,
    revert,
    server_attachment,
)
from share_actors.events.share.protection import locks, soft_deletion
from share_actors.events.share.snapshot import holds
from share_actors.events.share.snapshot import messages as snapshots
from share_actors.events.share_network import messages as network

Build = Callable[[Any, Any], Command]
"""The command of an event and the state before it; raises a ValidationError if it is not valid any more."""


def command_of(events: list[Event], state: Any) -> Command | None:
    """The command that came to *events* in *state*; None if it cannot be told from them.

    Raises pydantic's `ValidationError` if the present code does not accept such a command.
    """
    build = _BUILD.get(type(events[0]))
    return None if build is None else build(events[0], state)


def _same_fields(command: type[Command]) -> Build:
    """A command whose fields are those of its event that have the same names."""

    def build(event: Event, _state: Any) -> Command:
        fields = {n: v for n, v in event.__dict__.items() if n in command.model_fields}
        return command(**fields)

    return build


def _create(event: creation.ShareCreationRequested, _state: Any) -> Command:
    source = None if event.source is None else event.source.id
    return creation.CreateShare(**event.__dict__, snapshot_id=source)


def _resize(event: resize.ShareResizeRequested, _state: Any) -> Command:
    command = resize.ExtendShare if event.doing == "extend" else resize.ShrinkShare
    return command(size=event.size)


def _change(event: properties.ShareChanged, state: Any) -> Command:
    texts: dict[properties.Unset, str | None] = {
        "name": event.name,
        "description": event.description,
    }
    removed = dict.fromkeys(state.share.metadata.keys() - event.metadata.keys())
    return properties.ChangeShare(
        **texts,
        is_public=event.is_public,
        metadata={**event.metadata, **removed},
        unset=tuple(part for part, text in texts.items() if text is None),
    )


def _delete(event: deletion.ShareDeletionRequested, _state: Any) -> Command:
    return deletion.DeleteShare(cascade=event.cascade, now=True)


def _soft_delete(event: soft_deletion.ShareSoftDeleted, _state: Any) -> Command:
    at = event.until - timedelta(seconds=1)
    return soft_deletion.SoftDeleteShare(grace_s=1, cascade=event.cascade, at=at)


def _quota(event: quota.QuotaChanged, state: Any) -> Command:
    scope = {"user_id": event.user_id, "share_type": event.share_type}
    now = state.of(event.user_id, event.share_type)
    if removed := tuple(name for name in now if name not in event.limits):
        return quota.UnsetQuota(**scope, names=removed, at=event.at)
    fields = {n: v for n, v in event.__dict__.items() if n in quota.SetQuota.model_fields}
    return quota.SetQuota(**fields)


def _deleted(_event: Event, state: Any) -> Command:
    if state.share.share_network_id is None or state.destroyed:
        on_server = state.destroyed
        return server_attachment.ConfirmReleased() if on_server else deletion.ConfirmDeleted()
    return server_attachment.ConfirmReleased()


_SAME: Mapping[type[Event], type[Command]] = {
    access.AccessAllowed: access.AllowAccess,
    access.AccessDenied: access.DenyAccess,
    access.AccessRulesApplied: access.ConfirmRules,
    attempts.AttemptStarted: attempts.BeginAttempt,
    backend_change.ShareBackendChanged: backend_change.ChangeBackend,
    creation.ShareCreated: creation.ConfirmCreated,
    locks.ShareLocked: locks.LockShare,
    locks.ShareUnlocked: locks.UnlockShare,
    soft_deletion.ShareRestored: soft_deletion.RestoreShare,
    ensure.ShareEnsureRequested: ensure.EnsureShare,
    ensure.ShareReapplyRequested: ensure.ReapplyShare,
    failure.RetryRequested: failure.RetryShare,
    forgetting.ShareForgetRequested: forgetting.ForgetShare,
    holds.SnapshotHeld: holds.HoldSnapshot,
    manage.ShareManageRequested: manage.ManageShare,
    manage.ShareManaged: manage.ConfirmManaged,
    manage.ShareUnmanageRequested: manage.UnmanageShare,
    manage.ShareUnmanaged: manage.ConfirmUnmanaged,
    network.SecurityServiceRemoved: network.RemoveSecurityService,
    network.ShareNetworkDeleted: network.DeleteShareNetwork,
    resize.ShareResized: resize.ConfirmResized,
    revert.ShareRevertRequested: revert.RevertToSnapshot,
    revert.ShareReverted: revert.ConfirmReverted,
    snapshot_policy.PolicyCreated: snapshot_policy.CreateSnapshotPolicy,
    snapshot_policy.PolicyChanged: snapshot_policy.ChangeSnapshotPolicy,
    snapshot_policy.SharesAttached: snapshot_policy.AttachShares,
    snapshot_policy.SharesDetached: snapshot_policy.DetachShares,
    snapshot_policy.PolicyDeleted: snapshot_policy.DeleteSnapshotPolicy,
    snapshot_policy.PolicyRan: snapshot_policy.RecordRun,
    share_type.ShareTypeCreated: share_type.CreateShareType,
    share_type.ShareTypeChanged: share_type.ChangeShareType,
    share_type.ShareTypeDeleted: share_type.DeleteShareType,
    snapshots.SnapshotCreated: snapshots.ConfirmSnapshotCreated,
    snapshots.SnapshotDeletionRequested: snapshots.DeleteSnapshot,
    snapshots.SnapshotDeleted: snapshots.ConfirmSnapshotDeleted,
    snapshots.SnapshotManageRequested: snapshots.ManageSnapshot,
    snapshots.SnapshotManaged: snapshots.ConfirmSnapshotManaged,
    snapshots.SnapshotRequested: snapshots.CreateSnapshot,
    snapshots.SnapshotUnmanageRequested: snapshots.UnmanageSnapshot,
}
_BUILD: Mapping[type[Event], Build] = {
    **{event: _same_fields(command) for event, command in _SAME.items()},
    creation.ShareCreationRequested: _create,
    deletion.ShareDeleted: _deleted,
    deletion.ShareDeletionRequested: _delete,
    properties.ShareChanged: _change,
    soft_deletion.ShareSoftDeleted: _soft_delete,
    quota.QuotaChanged: _quota,
    resize.ShareResizeRequested: _resize,
    server_attachment.ShareDestroyed: lambda _event, _state: deletion.ConfirmDeleted(),
}
