"""Addresses and streams of entities: a share's address is its id, any other's is `share_server:ID`.

An id never has a colon and a kind never has a hyphen, so the kind and id of a stream (`share_server-ID`)
are unambiguous.
"""

from __future__ import annotations

from typing import Any

from share_actors.events import (
    backend,
    cluster,
    quota,
    share,
    share_network,
    share_server,
    share_type,
    snapshot_policy,
)
from share_actors.values.checks.ids import is_id

AGGREGATES = {
    module.KIND: module
    for module in (
        share,
        share_server,
        share_network,
        share_type,
        snapshot_policy,
        backend,
        cluster,
        quota,
    )
}
"""Every aggregate, by its kind."""


def kind_of(address: str) -> str:
    """Return the kind of the entity at *address*; without a colon it is a share."""
    kind, colon, _ = address.partition(":")
    return kind if colon else share.KIND


def is_address(text: str) -> bool:
    """Return whether *text* has the form of an address, and has it in the only way: `share:ID` is none."""
    kind, colon, name = text.partition(":")
    return kind in AGGREGATES and kind != share.KIND and bool(name) if colon else is_id(text)


def calls_drivers(address: str) -> bool:
    """Return whether the entity calls drivers, and so counts towards the load of its host."""
    return ":" not in address or kind_of(address) == share_server.KIND


def id_of(address: str) -> str:
    """Return the id of the entity at *address*."""
    return address.partition(":")[2] or address


def stream_of(address: str) -> str:
    """Return the stream of the entity at *address*."""
    return f"{kind_of(address)}-{id_of(address)}"


def address_of(stream: str) -> str | None:
    """Return the address of the entity with this *stream*; None if it is not the stream of an entity."""
    kind, hyphen, name = stream.partition("-")
    if not hyphen or kind not in AGGREGATES:
        return None
    return name if kind == share.KIND else f"{kind}:{name}"


def backend_of(state: Any) -> str:
    """The backend of the share or share server with this *state*; empty for other entities."""
    entity = getattr(state, "share", None) or getattr(state, "server", None)
    return str(getattr(entity, "backend", ""))
