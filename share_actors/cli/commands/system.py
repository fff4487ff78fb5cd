"""`share-actors up`, `down`, `env` and `status`: a system that keeps running between commands."""

from __future__ import annotations

import shlex
from typing import Any

import typer

from share_actors.actors.runtime import system_state
from share_actors.cli.command import command
from share_actors.cli.commands.down import down
from share_actors.cli.commands.system_status import print_status
from share_actors.cli.commands.up import up
from share_actors.cli.session import Session


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    command(app, "up", examples=["up", "--config site.toml up", "up --foreground"])(up)
    command(app, "down", examples=["down", "down --timeout 600", "down --now"])(down)
    command(app, "env", examples=["env", "env --json"])(env)
    command(app, "status", examples=["status", "status --json"])(status)


# -- env ------------------------------------------------------------------------------------------
def env(session: Session) -> None:
    """Print the variables with which a plain Ray program joins the system: `eval "$(share-actors env)"`.

    Then `ray.init()` joins it, and `ray.get_actor("manager", namespace)` calls it, with the namespace in
    SHARE_ACTORS_NAMESPACE. The variables must be set before Ray is imported.
    """
    state = session.running_system()
    assert state.address is not None
    system_state.check_reachable(state.address)
    variables = system_state.program_environment(state)
    if session.json:
        session.output.print_json(variables)
        return
    for name, value in variables.items():
        session.output.stdout.write(f"export {name}={shlex.quote(value)}\n")


# -- status --------------------------------------------------------------------------------------
def status(session: Session) -> None:
    """Show the state of the system: its actors, backends and shares, and any problems."""
    document = session.system.status() | _location(session)
    if session.json:
        session.output.print_json(document)
    else:
        print_status(session.output, document)


def _location(session: Session) -> dict[str, Any]:
    """Where the system and its log are, as part of the status document."""
    config, log = session.system.config, session.system.config.log
    sqlite = log.kind == "sqlite"
    where = str(config.log_path) if sqlite else f"{log.host}:{log.port}/{log.database}"
    address = session.running_system().address
    return {"address": address, "log": {"kind": log.kind, "where": where}}
