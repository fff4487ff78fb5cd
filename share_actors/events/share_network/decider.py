"""A share network: the one writer that grants its addresses, and says which server a share goes to.

No address is given twice and none leaks: grants and releases are idempotent per server, and a server
whose addresses went back never gets any again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import islice
from typing import assert_never

from share_actors.events.decider import Rejected
from share_actors.events.no_effects import joins, not_before, part, pending, under_way
from share_actors.events.share_network.messages import (
    AddressesGranted,
    AddressesReleased,
    AddSecurityService,
    AssignServer,
    CreateShareNetwork,
    DeleteShareNetwork,
    GrantAddresses,
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

__all__ = ["KIND", "STATE_VERSION", "decide", "evolve", "initial", "joins", "not_before", "part", "pending", "under_way", "view"]  # fmt: skip # noqa: E501
KIND = "share_network"
STATE_VERSION = 2


# -- commands ------------------------------------------------------------------------------------


# -- events --------------------------------------------------------------------------------------


class ShareNetworkState(Frozen):
    """`gone` are servers whose addresses went back, `left` shares that left: what still asks is late."""

    network: ShareNetwork = ShareNetwork()
    gone: Tombstones = {}
    left: Tombstones = {}


initial = ShareNetworkState()


# -- decide --------------------------------------------------------------------------------------
def decide(command: NetworkCommand, state: ShareNetworkState) -> list[NetworkEvent]:
    """The events that *command* comes to; raises `Rejected` when it makes no sense now."""
    network = state.network
    if isinstance(command, CreateShareNetwork):
        return _create(command, network)
    if network.status == "absent":
        raise Rejected("there is no such share network")
    match command:
        case DeleteShareNetwork():
            return _delete(network)
        case ReleaseAddresses(server_id=i):
            held = network.allocations.get(i, ())
            known = i in network.servers or i in network.allocations
            return [AddressesReleased(server_id=i, addresses=held)] if known else []
        case RetireServer(server_id=i):
            seat = network.servers.get(i)
            return [ServerRetired(server_id=i)] if seat is not None and seat.open else []
        case RejectShare(share_id=i):
            return [] if i in state.left else [ShareRejected(share_id=i)]
        case UnassignShare(share_id=i):
            return _leave(i, network)
        case _ if network.status == "deleted":
            raise Rejected("the share network is deleted")
        case AddSecurityService(service=service):
            return _add(service, network)
        case RemoveSecurityService(service_id=i):
            return _remove(i, network)
        case GrantAddresses(server_id=i, count=count):
            return _grant(i, count, state)
        case AssignServer():
            return _acquire(command, state)
        case _:
            assert_never(command)


def _create(command: CreateShareNetwork, network: ShareNetwork) -> list[NetworkEvent]:
    asked = dict(command)
    if network.status == "absent":
        return [ShareNetworkCreated(**asked)]
    same = ("name", "project_id", "cidr", "gateway", "network_type", "segmentation_id")
    if network.status == "active" and all(asked[k] == network[k] for k in same):
        return []  # the same request, asked again
    raise Rejected(f"share network {command.network_id} exists already and is {network.status}")


def _delete(network: ShareNetwork) -> list[NetworkEvent]:
    if network.status == "deleted":
        return []
    if network.shares:
        raise Rejected(f"the share network is in use by shares: {_some(network.shares)}")
    if network.servers:
        raise Rejected(f"the share network has share servers: {_some(network.servers)}")
    return [ShareNetworkDeleted()]


def _some(ids: dict[str, object] | dict[str, str] | dict[str, ServerSlot]) -> str:
    shown = ", ".join(islice(ids, 5))
    return shown if len(ids) <= 5 else f"{shown} and {len(ids) - 5} more"


def _add(service: SecurityService, network: ShareNetwork) -> list[NetworkEvent]:
    for known in network.security_services:
        if known == service:
            return []
        if known.id == service.id or known.type == service.type:
            raise Rejected(f"the share network has a security service {known.type} ({known.id})")
    _not_served(network)
    return [SecurityServiceAdded(service=service)]


def _remove(service_id: str, network: ShareNetwork) -> list[NetworkEvent]:
    if all(service.id != service_id for service in network.security_services):
        return []
    _not_served(network)
    return [SecurityServiceRemoved(service_id=service_id)]


def _not_served(network: ShareNetwork) -> None:
    """Servers are set up with the security services of their day."""
    if network.servers:
        raise Rejected(f"the share network has share servers: {_some(network.servers)}")


def _grant(server_id: str, count: int, state: ShareNetworkState) -> list[NetworkEvent]:
    network = state.network
    held = network.allocations.get(server_id)
    if held is not None and len(held) == count:
        return []
    if held is not None:
        raise Rejected(f"share server {server_id} has {len(held)} addresses already, not {count}")
    if server_id in state.gone:
        raise Rejected(f"share server {server_id} is gone, and its addresses with it")
    taken = {a for addresses in network.allocations.values() for a in addresses}
    free = tuple(islice((a for a in _addresses(network) if a not in taken), count))
    if len(free) < count:
        raise Rejected(f"{network.cidr} has {len(free)} free addresses, and {count} are needed")
    return [AddressesGranted(server_id=server_id, addresses=free)]


def _addresses(network: ShareNetwork) -> Iterator[str]:
    whole: IPv4Network | IPv6Network = ip_network(network.cidr)
    return (str(a) for a in whole.hosts() if str(a) != network.gateway)


def _leave(share_id: str, network: ShareNetwork) -> list[NetworkEvent]:
    """A server that was to be made for this share alone, and has no addresses yet, goes with it."""
    on = network.shares.get(share_id)
    if on is None:
        return []
    left = ShareUnassigned(share_id=share_id, server_id=on)
    others = any(i == on for share, i in network.shares.items() if share != share_id)
    if others or on in network.allocations:
        return [left]
    return [left, AddressesReleased(server_id=on, addresses=())]


def _acquire(command: AssignServer, state: ShareNetworkState) -> list[NetworkEvent]:
    network = state.network
    if command.share_id in state.left:
        raise Rejected(f"share {command.share_id} has left the share network")
    now_on = network.shares.get(command.share_id)
    if now_on is not None and network.servers[now_on].open:
        return []
    chosen = _chosen(command, network)
    return [ServerAssigned(share_id=command.share_id, server_id=chosen, backend=command.backend)]


def _chosen(command: AssignServer, network: ShareNetwork) -> str:
    fits = [i for i, s in network.servers.items() if s.open and s.backend == command.backend]
    if command.beside is not None:
        there = network.shares.get(command.beside)
        if there is None or there not in fits:
            raise Rejected(f"the share server of share {command.beside} takes no more shares")
        return there
    load = Counter(network.shares.values())
    roomy = [i for i in fits if command.most is None or load[i] < command.most]
    return min(roomy, key=lambda i: load[i], default=command.new_server_id)


# -- evolve --------------------------------------------------------------------------------------
def evolve(state: ShareNetworkState, event: NetworkEvent) -> ShareNetworkState:
    """The state after *event*."""
    network = state.network
    match event:
        case ShareNetworkCreated():
            asked = dict(event)
            named = {"id": asked.pop("network_id"), "created_at": asked.pop("at")}
            return state.replace(network=ShareNetwork(**asked, **named, status="active"))
        case ShareNetworkDeleted():
            return state.replace(network=network.replace(status="deleted"))
        case SecurityServiceAdded(service=service):
            return _with(state, security_services=(*network.security_services, service))
        case SecurityServiceRemoved(service_id=i):
            left = tuple(s for s in network.security_services if s.id != i)
            return _with(state, security_services=left)
        case AddressesGranted(server_id=i, addresses=addresses):
            return _with(state, allocations={**network.allocations, i: addresses})
        case AddressesReleased(server_id=i):
            return _released(i, state)
        case ServerAssigned(share_id=share, server_id=i, backend=backend):
            seats = {i: ServerSlot(backend=backend), **network.servers}
            return _with(state, servers=seats, shares={**network.shares, share: i})
        case ServerRetired(server_id=i):
            closed = network.servers[i].replace(open=False)
            return _with(state, servers={**network.servers, i: closed})
        case ShareRejected(share_id=share):
            return state.replace(left=add_tombstone(state.left, share))
        case ShareUnassigned(share_id=share):
            gone = state.replace(left=add_tombstone(state.left, share))
            return _with(gone, shares=_without(network.shares, share))
        case _:
            assert_never(event)


def _with(state: ShareNetworkState, **changes: object) -> ShareNetworkState:
    return state.replace(network=state.network.replace(**changes))


def _without(mapping: dict[str, str], key: str) -> dict[str, str]:
    return {k: v for k, v in mapping.items() if k != key}


def _released(server_id: str, state: ShareNetworkState) -> ShareNetworkState:
    network = state.network
    released = _with(
        state,
        allocations={i: a for i, a in network.allocations.items() if i != server_id},
        servers={i: s for i, s in network.servers.items() if i != server_id},
        shares={share: i for share, i in network.shares.items() if i != server_id},
    )
    return released.replace(gone=add_tombstone(state.gone, server_id))


def view(state: ShareNetworkState) -> ShareNetwork:
    """The network as clients see it."""
    return state.network
