"""How a result is shown: the options of output, checked before a command does anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from share_actors.cli.output.columns import Table, Times, sort_column
from share_actors.cli.output.jsonpath import template
from share_actors.errors import InvalidRequest, showable, shown

Format = Literal["table", "wide", "json", "yaml", "name", "csv", "jsonpath"]
FORMATS = get_args(Format)
FOR_PEOPLE = ("table", "wide")
JSONPATH = "jsonpath="
OF_ROWS = ("name", "csv")
"""Formats of commands that declare a table."""


@dataclass(frozen=True)
class View:
    """The format, and what of the result it has."""

    format: Format = "table"
    render: Callable[[Any], str] | None = None
    """The text of a document, with `jsonpath`."""
    columns: tuple[str, ...] = ()
    sort: str | None = None
    headers: bool = True
    quiet: bool = False
    times: Times | None = None

    @property
    def is_for_people(self) -> bool:
        """Whether the result is text for people: a table, fields or sentences."""
        return self.format in FOR_PEOPLE and not self.quiet

    @property
    def has_documents(self) -> bool:
        """Whether whole documents are the result, rather than a row or a name of each."""
        return self.format in ("json", "yaml", "jsonpath") and not self.quiet

    @property
    def is_document(self) -> bool:
        """Whether everything, also an error, is a document: of JSON or YAML."""
        return self.format in ("json", "yaml") and not self.quiet


def early_view(asked: str) -> View:
    """The view of errors before the options are checked: a document, if *asked* is one's format."""
    match asked:
        case "json" | "yaml":
            return View(format=asked)
        case _:
            return View()


def parse_view(options: Any, command: str, table: Table | None) -> View:
    """The view that *options* ask for; raises `InvalidRequest` if *command* has no such output."""
    chosen = options.output
    form, render = _format(("json" if options.json else "table") if chosen is None else chosen)
    view = View(
        format=form,
        render=render,
        columns=_names(options.columns),
        sort=options.sort,
        headers=not options.no_headers,
        quiet=options.quiet,
        times=_times(options.times),
    )
    _check(view, command, table)
    return view


def _format(text: str) -> tuple[Format, Callable[[Any], str] | None]:
    if text.startswith(JSONPATH):
        return "jsonpath", template(text.removeprefix(JSONPATH))
    if text in FORMATS and text != "jsonpath":
        return cast("Format", text), None
    known = ", ".join(f"{JSONPATH}EXPRESSION" if f == "jsonpath" else f for f in FORMATS)
    message = f"--output: {shown(text)} is not a format; there are {known}"
    raise InvalidRequest(message, field="output", value=showable(text))


def _names(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        message = "--columns: names no column; give names such as id,name"
        raise InvalidRequest(message, field="columns", value=showable(text))
    return names


def _times(text: str | None) -> Times | None:
    if text in (None, *get_args(Times)):
        return cast("Times | None", text)
    message = f"--times: {shown(text)} is not relative or absolute"
    raise InvalidRequest(message, field="times", value=showable(text))


def _check(view: View, command: str, table: Table | None) -> None:
    """Raise `InvalidRequest` if *view* asks for what the command's table does not have."""
    asked = {
        "columns": bool(view.columns),
        "sort": view.sort is not None,
        "quiet": view.quiet,
        "output": view.format in OF_ROWS,
    }
    if table is None:
        for option in (option for option, is_asked in asked.items() if is_asked):
            value = view.format if option == "output" else getattr(view, option)
            text = f"--{option}: `{command}` lists nothing; it has table, json, yaml and jsonpath"
            raise InvalidRequest(text, field=option, value=value)
        return
    table.chosen(view.columns)
    if view.sort is not None:
        sort_column(table, view.sort)
    _check_together(view, command, table)


def _check_together(view: View, command: str, table: Table) -> None:
    if view.columns and (view.quiet or view.format in ("json", "yaml", "jsonpath", "name")):
        other = "--quiet" if view.quiet else f"-o {view.format}"
        text = f"--columns: {other} shows no columns; use -o table, wide or csv"
        raise InvalidRequest(text, field="columns", value=",".join(view.columns))
    if table.identity is None and (view.quiet or view.format == "name"):
        option = "quiet" if view.quiet else "output"
        text = f"--{option}: `{command}` lists no ids; it has table, wide, csv, json, yaml and jsonpath"
        raise InvalidRequest(text, field=option, value=True if view.quiet else "name")
