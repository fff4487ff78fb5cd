"""The command line without a system: its help, its messages for errors, and its files."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from share_actors.actors.runtime import system_state
from share_actors.cli import EXIT_CODES
from share_actors.cli.options import parse_number, parse_pairs
from share_actors.cli.output import Output, count, next_step
from share_actors.cli.rendering import SHARE_FIELDS, print_share, share_document
from share_actors.cli.session import Options, Session
from share_actors.errors import ERRORS, InvalidRequest
from share_actors.values import AccessRule, ExportLocation, Share, Snapshot
from tests.cli_home import error_of, home, run

COMMANDS = (
    *("demo", "up", "down", "status"),
    *("share create", "share list", "share show", "share extend", "share shrink"),
    *("share set", "share unset"),
    "share revert",
    *("share delete", "share retry", "share history"),
    *("access allow", "access deny", "access list"),
    *("snapshot create", "snapshot list", "snapshot delete"),
    *("snapshot show", "snapshot allow", "snapshot deny", "snapshot rules"),
    *("config show", "config check", "catalog rebuild", "catalog unpark"),
    *("subject list", "subject forget"),
)
NOTHING_HEAVY_IMPORTED = """
import sys
from share_actors.cli import app
try:
    app({args!r})
finally:
    assert not {{"ray", "eventsourcing"}} & set(sys.modules), "imported too much"
"""

__all__ = ["home"]


# -- help and version ----------------------------------------------------------------------------
@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example_and_the_json_option(name: str) -> None:
    result = run(*name.split(), "--help")

    assert result.exit_code == 0
    assert f"$ share-actors {name.split(maxsplit=1)[0]}" in result.output
    assert "--json" in result.output


def test_the_help_lists_every_exit_code_of_every_error() -> None:
    result = run("--help")

    assert {kind.exit_code for kind in ERRORS.values()} <= set(EXIT_CODES)
    for code, meaning in EXIT_CODES.items():
        assert f"{code}  {meaning[:40]}" in result.output
    assert "GiB" in result.output


@pytest.mark.parametrize(
    "args", [["--help"], ["--version"], ["share", "create", "--help"], ["config", "show"]]
)
def test_help_version_and_config_do_not_import_ray(args: list[str], home: Path) -> None:
    program = NOTHING_HEAVY_IMPORTED.format(args=args)

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert result.returncode == 0, result.stderr


def test_the_version_is_that_of_the_installed_package() -> None:
    result = run("--version")

    assert result.exit_code == 0
    assert result.stdout == f"share-actors {metadata.version('share-actors')}\n"
    assert "--version" in run("--help").output


@pytest.mark.parametrize("args", [["--version", "--json"], ["--json", "--version"]])
def test_the_version_with_json_is_a_document(args: list[str]) -> None:
    assert json.loads(run(*args).stdout) == {"version": metadata.version("share-actors")}


def test_the_version_is_printed_before_anything_else_is_checked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARE_ACTORS_NO_SUCH_SETTING", "1")

    result = run("--config", "missing.toml", "--version", "no-such-command")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("share-actors ")


# -- errors --------------------------------------------------------------------------------------
def test_a_command_line_that_does_not_parse_ends_with_code_2() -> None:
    assert run("share", "create").exit_code == 2
    assert run("no-such-command").exit_code == 2


@pytest.mark.parametrize(
    ("line", "message", "field"),
    [
        ("share create", "Missing option '--size'", "size"),
        ("no-such-command", "No such command 'no-such-command'", None),
        ("share destroy", "No such command 'destroy'", None),
        ("--colour status", "No such option: --colour", None),
        ("share list --limit x", "Invalid value for '--limit'", "limit"),
        ("share list --wait x", "Invalid value for '--wait'", "wait"),
        ("share list --wait -1", "wait: is not 0 or more seconds: -1.0", "wait"),
        ("share show", "Missing argument 'SHARE'", "share"),
        ("share show a b", "unexpected extra argument", None),
        ("share list --name", "Option '--name' requires an argument", None),
        ("share", "share-actors share: a command is required", None),
        ("", "share-actors: ", None),
    ],
)
def test_with_json_an_error_of_the_parser_is_a_document(
    line: str, message: str, field: str | None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_option = run("--json", *line.split())
    monkeypatch.setenv("SHARE_ACTORS_JSON", "1")
    by_variable = run(*line.split())
    error = error_of(by_option)

    assert set(error) == {"code", "message", "field", "value", "details", "exit_code"}
    assert (error["code"], error["field"], error["exit_code"]) == ("usage", field, 2)
    assert message in error["message"]
    assert (by_option.exit_code, by_option.stderr) == (2, "")
    assert by_variable.exit_code == 2
    assert error_of(by_variable)["field"] == field


def test_json_may_stand_after_the_command_but_not_after_two_dashes(home: Path) -> None:
    assert error_of(run("share", "create", "--json"))["code"] == "usage"
    assert run("share", "show", "a", "b", "--", "--json").stdout == ""


def test_without_a_system_a_command_says_how_to_start_one(home: Path) -> None:
    result = run("share", "list")

    assert result.exit_code == 11
    assert "share-actors up" in result.stderr


def test_with_json_an_error_is_the_one_document_on_stdout(home: Path) -> None:
    for args in (["--json", "share", "list"], ["share", "list", "--json"]):
        result = run(*args)

        assert error_of(result)["code"] == "unavailable"
        assert result.exit_code == 11
        assert result.stderr == ""


def test_a_defect_is_reported_in_a_line_and_with_debug_shows_its_traceback(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(system_state, "read", fail)
    plain, debugged = run("share", "list"), run("--debug", "share", "list")

    assert plain.exit_code == 1
    assert "unexpected ZeroDivisionError: by design" in plain.stderr
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debugged.stderr


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_error_says_what_to_do_next(code: str) -> None:
    text = next_step(ERRORS[code]("it happened", share_id="s1"), "share list")

    assert "{" not in text
    assert text or code in ("error", "moved", "outdated")


def test_brackets_in_an_error_are_not_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    error = InvalidRequest("name: '[/red]' is [bold]bad[/]")

    Output().print_error(error, "share create")

    assert "name: '[/red]' is [bold]bad[/]" in capsys.readouterr().err


# -- output --------------------------------------------------------------------------------------
def test_a_share_is_shown_with_its_mount_command_and_the_world_beside_its_rule(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rule = AccessRule(id="r-1", access_type="ip", access_to="0.0.0.0/0", state="active")
    nfs = ExportLocation(path="10.0.0.1:/s-1", options="vers=4.1")
    local = ExportLocation(path="/srv/s-1")
    share = Share(id="s-1", size=1, access_rules=(rule,), export_locations=(nfs, local))

    document = share_document(share)
    mounts = [location["mount"] for location in document["export_locations"]]
    assert mounts == ["mount -t nfs -o vers=4.1 10.0.0.1:/s-1 /mnt/s-1", None]
    assert document["access_rules"][0]["world"] is True
    print_share(Session(Options()), share)
    printed = capsys.readouterr().out
    assert "mount -t nfs -o vers=4.1 10.0.0.1:/s-1 /mnt/s-1" in printed
    assert "0.0.0.0/0 (world)" in printed


def test_a_share_is_printed_with_the_ids_and_reasons_of_its_rules_and_snapshots(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rule = AccessRule(
        id="r-1", access_type="ip", access_to="10.0.0.1", state="error", reason="[no] such net"
    )
    snapshot = Snapshot(id="n-1", share_id="s-1", name="then", status="error", reason="disk full")
    share = Share(id="s-1", size=1, access_rules=(rule,), snapshots=(snapshot,))

    print_share(Session(Options()), share)

    lines = capsys.readouterr().out.splitlines()
    assert "r-1   ip    10.0.0.1  rw     error  [no] such net" in lines
    assert any(line.split()[:5] == ["n-1", "then", "0", "error", "disk"] for line in lines)
    document = share_document(share)
    rule_document = document["access_rules"][0]
    assert (rule_document["id"], rule_document["reason"]) == ("r-1", "[no] such net")
    assert document["snapshots"][0]["reason"] == "disk full"


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "share", "0 shares"),
        (1, "share", "1 share"),
        (2, "share server", "2 share servers"),
        (1, "process", "1 process"),
        (3, "process", "3 processes"),
    ],
)
def test_a_count_has_its_noun_in_the_singular_or_plural(number: int, noun: str, text: str) -> None:
    assert count(number, noun) == text


# -- input ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "value"), [("10", 10), ("-1", -1), ("1.5", 1.5), ("abc", "abc"), ("", ""), ("²", "²")]
)
def test_a_size_is_parsed_if_it_is_a_number_and_validated_elsewhere(
    text: str, value: object
) -> None:
    assert parse_number(text) == value


def test_a_size_of_thousands_of_digits_does_not_crash() -> None:
    assert parse_number("9" * 5000) == float("inf")


def test_pairs_are_keys_and_values() -> None:
    assert parse_pairs(["a=1", "b=x=y", "c="], "metadata") == {"a": "1", "b": "x=y", "c": ""}
    assert parse_pairs(None, "metadata") == {}


def test_an_item_without_an_equals_sign_is_refused_with_the_name_of_its_option() -> None:
    with pytest.raises(InvalidRequest, match="'novalue' is not KEY=VALUE") as caught:
        parse_pairs(["novalue"], "spec")

    assert (caught.value.field, caught.value.value) == ("spec", "novalue")


def test_every_field_of_a_share_is_printed_but_those_for_drivers() -> None:
    told_to_drivers = {name for name, field in Share.model_fields.items() if field.exclude}

    assert told_to_drivers == {"extra_specs"}
    assert sorted(SHARE_FIELDS) == sorted(Share.model_fields.keys() - told_to_drivers)
