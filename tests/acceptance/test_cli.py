"""The command line against a real system: started, used, killed, started again, stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.runtime import system_state
from share_actors.cli.commands.system.down import MAX_NAMED
from tests.acceptance.cli import CommandLine

pytestmark = pytest.mark.timeout(300)

MEMBERS = 150
LATER, LONG, STOPPED = (f"5f0c6a9e-8d0b-4d5e-9b0e-2f4a1a1f5d1{n}" for n in range(3))
CONFIG = """
default_backend = "local"

[backends.local]
driver = "local"
options = {{ root = "{root}/shares" }}

[backends.slow]
driver = "dummy"
options = {{ delay_s = 20 }}

[backends.brief]
driver = "dummy"
options = {{ delay_s = 6 }}

[backends.broken]
driver = "dummy"
options = {{ fail = {{ create_share = "no space left" }} }}
"""


@pytest.fixture(scope="module")
def cli() -> Iterator[CommandLine]:
    """A command line with a running system."""
    with tempfile.TemporaryDirectory(prefix="sa") as top:
        config = Path(top) / "site.toml"
        config.write_text(CONFIG.format(root=top))
        with CommandLine(Path(top) / "home", {"SHARE_ACTORS_CONFIG": str(config)}) as line:
            assert line.json("up")["already"] is False
            yield line
            assert line.json("down", "--now")["stopped"] is True
            assert system_state.read(line.home) is None


def test_a_share_is_created_extended_and_deleted_and_its_history_is_kept(cli: CommandLine) -> None:
    created = cli.json("share", "create", "--size", "1", "--name", "life", "--metadata", "team=web")
    extended = cli.json("share", "extend", "life", "--size", "3")
    deleted = cli.json("share", "delete", "life")
    events = cli.json("share", "history", "life")["events"]

    assert (created["status"], created["metadata"]) == ("available", {"team": "web"})
    assert created["receipt"]["status"] == "done"
    assert (extended["size"], deleted["status"]) == (3, "deleted")
    assert events[0]["topic"] == "share.creation_requested"
    assert events[-1]["sentence"] == "the backend deleted it"
    assert events[0]["envelope"]["command_id"] == created["receipt"]["command_id"]


def test_a_share_has_access_rules_and_snapshots(cli: CommandLine) -> None:
    share = cli.json("share", "create", "--size", "1", "--name", "used")
    rule = cli.json("access", "allow", "used", "--to", str(os.getuid()), "--level", "ro")
    denied = cli.json("access", "deny", "used", rule["id"])
    snapshot = cli.json("snapshot", "create", "used", "--name", "now")
    copy = cli.json("share", "create", "--size", "1", "--from-snapshot", snapshot["id"])
    snapshots = cli.json("snapshot", "list", "--share", "used")["snapshots"]

    assert (rule["state"], rule["access_level"]) == ("active", "ro")
    assert denied["share_id"] == share["id"]
    assert copy["snapshot_id"] == snapshot["id"]
    assert [s["name"] for s in snapshots] == ["now"]


def test_the_properties_of_a_share_are_set_and_unset(cli: CommandLine) -> None:
    cli.json("share", "create", "--size", "1", "--name", "before")
    pairs = ("--metadata", "team=web", "--metadata", "tier=1")

    changed = cli.json("share", "set", "before", "--name", "after", *pairs)
    reduced = cli.json("share", "unset", "after", "--metadata", "tier")
    nothing = cli("--json", "share", "set", "after")

    assert (changed["name"], changed["metadata"]) == ("after", {"team": "web", "tier": "1"})
    assert (reduced["name"], reduced["metadata"]) == ("after", {"team": "web"})
    assert nothing.error["message"].startswith("nothing to change is given: add --name")
    sentences = [event["sentence"] for event in cli.json("share", "history", "after")["events"]]
    assert "changed its properties: name 'after', no description" in sentences[-2]


def test_a_share_is_reverted_to_its_latest_snapshot_alone(cli: CommandLine) -> None:
    share = cli.json("share", "create", "--size", "1", "--name", "undone", "--backend", "local")
    path = Path(share["export_locations"][0]["path"])
    first = cli.json("snapshot", "create", "undone")
    (path / "file").write_text("kept")
    latest = cli.json("snapshot", "create", "undone")
    (path / "file").write_text("lost")

    older = cli("--json", "share", "revert", "undone", first["id"])
    reverted = cli.json("share", "revert", "undone", latest["id"], "--yes")

    assert (older.code, older.error["code"]) == (7, "refused")
    assert (reverted["status"], reverted["receipt"]["status"]) == ("available", "done")
    assert (path / "file").read_text() == "kept"
    sentence = cli.json("share", "history", "undone")["events"][-1]["sentence"]
    assert sentence.startswith(f"the backend reverted it to snapshot {latest['id']}")


def test_a_project_finds_nothing_of_another_one(cli: CommandLine) -> None:
    cli.json("--project", "blue", "share", "create", "--size", "1", "--name", "books")

    foreign = cli("--json", "--project", "red", "share", "show", "books")
    forbidden = cli("--json", "--project", "blue", "--role", "reader", "share", "delete", "books")

    assert (foreign.code, foreign.error["code"]) == (5, "not_found")
    assert cli.json("--project", "red", "share", "list")["shares"] == []
    assert (forbidden.code, forbidden.error["code"]) == (7, "forbidden")
    assert cli.json("share", "show", "books")["status"] == "available"


def test_an_invalid_size_is_refused_and_nothing_is_recorded(cli: CommandLine) -> None:
    for size in ("1.5", "-1", "abc"):
        result = cli("--json", "share", "create", "--size", size, "--name", "invalid")

        assert (result.code, result.error["code"]) == (3, "invalid_request")
        assert result.error["field"] == "size"
    assert cli.json("share", "list", "--name", "invalid")["shares"] == []


def test_a_missing_share_and_a_failing_backend_have_their_own_exit_codes(cli: CommandLine) -> None:
    missing = cli("share", "show", "no-such-share")
    failed = cli("--json", "share", "create", "--size", "1", "--backend", "broken")

    assert (missing.code, missing.out) == (5, "")
    assert "Nothing was recorded" in missing.err
    assert "Traceback" not in missing.err
    assert failed.code == 8
    assert "no space left" in failed.error["message"]


def test_a_request_continues_after_a_timeout_and_after_ctrl_c(cli: CommandLine) -> None:
    create = ("share", "create", "--size", "1", "--backend", "slow")
    timed_out = cli("--json", *create, "--timeout", "0.5")
    waiting = cli.start(*create, "--id", STOPPED)
    while STOPPED not in {s["id"] for s in cli.json("share", "list", "--all")["shares"]}:
        assert waiting.poll() is None
    waiting.send_signal(signal.SIGINT)
    _, message = waiting.communicate(timeout=60)

    assert (timed_out.code, timed_out.error["code"]) == (9, "timeout")
    waited = timed_out.error["value"]
    assert waited >= 0.5
    assert f" {waited:.3g} s; " in timed_out.error["message"]
    assert waiting.returncode == 130
    assert (
        f"The request is recorded and still in progress; see `share-actors share show {STOPPED}`"
        in message
    )
    assert cli.json("share", "show", STOPPED)["status"] in ("creating", "available")


def test_status_shows_the_running_system_and_a_second_up_changes_nothing(cli: CommandLine) -> None:
    status = cli.json("status")
    again = cli.json("up")
    other = cli("--json", "--namespace", "other", "up")

    assert status["log"] == {"kind": "sqlite", "where": str(cli.home / "log.db")}
    assert all(actor["alive"] for actor in status["manager"]["actors"])
    assert set(status["manager"]["backends"]) == {"local", "slow", "brief", "broken"}
    assert again["already"] is True
    assert again["address"] == status["address"]
    assert (other.code, other.error["field"]) == (7, "home")


def test_kill_9_of_everything_loses_nothing(cli: CommandLine) -> None:
    created = cli.json("share", "create", "--size", "2", "--name", "survivor")
    cli.kill_everything()
    without_system = cli("--json", "share", "list")
    restarted = cli.json("up")
    share = cli.json("share", "show", "survivor")
    del share["waiting_for_thread"]

    assert (without_system.code, without_system.error["code"]) == (11, "unavailable")
    assert restarted["already"] is False
    assert share == {key: value for key, value in created.items() if key != "receipt"}


def test_the_catalog_is_rebuilt_from_the_log(cli: CommandLine) -> None:
    def settled() -> dict[str, Any]:
        """Not the shares that other tests left in progress: they may change meanwhile."""
        shares = cli.json("share", "list", "--all")["shares"]
        return {s["id"]: s for s in shares if not s["status"].endswith("ing")}

    before = settled()

    assert cli.json("catalog", "rebuild")["events"] > 0
    assert before.items() <= settled().items()


def test_explain_and_receipt_show_the_reason_of_a_failure(cli: CommandLine) -> None:
    created = cli(
        "--json", "share", "create", "--size", "1", "--name", "why", "--backend", "broken"
    )
    explanation = cli.json("share", "explain", "why")
    text = cli("share", "explain", "why").out
    (request,) = [e for e in cli.json("share", "history", "why")["events"] if e["version"] == 1]
    receipt = cli.json("receipt", request["envelope"]["command_id"])
    (failure,) = explanation["failed"]

    assert created.code == 8
    assert (explanation["status"], explanation["owed"]) == ("error", [])
    assert failure["what"] == "create it"
    assert explanation["attempts"][-1]["result"] == "failed"
    assert any("retry" in line for line in explanation["advice"])
    assert failure["reason"] in text
    assert (receipt["status"], receipt["reason"]) == ("failed", failure["reason"])
    assert cli("--json", "receipt", "none").code == 5


def test_with_no_wait_the_message_says_that_the_request_is_recorded(cli: CommandLine) -> None:
    result = cli("share", "create", "--size", "1", "--backend", "brief", "--no-wait", "--id", LATER)

    assert result.code == 0
    assert result.err == f"Request for share {LATER} recorded; not waiting for the outcome.\n"
    cli.json("share", "delete", LATER)


def test_the_receipt_of_a_request_in_progress_shows_its_attempt(cli: CommandLine) -> None:
    share = cli.json("share", "create", "--size", "1", "--backend", "slow", "--no-wait")
    receipt = cli.json("receipt", share["receipt"]["command_id"])
    cli.json("share", "delete", share["id"], "--no-wait")

    assert (receipt["status"], receipt["share_id"]) == ("accepted", share["id"])
    assert (receipt["attempt"]["n"], receipt["attempt"]["result"]) == (1, "under way")


def test_down_names_the_driver_calls_that_it_cuts_off(cli: CommandLine) -> None:
    cli.json("share", "create", "--size", "1", "--backend", "slow", "--id", LONG, "--no-wait")

    waiting = cli.start("down", "--timeout", "2")
    out, err = waiting.communicate(timeout=120)
    cli.json("up")
    history = cli.json("share", "history", LONG)["events"]

    assert waiting.returncode == 0, err
    assert f"create of {LONG} after" in out.partition("Cut off: ")[2]
    named = err.partition("driver call")[2]
    others = named.count(" of ") == MAX_NAMED and re.search(r" and \d+ more$", named.strip())
    assert f"create of {LONG}" in named or others  # of other tests, whose calls were named
    assert [e["event"]["planned"] for e in history if e["topic"] == "share.attempt_failed"] == [
        True
    ]


def test_what_a_test_started_ends_with_its_command_line(tmp_path: Path) -> None:
    with CommandLine(tmp_path) as line:
        started = line.start_program([sys.executable], "import time; time.sleep(600)")

    assert started.stdout is not None
    assert started.stderr is not None
    assert (started.returncode, started.stdout.closed, started.stderr.closed) == (-9, True, True)


# -- batches from files ---------------------------------------------------------------------------
def items(cli: CommandLine, *shares: dict[str, Any]) -> str:
    """A file of JSON Lines."""
    file = cli.home.parent / "shares.jsonl"
    file.write_text("".join(f"{json.dumps(share)}\n" for share in shares))
    return str(file)


def documents(process: subprocess.Popen[str], count: int) -> list[Any]:
    """The next *count* lines that the process prints."""
    assert process.stdout is not None
    return [json.loads(process.stdout.readline()) for _ in range(count)]


def test_a_batch_whose_client_is_killed_goes_on_where_it_stopped(cli: CommandLine) -> None:
    file = items(cli, *({"size": 1, "name": f"member-{n}"} for n in range(MEMBERS)))
    words = ["--json", "share", "create", "--from", file, "--batch-id", "members"]
    first = cli.start(*words)
    told = documents(first, 6)[1:]
    os.kill(first.pid, signal.SIGKILL)
    first.wait()

    again = cli(*words)

    begin, *results, end = [json.loads(line) for line in again.out.splitlines()]
    counts = {"done": MEMBERS, "accepted": 0, "failed": 0}
    assert (again.code, begin["batch"]) == (0, {"id": "members", "items": MEMBERS})
    assert end["batch"] == {**begin["batch"], **counts}
    ids = {result["index"]: result["share_id"] for result in results}
    assert {result["index"]: result["share_id"] for result in told}.items() <= ids.items()
    every = cli.json("share", "list", "--all")["shares"]
    listed = [share for share in every if str(share["name"]).startswith("member-")]
    assert sorted(share["id"] for share in listed) == sorted(ids.values())
    assert {share["name"] for share in listed} == {f"member-{n}" for n in range(MEMBERS)}


def test_an_interrupted_batch_says_what_is_done_and_how_to_go_on(cli: CommandLine) -> None:
    waiting = [{"size": 1, "name": f"late-{n}", "backend": "slow"} for n in range(2)]
    file = items(cli, {"size": 1, "name": "soon"}, *waiting)
    words = ["share", "create", "--from", file, "--batch-id", "mixed"]
    process = cli.start("--json", *words)
    assert [line.get("index") for line in documents(process, 2)] == [None, 0]

    process.send_signal(signal.SIGINT)
    out, _ = process.communicate()

    assert process.returncode == 130
    message = json.loads(out)["error"]["message"]
    assert message.startswith("Stopped: 1 of 3 shares created; requests in progress continue.")
    assert f"--from {file} --batch-id mixed" in message
    again = cli("--json", *words, "--no-wait")
    statuses = [json.loads(line).get("status") for line in again.out.splitlines()]
    assert (again.code, sorted(filter(None, statuses))) == (0, ["accepted", "accepted", "done"])
