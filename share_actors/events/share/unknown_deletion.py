"""Deleting what only a backend has: a share that the log does not have, or not any more.

absent or unmanaged -> deleting -> deleted, as of any deletion. The request is the first event of the
share's stream, or its next one, so that it is decided apart from any creation or management under this id.
"""

from __future__ import annotations

from datetime import datetime

from share_actors.events.decider import EPOCH, Command, Event, Rejected
from share_actors.events.phrases import place
from share_actors.events.share.state import ShareState, initial
from share_actors.values import RequestedSpec, Share, ShareSpec, SizeGiB
from share_actors.values.checks.fields import Id, Location


# -- messages ------------------------------------------------------------------------------------
class DeleteUnknownShare(Command, topic="share.delete_unknown"):
    """Delete a share that only its backend has: at *location*, of *size* GiB if that is known."""

    share_id: Id
    spec: RequestedSpec
    location: Location
    size: SizeGiB | None = None
    at: datetime = EPOCH

    def destination(self) -> str:
        """Return the host that was named."""
        return self.spec.host

    def owning_project(self) -> str:
        """Return the project that the record of the deletion belongs to."""
        return self.spec.project_id

    def work(self) -> str:
        """Return the requested work."""
        return "delete"


class UnknownShareDeletionRequested(Event, topic="share.unknown_deletion_requested"):
    """What only the backend has, at *location*, is to be deleted; *size* in GiB, None if not known."""

    share_id: str
    spec: ShareSpec
    location: str
    size: int | None
    at: datetime

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return ("delete",)


# -- decisions -----------------------------------------------------------------------------------
def decide(command: DeleteUnknownShare, state: ShareState) -> list[UnknownShareDeletionRequested]:
    """The request, unless the deletion is under way; raises `Rejected` if the log has the share."""
    status, backend = state.share.status, state.share.backend
    if status == "deleting":
        return []
    if status == "deleted":
        raise Rejected(
            f"share {command.share_id} was deleted from backend {backend} and its record is final: manage"
            " what is there under a new id, then delete that share"
        )
    if status not in ("absent", "unmanaged"):
        raise Rejected(f"the log has share {command.share_id}: it is {status} on backend {backend}")
    return [UnknownShareDeletionRequested(**command.__dict__)]


def evolve(state: ShareState, event: UnknownShareDeletionRequested) -> ShareState:
    """The state after *event*."""
    share = Share.from_spec(
        event.spec, id=event.share_id, created_at=event.at, status="deleting", size=event.size or 0
    )
    return initial.replace(share=share, doing="delete")


def sentence(event: UnknownShareDeletionRequested, who: str) -> str:
    """*event* in words; *who* requested it."""
    size = "" if event.size is None else f", {event.size} GiB"
    where = f"{event.location} on {place(event.spec.host)}{size}"
    return f"{who} asked to delete what only the backend has: {where}"
