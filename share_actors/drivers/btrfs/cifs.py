"""Exports over CIFS by a private smbd, and the choice between the protocols of shares."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from share_actors.drivers.base import DriverError, UnsupportedAccess
from share_actors.drivers.btrfs.exports import Clients, Exporter
from share_actors.drivers.btrfs.options import BtrfsOptions
from share_actors.drivers.samba import Samba, checked_user
from share_actors.values import AccessRule, ExportLocation, ShareClient


class CifsExports:
    """Exports over CIFS to the users in `cifs_users`. Clients are user names."""

    def __init__(self, options: BtrfsOptions) -> None:
        self._options = options
        self._samba = Samba(options.cifs)

    def start(self) -> None:
        """Set the users and their passwords, then start smbd, unless it runs."""
        wanted = self._options.cifs_users
        for user in sorted(self._samba.users() - wanted.keys()):
            self._samba.remove_user(user)
        for user, password in wanted.items():
            self._samba.set_user(user, password.get_secret_value())
        self._samba.start()

    def stop(self) -> None:
        """End smbd, and wait for its end: until then it uses the mounts."""
        self._samba.stop()

    def problems(self) -> tuple[str, ...]:
        """What is wrong with smbd, one sentence each."""
        return self._samba.problems()

    def export(
        self, name: str, path: Path, clients: Clients, check: Callable[[], None]
    ) -> Sequence[str]:
        """Export *path* to the users *clients*; returns who was cut off."""
        cut = self._samba.export(name, path, clients, check)
        denied = (f"{client.user} at {client.address}" for client in cut.denied)
        again = (
            f"{client.user} at {client.address} (may connect again)" for client in cut.interrupted
        )
        return (*denied, *again)

    def remove(self, name: str, check: Callable[[], None]) -> None:
        """Remove the export and its users."""
        self._samba.remove(name, check)

    def forget(self, name: str) -> None:
        """Do nothing: all is removed with the export."""

    def knows(self, name: str) -> bool:
        """Whether it is exported."""
        return self.recorded(name) is not None

    def recorded(self, name: str) -> Clients | None:
        """The users on file."""
        return self._samba.recorded(name)

    def served(self, name: str) -> Clients | None:
        """The users that the running smbd lets in."""
        return self._samba.served(name)

    def names(self) -> frozenset[str]:
        """The names of all exports."""
        return self._samba.export_names()

    def clients(self, name: str) -> tuple[ShareClient, ...]:
        """The clients connected to the share."""
        return self._samba.clients(name)

    def locations(self, name: str) -> tuple[ExportLocation, ...]:
        r"""The one location, `\\HOST\NAME`."""
        port = self._options.cifs_port
        path = rf"\\{_unc_host(self._options.address)}\{name}"
        return (
            ExportLocation(
                path=path, preferred=True, protocol="CIFS", options=f"vers=3.1.1,port={port}"
            ),
        )


def _unc_host(address: str) -> str:
    """The address as the host of a UNC path, which can have no colons."""
    if ipaddress.ip_address(address).version == 4:
        return address
    return f"{address.replace(':', '-')}.ipv6-literal.net"


class ProtocolExports:
    """One `Exporter` for each protocol; *protocol_of* tells that of a share."""

    def __init__(
        self, exporters: Mapping[str, Exporter], protocol_of: Callable[[str], str]
    ) -> None:
        self._exporters, self._protocol_of = exporters, protocol_of

    def start(self) -> None:
        """Start all daemons."""
        for exporter in self._exporters.values():
            exporter.start()

    def stop(self) -> None:
        """End all daemons."""
        for exporter in self._exporters.values():
            exporter.stop()

    def problems(self) -> tuple[str, ...]:
        """What is wrong with any daemon."""
        return tuple(text for exporter in self._exporters.values() for text in exporter.problems())

    def export(
        self, name: str, path: Path, clients: Clients, check: Callable[[], None]
    ) -> Sequence[str]:
        """Export by the protocol of the share."""
        return self._of(name).export(name, path, clients, check)

    def remove(self, name: str, check: Callable[[], None]) -> None:
        """Remove the export, whatever its protocol was."""
        for protocol, exporter in self._exporters.items():
            if protocol == self._protocol_of(name) or exporter.recorded(name) is not None:
                exporter.remove(name, check)

    def forget(self, name: str) -> None:
        """Forget the export, whatever its protocol was."""
        for exporter in self._exporters.values():
            exporter.forget(name)

    def knows(self, name: str) -> bool:
        """Whether any protocol has something of it."""
        return any(exporter.knows(name) for exporter in self._exporters.values())

    def recorded(self, name: str) -> Clients | None:
        """The clients on file."""
        return self._of(name).recorded(name)

    def served(self, name: str) -> Clients | None:
        """The clients in force."""
        return self._of(name).served(name)

    def names(self) -> frozenset[str]:
        """The exports of all protocols."""
        return frozenset().union(*(exporter.names() for exporter in self._exporters.values()))

    def clients(self, name: str) -> tuple[ShareClient, ...]:
        """The clients by the protocol of the share."""
        return self._of(name).clients(name)

    def locations(self, name: str) -> tuple[ExportLocation, ...]:
        """Where clients mount it, by the protocol of the share."""
        return self._of(name).locations(name)

    def _of(self, name: str) -> Exporter:
        protocol = self._protocol_of(name)
        if protocol not in self._exporters:
            raise DriverError(
                f"share {name} has the protocol {protocol}, which this backend does not serve: it is kept as"
                " it is; set cifs_users, and restart the backend"
            )
        return self._exporters[protocol]


def checked_user_rule(rule: AccessRule) -> str:
    """The user that *rule* names.

    Raises `UnsupportedAccess` for another type or level, and `DriverError` for what cannot be a user.
    """
    if rule.access_type != "user":
        raise UnsupportedAccess(
            f"access_type {rule.access_type!r} is not supported: CIFS clients are known by their 'user'"
        )
    if rule.access_level not in ("rw", "ro"):
        raise UnsupportedAccess(f"access_level {rule.access_level!r} is not 'rw' or 'ro'")
    return checked_user(rule.access_to)
