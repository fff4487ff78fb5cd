"""How one entity sends commands to another: recorded, through the manager, until there is an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, repeat
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    Sender,
    command_message,
    unpack_error,
)
from share_actors.errors import (
    Busy,
    LogInDoubt,
    Moved,
    OperationFailed,
    ShareActorsError,
    Unavailable,
)
from share_actors.events.decider import Command
from share_actors.observability.tracing import active_traceparent
from share_actors.values import Frozen, RequestContext

T = TypeVar("T")
V = TypeVar("V", bound=Frozen)
POLL_S = 10.0
"""How long one call waits for an outcome before the next call continues to wait."""
LIMIT_S = 90.0
"""How long one call may take, also to an actor that waits for hosts; its connection may be cut."""
TRY_S = 30.0
"""For how long a periodic task tries a call; its next round tries again."""
RETRY_PAUSE_S = 0.2
"""The pause before a call is repeated while the manager can't be reached."""


class Manager(Protocol):
    """What an `EntityClient` needs of the manager; each call raises `Unavailable` if it can't be reached."""

    async def submit(self, messages: list[CommandMessage], /) -> list[CommandReply]:
        """Have each command recorded; replies in order: see `ShareHost.submit`."""

    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, /
    ) -> list[CommandReply]:
        """Outcomes of those of *pairs* (address, command id) that ended: see `ShareHost.wait`."""

    async def view(self, address: str, /) -> Any:
        """The entity at *address*; raises `NotFound`."""


class EntityClient:
    """Sends commands to other entities. A caller that stops waiting cancels; the command goes on.

    The commands carry the requester's context, elevated: what the system has to do for a request that was
    permitted is not asked again.
    """

    def __init__(self, manager: Callable[[], Manager]) -> None:
        self._manager = manager

    async def ask(
        self, kind: type[V], address: str, command: Command, context: RequestContext
    ) -> V:
        """Have *command* done, and return the view of the entity, of *kind*, at that moment.

        Raises `OperationFailed` if it was recorded and failed, or the error that it was refused with.
        """
        command_id = uuid4().hex
        trace = active_traceparent()
        message = command_message(
            address, command, _elevated(context), command_id, wait=True, trace=trace
        )
        reply = await self._outcome(await self._submit(message), (address, command_id))
        if reply.error is not None:
            raise unpack_error(reply.error)
        if reply.status == "failed":
            raise OperationFailed(reply.reason or "it failed", field="id", value=address)
        if reply.view is None:
            return await self.view(kind, address)
        return kind.model_validate_json(reply.view, extra="ignore")

    async def tell(self, address: str, command: Command, context: RequestContext) -> None:
        """Have *command* recorded, without waiting for its outcome.

        Raises the error that it was refused with.
        """
        sender, trace = _elevated(context), active_traceparent()
        reply = await self._submit(
            command_message(address, command, sender, uuid4().hex, trace=trace)
        )
        if reply.error is not None:
            raise unpack_error(reply.error)

    async def view(self, kind: type[V], address: str) -> V:
        """The entity at *address*, which is of *kind*; raises `NotFound`."""
        view = await _retry_while_busy(lambda: self._manager().view(address))
        assert isinstance(view, kind)
        return view

    async def _submit(self, message: CommandMessage) -> CommandReply:
        """The receipt; every try after the first says that the command may be recorded already."""
        tries = chain([message], repeat(message._replace(repeated=True)))
        [reply] = await _retry_while_busy(lambda: self._manager().submit([next(tries)]))
        return reply

    async def _outcome(self, reply: CommandReply, pair: tuple[str, str]) -> CommandReply:
        """The outcome that follows *reply*, which may be one already."""
        while reply.status == "accepted":
            replies = await _retry_while_busy(lambda: self._manager().wait([pair], POLL_S))
            if replies and not isinstance(_error_in(replies[0]), Moved):
                reply = replies[0]
        return reply


def _elevated(context: RequestContext) -> Sender:
    return Sender.of(context.elevated())


async def _retry_while_busy(call: Callable[[], Awaitable[T]]) -> T:
    """The result of *call*, repeated while the manager is busy or being restarted.

    There is no limit of all tries together: the caller's deadline cancels it.
    """
    while True:
        try:
            result = await within(LIMIT_S, call())
        except Busy as error:
            await asyncio.sleep(error.retry_after)
        except Unavailable:
            await asyncio.sleep(RETRY_PAUSE_S)
        else:
            pause_s = _retry_pause_s(result)
            if pause_s is None:
                return result
            await asyncio.sleep(pause_s)


async def within(limit_s: float, call: Awaitable[T]) -> T:
    """The result of *call*; raises `Unavailable` after *limit_s* seconds, and ends the call."""
    try:
        async with asyncio.timeout(limit_s) as limit:
            return await call
    except TimeoutError:
        if not limit.expired():
            raise
        raise Unavailable(f"there has been no reply for {limit_s:g} s", passing=True) from None


def _retry_pause_s(result: Any) -> float | None:
    """The pause before the call is repeated if the reply to its only command says so; else None."""
    if not (isinstance(result, list) and result and isinstance(result[0], CommandReply)):
        return None
    error = _error_in(result[0])
    if isinstance(error, Busy):
        return error.retry_after
    return RETRY_PAUSE_S if isinstance(error, LogInDoubt | Unavailable) else None


def _error_in(reply: CommandReply) -> ShareActorsError | None:
    return None if reply.error is None else unpack_error(reply.error)
