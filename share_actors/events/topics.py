"""One table of stable short names for events and client commands; the log holds these, never import paths."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from share_actors.events import access, snapshots
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
        "share.attempt_started": share.AttemptStarted,
        "share.attempt_failed": share.AttemptFailed,
        "access.allowed": access.AccessAllowed,
        "access.denied": access.AccessDenied,
        "access.rules_applied": access.AccessRulesApplied,
        "snapshot.requested": snapshots.SnapshotRequested,
        "snapshot.created": snapshots.SnapshotCreated,
        "snapshot.deletion_requested": snapshots.SnapshotDeletionRequested,
        "snapshot.deleted": snapshots.SnapshotDeleted,
        "snapshot.errored": snapshots.SnapshotErrored,
        "snapshot.deletion_refused": snapshots.SnapshotDeletionRefused,
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
        "snapshot.create": snapshots.CreateSnapshot,
        "snapshot.delete": snapshots.DeleteSnapshot,
    }
)
"""What a client can ask for; the system's own commands (`BeginAttempt`, `Confirm...`) are not here."""

_TOPICS: Mapping[type[Event] | type[Command], str] = MappingProxyType(
    {**{cls: topic for topic, cls in EVENTS.items()}, **{c: t for t, c in COMMANDS.items()}}
)


def topic_of(cls: type[Event] | type[Command]) -> str:
    """The name under which *cls* is stored and sent; raises `KeyError` for what never is."""
    return _TOPICS[cls]
