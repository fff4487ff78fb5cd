"""The active entities of one host: activated on demand, passivated when idle or to make room."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from share_actors.actors.entity.shell import Entity
from share_actors.actors.entity.turns import Turns
from share_actors.actors.ports import CallUnderWay
from share_actors.config import Config
from share_actors.errors import Busy, InvalidRequest, Moved, shorten
from share_actors.events.aggregates import AGGREGATES, calls_drivers, is_address, kind_of
from share_actors.events.log import Log
from share_actors.observability.counts import Counts

AnyEntity = Entity[Any, Any, Any]
ROOM_SEARCH = 64
"""How many entities are examined, the longest active first, to find an idle one that makes room."""


class ResidentEntities:
    """Entities by id. Their number is limited; an idle one is passivated for another, if need be."""

    def __init__(
        self,
        config: Config,
        works: Mapping[str, Any],
        open_log: Callable[[], Log],
        counts: Counts | None = None,
    ) -> None:
        self.config, self._counts = config, counts or Counts()
        self._works, self._open_log = works, open_log
        self._entities: dict[str, AnyEntity] = {}
        self._without_drivers: set[str] = set()
        """Those that call no drivers, such as networks: they are not counted in reports."""
        self._departed: set[str] = set()
        """Passivated, or refused, since `take_departed` was called."""
        self._host_activation = uuid4().hex[:12]
        self._activations = 0
        self._turns = Turns()
        self._generation = 0
        self.leaving = False
        """Whether it is being emptied: none is activated any more."""
        self._outdated: set[str] = set()
        """Those that were active when a data subject was forgotten."""

    def __contains__(self, entity_id: str) -> bool:
        return entity_id in self._entities

    def is_active(self, entity_id: str) -> bool:
        """Whether the entity is active, and no other activation has been noticed."""
        entity = self._entities.get(entity_id)
        return entity is not None and not entity.lost

    def __getitem__(self, entity_id: str) -> AnyEntity:
        return self._entities[entity_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entities)

    @property
    def load(self) -> int:
        """The number of shares and share servers."""
        return len(self._entities) - len(self._without_drivers)

    @property
    def all_idle(self) -> bool:
        """Whether no entity has work in progress or pending."""
        return all(entity.idle for entity in self._entities.values())

    @property
    def at_work(self) -> bool:
        """Whether any entity has a command, a turn or a driver call in progress."""
        return any(entity.at_work for entity in self._entities.values())

    def under_way(self) -> list[CallUnderWay]:
        """The driver calls that are under way."""
        calls = [(entity.id, entity.under_way) for entity in self._entities.values()]
        return [CallUnderWay(id_, *call) for id_, call in calls if call is not None]

    def hold(self) -> None:
        """Begin no further attempts."""
        for entity in self._entities.values():
            entity.hold()

    def leave(self) -> None:
        """Activate none any more, and begin no further attempts; end those that are not at work."""
        self.leaving = True
        self.hold()
        self.passivate_idle(0.0)
        self.drop([entity.id for entity in self._entities.values() if not entity.at_work])

    def cut_off(self) -> list[CallUnderWay]:
        """Record that a planned stop ends the driver calls that are under way, and return these."""
        calls = self.under_way()
        for call in calls:
            self._entities[call.id].cut_off()
        return calls

    def get(self, entity_id: str, *, fresh: bool = False) -> AnyEntity:
        """The entity, activated if need be; a *fresh* one is taken to have no stream yet.

        Raises `Busy` if there is no room for it, `Moved` if this host is left, and `InvalidRequest` if
        its kind is unknown.
        """
        self._notice_erasure()
        if entity_id in self._outdated:
            self._renew(entity_id)
        entity = self._entities.get(entity_id)
        if entity is None or entity.lost:
            entity = self._activate(entity_id, fresh)
        entity.last_used = time.monotonic()
        return entity

    def _activate(self, entity_id: str, fresh: bool) -> AnyEntity:
        if self.leaving:
            self._departed.add(entity_id)
            raise Moved("this host is being moved", field="id", value=entity_id)
        if len(self._entities) >= self.config.hosting.entities_per_actor:
            self._make_room(entity_id)
        if not is_address(entity_id):
            text = f"id: {shorten(repr(entity_id))} is not of a known kind"
            raise InvalidRequest(text, field="id", value=entity_id)
        kind = kind_of(entity_id)
        self._activations += 1
        aggregate: Any = AGGREGATES[kind]
        entity: AnyEntity = Entity(
            entity_id,
            aggregate,
            self._open_log(),
            self._works[kind],
            f"{self._host_activation}-{self._activations}",
            mailbox=self.config.hosting.mailbox,
            snapshot_every=self.config.log.snapshot_every,
            fresh=fresh,
            turns=self._turns,
            counts=self._counts,
        )
        self._entities[entity_id] = entity
        if not calls_drivers(entity_id):
            self._without_drivers.add(entity_id)
        return entity

    def _make_room(self, entity_id: str) -> None:
        """Passivate an idle entity, so that *entity_id* can be activated; raises `Busy` if none is idle."""
        for entity in list(self._entities.values())[:ROOM_SEARCH]:
            if entity.idle:
                entity.passivate()
                self._remove(entity)
                return
        self._departed.add(entity_id)
        limit = self.config.hosting.entities_per_actor
        raise Busy(f"all {limit} shares of this actor have work in progress", retry_after=0.5)

    def _remove(self, entity: AnyEntity) -> None:
        if self._entities.get(entity.id) is entity:
            del self._entities[entity.id]
            self._without_drivers.discard(entity.id)
            self._departed.add(entity.id)

    def refuse(self, entity_id: str) -> None:
        """Note that a command for *entity_id* was refused: unless it is active, it has no home here."""
        if entity_id not in self._entities:
            self._departed.add(entity_id)

    def take_departed(self, leaving: Sequence[str]) -> list[str]:
        """Entities that departed since the last call, and those of *leaving* that are not active."""
        departed, self._departed = self._departed | set(leaving), set()
        return [entity_id for entity_id in departed if entity_id not in self._entities]

    def versions(self) -> dict[str, int]:
        """The versions of all entities, by id."""
        return {entity.id: entity.version for entity in self._entities.values()}

    def drop(self, entity_ids: Sequence[str]) -> None:
        """End the activations of these entities, which have their home elsewhere."""
        for entity_id in entity_ids:
            entity = self._entities.get(entity_id)
            if entity is not None:
                entity.drop()
                if entity.lost:
                    self._remove(entity)

    def passivate_idle(self, idle_s: float) -> int:
        """Passivate the entities that have been idle for *idle_s*; return their number."""
        used_before = time.monotonic() - idle_s
        idle = [e for e in self._entities.values() if e.last_used <= used_before and e.idle]
        for entity in idle:
            entity.passivate()
            self._remove(entity)
        return len(idle)

    def forget_erased(self) -> None:
        """Passivate what was active when a data subject was forgotten, once idle: its state has texts."""
        self._notice_erasure()
        for entity_id in list(self._outdated):
            self._renew(entity_id)

    def _notice_erasure(self) -> None:
        subjects = self._open_log().subjects
        if subjects is None or not subjects.seals:
            return
        subjects.ring.refresh()
        if self._generation != subjects.ring.generation:
            self._generation = subjects.ring.generation
            self._outdated = set(self._entities)

    def _renew(self, entity_id: str) -> None:
        """Passivate an outdated entity, if it is idle."""
        entity = self._entities.get(entity_id)
        if entity is None or entity.idle:
            self._outdated.discard(entity_id)
            if entity is not None:
                entity.passivate()
                self._remove(entity)

    def remove_useless(self) -> None:
        """Remove the entities that are lost, and those that are idle and do not exist in the log."""
        for entity in list(self._entities.values()):
            if entity.lost or (not entity.exists and entity.idle):
                self._remove(entity)
