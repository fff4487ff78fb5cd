"""Calls to the system's Ray actors: Ray's errors become ours, and a restarting actor is called again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

import ray
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    RayActorError,
    RayError,
    RaySystemError,
    RayTaskError,
)

from share_actors.actors.messaging.retries import AGAIN, MAX_WAIT_S, RETRY_S, with_retries
from share_actors.errors import ShareActorsError, Unavailable

T = TypeVar("T")
Ending = Literal["stopped", "died", "unknown"]
"""How a system has ended: by `down` or `close`, without them, or in a way that is not known."""
ENDINGS: dict[Ending, str] = {
    "stopped": "was stopped",
    "died": "has ended without being stopped",
    "unknown": "has ended, or this process has left its Ray cluster",
}
KILLED = "killed by `ray.kill`"
"""What Ray says of an actor that was ended on purpose, as `down` and `close` do."""
CHECK_S = 2.0
"""How often a call without an answer is checked, in seconds."""


def call_sync(call: Callable[[], T], restarts_s: float = 0.0) -> T:
    """The result of *call*, which blocks; Ray's errors become ours as in `from_ray`.

    The call is repeated for *restarts_s* while the actor is being restarted.
    """
    until = time.monotonic() + restarts_s
    while True:
        try:
            return call()
        except (RayTaskError, RayActorError) as error:
            if not isinstance(error, ActorUnavailableError) or time.monotonic() > until:
                raise from_ray(error) from None
        time.sleep(RETRY_S)


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

    The error has the detail `passing` if the actor is being restarted, so that the call may be repeated, and
    `ended` if the system has ended: `stopped`, `died`, or `unknown`.
    """
    try:
        return await pending
    except RayTaskError as error:
        raise from_ray(error) from None
    except ActorDiedError as error:
        raise ended("stopped" if KILLED in str(error) else "died") from None
    except RayError as error:
        text = f"an actor can't be reached: {type(error).__name__}; {AGAIN}"
        raise Unavailable(text, passing=True) from error


def ended(how: Ending) -> Unavailable:
    """The error of a call to a system that has ended."""
    text = f"the system {ENDINGS[how]}: start it with `share-actors up`; {AGAIN}"
    return Unavailable(text, ended=how)


async def _call_watched(pending: Awaitable[T], explain: Callable[[Unavailable], Unavailable]) -> T:
    """As `call`; ends if *explain* says meanwhile that no answer can come: Ray may wait for ever."""
    no_answer = Unavailable("an actor has not replied yet", passing=True)
    calling = asyncio.ensure_future(call(pending))
    try:
        while not (await asyncio.wait({calling}, timeout=CHECK_S))[0]:
            if (error := explain(no_answer)) is not no_answer:
                raise error
    finally:
        calling.cancel()
    return calling.result()


async def call_by(
    make_call: Callable[[], Awaitable[T]], explain: Callable[[Unavailable], Unavailable]
) -> T:
    """As `call`, also if Ray refuses to make the call; *explain* may replace an `Unavailable`."""
    try:
        if (
            not ray.is_initialized()
        ):  # another thread connects again: Ray would start a cluster of its own
            raise ended("unknown")
        try:
            pending = make_call()
        except Exception as error:
            if type(error) is Exception or isinstance(error, RaySystemError):
                raise ended("unknown") from error  # this process has left the cluster of that actor
            raise
        return await _call_watched(pending, explain)
    except Unavailable as error:
        raise explain(error) from error.__cause__


async def call_with_retries(
    make_call: Callable[[], Awaitable[T]], limit_s: float | None = MAX_WAIT_S
) -> T:
    """The result of a `call`, repeated while the actor is busy or being restarted.

    Raises `Unavailable` if the actor does not reply within *limit_s*.
    """
    return await with_retries(lambda: call(make_call()), limit_s)
