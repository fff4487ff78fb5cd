"""The network of one share server: a namespace with one interface, whose other end is on a bridge."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_interface
from pathlib import Path

import psutil

from share_actors.drivers.base import DriverError
from share_actors.drivers.namespaces.commands import Ip
from share_actors.values import Frozen

NAMESPACES = Path("/run/netns")
INSIDE = "eth0"
"""The name of the interface within the namespace."""
_END_S = 15.0


class Vlan(Frozen):
    """How a bridge is connected with the network of the machine: an 8021q interface, or nothing."""

    name: str
    parent: str
    """The interface that carries the tagged frames."""
    number: int


class ServerNetwork(Frozen):
    """The network of one server. The methods need the lock of all networks, which *ip* holds."""

    name: str
    """Of the namespace, and of the interface's end outside."""
    bridge: str
    address: str
    """With the length of the network's prefix, such as `10.0.0.5/24`."""
    gateway: str | None = None
    vlan: Vlan | None = None

    @property
    def is_there(self) -> bool:
        """Whether the namespace exists."""
        return is_namespace(self.name)

    @property
    def hardware_address(self) -> str:
        """Of the interface inside: a server that is made anew has the one that its clients remember."""
        digest = hashlib.blake2b(self.name.encode(), digest_size=5).digest()
        return f"02:{digest.hex(':')}"  # 02: of no vendor

    def build(self, ip: Ip) -> None:
        """Make what is missing; can be repeated at any time. Raises `DriverError`.

        A namespace that is made anew must have no processes left that were started in its predecessor.
        """
        self._build_bridge(ip)
        if not self.is_there:
            remove_interface(ip, self.name)  # its other end was in a namespace that is gone
            if os.path.lexists(NAMESPACES / self.name):  # `ip` was killed before it was complete
                ip.change(f"netns delete {self.name}")
            ip.change(f"netns add {self.name}")
        self._connect(ip)
        self._configure(ip)

    def remove(self, ip: Ip) -> None:
        """Remove whatever is there, also the bridge if it connects nothing more. Raises `DriverError`.

        Processes that are left in the namespace are killed.
        """
        remove_namespace(ip, self.name)
        remove_bridge(ip, self.bridge, self.vlan.name if self.vlan else None)

    def problems(self, ip: Ip) -> tuple[str, ...]:
        """What is wrong with it now, one sentence each."""
        if not self.is_there:
            return (f"the network namespace {self.name} does not exist",)
        if not is_interface(self.name):
            return (f"the interface {self.name} does not exist",)
        [outside] = ip.objects("link", "show", "dev", self.name)
        found = []
        if outside.get("master") != self.bridge:
            found.append(f"the interface {self.name} is not on the bridge {self.bridge}")
        if "LOWER_UP" not in outside.get("flags", ()):
            found.append(f"the interface {self.name} has no connection into the namespace")
        return (*found, *self._problems_inside(ip))

    # ------------------------------------------------------------------------------------------
    def _problems_inside(self, ip: Ip) -> Iterator[str]:
        mend = "start the backend, or run `share reapply` for a share of the server"
        [inside] = ip.objects("address", "show", "dev", INSIDE, namespace=self.name)
        found = inside.get("addr_info", ())
        if ip_interface(self.address) not in {
            ip_interface(f"{each['local']}/{each['prefixlen']}") for each in found
        }:
            yield f"the interface {INSIDE} in {self.name} lacks its address {self.address}: {mend}"
        if "UP" not in inside.get("flags", ()):
            yield f"the interface {INSIDE} in {self.name} is down: {mend}"
        elif self.gateway is not None and not self._has_route(ip, self.gateway):
            yield f"there is no route by the gateway {self.gateway} in {self.name}: {mend}"

    def _has_route(self, ip: Ip, gateway: str) -> bool:
        words = (self._family, "route", "show", "default", "via", gateway, "dev", INSIDE)
        return bool(ip.objects(*words, namespace=self.name))

    @property
    def _family(self) -> str:
        return "-6" if ":" in self.address else "-4"

    def _build_bridge(self, ip: Ip) -> None:
        if not is_interface(self.bridge):
            ip.change(f"link add name {self.bridge} type bridge")
        try:
            if self.vlan is not None:
                self._connect_vlan(ip, self.vlan)
        except DriverError:
            with suppress(DriverError):  # the first error says more
                remove_bridge(ip, self.bridge, self.vlan.name if self.vlan else None)
            raise
        # without an address of its own, the machine cannot be reached from the servers' clients
        ip.change(f"link set dev {self.bridge} addrgenmode none", f"link set dev {self.bridge} up")

    def _connect_vlan(self, ip: Ip, vlan: Vlan) -> None:
        if not is_interface(vlan.parent):
            raise DriverError(
                f"uplink {vlan.parent!r}: there is no such interface; VLAN {vlan.number} was not connected"
            )
        if not is_interface(vlan.name):
            try:
                ip.change(
                    f"link add link {vlan.parent} name {vlan.name} type vlan id {vlan.number}"
                )
            except DriverError as error:
                raise DriverError(
                    f"VLAN {vlan.number} of uplink {vlan.parent!r} was not connected, and the server was not"
                    f" set up: {error}. The kernel needs 8021q, and no other interface may have this VLAN;"
                    " without the option uplink servers are reached from this machine alone"
                ) from error
        ip.change(
            f"link set dev {vlan.name} addrgenmode none",
            f"link set dev {vlan.name} master {self.bridge}",
            f"link set dev {vlan.name} up",
        )

    def _connect(self, ip: Ip) -> None:
        if not is_interface(self.name):
            peer = f"peer name {INSIDE} address {self.hardware_address} netns {self.name}"
            ip.change(f"link add name {self.name} type veth {peer}")
        ip.change(
            f"link set dev {self.name} addrgenmode none",
            f"link set dev {self.name} master {self.bridge}",
            f"link set dev {self.name} up",
        )

    def _configure(self, ip: Ip) -> None:
        no_wait = " nodad" if self._family == "-6" else ""
        lines = [
            "link set dev lo up",
            f"address replace {self.address} dev {INSIDE}{no_wait}",
            f"link set dev {INSIDE} up",
        ]
        ip.change(*lines, namespace=self.name)
        if self.gateway is not None and not self._has_route(ip, self.gateway):
            ip.change(f"route replace default via {self.gateway} dev {INSIDE}", namespace=self.name)


def is_namespace(name: str) -> bool:
    """Whether there is a network namespace *name*; the file of an incomplete one is none."""
    return os.path.ismount(NAMESPACES / name)


def is_interface(name: str) -> bool:
    """Whether this process's network has the interface *name*."""
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


def remove_interface(ip: Ip, name: str) -> None:
    """Remove the interface *name*, and the other end if it has one, unless it does not exist."""
    if is_interface(name):
        try:
            ip.change(f"link delete dev {name}")
        except DriverError:
            if is_interface(name):  # else the kernel has just removed it with a namespace
                raise


def remove_namespace(ip: Ip, name: str) -> None:
    """Kill the processes in the namespace *name*, and remove it with the interface of this name."""
    if is_namespace(name):
        _end(ip.pids(name))
    remove_interface(ip, name)
    if os.path.lexists(NAMESPACES / name):
        ip.change(f"netns delete {name}")


def remove_bridge(ip: Ip, name: str, uplink: str | None) -> None:
    """Remove the bridge *name* and its *uplink*, unless it connects anything else."""
    if not is_interface(name):
        members = []
    else:
        members = [each["ifname"] for each in ip.objects("link", "show", "master", name)]
    if set(members) <= {uplink}:
        if uplink is not None:
            remove_interface(ip, uplink)
        remove_interface(ip, name)


def _end(pids: list[int]) -> None:
    """Kill the processes, and wait for their ends; raises `DriverError` if one does not end."""
    deadline = time.monotonic() + _END_S
    processes = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(pid))
            processes[-1].send_signal(signal.SIGKILL)
    while running := [process for process in processes if _runs(process)]:
        if time.monotonic() > deadline:
            raise DriverError(f"processes do not end {_END_S:.0f} s after SIGKILL: {running}")
        time.sleep(0.003)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
