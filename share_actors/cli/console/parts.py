"""The parts of a page: each is asked for with a time limit, and says why it is missing if it is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from share_actors.errors import Forbidden, ShareActorsError

T = TypeVar("T")
LIMIT_S = 3.0
"""How long a page waits for a part of it."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part(Generic[T]):
    """A part of a page: its *value*, or the *problem* in a sentence and what to do about it.

    *forbidden*: the user who started the console may not see it.
    """

    value: T | None = None
    problem: str | None = None
    next_step: str | None = None
    forbidden: bool = False


async def part(asked: Awaitable[T], limit_s: float = LIMIT_S) -> Part[T]:
    """The answer to *asked*, or why there is none within *limit_s* seconds."""
    try:
        async with asyncio.timeout(limit_s):
            return Part(await asked)
    except TimeoutError:
        return Part(problem=f"no answer within {limit_s:g} s")
    except ShareActorsError as error:
        step = error.details.get("next_step")
        return Part(
            problem=error.reason,
            next_step=None if step is None else str(step),
            forbidden=isinstance(error, Forbidden),
        )
    except Exception as error:  # the other parts of the page are shown
        _LOG.exception("a part of a page failed")
        return Part(problem=f"unexpected {type(error).__name__}: {error}")


class Shared(Generic[T]):
    """A value that all viewers of a page share: it is made once at a time, and kept for *keep_s* seconds."""

    def __init__(self, make: Callable[[], Awaitable[T]], keep_s: float) -> None:
        self._make, self._keep_s = make, keep_s
        self._making: asyncio.Task[T] | None = None
        self._made_at = 0.0

    async def get(self) -> T:
        """The value, made now unless it was made a moment ago or is being made."""
        made = self._making is not None and self._making.done()
        if self._making is None or (made and time.monotonic() > self._made_at + self._keep_s):
            self._making = asyncio.create_task(self._new())
        return await asyncio.shield(self._making)

    async def _new(self) -> T:
        try:
            return await self._make()
        finally:
            self._made_at = time.monotonic()
