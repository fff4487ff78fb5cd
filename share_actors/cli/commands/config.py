"""`share-actors config ...` and `catalog ...`: what is set, and care for what is derived."""

# ruff: noqa: PLC0415 - Ray and the log are imported by the commands that need them
from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from share_actors.cli.command import command
from share_actors.cli.session import Session
from share_actors.cli.usage_errors import Commands
from share_actors.config import Config, load
from share_actors.errors import Unavailable
from share_actors.redaction import masked

config_app = typer.Typer(
    cls=Commands, no_args_is_help=True, help="What is set, and whether it can work."
)


# -- config --------------------------------------------------------------------------------------
@command(config_app, "show", examples=["config show", "--config site.toml config show --json"])
def show(
    session: Session,
    running: Annotated[
        bool, typer.Option("--running", help="What the running system was started with.")
    ] = False,
) -> None:
    """Show every setting in force, where it came from, and secrets only as ********."""
    config = session.system.config if running else session.config
    origin = _origins(session.options.config)
    rows = [
        (key, value, "the running system" if running else origin(key))
        for key, value in settings(config)
    ]
    if session.json:
        told = [{"key": key, "value": value, "from": source} for key, value, source in rows]
        session.output.document({"settings": told})
    else:
        session.output.table(("KEY", "VALUE", "FROM"), rows)


def settings(config: Config) -> Iterator[tuple[str, Any]]:
    """Every key with its value as JSON knows it; what is unset and derived is shown as derived."""
    told = config.model_dump()
    told["log"]["path"], told["catalog_path"] = config.log_path, config.catalog_file
    told["default_backend"] = config.backend_name()
    yield from _flat("", told)


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), inner)
    else:
        yield prefix, shown(prefix, value)


def shown(key: str, value: Any) -> Any:
    """*value* as JSON knows it; secrets that are set are masked."""
    return str(value) if isinstance(value, Path) else masked(key, value)


def _origins(file: Path | None) -> Callable[[str], str]:
    """Tells where a key's value came from."""
    told = {} if file is None else tomllib.loads(file.read_text(encoding="utf-8"))
    in_file = {key for key, _ in _flat("", told)}
    in_environment = {name.upper() for name in os.environ}

    def origin(key: str) -> str:
        variables = _variables(key)
        if found := next((v for v in variables if v in in_environment), None):
            return f"environment, {found}"
        return str(file) if key in in_file else "default"

    return origin


def _variables(key: str) -> list[str]:
    """The variables that set *key*: its own, and those of the sections that it is in."""
    parts = key.upper().split(".")
    return ["SHARE_ACTORS_" + "__".join(parts[:n]) for n in range(len(parts), 0, -1)]


@command(config_app, "check", examples=["config check site.toml", "config check --backends"])
def check(
    session: Session,
    file: Annotated[Path | None, typer.Argument(help="Else the one of --config.")] = None,
    backends: Annotated[
        bool, typer.Option("--backends", help="Also set the backends up and ask whether they work.")
    ] = False,
) -> None:
    """Check all that can be checked while nothing is started; nothing is made or changed.

    The keys and their values; the home; the drivers and their options; the log and its key, which
    are opened if there are any: PostgreSQL must be reachable.
    """
    config = session.config if file is None else load(file)
    for name in config.backends:
        _check_backend(config, name, ask=backends)
    events = _check_files(session, config)
    told = {name: backend.driver for name, backend in config.backends.items()}
    if session.json:
        answer = {"ok": True, "backends": told, "asked": backends, "events": events}
        session.output.document(answer)
        return
    for name, driver in told.items():
        asked = "works" if backends else "has options that make sense"
        session.output.say(f"Backend [bold]{escape(name)}[/] (driver {driver}) {asked}.")
    held = "will be made at the first start" if events is None else f"holds {events} events"
    session.output.say(f"The log ({config.log.kind}) {held}.")
    session.output.say("The configuration is good.")


def _check_files(session: Session, config: Config) -> int | None:
    """How many events there are already; None where there is no log yet."""
    from share_actors.events import preflight

    preflight.check_directory("home", config.home)
    with session.output.waiting("opening the log"):
        return preflight.check(config)


def _check_backend(config: Config, name: str, *, ask: bool) -> None:
    from share_actors.drivers.base import DriverError
    from share_actors.drivers.registry import make_driver
    from share_actors.values import RequestContext

    settings = config.backends[name]
    driver = make_driver(
        name, settings.driver, settings.options,
        handles_servers=settings.driver_handles_share_servers,
    )  # fmt: skip
    if not ask:
        return
    try:
        driver.do_setup(RequestContext(user_id="share-actors"))
        driver.check_for_setup_error()
    except DriverError as error:
        raise Unavailable(
            f"backend {name!r} is not ready: {error}", field=f"backends.{name}", value=settings.driver,
            next_step="The configuration itself is good; mend the backend, then check again.",
        ) from None  # fmt: skip


# -- catalog -------------------------------------------------------------------------------------
