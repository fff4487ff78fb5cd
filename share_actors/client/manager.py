"""The manager for Ray programs: its verbs, with their documentation, as methods of its Ray actor handle."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from functools import cache
from typing import Any, NoReturn

from share_actors.actors.runtime.manager_handle import ManagerHandle, RemoteMethod
from share_actors.client.showing import Shown


class Verb:
    """A verb of the manager: `verb.remote(context, ...)` calls it, and `help(verb)` tells what it does."""

    def __init__(self, name: str, method: RemoteMethod) -> None:
        documented = verbs().get(name)
        self._method = method
        self.remote = method.remote
        """Call it; the result is for `ray.get`, or to await."""
        self.__name__ = name
        self.__doc__ = None if documented is None else inspect.getdoc(documented)
        if documented is not None:
            self.__signature__ = _signature(documented)

    def __repr__(self) -> str:
        return f"<verb {self.__name__}{getattr(self, '__signature__', '(...)')} of the manager>"

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Raises `TypeError`: methods of Ray actors are called with `.remote(...)`."""
        text = f"call the verb as manager.{self.__name__}.remote(...)"
        raise TypeError(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_method"], name)


class Manager(Shown):
    """The manager of a system, for Ray programs: `ray.get(manager.create_share.remote(context, ...))`.

    `dir(manager)` lists its verbs, and `help(manager.create_share)` describes one. It can be passed to tasks
    and other actors.
    """

    def __init__(self, handle: ManagerHandle, namespace: str) -> None:
        self.handle = handle
        """Its Ray actor handle."""
        self._namespace = namespace

    def __repr__(self) -> str:
        return f"<manager of the share system {self._namespace!r}, with {len(verbs())} verbs: see dir()>"

    def __reduce__(self) -> tuple[type[Manager], tuple[ManagerHandle, str]]:
        return Manager, (self.handle, self._namespace)

    def __dir__(self) -> Iterable[str]:
        return sorted(["handle", *verbs()])

    def __getattr__(self, verb: str, /) -> Verb:
        if verb.startswith("__"):  # asked for by the interpreter, also before there is a handle
            raise AttributeError(verb)
        return Verb(verb, getattr(self.handle, verb))


@cache
def verbs() -> dict[str, Any]:
    """The documented verbs of the manager, by name."""
    from share_actors.actors.manager import manager  # noqa: PLC0415 - not needed by other clients

    parts = [part for part in manager.ManagerActor.__mro__ if part.__name__.endswith("Verbs")]
    found = {name: method for part in parts for name, method in vars(part).items()}
    return {name: m for name, m in found.items() if _is_verb(name, m)}


def _is_verb(name: str, method: object) -> bool:
    abstract = getattr(method, "__isabstractmethod__", False)
    return not name.startswith("_") and inspect.isfunction(method) and not abstract


def _signature(method: Any) -> inspect.Signature:
    """The signature as a caller sees it: without `self`, and without what Ray adds."""
    full = inspect.signature(method)
    own = [
        p for p in full.parameters.values() if p.name != "self" and not p.name.startswith("_ray")
    ]
    return full.replace(parameters=own)
