"""`share-actors log ...` on a stored log, without a system."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from share_actors.cli import EXIT_CODES
from share_actors.config import LogSettings
from share_actors.events.log import Log
from tests.audit.conftest import HOME, SCRATCH, write
from tests.command_tree import invoke

NOON = "2026-03-01T12:00:00Z"
COMMANDS: dict[str, list[str]] = {
    "index": ["--index", "/nowhere/made.index"],
    "replay": ["--what-if"],
    "tail": [],
    "show": ["1"],
    "history": ["home"],
    "export": [],
    "stats": [],
    "state": ["home", "--at", NOON],
    "list": ["--at", NOON],
    "diff": ["--from", NOON, "--to", NOON],
}


def run(*words: str) -> Any:
    return invoke(["log", *words])


def documents(*words: str) -> list[Any]:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_last_events_are_sentences(log_path: Path) -> None:
    result = run("tail", "-n", "2", "--log", str(log_path))

    assert result.stdout.splitlines() == [
        "2026-03-01 12:00:50 UTC  14  share-s2  bob (project web) asked to delete it",
        "2026-03-01 12:01:00 UTC  15  share-s2  the backend deleted it",
    ]


def test_filters_choose_and_a_position_continues(log_path: Path) -> None:
    words = ("tail", "--log", str(log_path), "--share", "scratch", "--after", "12")

    assert [event["position"] for event in documents(*words)] == [13, 14, 15]
    assert [e["position"] for e in documents(*words, "--kind", "share.deleted")] == [15]
    assert documents(*words, "--user", "alice") == []


def test_the_log_of_the_configuration_is_the_default(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with closing(Log.open(LogSettings(), home / "log.db")) as log:
        write(log, "share-s1", HOME)

    assert len(documents("tail")) == len(HOME)


def test_following_prints_each_new_event_until_it_is_interrupted(log_path: Path) -> None:
    words = ["log", "tail", "--follow", "--json", "-n", "1", "--log", str(log_path)]
    program = [sys.executable, "-m", "share_actors.cli", *words]
    with (
        subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as tail,
        closing(Log.open(LogSettings(), log_path)) as log,
    ):
        assert tail.stdout is not None
        try:
            first = json.loads(tail.stdout.readline())["position"]
            write(log, "share-s3", [HOME[0]])
            assert (first, json.loads(tail.stdout.readline())["position"]) == (15, 16)
        finally:
            tail.send_signal(signal.SIGINT)
        assert "`--after 16` continues" in tail.stdout.read()
        assert tail.wait(30) == 130


def test_an_event_is_shown_with_all_its_fields(log_path: Path) -> None:
    result = run("show", "4", "--log", str(log_path))

    assert "10.0.0.0/8" in result.stdout
    assert "c-allow" in result.stdout


def test_a_history_is_a_table_of_sentences(log_path: Path) -> None:
    lines = run("history", "home", "--log", str(log_path)).stdout.splitlines()

    assert len(lines) == 1 + len(HOME)
    assert lines[-3].endswith("the backend extended it to 3 GiB")


def test_a_state_a_list_and_a_difference_are_of_their_times(log_path: Path) -> None:
    at, log = "2026-03-01T12:00:22Z", ("--log", str(log_path))
    [listed, *_] = documents("list", "--at", at, *log)
    result = run("state", "home", "--at", at, "--json", *log)
    changes = documents("diff", "--from", at, "--to", "2026-03-01T12:00:26Z", *log)

    assert (listed["id"], listed["status"]) == ("s1", "extending")
    assert json.loads(result.stdout)["view"]["size"] == 1
    assert json.loads(result.stdout)["pending"][0]["work"] == "extend"
    assert [(c["kind"], c["asked_at"], c["done_at"]) for c in changes] == [
        ("resized", "2026-03-01T12:00:20Z", "2026-03-01T12:00:25Z")
    ]


def test_an_export_is_imported_into_the_configured_log(log_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"

    assert run("export", "--log", str(log_path), "--output", str(file)).exit_code == 0
    assert run("import", str(file)).stdout == "Imported 15 events, up to position 15.\n"
    assert len(documents("tail", "-n", "99")) == len(HOME) + len(SCRATCH)
    assert sorted(os.listdir(tmp_path)) == ["home", "log.db", "log.jsonl"]


def test_an_export_replaces_no_file(log_path: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")

    result = run("export", "--log", str(log_path), "--output", str(tmp_path / "kept"))

    assert (result.exit_code, (tmp_path / "kept").read_text()) == (3, "kept")


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_log_is_refused(command: str) -> None:
    for log in ("/etc/passwd", "/nowhere/log.db", "", "mysql://a@b/c", "\0"):
        result = run(command, *COMMANDS[command], "--log", log)

        assert result.exit_code in (3, 4, 12), result.output
        assert "Error:" in result.output


@pytest.mark.parametrize(
    "words",
    [
        ("tail", "--since", "2026-03-01 12:00"),
        ("state", "home", "--at", "2026-03-01T12:00:00"),
        ("list", "--at", "2026-03-01"),
        ("diff", "--from", "2026-03-01T12:00:00", "--to", NOON),
    ],
)
def test_a_time_without_a_zone_is_refused_with_its_field_and_value(
    log_path: Path, words: tuple[str, ...]
) -> None:
    result = run(*words, "--log", str(log_path), "--json")

    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"]) == (3, "invalid_request")
    assert error["field"] in ("since", "at", "from")
    assert error["value"] in words
    assert "has no time zone" in error["message"]


@pytest.mark.parametrize(
    "words",
    [
        ("show",),
        ("history",),
        ("state", "--at", NOON),
        ("import",),
        ("tail", "--share"),
        ("tail", "--kind"),
        ("tail", "--command"),
        ("tail", "--since"),
        ("export", "--format"),
        ("state", "home", "--at"),
        ("diff", "--to", NOON, "--from"),
    ],
    ids=" ".join,
)
def test_an_odd_text_is_accepted_or_refused(log_path: Path, words: tuple[str, ...]) -> None:
    for text in ("", "nan", "\udcff", "backend:dummy", "1" * 5000, "\0", "-1"):
        try_out(log_path, words, text)


def try_out(log_path: Path, words: tuple[str, ...], text: str) -> None:
    log = () if words == ("import",) else ("--log", str(log_path))
    options = (*words[:-1], f"{words[-1]}={text}") if words[-1].startswith("--") else words
    result = run(*options, *log, *(() if options is not words else ("--", text)))

    assert result.exit_code in EXIT_CODES.keys() - {1}, result.output
