"""Tables and fields as lines of text: as wide as the terminal, and with its colours."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import IO, Any, NamedTuple, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from share_actors.cli.output.cells import STATUS_COLOURS, Reader
from share_actors.cli.output.columns import Table
from share_actors.cli.output.layout import (
    Line,
    is_wide_only,
    lay_out,
    lay_out_fields,
    plain,
    wrap,
)
from share_actors.cli.output.view import View

FALLBACK_WIDTH = 80
MANY_LINES = 1000
"""Above this number of lines a table is printed without colours, for which Rich takes 0.1 ms a line."""
VERBATIM = (
    "id",
    "name",
    "path",
    "mount",
    "export_locations",
    "location",
    "file",
    "host",
    "address",
)
"""Fields whose values are not wrapped, not even at a blank: people copy them."""


class StyledLine(NamedTuple):
    """A line, and whether it is a header."""

    line: Line
    is_header: bool = False


class LaidTable(NamedTuple):
    """The lines of a table, and the titles of the columns for which there is no room."""

    lines: list[StyledLine]
    hidden: list[str]


class Lines(NamedTuple):
    """Lays out and writes what is for people."""

    console: Console
    stdout: TextIO
    view: View
    reader: Reader
    declared: Table | None = None
    """The table of the command, of which `--columns` chooses columns."""

    @property
    def width(self) -> int | None:
        """How many characters a line has room for; None if that does not matter."""
        return None if self.view.format == "wide" else terminal_width(self.stdout)

    def of_table(self, table: Table, items: Sequence[Any]) -> LaidTable:
        """The lines of *items* as rows of *table*."""
        chosen = self._chosen(table)
        rows = [[self.reader.cell(c.for_people(item)) for c in chosen.columns] for item in items]
        laid = lay_out(chosen.columns, rows, self.width)
        if laid.hidden and self._chooses(table):  # what was asked for is shown
            laid = lay_out(chosen.columns, rows, None)
        header = [StyledLine(laid.header, is_header=True)] if self.view.headers else []
        hidden = [chosen.columns[n].title for n in laid.hidden]
        return LaidTable([*header, *map(StyledLine, laid.lines)], hidden)

    def _chooses(self, table: Table) -> bool:
        return bool(self.view.columns) and table is self.declared

    def _chosen(self, table: Table) -> Table:
        """*table* with the columns that were asked for: all of them with `-o wide`."""
        if self._chooses(table):
            return table.chosen(self.view.columns)
        if self.view.format == "wide":
            return table
        return Table(table.noun, tuple(c for c in table.columns if not is_wide_only(c)))

    def of_fields(self, fields: Mapping[str, Any]) -> list[StyledLine]:
        """The lines of names and values."""
        found = (
            (self.reader.printable(name), self.reader.field(value), _wraps(name, value))
            for name, value in fields.items()
        )
        return [StyledLine(line) for line in lay_out_fields(found, self.width)]

    def write(self, lines: Sequence[StyledLine]) -> None:
        """Write *lines*, in colours if the terminal has some."""
        if self.console.color_system is None or len(lines) > MANY_LINES:
            self.stdout.writelines(f"{plain(line.line)}\n" for line in lines)
            self.stdout.flush()
            return
        for line in lines:
            self.console.print(_styled(line), soft_wrap=True, highlight=False)

    def text(self, lines: Iterable[StyledLine]) -> Text:
        """*lines* as Rich shows them."""
        return Text("\n", no_wrap=True, overflow="ignore").join(map(_styled, lines))


def _wraps(name: str, value: object) -> bool:
    return not isinstance(value, tuple) and name.lower() not in VERBATIM


def _styled(line: StyledLine) -> Text:
    text, reached = Text(no_wrap=True, overflow="ignore"), 0
    for piece in line.line:
        text.append(" " * (piece.at - reached))
        bold = line.is_header or piece.column < 0
        text.append(piece.text, style="bold" if bold else STATUS_COLOURS.get(piece.text, ""))
        reached = piece.at + cell_len(piece.text)
    return text


def wrapped(markup: str, stream: IO[str]) -> Iterator[Text]:
    """The lines of *markup* on *stream*: wrapped between words, if it is a terminal."""
    width = terminal_width(stream)
    for line in Text.from_markup(markup, emoji=False).split("\n", allow_blank=True):
        if width is None or line.cell_len <= width:
            yield line
            continue
        ends = accumulate(len(part) + 1 for part in wrap(line.plain, width))
        for part in line.divide(end for end in ends if end < len(line)):
            part.rstrip()
            yield part


def terminal_width(stream: IO[str]) -> int | None:
    """The width of the terminal that *stream* is, or that COLUMNS gives for it; None if it is none."""
    if not stream.isatty():
        return None
    return next(_known_widths(stream), FALLBACK_WIDTH)


def _known_widths(stream: IO[str]) -> Iterator[int]:
    asked = os.environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdigit() and int(asked[:6]) > 0:
        yield int(asked[:6])
    try:
        found = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return
    if found > 0:
        yield found
