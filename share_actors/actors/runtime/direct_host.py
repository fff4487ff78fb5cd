"""A share actor as clients call it, without the manager."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from share_actors.actors.messaging.batch import Answers, Rest
from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.actors.runtime.calls import call_by
from share_actors.actors.runtime.names import Handle
from share_actors.actors.runtime.trace_gate import TraceGate
from share_actors.errors import Unavailable
from share_actors.values import RequestContext, Share


class RayDirectHost:
    """A host that is a Ray actor; every method raises `Unavailable` if it can't be reached.

    Ray restarts an actor that died under the same handle; it has no entities then. *explain* may replace an
    `Unavailable`.
    """

    def __init__(self, handle: Handle, explain: Callable[[Unavailable], Unavailable]) -> None:
        self._handle, self._explain = handle, explain
        self.is_lost = False
        """Whether a call could not be made: there may be another actor of this name by now."""
        self._gate = TraceGate(lambda: self._call("versions"))

    async def begin(self, messages: list[CommandMessage], /) -> Answers:
        """See `ShareHost.begin_here`."""
        messages = await self._gate.passed(messages)
        answers: Answers = await self._call("begin_here", messages)
        return answers

    async def more(self, rest: Rest, /) -> Answers:
        """The next replies to the commands of a batch."""
        answers: Answers = await self._call("more", rest)
        return answers

    async def wait_here(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, context: RequestContext, /
    ) -> list[CommandReply]:
        """See `ShareHost.wait_here`."""
        replies: list[CommandReply] = await self._call("wait_here", pairs, timeout_s, context)
        return replies

    async def view_here(self, share_id: str, context: RequestContext, /) -> Share:
        """See `ShareHost.view_here`."""
        share: Share = await self._call("view_here", share_id, context)
        return share

    async def _call(self, method: str, *args: object) -> Any:
        try:
            return await call_by(lambda: getattr(self._handle, method).remote(*args), self._explain)
        except Unavailable:
            self.is_lost = True
            raise
