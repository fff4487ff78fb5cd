"""`share-actors log access`, `reach` and `exposure` on a stored log, without a system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from share_actors.cli import EXIT_CODES
from share_actors.cli.output import Output
from tests.command_tree import invoke

DAY = ("--from", "2026-03-01T00:00:00Z", "--to", "2026-03-02T00:00:00Z")
DURING = "2026-03-01T12:00:35Z"
COMMANDS = {
    "access": ("access", "home", "--at", DURING),
    "reach": ("reach", "10.1.2.3", *DAY),
    "exposure": ("exposure",),
}


def run(*words: str) -> Any:
    return invoke(["log", *words])


def documents(*words: str) -> list[Any]:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_who_could_mount_a_share_is_told_with_all_times(where: str) -> None:
    [rule] = documents(*COMMANDS["access"], "--log", where)

    assert (rule["access_to"], rule["intended"], rule["in_force"]) == ("10.0.0.0/8", False, "yes")
    assert (rule["start"], rule["end"]) == ("2026-03-01T12:00:30Z", "2026-03-01T12:00:40Z")
    assert (rule["asked_at"], rule["applied_at"], rule["revoked_at"]) == (
        "2026-03-01T12:00:10Z",
        "2026-03-01T12:00:12Z",
        "2026-03-01T12:00:30Z",
    )


def test_what_a_client_could_reach_is_told_share_by_share(where: str) -> None:
    found = documents(*COMMANDS["reach"], "--log", where)

    assert [(r["share_name"], r["intended"], r["in_force"], r["end"][11:19]) for r in found] == [
        ("home", "rw", None, "12:00:12"),
        ("home", "rw", "rw", "12:00:30"),
        ("home", None, "rw", "12:00:40"),
        ("scratch", "rw", None, "12:00:08"),
        ("scratch", "rw", "rw", "12:00:50"),
        ("scratch", None, "rw", "12:01:00"),
    ]


def test_exposures_are_told_with_their_lengths(where: str) -> None:
    found = documents("exposure", "--log", where)

    assert [(e["share_name"], e["kind"], e["seconds"], e["result"]) for e in found] == [
        ("home", "revoked", 10.0, "gone"),
        ("scratch", "deleted", 10.0, "gone"),
    ]


def test_tables_have_what_the_documents_have(log_path: Path) -> None:
    texts = {name: run(*words, "--log", str(log_path)) for name, words in COMMANDS.items()}

    assert "ip 10.0.0.0/8  rw     no        yes" in texts["access"].stdout
    assert "Which of several rules" in texts["access"].stderr
    assert "2026-03-01 12:00:40 UTC  s1     home     demo     10.1.2.3  -         rw" in (
        texts["reach"].stdout
    )
    assert "10       s2     scratch" in texts["exposure"].stdout


def test_times_after_the_end_of_the_log_are_told(log_path: Path) -> None:
    later = run("access", "home", "--at", DAY[3], "--log", str(log_path))
    within = run(*COMMANDS["access"], "--log", str(log_path))

    assert "The log ends at 2026-03-01 12:01:00 UTC: what is later is as of then" in later.stderr
    assert "The log ends" not in within.stderr


def test_nobody_and_nothing_are_said_in_words(log_path: Path) -> None:
    at, log = "2026-03-01T12:00:50Z", ("--log", str(log_path))

    assert "Nobody could mount it" in run("access", "home", "--at", at, *log).stderr
    assert "It could reach nothing" in run("reach", "user:eve", *DAY, *log).stderr
    assert "There was no request to end access" in run("exposure", "--to", DAY[1], *log).stderr


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("access", "home", "--at", "2026-03-01T12:00:00"), "at"),
        (("reach", "10.0.0.7", "--from", "2026-03-01", "--to", DURING), "from"),
        (("reach", "10.0.0.7", "--from", DURING, "--to", "2026-03-02 00:00"), "to"),
        (("exposure", "--from", "2026-03-01T12:00:00"), "from"),
    ],
)
def test_a_time_without_a_zone_is_refused_with_its_name(
    log_path: Path, words: tuple[str, ...], field: str
) -> None:
    result = run(*words, "--log", str(log_path), "--json")

    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["field"]) == (3, field)
    assert f"{field}: '2026-03-0" in error["message"]
    assert "has no time zone" in error["message"]


@pytest.mark.parametrize("words", [("reach", "10.0.0.7"), ("exposure",)])
def test_a_first_time_after_the_last_is_refused(log_path: Path, words: tuple[str, ...]) -> None:
    backwards = ("--from", DAY[3], "--to", DAY[1])
    result = run(*words, *backwards, "--log", str(log_path))

    assert result.exit_code == 3
    assert "--from: 2026-03-02T00:00:00Z is after --to 2026-03-01T00:00:00Z" in result.stderr


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_page_is_a_new_file_that_replaces_none(
    log_path: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    page = tmp_path / "page.html"
    arguments = (*words, "--log", str(log_path), "--html", str(page))

    assert run(*arguments).exit_code == 0
    first = page.read_text()
    again = run(*arguments)

    assert (again.exit_code, page.read_text()) == (3, first)
    assert "exists; it was not changed" in again.stderr


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_odd_input_is_accepted_or_refused(log_path: Path, words: tuple[str, ...]) -> None:
    for text in ("", "nan", "\udcff", "backend:dummy", "1" * 5000, "\0", "share_type-x", "::/0"):
        for odd in ((words[0], text, *words[2:]), (*words[:-1], text)):
            result = run(*odd, "--log", str(log_path))
            assert result.exit_code in EXIT_CODES.keys() - {1}, result.output


def test_a_long_table_has_the_same_cells(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("a", None, ("x", "y")), ("long[er]", 7, ())] * 1000

    Output().print_table(("NAME", "N", "LINES"), rows)

    assert capsys.readouterr().out.splitlines()[:3] == [
        "NAME      N  LINES",
        "a         -  x, y",
        "long[er]  7  -",
    ]
