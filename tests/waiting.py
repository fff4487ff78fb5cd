"""Wait until something has happened, or fail."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

MAX_WAIT_S = 30.0
PAUSE_S = 0.01


def until(
    condition: Callable[[], object], seconds: float = MAX_WAIT_S, pause_s: float = PAUSE_S
) -> None:
    """Return once *condition* holds; raises `TimeoutError` after *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not happen within {seconds:g} s")
        time.sleep(pause_s)


async def until_async(condition: Callable[[], Any], seconds: float = MAX_WAIT_S) -> Any:
    """The first true result of *condition*, which may be a coroutine; raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while True:
            result = condition()
            result = await result if asyncio.iscoroutine(result) else result
            if result:
                return result
            await asyncio.sleep(PAUSE_S)
