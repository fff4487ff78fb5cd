"""`up --foreground`: stay until the system dies, is stopped elsewhere, or this process gets a signal."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.system_state import SystemState, check_reachable
from share_actors.errors import Unavailable

CHECK_EVERY_S = 0.5
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def stay(home: Path, state: SystemState) -> bool:
    """Return True after a signal to stop, False once another command has stopped the system.

    Raises `Unavailable` if the system has died.
    """
    signalled = threading.Event()
    for number in SIGNALS:
        signal.signal(number, lambda *_: signalled.set())
    while not signalled.wait(CHECK_EVERY_S):
        if system_state.read(home) != state:
            return False
        _check_alive(state)
    return True


def _check_alive(state: SystemState) -> None:
    if not state.alive:
        raise Unavailable(
            f"the system died: process {state.pid} has ended",
            next_step="Nothing recorded was lost. Start it again with `share-actors up`.",
        )
    assert state.address is not None
    check_reachable(state.address)
