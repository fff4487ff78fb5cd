"""The events of a share network as sentences."""

from __future__ import annotations

from typing import assert_never

from share_actors.events.phrases import listed
from share_actors.events.share_network.messages import (
    AddressesGranted,
    AddressesReleased,
    NetworkBackendChanged,
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
    """Describe *event*; *who* requested it."""
    match event:
        case ShareNetworkCreated(network_id=network_id, name=name, cidr=cidr):
            return f"{who} created share network {name or network_id}, {cidr}"
        case ShareNetworkDeleted():
            return f"{who} deleted it"
        case SecurityServiceAdded(service=service):
            return f"{who} added security service {service.id} ({service.type})"
        case SecurityServiceRemoved(service_id=service_id):
            return f"{who} removed security service {service_id}"
        case AddressesGranted(server_id=server, addresses=addresses):
            return f"share server {server} was granted {listed(addresses)}"
        case AddressesReleased(server_id=server, addresses=addresses):
            return f"share server {server} was removed; released addresses: {listed(addresses)}"
        case ServerAssigned(share_id=share, server_id=server):
            return f"share {share} was assigned to share server {server}"
        case ServerRetired(server_id=server):
            return f"share server {server} accepts no more shares"
        case ShareRejected(share_id=share):
            return f"share {share} is being deleted; no server will be assigned to it"
        case NetworkBackendChanged(old=old, new=new):
            return f"{who} renamed backend {old} to {new}; its share servers are on backend {new}"
        case ShareUnassigned(share_id=share, server_id=server):
            source = "its share network" if server is None else f"share server {server}"
            return f"share {share} left {source}"
        case _:
            assert_never(event)
