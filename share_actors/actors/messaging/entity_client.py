"""How one entity asks another: by recorded commands, through the manager, until there is an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from share_actors.actors.messaging.messages import CommandMessage, CommandReply, ask, unpack_error
from share_actors.errors import Busy, Moved, OperationFailed, ShareActorsError, Unavailable
from share_actors.events.decider import Command
from share_actors.values import Frozen, RequestContext

V = TypeVar("V", bound=Frozen)
POLL_S = 10.0
PAUSE_S = 0.2


class Manager(Protocol):
    """What is needed of the manager, wherever it runs; each raises `Unavailable` when it can't be reached."""

    async def submit(self, asks: list[CommandMessage], /) -> list[CommandReply]: ...
    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, /
    ) -> list[CommandReply]: ...
    async def view(self, address: str, /) -> Any: ...


class EntityClient:
    """Other entities, as one of them reaches them. Who gives up waiting cancels; nothing is lost by it."""

    def __init__(self, manager: Callable[[], Manager]) -> None:
        self._find = manager

    async def ask(self, kind: type[V], address: str, command: Command, who: RequestContext) -> V:
        """Have *command* done and return the entity as it was then, which is of *kind*.

        Raises `OperationFailed` when it was recorded and failed, or the error that it was refused with.
        """
        command_id, packed = uuid4().hex, who.model_dump_json().encode()
        asked = ask(address, command, packed, command_id, wait=True)
        [answer] = await _patiently(lambda: self._find().submit([asked]))
        pair = (address, command_id)
        while answer.status == "accepted":
            ended = await _patiently(lambda: self._find().wait([pair], POLL_S))
            answer = ended[0] if ended else answer
            if answer.error is not None and isinstance(unpack_error(answer.error), Moved):
                answer = answer._replace(status="accepted", error=None)
        if answer.error is not None:
            raise unpack_error(answer.error)
        if answer.status == "failed":
            raise OperationFailed(answer.reason or "it failed", field="id", value=address)
        if answer.view is None:
            return await self.view(kind, address)
        return kind.model_validate_json(answer.view)

    async def tell(self, address: str, command: Command, who: RequestContext) -> None:
        """Have *command* recorded, and not wait for more; raises the error that it was refused with."""
        packed = who.model_dump_json().encode()
        asked = ask(address, command, packed, uuid4().hex)
        [answer] = await _patiently(lambda: self._find().submit([asked]))
        if answer.error is not None:
            raise unpack_error(answer.error)

    async def view(self, kind: type[V], address: str) -> V:
        """An entity as it is now; raises `NotFound`."""
        found = await _patiently(lambda: self._find().view(address))
        assert isinstance(found, kind)
        return found


T = TypeVar("T")


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """The result of *call*, which is made again while the manager is busy or being restarted.

    Its caller's deadline ends it.
    """
    while True:
        try:
            result = await call()
        except Busy as error:
            await asyncio.sleep(error.retry_after)
        except Unavailable:
            await asyncio.sleep(PAUSE_S)
        else:
            busy = _busy(result)
            if busy is None:
                return result
            await asyncio.sleep(busy)


def _busy(result: Any) -> float | None:
    """How long to wait before asking again, if that is the answer to the one command asked."""
    if not (isinstance(result, list) and result and isinstance(result[0], CommandReply)):
        return None
    error: ShareActorsError | None = unpack_error(result[0].error) if result[0].error else None
    if isinstance(error, Busy):
        return error.retry_after
    return PAUSE_S if isinstance(error, Unavailable) else None
