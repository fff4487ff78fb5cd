"""One share, for programs on Ray: each method is called with `.remote(...)` and returns an `ObjectRef`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from share_actors.actors.runtime.remote_calls import CallsHandle, RemoteRequest, RemoteView
from share_actors.client.ids import fresh_id
from share_actors.client.share.handle import AsyncShare
from share_actors.client.showing import Shown
from share_actors.values import RequestContext, Share

P = ParamSpec("P")
T = TypeVar("T")
Method = Callable[Concatenate[AsyncShare, P], Coroutine[object, object, T]]


class ShareMethod(Generic[P, T]):
    """A method of `AsyncShare`, as an attribute of `ShareActor`."""

    def __init__(self, method: Callable[..., object]) -> None:
        self.__doc__, self.__wrapped__ = method.__doc__, method
        self.name = method.__name__


class _Request(ShareMethod[P, T]):
    """One that changes something."""

    @overload
    def __get__(self, actor: None, kind: type[ShareActor]) -> Self: ...
    @overload
    def __get__(self, actor: ShareActor, kind: type[ShareActor]) -> RemoteRequest[P, T]: ...
    def __get__(
        self, actor: ShareActor | None, kind: type[ShareActor]
    ) -> Self | RemoteRequest[P, T]:
        return self if actor is None else RemoteRequest(actor._send, self.name, self.__wrapped__)


class _View(ShareMethod[P, T]):
    """One that reads."""

    @overload
    def __get__(self, actor: None, kind: type[ShareActor]) -> Self: ...
    @overload
    def __get__(self, actor: ShareActor, kind: type[ShareActor]) -> RemoteView[P, T]: ...
    def __get__(self, actor: ShareActor | None, kind: type[ShareActor]) -> Self | RemoteView[P, T]:
        return self if actor is None else RemoteView(actor._call, self.name, self.__wrapped__)


def _request(method: Method[P, T]) -> _Request[P, T]:
    return _Request(method)


def _changes(method: Method[P, AsyncShare]) -> _Request[P, Share]:
    """A method that returns the handle in the client; here the share as it is then."""
    return _Request(method)


def _view(method: Method[P, T]) -> _View[P, T]:
    return _View(method)


def _shows(method: Method[P, AsyncShare]) -> _View[P, Share]:
    return _View(method)


class ShareActor(Shown):
    """One share as a Ray actor, on behalf of one user. Get one from `system.actor`.

    It has the methods of a share handle: `actor.allow_access.remote("10.0.0.7", type="ip")` returns an
    `ObjectRef`. `ray.get` returns what the client's method returns, or raises the same error; where that
    returns the handle, it returns the `Share`. It can be pickled, and passed to tasks and other actors.
    """

    def __init__(self, calls: CallsHandle, share_id: str, context: RequestContext) -> None:
        self._calls, self._context = calls, context
        self.id = share_id
        """The share's id."""

    def __repr__(self) -> str:
        return f"<share actor {self.id}>"

    def _send(self, method: str, args: tuple[Any, ...], options: dict[str, Any], /) -> Any:
        """Have a request made; the command id is chosen here, so that Ray may repeat the call."""
        given = options.get("command_id")
        chosen = fresh_id() if given is None else given
        return self._call(method, args, {**options, "command_id": chosen})

    def _call(self, method: str, args: tuple[Any, ...], options: dict[str, Any], /) -> Any:
        """Have a method of the share called."""
        return self._calls.call.remote(self._context, self.id, method, *args, **options)

    show = _shows(AsyncShare.refresh)
    wait_for = _shows(AsyncShare.wait_for)
    allow_access = _request(AsyncShare.allow_access)
    deny_access = _request(AsyncShare.deny_access)
    create_snapshot = _request(AsyncShare.create_snapshot)
    delete_snapshot = _request(AsyncShare.delete_snapshot)
    allow_snapshot_access = _request(AsyncShare.allow_snapshot_access)
    deny_snapshot_access = _request(AsyncShare.deny_snapshot_access)
    set = _changes(AsyncShare.set)
    unset = _changes(AsyncShare.unset)
    extend = _changes(AsyncShare.extend)
    shrink = _changes(AsyncShare.shrink)
    revert_to = _changes(AsyncShare.revert_to)
    delete = _changes(AsyncShare.delete)
    restore = _changes(AsyncShare.restore)
    lock = _request(AsyncShare.lock)
    unlock = _changes(AsyncShare.unlock)
    retry = _changes(AsyncShare.retry)
    reapply = _changes(AsyncShare.reapply)
    unmanage = _changes(AsyncShare.unmanage)
    forget = _changes(AsyncShare.forget)
    manage_snapshot = _request(AsyncShare.manage_snapshot)
    unmanage_snapshot = _request(AsyncShare.unmanage_snapshot)
    forget_snapshot = _request(AsyncShare.forget_snapshot)
    history = _view(AsyncShare.history)
    usage = _view(AsyncShare.usage)
    clients = _view(AsyncShare.clients)
    explain = _view(AsyncShare.explain)
