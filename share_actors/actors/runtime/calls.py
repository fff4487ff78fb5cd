"""Calls to the system's Ray actors: Ray's errors become ours, and a restarting actor is called again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from ray.exceptions import ActorDiedError, RayActorError, RayError, RayTaskError

from share_actors.actors.messaging.retries import AGAIN, MAX_WAIT_S, with_retries
from share_actors.errors import ShareActorsError, Unavailable

T = TypeVar("T")


def call_sync(call: Callable[[], T]) -> T:
    """The result of *call*, which blocks; Ray's errors become ours as in `from_ray`."""
    try:
        return call()
    except (RayTaskError, RayActorError) as error:
        raise from_ray(error) from None


def from_ray(error: RayError) -> Exception:
    """The `ShareActorsError` that Ray wrapped in *error*, or one that describes *error*."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, ShareActorsError):
        return cause
    if isinstance(error, ShareActorsError):  # Ray derives its class from ours and its own
        kind = next(
            base
            for base in type(error).__mro__
            if issubclass(base, ShareActorsError) and not issubclass(base, RayError)
        )
        return kind(error.message, field=error.field, value=error.value, **error.details)
    if cause is not None:
        return ShareActorsError(f"internal error: {cause!r}; Ray's logs hold its traceback")
    return Unavailable(f"an actor of the system failed: {type(error).__name__}")


async def call(pending: Awaitable[T]) -> T:
    """Await a call to one of the system's actors; raises our errors, and `Unavailable` if it is gone.

    The error has the detail `passing` if the actor is being restarted, so that the call may be repeated.
    """
    try:
        return await pending
    except RayTaskError as error:
        raise from_ray(error) from None
    except ActorDiedError:
        text = f"the system was stopped: start it with `share-actors up`; {AGAIN}"
        raise Unavailable(text) from None
    except RayError as error:
        text = f"an actor can't be reached: {type(error).__name__}; {AGAIN}"
        raise Unavailable(text, passing=True) from error


async def call_with_retries(
    make_call: Callable[[], Awaitable[T]], limit_s: float | None = MAX_WAIT_S
) -> T:
    """The result of a `call`, repeated while the actor is busy or being restarted.

    Raises `Unavailable` if the actor does not reply within *limit_s*.
    """
    return await with_retries(lambda: call(make_call()), limit_s)
