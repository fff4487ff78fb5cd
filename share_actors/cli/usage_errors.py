"""A command line that cannot be parsed: told in words, or with --json as every other error is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from share_actors.cli.output import Output
from share_actors.errors import ShareActorsError

_UsageError: Any = typer.BadParameter.__base__
"""Of the parser; Typer does not name it, and where it comes from depends on Typer's version."""
_GIVEN = "share_actors.given"
_YES = ("1", "true", "t", "yes", "y", "on")


class BadCommandLine(ShareActorsError):
    """The command line makes no sense; nothing was done."""

    code: ClassVar[str] = "usage"
    exit_code: ClassVar[int] = 2


class Commands(TyperGroup):
    """Some commands; without one it shows its help, unless a document was asked for."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        if not args and _json(ctx.meta.get(_GIVEN, ())):
            path = ctx.command_path
            raise BadCommandLine(f"{path}: which command? `{path} --help` lists them")
        return super().parse_args(ctx, args)


class Root(Commands):
    """The whole: whatever its parser or that of a subcommand complains of passes through here."""

    def make_context(
        self, info_name: Any, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        given = list(args)  # the parser takes from *args* what it understands
        with _told(given):
            context = super().make_context(info_name, args, parent, **extra)
        context.meta[_GIVEN] = given
        return context

    def invoke(self, ctx: Any) -> Any:
        with _told(ctx.meta[_GIVEN]):
            return super().invoke(ctx)


@contextmanager
def _told(given: Sequence[str]) -> Iterator[None]:
    """Complaints of the parser are the one document on stdout, if one was asked for."""
    try:
        yield
    except (BadCommandLine, _UsageError) as error:
        if not _json(given):
            raise
        told = error if isinstance(error, BadCommandLine) else _bad(error)
        Output(as_json=True).error(told, "")
        raise typer.Exit(told.exit_code) from None


def _json(given: Sequence[str]) -> bool:
    """Whether a document was asked for, as far as it can be seen."""
    options = given[: given.index("--")] if "--" in given else given
    return "--json" in options or os.environ.get("SHARE_ACTORS_JSON", "").lower() in _YES


def _bad(error: Any) -> BadCommandLine:
    path = error.ctx.command_path if error.ctx is not None else "share-actors"
    field = getattr(getattr(error, "param", None), "name", None)
    return BadCommandLine(f"{path}: {error.format_message()}", field=field)
