"""The events of a share network as sentences."""

from __future__ import annotations

from typing import assert_never

from share_actors.events.phrases import listed
from share_actors.events.share_network.messages import (
    AddressesGranted,
    AddressesReleased,
    NetworkEvent,
    SecurityServiceAdded,
    SecurityServiceRemoved,
    ServerAssigned,
    ServerRetired,
    ShareNetworkCreated,
    ShareNetworkDeleted,
    ShareRejected,
    ShareUnassigned,
)


def sentence(event: NetworkEvent, who: str) -> str:
    match event:
        case ShareNetworkCreated(network_id=i, name=name, cidr=cidr):
            return f"{who} created share network {name or i}, {cidr}"
        case ShareNetworkDeleted():
            return f"{who} deleted it"
        case SecurityServiceAdded(service=service):
            return f"{who} added security service {service.id} ({service.type})"
        case SecurityServiceRemoved(service_id=i):
            return f"{who} removed security service {i}"
        case AddressesGranted(server_id=i, addresses=addresses):
            return f"share server {i} was granted {listed(addresses)}"
        case AddressesReleased(server_id=i, addresses=addresses):
            return f"share server {i} is gone; free again: {listed(addresses)}"
        case ServerAssigned(share_id=share, server_id=i):
            return f"share {share} is to be on share server {i}"
        case ServerRetired(server_id=i):
            return f"share server {i} takes no more shares"
        case ShareRejected(share_id=share):
            return f"share {share} is going: it is given no server any more"
        case ShareUnassigned(share_id=share, server_id=i):
            return f"share {share} left" + ("" if i is None else f" share server {i}")
        case _:
            assert_never(event)
