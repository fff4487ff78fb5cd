"""The command line against a real system: started, used, killed, started again, stopped."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from share_actors.actors.runtime import system_state
from tests.acceptance.cli import CommandLine

pytestmark = pytest.mark.timeout(300)

CONFIG = """
default_backend = "local"

[backends.local]
driver = "local"
options = {{ root = "{root}/shares" }}

[backends.slow]
driver = "dummy"
options = {{ delay_s = 20 }}

[backends.broken]
driver = "dummy"
options = {{ fail = {{ create_share = "no space left" }} }}
"""


@pytest.fixture(scope="module")
def cli() -> Iterator[CommandLine]:
    """A command line whose system is up."""
    with tempfile.TemporaryDirectory(prefix="sa") as top:
        config = Path(top) / "site.toml"
        config.write_text(CONFIG.format(root=top))
        line = CommandLine(Path(top) / "home", {"SHARE_ACTORS_CONFIG": str(config)})
        try:
            assert line.json("up")["already"] is False
            yield line
            assert line.json("down") == {"running": False, "stopped": True}
            assert system_state.read(line.home) is None
        finally:
            line.clear_up()


def test_a_share_from_its_creation_to_its_deletion(cli: CommandLine) -> None:
    made = cli.json("share", "create", "--size", "1", "--name", "life", "--metadata", "team=web")
    grown = cli.json("share", "extend", "life", "--size", "3")
    gone = cli.json("share", "delete", "life")
    told = cli.json("share", "history", "life")["events"]

    assert (made["status"], made["metadata"], made["receipt"]["status"]) == (
        "available", {"team": "web"}, "done",
    )  # fmt: skip
    assert (grown["size"], gone["status"]) == (3, "deleted")
    assert told[0]["topic"] == "share.creation_requested"
    assert told[-1]["sentence"] == "the backend deleted it"
    assert told[0]["envelope"]["command_id"] == made["receipt"]["command_id"]


def test_access_and_snapshots(cli: CommandLine) -> None:
    share = cli.json("share", "create", "--size", "1", "--name", "used")
    rule = cli.json("access", "allow", "used", "--to", str(os.getuid()), "--level", "ro")
    denied = cli.json("access", "deny", "used", rule["id"])
    taken = cli.json("snapshot", "create", "used", "--name", "now")
    copy = cli.json("share", "create", "--size", "1", "--from-snapshot", taken["id"])
    listed = cli.json("snapshot", "list", "--share", "used")

    assert (rule["state"], rule["access_level"]) == ("active", "ro")
    assert denied["share_id"] == share["id"]
    assert copy["snapshot_id"] == taken["id"]
    assert [s["name"] for s in listed["snapshots"]] == ["now"]


def test_a_size_that_makes_no_sense_is_named_and_nothing_is_recorded(cli: CommandLine) -> None:
    for size in ("1.5", "-1", "abc"):
        ended = cli("--json", "share", "create", "--size", size, "--name", "senseless")

        assert (ended.code, ended.error["code"]) == (3, "invalid_request")
        assert ended.error["field"] == "size"
    assert cli.json("share", "list", "--name", "senseless")["shares"] == []


def test_what_is_not_there_and_what_the_backend_cannot_do(cli: CommandLine) -> None:
    missing = cli("share", "show", "nothing-of-the-kind")
    failed = cli("--json", "share", "create", "--size", "1", "--backend", "broken")

    assert (missing.code, missing.out) == (5, "")
    assert "Nothing was recorded" in missing.err
    assert "Traceback" not in missing.err
    assert failed.code == 8
    assert "no space left" in failed.error["message"]


def test_who_stops_waiting_loses_nothing(cli: CommandLine) -> None:
    late = cli(
        "--json", "share", "create", "--size", "1", "--backend", "slow", "--timeout", "0.5",
    )  # fmt: skip
    waiting = cli.start("share", "create", "--size", "1", "--backend", "slow", "--id", "stopped")
    while not cli.json("share", "list", "--backend", "slow", "--limit", "9")["shares"][1:]:
        assert waiting.poll() is None
    waiting.send_signal(signal.SIGINT)
    _, said = waiting.communicate(timeout=60)

    assert (late.code, late.error["code"]) == (9, "timeout")
    assert waiting.returncode == 130
    assert (
        "The request is recorded and still in progress; see `share-actors share show stopped`"
        in said
    )
    assert cli.json("share", "show", "stopped")["status"] in ("creating", "available")


def test_status_tells_what_runs_and_up_twice_changes_nothing(cli: CommandLine) -> None:
    status = cli.json("status")
    again = cli.json("up")
    other = cli("--json", "--namespace", "other", "up")

    assert status["log"] == {"kind": "sqlite", "where": str(cli.home / "log.db")}
    assert all(actor["alive"] for actor in status["manager"]["actors"])
    assert set(status["manager"]["backends"]) == {"local", "slow", "broken"}
    assert again["already"] is True
    assert again["address"] == status["address"]
    assert (other.code, other.error["field"]) == (7, "home")


def test_kill_9_of_everything_loses_nothing(cli: CommandLine) -> None:
    made = cli.json("share", "create", "--size", "2", "--name", "survivor")
    cli.kill_everything()
    down = cli("--json", "share", "list")
    up = cli.json("up")
    found = cli.json("share", "show", "survivor")

    assert (down.code, down.error["code"]) == (11, "unavailable")
    assert up["already"] is False
    assert found == {key: value for key, value in made.items() if key != "receipt"}


def test_the_catalog_is_rebuilt_from_the_log(cli: CommandLine) -> None:
    before = cli.json("share", "list", "--all")

    assert cli.json("catalog", "rebuild")["events"] >= 0
    assert cli.json("share", "list", "--all") == before


def test_why_a_share_is_as_it_is_and_what_came_of_a_request(cli: CommandLine) -> None:
    ended = cli("--json", "share", "create", "--size", "1", "--name", "why", "--backend", "broken")
    told = cli.json("share", "explain", "why")
    people = cli("share", "explain", "why").out
    (asked,) = [e for e in cli.json("share", "history", "why")["events"] if e["version"] == 1]
    receipt = cli.json("receipt", asked["envelope"]["command_id"])

    assert ended.code == 8
    assert (told["status"], told["owed"]) == ("error", [])
    assert [failed["what"] for failed in told["failed"]] == ["create it"]
    assert told["attempts"][-1]["result"] == "failed"
    assert any("retry" in line for line in told["advice"])
    assert told["failed"][0]["reason"] in people
    assert receipt["status"] == "failed"
    assert receipt["reason"] == told["failed"][0]["reason"]
    assert cli("--json", "receipt", "none").code == 5


def test_a_request_in_progress_tells_of_its_attempt(cli: CommandLine) -> None:
    made = cli.json("share", "create", "--size", "1", "--backend", "slow", "--no-wait")
    receipt = cli.json("receipt", made["receipt"]["command_id"])
    cli.json("share", "delete", made["id"])

    assert (receipt["status"], receipt["share_id"]) == ("accepted", made["id"])
    assert (receipt["attempt"]["n"], receipt["attempt"]["result"]) == (1, "under way")
