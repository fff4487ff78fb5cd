"""The nodes of the cluster, and how long those that were lost have been silent. Pure bookkeeping."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from share_actors.actors.ports import NodeState


class NodeWatch:
    """The nodes as they were last seen; a lost one stays, with what it had, until one like it is back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._nodes: dict[str, NodeState] = {}
        self._heard_at: dict[str, float] = {}

    def update(self, states: Sequence[NodeState]) -> None:
        """Take in the present *states* of all nodes that the cluster knows."""
        for state in states:
            known = self._nodes.get(state.id)
            if state.alive:
                self._nodes[state.id], self._heard_at[state.id] = state, self._clock()
            elif known is not None:  # the cluster forgets what a lost node had
                self._nodes[state.id] = known._replace(alive=False)
        self._forget_those_that_are_back()

    def _forget_those_that_are_back(self) -> None:
        """A node that joins again has another id."""
        living = {_place(node) for node in self._nodes.values() if node.alive}
        for node in list(self._nodes.values()):
            if not node.alive and _place(node) in living:
                del self._nodes[node.id], self._heard_at[node.id]

    def all(self) -> list[NodeState]:
        """All nodes, the living ones first, each group by name and id."""
        return sorted(self._nodes.values(), key=lambda node: (not node.alive, node.name, node.id))

    def silent_s(self, node_id: str) -> float | None:
        """For how many seconds a lost node has been silent; None if it is alive or unknown."""
        node = self._nodes.get(node_id)
        return None if node is None or node.alive else self._clock() - self._heard_at[node_id]

    def absence(self, resource: str) -> str | None:
        """Why no node with the Ray resource *resource* can be reached; None if one can."""
        having = [node for node in self._nodes.values() if resource in node.resources]
        if not self._nodes or any(node.alive for node in having):
            return None
        if not having:
            return f"no node of the cluster has the resource {resource}"
        last = max(having, key=lambda node: self._heard_at[node.id])
        silent_s = self.silent_s(last.id) or 0.0
        return f"its node {last.name} ({last.address}) has been silent for {silent_s:.0f} s"


def _place(node: NodeState) -> tuple[str, str, tuple[str, ...]]:
    return node.name, node.address, node.resources
