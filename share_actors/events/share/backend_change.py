"""A share whose backend has another name now: `ChangeBackend`, one for each share of a renamed backend."""

from __future__ import annotations

from collections.abc import Iterator

from share_actors.events.decider import Command, Event, Rejected
from share_actors.events.phrases import not_configured, place
from share_actors.events.share import failure
from share_actors.events.share.failure import RetryRequested
from share_actors.events.share.snapshot import lifecycle as snapshots
from share_actors.events.share.state import ShareState


# -- messages ------------------------------------------------------------------------------------
class ChangeBackend(Command, topic="share.change_backend"):
    """The share of backend *old* is on *host* (`backend#pool`) from now on; its data did not move."""

    old: str
    host: str


class ShareBackendChanged(Event, topic="share.backend_changed"):
    """The backend *old* was renamed: the share is on *host*. An attempt in progress goes on."""

    old: str
    host: str


BackendChangeEvent = ShareBackendChanged | RetryRequested


# -- decisions -----------------------------------------------------------------------------------
def decide(command: ChangeBackend, state: ShareState) -> list[BackendChangeEvent]:
    """The change, and a retry of what failed only because no backend had the old name.

    Raises `Rejected` for a share of another backend.
    """
    share = state.share
    if share.host == command.host or share.status in ("deleted", "unmanaged"):
        return []
    if share.backend != command.old:
        raise Rejected(f"the share is on backend {share.backend!r}, not on {command.old!r}")
    changed = ShareBackendChanged(old=command.old, host=command.host)
    reasons, missing = [*_reasons(state)], not_configured(command.old)
    if reasons and all(reason.startswith(missing) for reason in reasons):
        return [changed, failure.retry(state)]
    return [changed]


def _reasons(state: ShareState) -> Iterator[str]:
    """Why the works failed that a retry would repeat."""
    if state.share.status in failure.ERRORS:
        yield state.share.status_reason or ""
    if state.share.status in ("error", "available"):
        for rule in state.rules.rules.values():
            if rule.state == "error":
                yield rule.reason or ""
        for snapshot in state.snapshots.held.values():
            if snapshot.status in snapshots.ERRORS:
                yield snapshot.reason or ""


def evolve(state: ShareState, event: ShareBackendChanged) -> ShareState:
    """The state after *event*."""
    server = state.server
    if server is not None and server.backend == event.old:
        server = server.replace(host=event.host)
    return state.replace(share=state.share.replace(host=event.host), server=server)


def sentence(event: ShareBackendChanged, who: str) -> str:
    """*event* in words; *who* requested it."""
    return f"{who} renamed backend {event.old}; it is on {place(event.host)}"
