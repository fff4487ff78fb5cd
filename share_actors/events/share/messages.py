"""All commands, events and effects of a share, from the modules of its parts."""

from __future__ import annotations

from share_actors.events.attempts import AttemptEvent, BeginAttempt
from share_actors.events.decider import RequestJoined
from share_actors.events.share.access import AccessCommand, AccessEvent, ApplyRules
from share_actors.events.share.backend_change import ChangeBackend, ShareBackendChanged
from share_actors.events.share.creation import (
    ConfirmCreated,
    CreateShare,
    CreationCommand,
    CreationEvent,
    Provision,
    ShareCreated,
    ShareCreationRequested,
)
from share_actors.events.share.deletion import (
    ConfirmDeleted,
    DeleteShare,
    DeletionCommand,
    DeletionEvent,
    Destroy,
    ShareDeleted,
    ShareDeletionRequested,
)
from share_actors.events.share.ensure import Ensure, EnsureCommand, EnsureEvent, ReapplyShare
from share_actors.events.share.failure import (
    FailureCommand,
    FailureEvent,
    RetryRequested,
    RetryShare,
    ShareErrored,
)
from share_actors.events.share.forgetting import ForgettingCommand, ForgettingEvent
from share_actors.events.share.manage import ManageCommand, ManageEffect, ManageEvent
from share_actors.events.share.properties import (
    ChangeShare,
    PropertiesCommand,
    PropertiesEvent,
    ShareChanged,
)
from share_actors.events.share.protection.locks import (
    LockCommand,
    LockEvent,
    LockShare,
    UnlockShare,
)
from share_actors.events.share.protection.soft_deletion import (
    DeleteDueShare,
    RestoreShare,
    SoftDeleteShare,
    SoftDeletionCommand,
    SoftDeletionEvent,
)
from share_actors.events.share.resize import (
    ConfirmResized,
    ExtendShare,
    Resize,
    ResizeCommand,
    ResizeEvent,
    ShareResized,
    ShareResizeRefused,
    ShareResizeRequested,
    ShrinkShare,
)
from share_actors.events.share.revert import (
    ConfirmReverted,
    Revert,
    RevertCommand,
    RevertEvent,
    RevertToSnapshot,
    ShareReverted,
    ShareRevertRefused,
    ShareRevertRequested,
)
from share_actors.events.share.server_attachment import (
    AttachmentCommand,
    AttachmentEffect,
    AttachmentEvent,
)
from share_actors.events.share.snapshot.access import (
    ApplySnapshotRules,
    SnapshotAccessCommand,
    SnapshotAccessEvent,
)
from share_actors.events.share.snapshot.cloning import CloningCommand, CloningEffect, CloningEvent
from share_actors.events.share.snapshot.holds import HoldCommand, HoldEvent
from share_actors.events.share.snapshot.messages import (
    SnapshotCommand,
    SnapshotEffect,
    SnapshotEvent,
)
from share_actors.events.share.unknown_deletion import (
    DeleteUnknownShare,
    UnknownShareDeletionRequested,
)

__all__ = [
    "ChangeShare",
    "ConfirmCreated",
    "ConfirmDeleted",
    "ConfirmResized",
    "ConfirmReverted",
    "CreateShare",
    "DeleteDueShare",
    "DeleteShare",
    "Destroy",
    "ExtendShare",
    "LockShare",
    "Provision",
    "ReapplyShare",
    "Resize",
    "RestoreShare",
    "RetryRequested",
    "RetryShare",
    "Revert",
    "RevertToSnapshot",
    "ShareChanged",
    "ShareCommand",
    "ShareCreated",
    "ShareCreationRequested",
    "ShareDeleted",
    "ShareDeletionRequested",
    "ShareEffect",
    "ShareErrored",
    "ShareEvent",
    "ShareResizeRefused",
    "ShareResizeRequested",
    "ShareResized",
    "ShareRevertRefused",
    "ShareRevertRequested",
    "ShareReverted",
    "ShrinkShare",
    "SoftDeleteShare",
    "UnlockShare",
]

ShareCommand = (
    CreationCommand
    | DeletionCommand
    | LockCommand
    | SoftDeletionCommand
    | DeleteUnknownShare
    | ResizeCommand
    | PropertiesCommand
    | RevertCommand
    | FailureCommand
    | ManageCommand
    | ForgettingCommand
    | ChangeBackend
    | AttachmentCommand
    | EnsureCommand
    | AccessCommand
    | SnapshotCommand
    | SnapshotAccessCommand
    | HoldCommand
    | CloningCommand
    | BeginAttempt
)
ShareEvent = (
    CreationEvent
    | DeletionEvent
    | LockEvent
    | SoftDeletionEvent
    | UnknownShareDeletionRequested
    | ResizeEvent
    | PropertiesEvent
    | RevertEvent
    | FailureEvent
    | ManageEvent
    | ForgettingEvent
    | ShareBackendChanged
    | AttachmentEvent
    | EnsureEvent
    | AccessEvent
    | SnapshotEvent
    | SnapshotAccessEvent
    | HoldEvent
    | CloningEvent
    | AttemptEvent
    | RequestJoined
)
ShareEffect = (
    Provision
    | Resize
    | Revert
    | Destroy
    | ApplyRules
    | ManageEffect
    | AttachmentEffect
    | Ensure
    | SnapshotEffect
    | ApplySnapshotRules
    | CloningEffect
)
