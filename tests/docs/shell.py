"""The commands and options of the program, and a check of command lines against them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import typer
from rich.text import Text

from share_actors.cli import EXIT_CODES, app
from share_actors.cli.command import GLOBAL_OPTIONS_PANEL, LIST_OPTIONS_PANEL

PROGRAM = "share-actors"
_PUNCTUATION = frozenset("();<>|&")


@cache
def root() -> Any:
    """The root command of the program; its type is not public in Typer."""
    return typer.main.get_command(app)


def leaves(command: Any = None, path: str = PROGRAM) -> Iterator[tuple[str, Any]]:
    """Each command without subcommands, by its full name."""
    command = command or root()
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, f"{path} {name}")
    if not hasattr(command, "commands"):
        yield path, getattr(command, "built", command)


# -- for the reference ---------------------------------------------------------------------------
def commands() -> str:
    return "\n\n".join(_told(path, command) for path, command in leaves())


def _told(path: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    given = [p.metavar or p.name.upper() for p in arguments]
    options = [p for p in command.params if not p.hidden and p.param_type_name == "option"]
    rows = [_row(p) for p in options if _is_own(p)]
    usage = " ".join([path, *given, "[OPTIONS]"])
    said = Text.from_markup(command.help or "").plain
    body, _, examples = said.partition("$ ")
    shown = "```sh\n$ " + examples.strip() + "\n```" if examples else ""
    parts = [f"### {path}", f"```text\n{usage}\n```", body.strip(), _table(rows), shown]
    return "\n\n".join(part for part in parts if part)


def _is_own(option: Any) -> bool:
    """Whether *option* belongs to the command; those of every command are in one table."""
    panels = (GLOBAL_OPTIONS_PANEL, LIST_OPTIONS_PANEL)
    return option.name == "json" or option.rich_help_panel not in panels


def global_options() -> str:
    return _table([_row(p) for p in root().params if p.rich_help_panel == GLOBAL_OPTIONS_PANEL])


def list_options() -> str:
    return _table([_row(p) for p in root().params if p.rich_help_panel == LIST_OPTIONS_PANEL])


def _row(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    default = "" if option.default in (None, False) or callable(option.default) else option.default
    variable = f"`{option.envvar}`" if option.envvar else ""
    needed = "required" if option.required else f"`{default}`" if default != "" else ""
    return f"| {names} | {variable or needed} | {option.help or ''} |"


def _table(rows: list[str]) -> str:
    last = "Variable" if any("SHARE_ACTORS_" in row for row in rows) else "Default"
    return "\n".join([f"| Option | {last} | Meaning |", "| --- | --- | --- |", *rows])


def exit_codes() -> str:
    rows = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    return "\n".join(["| Exit code | Meaning |", "| --- | --- |", *rows])


# -- for lines that pages show -------------------------------------------------------------------
def calls(line: str) -> Iterator[list[str]]:
    """The arguments of each call of the program in *line*, a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    for start in [n for n, word in enumerate(words, 1) if word == PROGRAM]:
        rest = words[start:]
        stop = next((n for n, word in enumerate(rest) if set(word) <= _PUNCTUATION), len(rest))
        yield rest[:stop]


_PARSED_BY_NAME: tuple[list[str], ...] = ([], ["--help"], ["--version"])
"""Arguments that end the parsing of a command: its name alone, and options that print and exit."""


def check(given: list[str]) -> None:
    """Parse *given* as the program does, without running it; raises the program's usage errors.

    The name of a command alone passes, too: text refers to commands by name.
    """
    command, path = root(), PROGRAM
    while hasattr(command, "commands") and given not in _PARSED_BY_NAME:
        context = command.make_context(path, list(given))
        path, command, given = command.resolve_command(context, _rest(context))
    if given not in _PARSED_BY_NAME:
        with suppress(typer.BadParameter):  # pages about bad input show invalid values
            command.make_context(path, list(given))


def _rest(context: Any) -> list[str]:
    return [*getattr(context, "_protected_args", ()), *context.args]
