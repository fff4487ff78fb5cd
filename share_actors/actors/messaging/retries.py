"""Repeated calls to an actor that is busy or being restarted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from share_actors.errors import Busy, Unavailable

T = TypeVar("T")
MAX_WAIT_S = 60.0
"""How long a call waits for an actor that is being restarted or does not reply."""
RETRY_S = 0.2
AGAIN = "if the system was started again meanwhile, call share_actors.connect() again"
"""What a program does about a connection whose calls fail."""


async def with_retries(call: Callable[[], Awaitable[T]], limit_s: float | None = MAX_WAIT_S) -> T:
    """The result of *call*, repeated while it raises `Busy`, or `Unavailable` with the detail `passing`.

    Raises the last error, or `Unavailable` if a call does not return, after *limit_s*. With None a call may
    take any time, and is repeated for `MAX_WAIT_S`.
    """
    until = time.monotonic() + (MAX_WAIT_S if limit_s is None else limit_s)
    while True:
        remaining_s = None if limit_s is None else until - time.monotonic()
        try:
            async with asyncio.timeout(remaining_s):
                return await call()
        except TimeoutError:
            raise Unavailable(f"an actor has not replied for {limit_s:g} s: {AGAIN}") from None
        except Unavailable as error:
            if not error.details.get("passing") or time.monotonic() > until:
                raise
            await asyncio.sleep(RETRY_S)
        except Busy as error:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(error.retry_after)
