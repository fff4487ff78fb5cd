"""Share servers after a run: the log's shares, servers and networks compared with what the backend has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from share_actors.values import Share
from tests.acceptance.systems import Site
from tests.faults.reconciliation import replayed


@dataclass(frozen=True)
class HeldServers:
    """What a backend has of share servers."""

    ids: frozenset[str]
    addresses: Mapping[str, tuple[str, ...]]
    """The addresses of each server that has some."""


def differing_servers(site: Site, shares: Mapping[str, Share], backend: HeldServers) -> list[str]:
    """Servers and addresses in which shares, servers, networks and the *backend* differ."""
    networks = [s.network for s in replayed("share_network", site)]
    servers = [s.server for s in replayed("share_server", site)]
    active = {s.id: s.network_allocations for s in servers if s.status == "active"}
    on = {s.id: s.share_server_id for s in shares.values() if s.share_server_id}
    may_be = {s.id for s in shares.values() if s.status == "error"}  # until it is deleted
    granted = {i: a for network in networks for i, a in network.allocations.items()}
    meant = {share_id: i for network in networks for share_id, i in network.shares.items()}
    held = {share_id: s.id for s in servers for share_id in s.shares}
    told = {
        "servers": backend.ids ^ active.keys(),
        "addresses": _unequal(active, backend.addresses),
        "grants": _unequal(active, granted),
        "seats": _unequal(on, meant) - may_be,
        "places": _unequal(on, held) - may_be,
    }
    said = {
        i: (on.get(i), meant.get(i), held.get(i)) for i in on.keys() | meant.keys() | held.keys()
    }
    return [f"{what} {i} {said.get(i, '')}" for what, wrong in told.items() for i in wrong]


def _unequal(one: Mapping[str, object], other: Mapping[str, object]) -> set[str]:
    return {i for i in one.keys() | other.keys() if one.get(i) != other.get(i)}
