"""A share network: the decider that grants its addresses and assigns its shares to share servers.

No address is granted twice and none is leaked: grants and releases are idempotent per server, and a
server whose addresses were released is never granted any again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import islice
from typing import assert_never

from pydantic import Field

from share_actors.events.decider import Rejected
from share_actors.events.no_effects import joins, not_before, part, pending, under_way
from share_actors.events.share_network.messages import (
    AddressesGranted,
    AddressesReleased,
    AddSecurityService,
    AssignServer,
    ChangeNetworkBackend,
    CreateShareNetwork,
    DeleteShareNetwork,
    GrantAddresses,
    NetworkBackendChanged,
    NetworkCommand,
    NetworkEvent,
    RejectShare,
    ReleaseAddresses,
    RemoveSecurityService,
    RetireServer,
    SecurityServiceAdded,
    SecurityServiceRemoved,
    ServerAssigned,
    ServerRetired,
    ShareNetworkCreated,
    ShareNetworkDeleted,
    ShareRejected,
    ShareUnassigned,
    UnassignShare,
)
from share_actors.events.tombstones import Tombstones, add_tombstone
from share_actors.values import Frozen, SecurityService, ServerSlot, ShareNetwork

__all__ = [
    "KIND",
    "STATE_VERSION",
    "ShareNetworkState",
    "decide",
    "evolve",
    "initial",
    "joins",
    "not_before",
    "owned",
    "part",
    "pending",
    "under_way",
    "view",
]
KIND = "share_network"
STATE_VERSION = 3
MAX_SHOWN = 5
"""How many ids an error message lists."""


class ShareNetworkState(Frozen):
    """A share network; `gone`: servers whose addresses were released; `left`: shares that left or will.

    Later commands for the servers and shares in `gone` and `left` are rejected.
    """

    network: ShareNetwork = ShareNetwork()
    gone: Tombstones = Field(default_factory=dict)
    left: Tombstones = Field(default_factory=dict)


initial = ShareNetworkState()


# -- decide --------------------------------------------------------------------------------------
def decide(command: NetworkCommand, state: ShareNetworkState) -> list[NetworkEvent]:
    """Return the events of *command*; raises `Rejected` if it is not possible in *state*."""
    network = state.network
    if isinstance(command, CreateShareNetwork):
        return _create(command, network)
    if network.status == "absent":
        raise Rejected("there is no such share network")
    match command:
        case DeleteShareNetwork():
            return _delete(network)
        case ReleaseAddresses(server_id=server_id):
            return _release_addresses(server_id, network)
        case RetireServer(server_id=server_id):
            slot = network.servers.get(server_id)
            return [] if slot is None or not slot.open else [ServerRetired(server_id=server_id)]
        case RejectShare(share_id=share_id):
            return [] if share_id in state.left else [ShareRejected(share_id=share_id)]
        case ChangeNetworkBackend(old=old, new=new):
            on_it = any(slot.backend == old for slot in network.servers.values())
            return [NetworkBackendChanged(old=old, new=new)] if on_it else []
        case UnassignShare(share_id=share_id):
            return _unassign_share(share_id, network)
        case _ if network.status == "deleted":
            raise Rejected("the share network is deleted")
        case AddSecurityService(service=service):
            return _add_security_service(service, network)
        case RemoveSecurityService(service_id=service_id):
            return _remove_security_service(service_id, network)
        case GrantAddresses(server_id=server_id, count=count):
            return _grant_addresses(server_id, count, state)
        case AssignServer():
            return _assign_server(command, state)
        case _:
            assert_never(command)


def _create(command: CreateShareNetwork, network: ShareNetwork) -> list[NetworkEvent]:
    fields = dict(command)
    if network.status == "absent":
        return [ShareNetworkCreated(**fields)]
    compared = ("name", "project_id", "cidr", "gateway", "network_type", "segmentation_id")
    if network.status == "active" and all(fields[k] == network[k] for k in compared):
        return []  # a repeated request
    raise Rejected(f"share network {command.network_id} exists already and is {network.status}")


def _delete(network: ShareNetwork) -> list[NetworkEvent]:
    if network.status == "deleted":
        return []
    if network.shares:
        raise Rejected(f"the share network is in use by shares: {_first_ids(network.shares)}")
    if network.servers:
        raise Rejected(f"the share network has share servers: {_first_ids(network.servers)}")
    return [ShareNetworkDeleted()]


def _first_ids(ids: Collection[str]) -> str:
    shown = ", ".join(islice(ids, MAX_SHOWN))
    return shown if len(ids) <= MAX_SHOWN else f"{shown} and {len(ids) - MAX_SHOWN} more"


def _add_security_service(service: SecurityService, network: ShareNetwork) -> list[NetworkEvent]:
    for existing in network.security_services:
        if existing == service:
            return []
        if service.id == existing.id or service.type == existing.type:
            name = f"{existing.type} ({existing.id})"
            raise Rejected(f"the share network has a security service {name}")
    _require_no_servers(network)
    return [SecurityServiceAdded(service=service)]


def _remove_security_service(service_id: str, network: ShareNetwork) -> list[NetworkEvent]:
    if all(service.id != service_id for service in network.security_services):
        return []
    _require_no_servers(network)
    return [SecurityServiceRemoved(service_id=service_id)]


def _require_no_servers(network: ShareNetwork) -> None:
    """Raise `Rejected` if there are servers: their security services are fixed when they are set up."""
    if network.servers:
        raise Rejected(f"the share network has share servers: {_first_ids(network.servers)}")


def _grant_addresses(server_id: str, count: int, state: ShareNetworkState) -> list[NetworkEvent]:
    network = state.network
    granted = network.allocations.get(server_id)
    if granted is not None and len(granted) == count:
        return []
    if granted is not None:
        raise Rejected(
            f"share server {server_id} already has {len(granted)} addresses, not {count}"
        )
    if server_id in state.gone:
        raise Rejected(f"share server {server_id} is gone and can have no addresses")
    used = {address for addresses in network.allocations.values() for address in addresses}
    available = (address for address in _addresses(network) if address not in used)
    free = tuple(islice(available, count))
    if len(free) < count:
        raise Rejected(f"{network.cidr} has {len(free)} free addresses, and {count} are needed")
    return [AddressesGranted(server_id=server_id, addresses=free)]


def _addresses(network: ShareNetwork) -> Iterator[str]:
    """Return the addresses that servers may have; the gateway may be spelt in any way in an old log."""
    subnet: IPv4Network | IPv6Network = ip_network(network.cidr)
    gateway = None if network.gateway is None else ip_address(network.gateway)
    return (str(a) for a in subnet.hosts() if a != gateway)


def _release_addresses(server_id: str, network: ShareNetwork) -> list[NetworkEvent]:
    if server_id not in network.servers and server_id not in network.allocations:
        return []
    addresses = network.allocations.get(server_id, ())
    return [AddressesReleased(server_id=server_id, addresses=addresses)]


def _unassign_share(share_id: str, network: ShareNetwork) -> list[NetworkEvent]:
    """Unassign the share, and remove its server if no other share uses it and it has no addresses yet."""
    server_id = network.shares.get(share_id)
    if server_id is None:
        return []
    unassigned = ShareUnassigned(share_id=share_id, server_id=server_id)
    in_use = Counter(network.shares.values())[server_id] > 1
    if in_use or server_id in network.allocations:
        return [unassigned]
    return [unassigned, AddressesReleased(server_id=server_id, addresses=())]


def _assign_server(command: AssignServer, state: ShareNetworkState) -> list[NetworkEvent]:
    network = state.network
    share_id = command.share_id
    if share_id in state.left:
        raise Rejected(f"share {share_id} has left the share network")
    assigned = network.shares.get(share_id)
    if assigned is not None and network.servers[assigned].open:
        return []
    server_id = _choose_server(command, network)
    return [ServerAssigned(share_id=share_id, server_id=server_id, backend=command.backend)]


def _choose_server(command: AssignServer, network: ShareNetwork) -> str:
    """Return the server with the fewest shares, unless the command requires one, or another share's."""
    usable = [i for i, s in network.servers.items() if s.open and s.backend == command.backend]
    if command.on is not None:
        if command.on not in usable:
            raise Rejected(f"share server {command.on} accepts no more shares")
        return command.on
    if command.beside is not None:
        required = network.shares.get(command.beside)
        if required is None or required not in usable:
            raise Rejected(f"the share server of share {command.beside} accepts no more shares")
        return required
    load = Counter(network.shares.values())
    with_room = [i for i in usable if command.most is None or load[i] < command.most]
    return min(with_room, key=lambda i: load[i], default=command.new_server_id)


# -- evolve --------------------------------------------------------------------------------------
def evolve(state: ShareNetworkState, event: NetworkEvent) -> ShareNetworkState:
    """Return the state after *event*."""
    network = state.network
    match event:
        case ShareNetworkCreated():
            return state.replace(network=_created_network(event))
        case ShareNetworkDeleted():
            return state.replace(network=network.replace(status="deleted"))
        case SecurityServiceAdded(service=service):
            return _with(state, security_services=(*network.security_services, service))
        case SecurityServiceRemoved(service_id=service_id):
            remaining = tuple(s for s in network.security_services if s.id != service_id)
            return _with(state, security_services=remaining)
        case AddressesGranted(server_id=server_id, addresses=addresses):
            return _with(state, allocations={**network.allocations, server_id: addresses})
        case AddressesReleased(server_id=server_id):
            return _without_server(server_id, state)
        case ServerAssigned(share_id=share_id, server_id=server_id, backend=backend):
            servers = {server_id: ServerSlot(backend=backend), **network.servers}
            return _with(state, servers=servers, shares={**network.shares, share_id: server_id})
        case ServerRetired(server_id=server_id):
            closed = network.servers[server_id].replace(open=False)
            return _with(state, servers={**network.servers, server_id: closed})
        case ShareRejected(share_id=share_id):
            return state.replace(left=add_tombstone(state.left, share_id))
        case NetworkBackendChanged(old=old, new=new):
            slots = network.servers.items()
            moved = {i: s.replace(backend=new) if s.backend == old else s for i, s in slots}
            return _with(state, servers=moved)
        case ShareUnassigned(share_id=share_id):
            left = state.replace(left=add_tombstone(state.left, share_id))
            return _with(left, shares={k: v for k, v in network.shares.items() if k != share_id})
        case _:
            assert_never(event)


def _created_network(event: ShareNetworkCreated) -> ShareNetwork:
    fields = dict(event)
    renamed = {"id": fields.pop("network_id"), "created_at": fields.pop("at")}
    return ShareNetwork(**fields, **renamed, status="active")


def _with(state: ShareNetworkState, **changes: object) -> ShareNetworkState:
    return state.replace(network=state.network.replace(**changes))


def _without_server(server_id: str, state: ShareNetworkState) -> ShareNetworkState:
    network = state.network
    removed = _with(
        state,
        allocations={i: a for i, a in network.allocations.items() if i != server_id},
        servers={i: s for i, s in network.servers.items() if i != server_id},
        shares={share: i for share, i in network.shares.items() if i != server_id},
    )
    return removed.replace(gone=add_tombstone(state.gone, server_id))


def owned(state: ShareNetworkState) -> ShareNetwork:
    """Return what says whose the network is."""
    return state.network


def view(state: ShareNetworkState) -> ShareNetwork:
    """Return the network as clients see it."""
    return state.network
