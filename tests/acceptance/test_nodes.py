"""A cluster of two nodes: SQLite is refused before anything starts, PostgreSQL serves it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from share_actors.config import LogSettings
from tests.acceptance import two_nodes
from tests.acceptance.cli import CommandLine
from tests.events.postgres import LOG_SECTION
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)

LOST = r"backend '?near.* (silent for|no node of the cluster has the resource near)"
"""How a refusal names the node; a manager that was on it does not know which one it was."""
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
options = {{ directory = "{top}/backend" }}

[backends.near]
driver = "dummy"
node = "near"
"""
)


@pytest.fixture(scope="module")
def nodes() -> Iterator[two_nodes.TwoNodes]:
    with two_nodes.cluster() as nodes:
        yield nodes


@pytest.fixture
def address(nodes: two_nodes.TwoNodes) -> str:
    return nodes.address


@pytest.fixture
def cli(short_path: Path) -> Iterator[CommandLine]:
    with CommandLine(short_path / "home") as line:
        yield line
        line("down")


def test_sqlite_on_two_nodes_is_refused_and_nothing_is_left_behind(
    address: str, cli: CommandLine
) -> None:
    ended = cli("--json", "--address", address, "up")

    assert (ended.code, ended.error["code"]) == (4, "config")
    assert (ended.error["field"], ended.error["value"]) == ("log.kind", "sqlite")
    assert "this cluster has 2: set log.kind to 'postgresql'" in ended.error["message"]
    assert list(cli.home.rglob("*.db*")) == []
    assert cli("--json", "--address", address, "status").error["code"] == "unavailable"
    assert cli("--json", "status").error["code"] == "unavailable"


def test_a_system_on_two_nodes_outlives_a_kill_of_its_share_actors(
    address: str, cli: CommandLine, postgres_server: LogSettings, short_path: Path
) -> None:
    config = short_path / "site.toml"
    config.write_text(CONFIG.format(log=postgres_server, top=short_path, schema="two_nodes"))
    cli.environment["SHARE_ACTORS_CONFIG"] = str(config)
    up = cli.json("--address", address, "up")
    made = [cli.json("share", "create", "--size", "1", "--backend", "dummy") for _ in range(2)]
    actors = cli.json("status")["manager"]["actors"]
    assert (up["address"], len(actors)) == (address, 2)

    for actor in actors:
        psutil.Process(actor["pid"]).kill()

    assert cli.json("share", "extend", made[0]["id"], "--size", "2")["size"] == 2
    assert len(cli.json("share", "list")["shares"]) == 2
    pinned = cli.json("share", "create", "--size", "2", "--backend", "near")
    [near] = [
        a
        for a in cli.json("status")["manager"]["actors"]
        if a["actor"].startswith("share-actor@near-")
    ]
    assert (pinned["host"], near["shares"]) == ("near#near", 1)
    assert cli.json("down") == {"running": False, "stopped": True, "cut_off": []}
    assert cli.json("--address", address, "up")["already"] is False
    assert {s["size"] for s in cli.json("share", "list")["shares"]} == {1, 2}


def test_the_loss_of_the_only_node_of_a_backend_is_told_and_leaves_the_others(
    nodes: two_nodes.TwoNodes, cli: CommandLine, postgres_server: LogSettings, short_path: Path
) -> None:
    config = short_path / "site.toml"
    config.write_text(CONFIG.format(log=postgres_server, top=short_path, schema="lost_node"))
    cli.environment["SHARE_ACTORS_CONFIG"] = str(config)
    cli.json("--address", nodes.address, "up")
    pinned = cli.json("share", "create", "--size", "1", "--backend", "near")["id"]

    nodes.lose_near()
    until(lambda: backend_status(cli, "near") == "down", 90)  # the manager may have died with it

    assert create_on(cli, "dummy") == "available"
    assert re.search(LOST, refused(cli, pinned))
    assert cli.json("share", "show", pinned)["status"] == "available"
    [living] = [node for node in cli.json("node", "list")["nodes"] if node["alive"]]
    assert cli.json("node", "show", living["id"])["backends"] == {}

    psutil.Process(cli.json("status")["manager"]["pid"]).kill()
    assert create_on(cli, "dummy") == "available"
    assert re.search(LOST, refused(cli, pinned))

    nodes.add()
    until(lambda: cli("share", "extend", pinned, "--size", "3").code == 0, 120)
    assert cli.json("share", "show", pinned)["size"] == 3


def backend_status(cli: CommandLine, backend: str) -> str | None:
    """`up`, `down` or `starting`; None while the manager does not answer."""
    manager = cli.json("status")["manager"]
    return None if "error" in manager else str(manager["backends"][backend]["status"])


def create_on(cli: CommandLine, backend: str) -> str:
    """The status of a new share."""
    return str(cli.json("share", "create", "--size", "1", "--backend", backend)["status"])


def refused(cli: CommandLine, share: str) -> str:
    """The message with which an extension of *share* is refused as unavailable."""
    ended = cli("--json", "share", "extend", share, "--size", "3")
    assert ended.error["code"] == "unavailable"
    return str(ended.error["message"])
