"""`share-actors env`: the variables with which other programs join the system."""

from __future__ import annotations

import shlex

from share_actors.actors.runtime import system_state
from share_actors.cli.command import command
from share_actors.cli.session import Session


@command("env", examples=["env", "env --json"])
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
