"""Output of commands: tables, one JSON document, a spinner, and errors of two lines."""

# ruff: noqa: PLC0415 - Rich is imported when something is printed as text
from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from share_actors.errors import Busy, ShareActorsError
from share_actors.values.checks.escaping import escaped
from share_actors.values.checks.urls import without_url_passwords

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPE_WIDTH = 100_000
"""Columns of output that is not a terminal: nothing is cut or wrapped."""
MANY_ROWS = 1000
"""Rich takes 2 ms for a row; above this number a table is printed without it."""
ID_COLUMNS = ("ID", "RULE", "SNAPSHOT")
_STATUSES_BY_COLOUR = {
    "green": ("available", "active", "up", "ok"),
    "yellow": (
        *("creating", "extending", "shrinking", "reverting", "deleting", "starting"),
        *("queued", "applying", "denying", "restoring", "warning"),
    ),
    "bold red": ("error", "reverting_error", "manage_error", "unmanage_error", "down", "missing"),
    "dim": ("deleted", "unmanaged"),
}
STATUS_COLOURS = {
    status: colour for colour, statuses in _STATUSES_BY_COLOUR.items() for status in statuses
}
NEXT_STEPS = {
    "invalid_request": "Nothing was recorded. Run `share-actors {command} --help` to see the expected input.",
    "config": "Nothing was started or recorded. Run `share-actors config check` for details.",
    "not_found": "Nothing was recorded. List what exists with `share list`, `snapshot list`,"
    " `access list SHARE`, `network list`, `server list` or `type list`.",
    "ambiguous": "Nothing was recorded. Use the id instead of the name.",
    "no_valid_host": "Nothing was recorded. `share-actors backend list` shows the state of each backend,"
    " `backend stats` its capacity.",
    "refused": "Nothing was recorded. `share-actors share show {share}` shows the current state.",
    "forbidden": "Nothing was recorded. `share-actors whoami` shows on whose behalf you act.",
    "failed": "The request and its failure are recorded: see `share-actors share history {share}`."
    " Fix the cause, then run `share-actors share retry {share}`.",
    "timeout": "The request is recorded and still in progress."
    " `share-actors share show {share}` shows its state.",
    "busy": "Nothing was recorded. Try again in {retry_after:g} s.",
    "unavailable": "Everything recorded is safe in the log. `share-actors status` shows what is running.",
    "log": "Nothing was recorded. `share-actors config show` shows where the log is.",
    "log_in_doubt": "It is not known whether the request was recorded. `share-actors share history {share}`"
    " shows what is recorded.",
    "log_too_new": "Nothing was recorded. Use the version of share-actors that wrote the log, or later.",
}
"""The second line of an error, by its code."""


class _DiscardedStdout(io.StringIO):
    """A stdout that discards what is written; its file descriptor is still that of stdout."""

    def fileno(self) -> int:
        """The file descriptor of the real stdout."""
        return 1


class Output:
    """Where a command writes: results to stdout, everything else to stderr."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.one_line = False
        """Whether JSON documents are printed in one line each, since the command prints several."""
        self.stdout, self._stderr = sys.stdout, sys.stderr

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

    # -- JSON ------------------------------------------------------------------------------------
    def print_json(self, document: Any) -> None:
        """Print the one JSON document of a command."""
        self._write_line(_json(document, indent=None if self.one_line else 2))

    def print_json_line(self, document: Any) -> None:
        """Print one JSON document of several, in one line."""
        self._write_line(_json(document))

    def _write_line(self, text: str) -> None:
        self.stdout.write(text + "\n")
        self.stdout.flush()

    # -- text ------------------------------------------------------------------------------------
    def print(self, text: str) -> None:
        """Print a line of the result, which may contain markup; nothing with `--json`."""
        if not self.as_json:
            self.out.print(escaped(text, keep="\n"), highlight=False)

    def print_message(self, text: str) -> None:
        """Print a line about the result to stderr, which may contain markup; nothing with `--json`."""
        if not self.as_json:
            self.err.print(escaped(text, keep="\n"), highlight=False)

    def print_table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Print a table; one of more than `MANY_ROWS` rows without colours, its lines not wrapped."""
        found = list(rows)
        if len(found) <= MANY_ROWS:
            self._print_table(self.build_table(columns, found))
            return
        self.stdout.writelines(f"{line}\n" for line in plain_table(columns, found))
        self.stdout.flush()

    def print_section(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print an empty line and a table; nothing if there are no rows."""
        if rows:
            self.print("")
            self.print_table(columns, rows)

    def build_table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
        """A table with formatted cells; statuses are coloured on a terminal."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column in ID_COLUMNS)
        for row in rows:
            table.add_row(*map(format_cell, row))
        return table

    def print_fields(self, fields: Mapping[str, Any]) -> None:
        """Print names and values, one pair per line."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in fields.items():
            table.add_row(name, format_cell(value))
        self._print_table(table)

    def _print_table(self, table: Table) -> None:
        """Print *table*; not on a terminal, without the blanks that pad the last column."""
        if self.out.is_terminal:
            self.out.print(table)
            return
        with self.out.capture() as captured:
            self.out.print(table)
        for line in captured.get().splitlines():
            self.stdout.write(line.rstrip() + "\n")
        self.stdout.flush()

    @contextmanager
    def spinner(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show *text* with a spinner during the block, if stderr is a terminal.

        The block gets a function that shows another text; if stderr is no terminal, as a line.
        """
        if self.as_json or not self.err.is_terminal:
            yield lambda other: self.print_message(escape(other))
        else:
            with self.err.status(escape(text)) as status:
                yield lambda other: status.update(escape(other))

    def print_error(self, error: ShareActorsError, command: str) -> None:
        """Print what was wrong and what to do next; with `--json` a document on stdout."""
        if self.as_json:
            self.print_json({"error": error_document(error)})
            return
        self.err.print(f"[bold red]Error:[/] {_indented(error.message)}", highlight=False)
        self.err.print(f"  {escape(next_step(error, command))}", highlight=False)


def _json(document: Any, indent: int | None = None) -> str:
    """*document* as JSON in ASCII, with the newlines of *indent* as its only control characters."""
    text = json.dumps(document, indent=indent, default=str).replace("\x7f", "\\u007f")
    return without_url_passwords(text)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    console = Console(file=stream)
    return console if console.is_terminal else Console(file=stream, width=PIPE_WIDTH)


# -- errors --------------------------------------------------------------------------------------
def error_document(error: ShareActorsError) -> dict[str, Any]:
    """The error as JSON."""
    return {
        "code": error.code,
        "message": error.message,
        "field": error.field,
        "value": error.value,
        "details": error.details,
        "exit_code": error.exit_code,
    }


def next_step(error: ShareActorsError, command: str) -> str:
    """What was kept and what to do next: the second line of an error."""
    template = error.details.get("next_step") or NEXT_STEPS.get(error.code, "")
    return str(template).format(
        command=command,
        share=error.details.get("share_id") or "SHARE",
        retry_after=error.retry_after if isinstance(error, Busy) else 0,
    )


def _indented(text: str) -> str:
    """*text* as markup; its further lines, such as those of a driver's traceback, are indented."""
    return "\n    ".join(map(escape, text.strip().splitlines()))


# -- values as text ------------------------------------------------------------------------------
def count(number: int, noun: str) -> str:
    """*number* and *noun*, which gets an *s* or *es* unless the number is 1: `1 share`, `2 processes`."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def escape(text: str) -> str:
    """*text* as markup in one line, shown literally, without control characters and URLs' passwords."""
    from rich.markup import escape as escape_markup

    return escape_markup(escaped(without_url_passwords(text)))


def format_cell(value: Any) -> str:
    """*value* as the markup of a table cell; the items of a tuple are lines."""
    match value:
        case None | "":
            return "-"
        case True:
            return "yes"
        case False:
            return "no"
        case datetime():
            return format_time(value)
        case str() if value in STATUS_COLOURS:
            return f"[{STATUS_COLOURS[value]}]{value}[/]"
        case tuple():
            return "\n".join(escape(str(item)) for item in value)
        case _:
            return escape(str(value))


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """The lines of a table as text; the items of a tuple are separated by commas."""
    from rich.cells import cell_len, set_cell_size

    cells = [list(columns), *([_plain_cell(value) for value in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _plain_cell(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_plain_cell, value))
    from rich.text import Text

    return Text.from_markup(format_cell(value), emoji=False).plain


def format_time(at: datetime) -> str:
    """*at* in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
