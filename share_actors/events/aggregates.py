"""How entities are addressed: a share by its id, any other by its kind and id, as `share_server:ID`.

An id never has a colon, and a kind never a hyphen, so that streams (`share_server-ID`) tell both.
"""

from __future__ import annotations

from share_actors.events import backend, share, share_network, share_server, share_type

AGGREGATES = {
    module.KIND: module for module in (share, share_server, share_network, share_type, backend)
}
"""Every aggregate there is, by its kind."""


def kind_of(address: str) -> str:
    """The kind of the entity at *address*; a share's unless it says otherwise."""
    kind, colon, _ = address.partition(":")
    return kind if colon else share.KIND


def is_tenant(address: str) -> bool:
    """Whether the entity calls drivers, so that an actor to itself serves it."""
    return ":" not in address or kind_of(address) == share_server.KIND


def id_of(address: str) -> str:
    """The id of the entity at *address*."""
    return address.partition(":")[2] or address


def stream_of(address: str) -> str:
    """The stream of the entity at *address*."""
    return f"{kind_of(address)}-{id_of(address)}"


def address_of(stream: str) -> str | None:
    """The address of the entity whose *stream* it is; None if it is no entity's."""
    kind, hyphen, name = stream.partition("-")
    if not hyphen or kind not in AGGREGATES:
        return None
    return name if kind == share.KIND else f"{kind}:{name}"
