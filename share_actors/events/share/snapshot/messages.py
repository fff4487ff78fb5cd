"""The commands, events and effects of a snapshot; `lifecycle.py` decides."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from share_actors.events.decider import EPOCH, Command, Effect, Event, Settled
from share_actors.values import SnapshotDoing
from share_actors.values.checks.fields import DriverOptions, Id, Location, Name, Reason
from share_actors.values.secret import OptionValue


class CreateSnapshot(Command, topic="snapshot.create"):
    """`ShareManager.create_snapshot`."""

    snapshot_id: Id
    name: Name | None = None
    at: datetime = EPOCH

    def work(self) -> str:
        """Return the requested work."""
        return f"snapshot/{self.snapshot_id}/create"


class DeleteSnapshot(Command, topic="snapshot.delete"):
    """`ShareManager.delete_snapshot`."""

    snapshot_id: Id

    def work(self) -> str:
        """Return the requested work."""
        return f"snapshot/{self.snapshot_id}/delete"


class DeleteUnknownSnapshot(Command, topic="snapshot.delete_unknown"):
    """Delete a snapshot of this share that only its backend has, at *location*."""

    snapshot_id: Id
    location: Location
    at: datetime = EPOCH

    def work(self) -> str:
        """Return the requested work."""
        return f"snapshot/{self.snapshot_id}/delete"


class ManageSnapshot(Command, topic="snapshot.manage"):
    """`ShareManager.manage_snapshot`: adopt what is at *provider_location*, a snapshot of this share."""

    secrets: ClassVar[tuple[str, ...]] = ("driver_options",)

    snapshot_id: Id
    name: Name | None = None
    provider_location: Location
    driver_options: DriverOptions = Field(default_factory=dict)
    at: datetime = EPOCH

    def work(self) -> str:
        """Return the requested work."""
        return f"snapshot/{self.snapshot_id}/manage"


class UnmanageSnapshot(Command, topic="snapshot.unmanage"):
    """`ShareManager.unmanage_snapshot`: forget it, and leave it on the backend as it is."""

    snapshot_id: Id

    def work(self) -> str:
        """Return the requested work."""
        return f"snapshot/{self.snapshot_id}/unmanage"


class ForgetSnapshot(Command, topic="snapshot.forget"):
    """Forget the snapshot, whatever its status; *reason* is recorded. No driver is called."""

    snapshot_id: Id
    reason: Reason


class ConfirmSnapshotManaged(Command):
    """The driver found the snapshot, of *size* GiB."""

    snapshot_id: str
    size: int
    provider_location: str | None = None


class ConfirmSnapshotUnmanaged(Command):
    """The driver released the snapshot; or it was not called, since its backend is *gone* (the reason)."""

    snapshot_id: str
    gone: str | None = None


class ConfirmSnapshotCreated(Command):
    """The backend created the snapshot."""

    snapshot_id: str
    provider_location: str | None = None


class ConfirmSnapshotDeleted(Command):
    """The backend deleted the snapshot."""

    snapshot_id: str


class SnapshotRequested(Event, topic="snapshot.requested"):
    """A snapshot is to be created."""

    snapshot_id: str
    name: str | None
    at: datetime

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return (f"snapshot/{self.snapshot_id}/create",)


class SnapshotCreated(Event, topic="snapshot.created"):
    """The backend created the snapshot."""

    snapshot_id: str
    provider_location: str | None

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled(f"snapshot/{self.snapshot_id}/create"),)


class SnapshotDeletionRequested(Event, topic="snapshot.deletion_requested"):
    """The snapshot is to be deleted."""

    snapshot_id: str

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return (f"snapshot/{self.snapshot_id}/delete",)


class UnknownSnapshotDeletionRequested(Event, topic="snapshot.unknown_deletion_requested"):
    """What only the backend has, at *location*, is to be deleted: a snapshot of this share."""

    snapshot_id: str
    location: str
    at: datetime

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return (f"snapshot/{self.snapshot_id}/delete",)


class SnapshotDeleted(Event, topic="snapshot.deleted"):
    """The snapshot is gone."""

    snapshot_id: str

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        work = f"snapshot/{self.snapshot_id}"
        gone = Settled(f"{work}/create", "deleted before it was taken")
        rules = Settled(f"{work}/rule/*", "the snapshot was deleted")
        return (Settled(f"{work}/delete"), gone, rules)


class SnapshotErrored(Event, topic="snapshot.errored"):
    """The work *doing* failed for good; the snapshot is in error with the reason."""

    snapshot_id: str
    doing: SnapshotDoing
    reason: str

    def settles(self) -> tuple[Settled, ...]:
        # A deletion may wait behind a creation that failed.
        """Return the works that end."""
        which = "*" if self.doing == "delete" else self.doing
        ends = (Settled(f"snapshot/{self.snapshot_id}/{which}", self.reason),)
        if self.doing == "unmanage":  # no access rule is changed before a retry
            return (*ends, Settled(f"snapshot/{self.snapshot_id}/rule/*", self.reason))
        return ends


class SnapshotDeletionRefused(Event, topic="snapshot.deletion_refused"):
    """The backend needs the snapshot still; it is available again (`ShareSnapshotIsBusy`)."""

    snapshot_id: str
    reason: str

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled(f"snapshot/{self.snapshot_id}/delete", self.reason),)


class SnapshotManageRequested(Event, topic="snapshot.manage_requested"):
    """What exists on the backend is to be managed as a snapshot."""

    schema_version: ClassVar[int] = 2

    snapshot_id: str
    name: str | None
    provider_location: str
    driver_options: dict[str, OptionValue]
    at: datetime

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return (f"snapshot/{self.snapshot_id}/manage",)


class SnapshotManaged(Event, topic="snapshot.managed"):
    """The driver found the snapshot, of *size* GiB."""

    snapshot_id: str
    size: int
    provider_location: str | None

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled(f"snapshot/{self.snapshot_id}/manage"),)


class SnapshotUnmanageRequested(Event, topic="snapshot.unmanage_requested"):
    """The snapshot is to be unmanaged."""

    snapshot_id: str

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return (f"snapshot/{self.snapshot_id}/unmanage",)


class SnapshotUnmanaged(Event, topic="snapshot.unmanaged"):
    """The snapshot is no longer managed; its data is on the backend as before."""

    snapshot_id: str

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        work = f"snapshot/{self.snapshot_id}"
        left = Settled(f"{work}/rule/*", "the snapshot is no longer managed")
        return (Settled(f"{work}/unmanage"), left)


class SnapshotForgotten(Event, topic="snapshot.forgotten"):
    """The snapshot is no longer managed, for this *reason*. Whatever the backend has of it is as it was."""

    snapshot_id: str
    reason: str

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        work = f"snapshot/{self.snapshot_id}"
        return (Settled(f"{work}/unmanage"), Settled(f"{work}/*", "the snapshot was forgotten"))


class TakeSnapshot(Effect):
    """The driver's `create_snapshot`."""

    snapshot_id: str

    def key(self) -> str:
        """Return the name of the effect."""
        return f"snapshot/{self.snapshot_id}/create"


class DropSnapshot(Effect):
    """*cascade*: as a step of deleting the share."""

    snapshot_id: str
    cascade: bool = False

    def key(self) -> str:
        """Return the name of the effect."""
        return "delete" if self.cascade else f"snapshot/{self.snapshot_id}/delete"


class ManageExistingSnapshot(Effect):
    """The driver's `manage_existing_snapshot`."""

    snapshot_id: str
    driver_options: dict[str, OptionValue]

    def key(self) -> str:
        """Return the name of the effect."""
        return f"snapshot/{self.snapshot_id}/manage"


class UnmanageExistingSnapshot(Effect):
    """The driver's `unmanage_snapshot`."""

    snapshot_id: str

    def key(self) -> str:
        """Return the name of the effect."""
        return f"snapshot/{self.snapshot_id}/unmanage"


SnapshotCommand = (
    CreateSnapshot
    | DeleteSnapshot
    | DeleteUnknownSnapshot
    | ConfirmSnapshotCreated
    | ConfirmSnapshotDeleted
    | ManageSnapshot
    | UnmanageSnapshot
    | ForgetSnapshot
    | ConfirmSnapshotManaged
    | ConfirmSnapshotUnmanaged
)
SnapshotEvent = (
    SnapshotRequested
    | SnapshotCreated
    | SnapshotDeletionRequested
    | UnknownSnapshotDeletionRequested
    | SnapshotDeleted
    | SnapshotErrored
    | SnapshotDeletionRefused
    | SnapshotManageRequested
    | SnapshotManaged
    | SnapshotUnmanageRequested
    | SnapshotUnmanaged
    | SnapshotForgotten
)
SnapshotEffect = TakeSnapshot | DropSnapshot | ManageExistingSnapshot | UnmanageExistingSnapshot
