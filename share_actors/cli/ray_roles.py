"""What a Ray that `up` starts is: a cluster of one machine, the head of several, or a further node."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from share_actors.actors.runtime.joining.head import Endpoint, Route

HEAD = (
    "--head",
    "--include-dashboard=false",
    "--no-monitor",  # of an autoscaler, which nobody has set up
)
TOKEN_FILE = "cluster.token"
CHECKS, PAUSE_S = 5, 1.0
"""How many questions in a row a lost node has left without an answer, and the pause between two."""
_NONE: Mapping[str, str] = MappingProxyType({})


class RayRole(NamedTuple):
    """The *options* of `ray start`, and whether it gets the variables of a Ray on *loopback* sockets.

    *token* is the file with the cluster's token; None: a new one for this Ray alone, or that of Ray's own
    variables if this machine has *joined* another head. *variables*: further ones, unless they are set.
    """

    options: tuple[str, ...]
    loopback: bool
    token: str | None = None
    joined: bool = False
    variables: Mapping[str, str] = _NONE


def alone(resources: Sequence[str] = ()) -> RayRole:
    """A cluster of this machine, which only its user can reach."""
    options = (*HEAD, "--node-ip-address=127.0.0.1", "--port=0", *_held(resources))
    return RayRole(options, loopback=True)


def listening(at: Endpoint, resources: Sequence[str], token: str, node_silence_s: float) -> RayRole:
    """The head of a cluster that other machines can join at *at*; see `node_checks`."""
    options = (*HEAD, f"--node-ip-address={at.host}", f"--port={at.port}", *_held(resources))
    variables = node_checks(node_silence_s)
    return RayRole(options, loopback=False, token=token, variables=variables)


def node_checks(silence_s: float) -> dict[str, str]:
    """The variables of a head that counts a node as lost which was silent for *silence_s*.

    By Ray's defaults it does so after 35 to 75 s.
    """
    answer_s = silence_s / CHECKS - PAUSE_S
    return {
        "RAY_health_check_period_ms": f"{1000 * PAUSE_S:.0f}",
        "RAY_health_check_timeout_ms": f"{1000 * answer_s:.0f}",
        "RAY_health_check_failure_threshold": f"{CHECKS}",
    }


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
