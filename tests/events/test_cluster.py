"""The recorded nodes of the cluster: drained, forgotten, and back under another id."""

from __future__ import annotations

from functools import reduce
from typing import Any

from share_actors.events import cluster
from share_actors.events.cluster import (
    AcceptNode,
    DrainNode,
    ForgetNode,
    NodeAccepted,
    NodeDrained,
    NodeForgotten,
    NodeJoined,
    NodeUndrained,
    ReportNode,
    UndrainNode,
)
from share_actors.testing import Spec
from share_actors.values import ClusterNode, ClusterState, NodeMark
from tests.events.share_events import NOON

RACK = ClusterNode(id="a1", name="rack", address="10.0.0.2", resources=("near",))
BACK = RACK.replace(id="b2")
joined = NodeJoined(node=RACK, instead_of=None)
drained = NodeDrained(node=RACK, reason="new disks", at=NOON)
forgotten = NodeForgotten(node=RACK, backends=("gold",), reason="it burned", at=NOON)
spec = Spec(cluster)


def replayed(events: list[Any]) -> ClusterState:
    return reduce(cluster.evolve, events, cluster.initial)


def forget(node: ClusterNode = RACK) -> ForgetNode:
    return ForgetNode(node=node, backends=("gold",), reason="it burned", at=NOON)


def test_a_node_joins_once() -> None:
    spec.when(ReportNode(node=RACK)).then(joined)
    spec.given(joined).when(ReportNode(node=RACK)).then()


def test_a_node_is_drained_until_it_is_undrained() -> None:
    drain = DrainNode(node=RACK, reason="new disks", at=NOON)
    spec.given(joined).when(drain).then(drained)
    spec.given(drained).when(drain).then()
    spec.given(drained).when(UndrainNode(node=RACK)).then(NodeUndrained(node=RACK))
    spec.given(joined).when(UndrainNode(node=RACK)).then()


def test_a_node_is_forgotten_until_it_is_accepted() -> None:
    spec.given(joined).when(forget()).then(forgotten)
    spec.given(forgotten).when(forget()).then()
    spec.given(forgotten).when(AcceptNode(node=RACK)).then(NodeAccepted(node=RACK))
    spec.given(joined).when(AcceptNode(node=RACK)).then()


def test_a_forgotten_node_is_not_drained() -> None:
    spec.given(forgotten).when(DrainNode(node=RACK)).then_rejected("was forgotten")


def test_a_machine_that_is_back_keeps_its_marks_under_its_new_id() -> None:
    back = NodeJoined(node=BACK, instead_of="a1")
    spec.given(forgotten).when(ReportNode(node=BACK, instead_of="a1")).then(back)
    [record] = replayed([joined, forgotten, back]).nodes

    assert record.node == BACK
    assert record.forgotten == NodeMark(at=NOON, reason="it burned")


def test_a_drained_node_that_is_forgotten_is_not_drained_once_it_is_accepted() -> None:
    [record] = replayed([drained, forgotten, NodeAccepted(node=RACK)]).nodes

    assert (record.drained, record.forgotten) == (None, None)


def test_the_oldest_nodes_without_a_mark_make_room() -> None:
    many = [
        NodeJoined(node=RACK.replace(id=f"n{number}"), instead_of=None)
        for number in range(cluster.MAX_RECORDED)
    ]
    state = replayed([forgotten, *many, NodeJoined(node=BACK, instead_of=None)])

    assert len(state.nodes) == cluster.MAX_RECORDED
    assert state.record("a1") is not None
    assert (state.record("n0"), state.record("n1")) == (None, None)


def test_more_marked_nodes_than_are_recorded_are_refused() -> None:
    marked = [forgotten.replace(node=RACK.replace(id=f"n{n}")) for n in range(cluster.MAX_RECORDED)]
    spec.given(*marked).when(forget(BACK)).then_rejected("accept some of them first")
    drain = DrainNode(node=BACK, at=NOON)
    spec.given(*marked).when(drain).then_rejected("undrain or accept some of them first")


def test_a_drained_node_can_be_forgotten_when_no_other_can() -> None:
    nodes = [RACK.replace(id=f"n{n}") for n in range(cluster.MAX_RECORDED)]
    marked = [drained.replace(node=node) for node in nodes]
    spec.given(*marked).when(forget(nodes[0])).then(forgotten.replace(node=nodes[0]))
