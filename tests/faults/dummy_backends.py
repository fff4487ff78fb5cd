"""The two simulated backends of a run with faults, one of them with share servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.values import Share
from tests.acceptance.systems import Site
from tests.faults.server_reconciliation import HeldServers, differing_servers

SETTINGS: dict[str, Any] = {"hosting": {"min_actors": 2, "max_actors": 2, "unresponsive_s": 3.0}}


def slow(site: Site) -> Any:
    """The configuration of *site* with backends whose calls take long enough to be killed in the middle."""
    options = {"directory": str(site.backend.directory), "delay_s": 0.05}
    changed = {"options": options, "backoff_s": 0.1, "max_backoff_s": 1.0}
    dummy = site.config.backends["dummy"].model_copy(update=changed)
    theirs = {"options": {**options, "directory": str(served(site).directory)}}
    mode = {"driver_handles_share_servers": True, "max_shares_per_server": 5}
    more = {"delete_server_with_last_share": True, **mode, **theirs}
    backends = {"dummy": dummy, "served": dummy.model_copy(update=more)}
    return site.config.model_copy(update={"backends": backends, "default_backend": None})


def served(site: Site) -> DummyBackend:
    """The data of the backend with share servers."""
    return DummyBackend(site.home / "served")


class DummyBackends:
    """The backends of *site* after a run."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def differing(self, shares: Mapping[str, Share]) -> list[str]:
        """Ids of shares and snapshots that are only on a backend, only in the log, or differ."""
        backends = self._site.backend, served(self._site)
        alive = {i: s for i, s in shares.items() if s.status == "available"}
        wanted = {i: (s.size, {r.access_to for r in s.access_rules}) for i, s in alive.items()}
        held = {
            i: (h["size"], {r["access_to"] for r in h["rules"].values()})
            for backend in backends
            for i, h in backend.shares().items()
        }
        taken = {s.id for each in alive.values() for s in each.snapshots}
        there = {i for backend in backends for i in backend.snapshots()}
        differing = [i for i in held.keys() | wanted.keys() if held.get(i) != wanted.get(i)]
        return [*differing, *(taken ^ there)]

    def leaked(self, shares: Mapping[str, Share]) -> list[str]:
        """Servers and addresses in which shares, servers, networks and the backend differ."""
        backend = served(self._site)
        addresses = {i: tuple(held["addresses"]) for i, held in backend.networks().items()}
        held = HeldServers(frozenset(backend.servers()), addresses)
        return differing_servers(self._site, shares, held)

    def repeated(self) -> int:
        """How many calls of the backend without share servers were attempts after the first."""
        return sum(call.attempt > 1 for call in self._site.backend.calls())
