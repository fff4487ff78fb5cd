"""What a process of an earlier version gets of traced commands: the commands, without their traces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from share_actors.actors.messaging.messages import CommandMessage
from share_actors.versions import TRACES_PROTOCOL, Versions


class TraceGate:
    """The way to one process; *ask* gets what it tells of its versions, once until `forget`.

    An earlier version would refuse a command with a trace, since it is a part of an order that it does not
    know. Commands without one are let through without a question.
    """

    def __init__(self, ask: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        self._ask = ask
        self._knows: bool | None = None

    async def passed(self, messages: list[CommandMessage]) -> list[CommandMessage]:
        """*messages* as the process understands them; raises what *ask* raises."""
        if not any(message.trace for message in messages):
            return messages
        if self._knows is None:
            self._knows = Versions.of(await self._ask()).protocol >= TRACES_PROTOCOL
        if self._knows:
            return messages
        return [message._replace(trace="") for message in messages]

    def forget(self) -> None:
        """Ask again before the next command: it may have been restarted in another version."""
        self._knows = None
