"""The recipients of commands: each command is for one kind of entity, which its address has to name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from share_actors.actors.messaging.messages import CommandMessage
from share_actors.errors import InvalidRequest, shorten, showable
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
from share_actors.events.share.messages import ShareCommand

_COMMANDS: Mapping[str, Any] = {
    share.KIND: ShareCommand,
    share_network.KIND: share_network.NetworkCommand,
    share_server.KIND: share_server.ServerCommand,
    share_type.KIND: share_type.TypeCommand,
    snapshot_policy.KIND: snapshot_policy.PolicyCommand,
    backend.KIND: backend.BackendCommand,
    cluster.KIND: cluster.ClusterCommand,
    quota.KIND: quota.QuotaCommand,
}
RECIPIENTS: Mapping[str, str] = {
    command.topic: kind
    for kind, union in _COMMANDS.items()
    for command in get_args(union)
    if command.topic
}
"""The kind of the entities that a command is for, by its topic."""


def misdirection(message: CommandMessage) -> InvalidRequest | None:
    """The error of a command whose address is not that of its kind of entity; None if it may be routed.

    An unknown command is refused by the host.
    """
    kind, address = RECIPIENTS.get(message.topic), message.share_id
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
