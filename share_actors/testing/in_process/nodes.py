"""The nodes of a cluster in this process: names of machines, which can be lost, and join again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from share_actors.actors.ports import NodeState

NODE = "here"
"""The node that is there from the start, without a resource."""
ADDRESS = "127.0.0.1"


class InProcessNodes:
    """Machines by name. Each that backends are *pinned* to has the resource of its own name.

    The id of a node is the name of the machine, with a number once it joined again: as on Ray, it is another
    one then.
    """

    def __init__(self, pinned: Callable[[], Iterable[str]]) -> None:
        self._pinned = pinned
        self._added: dict[str, tuple[str, ...]] = {NODE: ()}
        self._returns: dict[str, int] = {}
        self.lost: set[str] = set()

    def add(self, name: str, resources: Collection[str]) -> None:
        """Add a machine."""
        self._added[name] = tuple(resources)

    def id_of(self, name: str) -> str:
        """The present id of the node on the machine *name*."""
        return _id(name, self._returns.get(name, 0))

    def return_(self, name: str) -> str:
        """Let a lost machine join again; its new id."""
        if name in self.lost:
            self.lost.discard(name)
            self._returns[name] = self._returns.get(name, 0) + 1
        return self.id_of(name)

    def states(self) -> list[NodeState]:
        """All nodes; of a lost one the resources are not known any more, as on Ray."""
        return [state for name in self._machines() for state in self._states_of(name)]

    def _states_of(self, name: str) -> Iterable[NodeState]:
        for number in range(self._returns.get(name, 0)):
            yield NodeState(_id(name, number), name, ADDRESS, False, ())
        alive = name not in self.lost
        resources = self._machines()[name] if alive else ()
        yield NodeState(self.id_of(name), name, ADDRESS, alive, resources)

    def _machines(self) -> Mapping[str, tuple[str, ...]]:
        return {
            **self._added,
            **{name: (name,) for name in self._pinned() if name not in self._had},
        }

    @property
    def _had(self) -> Collection[str]:
        return {resource for resources in self._added.values() for resource in resources}

    def choose(
        self, resource: str | None, avoided: Collection[str], loads: Mapping[str, int]
    ) -> str | None:
        """The id of the living node for an actor that needs *resource*, the least loaded one; None if none.

        One that is *avoided* is the last choice, and so is one with resources that are not needed.
        """
        fitting = [s for s in self.states() if s.alive and (resource in (None, *s.resources))]
        preferred = [state for state in fitting if state.id not in avoided] or fitting
        if resource is None:
            preferred = [state for state in preferred if not state.resources] or preferred
        return min((s.id for s in preferred), key=lambda id_: loads.get(id_, 0), default=None)


def _id(name: str, returns: int) -> str:
    return name if not returns else f"{name}-{returns + 1}"
