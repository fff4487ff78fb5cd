"""The events of a share itself as sentences; its parts (rules, snapshots, ...) bring their own."""

from __future__ import annotations

from typing import assert_never

from share_actors.events.phrases import exported_at, joined, named, phrase, place
from share_actors.events.share.messages import (
    OwnEvent,
    RetryRequested,
    ShareCreated,
    ShareCreationRequested,
    ShareDeleted,
    ShareDeletionRequested,
    ShareErrored,
    ShareResized,
    ShareResizeRefused,
    ShareResizeRequested,
)


def sentence(event: OwnEvent, who: str) -> str:
    """What happened; *who* asked for it, where somebody did."""
    match event:
        case ShareCreationRequested():
            return f"{who} asked for {_requested(event)}"
        case ShareDeletionRequested(cascade=cascade):
            return f"{who} asked to delete it{' with its snapshots' if cascade else ''}"
        case ShareResizeRequested(doing=doing, size=size):
            return f"{who} asked to {doing} it to {size} GiB"
        case RetryRequested(works=works):
            return f"{who} asked to try again to {joined(phrase(w) for w in works)}"
        case ShareCreated(export_locations=locations):
            return f"the backend created it; {exported_at(locations)}"
        case ShareResized(doing=doing, size=size):
            return f"the backend {'extended' if doing == 'extend' else 'shrank'} it to {size} GiB"
        case ShareResizeRefused(doing=doing, reason=reason):
            return f"the backend refused to {doing} it and changed nothing: {reason}"
        case ShareDeleted():
            return "the backend deleted it"
        case ShareErrored(doing=doing, reason=reason):
            return f"it is in error, for it was not possible to {doing} it: {reason}"
        case _:
            assert_never(event)


def _requested(event: ShareCreationRequested) -> str:
    source = "" if event.source is None else f", from snapshot {event.source.id}"
    network = event.share_network_id
    inside = "" if network is None else f", in share network {network}"
    what = named("share", event.name, event.share_id)
    size = f"{event.size} GiB of {event.share_proto}"
    return f"{what}, {size} on {place(event.host)}{source}{inside}"
