"""The event loop, in one background thread, that all synchronous handles of this process share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")


@lru_cache(maxsize=1)
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="share-actors-client", daemon=True).start()
    return loop


def run(job: Coroutine[Any, Any, T]) -> T:
    """Run *job* on the background loop and return its result, or raise its error."""
    return asyncio.run_coroutine_threadsafe(job, _loop()).result()


def call_soon(function: Callable[[], object]) -> None:
    """Have *function* called on the background loop, without waiting for it."""
    _loop().call_soon_threadsafe(function)


def each(items: AsyncIterator[T]) -> Iterator[T]:
    """The *items*, each of which is waited for on the background loop."""
    while (found := run(_next(items))) is not None:
        yield found[0]


async def _next(items: AsyncIterator[T]) -> tuple[T] | None:
    """The next item; None if there is none."""
    async for item in items:
        return (item,)
    return None
