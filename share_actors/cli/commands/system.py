"""`share-actors up`, `down` and `status`: a system that stays until it is told to leave."""

# ruff: noqa: PLC0415 - Ray and the log are imported by the commands that need them
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli import ray_process
from share_actors.cli.command import command
from share_actors.cli.session import Session
from share_actors.errors import Refused, Unavailable

if TYPE_CHECKING:
    from share_actors.client import ShareSystem
    from share_actors.config import BackendSettings

UNDER_WAY = ("creating", "extending", "shrinking", "deleting")


def register(app: typer.Typer) -> None:
    """Add the commands to the whole."""
    command(app, "up", examples=["up", "--config site.toml up", "up --address 10.0.0.1:6379"])(up)
    command(app, "down", examples=["down"])(down)
    command(app, "status", examples=["status", "status --json"])(status)


# -- up ------------------------------------------------------------------------------------------
def up(session: Session) -> None:
    """Start a system that stays running, for later commands and other programs.

    Without --address it brings a Ray of its own, that listens on this machine only and only to you.
    What a system that was killed had recorded is all there, and what it had not finished goes on.
    """
    config = session.config
    for name, backend in config.backends.items():
        _driver_exists(name, backend)
    with (
        session.output.waiting("another `up` or `down` is at work"),
        ray_process.locked(config.home),
    ):
        pass
    with ray_process.locked(config.home):
        state = _cluster(session)
        system, ran_already = _actors(session, state)
        system_state.write(config.home, state)
        _tell(session, state, system, ran_already)


def _driver_exists(name: str, settings: BackendSettings) -> None:
    from share_actors.drivers.registry import make_driver

    mode = settings.driver_handles_share_servers
    make_driver(name, settings.driver, settings.options, handles_servers=mode)


def _cluster(session: Session) -> SystemState:
    """The Ray to start our actors on: the operator's, the one that runs, or a new one."""
    config, asked = session.config, session.options.address
    left = system_state.read(config.home)
    if left is not None and left.address is not None and left.alive:
        return _same_system(session, left)
    if left is not None and left.pid is not None:
        session.output.note(
            f"Process {left.pid} of the system before is gone; clearing up after it."
        )
        ray_process.stop_ray(left)
        system_state.forget(config.home)
    if asked:
        return SystemState(address=asked, namespace=config.namespace)
    with session.output.waiting("starting Ray"):
        state = ray_process.start_ray(config.home, config.namespace)
    session.output.note(f"Ray runs at {state.address}, for this machine and this user only.")
    return state


def _same_system(session: Session, left: SystemState) -> SystemState:
    """*left*, unless something else was asked for than what runs."""
    namespace, address = session.config.namespace, session.options.address
    if namespace != left.namespace or address not in (None, left.address):
        raise Refused(
            f"{session.home} has a system already, in namespace {left.namespace!r} at {left.address}",
            field="home", value=str(session.home),
            next_step="Nothing was started. Use another home (SHARE_ACTORS_HOME), or `down` first.",
        )  # fmt: skip
    return left


def _actors(session: Session, state: SystemState) -> tuple[ShareSystem, bool]:
    """Our system on that Ray, and whether it was there before."""
    try:
        return session.connect(state), True
    except Unavailable:
        from share_actors.actors.runtime import lifecycle

        if not lifecycle.is_initialized():
            raise
    with session.output.waiting("starting the manager, the catalog and the share actors"):
        lifecycle.start_system(session.config)
    session.output.note("The manager, the catalog and the share actors run.")
    return session.connect(state), False


def _tell(session: Session, state: SystemState, system: ShareSystem, ran_already: bool) -> None:
    counts = system.count_shares()
    told = {
        "running": True, "already": ran_already, "address": state.address,
        "namespace": state.namespace, "pid": state.pid, "home": str(session.home), "shares": counts,
    }  # fmt: skip
    if session.json:
        session.output.document(told)
        return
    known, going = sum(counts.values()), sum(counts.get(s, 0) for s in UNDER_WAY)
    did = "runs already" if ran_already else "is up"
    session.output.say(f"The system [bold]{state.namespace}[/] {did} at {state.address}.")
    if known:
        goes_on = f"; work on {going} of them goes on" if going else ""
        session.output.say(f"It knows {known} shares{goes_on}.")
    session.output.say(
        "Next: [bold]share-actors share create --size 1 --name first[/], then share list."
    )
    session.output.say(
        "In Python: [bold]share_actors.connect()[/]. To stop it: [bold]share-actors down[/]."
    )


# -- down ----------------------------------------------------------------------------------------
def down(session: Session) -> None:
    """Let all work come to its end, then stop the system. The log keeps everything.

    A Ray that `up` started ends, too; on a cluster given by --address only our actors leave.
    """
    with ray_process.locked(session.home):
        left = system_state.read(session.home)
        asked = session.options.address
        if asked and (left is None or left.address != asked):
            left = SystemState(address=asked, namespace=session.config.namespace)
        if left is None:
            _stopped(session, False, "No system runs here; nothing to stop.")
            return
        ran = _leave(session, left) if left.alive and left.address else False
        killed = ray_process.stop_ray(left)
        system_state.forget(session.home)
        said = "The system is down; the log has everything." if ran else "It was down already."
        _stopped(session, ran, said + (f" {killed} processes had to be killed." if killed else ""))


def _leave(session: Session, state: SystemState) -> bool:
    """End our actors in order, if they are there."""
    try:
        system = session.connect(state)
    except Unavailable as error:
        session.output.note(f"The system does not answer ({error.message}); ending what is left.")
        return False
    from share_actors.actors.runtime import lifecycle

    with session.output.waiting("letting all work come to its end"):
        lifecycle.stop_system(system.manager, state.namespace)
    lifecycle.shutdown()
    return True


def _stopped(session: Session, ran: bool, said: str) -> None:
    if session.json:
        session.output.document({"running": False, "stopped": ran})
    else:
        session.output.say(said)


# -- status --------------------------------------------------------------------------------------
def status(session: Session) -> None:
    """Tell how the system is: its actors, its backends, its shares, and what needs a hand."""
    told = session.system.status()
    told |= _log(session)
    if session.json:
        session.output.document(told)
    else:
        _show_status(session, told)


def _log(session: Session) -> dict[str, Any]:
    config, state = session.system.config, session.running()
    log = config.log
    where = (
        str(config.log_path) if log.kind == "sqlite" else f"{log.host}:{log.port}/{log.database}"
    )
    return {"address": state.address, "log": {"kind": log.kind, "where": where}}


def _show_status(session: Session, told: dict[str, Any]) -> None:
    manager, catalog, output = told["manager"], told["catalog"], session.output
    output.fields(
        {
            "System": f"{told['namespace']} at {told['address']}",
            "Log": f"{told['log']['kind']}, {told['log']['where']}, {catalog.get('events', '?')} events",
            "Manager": _manager(manager),
            "Catalog": _catalog(catalog),
            "Backends": ", ".join(
                f"{n} ({b['driver']}, {b['status']})"
                for n, b in manager.get("backends", {}).items()
            ),
            "Shares": ", ".join(f"{n} {s}" for s, n in catalog.get("shares", {}).items()) or "none",
        }
    )
    columns = ("ACTOR", "PID", "ALIVE", "SHARES", "WAITING", "HUNG CALLS")
    rows = [
        (a["actor"], a.get("pid"), a["alive"], a["shares"], a.get("waiting"), a.get("hung"))
        for a in manager.get("actors", [])
    ]
    output.say("")
    output.table(columns, rows)
    for name, backend in manager.get("backends", {}).items():
        if backend["status"] == "down":
            output.say(f"\n[bold red]Down:[/] backend {name}, and it takes no new shares")
            output.say(f"  {escape(str(backend['reason']))}")
            output.say(
                f"  It is asked again by itself; see [bold]share-actors backend history {name}[/]"
            )
    for share_id, why in manager.get("broken", {}).items():
        output.say(f"\n[bold red]Owes work and can't be woken:[/] share {share_id}")
        output.say(f"  {why}")
        output.say(
            "  It is tried again by itself. To see what is there:"
            f" [bold]share-actors share history {share_id}[/]"
        )
    for parked in catalog.get("parked", []):
        output.say(
            f"\n[bold red]Parked:[/] stream {parked['stream']} from its event {parked['version']}"
        )
        output.say(
            f"  {parked['error']}",
        )
        output.say(f"  To try it again: [bold]share-actors catalog unpark {parked['stream']}[/]")


def _manager(manager: dict[str, Any]) -> str:
    if "error" in manager:
        return f"does not answer: {manager['error']}"
    return f"process {manager['pid']}, up {manager['up_s']:.0f} s, {manager['waiting']} commands waiting"


def _catalog(catalog: dict[str, Any]) -> str:
    if "error" in catalog:
        return f"does not answer: {catalog['error']}"
    behind, parked = catalog["behind"], len(catalog["parked"])
    said = f"process {catalog['pid']}, {behind} events behind the log"
    return f"{said}, {parked} streams parked" if parked else said
