"""What people and scripts see: tables, one JSON document, a spinner, and errors of two lines."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from share_actors.errors import Busy, ShareActorsError

_WIDE = 100_000
"""For pipes: nothing is cut, nothing is wrapped."""
STATUS_COLOURS = {
    "available": "green", "active": "green", "error": "bold red", "deleting": "yellow",
    "deleted": "dim", "creating": "yellow", "extending": "yellow", "shrinking": "yellow",
    "queued": "yellow", "applying": "yellow", "denying": "yellow", "up": "green",
    "down": "bold red", "starting": "yellow", "manage_error": "bold red",
    "unmanage_error": "bold red", "unmanaged": "dim",
}  # fmt: skip
NEXT_STEPS = {
    "invalid_request": "Nothing was recorded. `share-actors {command} --help` says what is expected.",
    "config": "Nothing was started and nothing was recorded. `share-actors config check` tells more.",
    "not_found": "Nothing was recorded. `share list`, `snapshot list`, `access list SHARE`, `network list`,"
    " `server list` and `type list` tell what there is.",
    "ambiguous": "Nothing was recorded. Say the id instead of the name.",
    "no_valid_host": "Nothing was recorded. `share-actors backend list` tells what each backend has.",
    "refused": "Nothing was recorded. `share-actors share show SHARE` tells its present state.",
    "failed": "The request and its failure are recorded: see `share-actors share history {share}`. Mend the"
    " cause, then `share-actors share retry {share}`.",
    "timeout": "The request is recorded and goes on. `share-actors share show {share}` tells how it is.",
    "busy": "Nothing was recorded. Try again in {retry_after:g} s.",
    "unavailable": "All that was recorded is safe in the log. `share-actors status` tells what runs.",
    "log": "Nothing was recorded. `share-actors config show` tells where the log is.",
    "log_too_new": "Nothing was recorded. Run the newer version of this program.",
}


class _Unheard(io.StringIO):
    """Where writing to stdout leads to nothing; a broken pipe is still that of stdout."""

    def fileno(self) -> int:
        return 1


class Output:
    """Where a command writes. Results go to stdout; all else goes to stderr."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.stdout = sys.stdout
        self.out = _console(self.stdout)
        self.err = _console(sys.stderr)

    def keep_stdout(self, *, debug: bool) -> None:
        """From now on nobody else writes to stdout: Ray tells there of processes that died."""
        sys.stdout = sys.stderr if debug else _Unheard()

    def document(self, document: Any) -> None:
        """One JSON document, and all that stdout gets."""
        self.stdout.write(json.dumps(document, indent=2, default=str) + "\n")
        self.stdout.flush()

    def say(self, text: str) -> None:
        """A sentence of the result, for people; may hold markup."""
        if not self.as_json:
            self.out.print(text, highlight=False)

    def note(self, text: str) -> None:
        """A sentence beside the result; may hold markup."""
        if not self.as_json:
            self.err.print(text, highlight=False)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Rows beneath their headings; statuses are coloured on a terminal."""
        self._print(self.made(columns, rows))

    def made(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
        """Such a table, to be shown."""
        made = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            made.add_column(column, overflow="fold", no_wrap=column in ("ID", "RULE", "SNAPSHOT"))
        for row in rows:
            made.add_row(*(shown(cell) for cell in row))
        return made

    def line(self, document: Any) -> None:
        """One JSON document of many, a line each."""
        self.stdout.write(json.dumps(document, default=str) + "\n")
        self.stdout.flush()

    def fields(self, fields: Mapping[str, Any]) -> None:
        """Names and values, one a line."""
        made = Table(box=None, pad_edge=False, show_header=False)
        made.add_column(style="bold")
        made.add_column(overflow="fold")
        for name, value in fields.items():
            made.add_row(name, shown(value))
        self._print(made)

    def _print(self, table: Table) -> None:
        """For a pipe without the blanks that fill up the last column."""
        if self.out.is_terminal:
            self.out.print(table)
            return
        with self.out.capture() as captured:
            self.out.print(table)
        for line in captured.get().splitlines():
            self.stdout.write(line.rstrip() + "\n")
        self.stdout.flush()

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """A spinner beside the work, if anybody looks."""
        if self.as_json or not self.err.is_terminal:
            yield
        else:
            with self.err.status(escape(text)):
                yield

    def error(self, error: ShareActorsError, command: str) -> None:
        """What was wrong and what to do next; with `--json` a document on stdout."""
        if self.as_json:
            self.document({"error": error_document(error)})
            return
        self.err.print(f"[bold red]Error:[/] {escape(error.message)}", highlight=False)
        self.err.print(f"  {escape(next_step(error, command))}", highlight=False)


def _console(stream: TextIO) -> Console:
    console = Console(file=stream)
    return console if console.is_terminal else Console(file=stream, width=_WIDE)


def error_document(error: ShareActorsError) -> dict[str, Any]:
    """The error for scripts."""
    return {
        "code": error.code,
        "message": error.message,
        "field": error.field,
        "value": error.value,
        "details": error.details,
        "exit_code": error.exit_code,
    }


def next_step(error: ShareActorsError, command: str) -> str:
    """What was kept, and what to do: the second line of an error."""
    said = error.details.get("next_step") or NEXT_STEPS.get(error.code, "")
    return str(said).format(
        command=command,
        share=error.details.get("share_id") or "SHARE",
        retry_after=error.retry_after if isinstance(error, Busy) else 0,
    )


def shown(value: Any) -> str:
    """A table's cell, as markup."""
    match value:
        case None | "":
            return "-"
        case True:
            return "yes"
        case False:
            return "no"
        case datetime():
            return when(value)
        case str() if value in STATUS_COLOURS:
            return f"[{STATUS_COLOURS[value]}]{value}[/]"
        case _:
            return escape(str(value))


def when(at: datetime) -> str:
    """A moment, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
