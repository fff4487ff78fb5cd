"""Calls to our Ray actors: Ray's errors become ours, and an actor that is restarted is asked again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ray.exceptions import ActorDiedError, RayActorError, RayError, RayTaskError

from share_actors.errors import Busy, ShareActorsError, Unavailable

T = TypeVar("T")
PATIENCE_S = 60.0
"""How long a call waits for an actor that is being restarted, or does not answer."""


def unwrapped(call: Any) -> Any:
    """The call's result, or the error of ours that travelled inside one of Ray's."""
    try:
        return call()
    except RayTaskError as error:
        raise ours(error) from None
    except RayActorError as error:
        raise ours(error) from None


def ours(error: RayError) -> Exception:
    cause = getattr(error, "cause", None)
    if isinstance(cause, ShareActorsError):
        return cause
    if isinstance(error, ShareActorsError):
        kind = next(
            k
            for k in type(error).__mro__
            if issubclass(k, ShareActorsError) and not issubclass(k, RayError)
        )
        return kind(error.message, field=error.field, value=error.value, **error.details)
    if cause is not None:
        return ShareActorsError(f"internal error: {cause!r}; Ray's logs hold its traceback")
    return Unavailable(f"the system's actor failed: {type(error).__name__}")


async def call(pending: Awaitable[T]) -> T:
    """Await a call to one of our actors; raises our errors, and `Unavailable` if the actor is gone.

    Its detail `passing` tells that the actor is being restarted, so that it is worth asking again.
    """
    try:
        return await pending
    except RayTaskError as error:
        raise ours(error) from None
    except ActorDiedError:
        raise Unavailable("the system was stopped: start it with `share-actors up`") from None
    except RayError as error:
        raise Unavailable(
            f"an actor can't be reached: {type(error).__name__}", passing=True
        ) from error


async def patiently(ask: Callable[[], Awaitable[T]], limit_s: float | None = PATIENCE_S) -> T:
    """The result of a `call`, made again and again while the actor is busy or being restarted.

    An actor that says nothing for *limit_s* is `Unavailable`.
    """
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            async with asyncio.timeout(limit_s):
                return await call(ask())
        except TimeoutError:
            raise Unavailable(f"an actor has not answered for {limit_s:g} s") from None
        except Unavailable as error:
            if not error.details.get("passing") or time.monotonic() > until:
                raise
            await asyncio.sleep(0.2)
        except Busy as error:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(error.retry_after)
