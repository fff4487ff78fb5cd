"""`share-actors up`: start a system that keeps running, or say how the running one differs."""

# ruff: noqa: PLC0415 - Ray and the log are imported by the commands that need them
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.head.store import RedisStore, delete_tables, reserved, store_of
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli import interrupts, ray_process
from share_actors.cli.command import command, exit_now
from share_actors.cli.commands.system import joining, machines
from share_actors.cli.commands.system.down import stop
from share_actors.cli.commands.system.machines import Machines
from share_actors.cli.commands.system.started import print_started
from share_actors.cli.commands.system.taken import refuse_others, wait_until_free
from share_actors.cli.foreground import (
    SignalsNoted,
    death_noticed,
    death_of,
    hang_noticed,
    stay,
)
from share_actors.cli.session import Session
from share_actors.client.keywords import STOP_TIMEOUT_S
from share_actors.errors import Refused, Unavailable

if TYPE_CHECKING:
    from share_actors.client import ShareSystem
    from share_actors.config import BackendSettings, Config

_RESTART = "Run `share-actors down`, then `share-actors up`, to start it with these settings."
_APPLY = (
    "Apply them now with `share-actors backend reload`, or restart the system: `share-actors down`, then"
    " `share-actors up`."
)


@dataclass
class _Progress:
    """What one `up` has done so far: *before* is the system that was recorded when it began."""

    before: SystemState | None
    begun: bool = False
    """Whether it started the actors of the system."""


@command(
    "up",
    examples=[
        "up",
        "--config site.toml up",
        "up --foreground",
        "--config site.toml up --listen 10.0.0.1:6379",
        "up --join 10.0.0.1:6379 --token-file token --resource tape",
    ],
)
def up(
    session: Session,
    foreground: Annotated[
        bool,
        typer.Option(
            "--foreground",
            help="Run until the system dies (exit code 11), or SIGTERM or Ctrl-C stops it in order.",
        ),
    ] = False,
    listen: machines.ListenOption = None,
    join: machines.JoinOption = None,
    token_file: machines.TokenOption = None,
    resource: machines.ResourceOption = None,
    backend: machines.BackendOption = None,
    node_address: machines.NodeAddressOption = None,
    any_version: machines.AnyVersionOption = False,
) -> None:
    """Start a system that keeps running, for later commands and other programs.

    Without --address it starts its own Ray, which only you can reach and only from this machine, unless it
    listens for others. With --join this machine becomes a further node of such a cluster.
    After a crash it has everything that was recorded, and unfinished work continues. If it fails or is
    stopped by Ctrl-C, what it started is ended again.
    """
    wanted = Machines(
        listen,
        join,
        token_file,
        tuple(resource or ()),
        tuple(backend or ()),
        node_address,
        any_version,
    )
    wanted.check(session.options.address)
    if join is not None:
        joining.join(session, wanted, foreground=foreground)
    else:
        _run(session, wanted, foreground=foreground)


def _run(session: Session, wanted: Machines, *, foreground: bool) -> None:
    """Start the system of this configuration, or stay with it until it ends."""
    config = session.config
    _check_backends(config.backends)
    session.interrupt_message = "Stopped. Nothing was started."
    with (
        session.output.spinner("waiting for another `up` or `down` to end"),
        ray_process.locked(config.home),
    ):
        pass
    with interrupts.raised() as raise_if_interrupted:
        with ray_process.locked(config.home):
            state, noted = _start(session, wanted, raise_if_interrupted, foreground=foreground)
        if noted is not None:
            _stay(session, state, noted)


def _start(
    session: Session,
    wanted: Machines,
    raise_if_interrupted: Callable[[], None],
    *,
    foreground: bool,
) -> tuple[SystemState, SignalsNoted | None]:
    """Start the system unless it runs; in the foreground, signals are noted from then on."""
    progress = _Progress(system_state.read(session.home))
    try:
        state = _ensure_cluster(session, wanted)
        with (
            death_noticed(state),
            hang_noticed(state, lambda: _give_up(session, state, progress)),
        ):
            system = _ensure_system(session, state, progress)
            state = _with_session(state)
            system_state.write(session.home, state)
            raise_if_interrupted()
            was_running = not progress.begun and not _continues(state, progress.before)
            print_started(session, state, system, was_running=was_running)
        session.interrupt_message = f"Stopped. The system at {state.address} goes on."
        return state, SignalsNoted() if foreground else None
    except BaseException as error:
        with interrupts.ignored():
            _undo(session, progress)
        if isinstance(error, SystemExit):  # of Ray's own handler of SIGTERM
            raise KeyboardInterrupt from None
        raise


def _continues(state: SystemState, before: SystemState | None) -> bool:
    """Whether *state* has a new head with the tables of the one *before*."""
    return state.store is not None and before is not None and not state.has_head_of(before)


def _with_session(state: SystemState) -> SystemState:
    """*state* with Ray's name of its cluster, by which processes that outlive the head are known."""
    from share_actors.actors.runtime import lifecycle

    return state.replace(session=lifecycle.joined_session())


def _undo(session: Session, progress: _Progress) -> None:
    """End what this command started, and say so if it is interrupted."""
    recorded = system_state.read(session.home)
    if recorded is not None and recorded == progress.before:
        session.interrupt_message = f"Stopped. The system at {recorded.address} goes on."
        return
    if progress.begun and (recorded is None or recorded.alive):
        _stop_actors(session)
    if recorded is not None:
        ray_process.stop_ray(recorded)
        system_state.delete(session.home)
    session.interrupt_message = (
        "Stopped. What `up` had started was ended again; everything that was recorded is kept."
    )


def _give_up(session: Session, state: SystemState, progress: _Progress) -> NoReturn:
    """End this process, which waits for a system that has died."""
    _undo(session, progress)
    exit_now(session.report_error(death_of(state)))


def _stop_actors(session: Session) -> None:
    """Stop the system in order, without waiting for its driver calls."""
    from share_actors.actors.runtime import lifecycle

    try:
        manager = lifecycle.find_manager(session.config.namespace)
        lifecycle.stop_system(manager, session.config.namespace, 0.0)
    except Exception as error:  # Ray may be ending; its processes are ended next
        session.output.print_message(f"Its actors did not stop in order: {type(error).__name__}.")


def _stay(session: Session, state: SystemState, noted: SignalsNoted) -> None:
    """Stay in the foreground; stop the system in order after a signal."""
    from share_actors.actors.runtime import lifecycle

    try:
        with death_noticed(state):
            lifecycle.shutdown()
            signalled = stay(session.home, state, noted)
    except Unavailable:
        ray_process.stop_ray(state)
        raise
    if signalled:
        stop(session, STOP_TIMEOUT_S)


def _check_backends(backends: Mapping[str, BackendSettings]) -> None:
    from share_actors.actors.effects.separation import check_apart

    check_apart(backends)


# -- the Ray cluster -----------------------------------------------------------------------------
def _ensure_cluster(session: Session, wanted: Machines) -> SystemState:
    """The Ray cluster for the system: the one at --address, the running one, or a new one."""
    config, address = session.config, session.options.address
    recorded = system_state.read(config.home)
    if recorded is not None and recorded.address is not None and recorded.alive:
        if not _is_replaced(recorded, address):
            return _matching_system(session, recorded, wanted)
        session.output.print_message(f"The Ray cluster at {recorded.address} is gone.")
    store = None if address else store_of(config)
    if store is not None:
        store.check()
    tables = None if store is None else ray_process.tables_in(store, recorded)
    continued = _end_former(session, recorded, store)
    if address:
        return SystemState(address=address, namespace=config.namespace)
    role = machines.role_of_head(config, wanted)
    if not continued:
        refuse_others(session, recorded)
    if store is not None:
        with session.output.spinner("asking Redis which head uses the tables"):
            _prepare(store, continued=continued)
    with session.output.spinner("starting Ray"):
        state = ray_process.start_ray(config.home, config.namespace, role, tables)
    reach = "only by you and from this machine" if role.loopback else "with its token"
    session.output.print_message(f"Ray is running at {state.address}, reachable {reach}.")
    return state


def _is_replaced(recorded: SystemState, address: str | None) -> bool:
    """Whether *address* replaces the recorded cluster, which `up` did not start and which is gone."""
    if recorded.pid is not None or recorded.address is None or address in (None, recorded.address):
        return False
    try:
        system_state.check_reachable(recorded.address)
    except Unavailable:
        return True
    return False


def _end_former(session: Session, recorded: SystemState | None, store: RedisStore | None) -> bool:
    """End what is left of the *recorded* system, which has died; whether its tables are in *store*."""
    if recorded is None or recorded.pid is None:
        return False
    session.output.print_message(
        f"Process {recorded.ended or recorded.pid} of the previous system has died; cleaning up."
    )
    ray_process.stop_ray(recorded)
    system_state.delete(session.home)
    return store is not None and recorded.store == str(store)


def _prepare(store: RedisStore, *, continued: bool) -> None:
    """Check that no other head uses *store*; tables of a head that is not *continued* are deleted."""
    if not continued:
        delete_tables(store)
        return
    with reserved(store):
        pass


def _matching_system(session: Session, running: SystemState, wanted: Machines) -> SystemState:
    """*running*, if it has the requested namespace and address; else raises `Refused`."""
    namespace, address = session.config.namespace, session.options.address
    machines.check_serves(running, wanted)
    if namespace != running.namespace or address not in (None, running.address):
        raise Refused(
            f"{session.home} already has a system in namespace {running.namespace!r}"
            f" at {running.address}",
            field="home",
            value=str(session.home),
            next_step="Nothing was started. Use another home (SHARE_ACTORS_HOME), or run `down` first.",
        )
    return running


# -- the system ----------------------------------------------------------------------------------
def _ensure_system(session: Session, state: SystemState, progress: _Progress) -> ShareSystem:
    """The system on that Ray cluster, started unless it runs there with the same settings."""
    from share_actors.actors.runtime import lifecycle

    try:
        system = session.connect(state)
    except Unavailable:
        if not lifecycle.is_initialized():
            raise
    else:
        _check_settings(session, system.config)
        return system
    if not _continues(state, progress.before):  # else it is held by what goes on
        wait_until_free(session, progress.before)
    with session.output.spinner("starting the manager, the catalog and the share actors"):
        progress.begun = lifecycle.start_system(session.config).begun
    session.output.print_message("The manager, the catalog and the share actors are running.")
    return session.connect(state)


def _check_settings(session: Session, running: Config) -> None:
    """Raise `Refused`, which says what differs, if the system runs with other settings."""
    from share_actors.actors.effects.driver_setup import without_secret_options
    from share_actors.actors.manager.reload import CHANGEABLE
    from share_actors.actors.runtime import lifecycle
    from share_actors.config.differences import differences, in_words

    if running.home != session.home:
        lifecycle.check_settings(running, session.config)
    if differing := differences(running, session.config, shown=without_secret_options):
        sections = {difference.key.partition(".")[0] for difference in differing}
        raise Refused(
            f"the system of {running.home} runs with other settings: {in_words(differing)};"
            " nothing was changed",
            field=differing[0].key,
            value=differing[0].wanted,
            differing=[difference._asdict() for difference in differing],
            next_step=_APPLY if sections <= set(CHANGEABLE) else _RESTART,
        )
