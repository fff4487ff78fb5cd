"""`node list` and `node show`: which node is meant, and what a status says of silent nodes."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.cli.commands.node import NODES, _named, _row
from share_actors.cli.commands.system.status import print_status
from share_actors.cli.output import Output
from share_actors.client.results import HostStatus, NodeStatus
from share_actors.errors import NotFound

HEAD: NodeStatus = {
    "id": "aaaa1111bbbb2222cccc",
    "name": "head",
    "address": "10.0.0.1",
    "alive": True,
    "silent_s": None,
    "resources": [],
    "actors": ["share-actor-1"],
    "backends": [],
    "drained": None,
    "forgotten": None,
}
LOST: NodeStatus = {
    **HEAD,
    "id": "dddd3333",
    "name": "worker",
    "address": "10.0.0.2",
    "alive": False,
    "silent_s": 12.4,
    "resources": ["near"],
    "actors": ["share-actor@near-2"],
    "backends": ["gold", "silver"],
}
TWIN: NodeStatus = {**HEAD, "id": "aaaa9999"}
ACTOR: HostStatus = {"actor": "share-actor-1", "alive": True, "shares": 3}


@pytest.mark.parametrize("name", ["worker", "dddd", "dddd3333"])
def test_a_node_is_found_by_its_name_and_by_the_beginning_of_its_id(name: str) -> None:
    assert _named(name, [HEAD, LOST]) is LOST


@pytest.mark.parametrize("name", ["", "none", "3333"])
def test_an_unknown_node_is_refused_with_where_to_look(name: str) -> None:
    with pytest.raises(NotFound, match="see `node list`"):
        _named(name, [HEAD, LOST])


def test_a_name_of_two_nodes_is_refused_with_their_ids() -> None:
    with pytest.raises(NotFound, match="2 nodes are called head: give one of the ids"):
        _named("head", [HEAD, TWIN])


def test_a_row_says_since_when_a_node_is_silent_and_what_is_on_it() -> None:
    assert _cells(_row(HEAD, [ACTOR]))[3:] == ["alive", [], [], 3]
    assert _cells(_row(LOST, []))[3:] == ["silent for 12 s", ["near"], ["gold", "silver"], 0]


def _cells(row: dict[str, Any]) -> list[object]:
    return [column.for_people(row) for column in NODES.columns]


def test_a_status_names_silent_nodes_and_how_their_backends_come_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    manager: dict[str, Any] = {"pid": 1, "up_s": 1.0, "waiting": 0, "nodes": [HEAD, LOST]}
    location = {"namespace": "n", "address": "a", "log": {"kind": "sqlite", "where": "w"}}
    print_status(Output(), {**location, "manager": manager, "catalog": {"error": "none"}})

    out = capsys.readouterr().out
    assert "Silent: node worker (10.0.0.2), for 12 s" in out
    assert "Backends pinned to it: gold, silver" in out
    assert "ray start --address=HEAD" in out
    assert "node head" not in out


def test_a_status_says_which_nodes_are_drained_and_forgotten_and_what_was_moved(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mark: Any = {"at": "2026-11-28T08:00:00+00:00", "reason": "it burned"}
    drained, gone = {**HEAD, "drained": mark}, {**LOST, "forgotten": mark}
    back = {**HEAD, "name": "returned", "forgotten": mark}
    gold = {"driver": "d", "status": "up", "reason": None, "node": "far", "configured_node": "near"}
    manager: dict[str, Any] = {"pid": 1, "up_s": 1.0, "waiting": 0, "backends": {"gold": gold}}
    manager["nodes"] = [drained, gone, back]
    location = {"namespace": "n", "address": "a", "log": {"kind": "sqlite", "where": "w"}}
    print_status(Output(), {**location, "manager": manager, "catalog": {"error": "none"}})

    out = " ".join(capsys.readouterr().out.split())
    assert "Drained: node head" in out
    assert "Forgotten: node worker (10.0.0.2) Backends pinned to it: gold, silver" in out
    assert "It is back, and not used. To use it again: share-actors node accept returned" in out
    assert "Moved: backend gold is pinned to far The configuration says near" in out
