"""The nodes of the Ray cluster: which ones there were, which are drained, and which will not come back.

There is one entity, `cluster:nodes`, so that one exact question to the catalog tells a new manager all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import ClassVar, assert_never

from share_actors.events.decider import EPOCH, Command, Event, Rejected
from share_actors.events.no_effects import joins, not_before, part, pending, under_way
from share_actors.events.phrases import listed
from share_actors.values import ClusterNode, ClusterState, NodeMark, NodeRecord
from share_actors.values.checks.fields import Reason

__all__ = [
    "ADDRESS",
    "KIND",
    "STATE_VERSION",
    "decide",
    "evolve",
    "initial",
    "joins",
    "not_before",
    "owned",
    "part",
    "pending",
    "under_way",
    "view",
]
KIND, STATE_VERSION = "cluster", 1
ADDRESS = "cluster:nodes"
MAX_RECORDED = 1000
"""How many nodes are recorded; the oldest without a mark is left out for a new one."""


# -- commands ------------------------------------------------------------------------------------
class ReportNode(Command, topic="node.report"):
    """Report a node that backends may be pinned to: the machine of the lost node *instead_of*, if any."""

    from_outside: ClassVar[bool] = False

    node: ClusterNode
    instead_of: str | None = None


class DrainNode(Command, topic="node.drain"):
    """Start no actors on the node from now on, and move those that it has."""

    node: ClusterNode
    reason: Reason | None = None
    at: datetime = EPOCH


class UndrainNode(Command, topic="node.undrain"):
    """Use the drained node again; a drain in progress ends."""

    node: ClusterNode


class ForgetNode(Command, topic="node.forget"):
    """Record that the lost node will not come back; *backends* are pinned to one of its resources."""

    node: ClusterNode
    backends: tuple[str, ...] = ()
    reason: Reason
    at: datetime = EPOCH


class AcceptNode(Command, topic="node.accept"):
    """Use the forgotten node again, which has come back nevertheless."""

    node: ClusterNode


# -- events --------------------------------------------------------------------------------------
class NodeJoined(Event, topic="node.joined"):
    """A node that backends may be pinned to; with *instead_of*, the machine of that earlier node is back."""

    node: ClusterNode
    instead_of: str | None


class NodeDrained(Event, topic="node.drained"):
    """The node gets no actors from now on, and those that it has move."""

    node: ClusterNode
    reason: str | None
    at: datetime


class NodeUndrained(Event, topic="node.undrained"):
    """The node is used again."""

    node: ClusterNode


class NodeForgotten(Event, topic="node.forgotten"):
    """The node will not come back; *backends* were pinned to one of its resources."""

    node: ClusterNode
    backends: tuple[str, ...]
    reason: str
    at: datetime


class NodeAccepted(Event, topic="node.accepted"):
    """The node is back, and is used again."""

    node: ClusterNode


ClusterCommand = ReportNode | DrainNode | UndrainNode | ForgetNode | AcceptNode
ClusterEvent = NodeJoined | NodeDrained | NodeUndrained | NodeForgotten | NodeAccepted
initial = ClusterState()


def decide(command: ClusterCommand, state: ClusterState) -> list[ClusterEvent]:
    """Return the events of *command*, none if it changes nothing; raises `Rejected` if it is not possible."""
    known = state.record(command.node.id)
    match command:
        case ReportNode(node=node, instead_of=instead_of):
            return [] if known else [NodeJoined(node=node, instead_of=instead_of)]
        case DrainNode(node=node, reason=reason, at=at):
            if known and known.forgotten:
                raise Rejected(f"node {node.name} was forgotten: no actors are started on it")
            if known is not None and known.drained is not None:
                return []
            _require_room(known, state)
            return [NodeDrained(node=node, reason=reason, at=at)]
        case UndrainNode(node=node):
            return [NodeUndrained(node=node)] if known and known.drained else []
        case ForgetNode():
            return _forget(command, state)
        case AcceptNode(node=node):
            return [NodeAccepted(node=node)] if known and known.forgotten else []
        case _:
            assert_never(command)


def _forget(command: ForgetNode, state: ClusterState) -> list[ClusterEvent]:
    known = state.record(command.node.id)
    if known is not None and known.forgotten:
        return []
    _require_room(known, state)
    fields = {"node": command.node, "backends": command.backends}
    return [NodeForgotten(**fields, reason=command.reason, at=command.at)]


def _require_room(known: NodeRecord | None, state: ClusterState) -> None:
    """Raise `Rejected` if there is no room for another node with a mark; those of *known* count already."""
    if known is not None and _is_marked(known):
        return
    if sum(_is_marked(record) for record in state.nodes) >= MAX_RECORDED:
        raise Rejected(
            f"{MAX_RECORDED} nodes are drained or forgotten: undrain or accept some of them first"
        )


def evolve(state: ClusterState, event: ClusterEvent) -> ClusterState:
    """Return the state after *event*."""
    known = state.replace(id="nodes", status="known")
    record = state.record(event.node.id) or NodeRecord(node=event.node)
    match event:
        case NodeJoined(node=node, instead_of=instead_of):
            former = state.record(instead_of or "") or record
            others = (each for each in state.nodes if each.node.id != instead_of)
            return known.replace(nodes=_with(former.replace(node=node), others))
        case NodeDrained(reason=reason, at=at):
            changed = record.replace(drained=NodeMark(at=at, reason=reason))
        case NodeUndrained():
            changed = record.replace(drained=None)
        case NodeForgotten(reason=reason, at=at):
            changed = record.replace(forgotten=NodeMark(at=at, reason=reason), drained=None)
        case NodeAccepted():
            changed = record.replace(forgotten=None)
        case _:
            assert_never(event)
    return known.replace(nodes=_with(changed, state.nodes))


def _with(record: NodeRecord, others: Iterable[NodeRecord]) -> tuple[NodeRecord, ...]:
    """*others* with *record* as the newest; without the oldest unmarked ones if they are too many."""
    nodes = [*(each for each in others if each.node.id != record.node.id), record]
    unmarked = (each.node.id for each in nodes if not _is_marked(each))
    left_out = set(islice(unmarked, max(0, len(nodes) - MAX_RECORDED)))
    return tuple(each for each in nodes if each.node.id not in left_out)


def _is_marked(record: NodeRecord) -> bool:
    return record.drained is not None or record.forgotten is not None


def owned(state: ClusterState) -> ClusterState:
    """Return what says whose the cluster is."""
    return state


def view(state: ClusterState) -> ClusterState:
    """Return the nodes as clients see them."""
    return state


# -- sentences ---------------------------------------------------------------------------------
def sentence(event: ClusterEvent, who: str) -> str:
    """Describe *event*; *who* requested it, unless it is the system's own report."""
    node = f"node {event.node.name} ({event.node.address})"
    match event:
        case NodeJoined(instead_of=instead_of):
            resources = listed(event.node.resources) if event.node.resources else "no resource"
            return f"{node} {'joined' if instead_of is None else 'is back'} with {resources}"
        case NodeDrained(reason=reason):
            return f"{who} drained {node}{'' if reason is None else f': {reason}'}"
        case NodeUndrained():
            return f"{who} undrained {node}: it is used again"
        case NodeForgotten(backends=backends, reason=reason):
            pinned = f"; pinned to it: {listed(backends)}" if backends else ""
            return f"{who} forgot {node}, which will not come back{pinned}: {reason}"
        case NodeAccepted():
            return f"{who} accepted {node}, which had been forgotten: it is used again"
        case _:
            assert_never(event)
