"""Routes of commands: to the host of a share at once, or by the manager, which checks and places them."""

from __future__ import annotations

from collections.abc import Iterable

from share_actors.actors.messaging.messages import CommandMessage, CommandReply, unpack_error
from share_actors.errors import Moved
from share_actors.events import share
from share_actors.events.aggregates import kind_of
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.messages import CreateShare, DeleteShare, ExtendShare, RetryShare
from share_actors.events.share.snapshot.messages import (
    CreateSnapshot,
    DeleteSnapshot,
    ManageSnapshot,
    UnmanageSnapshot,
)
from share_actors.events.share_network import CreateShareNetwork, DeleteShareNetwork

ADOPTIONS = frozenset({ManageShare.topic, ManageSnapshot.topic})
"""The topics of commands that manage what a backend has already."""
REMOVALS = frozenset(
    {DeleteSnapshot.topic, UnmanageSnapshot.topic, DeleteShare.topic, DeleteShareNetwork.topic}
)
"""The topics of commands that remove what other requests may refer to."""
COUNTED = ADOPTIONS | {
    *(CreateShare.topic, ExtendShare.topic, RetryShare.topic),
    *(CreateSnapshot.topic, CreateShareNetwork.topic),
}
"""The topics of commands that may use more of the quotas of their project."""
MOST_HOMES = 100_000
"""How many homes a caller remembers."""


def removes_references(message: CommandMessage) -> bool:
    """Whether the command may remove what others refer to; the deletion of a share only if it cascades."""
    removal = message.topic in REMOVALS
    return removal and (message.topic != DeleteShare.topic or b"true" in message.body)


def must_be_placed(message: CommandMessage) -> bool:
    """Whether the manager has to look at a command before a host gets it."""
    placed = message.placement_request is not None
    return placed or message.topic in ADOPTIONS or removes_references(message)


def may_go_direct(message: CommandMessage) -> bool:
    """Whether a client may send a command to the host of its share itself."""
    is_share = kind_of(message.share_id) == share.KIND
    return is_share and message.topic not in COUNTED and not must_be_placed(message)


def check_direct(message: CommandMessage) -> None:
    """Raise `Moved` for a command that came to a host directly, and that the manager has to look at."""
    if not may_go_direct(message):
        raise Moved(f"{message.topic} goes to the manager", field="topic", value=message.topic)


def has_moved(reply: CommandReply) -> bool:
    """Whether the host refused the command because its entity is not active there, or cannot be."""
    return moved(reply) is not None


def moved(reply: CommandReply) -> Moved | None:
    """The error of a host that refused the command because its entity is not active there, or cannot be."""
    if reply.status != "error" or reply.error is None:
        return None
    error = unpack_error(reply.error)
    return error if isinstance(error, Moved) else None


class Homes:
    """The hosts of shares, as the manager's replies named them. A home may be wrong by now.

    The oldest are forgotten beyond *most*.
    """

    def __init__(self, most: int = MOST_HOMES) -> None:
        self._most = most
        self._homes: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._homes)

    def learn(self, replies: Iterable[CommandReply]) -> None:
        """Remember the homes that *replies* name."""
        for reply in replies:
            if reply.home:
                self._homes.pop(reply.share_id, None)
                self._homes[reply.share_id] = reply.home
        while len(self._homes) > self._most:
            del self._homes[next(iter(self._homes))]

    def get(self, share_id: str) -> str | None:
        """The host of a share; None if it is not known."""
        return self._homes.get(share_id)

    def forget(self, share_id: str) -> None:
        """Forget a home that proved wrong."""
        self._homes.pop(share_id, None)
