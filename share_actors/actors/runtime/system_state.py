"""`system.json` in a system's home: which system `up` left running, and how later commands reach it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil
from pydantic import ValidationError

from share_actors.config import default_home
from share_actors.errors import ConfigError, Unavailable
from share_actors.values import Frozen

PROBE_S = 5.0
GONE_OR_WRONG = (
    "Is the address right? If that cluster is gone, `share-actors down` forgets it and `share-actors up`"
    " starts one."
)
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray's way to say that a cluster stays on one machine; it then listens on 127.0.0.1 alone."""


class SystemState(Frozen):
    """A system that runs. `pid` is the head of a Ray of our own; None on somebody else's cluster."""

    namespace: str
    address: str | None = None
    """None while Ray is still starting."""
    pid: int | None = None
    created: float = 0.0
    """When that process was created: tells it from a later one with the same id."""
    directory: str | None = None
    """What Ray keeps while it runs; removed when it ends."""
    token: str | None = None
    """The file with the secret that Ray asks of everybody who connects."""

    @property
    def alive(self) -> bool:
        """Whether the head is there still; somebody else's cluster is taken to be."""
        return self.pid is None or same_process(self.pid, self.created)

    @property
    def environment(self) -> dict[str, str]:
        """What a process must have in its environment before it imports Ray, to connect."""
        return ray_environment(self.token) if self.token else {}


def ray_environment(token: str) -> dict[str, str]:
    """Ray on loopback sockets only, where only those who can read the file *token* may connect."""
    return {**LOOPBACK, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": token}


def same_process(pid: int, created: float) -> bool:
    """Whether the process that had this id at its creation lives."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(process.create_time() - created) < 1.0
    except psutil.NoSuchProcess:
        return False


def path(home: Path) -> Path:
    return home / "system.json"


def read(home: Path) -> SystemState | None:
    """The system that was started last and not stopped; None if there is none."""
    try:
        return SystemState.model_validate_json(path(home).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ConfigError(
            f"{path(home)} can't be read: {error}; remove it if no system runs",
            field="home", value=str(home),
        ) from None  # fmt: skip


def write(home: Path, state: SystemState) -> None:
    """All or nothing: a reader never sees half of it."""
    new = path(home).with_suffix(f".{os.getpid()}")
    new.write_text(state.model_dump_json(indent=2) + "\n", encoding="utf-8")
    new.replace(path(home))


def reach(address: str) -> tuple[str, dict[str, str]]:
    """Where *address* leads, and what the environment must hold to get there.

    `auto` is the system that `up` left in this user's home, if one runs.
    """
    left = read(default_home())
    ours = None if left is None or not left.alive else left.address
    needed: dict[str, str] = {}
    if left is not None and ours is not None and address in ("auto", ours):
        address, needed = ours, left.environment
    local = address.rpartition(":")[0] in ("127.0.0.1", "localhost")
    return address, {
        **LOOPBACK,
        **needed,
    } if local else needed  # else Ray looks for the outer address


def check_answers(address: str) -> None:
    """Raise `Unavailable` if nothing is at this host and port: Ray takes minutes to say so."""
    host, _, port = address.rpartition(":")
    if "://" in address or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), PROBE_S).close()
    except (OSError, OverflowError):
        raise Unavailable(
            f"nothing answers at {address}", field="address", value=address, next_step=GONE_OR_WRONG
        ) from None


def forget(home: Path) -> None:
    path(home).unlink(missing_ok=True)
