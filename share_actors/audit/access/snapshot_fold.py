"""The access to one snapshot that is mounted by itself, folded from the events of its share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from share_actors.audit.access.fold import AccessFold, RuleTrack, shown_text
from share_actors.events.attempts import AttemptStarted
from share_actors.events.envelope import Envelope, Recorded
from share_actors.events.share.backend_change import ShareBackendChanged
from share_actors.events.share.creation import ShareCreationRequested
from share_actors.events.share.deletion import ShareDeleted, ShareDeletionRequested
from share_actors.events.share.ensure import ShareReapplyRequested
from share_actors.events.share.failure import RetryRequested, ShareErrored
from share_actors.events.share.forgetting import ShareForgotten
from share_actors.events.share.manage import ShareManageRequested, ShareUnmanaged
from share_actors.events.share.snapshot.access import (
    SnapshotAccessAllowed,
    SnapshotAccessDenied,
    SnapshotAccessRulesApplied,
)
from share_actors.events.share.snapshot.messages import (
    SnapshotDeleted,
    SnapshotDeletionRefused,
    SnapshotDeletionRequested,
    SnapshotErrored,
    SnapshotForgotten,
    SnapshotManageRequested,
    SnapshotRequested,
    SnapshotUnmanaged,
)

NOT_MANAGED = "the snapshot was not managed"


class SnapshotFold(AccessFold):
    """The rules of one snapshot; `apply` adds the next event of its share.

    Before the snapshot was requested nobody reaches it; a snapshot that begins to be managed has no export.
    """

    def __init__(self, snapshot_id: str) -> None:
        super().__init__()
        self._id = snapshot_id

    def apply(self, recorded: Recorded, at: datetime) -> Iterable[RuleTrack]:
        """Add an event of the share that counts from *at*; see `AccessFold.apply`."""
        event = recorded.event
        if getattr(event, "snapshot_id", self._id) != self._id:
            return ()
        handler = _HANDLERS.get(type(event))
        return () if handler is None else handler(self, event, recorded.envelope, at)

    # -- the share -------------------------------------------------------------------------------
    def _of(
        self, event: ShareCreationRequested | ShareManageRequested, _: Envelope, __: datetime
    ) -> Iterable[RuleTrack]:
        self.share = event.spec
        return ()

    def _left(self, _: object, __: Envelope, at: datetime) -> Iterable[RuleTrack]:
        if self.knowledge != "absent":
            self._know("none", NOT_MANAGED, at)
        return self._drop_rules()

    # -- the snapshot ----------------------------------------------------------------------------
    def _requested(self, _: object, __: Envelope, at: datetime) -> Iterable[RuleTrack]:
        self._know("complete", None, at)
        return ()

    def _refused(
        self, event: SnapshotDeletionRefused, _: Envelope, __: datetime
    ) -> Iterable[RuleTrack]:
        self.deleting = None
        return self.rules.values()

    def _failed(self, event: SnapshotErrored, _: Envelope, __: datetime) -> Iterable[RuleTrack]:
        self.error = shown_text(event.reason)
        return self.rules.values()

    def _gone(self, _: object, __: Envelope, at: datetime) -> Iterable[RuleTrack]:
        self._know("gone", "the snapshot was deleted", at)
        return self._drop_rules()

    # -- its rules -------------------------------------------------------------------------------
    def _begun(self, event: AttemptStarted, _: Envelope, __: datetime) -> Iterable[RuleTrack]:
        return self._attempted() if event.effect == f"snapshot/{self._id}/access" else ()

    def _again(
        self, event: ShareReapplyRequested, _: Envelope, __: datetime
    ) -> Iterable[RuleTrack]:
        return self._queue(event.snapshot_rules.get(self._id, ()))


_HANDLERS: Mapping[
    type[Any], Callable[[SnapshotFold, Any, Envelope, datetime], Iterable[RuleTrack]]
] = {
    ShareCreationRequested: SnapshotFold._of,
    ShareManageRequested: SnapshotFold._of,
    ShareUnmanaged: SnapshotFold._left,
    ShareForgotten: SnapshotFold._left,
    ShareDeletionRequested: SnapshotFold._deletion_requested,
    ShareDeleted: SnapshotFold._gone,
    ShareErrored: SnapshotFold._errored,
    ShareBackendChanged: SnapshotFold._moved,
    SnapshotRequested: SnapshotFold._requested,
    SnapshotManageRequested: SnapshotFold._requested,
    SnapshotDeletionRequested: SnapshotFold._deletion_requested,
    SnapshotDeletionRefused: SnapshotFold._refused,
    SnapshotErrored: SnapshotFold._failed,
    SnapshotDeleted: SnapshotFold._gone,
    SnapshotUnmanaged: SnapshotFold._left,
    SnapshotForgotten: SnapshotFold._left,
    SnapshotAccessAllowed: SnapshotFold._allowed,
    SnapshotAccessDenied: SnapshotFold._denied,
    SnapshotAccessRulesApplied: SnapshotFold._applied,
    AttemptStarted: SnapshotFold._begun,
    ShareReapplyRequested: SnapshotFold._again,
    RetryRequested: SnapshotFold._retried,
}
TOPICS = frozenset(event.topic for event in _HANDLERS)
"""The topics of the events that change the access to snapshots; no others need to be decoded."""
