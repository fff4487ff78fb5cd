"""What a share owes, and what a request made once more waits for: `decider.py` decides.

One thing at a time: a deletion before all else, then rules, snapshots, and what only keeps it well.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from share_actors.events import attempts
from share_actors.events.share import (
    access,
    ensure,
    server_attachment,
    snapshot_messages,
    snapshots,
)
from share_actors.events.share.manage import Adopt, LetGo, ManageShare, UnmanageShare
from share_actors.events.share.messages import (
    CreateShare,
    DeleteShare,
    Destroy,
    Provision,
    Resize,
    ShareCommand,
    ShareEffect,
)
from share_actors.events.share.state import ShareState


def resize_failed(state: ShareState) -> bool:
    """In error, but whole and in use: clients may still be let in and, above all, be shut out."""
    return state.share.status == "error" and state.doing in ("extend", "shrink")


def pending(state: ShareState) -> ShareEffect | None:
    """What is owed to the backend next: one thing at a time, deletion before all else."""
    match state.share.status:
        case "creating":
            on_none = state.share.share_network_id is not None and not state.share.share_server_id
            return server_attachment.AcquireServer() if on_none else Provision(source=state.source)
        case "deleting":
            dropped = snapshots.removal(state.snapshots)
            return dropped or access.removal(state.rules) or _destruction(state)
        case "extending":
            return Resize(doing="extend", size=state.resize_to)
        case "shrinking":
            return Resize(doing="shrink", size=state.resize_to)
        case "available":
            return _beside(state)
        case "error" if resize_failed(state):
            return _beside(state)
        case "error":
            return snapshots.dropping(state.snapshots)
        case "manage_starting":
            return Adopt(driver_options=state.driver_options)
        case "unmanage_starting":
            return LetGo()
        case "absent" | "deleted" | "unmanaged" | "manage_error" | "unmanage_error":
            return None
        case _:
            assert_never(state.share.status)


def _beside(state: ShareState) -> ShareEffect | None:
    """What is owed to a share that is whole and in use."""
    beside = access.pending(state.rules) or snapshots.pending(state.snapshots)
    return beside or (ensure.Ensure() if state.ensure else None)


def _destruction(state: ShareState) -> ShareEffect:
    """Off the backend, then off its share server; a share that never had one is on no backend."""
    if state.share.share_network_id is None:
        return Destroy()
    made = state.share.share_server_id is not None and not state.destroyed
    return Destroy() if made else server_attachment.ReleaseServer()


# -- what a repeated request waits for -----------------------------------------------------------
def joins(command: ShareCommand, state: ShareState) -> str | None:
    """The work under way that *command* asks for once more, when it comes to no event of its own."""
    match command:
        case CreateShare():
            return "create"
        case DeleteShare():
            return "delete"
        case ManageShare():
            return "manage"
        case UnmanageShare():
            return "unmanage"
        case ensure.EnsureShare():
            return "ensure"
        case access.AllowAccess(access_type=kind, access_to=to):
            rule = access.same_client(state.rules, kind, to)
            return None if rule is None else f"rule/{rule.id}/allow"
        case access.DenyAccess(access_id=i):
            return f"rule/{i}/deny"
        case snapshot_messages.CreateSnapshot(snapshot_id=i):
            return f"snapshot/{i}/create"
        case snapshot_messages.DeleteSnapshot(snapshot_id=i):
            return f"snapshot/{i}/delete"
        case snapshot_messages.ManageSnapshot(snapshot_id=i):
            return f"snapshot/{i}/manage"
        case snapshot_messages.UnmanageSnapshot(snapshot_id=i):
            return f"snapshot/{i}/unmanage"
        case _:
            return None


def under_way(state: ShareState) -> bool:
    """Whether an attempt began whose outcome is not recorded."""
    return attempts.under_way(state.attempt)


def not_before(state: ShareState) -> datetime | None:
    """When the next attempt at what is owed is due; None: now."""
    attempt = state.attempt
    if attempt is None or attempt.retry_at is None:
        return None
    effect = pending(state)
    return attempt.retry_at if effect is not None and effect.key() == attempt.effect else None
