"""The events of a share server as sentences."""

from __future__ import annotations

from typing import assert_never

from share_actors.events.phrases import listed, place
from share_actors.events.share_server.messages import (
    AddressesAllocated,
    DeletionReason,
    OwnEvent,
    ServerBackendChanged,
    ServerDeleted,
    ServerDeletionRequested,
    ServerErrored,
    ServerForgetRequested,
    ServerForgotten,
    ServerRequested,
    ServerRetried,
    ServerSetUp,
    ServerSetUpFailed,
    ServerTornDown,
    ShareAttached,
    ShareDetached,
)

_DELETIONS: dict[DeletionReason, str] = {
    "asked": "{who} asked to delete it",
    "unused": "it will be deleted, unused for too long",
    "last_share": "it will be deleted, since its last share left",
    "set_up_failed": "it will be deleted, since it could not be set up",
}


def sentence(event: OwnEvent, who: str) -> str:
    """Describe *event*; *who* requested it."""
    match event:
        case ServerRequested(server_id=server, host=host, share_network_id=network):
            return (
                f"share server {server} was requested on {place(host)} in share network {network}"
            )
        case ShareAttached(share_id=share, ready=ready):
            return f"share {share} was attached" + ("" if ready else " and waits for the set-up")
        case ShareDetached(share_id=share, data_stay=stay):
            return f"share {share} was detached{'; its data are still there' if stay else ''}"
        case AddressesAllocated(addresses=addresses):
            return f"it was allocated {listed(addresses)}"
        case ServerSetUp():
            return "the backend set it up"
        case ServerSetUpFailed(reason=reason):
            return f"it could not be set up and will be torn down: {reason}"
        case ServerDeletionRequested(why=why):
            return _DELETIONS[why].format(who=who)
        case ServerTornDown():
            return "the backend tore it down"
        case ServerDeleted():
            return "its addresses were released; it is deleted"
        case ServerErrored(reason=reason):
            return f"it could not be deleted and is now in error: {reason}"
        case ServerRetried():
            return f"{who} asked to retry its deletion"
        case ServerForgetRequested(reason=reason):
            return f"{who} asked to forget it: {reason}"
        case ServerForgotten():
            return "its addresses were released; it is no longer managed, and its driver was not called"
        case ServerBackendChanged(old=old, host=host):
            return f"{who} renamed backend {old}; it is on {place(host)}"
        case _:
            assert_never(event)
