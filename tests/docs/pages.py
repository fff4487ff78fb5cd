"""The pages of the documentation and their contents: code, commands, configuration, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

ROOT = Path(__file__).parents[2]
LANGUAGES = ("python", "console", "sh", "toml")
"""`console` blocks are run; the commands of `sh` blocks, which are for other machines, are only parsed."""
_SPAN = re.compile(r"`(share-actors [^`]+)`")
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_FILE_NAME = re.compile(r"# ([\w.-]+\.(?:py|toml))\n")


class Block(NamedTuple):
    """A fenced block and the number of its first line."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The name of the file that the block shows, from a comment in its first line."""
        named = _FILE_NAME.match(self.text)
        return None if named is None else named[1]


class Shown(NamedTuple):
    """A command of a page and the output that the page shows."""

    command: str
    output: str
    line: int


def pages() -> list[Path]:
    """Every page, the README first."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _keep(example: Example) -> None:
    """Do nothing: blocks are only read."""


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """The fenced blocks of *page* in `LANGUAGES`, in order."""
    parsers = [CodeBlockParser(language, _keep) for language in LANGUAGES]
    document = Sybil(parsers).parse(page)
    return tuple(
        Block(example.region.lexemes["arguments"], str(example.parsed), example.line + 1)
        for example in document.examples()
    )


def of(page: Path, *languages: str) -> list[Block]:
    return [block for block in blocks(page) if block.language in languages]


def commands(block: Block) -> Iterator[Shown]:
    """Each line of *block* that begins with `$ `, and the lines after it up to the next one."""
    command, output, line = "", "", 0
    for number, text in enumerate(block.text.splitlines(), block.line):
        if text.startswith("$ "):
            if command:
                yield Shown(command, output, line)
            command, output, line = text[2:], "", number
        else:
            output += text + "\n"
    if command:
        yield Shown(command, output, line)


def spans(page: Path) -> list[str]:
    """The command lines in the text itself, between backticks."""
    return _SPAN.findall(_FENCED.sub("", page.read_text(encoding="utf-8")))
