"""What all commands have in common: the global options, and one place where errors end."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.markup import escape

from share_actors.cli.session import Options, Session
from share_actors.errors import ShareActorsError

EVERYWHERE = "Options of every command"
UNEXPECTED = 1


def choices(*words: str) -> Callable[[], list[str]]:
    """For shell completion; what is not among them is for the system to judge."""
    return lambda: list(words)


def _everywhere(
    name: str, kind: Any, text: str, *, hidden: bool, env: bool = True, **more: Any
) -> Parameter:
    """A global option; hidden in the help of subcommands, which would drown in them."""
    option = typer.Option(
        f"--{name}", help=text, hidden=hidden, rich_help_panel=EVERYWHERE, show_default=False,
        envvar=f"SHARE_ACTORS_{name.upper()}" if env else None, **more,
    )  # fmt: skip
    default = False if kind is bool else None
    return Parameter(
        name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )


def everywhere(*, root: bool) -> list[Parameter]:
    """The global options: at the *root* they also read the environment."""

    def option(name: str, kind: Any, text: str, **more: Any) -> Parameter:
        hidden = not root and name != "json"
        return _everywhere(name, kind, text, hidden=hidden, env=root, **more)

    file = Path | None
    word = str | None
    return [
        option("config", file, "The configuration file (TOML).", metavar="FILE"),
        option("address", word, "The Ray cluster to use; else the one that `up` left.", metavar="HOST:PORT"),
        option("namespace", word, "Which of several systems on one cluster."),
        option("user", word, "On whose behalf; else whoever runs this."),
        option("project", word, "For which project; else 'default'."),
        option("json", bool, "One JSON document on stdout, for scripts; an error is one, too."),
        option("debug", bool, "Show the traceback of an unexpected error."),
    ]  # fmt: skip


def command(
    app: typer.Typer, name: str, *, examples: Sequence[str] = (), **more: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function whose first parameter is the `Session`; Typer reads the others."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        lines = [f"[dim]$[/] [cyan]share-actors {escape(example)}[/]" for example in examples]
        shown = "\n\n".join([_unwrapped(function), "\n".join(lines)])
        app.command(name, help=shown, **more)(_with_globals(function))
        return function

    return register


def _unwrapped(function: Callable[..., Any]) -> str:
    """The docstring, a line a paragraph: the terminal's width is the terminal's."""
    return "\n\n".join(p.replace("\n", " ") for p in (inspect.getdoc(function) or "").split("\n\n"))


def _with_globals(function: Callable[..., Any]) -> Callable[..., None]:
    """*function* as Typer wants it: with the global options in its signature."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    mine = {parameter.name for parameter in own}
    shared = [p for p in everywhere(root=False) if p.name not in mine]

    def run(ctx: typer.Context, **given: Any) -> None:
        options = ctx.obj.replace(**{p.name: given.pop(p.name) for p in shared})
        session = Session(options, ctx.command_path.partition(" ")[2])
        if code := guarded(session, lambda: function(session, **given)):
            raise typer.Exit(code)

    context = Parameter("ctx", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    own = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in own]
    return _shaped(run, function, [context, *own, *shared])


def _shaped(
    run: Callable[..., None], like: Callable[..., Any], parameters: list[Parameter]
) -> Callable[..., None]:
    run.__name__, run.__doc__ = like.__name__, _unwrapped(like)
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def root(function: Callable[..., Any]) -> Callable[..., None]:
    """The callback of the whole: it keeps the global options for the subcommand."""
    parameters = everywhere(root=True)

    def run(ctx: typer.Context, **given: Any) -> None:
        ctx.obj = Options().replace(**given)

    context = Parameter("ctx", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    return _shaped(run, function, [context, *parameters])


def _ended(session: Session, call: Callable[[], Any]) -> int:
    try:
        call()
    except ShareActorsError as error:
        code = session.fail(error)
    else:
        code = 0
    session.leave()
    return code


def guarded(session: Session, call: Callable[[], Any]) -> int:
    """The exit code of *call*, which says whatever went wrong."""
    try:
        return _ended(session, call)
    except KeyboardInterrupt:
        return session.interrupted()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that the flush at exit does not fail
        return UNEXPECTED
    except typer.Exit:
        raise
    except Exception as error:
        return _unexpected(session, error)


def _unexpected(session: Session, error: Exception) -> int:
    if session.options.debug:
        traceback.print_exc()
    again = f"share-actors --debug {session.command}"
    told = ShareActorsError(
        f"unexpected {type(error).__name__}: {error}",
        next_step=f"This is a defect. `{again}` (or SHARE_ACTORS_DEBUG=1) shows the traceback.",
    )
    return session.fail(told)


def leave(code: int) -> NoReturn:
    """End this process at once: calls under way may never be answered, and nobody waits for them."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(code)
