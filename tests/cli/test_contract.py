"""What every command that lists or shows something keeps: all formats, widths and options of output."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from rich.cells import cell_len

from share_actors.cli.command import TABLES
from tests.cli.site import READS, site
from tests.cli.terminal import seen
from tests.command_tree import invoke
from tests.docs.shell import leaves

LIST_VERBS = (
    *("list", "show", "rules", "history", "usage", "clients", "stats", "capacity", "audit"),
    *("access", "reach", "exposure", "diff"),
)
NO_TABLE = ("log show", "log stats", "metrics rules")
"""One event in all its fields, totals, and a file for Prometheus: what they print is no row of anything."""
STREAMS = tuple(name for name in READS if name.startswith("log ") and name != "log history")
"""Commands that print a document for each row."""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """The words of each command, and the system that they read."""
    list(leaves())  # it imports the modules of all commands, which register their tables
    own = {name: os.environ.pop(name) for name in list(os.environ) if "SHARE_ACTORS" in name}
    with site(tmp_path_factory.mktemp("site")) as words:
        yield words
    os.environ.update(own)


def out_of(words: list[str], *options: str) -> str:
    """What a command prints to stdout, not on a terminal."""
    result = invoke([*words, *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_command_that_lists_or_shows_something_is_tried_here() -> None:
    names = [path.removeprefix("share-actors ") for path, _ in leaves()]
    listing = {name for name in names if " " in name and name.split()[-1] in LIST_VERBS}

    assert listing - {*NO_TABLE} == set(READS)
    assert set(READS) <= set(TABLES)


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("width", [80, 120, 200])
def test_on_a_terminal_every_line_fits_or_is_one_word_or_path(
    name: str, width: int, lines: dict[str, list[str]]
) -> None:
    out, err = seen(lines[name], width)

    assert out or err
    for line in out.splitlines():
        assert cell_len(line) <= width or "  " not in line.strip()


@pytest.mark.parametrize("name", READS)
def test_yaml_and_jsonpath_have_what_json_has(name: str, lines: dict[str, list[str]]) -> None:
    def documents(text: str) -> list[Any]:
        return list(map(json.loads, text.splitlines())) if name in STREAMS else [json.loads(text)]

    as_json = documents(out_of(lines[name], "--json"))

    assert documents(out_of(lines[name], "-o", "json")) == as_json
    assert list(yaml.safe_load_all(out_of(lines[name], "-o", "yaml"))) == as_json
    whole = out_of(lines[name], "-o", "jsonpath={$}")
    assert list(map(json.loads, whole.splitlines())) == as_json


@pytest.mark.parametrize("name", READS)
def test_csv_has_all_columns_and_a_row_for_each_name(
    name: str, lines: dict[str, list[str]]
) -> None:
    table = TABLES[name]
    header, *rows = csv.reader(io.StringIO(out_of(lines[name], "-o", "csv")))

    assert header == [column.field for column in table.columns]
    assert all(len(row) == len(header) for row in rows)
    if table.identity is not None:
        ids = out_of(lines[name], "-q").splitlines()
        names = out_of(lines[name], "-o", "name").splitlines()
        assert names == [f"{table.prefix}/{one}" for one in ids]
        assert len(ids) == len(rows)


@pytest.mark.parametrize("name", READS)
def test_each_column_can_be_chosen_and_sorted_by(name: str, lines: dict[str, list[str]]) -> None:
    for column in TABLES[name].columns:
        chosen = ("--columns", column.field, "-o", "csv", "--no-headers")
        rows = sorted(out_of(lines[name], *chosen).splitlines())
        for order in ("asc", "desc"):
            printed = out_of(lines[name], *chosen, "--sort", f"{column.title}:{order}")
            assert sorted(printed.splitlines()) == rows


@pytest.mark.parametrize("name", READS)
def test_a_table_has_the_columns_that_were_chosen_and_a_line_for_each_row(
    name: str, lines: dict[str, list[str]]
) -> None:
    titles = [column.title for column in TABLES[name].columns]
    chosen = ("--columns", ",".join(titles))
    number = len(out_of(lines[name], "-o", "csv", "--no-headers").splitlines())

    if number:
        header, *rows = out_of(lines[name], *chosen).splitlines()
        assert header.split() == " ".join(titles).split()
        assert len(rows) == number
        assert out_of(lines[name], *chosen, "--no-headers").count("\n") == number


@pytest.mark.parametrize("name", READS)
def test_times_are_ages_or_moments_as_asked(name: str, lines: dict[str, list[str]]) -> None:
    ages, moments = (out_of(lines[name], f"--times={kind}") for kind in ("relative", "absolute"))

    assert (" ago" in moments) is False
    assert ("UTC" in moments) is (" ago" in ages)


@pytest.mark.usefixtures("lines")
def test_a_bad_option_is_refused_before_anything_is_done() -> None:
    result = invoke(["share", "create", "--size", "1", "--name", "never", "--columns", "colour"])

    assert result.exit_code == 3
    assert out_of(["share", "list", "--name", "never", "-q"]) == ""
