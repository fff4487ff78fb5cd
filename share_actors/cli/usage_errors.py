"""Errors of the command-line parser, with `--json` reported as a document like every other error."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from share_actors.cli.output import Output, View
from share_actors.cli.output.view import early_view
from share_actors.errors import ShareActorsError

_UsageError: Any = typer.BadParameter.__base__
"""The parser's base error; Typer does not export it, and its module depends on Typer's version."""
_ARGUMENTS = "share_actors.arguments"
"""Key of a context's `meta`: the program's arguments, of which the parser removes what it has read."""
_TRUE_WORDS = ("1", "true", "t", "yes", "y", "on")


class BadCommandLine(ShareActorsError):
    """The command line is invalid; nothing was done."""

    code: ClassVar[str] = "usage"
    exit_code: ClassVar[int] = 2


class CommandGroup(TyperGroup):
    """A group of commands; without a command it shows its help, or with `--json` an error."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse *args*; raises `BadCommandLine` if there are none and `--json` was given."""
        if not args and view_requested(ctx).is_document:
            path = ctx.command_path
            raise BadCommandLine(f"{path}: a command is required; `{path} --help` lists them")
        return super().parse_args(ctx, args)


class RootGroup(CommandGroup):
    """The program's group, which reports the parser errors of all its commands."""

    def make_context(
        self, info_name: Any, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Parse the program's options."""
        with _reported_errors(list(args)):
            return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse *args* and keep all of them for `json_requested`."""
        ctx.meta[_ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Parse the command's own options and run it."""
        with _reported_errors(ctx.meta[_ARGUMENTS]):
            return super().invoke(ctx)


def view_requested(ctx: Any) -> View:
    """The view that the program's arguments or the environment ask for, also before they are parsed."""
    return _view(ctx.meta.get(_ARGUMENTS, ()))


def _view(arguments: Sequence[str]) -> View:
    """A view for JSON or YAML if *arguments* ask for that, else one for people."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    asked = list(_formats(options)) or [os.environ.get("SHARE_ACTORS_OUTPUT") or _from_variable()]
    return early_view(asked[-1])


def _from_variable() -> str:
    return "json" if os.environ.get("SHARE_ACTORS_JSON", "").lower() in _TRUE_WORDS else "table"


def _formats(options: Sequence[str]) -> Iterator[str]:
    """The formats that *options* name, from the first to the last."""
    for option, following in zip(options, [*options[1:], ""], strict=False):
        if option == "--json":
            yield "json"
        elif option in ("-o", "--output"):
            yield following
        elif option.startswith(("-o", "--output=")):
            yield option.removeprefix("--output=").removeprefix("-o").removeprefix("=")


@contextmanager
def _reported_errors(arguments: Sequence[str]) -> Iterator[None]:
    """Report errors of the parser as a document on stdout, if *arguments* ask for JSON or YAML."""
    try:
        yield
    except (BadCommandLine, _UsageError) as error:
        view = _view(arguments)
        if not view.is_document:
            raise
        reported = error if isinstance(error, BadCommandLine) else _bad_command_line(error)
        Output(view).print_error(reported, "")
        raise typer.Exit(reported.exit_code) from None


def _bad_command_line(error: Any) -> BadCommandLine:
    path = error.ctx.command_path if error.ctx is not None else "share-actors"
    field = getattr(getattr(error, "param", None), "name", None)
    return BadCommandLine(f"{path}: {error.format_message()}", field=field)
