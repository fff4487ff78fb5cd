"""Nodes of a real cluster: one is lost, forgotten, and its backend moved; one is drained under load."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from share_actors.config import LogSettings
from tests.acceptance import two_nodes
from tests.acceptance.cli import CommandLine
from tests.acceptance.test_nodes import backend_status
from tests.events.postgres import LOG_SECTION
from tests.waiting import until

pytestmark = pytest.mark.timeout(400)

CONFIG = (
    "\n"
    + LOG_SECTION
    + """\
schema_name = "{schema}"

[hosting]
min_actors = 2
max_actors = 2

[backends.dummy]
driver = "dummy"
options = {{ directory = "{top}/dummy", delay_s = 0.1 }}

[backends.gold]
driver = "local"
node = "near"
options = {{ root = "{top}/gold" }}
"""
)


@pytest.fixture(scope="module")
def nodes() -> Iterator[two_nodes.TwoNodes]:
    with two_nodes.cluster() as nodes:
        yield nodes


@pytest.fixture
def cli(
    nodes: two_nodes.TwoNodes, postgres_server: LogSettings, short_path: Path, request: Any
) -> Iterator[CommandLine]:
    """The command line of a system on two nodes."""
    schema = request.node.name[:40]
    with CommandLine(short_path / "home") as line:
        config = short_path / "site.toml"
        config.write_text(CONFIG.format(log=postgres_server, top=short_path, schema=schema))
        line.environment["SHARE_ACTORS_CONFIG"] = str(config)
        line.json("--address", nodes.address, "up")
        yield line
        line("down")


def node_with(cli: CommandLine, resource: str, *, alive: bool) -> dict[str, Any] | None:
    """The node that has *resource*; None if there is none that is alive, or lost."""
    ended = cli("--json", "node", "list")
    nodes = ended.document["nodes"] if ended.code == 0 else []
    found = [n for n in nodes if resource in n["resources"] and n["alive"] is alive]
    return found[0] if found else None


def test_the_shares_of_a_node_that_burned_answer_from_another_one_with_their_data(
    nodes: two_nodes.TwoNodes, cli: CommandLine
) -> None:
    share = cli.json("share", "create", "--size", "1", "--backend", "gold")
    file = Path(share["export_locations"][0]["path"].partition(":")[2] or "/") / "data"
    file.write_text("kept")
    near = until_node(cli, "near", alive=True)["id"]
    far_node(nodes, cli)

    nodes.lose_near()
    until(lambda: backend_status(cli, "gold") == "down", 90)
    until_node(cli, "near", alive=False)
    forgotten = cli.json("node", "forget", near, "--reason", "it burned")
    assert forgotten["backends"] == ["gold"]
    moved = cli.json("backend", "move", "gold", "--node", "far", "--reason", "it burned")
    assert (moved["former"], moved["configured"], moved["problem"]) == ("near", "near", None)

    assert cli.json("share", "extend", share["id"], "--size", "2")["size"] == 2
    assert file.read_text() == "kept"
    until(lambda: backend_status(cli, "gold") == "up", 60)

    nodes.add("near")  # it is back nevertheless
    until(lambda: (node_with(cli, "near", alive=True) or {}).get("forgotten"), 60)
    assert cli.json("share", "extend", share["id"], "--size", "3")["size"] == 3
    assert until_node(cli, "near", alive=True)["actors"] == []
    gold = cli.json("status")["manager"]["backends"]["gold"]
    assert (gold["node"], gold["configured_node"]) == ("far", "near")


def far_node(nodes: two_nodes.TwoNodes, cli: CommandLine) -> dict[str, Any]:
    """The node with the resource `far`, which is added unless another test did."""
    if node_with(cli, "far", alive=True) is None:
        nodes.add("far")
    return until_node(cli, "far", alive=True)


def until_node(cli: CommandLine, resource: str, *, alive: bool) -> dict[str, Any]:
    """The node that has *resource*, once there is one."""
    found: list[dict[str, Any]] = []

    def look() -> bool:
        node = node_with(cli, resource, alive=alive)
        found.extend([] if node is None else [node])
        return node is not None

    until(look, 90)
    return found[-1]


def test_a_node_is_drained_under_load_without_losing_a_command(
    nodes: two_nodes.TwoNodes, cli: CommandLine
) -> None:
    far = far_node(nodes, cli)["id"]
    near = until_node(cli, "near", alive=True)["id"]
    until(lambda: backend_status(cli, "gold") == "up", 60)
    made: list[dict[str, Any]] = []
    stop = threading.Event()

    def create() -> None:
        while not stop.is_set():
            made.append(cli.json("share", "create", "--size", "1", "--backend", "dummy"))

    load = threading.Thread(target=create)
    load.start()
    try:
        for node in (near, far):
            drained = cli.json("node", "drain", node, "--reason", "new disks")
            assert drained["moving"] == []
            assert not {"the manager", "the catalog"} & set(drained["staying"])
            actors = cli.json("node", "show", node)["actors"]
            assert [a["actor"] for a in actors if "@" not in a["actor"]] == []
            if node == near:
                pinned = "no other node that is in use has the resource near (pinned to near: gold)"
                assert drained["staying"]["stats actor of gold"] == pinned
            cli.json("node", "undrain", node)
    finally:
        stop.set()
        load.join()

    assert made
    assert {share["status"] for share in made} == {"available"}
    listed = cli.json("share", "list", "--all")["shares"]
    assert {share["id"] for share in made} <= {share["id"] for share in listed}
