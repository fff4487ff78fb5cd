"""The frame of all commands: the global options, and the one place where errors are reported."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from share_actors.cli import interrupts
from share_actors.cli.groups import Registered, registered
from share_actors.cli.output import Output, escape
from share_actors.cli.session import Options, Session
from share_actors.cli.usage_errors import json_requested
from share_actors.errors import ShareActorsError

GLOBAL_OPTIONS_PANEL = "Options of every command"
UNEXPECTED = 1
"""Exit code of a defect, or of a reader that closed stdout."""
_CONTEXT = Parameter("ctx", Parameter.KEYWORD_ONLY, annotation=typer.Context)


def choices(*values: str) -> Callable[[], list[str]]:
    """Values for shell completion; the system validates what was given."""
    return lambda: list(values)


# -- global options ------------------------------------------------------------------------------
ADDRESS_HELP = "Use the Ray cluster at this address. Default: the one that `up` started."


def global_options(*, root: bool) -> list[Parameter]:
    """The global options; those of the program itself (*root*) also read the environment."""

    def option(name: str, kind: Any, text: str, metavar: str | None = None) -> Parameter:
        hidden = not root and name != "json"  # else they would fill the help of every subcommand
        declared = typer.Option(
            f"--{name}",
            help=text,
            hidden=hidden,
            metavar=metavar,
            envvar=f"SHARE_ACTORS_{name.upper()}" if root else None,
            rich_help_panel=GLOBAL_OPTIONS_PANEL,
            show_default=False,
        )
        return _keyword(name, Annotated[kind, declared], default=False if kind is bool else None)

    file, text = Path | None, str | None
    return [
        option("config", file, "Read the configuration from this TOML file.", "FILE"),
        option("address", text, ADDRESS_HELP, "HOST:PORT"),
        option("namespace", text, "Use the system in this Ray namespace."),
        option("user", text, "Act as this user. Default: your login name."),
        option(
            "project",
            text,
            "Act for this project, as its admin unless --role says otherwise. Default: 'default'.",
        ),
        option(
            "role",
            text,
            "Act in this role: reader, member or admin of the project, or system-admin."
            " Default: system-admin without --project.",
        ),
        option("json", bool, "Print one JSON document to stdout, also for an error."),
        option("debug", bool, "Show the traceback of an unexpected error."),
    ]


def _keyword(name: str, annotation: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def root_callback(function: Callable[..., Any]) -> Callable[..., None]:
    """The program's own callback, which keeps the global options for the subcommand."""
    own_version = _keyword("version", Annotated[bool, _version_option()], default=False)

    def run(ctx: typer.Context, version: bool, **options: Any) -> None:
        ctx.obj = Options().replace(**options)

    return _with_signature(run, function, [_CONTEXT, *global_options(root=True), own_version])


def _version_option() -> Any:
    return typer.Option(
        "--version", help="Show the version and exit.", is_eager=True, callback=_print_version
    )


def _print_version(ctx: typer.Context, requested: bool) -> None:
    if not requested or ctx.resilient_parsing:
        return
    output = Output(as_json=json_requested(ctx))
    if output.as_json:
        output.print_json({"version": installed_version()})
    else:
        output.print(f"share-actors {installed_version()}")
    raise typer.Exit


def installed_version() -> str:
    """The version of the installed package; `unknown` for source code that is not installed."""
    try:
        return version("share-actors")
    except PackageNotFoundError:
        return "unknown"


# -- registration --------------------------------------------------------------------------------
def command(
    name: str, *, examples: Sequence[str] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the command *name*, such as `share list`.

    Its first parameter is the `Session`; Typer reads the others, when the command is looked up.
    """
    group, _, own_name = name.rpartition(" ")

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        registered(group)[own_name] = Registered(
            function.__module__, lambda: (_with_global_options(function), _help(function, examples))
        )
        return function

    return register


def _help(function: Callable[..., Any], examples: Sequence[str]) -> str:
    lines = [f"[dim]$[/] [cyan]share-actors {escape(example)}[/]" for example in examples]
    return "\n\n".join([_help_text(function), "\n".join(lines)])


def _help_text(function: Callable[..., Any]) -> str:
    """The docstring with each paragraph in one line, which the terminal then wraps."""
    return "\n\n".join(p.replace("\n", " ") for p in (inspect.getdoc(function) or "").split("\n\n"))


def _with_global_options(function: Callable[..., Any]) -> Callable[..., None]:
    """*function* as Typer needs it: with the global options in its signature."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    own_names = {parameter.name for parameter in own}
    inherited = [p for p in global_options(root=False) if p.name not in own_names]

    def run(ctx: typer.Context, **arguments: Any) -> None:
        options = ctx.obj.replace(**{p.name: arguments.pop(p.name) for p in inherited})
        session = Session(options, ctx.command_path.partition(" ")[2])
        if code := run_guarded(session, lambda: function(session, **arguments)):
            raise typer.Exit(code)

    own = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in own]
    return _with_signature(run, function, [_CONTEXT, *own, *inherited])


def _with_signature(
    run: Callable[..., None], documented: Callable[..., Any], parameters: list[Parameter]
) -> Callable[..., None]:
    run.__name__, run.__doc__ = documented.__name__, _help_text(documented)
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


# -- errors --------------------------------------------------------------------------------------
def run_guarded(session: Session, call: Callable[[], Any]) -> int:
    """Run *call*, report any error, and return the exit code."""
    try:
        with interrupts.raised([signal.SIGINT]):
            return _run(session, call)
    except KeyboardInterrupt:
        return session.report_interrupt()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that the flush at exit does not fail
        return UNEXPECTED
    except typer.Exit:
        raise
    except Exception as error:
        return _report_defect(session, error)


def _run(session: Session, call: Callable[[], Any]) -> int:
    try:
        call()
    except ShareActorsError as error:
        code = session.report_error(error)
    else:
        code = 0
    session.disconnect()
    return code


def _report_defect(session: Session, error: Exception) -> int:
    if session.options.debug:
        traceback.print_exc()
    rerun = f"share-actors --debug {session.command}"
    defect = ShareActorsError(
        f"unexpected {type(error).__name__}: {error}",
        next_step=f"This is a defect. Run `{rerun}` (or set SHARE_ACTORS_DEBUG=1) for the traceback.",
    )
    return session.report_error(defect)


def exit_now(code: int) -> NoReturn:
    """End this process without waiting for calls in progress, which may never return."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(code)
