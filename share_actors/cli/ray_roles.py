"""What a Ray that `up` starts is: a cluster of one machine, the head of several, or a further node."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from share_actors.actors.runtime.joining.head import Endpoint, Route

HEAD = (
    "--head",
    "--include-dashboard=false",
    "--no-monitor",  # of an autoscaler, which nobody has set up
)
TOKEN_FILE = "cluster.token"


class RayRole(NamedTuple):
    """The *options* of `ray start`, and whether it gets the variables of a Ray on *loopback* sockets.


    *token* is the file with the cluster's token; None: a new one for this Ray alone, or that of Ray's own
    variables if this machine has *joined* another head.
    """

    options: tuple[str, ...]
    loopback: bool
    token: str | None = None
    joined: bool = False


def alone(resources: Sequence[str] = ()) -> RayRole:
    """A cluster of this machine, which only its user can reach."""
    options = (*HEAD, "--node-ip-address=127.0.0.1", "--port=0", *_held(resources))
    return RayRole(options, loopback=True)


def listening(at: Endpoint, resources: Sequence[str], token: str) -> RayRole:
    """The head of a cluster that other machines can join at *at*."""
    options = (*HEAD, f"--node-ip-address={at.host}", f"--port={at.port}", *_held(resources))
    return RayRole(options, loopback=False, token=token)


def joining(route: Route, resources: Sequence[str], token: str | None) -> RayRole:
    """A node of the cluster whose head is at the other end of *route*."""
    options = (f"--address={route.head}", f"--node-ip-address={route.own}", *_held(resources))
    return RayRole(options, loopback=False, token=token, joined=True)


def _held(resources: Sequence[str]) -> tuple[str, ...]:
    return (f"--resources={json.dumps(dict.fromkeys(resources, 1))}",) if resources else ()


def token_file(home: Path) -> Path:
    """The file in *home* with the token of the cluster that this machine heads or has joined."""
    return home / TOKEN_FILE


def write_token(home: Path, token: str) -> str:
    """Replace the token in *home* by *token*, which only its owner can read; returns the file's path."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{TOKEN_FILE}.", dir=home)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(token)
    os.replace(temporary, token_file(home))
    return str(token_file(home))


def ensure_token(home: Path) -> str:
    """The file in *home* with the token, created with a new one if it is missing."""
    file = token_file(home)
    return str(file) if file.exists() else write_token(home, secrets.token_hex(32))
