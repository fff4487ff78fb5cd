"""Commands submitted to a manager or a host, and awaited until each has its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from share_actors.actors.messaging.messages import CommandMessage, CommandReply

POLL_S = 5.0


class Submits(Protocol):
    """A `ManagerActor` or a `ShareHost`."""

    async def submit(self, messages: list[CommandMessage], /) -> list[CommandReply]: ...
    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, /
    ) -> list[CommandReply]: ...


async def outcome(target: Submits, share_id: str, command_id: str) -> CommandReply:
    """The outcome of a command that was recorded, however long it takes."""
    while not (replies := await target.wait([(share_id, command_id)], POLL_S)):
        pass
    return replies[0]


async def outcomes(target: Submits, messages: list[CommandMessage]) -> list[CommandReply]:
    """The final reply to each of *messages*, in order: never *accepted*."""
    replies = await target.submit(messages)
    return [
        await outcome(target, reply.share_id, reply.command_id)
        if reply.status == "accepted"
        else reply
        for reply in replies
    ]
