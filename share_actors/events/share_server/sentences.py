"""The events of a share server as sentences."""

from __future__ import annotations

from typing import assert_never

from share_actors.events.phrases import listed
from share_actors.events.share_server.messages import (
    AddressesAllocated,
    OwnEvent,
    ServerDeleted,
    ServerDeletionRequested,
    ServerErrored,
    ServerRequested,
    ServerRetried,
    ServerSetUp,
    ServerSetUpFailed,
    ServerTornDown,
    ShareAttached,
    ShareDetached,
)

_WHY = {
    "asked": "{who} asked to delete it",
    "unused": "it was unused for long: it is torn down",
    "last_share": "its last share left: it is torn down",
    "set_up_failed": "it could not be set up: it is torn down",
}


def sentence(event: OwnEvent, who: str) -> str:
    match event:
        case ServerRequested(server_id=i, host=host, share_network_id=network):
            return f"share server {i} was asked for, on {host} in share network {network}"
        case ShareAttached(share_id=i, ready=ready):
            return f"share {i} is on it" + ("" if ready else " and waits for its set-up")
        case ShareDetached(share_id=i):
            return f"share {i} left it"
        case AddressesAllocated(addresses=addresses):
            return f"it has {listed(addresses)}"
        case ServerSetUp():
            return "the backend set it up"
        case ServerSetUpFailed(reason=reason):
            return f"it could not be set up, and is torn down again: {reason}"
        case ServerDeletionRequested(why=why):
            return _WHY[why].format(who=who)
        case ServerTornDown():
            return "the backend tore it down"
        case ServerDeleted():
            return "its addresses went back; it is gone"
        case ServerErrored(reason=reason):
            return f"it is in error, for it was not possible to delete it: {reason}"
        case ServerRetried():
            return f"{who} asked to try again to delete it"
        case _:
            assert_never(event)
