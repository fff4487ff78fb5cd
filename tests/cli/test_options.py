"""The options of output: where they may stand, what they refuse, and which of two counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli_home import error_of, home, run

__all__ = ["home"]


@pytest.mark.parametrize("command", ["metrics list", "config show"])
@pytest.mark.parametrize(
    "options",
    [
        "-o json",
        "-ojson",
        "--output=json",
        "--json",
        "-o yaml",
        "-o csv",
        "-o wide",
        "--no-headers",
    ],
)
def test_an_option_does_the_same_before_within_and_after_the_command(
    command: str, options: str, home: Path
) -> None:
    group, name = command.split()
    lines = (f"{options} {command}", f"{group} {options} {name}", f"{command} {options}")
    first, *others = (run(*line.split()) for line in lines)

    assert first.exit_code == 0, first.output
    assert [other.stdout for other in others] == [first.stdout] * 2
    assert first.stdout


@pytest.mark.parametrize(
    ("options", "field", "told"),
    [
        (["-o", "xml"], "output", "there are table, wide, json, yaml, name, csv"),
        (["-o", "jsonpath={.a"], "output", "a brace without its end"),
        (["-o", "jsonpath"], "output", "jsonpath=EXPRESSION"),
        (["--columns", "metric,colour"], "columns", "'colour' is not a column; there are name"),
        (["--columns", ","], "columns", "names no column"),
        (["--columns", "kind", "-o", "name"], "columns", "-o name shows no columns"),
        (["--columns", "kind", "-q"], "columns", "--quiet shows no columns"),
        (["--sort", "colour"], "sort", "'colour' is not a column; there are name"),
        (["--sort", "kind:up"], "sort", "'up' is not asc or desc"),
        (["--times", "local"], "times", "'local' is not relative or absolute"),
    ],
)
def test_a_bad_option_is_refused_with_its_field_its_value_and_what_there_is(
    options: list[str], field: str, told: str, home: Path
) -> None:
    for words in (["metrics", "list", *options], [*options, "metrics", "list"]):
        result = run(*words)
        assert (result.exit_code, result.stdout) == (3, "")
        assert f"--{field}: " in result.stderr
        assert told in result.stderr


@pytest.mark.parametrize("option", ["--columns=id", "--sort=id", "-q", "-ocsv", "-oname"])
def test_a_command_without_a_table_refuses_what_needs_one(option: str, home: Path) -> None:
    result = run(option, "whoami")

    assert result.exit_code == 3
    assert "`whoami` lists nothing" in result.stderr


def test_an_error_is_a_document_of_the_format_that_was_asked_for(home: Path) -> None:
    as_json = run("-o", "json", "metrics", "list", "--sort", "x")
    as_yaml = run("metrics", "list", "--sort", "x", "-o", "yaml")
    of_parser = run("metrics", "list", "--no-such", "-o", "yaml")

    assert error_of(as_json)["field"] == "sort"
    assert yaml.safe_load(as_yaml.stdout) == json.loads(as_json.stdout)
    assert yaml.safe_load(of_parser.stdout)["error"]["code"] == "usage"
    assert (as_json.stderr, as_yaml.stderr, of_parser.stderr) == ("", "", "")


@pytest.mark.parametrize(
    ("variables", "options", "is_json"),
    [
        ({"SHARE_ACTORS_OUTPUT": "json"}, [], True),
        ({"SHARE_ACTORS_OUTPUT": "yaml"}, ["--json"], True),
        ({"SHARE_ACTORS_JSON": "1"}, ["-o", "yaml"], False),
        ({"SHARE_ACTORS_JSON": "1"}, [], True),
        ({"SHARE_ACTORS_JSON": "1", "SHARE_ACTORS_OUTPUT": "table"}, [], False),
        ({}, ["--json", "-o", "yaml"], False),
    ],
)
def test_the_command_line_counts_more_than_a_variable_and_output_more_than_json(
    variables: dict[str, str],
    options: list[str],
    is_json: bool,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    for words in ([*options, "metrics", "list"], ["metrics", "list", *options]):
        assert run(*words).stdout.startswith("{") is is_json


def test_the_help_of_a_list_names_every_option_and_the_columns_that_there_are() -> None:
    told = run("share", "list", "--help").output

    for option in ("--config", "--address", "--user", "--role", "--debug", "--json", "--output"):
        assert option in told
    for option in ("--columns", "--sort", "--no-headers", "--quiet", "--times"):
        assert option in told
    assert "share_proto" in told
