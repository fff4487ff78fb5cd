"""`share-actors config ...`: the configuration in effect, and whether it can work."""

# ruff: noqa: PLC0415 - Ray and the log are imported by the commands that need them
from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.output import Column, Table, count, escape
from share_actors.cli.session import Session
from share_actors.config import Config, load
from share_actors.errors import Unavailable
from share_actors.redaction import masked

if TYPE_CHECKING:
    from share_actors.audit.proofs import QuickCheck
    from share_actors.drivers.base import ShareDriver


# -- show ----------------------------------------------------------------------------------------
SETTINGS = Table(
    "setting",
    (
        Column("KEY", "key", "id", 0),
        Column("VALUE", "value", "text", 1),
        Column("FROM", "from", "word", 2),
    ),
    identity="key",
)


@command(
    "config show",
    table=SETTINGS,
    examples=["config show", "--config site.toml config show --json"],
)
def show(
    session: Session,
    running: Annotated[
        bool,
        typer.Option(
            "--running", help="Show the configuration that the running system started with."
        ),
    ] = False,
) -> None:
    """Show every key with its value and source. Secrets appear as ********."""
    config = session.system.config if running else session.config
    source = _sources(session.options.config)
    documents = [
        {"key": key, "value": value, "from": "the running system" if running else source(key)}
        for key, value in config_items(config)
    ]
    session.output.print_items(SETTINGS, documents, lambda found: {"settings": found})


def config_items(config: Config) -> Iterator[tuple[str, Any]]:
    """Every key with its value as JSON; unset keys with a derived value show that value."""
    from share_actors.actors.effects.driver_setup import without_secret_options

    values = without_secret_options(config).model_dump()
    values["log"]["path"], values["catalog_path"] = config.log_path, config.catalog_file
    values["default_backend"] = config.backend_name()
    yield from _flatten("", values)


def _flatten(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flatten(f"{prefix}.{key}" if prefix else str(key), inner)
    else:
        yield prefix, str(value) if isinstance(value, Path) else masked(prefix, value, options=True)


def _sources(file: Path | None) -> Callable[[str], str]:
    """A function that names the source of a key's value: a variable, *file*, or `default`."""
    values = {} if file is None else tomllib.loads(file.read_text(encoding="utf-8"))
    keys_in_file = {key for key, _ in _flatten("", values)}
    environment = {name.upper() for name in os.environ}

    def source(key: str) -> str:
        if variable := next((name for name in _variables(key) if name in environment), None):
            return f"environment, {variable}"
        return str(file) if key in keys_in_file else "default"

    return source


def _variables(key: str) -> list[str]:
    """The variables that set *key*: its own, and those of the sections that contain it."""
    parts = key.upper().split(".")
    return ["SHARE_ACTORS_" + "__".join(parts[:n]) for n in range(len(parts), 0, -1)]


# -- check ---------------------------------------------------------------------------------------
FileOption = Annotated[
    Path | None, typer.Argument(help="Check this file. Default: the one of --config.")
]
BackendsOption = Annotated[
    bool, typer.Option("--backends", help="Also set up each backend and check that it works.")
]


@command("config check", examples=["config check site.toml", "config check --backends"])
def check(
    session: Session,
    file: FileOption = None,
    backends: BackendsOption = False,
) -> None:
    """Check the configuration without starting, creating or changing anything.

    Checks the keys and values, the home directory, the drivers and their options, and an existing
    log and its key. A PostgreSQL log must be reachable.
    """
    from share_actors.actors.effects.separation import check_apart
    from share_actors.observability.exporter import check_library
    from share_actors.observability.tracing import check_packages

    config = session.config if file is None else load(file)
    check_apart(config.backends)
    check_library(config.metrics.address)
    check_packages(config.traces.endpoint)
    warnings = [
        warning
        for name in config.backends
        for warning in _check_backend(config, name, set_up=backends)
    ]
    events, checked = _check_files(session, config)
    warnings += _moves(config) if events is not None else []
    drivers = {name: backend.driver for name, backend in config.backends.items()}
    if session.json:
        document = {"ok": True, "backends": drivers, "asked": backends, "events": events}
        document |= {"warnings": [*warnings, *checked.problems], **checked.document()}
        session.output.print_json(document)
        return
    result = "works" if backends else "has valid options"
    for name, driver in drivers.items():
        session.output.print(f"Backend [bold]{escape(name)}[/] (driver {driver}) {result}.")
    _print_log(session, config, events, checked)
    for warning in (*warnings, *checked.problems):
        session.output.print_message(f"[yellow]Warning:[/] {escape(warning)}.")


def _print_log(session: Session, config: Config, events: int | None, checked: QuickCheck) -> None:
    log = (
        "will be created at the first start" if events is None else f"has {count(events, 'event')}"
    )
    session.output.print(f"The log ({config.log.kind}) {log}.")
    for line in checked.lines():
        session.output.print(escape(line))
    session.output.print("The configuration is valid.")


def _check_files(session: Session, config: Config) -> tuple[int | None, QuickCheck]:
    """How many events the log has (None if there is no log yet), and what was verified of it."""
    from share_actors.audit.proofs import QuickCheck, check_newest
    from share_actors.events import preflight

    preflight.check_directory("home", config.home)
    with session.output.spinner("opening the log"):
        events = preflight.check(config)
        return events, QuickCheck((), (), ()) if events is None else check_newest(config)


def _moves(config: Config) -> list[str]:
    """The backends that `backend move` has pinned to other nodes than *config* says."""
    from share_actors.events import preflight

    return [
        f"backend {name!r} was moved: it is pinned to {node}, and backends.{name}.node says"
        f" {config.backends[name].node}; set it to {node}"
        for name, node in preflight.moved_backends(config).items()
    ]


def _check_backend(config: Config, name: str, *, set_up: bool) -> Sequence[str]:
    """Build the driver and, with *set_up*, set it up; returns its warnings.

    Raises `ConfigError` or `Unavailable`.
    """
    from share_actors.actors.effects.driver_setup import driver_of
    from share_actors.drivers.abilities import RunsDaemons
    from share_actors.drivers.base import DriverError, TransientError

    driver = driver_of(name, config.backends[name])
    if not set_up:
        return driver.setup_warnings()
    try:
        problems = _statistics_of(driver)
    except DriverError as error:
        if isinstance(error, TransientError) and isinstance(driver, RunsDaemons):
            # Whoever checks does not start it: the system does.
            return (*driver.setup_warnings(), f"backend {name!r} is not started: `up` starts it")
        raise _not_ready(config, name, str(error)) from None
    except (
        Exception
    ) as error:  # of the driver's own code, which the system would report as it does here
        raise _not_ready(config, name, f"its driver raised {error!r}") from error
    return (*driver.setup_warnings(), *(f"backend {name!r}: {problem}" for problem in problems))


def _statistics_of(driver: ShareDriver) -> Sequence[str]:
    """Set the driver up, and read its statistics as the scheduler does; returns what is wrong with them.

    Raises `DriverError` if no share could be placed on the backend, and what the driver raises.
    """
    from share_actors.drivers import share_stats
    from share_actors.drivers.base import DriverError
    from share_actors.values import RequestContext

    driver.do_setup(RequestContext(user_id="share-actors"))
    driver.check_for_setup_error()
    defaults = share_stats.class_capabilities(driver)
    read = share_stats.read(driver.get_share_stats(refresh=True), driver.backend_name, defaults)
    if read.capabilities is None:
        raise DriverError(f"get_share_stats: {read.wrong['']}")
    if not read.capabilities.pools:
        raise DriverError("get_share_stats reports no pools: no share can be placed on it")
    return [f"get_share_stats: {field}: {problem}" for field, problem in read.wrong.items()]


def _not_ready(config: Config, name: str, reason: str) -> Unavailable:
    return Unavailable(
        f"backend {name!r} is not ready: {reason}",
        field=f"backends.{name}",
        value=config.backends[name].driver,
        next_step="The configuration itself is valid. Fix the backend, then check again.",
    )
