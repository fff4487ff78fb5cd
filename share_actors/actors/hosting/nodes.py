"""The nodes of the cluster, and how long those that were lost have been silent. Pure bookkeeping."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from share_actors.actors.ports import NodeState
from share_actors.errors import Ambiguous, NotFound, Unavailable

MAX_LOST, LOST_S = 50, 24 * 3600.0
"""How many lost nodes are remembered, and for how long: clusters that grow and shrink lose many."""
_OF_RAY = ("CPU", "GPU", "memory", "object_store_memory")
_PREFIXES_OF_RAY = ("node:", "accelerator_type:", "bundle_group")


def is_of_ray(resource: str) -> bool:
    """Whether Ray itself gives nodes the *resource*; a backend may be pinned to it nevertheless."""
    return resource in _OF_RAY or resource.startswith(_PREFIXES_OF_RAY)


class NodeWatch:
    """The nodes as they were last seen; a lost one stays for a while, with what it had.

    That no node has a resource is certain once the cluster has been watched for *grace_s*: nodes may join.
    """

    def __init__(self, grace_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._grace_s, self._clock = grace_s, clock
        self._began: float | None = None
        self._nodes: dict[str, NodeState] = {}
        self._heard_at: dict[str, float] = {}
        self.is_forgotten: Callable[[NodeState], bool] = lambda _: False
        """Whether the log says that a node is not to be used any more; a forgotten one is as good as lost."""

    def restore(self, lost: NodeState) -> None:
        """Take in a node that was *lost* before the cluster was watched, with what it had."""
        if lost.id not in self._nodes:
            self._nodes[lost.id] = lost._replace(alive=False)
            self._heard_at[lost.id] = self._clock()

    def update(self, states: Sequence[NodeState]) -> None:
        """Take in the present *states* of all nodes that the cluster knows."""
        now = self._clock()
        self._began = now if self._began is None else self._began
        living = {state.id: state for state in states if state.alive}
        for node_id, known in self._nodes.items():
            if node_id not in living:  # the cluster forgets what a lost node had
                self._nodes[node_id] = known._replace(alive=False)
        self._nodes.update(living)
        self._heard_at.update(dict.fromkeys(living, now))
        self._forget_lost(list(living.values()))

    def _forget_lost(self, living: Sequence[NodeState]) -> None:
        """Forget lost nodes that are back, under another id, and those that nobody looks for any more."""
        lost = [node for node in self._nodes.values() if not node.alive]
        lost.sort(key=lambda node: -self._heard_at[node.id])
        for number, node in enumerate(lost):
            is_old = self._clock() - self._heard_at[node.id] > LOST_S
            if number >= MAX_LOST or is_old or any(_is_again(node, each) for each in living):
                del self._nodes[node.id], self._heard_at[node.id]

    def all(self) -> list[NodeState]:
        """All nodes, the living ones first, each group by name and id."""
        return sorted(self._nodes.values(), key=lambda node: (not node.alive, node.name, node.id))

    def silent_s(self, node_id: str) -> float | None:
        """For how many seconds a lost node has been silent; None if it is alive or unknown."""
        node = self._nodes.get(node_id)
        return None if node is None or node.alive else self._clock() - self._heard_at[node_id]

    def absence(self, resource: str | None) -> str | None:
        """Why no node with the Ray resource *resource* can be reached; None if one can, or without one."""
        if resource is None:
            return None
        having = [node for node in self._nodes.values() if resource in node.resources]
        if self._began is None or any(self._is_usable(node) for node in having):
            return None
        if not having:
            is_certain = self._clock() - self._began >= self._grace_s
            return f"no node of the cluster has the resource {resource}" if is_certain else None
        last = max(having, key=lambda node: (node.alive, self._heard_at[node.id]))
        return f"its node {last.name} ({last.address}) {self._what_of(last)}"

    def usable(self, resource: str | None) -> list[NodeState]:
        """The living nodes with *resource*, or all living ones, without those that are forgotten."""
        usable = [node for node in self.all() if self._is_usable(node)]
        return [node for node in usable if resource is None or resource in node.resources]

    def _is_usable(self, node: NodeState) -> bool:
        return node.alive and not self.is_forgotten(node)

    def _what_of(self, node: NodeState) -> str:
        if not self.is_forgotten(node):
            return f"has been silent for {self.silent_s(node.id) or 0.0:.0f} s"
        if node.alive:
            return "is back, but was forgotten: `node accept` lets it be used again"
        return "was forgotten: `backend move` pins the backend to another one"


def find_node(name: str, nodes: Sequence[NodeState]) -> NodeState:
    """The node called *name*, or whose id begins so; a living one before lost ones.

    Raises `NotFound`, or `Ambiguous` with the ids.
    """
    found = [n for n in nodes if n.name == name] or [
        n for n in nodes if name and n.id.startswith(name)
    ]
    chosen = [node for node in found if node.alive] or found
    if not chosen:
        raise NotFound(f"no node is called {name!r}: see `node list`", field="node", value=name)
    if len(chosen) > 1:
        ids = [node.id for node in chosen]
        text = f"{len(ids)} nodes are called {name!r}: use one of the ids {', '.join(ids)}"
        raise Ambiguous(text, field="node", value=name, ids=ids)
    return chosen[0]


def unreachable(backend: str, reason: str, **details: object) -> Unavailable:
    """The error of a request for *backend*, none of whose nodes can be reached."""
    text = f"backend {backend} can't be reached: {reason}"
    return Unavailable(text, field="backend", value=backend, **details)


def _is_again(lost: NodeState, living: NodeState) -> bool:
    """Whether *living* is the machine of the node that was lost, with at least what that had."""
    same_machine = (living.name, living.address) == (lost.name, lost.address)
    return same_machine and set(lost.resources) <= set(living.resources)
