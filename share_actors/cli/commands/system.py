"""`share-actors up`, `down` and `status`: a system that keeps running between commands."""

# ruff: noqa: PLC0415 - Ray and the log are imported by the commands that need them
from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli import ray_process
from share_actors.cli.command import command
from share_actors.cli.commands.system_status import print_status
from share_actors.cli.foreground import death_noticed, stay
from share_actors.cli.output import count
from share_actors.cli.session import Session
from share_actors.client.keywords import STOP_TIMEOUT_S
from share_actors.errors import Refused, Unavailable

if TYPE_CHECKING:
    from share_actors.client import ShareSystem
    from share_actors.config import BackendSettings

CRASHED_STOP_TIMEOUT_S = 0.5
"""How long the rest of a system that died may take to end; nothing there can be stopped in order."""
MAX_NAMED = 5
"""How many driver calls `down` names while it waits for them."""
StopTimeout = Annotated[
    float,
    typer.Option(
        min=0.0, metavar="SECONDS", help="Let driver calls go on for so long, then cut them off."
    ),
]
IN_PROGRESS = ("creating", "extending", "shrinking", "deleting")


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    command(app, "up", examples=["up", "--config site.toml up", "up --foreground"])(up)
    command(app, "down", examples=["down", "down --timeout 600", "down --now"])(down)
    command(app, "env", examples=["env", "env --json"])(env)
    command(app, "status", examples=["status", "status --json"])(status)


# -- up ------------------------------------------------------------------------------------------
def up(
    session: Session,
    foreground: Annotated[
        bool,
        typer.Option(
            "--foreground",
            help="Stay until the system dies (exit code 11) or SIGTERM or Ctrl-C stops it in order.",
        ),
    ] = False,
) -> None:
    """Start a system that keeps running, for later commands and other programs.

    Without --address it starts its own Ray, which only you can reach and only from this machine.
    After a crash it has everything that was recorded, and unfinished work continues.
    """
    config = session.config
    for name, backend in config.backends.items():
        _check_driver(name, backend)
    with (
        session.output.spinner("waiting for another `up` or `down` to end"),
        ray_process.locked(config.home),
    ):
        pass
    with ray_process.locked(config.home):
        before = system_state.read(config.home)
        state = _ensure_cluster(session)
        try:
            with death_noticed(state):
                system, was_running = _ensure_system(session, state)
                system_state.write(config.home, state)
                _print_started(session, state, system, was_running)
        except BaseException:
            if state != before:  # what this command started must not stay behind
                _stop_ray(state)
                system_state.delete(config.home)
            raise
    if foreground:
        _stay(session, state)


def _stay(session: Session, state: SystemState) -> None:
    """Stay in the foreground; stop the system in order after a signal."""
    from share_actors.actors.runtime import lifecycle

    try:
        with death_noticed(state):
            lifecycle.shutdown()
            signalled = stay(session.home, state)
    except Unavailable:
        ray_process.stop_ray(state, CRASHED_STOP_TIMEOUT_S)
        raise
    if signalled:
        stop(session, STOP_TIMEOUT_S)


def _stop_ray(state: SystemState) -> None:
    """Stop the Ray of *state*; what is left of one that died cannot be stopped in order."""
    timeout_s = ray_process.STOP_TIMEOUT_S if state.alive else CRASHED_STOP_TIMEOUT_S
    ray_process.stop_ray(state, timeout_s)


def _check_driver(name: str, backend: BackendSettings) -> None:
    from share_actors.actors.effects.driver_setup import driver_of

    driver_of(name, backend)


def _ensure_cluster(session: Session) -> SystemState:
    """The Ray cluster for the system: the one at --address, the running one, or a new one."""
    config, address = session.config, session.options.address
    recorded = system_state.read(config.home)
    if recorded is not None and recorded.address is not None and recorded.alive:
        return _matching_system(session, recorded)
    if recorded is not None and recorded.pid is not None:
        session.output.print_message(
            f"Process {recorded.pid} of the previous system has died; cleaning up."
        )
        ray_process.stop_ray(recorded, CRASHED_STOP_TIMEOUT_S)
        system_state.delete(config.home)
    if address:
        return SystemState(address=address, namespace=config.namespace)
    with session.output.spinner("starting Ray"):
        state = ray_process.start_ray(config.home, config.namespace)
    session.output.print_message(
        f"Ray is running at {state.address}, reachable only by you and from this machine."
    )
    return state


def _matching_system(session: Session, running: SystemState) -> SystemState:
    """*running*, if it has the requested namespace and address; else raises `Refused`."""
    namespace, address = session.config.namespace, session.options.address
    if namespace != running.namespace or address not in (None, running.address):
        raise Refused(
            f"{session.home} already has a system in namespace {running.namespace!r}"
            f" at {running.address}",
            field="home",
            value=str(session.home),
            next_step="Nothing was started. Use another home (SHARE_ACTORS_HOME), or run `down` first.",
        )
    return running


def _ensure_system(session: Session, state: SystemState) -> tuple[ShareSystem, bool]:
    """The system on that Ray cluster, and whether it was running already."""
    from share_actors.actors.runtime import lifecycle

    try:
        system = session.connect(state)
    except Unavailable:
        if not lifecycle.is_initialized():
            raise
    else:
        lifecycle.check_settings(system.config, session.config, ("home", "log"))
        return system, True
    with session.output.spinner("starting the manager, the catalog and the share actors"):
        lifecycle.start_system(session.config)
    session.output.print_message("The manager, the catalog and the share actors are running.")
    return session.connect(state), False


def _print_started(
    session: Session, state: SystemState, system: ShareSystem, was_running: bool
) -> None:
    counts = system.count_shares()
    if session.json:
        document = {
            "running": True,
            "already": was_running,
            "address": state.address,
            "namespace": state.namespace,
            "pid": state.pid,
            "home": str(session.home),
            "shares": counts,
        }
        session.output.print_json(document)
        return
    verb = "is already running" if was_running else "is up"
    output = session.output
    output.print(f"The system [bold]{state.namespace}[/] {verb} at {state.address}.")
    if shares := sum(counts.values()):
        in_progress = sum(counts.get(status, 0) for status in IN_PROGRESS)
        suffix = f", {in_progress} in progress" if in_progress else ""
        output.print(f"It has {count(shares, 'share')}{suffix}.")
    output.print("Next: [bold]share-actors share create --size 1 --name first[/]")
    output.print("In Python: [bold]share_actors.connect()[/]. To stop: [bold]share-actors down[/]")


# -- down ----------------------------------------------------------------------------------------
def down(
    session: Session,
    timeout: StopTimeout = STOP_TIMEOUT_S,
    now: Annotated[bool, typer.Option("--now", help="Cut off the driver calls under way.")] = False,
) -> None:
    """Let driver calls that are under way end, then stop the system. The log is kept.

    Work that has not begun, and calls that are cut off, continue with the next `up`; a stop never counts
    as a failed attempt. A Ray that `up` started is stopped too; a cluster given by --address keeps running.
    """
    stop(session, 0.0 if now else timeout)


def stop(session: Session, timeout_s: float) -> None:
    """Stop the system of this home, or the one at --address, and print what became of it."""
    with ray_process.locked(session.home):
        state = system_state.read(session.home)
        address = session.options.address
        if address and (state is None or state.address != address):
            state = SystemState(address=address, namespace=session.config.namespace)
        if state is None:
            _print_stopped(session, False, "No system is running here; nothing to stop.")
            return
        can_answer = state.alive and state.address
        cut_off = _stop_system(session, state, timeout_s) if can_answer else None
        was_running = cut_off is not None
        killed = ray_process.stop_ray(state)
        system_state.delete(session.home)
        message = "The system is down; its log is kept." if was_running else "It was already down."
        if killed:
            message += f" Killed {count(killed, 'process')} that did not end in time."
        _print_stopped(session, was_running, message, cut_off or ())


def _stop_system(
    session: Session, state: SystemState, timeout_s: float
) -> list[dict[str, Any]] | None:
    """Stop our actors in order; returns the calls that were cut off, None if the system does not answer."""
    try:
        system = session.connect(state)
    except Unavailable as error:
        session.output.print_message(
            f"The system does not answer ({error.message}); stopping its processes."
        )
        return None
    from share_actors.actors.runtime import lifecycle

    with session.output.spinner("finishing the work in progress") as show_text:
        shown = ""

        def show(calls: list[dict[str, Any]]) -> None:
            nonlocal shown
            text = waiting_for(calls)
            if text != shown:
                show_text(text)
            shown = text

        cut_off = lifecycle.stop_system(system.manager, state.namespace, timeout_s, show)
    lifecycle.shutdown()
    return cut_off


def waiting_for(calls: Sequence[Mapping[str, Any]]) -> str:
    """What a stop waits for, in one line."""
    named = ", ".join(f"{call['work']} of {call['id']}" for call in calls[:MAX_NAMED])
    more = f" and {len(calls) - MAX_NAMED} more" if len(calls) > MAX_NAMED else ""
    if not calls:
        return "finishing the work in progress"
    return f"waiting for {count(len(calls), 'driver call')}: {named}{more}"


def _print_stopped(
    session: Session,
    was_running: bool,
    message: str,
    cut_off: Sequence[Mapping[str, Any]] = (),
) -> None:
    if session.json:
        document = {"running": False, "stopped": was_running, "cut_off": list(cut_off)}
        session.output.print_json(document)
        return
    for call in cut_off:
        took = f"after {call['seconds']:.1f} s; it is made again after the next `up`"
        session.output.print(f"Cut off: {escape(call['work'])} of {escape(call['id'])} {took}.")
    session.output.print(message)


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
