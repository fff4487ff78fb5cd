"""Files of items: every line is checked before anything is recorded, and an error names it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from share_actors.testing import SyncInProcessSystem
from tests.bulk.conftest import CommandLine, lines_of

Write = Callable[[bytes | str], str]


def test_a_csv_file_creates_a_share_for_each_line(
    system: SyncInProcessSystem, invoke: CommandLine, write: Write
) -> None:
    file = write('name,size,metadata.team,is_public\r\nplain,1,,\r\n"a, b",2,web,true\r\n')

    result = invoke("share", "create", "--from", file)

    assert result.exit_code == 0, result.output
    assert (result.stdout, "2 of 2 shares created" in result.stderr) == ("", True)
    comma, plain = (system.share(name).seen for name in ("a, b", "plain"))
    assert (comma.size, comma.is_public, comma.metadata) == (2, True, {"team": "web"})
    assert (plain.size, plain.is_public, plain.metadata) == (1, False, {})


def test_json_lines_on_stdin_create_a_share_each(
    system: SyncInProcessSystem, invoke: CommandLine
) -> None:
    text = '\n{"size": 1, "name": "first", "metadata": {"a": "b"}}\n\n{"size": 2, "name": "last"}'

    result = invoke("share", "create", "--from", "-", stdin=text.encode())

    assert result.exit_code == 0, result.output
    assert (system.share("first").seen.metadata, system.share("last").size) == ({"a": "b"}, 2)


def test_a_byte_order_mark_is_no_part_of_the_first_column(
    system: SyncInProcessSystem, invoke: CommandLine, write: Write
) -> None:
    file = write(b"\xef\xbb\xbfname,size\nmarked,1\n")

    assert invoke("share", "create", "--from", file).exit_code == 0
    assert system.share("marked").size == 1


def test_rules_and_deletions_come_from_files_too(
    system: SyncInProcessSystem, invoke: CommandLine, write: Write
) -> None:
    for name in ("one", "two"):
        system.create_share(size=1, name=name)

    rules = invoke("access", "allow", "--from", write("share,to,level\none,alice,\ntwo,bob,ro\n"))
    levels = [system.share(name).access_rules[0].access_level for name in ("one", "two")]
    deleted = invoke("share", "delete", "--from", write('{"share": "one"}\n{"share": "two"}\n'))

    assert (rules.exit_code, levels) == (0, ["rw", "ro"])
    assert (deleted.exit_code, system.count_shares()) == (0, {})


BAD: dict[str, tuple[str | bytes, int, str, str]] = {
    "half a JSON line": ('{"size": 1}\n{"size": 1, "na', 2, "line", "is not a JSON object"),
    "half a CSV line": ("name,size\na,1\nb", 3, "line", "has 1 cells, and the header 2"),
    "an open quote": ('name,size\n"a,1\n', 2, "line", "is not CSV"),
    "Latin-1": (b"name,size\na,1\ncaf\xe9,1\n", 3, "line", "is not UTF-8 from byte 4 on"),
    "UTF-16": ("name,size\na,1\n".encode("utf-16"), 1, "line", "is not UTF-8"),
    "a column twice": ("name,size,size\na,1,1\n", 1, "size", "the column is there twice"),
    "a field twice": ('{"size": 1, "size": 2}', 1, "size", "the field is there twice"),
    "an unknown column": ("name,size,colour\na,1,red\n", 1, "colour", "unknown column"),
    "an unknown field": ('{"size": 1}\n{"size": 1, "colour": 7}', 2, "colour", "not a property"),
    "a JSON array": ('[{"size": 1}]', 1, "line", "is a JSON array"),
    "a JSON number": ('{"size": 1}\n17\n', 2, "line", "is not a JSON object"),
    "NaN": ('{"size": NaN}', 1, "line", "NaN is not a JSON number"),
    "depth": ('{"metadata": ' + "[" * 100_000, 1, "line", "is not a JSON object"),
    "a long line": ('{"size": 1}\n' + " " * 2_000_000, 2, "line", "is longer than 1048576 bytes"),
    "no size": ("name\na\n", 2, "size", "missing"),
    "a size in words": ("name,size\na,1\n\nb,two\n", 4, "size", "is not a whole number: 'two'"),
    "a size of many digits": ("size\n" + "9" * 5000, 2, "size", "is not a whole number"),
    "a column of many letters": ("x" * 300 + "\n1\n", 1, "x" * 300, "unknown column"),
    "a size of 0": ("size\n0\n", 2, "size", ""),
    "a flag in words": ("size,is_public\n1,yes\n", 2, "is_public", "is not true or false: 'yes'"),
    "an unknown backend": ("size,backend\n1,tape\n", 2, "backend", "tape"),
    "a key twice": ("size,key\n1,a\n2,b\n3,a\n", 4, "key", "is the key of line 2, too"),
    "an empty key": ('{"size": 1, "key": ""}', 1, "key", ""),
    "a NUL": ("name,size\na\0b,1\n", 2, "name", ""),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_is_named_and_nothing_is_recorded(
    system: SyncInProcessSystem, invoke: CommandLine, write: Write, case: str
) -> None:
    content, line, field, problem = BAD[case]
    file = write(content)

    result = invoke("share", "create", "--from", file, "--json")

    [document] = lines_of(result)
    error = document["error"]
    assert (result.exit_code, error["code"]) == (3, "invalid_request")
    assert (error["details"]["line"], error["field"]) == (line, field)
    assert error["message"].startswith(f"{file}:{line}: ")
    assert problem in error["message"]
    assert system.count_shares() == {}


@pytest.mark.parametrize("content", ["", "\n\n", "name,size\n", "\ufeff"])
def test_a_file_without_items_is_refused(invoke: CommandLine, write: Write, content: str) -> None:
    result = invoke("share", "create", "--from", write(content))

    assert result.exit_code == 3
    assert "has no items" in result.output


@pytest.mark.parametrize("file", ["", "/nowhere/at/all", "/", "a\0b", "\udcff"])
def test_a_file_that_cannot_be_read_is_refused(invoke: CommandLine, file: str) -> None:
    result = invoke("share", "create", f"--from={file}")

    assert result.exit_code == 3
    assert "cannot be read" in result.output


def test_all_bad_lines_are_told_at_once(invoke: CommandLine, write: Write) -> None:
    file = write('{"size": 0}\n{"size": 1}\n{"size": "x"}\n{"size": 1')

    [document] = lines_of(invoke("share", "create", "--from", file, "--json"))

    assert [bad["line"] for bad in document["error"]["details"]["errors"]] == [1, 3, 4]


def test_rules_and_deletions_are_checked_before_anything_is_recorded(
    system: SyncInProcessSystem, invoke: CommandLine, write: Write
) -> None:
    share = system.create_share(size=1, name="kept")

    rule = invoke("access", "allow", "--from", write("share,to\nkept,alice\nkept,a/b\n"))
    deletion = invoke("share", "delete", "--from", write('{"share": "kept"}\n{"share": 7}'))

    assert (rule.exit_code, deletion.exit_code) == (3, 3)
    assert "items:3: to: is not a user or group name" in rule.output
    assert "items:2: share: is not a text: 7" in deletion.output
    assert (share.refresh().status, share.access_rules) == ("available", ())


@pytest.mark.parametrize(
    "words",
    [
        "share create",
        "share create --batch-id x",
        "share create --from items --size 1",
        "share delete",
        "share delete name --from items",
        "access allow name",
        "access allow --from items --level ro",
    ],
)
def test_a_command_takes_its_options_or_a_file(invoke: CommandLine, words: str) -> None:
    result = invoke(*words.split())

    assert result.exit_code == 2, result.output
    assert "Nothing was done" in result.output
