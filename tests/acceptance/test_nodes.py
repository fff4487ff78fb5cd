"""A cluster of two nodes: SQLite is refused before anything starts, PostgreSQL serves it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from share_actors.config import LogSettings
from tests.acceptance import two_nodes
from tests.acceptance.cli import CommandLine

pytestmark = pytest.mark.timeout(300)

CONFIG = """
[log]
kind = "postgresql"
host = "{log.host}"
database = "{log.database}"
user = "{log.user}"
schema_name = "two_nodes"

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


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with two_nodes.cluster() as address:
        yield address


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
    config.write_text(CONFIG.format(log=postgres_server, top=short_path))
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
