"""What the supervisor knows of the cluster's nodes."""

from __future__ import annotations

import pytest

from share_actors.actors.hosting.nodes import LOST_S, MAX_LOST, NodeWatch
from share_actors.actors.ports import NodeState

HEAD = NodeState("n1", "head", "10.0.0.1", True, ())
NEAR = NodeState("n2", "worker", "10.0.0.2", True, ("near",))
LOST = NEAR._replace(alive=False, resources=())
"""The cluster forgets what a lost node had."""


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def watched(*states: NodeState) -> tuple[NodeWatch, Clock]:
    clock = Clock()
    nodes = NodeWatch(30.0, clock)
    nodes.update(states)
    return nodes, clock


def test_nothing_is_absent_while_nothing_is_known() -> None:
    nodes, _ = watched()

    assert (nodes.absence("near"), nodes.silent_s("n2"), nodes.all()) == (None, None, [])


def test_a_living_node_is_not_silent() -> None:
    nodes, _ = watched(HEAD, NEAR)

    assert (nodes.absence("near"), nodes.silent_s("n2")) == (None, None)


def test_a_lost_node_is_named_with_how_long_it_has_been_silent() -> None:
    nodes, clock = watched(HEAD, NEAR)

    clock.now += 12
    nodes.update([HEAD, LOST])

    assert nodes.absence("near") == "its node worker (10.0.0.2) has been silent for 12 s"
    assert nodes.silent_s("n2") == 12
    assert nodes.all() == [HEAD, NEAR._replace(alive=False)]


def test_another_node_with_the_resource_is_enough() -> None:
    other = NEAR._replace(id="n3", name="other")
    nodes, _ = watched(HEAD, NEAR, other)

    nodes.update([HEAD, LOST, other])

    assert nodes.absence("near") is None


def test_a_resource_that_no_node_has_is_named_once_nodes_had_time_to_join() -> None:
    nodes, clock = watched(HEAD)
    assert nodes.absence("near") is None

    clock.now += 30

    assert nodes.absence("near") == "no node of the cluster has the resource near"


def test_a_node_that_the_cluster_does_not_list_any_more_is_lost() -> None:
    nodes, clock = watched(HEAD, NEAR)

    clock.now += 5
    nodes.update([HEAD])

    assert nodes.silent_s("n2") == 5


@pytest.mark.parametrize("resource", ["node:10.0.0.2", "memory_rack", "GPU-box", "CPU"])
def test_a_backend_may_be_pinned_to_any_resource(resource: str) -> None:
    nodes, clock = watched(HEAD, NEAR._replace(resources=(resource,)))
    clock.now += 30

    assert nodes.absence(resource) is None


def test_nodes_that_come_and_go_are_forgotten() -> None:
    nodes, clock = watched(HEAD)
    for n in range(200):
        nodes.update([HEAD, NEAR._replace(id=f"pod{n}", name=f"pod{n}", address=f"10.1.0.{n}")])
    nodes.update([HEAD])
    assert len(nodes.all()) == 1 + MAX_LOST

    clock.now += LOST_S + 1
    nodes.update([HEAD])
    assert nodes.all() == [HEAD]


def test_a_node_that_joins_with_more_than_it_had_replaces_the_lost_one() -> None:
    nodes, _ = watched(HEAD, NEAR)
    more = NEAR._replace(id="n5", resources=("gpu", "near"))

    nodes.update([HEAD, LOST, more])

    assert nodes.all() == [HEAD, more]


def test_a_lost_node_that_was_never_seen_alive_is_not_shown() -> None:
    nodes, _ = watched(HEAD, LOST)

    assert nodes.all() == [HEAD]


def test_a_node_that_joins_again_replaces_the_lost_one() -> None:
    nodes, _ = watched(HEAD, NEAR)
    nodes.update([HEAD, LOST])

    back = NEAR._replace(id="n4")
    nodes.update([HEAD, LOST, back])

    assert (nodes.absence("near"), nodes.all()) == (None, [HEAD, back])
