"""`share-actors log replay` and `log index` on a stored log, without a system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from share_actors.cli import EXIT_CODES
from share_actors.events import share
from tests.command_tree import invoke
from tests.golden.released_logs import log_of

AT = "2026-03-01T12:00:26Z"


def run(*words: str | Path) -> Any:
    return invoke(["log", *map(str, words)])


def document(*words: str | Path, exit_code: int = 0) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def reference(log_path: Path, tmp_path: Path) -> Path:
    result = run("replay", "--write", tmp_path / "reference", "--log", log_path)
    assert result.stdout == "Wrote the reference of 15 events of 2 streams.\n"
    return tmp_path / "reference"


# -- replay --------------------------------------------------------------------------------------
def test_the_same_states_end_with_success(log_path: Path, reference: Path) -> None:
    result = run("replay", "--check", reference, "--log", log_path)

    assert result.exit_code == 0
    assert "The same states as version" in result.stdout


def test_other_states_end_with_the_exit_code_16_and_the_first_event(
    log_path: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evolve = share.evolve
    monkeypatch.setattr(share, "evolve", lambda s, e: evolve(s, e).replace(cascade=True))
    words = ("replay", "--check", reference, "--log", log_path)
    result, found = run(*words), document(*words, exit_code=16)

    assert result.exit_code == 16
    assert "16" in {str(code) for code in EXIT_CODES}
    assert (
        "- share-s1 version 1 (share.creation_requested, position 1, 2026-03-01 12:00:00 UTC):"
        " other values of cascade" in result.stdout
    )
    assert (found["ok"], found["differing_streams"]) == (False, 2)
    assert found["differences"][0]["fields"] == ["cascade"]


def test_decisions_that_come_out_differently_are_shown(log_path: Path) -> None:
    result = run("replay", "--what-if", "--log", log_path)

    # The story of this log leaves out attempts, without which their outcomes are refused.
    assert result.exit_code == 16
    assert "Decided again: 15 of 15 commands.\n6 come out differently." in result.stdout
    assert "no attempt at delete is in progress" in result.stdout


def test_decisions_that_come_out_as_recorded_end_with_success() -> None:
    found = document("replay", "--what-if", "--log", log_of("0.1.0"))

    assert (found["ok"], found["differing"]) == (True, {})
    assert found["not_decided"]["share.errored"] > 0


def test_another_configuration_is_read_and_named_if_it_is_wrong(
    log_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.toml").write_text("[scheduler]\ncapacity_weight = 'much'\n")

    result = run("replay", "--what-if", "--with", tmp_path / "other.toml", "--log", log_path)

    assert result.exit_code == 4
    assert "capacity_weight" in result.output


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ((), "check"),
        (("--check", "a", "--write", "b"), "check"),
        (("--check", "a", "--with", "b"), "with"),
        (("--check", "/nowhere"), "check"),
        (("--write", "/nowhere/reference"), "write"),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    log_path: Path, words: tuple[str, ...], field: str
) -> None:
    error = document("replay", *words, "--log", log_path, exit_code=3)["error"]

    assert error["field"] == field


# -- index ---------------------------------------------------------------------------------------
def test_an_index_beside_a_copied_log_is_used(log_path: Path) -> None:
    before = run("list", "--at", AT, "--log", log_path).stdout
    made, updated = (document("index", "--log", log_path) for _ in range(2))

    assert (made["made"], made["shares"], updated["made"], updated["shares"]) == (True, 2, False, 0)
    assert Path(made["file"]) == log_path.with_name("log.db.index")
    assert run("list", "--at", AT, "--log", log_path).stdout == before
    assert run("state", "home", "--at", AT, "--log", log_path).exit_code == 0


def test_an_index_that_does_not_fit_is_left_out_beside_a_log_and_refused_by_name(
    log_path: Path, tmp_path: Path
) -> None:
    beside = log_path.with_name("log.db.index")
    beside.write_text("not an index")

    left_out = run("list", "--at", AT, "--log", log_path)
    named = run("list", "--at", AT, "--log", log_path, "--index", beside)

    assert (left_out.exit_code, named.exit_code) == (0, 3)
    assert "--index" in named.output


def test_the_log_of_the_configuration_gets_no_index_without_a_name(tmp_path: Path) -> None:
    assert document("index", exit_code=3)["error"]["field"] == "index"
