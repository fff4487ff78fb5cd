"""The recipients of commands: each command is for one kind of entity, which its address has to name."""

from __future__ import annotations

from share_actors.actors.messaging.messages import CommandMessage
from share_actors.errors import InvalidRequest, shorten, showable
from share_actors.events import share
from share_actors.events.topics import ENTITY_KINDS


def misdirection(message: CommandMessage) -> InvalidRequest | None:
    """The error of a command whose address is not that of its kind of entity; None if it may be routed.

    An unknown command is refused by the host.
    """
    kind, address = ENTITY_KINDS.get(message.topic), message.share_id
    if kind is None or _is_address(address, kind):
        return None
    return InvalidRequest(
        f"id: {shorten(repr(showable(address)))} is not the address of a {kind.replace('_', ' ')},"
        f" which {message.topic} is for",
        field="id",
        value=showable(address),
    )


def _is_address(address: object, kind: str) -> bool:
    if not isinstance(address, str):
        return False
    named, colon, entity_id = address.partition(":")
    if kind == share.KIND:
        return bool(address) and not colon
    return named == kind and bool(entity_id)
