"""Calls of a share's methods through a Ray actor, as Ray programs make them: `method.remote(...)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from share_actors.actors.runtime.manager_handle import RemoteMethod

if TYPE_CHECKING:
    from ray import ObjectRef


def _describe(method: Any, name: str, documented: Callable[..., object]) -> None:
    """Have `help(method)` show what *documented* does."""
    method.__name__, method.__doc__ = name, documented.__doc__
    method.__wrapped__ = documented


P = ParamSpec("P")
T = TypeVar("T")


class Submit(Protocol):
    """Has a method called in the system."""

    def __call__(self, method: str, args: tuple[Any, ...], options: dict[str, Any], /) -> Any:
        """The reference to the result of *method*."""


class CallsHandle(Protocol):
    """The Ray actor handle of `ShareCalls`."""

    @property
    def call(self) -> RemoteMethod:
        """Call a method of a share."""


class RemoteView(Generic[P, T]):
    """A method that reads. `ray.get(method.remote(), timeout=...)` limits how long it waits."""

    def __init__(self, submit: Submit, method: str, documented: Callable[..., object]) -> None:
        self._submit, self._method = submit, method
        _describe(self, method, documented)

    def __repr__(self) -> str:
        return f"<method {self._method} of a share actor: call it with .remote(...)>"

    def remote(self, *args: P.args, **kwargs: P.kwargs) -> ObjectRef[T]:
        """Call it; the result is for `ray.get`, `ray.wait`, another call, or to await."""
        result: ObjectRef[T] = self._submit(self._method, args, kwargs)
        return result


class RemoteRequest(Generic[P, T]):
    """A method that changes something."""

    def __init__(
        self,
        submit: Submit,
        method: str,
        documented: Callable[..., object],
        options: dict[str, object] | None = None,
    ) -> None:
        self._submit, self._method, self._options = submit, method, options or {}
        self._documented = documented
        _describe(self, method, documented)

    def __repr__(self) -> str:
        return f"<method {self._method} of a share actor: call it with .remote(...)>"

    def options(
        self,
        *,
        wait: bool | None = None,
        timeout: float | None = None,
        command_id: str | None = None,
    ) -> RemoteRequest[P, T]:
        """The same method with these options of `RequestOptions`; None leaves one as it is."""
        given = {"wait": wait, "timeout": timeout, "command_id": command_id}
        chosen = {name: value for name, value in given.items() if value is not None}
        options = {**self._options, **chosen}
        return RemoteRequest(self._submit, self._method, self._documented, options)

    def remote(self, *args: P.args, **kwargs: P.kwargs) -> ObjectRef[T]:
        """Call it; the result is for `ray.get`, `ray.wait`, another call, or to await."""
        result: ObjectRef[T] = self._submit(self._method, args, {**self._options, **kwargs})
        return result
