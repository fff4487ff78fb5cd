"""`share-actors down`: let driver calls end, then stop the system."""

# ruff: noqa: PLC0415 - Ray is imported by the commands that need it
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NoReturn

import typer

from share_actors.actors.runtime import stopped_systems, system_state
from share_actors.actors.runtime.head.store import delete_tables, store_of
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli import ray_process
from share_actors.cli.command import command, exit_now
from share_actors.cli.foreground import death_of, hang_noticed
from share_actors.cli.options import check_seconds
from share_actors.cli.output import count, escape
from share_actors.cli.session import Session
from share_actors.client.keywords import STOP_TIMEOUT_S
from share_actors.errors import ShareActorsError, Unavailable

LEAST_CONNECT_S = 10.0
"""How long `down` waits at least, in seconds, for a manager that is being restarted."""
MAX_NAMED = 5
"""How many driver calls `down` names while it waits for them."""
StopTimeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        callback=check_seconds,
        help="Let driver calls continue for this long, then cut them off.",
    ),
]


@command("down", examples=["down", "down --timeout 600", "down --now"])
def down(
    session: Session,
    timeout: StopTimeout = STOP_TIMEOUT_S,
    now: Annotated[bool, typer.Option("--now", help="Cut off driver calls at once.")] = False,
) -> None:
    """Wait for driver calls in progress, then stop the system. The log is kept.

    Work that has not begun, and calls that are cut off, continue with the next `up`; a stop never counts
    as a failed attempt. A Ray that `up` started is stopped too; a cluster given by --address keeps running.
    On a machine that has joined a cluster (`up --join`) it ends the node of this machine alone.
    """
    stop(session, 0.0 if now else timeout)


def stop(session: Session, timeout_s: float) -> None:
    """Stop the system of this home, or the one at --address, and print what became of it."""
    with ray_process.locked(session.home):
        recorded = system_state.read(session.home)
        state = _to_stop(session, recorded)
        if state is None:
            _print_stopped(session, False, "No system is running here; nothing to stop.")
            return
        if state.joined:
            _leave(session, state)
            return
        with stopped_systems.stopping(session.home, state):
            can_answer = state.alive and state.address
            with hang_noticed(state, lambda: _give_up(session, state, recorded)):
                cut_off = _stop_system(session, state, timeout_s) if can_answer else None
            killed = _end_ray(session, state, recorded)
        was_running = cut_off is not None
        message = "The system is down; its log is kept." if was_running else "It was already down."
        _print_stopped(session, was_running, message + _killed(killed), cut_off or ())


def _to_stop(session: Session, recorded: SystemState | None) -> SystemState | None:
    """What this home has *recorded*, or the system at another address, or of the cluster that was joined."""
    address = session.options.address
    if not address or (recorded and recorded.address == address and not recorded.joined):
        return recorded
    token = recorded.token if recorded and recorded.address == address else None
    return SystemState(address=address, namespace=session.config.namespace, token=token)


def _leave(session: Session, node: SystemState) -> None:
    """End the *node* that this machine is; the system goes on elsewhere."""
    with session.output.spinner("leaving the cluster"):
        was_alive = node.alive
        killed = ray_process.stop_ray(node)
        system_state.delete(session.home)
    if session.json:
        session.output.print_json({"left": node.address, "stopped": was_alive, "cut_off": []})
        return
    said = "has left" if was_alive else "had already left"
    session.output.print(f"This machine {said} the cluster at {node.address}.{_killed(killed)}")


def _killed(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f" Killed {count(len(names), 'process')} that did not end in time: {', '.join(names)}."


def _end_ray(session: Session, state: SystemState, recorded: SystemState | None) -> list[str]:
    """End the Ray of *state*, and forget it if it is *recorded*; returns the names of killed processes."""
    killed = ray_process.stop_ray(state)
    _delete_tables(session, state)
    if state == recorded:
        system_state.delete(session.home)
    return killed


def _give_up(session: Session, state: SystemState, recorded: SystemState | None) -> NoReturn:
    """End this process, and the Ray that it waits for, which has died."""
    _end_ray(session, state, recorded)
    _print_stopped(session, False, f"It did not stop in order: {death_of(state).message}.")
    exit_now(0)


def _delete_tables(session: Session, state: SystemState) -> None:
    """Delete Ray's tables in Redis, if they are there: the next `up` starts from the log."""
    store = store_of(session.config)
    if store is None or state.store != str(store):
        return
    try:
        delete_tables(store)
    except ShareActorsError as error:  # the next `up` deletes them
        session.output.print_message(f"Ray's tables were not deleted: {error.message}.")


def _stop_system(
    session: Session, state: SystemState, timeout_s: float
) -> list[dict[str, Any]] | None:
    """Stop our actors in order; returns the calls that were cut off, None if the system does not answer."""
    try:
        system = session.connect(state, max(timeout_s, LEAST_CONNECT_S))
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

        cut_off = lifecycle.stop_system(system.manager.handle, state.namespace, timeout_s, show)
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
