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
from typing import Annotated, Any, NamedTuple, NoReturn

import typer

from share_actors.cli import interrupts
from share_actors.cli.groups import Registered, registered
from share_actors.cli.output import Output, Table, escape
from share_actors.cli.session import Options, Session
from share_actors.cli.usage_errors import view_requested
from share_actors.errors import ShareActorsError

GLOBAL_OPTIONS_PANEL = "Options of every command"
LIST_OPTIONS_PANEL = "Options of lists"
UNEXPECTED = 1
"""Exit code of a defect, or of a reader that closed stdout."""
_CONTEXT = Parameter("ctx", Parameter.KEYWORD_ONLY, annotation=typer.Context)


def choices(*values: str) -> Callable[[], list[str]]:
    """Values for shell completion; the system validates what was given."""
    return lambda: list(values)


# -- global options ------------------------------------------------------------------------------
ADDRESS_HELP = "Use the Ray cluster at this address. Default: the one that `up` started."


class _Global(NamedTuple):
    """A global option: its name, type and help."""

    name: str
    kind: Any
    text: str
    metavar: str | None = None
    short: tuple[str, ...] = ()
    has_variable: bool = True

    def parameter(self, panel: str, *, root: bool) -> Parameter:
        """The option of a command, or of the program itself (*root*), which also reads the environment."""
        variable = f"SHARE_ACTORS_{self.name.upper()}" if root and self.has_variable else None
        declared = typer.Option(
            f"--{self.name.replace('_', '-')}",
            *self.short,
            help=self.text,
            metavar=self.metavar,
            envvar=variable,
            rich_help_panel=panel,
            show_default=False,
        )
        default = False if self.kind is bool else None
        return _keyword(self.name, Annotated[self.kind, declared], default=default)


_FILE, _TEXT = Path | None, str | None
_GLOBAL = (
    _Global("config", _FILE, "Read the configuration from this TOML file.", "FILE"),
    _Global("address", _TEXT, ADDRESS_HELP, "HOST:PORT"),
    _Global("namespace", _TEXT, "Use the system in this Ray namespace."),
    _Global("user", _TEXT, "Act as this user. Default: your login name."),
    _Global(
        "project",
        _TEXT,
        "Act for this project, as its admin unless --role says otherwise. Default: 'default'.",
    ),
    _Global(
        "role",
        _TEXT,
        "Act in this role: reader, member or admin of the project, or system-admin."
        " Default: system-admin without --project.",
    ),
    _Global("json", bool, "Print one JSON document to stdout, also for an error."),
    _Global(
        "output",
        _TEXT,
        "Print the result as table, wide (all columns), json (as --json), yaml, name, csv or"
        " jsonpath=EXPRESSION.",
        "FORMAT",
        ("-o",),
    ),
    _Global("times", _TEXT, "Show times as relative (3m12s ago) or absolute (in UTC).", "KIND"),
    _Global("debug", bool, "Show the traceback of an unexpected error."),
)
_LISTS = (
    _Global(
        "columns", _TEXT, "Show only these columns, such as id,name.", "NAMES", has_variable=False
    ),
    _Global(
        "sort",
        _TEXT,
        "Sort what is listed by this column; COLUMN:desc: from high to low.",
        "COLUMN",
        has_variable=False,
    ),
    _Global("no_headers", bool, "Print no header above the columns.", has_variable=False),
    _Global("quiet", bool, "Print ids only.", None, ("-q",), has_variable=False),
)
_TIMEOUT = _Global(
    "timeout",
    float | None,
    "Wait this long for outcomes, in commands with a --timeout.",
    "SECONDS",
)


def global_options(*, root: bool, table: Table | None = None) -> list[Parameter]:
    """The options of the program itself (*root*), or of a command, which may list a *table*."""
    common = [option.parameter(GLOBAL_OPTIONS_PANEL, root=root) for option in _GLOBAL]
    if root:
        lists = [option.parameter(LIST_OPTIONS_PANEL, root=True) for option in _LISTS]
        return [*common, *lists, _TIMEOUT.parameter(GLOBAL_OPTIONS_PANEL, root=True)]
    if table is None:
        return common
    told = (f"{o.text} There are {table.names}." if o.name == "columns" else o.text for o in _LISTS)
    lists = [
        option._replace(text=text).parameter(LIST_OPTIONS_PANEL, root=False)
        for option, text in zip(_LISTS, told, strict=True)
    ]
    return [*common, *lists]


def group_options() -> tuple[list[Any], Any]:
    """The parameters of a group, so that an option may stand between it and its command; their callback."""

    def keep(ctx: typer.Context, **options: Any) -> None:
        ctx.obj = ctx.obj.replace(**options)

    lists = [option.parameter(LIST_OPTIONS_PANEL, root=False) for option in _LISTS]
    declared = _with_signature(keep, keep, [_CONTEXT, *global_options(root=False), *lists])
    single = typer.Typer(add_completion=False)
    single.command("options")(declared)
    read: Any = typer.main.get_command(single)
    for parameter in read.params:
        parameter.hidden = (
            True  # else they would stand before the commands in the help of each group
        )
    return list(read.params), read.callback


def _keyword(name: str, annotation: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def root_callback(function: Callable[..., Any]) -> Callable[..., None]:
    """The program's own callback, which keeps the global options for the subcommand."""
    own_version = _keyword("version", Annotated[bool, _version_option()], default=False)

    def run(ctx: typer.Context, version: bool, **options: Any) -> None:
        if _source(ctx, "json") == "COMMANDLINE" != _source(ctx, "output"):
            options["output"] = None  # what the command line says counts more than a variable
        ctx.obj = Options().replace(**options)

    return _with_signature(run, function, [_CONTEXT, *global_options(root=True), own_version])


def _source(ctx: Any, name: str) -> str:
    """Where the value of a parameter is from, such as `COMMANDLINE` or `ENVIRONMENT`."""
    return getattr(ctx.get_parameter_source(name), "name", "")


def _version_option() -> Any:
    return typer.Option(
        "--version", help="Show the version and exit.", is_eager=True, callback=_print_version
    )


def _print_version(ctx: typer.Context, requested: bool) -> None:
    if not requested or ctx.resilient_parsing:
        return
    output = Output(view_requested(ctx))
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
TABLES: dict[str, Table] = {}
"""The table of each command that declares one, by the command's name; of the modules imported so far."""


def command(
    name: str, *, table: Table | None = None, examples: Sequence[str] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the command *name*, such as `share list`.

    Its first parameter is the `Session`; Typer reads the others, when the command is looked up.
    *table*: what it lists or returns, so that `-o name`, `-o csv`, `--columns`, `--sort` and `--quiet` work.
    """
    if table is not None:
        TABLES[name] = table
    group, _, own_name = name.rpartition(" ")

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        registered(group)[own_name] = Registered(
            function.__module__,
            lambda: (_with_global_options(function, table), _help(function, examples)),
        )
        return function

    return register


def _help(function: Callable[..., Any], examples: Sequence[str]) -> str:
    lines = [f"[dim]$[/] [cyan]share-actors {escape(example)}[/]" for example in examples]
    return "\n\n".join([_help_text(function), "\n".join(lines)])


def _help_text(function: Callable[..., Any]) -> str:
    """The docstring with each paragraph in one line, which the terminal then wraps."""
    return "\n\n".join(p.replace("\n", " ") for p in (inspect.getdoc(function) or "").split("\n\n"))


def _with_global_options(function: Callable[..., Any], table: Table | None) -> Callable[..., None]:
    """*function* as Typer needs it: with the global options in its signature."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    own_names = {parameter.name for parameter in own}
    inherited = [p for p in global_options(root=False, table=table) if p.name not in own_names]

    def run(ctx: typer.Context, **arguments: Any) -> None:
        options = ctx.obj.replace(**{p.name: arguments.pop(p.name) for p in inherited})
        session = Session(options, ctx.command_path.partition(" ")[2], table)
        if options.timeout is not None and _source(ctx, "timeout") == "DEFAULT":
            arguments["timeout"] = options.timeout

        def call() -> None:
            session.check_output()
            function(session, **arguments)

        if code := run_guarded(session, call):
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
