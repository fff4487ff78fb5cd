"""Where a command writes: its result in the format that was asked for, messages, a spinner, and errors."""

# ruff: noqa: PLC0415 - Rich is imported when something is printed as text
from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from share_actors.cli.output.cells import Reader, escape
from share_actors.cli.output.columns import Table, untitled
from share_actors.cli.output.documents import csv_text, json_text, plain_data, yaml_text
from share_actors.cli.output.errors import error_document, next_step
from share_actors.cli.output.view import View
from share_actors.errors import ShareActorsError
from share_actors.values.checks.escaping import escaped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from share_actors.cli.output.lines import Lines

PIPE_WIDTH = 100_000
"""Columns of output that is not a terminal: nothing is cut or wrapped."""


class _DiscardedStdout(io.StringIO):
    """A stdout that discards what is written; its file descriptor is still that of stdout."""

    def fileno(self) -> int:
        """The file descriptor of the real stdout."""
        return 1


class Output:
    """Where a command writes: results to stdout, everything else to stderr."""

    def __init__(self, view: View | None = None, *, as_json: bool = False) -> None:
        self.view = view or View(format="json" if as_json else "table")
        self.table: Table | None = None
        """The table that the command declares."""
        self.one_line = False
        """Whether JSON documents are printed in one line each, since the command prints several."""
        self.stdout, self._stderr = sys.stdout, sys.stderr
        self._documents = 0

    @property
    def as_json(self) -> bool:
        """Whether everything, also an error, is printed as a document."""
        return self.view.is_document

    @property
    def encoding(self) -> str:
        """The encoding of the results."""
        return getattr(self.stdout, "encoding", None) or "utf-8"

    @cached_property
    def out(self) -> Console:
        """The console of results."""
        return _console(self.stdout)

    @cached_property
    def err(self) -> Console:
        """The console of everything else."""
        return _console(self._stderr)

    def reserve_stdout(self, *, debug: bool) -> None:
        """Keep stdout for results: other code, such as Ray, writes to stderr (*debug*) or nowhere."""
        sys.stdout = sys.stderr if debug else _DiscardedStdout()

    # -- documents -------------------------------------------------------------------------------
    def print_json(self, document: Any) -> None:
        """Print the one document of a command: as JSON, or in the format that was asked for."""
        self._print_document(document, None if self.one_line else 2)

    def print_json_line(self, document: Any) -> None:
        """Print one document of several: as JSON in one line, or in the format that was asked for."""
        self._print_document(document, None)

    def _print_document(self, document: Any, indent: int | None) -> None:
        if not self.view.has_documents and not self.view.is_for_people:
            self._print_row_of(document)
        elif self.view.format == "yaml":
            separator = "---\n" if self._documents else ""
            self._write(separator + yaml_text(document, self.encoding))
        elif self.view.render is not None:
            self._write_raw(self.view.render(plain_data(document)))
        else:
            self._write(json_text(document, indent) + "\n")
        self._documents += 1

    def _print_row_of(self, document: Any) -> None:
        """Print *document*, the outcome of one request, as a row of the command's table."""
        if self.table is not None and isinstance(document, Mapping):
            self._print_rows(self.table.of_documents(), [document])

    def _write(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _write_raw(self, text: str) -> None:
        """Write *text* and a newline; on a terminal with escapes for what would drive it."""
        shown = escaped(text, keep="\n\t") if self.stdout.isatty() else text
        self._write(shown if shown.endswith("\n") else f"{shown}\n")

    # -- lists -----------------------------------------------------------------------------------
    def print_items(
        self,
        table: Table,
        items: Iterable[Any],
        document: Callable[[list[Any]], Any],
        *,
        show: Callable[[], None] | None = None,
    ) -> None:
        """Print *items* as rows of *table*, or the *document* that is made of them, sorted.

        *show* prints them for people, if not as the table, and unless columns were chosen.
        """
        from share_actors.cli.output.columns import sorted_by

        found = sorted_by(table, items, self.view.sort)
        if self.view.is_for_people and show is not None and not self.view.columns:
            show()
        elif self.view.is_for_people:
            self.print_table(table, found)
        elif self.view.has_documents:
            self.print_json(document(found))
        else:
            self._print_rows(table, found)

    def print_each(
        self,
        table: Table,
        items: Iterable[Any],
        document: Callable[[Any], Any],
        nothing: str = "",
    ) -> None:
        """Print *items* as rows of *table*, or a document of each as it comes; or *nothing*."""
        from share_actors.cli.output.columns import sorted_by

        found = items if self.view.sort is None else sorted_by(table, items, self.view.sort)
        if self.view.has_documents:
            for item in found:
                self.print_json_line(document(item))
            return
        rows = list(found)
        if not self.view.is_for_people:
            self._print_rows(table, rows)
        elif rows:
            self.print_table(table, rows)
        else:
            self.print_message(escape(nothing))

    def _print_rows(self, table: Table, items: Sequence[Any]) -> None:
        """Print *items* for programs: their names, their ids, or CSV."""
        if self.view.quiet:
            lines = list(table.names_of(items))
        elif self.view.format == "name":
            lines = [f"{table.prefix}/{name}" for name in table.names_of(items)]
        else:
            self._print_csv(table, items)
            return
        if lines:
            self._write_raw("\n".join(lines))

    def _print_csv(self, table: Table, items: Sequence[Any]) -> None:
        shown = table.chosen(self.view.columns) if self.view.columns else table
        rows: list[list[object]] = [[c.of(item) for c in shown.columns] for item in items]
        if self.view.headers and not self._documents:
            rows.insert(0, [column.field for column in shown.columns])
        if rows:
            self._write_raw(csv_text(rows))

    # -- text ------------------------------------------------------------------------------------
    def print(self, text: str) -> None:
        """Print a line of the result, which may contain markup; nothing unless it is for people."""
        if self.view.is_for_people:
            _print_text(self.out, text)

    def print_message(self, text: str) -> None:
        """Print a line about the result to stderr, which may contain markup; nothing with `--json`."""
        if not self.view.is_document:
            _print_text(self.err, text)

    def print_table(self, table: Table | Sequence[str], rows: Iterable[Any]) -> None:
        """Print *rows* of a table; of titles alone, each row is a tuple. Says which columns have no room."""
        declared = table if isinstance(table, Table) else untitled(tuple(table))
        laid = self._lines.of_table(declared, list(rows))
        self._lines.write(laid.lines)
        if laid.hidden:
            choice = ", --columns some" if declared is self.table else ""
            hidden = escape(", ".join(laid.hidden))
            self.print_message(f"[dim]No room for {hidden}: -o wide shows all{choice}.[/]")

    def print_section(self, table: Table | Sequence[str], rows: Sequence[Any]) -> None:
        """Print an empty line and a table; nothing if there are no rows."""
        if rows:
            self.print("")
            self.print_table(table, rows)

    def build_table(self, table: Table | Sequence[str], rows: Iterable[Any]) -> Text:
        """A table as Rich shows it, such as in a display that changes."""
        declared = table if isinstance(table, Table) else untitled(tuple(table))
        return self._lines.text(self._lines.of_table(declared, list(rows)).lines)

    def print_fields(self, fields: Mapping[str, Any]) -> None:
        """Print names and values, one pair per line."""
        self._lines.write(self._lines.of_fields(fields))

    @property
    def _lines(self) -> Lines:
        from share_actors.cli.output.lines import Lines

        times = self.view.times or (self.table.times if self.table else "relative")
        reader = Reader(datetime.now(UTC), times, self.encoding)
        return Lines(self.out, self.stdout, self.view, reader, self.table)

    @contextmanager
    def spinner(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show *text* with a spinner during the block, if stderr is a terminal.

        The block gets a function that shows another text; if stderr is no terminal, as a line.
        """
        if not self.view.is_for_people or not self.err.is_terminal:
            yield lambda other: self.print_message(escape(other))
        else:
            kind = "line" if self.err.options.ascii_only else "dots"
            with self.err.status(escape(text), spinner=kind) as status:
                yield lambda other: status.update(escape(other))

    def print_error(self, error: ShareActorsError, command: str) -> None:
        """Print what was wrong and what to do next; with `--json` a document on stdout."""
        if self.as_json:
            self.print_json({"error": error_document(error)})
            return
        _print_text(self.err, f"[bold red]Error:[/] {_indented(error.message)}")
        _print_text(self.err, f"  {escape(next_step(error, command))}")


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    console = Console(file=stream, emoji=False)
    return console if console.is_terminal else Console(file=stream, width=PIPE_WIDTH, emoji=False)


def _print_text(console: Console, text: str) -> None:
    """Print *text* wrapped between words: no word is broken."""
    from share_actors.cli.output.lines import wrapped

    for line in wrapped(escaped(text, keep="\n"), console.file):
        console.print(line, highlight=False, soft_wrap=True)


def _indented(text: str) -> str:
    """*text* as markup; its further lines, such as those of a driver's traceback, are indented."""
    return "\n    ".join(map(escape, text.strip().splitlines()))
