"""The head of a cluster to join: its address, this machine's address towards it, and the cluster's facts."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from share_actors.actors.runtime.joining.facts import ClusterFacts, SystemFacts
from share_actors.actors.runtime.system_state import CONNECT_TIMEOUT_S, is_loopback
from share_actors.errors import InvalidRequest, Unavailable

DEFAULT_PORT = 6379
"""Ray's own default."""
EXAMINE_TIMEOUT_S = 20.0
TOKEN_STEP = (
    "Give the head's token: `--token-file FILE`, where FILE is a copy of `cluster.token` in the home of the"
    " head, or RAY_AUTH_TOKEN of a cluster that `ray start` started."
)


class Endpoint(NamedTuple):
    """A host, without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Route(NamedTuple):
    """The address of a head, and the address of this machine from which it was reached."""

    head: Endpoint
    own: str


def parse_endpoint(text: str, field: str) -> Endpoint:
    """HOST or HOST:PORT, an IPv6 address in brackets; raises `InvalidRequest`, which names *field*."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not host.startswith("[")):
        host, port = text, str(DEFAULT_PORT)
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise _invalid(field, text, "an IPv6 address is written in brackets, as in [fd00::1]:6379")
    if not port.isascii() or not port.isdecimal() or len(port) > 5 or int(port) > 65_535:
        raise _invalid(field, text, f"its port {port!r} is not a number from 0 to 65535")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not host or any(character.isspace() or character in "/@[]" for character in host):
        raise _invalid(field, text, "it must be HOST:PORT, such as 10.0.0.1:6379")
    return Endpoint(host, int(port))


def _invalid(field: str, value: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"--{field.replace('_', '-')} {value!r}: {why}", field=field, value=value)


def other_address(text: str, field: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """*text*, if others may reach a machine by it; raises `InvalidRequest`."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise _invalid(field, text, "it is not an IP address") from None
    if address.is_unspecified or is_loopback(f"{text}:0"):
        raise _invalid(
            field, text, "others can't reach this machine by it: give another of its addresses"
        )
    return address


def own_address(text: str, field: str) -> str:
    """*text*, if it is an address of this machine at which others may reach it; raises `InvalidRequest`."""
    address = other_address(text, field)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family) as bound:
            bound.bind((text, 0))
    except OSError as error:
        raise _invalid(
            field, text, f"it is not an address of this machine ({error.strerror})"
        ) from None
    return text


def route_to(head: Endpoint, node_address: str | None = None) -> Route:
    """Connect to *head*: its address as a number, and this machine's own one, or *node_address* if given.

    Raises `Unavailable` if nothing answers there, `InvalidRequest` if no other machine can join at that
    address, or the two addresses are of different families.
    """
    if is_loopback(str(head)):
        raise _invalid(
            "join",
            str(head),
            "only this machine can connect to it: the head must run with `up --listen`",
        )
    try:
        with socket.create_connection((head.host, head.port), CONNECT_TIMEOUT_S) as connection:
            theirs, own = connection.getpeername()[0], connection.getsockname()[0]
    except OSError as error:
        raise Unavailable(
            f"the head {head} can't be reached: {error.strerror or error}",
            field="join",
            value=str(head),
            next_step="Nothing was started. Check the address, that the head runs there"
            " (`share-actors up --listen`), and that no firewall is between.",
        ) from None
    if node_address is not None:
        _check_fits(own_address(node_address, "node_address"), theirs)
        own = node_address
    return Route(Endpoint(theirs, head.port), own)


def _check_fits(own: str, theirs: str) -> None:
    mine, head = ipaddress.ip_address(own), ipaddress.ip_address(theirs)
    if mine.version != head.version:
        raise _invalid(
            "node_address",
            own,
            f"it is an IPv{mine.version} address, and the head {theirs} is an IPv{head.version} one",
        )


def examine(head: Endpoint, environment: Mapping[str, str]) -> ClusterFacts:
    """The facts of the cluster of *head*; *environment* has Ray's variables with the token.

    Raises `Unavailable`: there is no Ray, it takes another token, or it has just been started.
    """
    command = [sys.executable, "-m", "share_actors.actors.runtime.joining.examine", str(head)]
    try:
        ended = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=EXAMINE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _no_ray(
            head, f"it did not answer as Ray does within {EXAMINE_TIMEOUT_S:g} s"
        ) from None
    if ended.returncode != 0:
        raise _no_ray(head, (ended.stderr.strip().splitlines() or ["no output"])[-1])
    return _read(head, json.loads(ended.stdout))


def _read(head: Endpoint, document: Mapping[str, Any]) -> ClusterFacts:
    error = document.get("error")
    if error == "token":
        raise Unavailable(
            f"the head {head} refuses this machine's token",
            field="token_file",
            next_step=TOKEN_STEP,
        )
    if error == "starting":
        raise _no_ray(head, "it is still starting")
    if error is not None:
        raise _no_ray(head, error)
    systems = {name: SystemFacts.told(told) for name, told in document["systems"].items()}
    return ClusterFacts(
        ray=document["ray"],
        python=document["python"],
        systems=systems,
        session=document["session"],
    )


def _no_ray(head: Endpoint, why: str) -> Unavailable:
    return Unavailable(
        f"no Ray cluster at {head}: {why}",
        field="join",
        value=str(head),
        next_step="Nothing was started. Check that this is the address of the head.",
    )
