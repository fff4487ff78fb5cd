"""What a command asks of the quotas of its project, read from its message."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

from share_actors.actors.messaging.messages import CommandMessage
from share_actors.actors.messaging.routes import COUNTED
from share_actors.actors.scheduling.ledger import Decision
from share_actors.actors.scheduling.quota_claims import Asked
from share_actors.events.share.failure import RetryShare
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.messages import CreateShare
from share_actors.events.share.resize import ExtendShare
from share_actors.events.share.snapshot.messages import CreateSnapshot, ManageSnapshot
from share_actors.events.share_network import CreateShareNetwork
from share_actors.events.uses import Account, Charged, Use
from share_actors.policy import Owner, is_permitted
from share_actors.values import PlacementRequest

NEW = frozenset({CreateShare.topic, ManageShare.topic, CreateShareNetwork.topic})
"""Commands that name the project and the user of what they make; the others are for those of their share."""
assert NEW < COUNTED


def is_of_sender(message: CommandMessage) -> bool:
    """Whether what the command is about is of the sender's project, or else it is refused by its entity."""
    return not message.caller.is_system_admin


def project_of(message: CommandMessage) -> str | None:
    """The project for which a command counts; None if its share has to be looked up."""
    if is_of_sender(message):
        return message.project_id
    return _owner(message)[0] if message.topic in NEW else None


def asked_by_new(message: CommandMessage, request: PlacementRequest | None) -> Asked | None:
    """What the creation or management of a share or a network asks for; None if it is not to be permitted."""
    project_id, user_id = _owner(message)
    if not is_permitted(message.topic, message.caller, Owner(project_id)):
        return None
    decision = Decision(message.share_id, message.command_id)
    if message.topic == CreateShareNetwork.topic:
        return Asked(decision, Account(project_id, user_id), Use(share_networks=1))
    assert request is not None
    account = Account(project_id, user_id, request.share_type or "")
    if message.topic == ManageShare.topic:
        return Asked(decision, account, Use(shares=1, managing=1))
    return Asked(decision, account, Use(shares=1, gigabytes=request.size), request.size)


def asked_of_share(
    message: CommandMessage, request: PlacementRequest | None, share: Charged | None
) -> Asked | None:
    """What a command asks for that concerns a *share* that exists; None if the share itself refuses it."""
    if share is None or not is_permitted(
        message.topic, message.caller, Owner(share.account.project_id)
    ):
        return None
    decision = Decision(message.share_id, message.command_id)
    match message.topic:
        case ExtendShare.topic:
            assert request is not None
            return Asked(decision, share.account, Use(gigabytes=request.size), request.size)
        case RetryShare.topic:
            return Asked(decision, share.account, Use(gigabytes=share.after_retry))
        case CreateSnapshot.topic | ManageSnapshot.topic:
            snapshot_id = str(_fields(message).get("snapshot_id", ""))
            gib = share.size if message.topic == CreateSnapshot.topic else 0
            return Asked(decision, share.account, snapshot_id=snapshot_id, snapshot_gib=gib)
        case _:
            return None


def _owner(message: CommandMessage) -> tuple[str, str]:
    """The project and the user in the body of a command that makes something."""
    fields = _fields(message)
    spec = fields.get("spec")
    fields = spec if isinstance(spec, dict) else fields
    return str(fields.get("project_id", "")), str(fields.get("user_id", ""))


def _fields(message: CommandMessage) -> dict[str, Any]:
    """The fields of the command; none if its body is malformed, which its entity refuses."""
    try:
        fields = from_json(message.body)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
