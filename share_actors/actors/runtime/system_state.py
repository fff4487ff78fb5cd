"""`system.json` in the home: the system that `up` started, and how later commands connect to it."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import psutil
from pydantic import ValidationError

from share_actors.actors.runtime import OUTAGE, PARENT
from share_actors.config import default_home
from share_actors.errors import ConfigError, Refused, Unavailable
from share_actors.values import Frozen

CONNECT_TIMEOUT_S = 5.0
NEXT_STEP = (
    "Check the address. If that cluster is gone, run `share-actors down` to forget it and `share-actors up`"
    " to start one."
)
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Makes Ray a cluster of one machine, which listens on 127.0.0.1 only."""


class SystemState(Frozen):
    """A running system.

    *address* is None while Ray is starting. *pid* is the head process of a Ray that `up` started, and None on
    another cluster; *created*, its creation time, distinguishes it from a later process with the same id.
    *parts* are the ids and creation times of the processes of Ray that it does not restart. *directory* holds
    Ray's files while it runs, and is removed afterwards. *token* is the file with the secret that Ray
    requires of every client. *joined* is whether this machine is only a node of the cluster of a head.
    *store* is the Redis with Ray's tables (`RedisStore`); None: Ray keeps them in memory. *session* is Ray's
    name of the cluster, once the system runs, or once this machine has joined.
    """

    namespace: str
    address: str | None = None
    pid: int | None = None
    created: float = 0.0
    parts: tuple[tuple[int, float], ...] = ()
    directory: str | None = None
    token: str | None = None
    joined: bool = False
    store: str | None = None
    session: str | None = None

    @property
    def alive(self) -> bool:
        """Whether Ray is running; assumed of a cluster that `up` did not start."""
        return self.ended is None

    @property
    def ended(self) -> int | None:
        """The id of a process that has ended, without which Ray does not run; None if there is none.

        The head process outlives its parts for seconds, in which Ray answers nothing.
        """
        head = () if self.pid is None else ((self.pid, self.created),)
        return next((pid for pid, at in (*head, *self.parts) if not same_process(pid, at)), None)

    def has_head_of(self, other: SystemState) -> bool:
        """Whether this is a state of the same Ray as *other*, not of one that was started in its place.

        A head that somebody else started anew at the same address is recognized by its session.
        """
        is_new = None not in (self.session, other.session) and self.session != other.session
        same = (self.address, self.pid, self.created) == (other.address, other.pid, other.created)
        return same and not is_new

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that a process needs before it imports Ray, to connect."""
        if not self.token:
            return {}
        return ray_environment(self.token, loopback=is_loopback(self.address or "127.0.0.1:0"))


def ray_environment(token: str | None, *, loopback: bool = True) -> dict[str, str]:
    """Variables for Ray, on *loopback* sockets or not, where only who can read the file *token* may connect.

    Without *token*, Ray's own variables say how to authenticate.
    """
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": token} if token else {}
    return {**(LOOPBACK if loopback else {}), **secret}


def is_loopback(address: str) -> bool:
    """Whether *address*, which is HOST:PORT, is one that Ray only uses with `LOOPBACK`."""
    return address.rpartition(":")[0].strip("[]") in ("127.0.0.1", "localhost", "::1")


def program_environment(state: SystemState) -> dict[str, str]:
    """The variables with which any Ray program joins the system and survives its outages."""
    address = {"RAY_ADDRESS": state.address or "", "SHARE_ACTORS_NAMESPACE": state.namespace}
    return {**address, **OUTAGE, **PARENT, **state.environment}


def same_process(pid: int, created: float) -> bool:
    """Whether the process with this id that was created at *created* is running."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(process.create_time() - created) < 1.0
    except psutil.NoSuchProcess:
        return False


def path(home: Path) -> Path:
    """The path of `system.json` in *home*."""
    return home / "system.json"


def read(home: Path) -> SystemState | None:
    """The system that was started last and not stopped; None if there is none. Raises `ConfigError`."""
    try:
        return SystemState.model_validate_json(path(home).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ConfigError(
            f"{path(home)} can't be read: {error}; remove it if no system runs",
            field="home",
            value=str(home),
        ) from None


def write(home: Path, state: SystemState) -> None:
    """Write `system.json` atomically."""
    descriptor, temporary = tempfile.mkstemp(prefix=".system.json.", dir=home)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(state.model_dump_json(indent=2) + "\n")
        os.replace(temporary, path(home))
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def resolve_address(address: str) -> tuple[str, dict[str, str]]:
    """The Ray address that *address* stands for, and the environment variables needed to connect there.

    `auto` is the system that `up` started in this user's home, if it is running, or else the cluster that
    the variable RAY_ADDRESS names; never another cluster that Ray finds. Raises `Unavailable`.
    """
    home = default_home()
    system = read(home)
    running_at = system.address if system is not None and system.alive else None
    if address == "auto":
        address = running_at or _address_in_environment(home, system)
    environment: dict[str, str] = {}
    if system is not None and address == running_at:
        environment = system.environment
    if is_loopback(address):  # without this, Ray connects to the external address
        environment = {**LOOPBACK, **environment}
    return address, environment


def _address_in_environment(home: Path, system: SystemState | None) -> str:
    """The address in RAY_ADDRESS; raises `Unavailable` if there is none."""
    address = os.environ.get("RAY_ADDRESS", "auto")
    if address not in ("", "auto"):
        return address
    ended = f": process {system.ended} has ended" if system is not None and system.address else ""
    raise Unavailable(
        f"no system is running in {home}{ended}",
        field="address",
        value="auto",
        next_step="Start one with `share-actors up`; for the system of another home, set SHARE_ACTORS_HOME"
        " or give its address.",
    )


def check_joined(address: str, joined: str) -> None:
    """Raise `Refused` if *address* is not the cluster at *joined*, which this process has joined.

    A process can join one cluster only. `auto` is that cluster, unless this user's home has a system
    elsewhere. Clusters of the Ray client (`ray://`) cannot be compared.
    """
    system = read(default_home())
    elsewhere = system.address if system is not None and system.alive else None
    wanted = elsewhere if address == "auto" else address
    if wanted is None or "://" in wanted or _endpoint(wanted) == _endpoint(joined):
        return
    raise Refused(
        f"address {address!r} is the cluster at {wanted}, and this process has joined the one at {joined}",
        field="address",
        value=address,
        next_step=f"Call ray.shutdown() first, use another process, or connect to {joined!r}.",
    )


def _endpoint(address: str) -> tuple[str, str]:
    """The IP address and the port of *address*."""
    host, _, port = address.rpartition(":")
    try:
        return socket.gethostbyname(host.strip("[]")), port
    except OSError:
        return host, port


def check_reachable(address: str) -> None:
    """Raise `Unavailable` if nothing listens at this host and port: Ray takes minutes to report it."""
    host, _, port = address.rpartition(":")
    if "://" in address or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_S).close()
    except (OSError, OverflowError):
        raise Unavailable(
            f"nothing is listening at {address}",
            field="address",
            value=address,
            next_step=NEXT_STEP,
        ) from None


def delete(home: Path) -> None:
    """Delete `system.json`, if it exists."""
    path(home).unlink(missing_ok=True)
