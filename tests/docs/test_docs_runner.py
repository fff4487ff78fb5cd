"""The runner of pages reports every difference with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.docs_runner import Reader, pattern
from tests.docs.pages import ROOT, blocks


def page(directory: Path, text: str) -> Path:
    made = ROOT / "docs" / f"{directory.name}.md"  # nothing is written there
    written = directory / made.name
    written.write_text(text, encoding="utf-8")
    return written


@pytest.fixture
def try_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tests.docs.pages.ROOT", tmp_path)
    return tmp_path


def follow(directory: Path, text: str) -> None:
    Reader(directory, entry_point=True).follow(page(directory, text))


def test_output_that_equals_the_page_passes(try_page: Path) -> None:
    follow(try_page, "```console\n$ echo one two\none two\n$ echo three\n```\n")


def test_output_that_differs_from_the_page_is_reported_with_its_line(try_page: Path) -> None:
    with pytest.raises(AssertionError, match=r"\.md:3: echo two: printed:\ntwo"):
        follow(try_page, "text\n```console\n$ echo two\nthree\n```\n")


def test_a_command_that_fails_is_reported_with_its_line(try_page: Path) -> None:
    with pytest.raises(AssertionError, match=r"\.md:2: false: ended with 1"):
        follow(try_page, "```console\n$ false\n```\n")


def test_python_that_fails_is_reported_with_the_line_of_the_page(try_page: Path) -> None:
    text = "one\n\n```python\nx = 1\n```\n\nthree\n\n```python\nassert x == 2\n```\n"

    with pytest.raises(AssertionError, match=r"line 10, in <module>\n.*assert x == 2"):
        follow(try_page, text)


def test_files_that_a_page_shows_exist_for_its_commands(try_page: Path) -> None:
    follow(try_page, "```toml\n# a.toml\nx = 1\n```\n\n```console\n$ cat a.toml\n# a.toml\n```\n")


def test_sh_blocks_are_not_run(try_page: Path) -> None:
    follow(try_page, "```sh\n$ false\n```\n")


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("id 5b2c6e7e-11f0-4b5e-9d57-0a3c1c6a3b0e", "id 0387101b-3eaa-4b18-a199-8a2720ff05e9"),
        ("2026-03-14 09:26:53 UTC  x", "2027-01-01 00:00:00 UTC x"),
        ("at 127.0.0.1:40123.", "at 127.0.0.1:6379."),
        ("a   b", "a b"),
        ("from ... to", "from here\nto there to"),
        ("/home/alice/log.db", "/elsewhere/log.db"),
    ],
)
def test_ids_times_addresses_widths_and_ellipses_may_differ(shown: str, printed: str) -> None:
    assert re.search(pattern(shown, Path("/elsewhere")), printed, re.DOTALL)


def test_all_other_output_that_a_page_shows_must_be_printed() -> None:
    assert not re.search(pattern("status  available", Path("/")), "status  error")


def test_blocks_know_the_line_that_they_begin_on(tmp_path: Path) -> None:
    written = page(tmp_path, "one\n\n```python\nx\n```\n")

    [block] = blocks(written)

    assert (block.language, block.text, block.line) == ("python", "x\n", 4)
