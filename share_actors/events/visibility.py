"""What exists for a caller: an entity that it may not read is answered like one that does not exist."""

from __future__ import annotations

from typing import TypeVar

from share_actors.errors import NotFound
from share_actors.events.aggregates import id_of, kind_of
from share_actors.policy import Caller, may_read, owner_of, shown_to
from share_actors.values import Frozen

V = TypeVar("V", bound=Frozen)


def no_such_entity(address: str) -> NotFound:
    """The error of an entity that does not exist, or not for the caller: the same text for both."""
    kind = kind_of(address).replace("_", " ")
    return NotFound(f"there is no {kind} {id_of(address)}", field="id", value=id_of(address))


def seen_by(caller: Caller, entity: V, address: str) -> V:
    """The entity at *address* as *caller* may see it; raises `NotFound` if it may not."""
    owner = owner_of(entity)
    if not may_read(caller, owner):
        raise no_such_entity(address)
    return shown_to(caller, entity, owner)
