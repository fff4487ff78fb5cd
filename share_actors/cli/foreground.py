"""`up --foreground`: stay until the system dies, is stopped elsewhere, or this process gets a signal."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.system_state import SystemState, check_reachable
from share_actors.cli.interrupts import SIGNALS
from share_actors.errors import Unavailable

CHECK_EVERY_S = 0.5
DEATH_WAIT_S = 5.0
"""How long a process of Ray may still be seen to run after its sockets have closed."""
HANG_WAIT_S = 10.0
"""How long after the death of its system a start may go on by itself: most of its steps end with an error."""


class SignalsNoted:
    """Notes from now on that this process got a signal to stop, which interrupts nothing."""

    def __init__(self) -> None:
        self.signalled = threading.Event()
        for number in SIGNALS:
            signal.signal(number, lambda *_: self.signalled.set())


def stay(home: Path, state: SystemState, noted: SignalsNoted) -> bool:
    """Return True after a signal to stop, False once another command has stopped the system.

    Raises `Unavailable` if the system has died.
    """
    while not noted.signalled.wait(CHECK_EVERY_S):
        if system_state.read(home) != state:
            return False
        check_alive(state)
    return True


def check_alive(state: SystemState) -> None:
    """Raise `Unavailable`, which says that the system died, unless its Ray runs and can be reached.

    A further node ends by itself if it is without its head for too long.
    """
    if not state.alive:
        raise death_of(state)
    if state.joined:
        return
    assert state.address is not None
    with death_noticed(state):
        check_reachable(state.address)


@contextmanager
def death_noticed(state: SystemState) -> Iterator[None]:
    """Replace an error of the block by `Unavailable`, which says that the system died, if it did.

    What fails when Ray ends depends on the moment: a connection, a call, or Ray's own set-up.
    """
    try:
        yield
    except Exception as error:
        if _has_died(state, DEATH_WAIT_S if isinstance(error, Unavailable) else 0.0):
            raise death_of(state) from error
        raise


@contextmanager
def hang_noticed(state: SystemState, give_up: Callable[[], NoReturn]) -> Iterator[None]:
    """Call *give_up*, in a thread, if the system has died and the block goes on for `HANG_WAIT_S` after it.

    Ray waits without end for a cluster that dies while it makes actors or calls them, and in some of these
    waits it heeds no signal. A head that cannot be reached for so long, without its Redis, is taken for dead.
    """
    ended, giving_up = threading.Event(), threading.Lock()

    def watch() -> None:
        while not ended.wait(CHECK_EVERY_S):
            if _is_lost(state) and not ended.wait(HANG_WAIT_S) and _is_lost(state):
                with giving_up:
                    if not ended.is_set():
                        give_up()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        with giving_up:
            ended.set()


def _is_lost(state: SystemState) -> bool:
    """Whether Ray has ended, or its GCS is away, which is started again if it has its Redis."""
    if not state.alive or state.store is None or state.address is None:
        return not state.alive
    try:
        check_reachable(state.address)
    except Unavailable:
        return True
    return False


def death_of(state: SystemState) -> Unavailable:
    """The error that says that the system of *state* died."""
    if state.joined:
        return Unavailable(
            f"the node of the cluster at {state.address} died: process {state.ended or state.pid} has ended",
            next_step=f"Join again with `share-actors up --join {state.address}`.",
        )
    ended = f"process {state.ended or state.pid} has ended"
    if state.alive and state.store is not None:
        ended = f"Ray's GCS at {state.address} is away; does its Redis run ({state.store})?"
    return Unavailable(
        f"the system died: {ended}",
        next_step="Nothing recorded was lost. Start it again with `share-actors up`.",
    )


def _has_died(state: SystemState, wait_s: float) -> bool:
    """Whether a process of Ray has ended, or ends within *wait_s*."""
    deadline = time.monotonic() + (wait_s if state.pid is not None else 0.0)
    while state.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    return not state.alive
