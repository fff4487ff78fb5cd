"""Output of commands: tables that break no word, documents for programs, a spinner, and errors."""

from share_actors.cli.output.cells import count, escape
from share_actors.cli.output.columns import Column, Table
from share_actors.cli.output.errors import error_document, next_step
from share_actors.cli.output.times import format_time
from share_actors.cli.output.view import View
from share_actors.cli.output.writer import Output

__all__ = [
    "Column",
    "Output",
    "Table",
    "View",
    "count",
    "error_document",
    "escape",
    "format_time",
    "next_step",
]
