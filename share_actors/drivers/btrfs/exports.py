"""How shares are exported: one object for each protocol, and what the driver needs of it.

Each protocol has a class with the methods of `Exporter`: NFS here, CIFS in `cifs`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from share_actors.drivers.btrfs.options import BtrfsOptions
from share_actors.drivers.ganesha import GaneshaInstances, GaneshaSettings
from share_actors.values import ExportLocation, ShareClient

Clients = Mapping[str, str]
"""Network, or user by CIFS, to level, `rw` or `ro`."""


class Exporter(Protocol):
    """Exports directories by one protocol. Methods raise `DriverError` and `TransientError`."""

    def start(self) -> None:
        """Start the daemon, unless it runs; everything exported before is exported again."""

    def stop(self) -> None:
        """End the daemon, and wait for its end."""

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the daemon, one sentence each."""

    def export(
        self, name: str, path: Path, clients: Clients, check: Callable[[], None]
    ) -> Sequence[str]:
        """Export the directory *path* to *clients* alone; *check* is called before each change.

        Returns who was cut off, as far as the daemon tells.
        """

    def remove(self, name: str, check: Callable[[], None]) -> None:
        """Remove the export with its clients, unless there is none."""

    def forget(self, name: str) -> None:
        """Forget what is known of the export, which was removed, when its share is deleted."""

    def knows(self, name: str) -> bool:
        """Whether there is anything for `remove` and `forget` to do."""

    def recorded(self, name: str) -> Clients | None:
        """The clients on file; None if there is no export."""

    def served(self, name: str) -> Clients | None:
        """The clients in force; None if the daemon does not export it."""

    def names(self) -> frozenset[str]:
        """The names of all exports."""

    def locations(self, name: str) -> tuple[ExportLocation, ...]:
        """Where clients mount it."""

    def clients(self, name: str) -> tuple[ShareClient, ...]:
        """The clients that are connected to it now; none if there is no export."""


class NfsExports:
    """Exports over NFS by private NFS-Ganeshas."""

    def __init__(self, options: BtrfsOptions) -> None:
        self._options = options
        self._ganesha = GaneshaInstances(options.nfs_server, options.exports_a_server)

    def start(self) -> None:
        """Start Ganesha, unless it runs; as many of them as the exports need."""
        self._ganesha.start()

    def stop(self) -> None:
        """End Ganesha, and wait for its end: until then it uses the mounts."""
        self._ganesha.stop()

    def problems(self) -> tuple[str, ...]:
        """What is wrong with Ganesha, one sentence each."""
        return tuple(self._ganesha.problems())

    def export(
        self, name: str, path: Path, clients: Clients, check: Callable[[], None]
    ) -> Sequence[str]:
        """Export *path*, a mount of its own, to *clients*; if that is refused the old clients stay.

        Names nobody as cut off: NFS has no sessions per export that Ganesha could tell.
        """
        self._ganesha.export(name, path, clients, check)
        return ()

    def remove(self, name: str, check: Callable[[], None]) -> None:
        """Remove the export and its clients."""
        self._ganesha.remove(name, check)

    def forget(self, name: str) -> None:
        """Forget which Ganesha it had; one without exports is ended."""
        self._ganesha.forget(name)

    def knows(self, name: str) -> bool:
        """Whether it is exported, or has a Ganesha."""
        return self._ganesha.has_server(name)

    def recorded(self, name: str) -> Clients | None:
        """The clients in the export's file."""
        return self._ganesha.recorded(name)

    def served(self, name: str) -> Clients | None:
        """The clients in the running Ganesha."""
        return self._ganesha.served(name)

    def names(self) -> frozenset[str]:
        """The names of all exports."""
        return self._ganesha.export_names()

    def clients(self, name: str) -> tuple[ShareClient, ...]:
        """The clients connected to Ganesha that the rules let in."""
        return self._ganesha.clients(name)

    def locations(self, name: str) -> tuple[ExportLocation, ...]:
        """One location for each version, the newest preferred."""
        server = self._ganesha.settings(name)
        newest = max(server.versions)
        return tuple(
            ExportLocation(
                path=f"{self._host}:/{name}",
                preferred=version == newest,
                protocol="NFS",
                options=_mount_options(version, server),
            )
            for version in sorted(server.versions, reverse=True)
        )

    @property
    def _host(self) -> str:
        address = self._options.address
        return f"[{address}]" if ipaddress.ip_address(address).version == 6 else address


def _mount_options(version: int, server: GaneshaSettings) -> str:
    if version == 4:
        return f"vers=4.1,port={server.nfs_port}"
    ports = f"port={server.nfs_port},mountport={server.mount_port}"
    return f"vers=3,proto=tcp,{ports},nolock"
