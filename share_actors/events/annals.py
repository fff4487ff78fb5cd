"""What happened to networks, servers, types and backends, in plain English: `history.py` tells of shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from share_actors.events import backend, share_network, share_server_words, share_type
from share_actors.values import Capabilities

KINDS: tuple[type[Any], ...] = tuple(
    kind
    for union in (
        share_network.NetworkEvent, share_type.TypeEvent, backend.BackendEvent,
        share_server_words.ServerEvent,
    )
    for kind in get_args(union)
    if kind.__module__ not in ("share_actors.events.share_words", "share_actors.events.base")
)  # fmt: skip
"""The events that this module tells of."""


def told(event: Any, who: str) -> str:
    """What happened; *who* asked for it, where somebody did."""
    module = type(event).__module__.rpartition(".")[2]
    teller = {"share_network": _network, "share_server_words": _server, "share_type": _type}
    return teller.get(module, _backend)(event, who)


def _network(event: Any, who: str) -> str:
    match event:
        case share_network.ShareNetworkCreated(network_id=i, name=name, cidr=cidr):
            return f"{who} created share network {name or i}, {cidr}"
        case share_network.ShareNetworkDeleted():
            return f"{who} deleted it"
        case share_network.SecurityServiceAdded(service=service):
            return f"{who} added security service {service.id} ({service.type})"
        case share_network.SecurityServiceRemoved(service_id=i):
            return f"{who} removed security service {i}"
        case share_network.AddressesGranted(server_id=i, addresses=addresses):
            return f"share server {i} was granted {_listed(addresses)}"
        case share_network.AddressesReleased(server_id=i, addresses=addresses):
            return f"share server {i} is gone; free again: {_listed(addresses)}"
        case share_network.ServerAssigned(share_id=share, server_id=i):
            return f"share {share} is to be on share server {i}"
        case share_network.ServerRetired(server_id=i):
            return f"share server {i} takes no more shares"
        case share_network.ShareTurnedAway(share_id=share):
            return f"share {share} is going: it is given no server any more"
        case share_network.ShareUnassigned(share_id=share, server_id=i):
            return f"share {share} left" + ("" if i is None else f" share server {i}")
    raise TypeError(f"nothing is told of {type(event).__name__}")


_WHY = {
    "asked": "{who} asked to delete it",
    "unused": "it was unused for long: it is torn down",
    "last_share": "its last share left: it is torn down",
    "set_up_failed": "it could not be set up: it is torn down",
}


def _server(event: Any, who: str) -> str:
    match event:
        case share_server_words.ServerRequested(server_id=i, host=host, share_network_id=network):
            return f"share server {i} was asked for, on {host} in share network {network}"
        case share_server_words.ShareAttached(share_id=i, ready=ready):
            return f"share {i} is on it" + ("" if ready else " and waits for its set-up")
        case share_server_words.ShareDetached(share_id=i):
            return f"share {i} left it"
        case share_server_words.AddressesAllocated(addresses=addresses):
            return f"it has {_listed(addresses)}"
        case share_server_words.ServerSetUp():
            return "the backend set it up"
        case share_server_words.ServerSetUpFailed(reason=reason):
            return f"it could not be set up, and is torn down again: {reason}"
        case share_server_words.ServerDeletionRequested(why=why):
            return _WHY[why].format(who=who)
        case share_server_words.ServerTornDown():
            return "the backend tore it down"
        case share_server_words.ServerDeleted():
            return "its addresses went back; it is gone"
        case share_server_words.ServerErrored(reason=reason):
            return f"it is in error, for it was not possible to delete it: {reason}"
        case share_server_words.ServerRetried():
            return f"{who} asked to try again to delete it"
    raise TypeError(f"nothing is told of {type(event).__name__}")


def _type(event: Any, who: str) -> str:
    match event:
        case share_type.ShareTypeCreated(name=name, extra_specs=specs):
            return f"{who} created share type {name}: {_specs(specs)}"
        case share_type.ShareTypeChanged(extra_specs=specs, is_public=public, projects=projects):
            whose = "for everybody" if public else f"for {_listed(projects)}"
            return f"{who} changed it, {whose}: {_specs(specs)}"
        case share_type.ShareTypeDeleted():
            return f"{who} deleted it"
    raise TypeError(f"nothing is told of {type(event).__name__}")


def _backend(event: Any, who: str) -> str:
    match event:
        case backend.BackendUp(backend=i, capabilities=said, wrong=wrong):
            return f"backend {i} is up: {_said(said)}{_wrong(wrong)}"
        case backend.BackendChanged(capabilities=said, wrong=wrong):
            return f"it tells something else of itself: {_said(said)}{_wrong(wrong)}"
        case backend.BackendDown(backend=i, reason=reason):
            return f"backend {i} is down: {reason}"
        case backend.BackendInfoChanged():
            return "its shares are to be exported as it is now"
        case backend.BackendSharesEnsured(shares=shares):
            return f"{shares} of its shares are exported as it is now"
    raise TypeError(f"nothing is told of {type(event).__name__}")


def _said(said: Capabilities) -> str:
    pools = [
        f"{p.name} {p.free_capacity_gib:g} of {p.total_capacity_gib:g} GiB free" for p in said.pools
    ]
    return _listed(tuple(pools)) if pools else "no pool"


def _wrong(wrong: Mapping[str, str]) -> str:
    return (
        f"; what made no sense: {_listed(tuple(f'{k} {v}' for k, v in wrong.items()))}"
        if wrong
        else ""
    )


def _specs(specs: Mapping[str, str]) -> str:
    return ", ".join(f"{k} = {v}" for k, v in specs.items()) or "nothing"


def _listed(items: tuple[str, ...]) -> str:
    return ", ".join(items) or "nothing"
