"""`share-actors doctor`: what this machine lacks for the backends, and the commands that mend it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from share_actors.cli.command import command
from share_actors.cli.commands.system.monitoring_needs import monitoring_needs
from share_actors.cli.exit_codes import LACKING
from share_actors.cli.output import Column, Output, Table, count, escape
from share_actors.cli.output.columns import WIDE
from share_actors.cli.session import Session
from share_actors.cli.strays import show_strays
from share_actors.config import Config
from share_actors.config.settings import default_home
from share_actors.drivers import (
    Requirement,
    ShareDriver,
    StatesRequirements,
    known_drivers,
    load_driver,
    make_driver,
)
from share_actors.errors import ConfigError

_PLACES = {"root": "shares", "device": "shares.img"}
"""Options of drivers that are examined without configuration, and where they are below the home."""
REQUIREMENTS = Table(
    "requirement",
    (
        Column("STATE", "state", "word", 0),
        Column("WHAT", "what", "text", 1),
        Column("FOUND", "found", "text", 3),
        Column("FOR", "why", "text", 4),
        Column("MEND IT WITH", "mend", "text", 2),
        Column("BACKEND", "backend", "word", WIDE),
    ),
    identity=None,
)


class Diagnosis(NamedTuple):
    """What one backend requires, or monitoring, without a driver; None if its driver does not state it."""

    name: str
    driver: str
    requirements: Sequence[Requirement] | None

    def lacking(self, state: str) -> int:
        """How many requirements are in *state*."""
        return sum(requirement.state == state for requirement in self.requirements or ())

    def with_conflicts(self, errors: Sequence[ConfigError]) -> Diagnosis:
        """This, with what the backend uses that an earlier one of the configuration uses as well."""
        if not errors:
            return self
        found = (
            Requirement(
                what=str(error.value),
                why="no two backends may use it",
                met=False,
                found=error.message,
                mend=f"set another {error.field}",
            )
            for error in errors
        )
        return self._replace(requirements=(*(self.requirements or ()), *found))


BackendsOption = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[BACKEND]...",
        help="Examine only these backends; without configuration, only these drivers.",
        show_default=False,
    ),
]
StraysOption = Annotated[
    bool,
    typer.Option("--strays", help="List what killed processes left of share servers instead."),
]
DeleteStraysOption = Annotated[
    bool,
    typer.Option("--delete-strays", help="Delete it, with the processes in it."),
]


@command(
    "doctor",
    table=REQUIREMENTS,
    examples=(
        "doctor",
        "doctor local",
        "--config site.toml doctor fast --json",
        "--config site.toml doctor --strays",
    ),
)
def doctor(
    session: Session,
    backends: BackendsOption = None,
    strays: StraysOption = False,
    delete_strays: DeleteStraysOption = False,
) -> None:
    """Show what this machine lacks for each backend, and the command that fixes it.

    Examines packages, features of the kernel, privileges, ports, systemd units and directories, and resources
    that two configured backends would both use. Starts, creates and changes nothing, except with
    `--delete-strays`; no system has to be running. Without configured backends, examines the machine for
    every driver that is installed. Unless backends are named, also examines the packages for metrics and
    traces.

    With `--strays`: network namespaces, interfaces and bridges that have the prefix of a backend and belong
    to none of its share servers.

    `missing`: the backend cannot work, and the exit code is 13. `warning`: it works, but read the remark.
    Run it as the user who runs the system: with fewer privileges it sees less, such as who holds a port.
    """
    if strays or delete_strays:
        show_strays(session, _drivers(session.config, backends or ()), delete=delete_strays)
        return
    has_file = session.options.config is not None
    found = list(_diagnoses(session.config, backends or (), has_file))
    needs = [] if backends else monitoring_needs(session.config, has_file=has_file)
    monitoring = Diagnosis("monitoring", "", needs)
    told = [*found, monitoring] if needs else found
    session.output.print_items(
        REQUIREMENTS,
        [row for diagnosis in told for row in _rows(diagnosis)],
        lambda _: _document(found, monitoring),
        show=lambda: _print(session.output, told),
    )
    if any(diagnosis.lacking("missing") for diagnosis in (*found, monitoring)):
        raise typer.Exit(LACKING)


# -- backends and drivers ------------------------------------------------------------------------
def _diagnoses(config: Config, names: Sequence[str], has_file: bool) -> Iterator[Diagnosis]:
    """Of the configured backends, or of the installed drivers; raises `ConfigError` for unknown *names*."""
    if has_file or "backends" in config.model_fields_set:
        from share_actors.actors.effects.driver_setup import driver_of  # noqa: PLC0415 - as config
        from share_actors.actors.effects.separation import conflicts  # noqa: PLC0415 - as config

        shared = list(conflicts(config.backends))
        for name in dict.fromkeys(names or config.backends):
            settings = config.backends[config.backend_name(name)]
            found = _diagnosis(name, settings.driver, driver_of(name, settings))
            yield found.with_conflicts([error for second, error in shared if second == name])
    else:
        for name in dict.fromkeys(names or known_drivers()):
            yield _diagnosis(name, name, _driver(name))


def _drivers(config: Config, names: Sequence[str]) -> Iterator[tuple[str, ShareDriver]]:
    """The drivers of the configured backends; raises `ConfigError` for unknown *names*."""
    from share_actors.actors.effects.driver_setup import driver_of  # noqa: PLC0415 - as config

    for name in dict.fromkeys(names or config.backends):
        yield name, driver_of(name, config.backends[config.backend_name(name)])


def _driver(name: str) -> ShareDriver | None:
    """The driver *name* with the fewest options; None if it needs others than those of `_PLACES`."""
    driver_class = load_driver(name)
    fields = driver_class.Options.model_fields
    required = [key for key, field in fields.items() if field.is_required()]
    for top in (default_home(), Path("/srv")):  # the paths of sockets are limited
        options = {key: top / _PLACES[key] for key in required if key in _PLACES}
        with suppress(ConfigError):
            return make_driver(name, name, options, handles_servers=driver_class.modes[0])
    return None


def _diagnosis(name: str, driver_name: str, driver: ShareDriver | None) -> Diagnosis:
    stated = driver.requirements() if isinstance(driver, StatesRequirements) else None
    return Diagnosis(name, driver_name, stated)


# -- output --------------------------------------------------------------------------------------
def _document(found: Sequence[Diagnosis], monitoring: Diagnosis) -> Mapping[str, Any]:
    backends = {
        diagnosis.name: {
            "driver": diagnosis.driver,
            "stated": diagnosis.requirements is not None,
            **_result(diagnosis),
        }
        for diagnosis in found
    }
    others = _result(monitoring)
    ok = all(result["ok"] for result in (*backends.values(), others))
    return {"ok": ok, "backends": backends, "monitoring": others}


def _result(diagnosis: Diagnosis) -> dict[str, Any]:
    requirements = [
        {"state": requirement.state, **requirement.model_dump()}
        for requirement in diagnosis.requirements or ()
    ]
    return {"ok": not diagnosis.lacking("missing"), "requirements": requirements}


def _print(output: Output, found: Sequence[Diagnosis]) -> None:
    for number, diagnosis in enumerate(found):
        if number:
            output.print("")
        title = f"Backend [bold]{escape(diagnosis.name)}[/] (driver {escape(diagnosis.driver)})"
        output.print(f"{title if diagnosis.driver else 'Monitoring'}: {_summary(diagnosis)}")
        if diagnosis.requirements:
            output.print_table(REQUIREMENTS, _rows(diagnosis))


def _summary(diagnosis: Diagnosis) -> str:
    if diagnosis.requirements is None:
        return "the driver does not state what it requires; `config check --backends` tries it."
    missing, warnings = diagnosis.lacking("missing"), diagnosis.lacking("warning")
    told = f" {count(warnings, 'warning')}." if warnings else ""
    if missing:
        return f"[bold red]cannot work, {missing} missing.[/]{told}"
    return f"[green]has what it requires.[/]{told}"


def _rows(diagnosis: Diagnosis) -> list[dict[str, object]]:
    """The requirements as rows of `REQUIREMENTS`."""
    return [
        {"backend": diagnosis.name, "state": requirement.state, **requirement.model_dump()}
        for requirement in diagnosis.requirements or ()
    ]
