"""Files of items: CSV with a header, or JSON Lines. They may be larger than the memory."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple, NoReturn

from share_actors.errors import InvalidRequest, shorten, showable, shown

MAX_LINE = 1 << 20
"""The most bytes of a line."""
MAX_DIGITS = 18
IN_MEMORY = 8 << 20
"""A file of more bytes is copied to a temporary file rather than to memory."""
BOM = b"\xef\xbb\xbf"
STDIN = "-"


class Row(NamedTuple):
    """An item of a file, and the number of its first line, from 1."""

    line: int
    item: dict[str, Any]


class Columns(NamedTuple):
    """The columns that a CSV file may have; *numbers* and *flags* are not texts.

    A column `metadata.KEY` is a value of the mapping *metadata*, if that is one of the *mappings*.
    """

    names: Collection[str]
    numbers: Collection[str] = ()
    flags: Collection[str] = ()
    mappings: Collection[str] = ()

    def has(self, name: str) -> bool:
        """Whether a file may have a column of this *name*."""
        mapping, period, key = name.partition(".")
        return name in self.names or bool(period and key and mapping in self.mappings)


class BatchFile:
    """A copy of a file of items, so that nobody changes it between its check and its use."""

    def __init__(self, name: str, copy: IO[bytes], columns: Columns) -> None:
        self.name, self._copy, self._columns = name, copy, columns

    def rows(self) -> Iterator[Row]:
        """All items, from the first on; raises `InvalidRequest` naming the file, line, field and value."""
        self._copy.seek(0)
        start = self._copy.read(len(BOM))
        self._copy.seek(len(BOM) if start == BOM else 0)
        lines = _Lines(self.name, self._copy)
        first = lines.peek()
        if first.startswith("["):
            text = "is a JSON array: write one object a line (JSON Lines)"
            lines.refuse(text, first.rstrip(), lines.number + 1)
        yield from self._objects(lines) if first.startswith("{") else self._records(lines)

    # -- JSON Lines ------------------------------------------------------------------------------
    def _objects(self, lines: _Lines) -> Iterator[Row]:
        for text in lines:
            if text.strip():
                yield Row(lines.number, _object(lines, text))

    # -- CSV -------------------------------------------------------------------------------------
    def _records(self, lines: _Lines) -> Iterator[Row]:
        reader = csv.reader(lines, strict=True)
        header = self._header(lines, reader)
        for cells, line in _csv_rows(lines, reader):
            if len(cells) != len(header):
                text = f"has {len(cells)} cells, and the header {len(header)}"
                lines.refuse(text, ",".join(cells), line)
            yield Row(line, self._item(lines, line, zip(header, cells, strict=True)))

    def _header(self, lines: _Lines, reader: Iterator[list[str]]) -> list[str]:
        header, line = next(_csv_rows(lines, reader), ([], 1))
        header = [name.strip() for name in header]
        for n, name in enumerate(header):
            if not self._columns.has(name):
                known = ", ".join(sorted({*self._columns.names, *self._mapped()}))
                lines.refuse(f"unknown column; there are: {known}", name, line, field=name)
            if name in header[:n]:
                lines.refuse("the column is there twice", name, line, field=name)
        return header

    def _mapped(self) -> list[str]:
        return [f"{name}.KEY" for name in self._columns.mappings]

    def _item(self, lines: _Lines, line: int, cells: Iterator[tuple[str, str]]) -> dict[str, Any]:
        item: dict[str, Any] = {}
        for name, cell in cells:
            if not cell:
                continue
            mapping, _, key = name.partition(".")
            if key:
                item.setdefault(mapping, {})[key] = cell
            else:
                item[name] = self._value(lines, line, name, cell)
        return item

    def _value(self, lines: _Lines, line: int, name: str, cell: str) -> Any:
        if name in self._columns.flags:
            if cell not in ("true", "false"):
                lines.refuse("is not true or false", cell, line, field=name)
            return cell == "true"
        if name in self._columns.numbers:
            if not (cell.isascii() and cell.isdigit() and len(cell) <= MAX_DIGITS):
                lines.refuse("is not a whole number", cell, line, field=name)
            return int(cell)
        return cell


class _Lines:
    """The lines of a file as texts, each with its line break."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name, self._file = name, file
        self._peeked: str | None = None
        self.number = 0
        """Of the last line that was read, from 1."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        text = self._read() if self._peeked is None else self._peeked
        self._peeked = None
        if not text:
            raise StopIteration
        self.number += 1
        return text

    def peek(self) -> str:
        """The first line that is not blank, without its leading blanks; the lines before it are skipped."""
        while (text := self._read()) and not text.strip():
            self.number += 1
        self._peeked = text
        return text.lstrip()

    def _read(self) -> str:
        raw = self._file.readline(MAX_LINE + 1)
        line = self.number + 1
        if len(raw) > MAX_LINE:
            self.refuse(f"is longer than {MAX_LINE} bytes", raw[:80], line)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            text = f"is not UTF-8 from byte {error.start + 1} on"
            self.refuse(text, raw[error.start : error.start + 16], line)

    def refuse(self, problem: str, value: object, line: int, field: str | None = None) -> NoReturn:
        """Raise `InvalidRequest` about a *line* of the file, and its *field* if it is about one."""
        raise refusal(
            self._name, line, f"{shorten(field or 'line')}: {problem}: {shown(value)}", field, value
        )


def refusal(name: str, line: int, text: str, field: str | None, value: object) -> InvalidRequest:
    """The error about a *line* of the file *name*."""
    told = showable(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
    details = {"file": name, "line": line}
    return InvalidRequest(f"{name}:{line}: {text}", field=field or "line", value=told, **details)


def _object(lines: _Lines, text: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                lines.refuse("the field is there twice", name, lines.number, field=name)
            found[name] = value
        return found

    def no_number(name: str) -> NoReturn:
        raise ValueError(f"{name} is not a JSON number")

    try:
        found = json.loads(text, object_pairs_hook=unique, parse_constant=no_number)
    except (ValueError, RecursionError) as error:
        lines.refuse(f"is not a JSON object ({error})", text.rstrip(), lines.number)
    if not isinstance(found, dict):
        lines.refuse("is not a JSON object", text.rstrip(), lines.number)
    return found


def _csv_rows(lines: _Lines, reader: Iterator[list[str]]) -> Iterator[tuple[list[str], int]]:
    """The rows that are not blank, each with the number of its first line."""
    while True:
        line = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.refuse(f"is not CSV ({error})", "", lines.number)
        if cells:
            yield cells, line


@contextmanager
def opened(name: str, columns: Columns) -> Iterator[BatchFile]:
    """The file *name*, `-` for stdin, copied; raises `InvalidRequest` if it cannot be read."""
    with SpooledTemporaryFile(max_size=IN_MEMORY) as copy:
        try:
            if name == STDIN:
                shutil.copyfileobj(sys.stdin.buffer, copy)
            else:
                with open(name, "rb") as file:
                    shutil.copyfileobj(file, copy)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            text = f"--from: {shown(name)} cannot be read: {reason}; nothing was recorded"
            raise InvalidRequest(text, field="from", value=showable(name)) from None
        yield BatchFile("stdin" if name == STDIN else name, copy, columns)
