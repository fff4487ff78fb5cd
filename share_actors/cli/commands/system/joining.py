"""`share-actors up --join`: make this machine a further node of the cluster of a head."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.joining.facts import (
    ClusterFacts,
    check_joinable,
    own_versions,
    resources_of,
)
from share_actors.actors.runtime.joining.head import (
    Endpoint,
    Route,
    examine,
    parse_endpoint,
    route_to,
)
from share_actors.actors.runtime.system_state import SystemState, ray_environment
from share_actors.cli import interrupts, ray_process, ray_roles
from share_actors.cli.commands.system.down import stop
from share_actors.cli.commands.system.machines import Machines
from share_actors.cli.foreground import SignalsNoted, stay
from share_actors.cli.output import escape
from share_actors.cli.ray_roles import RayRole
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest, Refused, Unavailable

MAX_TOKEN_LENGTH = 4096


def join(session: Session, machines: Machines, *, foreground: bool) -> None:
    """Start a node on this machine, which joins the cluster of the head."""
    assert machines.join is not None
    head = parse_endpoint(machines.join, "join")
    session.interrupt_message = "Stopped. Nothing was started."
    with interrupts.raised() as raise_if_interrupted:
        with ray_process.locked(session.home):
            state, was_joined = _ensure_joined(session, head, machines)
            try:
                raise_if_interrupted()
                session.interrupt_message = f"Stopped. The node of {state.address} goes on."
                noted = SignalsNoted() if foreground else None
                _print_joined(session, state, was_joined=was_joined)
            except BaseException:
                if not was_joined:
                    _leave(session, state)
                raise
        if noted is not None:
            stay_joined(session, state, noted)


def _ensure_joined(
    session: Session, head: Endpoint, machines: Machines
) -> tuple[SystemState, bool]:
    """The node of this home, and whether it had joined that head before."""
    recorded = system_state.read(session.home)
    living = recorded if recorded is not None and recorded.alive and recorded.address else None
    if living is not None:
        _check_joined(session, living, route_to(head).head)
    elif recorded is not None:
        session.output.print_message(
            f"Process {recorded.ended or recorded.pid} of the previous system has died; cleaning up."
        )
        _leave(session, recorded)
    route = route_to(head, machines.node_address)
    given = None if machines.token_file is None else read_token(machines.token_file)
    cluster = examine(route.head, _authentication(session.home, given))
    if living is not None and living.session in (None, cluster.session):
        return living, True
    if living is not None:
        session.output.print_message(
            f"The head at {living.address} was replaced; ending the node of its former cluster."
        )
        _leave(session, living)
    check_joinable(cluster, own_versions(), any_version=machines.any_version)
    resources = _resources(session, machines, cluster)
    if given is not None:  # the head has accepted it: it may replace another one
        ray_roles.write_token(session.home, given)
    token = kept_token(session.home)
    state = _start(session, route, ray_roles.joining(route, resources, token))
    state = state.replace(session=cluster.session)
    system_state.write(session.home, state)
    return state, False


def _check_joined(session: Session, recorded: SystemState, head: Endpoint) -> None:
    if recorded.joined and recorded.address == str(head):
        return
    what = "has joined the cluster of" if recorded.joined else "has a system of its own at"
    raise Refused(
        f"{session.home} {what} {recorded.address} already",
        field="join",
        value=str(head),
        next_step="Nothing was started. Run `share-actors down` first, or use another home"
        " (SHARE_ACTORS_HOME).",
    )


def kept_token(home: Path) -> str | None:
    """The file with the token of the cluster that this machine joined last; None if there is none."""
    file = ray_roles.token_file(home)
    return str(file) if file.exists() else None


def _authentication(home: Path, given: str | None) -> dict[str, str]:
    """The variables of Ray with the token that was *given*, or else the one that is kept in *home*."""
    if given is not None:
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": given}
    return ray_environment(kept_token(home), loopback=False)


def read_token(name: str) -> str:
    """The token in the file *name*, or on standard input for `-`; raises `InvalidRequest`."""
    try:
        text = (
            sys.stdin.read(MAX_TOKEN_LENGTH + 1) if name == "-" else Path(name).read_text("ascii")
        )
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            f"--token-file {name}: {getattr(error, 'strerror', None) or 'it is no token'}",
            field="token_file",
            value=name,
        ) from None
    token = text.strip()
    if not token or len(token) > MAX_TOKEN_LENGTH or len(token.split()) > 1 or not token.isascii():
        raise InvalidRequest(
            f"--token-file {name}: it must contain one word, the token",
            field="token_file",
            value=name,
        )
    return token


def _resources(session: Session, machines: Machines, cluster: ClusterFacts) -> tuple[str, ...]:
    """The Ray resources of this machine; says which of them no backend there asks for."""
    known: dict[str, str | None] = {}
    for system in cluster.systems.values():
        known |= system.backends
    if machines.backends and not cluster.systems:
        raise Unavailable(
            f"no system runs on the cluster yet, so that backend {machines.backends[0]} is not known",
            field="backend",
            value=machines.backends[0],
            next_step="Nothing was started. Join again when the system is up, or give --resource.",
        )
    resources = dict.fromkeys((*machines.resources, *resources_of(machines.backends, known)))
    for name in resources:
        if cluster.systems and name not in known.values():
            session.output.print_message(
                f"[yellow]Warning:[/] no backend there is pinned to the resource {escape(name)}."
            )
    return tuple(resources)


def _start(session: Session, route: Route, role: RayRole) -> SystemState:
    before = system_state.read(session.home)
    try:
        with session.output.spinner(f"joining {route.head}"):
            return ray_process.start_ray(session.home, session.config.namespace, role)
    except BaseException:
        with interrupts.ignored():
            started = system_state.read(session.home)
            if started is not None and started != before:
                _leave(session, started)
        raise


def _leave(session: Session, state: SystemState) -> list[str]:
    """End the node of *state*; returns the names of the processes that had to be killed."""
    killed = ray_process.stop_ray(state)
    system_state.delete(session.home)
    return killed


def _print_joined(session: Session, state: SystemState, *, was_joined: bool) -> None:
    if session.json:
        document: Mapping[str, object] = {
            "joined": state.address,
            "already": was_joined,
            "pid": state.pid,
            "home": str(session.home),
            "namespace": state.namespace,
        }
        session.output.print_json(document)
        return
    verb = "was already a node" if was_joined else "is a node"
    session.output.print(f"This machine {verb} of the cluster at {state.address}.")
    session.output.print(
        "See it: [bold]share-actors node list[/]. To leave: [bold]share-actors down[/]"
    )


def stay_joined(session: Session, state: SystemState, noted: SignalsNoted) -> None:
    """Stay in the foreground until a signal, then leave the cluster."""
    sys.stdout.flush()
    try:
        signalled = stay(session.home, state, noted)
    except Unavailable:
        with ray_process.locked(session.home):
            if system_state.read(session.home) == state:
                _leave(session, state)
        raise
    if signalled:
        stop(session, 0.0)
