"""The type of the manager's Ray actor handle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ray import ObjectRef


class RemoteMethod(Protocol):
    """A method of a Ray actor."""

    def remote(self, *args: object, **kwargs: object) -> ObjectRef[object]:
        """Call it; the result is for `ray.get`, or to await."""


class ManagerHandle(Protocol):
    """The Ray actor handle of the manager: each of the manager's verbs is an attribute."""

    def __getattr__(self, verb: str, /) -> RemoteMethod:
        """The verb of this name."""
