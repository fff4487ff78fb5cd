"""The directory of hosts: which entity lives in which Ray actor. Pure bookkeeping, for speed only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from share_actors.actors.ports import node_of
from share_actors.events.aggregates import calls_drivers


@dataclass(slots=True)
class _Slot:
    """One host, alive or not, and the entities in it.

    *load* counts those that call drivers: shares and share servers. *node* is the Ray resource of the
    nodes that the host runs on, if it serves backends that only such nodes reach. A *reserved* host is
    for one share only (`dedicated` hosting); a *closed* one gets no further entities.
    *used* are the entities whose home was looked up since the
    last report of passivated ones: a message may be on its way to them. *leaving* are those of *used*
    that were in that report: the next one settles them. An *outdated* host gets none while another can.
    """

    entities: set[str] = field(default_factory=set)
    load: int = 0
    node: str | None = None
    alive: bool = True
    closed: bool = False
    reserved: bool = False
    used: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)
    outdated: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it may be given further entities."""
        return self.alive and not self.closed


def newest_homes(
    residents: Mapping[str, Mapping[str, int]],
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The entities that have their home in each host, and those that it is to drop.

    *residents* has the versions of the entities in each host. Of two activations, the one with the
    greater version has what the other lacks.
    """
    homes: dict[str, str] = {}
    for host, versions in residents.items():
        for entity_id, version in versions.items():
            other = homes.setdefault(entity_id, host)
            if version > residents[other][entity_id]:
                homes[entity_id] = host
    at_home = {h: [i for i in ids if homes[i] == h] for h, ids in residents.items()}
    strays = {h: [i for i in ids if homes[i] != h] for h, ids in residents.items()}
    return at_home, {host: ids for host, ids in strays.items() if ids}


class HostDirectory:
    """Homes of entities. A share gets an empty host while there is one, else the least loaded one.

    `wants_more` is set when a share had to join others in a host: more hosts may be started then, in
    the background, up to *max_hosts*.
    """

    def __init__(self, max_hosts: int) -> None:
        self._max_hosts = max_hosts
        self._slots: dict[str, _Slot] = {}
        self._homes: dict[str, str] = {}
        self.wants_more = False

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def hosts(self) -> dict[str, int]:
        """The number of shares and share servers in each living host, by its name."""
        return {name: slot.load for name, slot in self._slots.items() if slot.alive}

    @property
    def may_grow(self) -> bool:
        """Whether another host may be started."""
        return sum(not slot.closed for slot in self._slots.values()) < self._max_hosts

    def reaches(self, node: str | None) -> bool:
        """Whether any host, alive or being restarted, runs on nodes with the Ray resource *node*."""
        return any(slot.node == node and not slot.closed for slot in self._slots.values())

    def open_hosts(self, node: str | None) -> int:
        """How many living hosts on nodes with the Ray resource *node* may be given further entities."""
        return sum(slot.is_open and slot.node == node for slot in self._slots.values())

    def add(self, host: str, entity_ids: Iterable[str] = (), node: str | None = None) -> None:
        """Add a living *host* with the entities in it, or mark a lost one as alive."""
        slot = self._slots.setdefault(host, _Slot(node=node))
        slot.alive = True
        for entity_id in entity_ids:
            self._assign(entity_id, host)

    def home(self, entity_id: str) -> str | None:
        """The host of *entity_id*; None if it has no known home."""
        host = self._homes.get(entity_id)
        if host is not None:
            self._slots[host].used.add(entity_id)
        return host

    def home_of_active(self, entity_id: str) -> str:
        """The host of *entity_id* for a caller that sends nothing by way of it; empty if it has none."""
        return self._homes.get(entity_id, "")

    def place(
        self, entity_id: str, *, dedicated: bool = False, node: str | None = None
    ) -> str | None:
        """The host of *entity_id*, chosen now if it has none; None while no host can take it.

        With *node*, only hosts on such nodes are considered; without, only hosts on any node.
        """
        home = self.home(entity_id)
        if home is not None:
            return home
        free = {
            name: slot
            for name, slot in self._slots.items()
            if slot.is_open and slot.node == node and not slot.reserved
        }
        host = self._choose(entity_id, _newer(free), dedicated)
        if host is not None:
            self._assign(entity_id, host)
        return host

    def _choose(self, entity_id: str, free: dict[str, _Slot], dedicated: bool) -> str | None:
        if not calls_drivers(entity_id):  # it calls no drivers: any living host will do
            living = {name: slot for name, slot in self._slots.items() if slot.is_open}
            return _least_loaded(_newer(free or living))
        empty = next((name for name, slot in free.items() if not slot.load), None)
        if empty is None and (dedicated or self.may_grow):
            self.wants_more = True
        if not dedicated:
            return empty or _least_loaded(free)
        if empty is not None:
            self._slots[empty].reserved = True
        return empty

    def set_outdated(self, host: str, *, outdated: bool) -> None:
        """Note whether *host* runs an older version than an event needs."""
        if (slot := self._slots.get(host)) is not None:
            slot.outdated = outdated

    def has_newer(self, host: str) -> bool:
        """Whether a living host that is not outdated can take the entities of *host*."""
        slots = self._slots.values()
        node = node_of(host)
        return any(slot.is_open and slot.node == node and not slot.outdated for slot in slots)

    def _assign(self, entity_id: str, host: str) -> None:
        self.forget([entity_id])
        slot = self._slots[host]
        self._homes[entity_id] = host
        slot.entities.add(entity_id)
        slot.used.add(entity_id)
        slot.load += calls_drivers(entity_id)

    def leaving(self, host: str) -> list[str]:
        """Entities that were passivated in *host* but may be active again: for its next report."""
        return list(self._slots[host].leaving)

    def passivated(self, host: str, entity_ids: Iterable[str]) -> None:
        """Forget the homes of entities that *host* passivated, unless a message may be on its way."""
        slot = self._slots[host]
        gone = slot.entities.intersection(entity_ids)
        slot.leaving, slot.used = gone & slot.used, set()
        self.forget(gone - slot.leaving)

    def forget(self, entity_ids: Iterable[str]) -> None:
        """Forget the homes of these entities; a host reserved for one of them is free again."""
        for entity_id in entity_ids:
            host = self._homes.pop(entity_id, None)
            if host is not None:
                slot = self._slots[host]
                slot.entities.discard(entity_id)
                slot.load -= calls_drivers(entity_id)
                slot.reserved = slot.reserved and bool(slot.load)

    def close(self, host: str) -> None:
        """Give *host* no further entities."""
        self._slots[host].closed = True

    def keep(self, host: str, entity_ids: Collection[str]) -> bool:
        """Forget the homes of all entities in *host* but these; return whether there were any."""
        gone = self._slots[host].entities.difference(entity_ids)
        self.forget(gone)
        return bool(gone)

    def remove(self, host: str) -> None:
        """Forget *host* and the homes of its entities."""
        self.lost(host)
        self._slots.pop(host, None)

    def lost(self, host: str) -> list[str]:
        """Mark *host* as lost; return its entities, which have no home until they are placed again."""
        slot = self._slots.get(host)
        if slot is None:
            return []
        homeless = list(slot.entities)
        self.forget(homeless)
        slot.alive, slot.reserved, slot.leaving = False, False, set()
        return homeless


def _newer(slots: dict[str, _Slot]) -> dict[str, _Slot]:
    """Those of *slots* that are not outdated; all, if every one is."""
    return {name: slot for name, slot in slots.items() if not slot.outdated} or slots


def _least_loaded(slots: dict[str, _Slot]) -> str | None:
    return min(slots, key=lambda name: slots[name].load, default=None)
