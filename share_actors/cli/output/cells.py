"""Values as texts of one line: for people, for CSV, and with markup."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from share_actors.cli.output.columns import Times
from share_actors.cli.output.times import format_age, format_time
from share_actors.values.checks.escaping import escaped
from share_actors.values.checks.urls import without_url_passwords

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


def count(number: int, noun: str) -> str:
    """*number* and *noun*, which gets an *s* or *es* unless the number is 1: `1 share`, `2 processes`."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def escape(text: str) -> str:
    """*text* as markup in one line, shown literally, without control characters and URLs' passwords."""
    from rich.markup import escape as escape_markup  # noqa: PLC0415 - for text alone

    return escape_markup(escaped(without_url_passwords(text)))


class Reader(NamedTuple):
    """For whom cells are written: the time now, how times are shown, and what can be printed."""

    now: datetime
    times: Times = "relative"
    encoding: str = "utf-8"

    def cell(self, value: object) -> str:
        """*value* as the text of a table cell."""
        if isinstance(value, datetime):
            return self.time(value)
        return self.printable(_text(value))

    def time(self, at: datetime) -> str:
        """*at* as the time or as an age."""
        return format_time(at) if self.times == "absolute" else format_age(at, self.now)

    def field(self, value: object) -> tuple[str, ...]:
        """The lines of the value of a field; a time is shown with its age."""
        if isinstance(value, datetime):
            age = "" if self.times == "absolute" else f" ({format_age(value, self.now)})"
            return (f"{format_time(value)}{age}",)
        if isinstance(value, tuple) and value:
            return tuple(map(self.cell, value))
        return (self.cell(value),)

    def printable(self, text: str) -> str:
        r"""*text* in one line, with escapes such as `\n` and `\xe9` for what can't be printed."""
        shown = escaped(without_url_passwords(text))
        if shown.isascii():
            return shown
        return shown.encode(self.encoding, "backslashreplace").decode(self.encoding)


def _text(value: object) -> str:
    match value:
        case None | "" | ():
            return "-"
        case True:
            return "yes"
        case False:
            return "no"
        case tuple() | list():
            return ", ".join(map(_text, value))
        case Mapping():
            return ", ".join(f"{key}={inner}" for key, inner in value.items()) or "-"
        case _:
            return str(value)


def csv_cell(value: Any) -> str:
    """*value* in CSV: nothing for None, a text as it is, a time in ISO 8601, anything else as JSON."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return without_url_passwords(
        value if isinstance(value, str) else json.dumps(value, default=str)
    )
