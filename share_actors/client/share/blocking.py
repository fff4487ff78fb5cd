"""The synchronous form of the methods of an asynchronous handle, written beside each of its parts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from share_actors.client.showing import Shown
from share_actors.client.sync.background_loop import run

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")
"""The part of the asynchronous handle."""


class HandlePart(Shown):
    """A part of `ShareHandle`, which has the asynchronous handle that does the work."""

    _share: Any


H = TypeVar("H", bound=HandlePart)


def blocking(
    method: Callable[Concatenate[A, P], Coroutine[object, object, T]],
) -> Callable[Concatenate[HandlePart, P], T]:
    """The synchronous form of *method*: it returns what that returns."""

    @wraps(method)
    def call(handle: HandlePart, /, *args: P.args, **options: P.kwargs) -> T:
        return run(method(handle._share, *args, **options))

    return call


def blocking_request(
    method: Callable[Concatenate[A, P], Coroutine[object, object, A]],
) -> Callable[Concatenate[H, P], H]:
    """The synchronous form of *method*: it returns the handle."""

    @wraps(method)
    def call(handle: H, /, *args: P.args, **options: P.kwargs) -> H:
        run(method(handle._share, *args, **options))
        return handle

    return call
