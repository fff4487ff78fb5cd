"""The commands of nodes, and what they show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from share_actors.cli.session import Session
from share_actors.client.sync.background_loop import run
from share_actors.testing import SyncInProcessSystem, sync_system
from tests.actors.test_lost_nodes import two_backends
from tests.command_tree import invoke
from tests.waiting import until


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncInProcessSystem]:
    """The command line of a system with the backend `far`, which is pinned to `rack`."""
    with sync_system(two_backends(tmp_path)) as system:
        monkeypatch.setattr(Session, "system", system)
        system._in_process.cluster.add_node("cellar", "cellar")
        yield system


def shown(*words: str) -> str:
    """The output of a command that must succeed, in one line."""
    result = invoke(words)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def lose_rack(system: SyncInProcessSystem) -> None:
    run(system._in_process.cluster.lose_node("rack"))
    until(lambda: any(not node["alive"] for node in system.nodes.list()))


def test_a_drain_says_what_stays_and_how_the_node_is_used_again(
    running: SyncInProcessSystem,
) -> None:
    running.create_share(size=1, backend="far")
    drained = shown("node", "drain", "rack", "--reason", "new disks")

    assert (
        "Stays: stats actor of far: no other node that is in use has the resource rack" in drained
    )
    assert "Node rack is drained; `node undrain rack` lets it be used again." in drained
    assert "alive, drained" in shown("node", "list")
    assert "UTC: new disks" in shown("node", "show", "rack")
    assert "drained node rack (127.0.0.1): new disks" in shown("node", "history")
    assert "Node rack (127.0.0.1) is in use." in shown("node", "undrain", "rack")


def test_a_drain_in_json_says_how_far_it_is(running: SyncInProcessSystem) -> None:
    drained = json.loads(shown("node", "drain", "rack", "--no-wait", "--json"))

    assert (drained["name"], drained["moving"], drained["under_way"]) == ("rack", [], [])
    assert list(drained["staying"]) == ["stats actor of far"]


def test_a_drain_that_takes_too_long_ends_with_the_exit_code_of_a_timeout(
    running: SyncInProcessSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    drained: Any = {"id": "a1", "name": "rack", "address": "", "moving": ["share-actor-1"]}
    drained |= {"staying": {}, "under_way": [{"id": "s1", "work": "create", "seconds": 3.0}]}
    monkeypatch.setattr("share_actors.client.nodes.NodeCollection.drain", lambda *_, **__: drained)
    result = invoke(["node", "drain", "rack", "--timeout", "0.5"])

    assert result.exit_code == 9
    assert "1 actor on rack left; waiting for 1 driver call: create of s1" in result.output
    assert "share-actor-1 still on node rack after 0.5 s" in " ".join(result.output.split())
    assert "Run `node drain` again" in " ".join(result.output.split())


def test_a_living_node_is_not_forgotten(running: SyncInProcessSystem) -> None:
    result = invoke(["node", "forget", "rack", "--reason", "it burned"])

    assert result.exit_code == 7
    assert "node rack (127.0.0.1) is alive" in " ".join(result.output.split())
    assert invoke(["node", "history"]).exit_code in (0, 5)  # 5: nothing was recorded yet


def test_forgetting_a_node_says_how_its_backends_are_moved_or_forgotten(
    running: SyncInProcessSystem,
) -> None:
    lose_rack(running)
    forgotten = shown("node", "forget", "rack", "--reason", "it burned")

    assert "Node rack (127.0.0.1) is forgotten" in forgotten
    assert "`backend move far --node RESOURCE`" in forgotten
    assert "`backend forget far --reason WHY`" in forgotten
    assert "s, forgotten" in shown("node", "list")


def test_a_move_to_a_resource_that_no_node_has_says_so(running: SyncInProcessSystem) -> None:
    result = invoke(["backend", "move", "far", "--node", "nowhere"])

    assert result.exit_code == 11
    said = " ".join(result.output.split())
    assert "no node with the resource nowhere can be used: none has it; nothing was moved" in said


def test_a_move_says_that_the_configuration_is_out_of_date(running: SyncInProcessSystem) -> None:
    share = running.create_share(size=1, backend="far")
    lose_rack(running)
    shown("node", "forget", "rack", "--reason", "it burned")
    moved = shown("backend", "move", "far", "--node", "cellar", "--reason", "rack burned")

    assert "Backend far is pinned to cellar now." in moved
    assert "The configuration is out of date: backends.far.node is rack. Set it to cellar." in moved
    assert share.extend(2).size == 2
    assert "it is pinned to cellar now" in shown("backend", "history", "far")
    running._in_process.cluster.return_node("rack")
    until(lambda: "alive, forgotten" in shown("node", "list"))
    assert "Node rack (127.0.0.1) is in use." in shown("node", "accept", "rack")
