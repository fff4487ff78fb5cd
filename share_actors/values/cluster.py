"""The nodes of the Ray cluster, as far as the log has something to say of them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from share_actors.values.base import Value


class ClusterNode(Value):
    """A node of the Ray cluster: Ray's *id* of it, its host *name*, its *address* and its *resources*.

    The id changes whenever Ray is started on the machine; *resources* are those of the operator.
    """

    id: str
    name: str
    address: str
    resources: tuple[str, ...] = ()


class NodeMark(Value):
    """Since when a node is drained, or was forgotten, and why."""

    at: datetime
    reason: str | None = None


class NodeRecord(Value):
    """What is recorded of a node. A drained one gets no actors; a forgotten one is not to be used again."""

    node: ClusterNode
    drained: NodeMark | None = None
    forgotten: NodeMark | None = None


class ClusterState(Value):
    """The recorded nodes: those with a resource that a backend is pinned to, and the marked ones."""

    id: str = ""
    status: Literal["absent", "known"] = "absent"
    nodes: tuple[NodeRecord, ...] = ()

    def record(self, node_id: str) -> NodeRecord | None:
        """Return what is recorded of the node with this id of Ray, if anything."""
        return next((record for record in self.nodes if record.node.id == node_id), None)
