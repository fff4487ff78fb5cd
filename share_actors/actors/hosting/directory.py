"""The hosting rule: which Ray actor a share lives in. Pure bookkeeping; it owns no truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from share_actors.events.aggregates import calls_drivers


@dataclass(slots=True)
class _Slot:
    shares: set[str] = field(default_factory=set)
    tenants: int = 0
    """Those of `shares` for whose sake an actor is full: shares and share servers."""
    node: str | None = None
    """It runs on a node with this Ray resource, for shares of backends that only such nodes reach."""
    alive: bool = True
    reserved: bool = False
    """For one share only (`dedicated` hosting)."""
    used: set[str] = field(default_factory=set)
    """Looked up since the host last told which shares left it: a message may be on its way to them."""
    leaving: set[str] = field(default_factory=set)
    """Those of `used` that it told of: to be asked about again."""


class HostDirectory:
    """A share gets an actor to itself while there is an empty one; else the least loaded hosts it too.

    `wants_more` tells that a share had to move in with others, so that the pool may grow, in the
    background, up to *largest* actors.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._slots: dict[str, _Slot] = {}
        self._home: dict[str, str] = {}
        self.wants_more = False

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def hosts(self) -> dict[str, int]:
        """Shares and share servers by host, of the living ones."""
        return {name: s.tenants for name, s in self._slots.items() if s.alive}

    @property
    def may_grow(self) -> bool:
        return len(self._slots) < self._largest

    def reaches(self, node: str | None) -> bool:
        """Whether any host, alive or being restarted, runs on such a node."""
        return any(slot.node == node for slot in self._slots.values())

    def add(self, host: str, shares: Iterable[str] = (), node: str | None = None) -> None:
        """*host* is alive and holds *shares*."""
        slot = self._slots.setdefault(host, _Slot(node=node))
        slot.alive = True
        for share_id in shares:
            self._settle(share_id, host)

    def home(self, share_id: str) -> str | None:
        """Where *share_id* lives, as far as is known."""
        host = self._home.get(share_id)
        if host is not None:
            self._slots[host].used.add(share_id)
        return host

    def place(
        self, share_id: str, *, dedicated: bool = False, node: str | None = None
    ) -> str | None:
        """The host of *share_id*, chosen now if it has none; None while no host can take it.

        With *node* it must run there; without, what runs on such nodes is left to those who must.
        """
        known = self.home(share_id)
        if known is not None:
            return known
        alive = {n: s for n, s in self._slots.items() if s.alive and s.node == node}
        open_slots = {n: s for n, s in alive.items() if not s.reserved}
        if not calls_drivers(share_id):
            return self._beside_others(share_id, open_slots)
        empty = next((n for n, s in open_slots.items() if not s.tenants), None)
        if dedicated or (empty is None and self.may_grow):
            self.wants_more = self.wants_more or empty is None
        if dedicated and empty is not None:
            self._slots[empty].reserved = True
        elif dedicated:
            return None
        chosen = empty or min(open_slots, key=lambda n: open_slots[n].tenants, default=None)
        if chosen is not None:
            self._settle(share_id, chosen)
        return chosen

    def _beside_others(self, address: str, open_slots: dict[str, _Slot]) -> str | None:
        """What has nothing to do with drivers (a network, a type, a backend) needs no actor of its own."""
        slots = open_slots or {n: s for n, s in self._slots.items() if s.alive}
        chosen = min(slots, key=lambda n: slots[n].tenants, default=None)
        if chosen is not None:
            self._settle(address, chosen)
        return chosen

    def _settle(self, share_id: str, host: str) -> None:
        self.forget([share_id])
        slot = self._slots[host]
        self._home[share_id] = host
        slot.shares.add(share_id)
        slot.used.add(share_id)
        slot.tenants += calls_drivers(share_id)

    def leaving(self, host: str) -> list[str]:
        """Shares that left *host*, but may be on their way back: to be asked about with the next."""
        return list(self._slots[host].leaving)

    def passivated(self, host: str, share_ids: Iterable[str]) -> None:
        """*host* told that these left its memory: forget those to whom no message is on its way."""
        slot = self._slots[host]
        gone = slot.shares.intersection(share_ids)
        slot.leaving, slot.used = gone & slot.used, set()
        self.forget(gone - slot.leaving)

    def forget(self, share_ids: Iterable[str]) -> None:
        """These shares left memory; a dedicated actor that held one is free again."""
        for share_id in share_ids:
            host = self._home.pop(share_id, None)
            if host is not None:
                slot = self._slots[host]
                slot.shares.discard(share_id)
                slot.tenants -= calls_drivers(share_id)
                slot.reserved = slot.reserved and bool(slot.tenants)

    def lost(self, host: str) -> list[str]:
        """*host* died: its shares have no home until they are placed again."""
        slot = self._slots.get(host)
        if slot is None:
            return []
        gone = list(slot.shares)
        self.forget(gone)
        slot.alive, slot.reserved, slot.leaving = False, False, set()
        return gone
