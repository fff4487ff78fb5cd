"""Where the demo of real storage runs: an image file, a network of namespaces, and NFS clients in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from share_actors.drivers import make_driver
from share_actors.drivers.abilities import RunsDaemons
from share_actors.testing.nfs.client import NfsMount
from share_actors.testing.nfs.networks import CLIENTS, SERVER, ClientNetwork, client_network
from share_actors.testing.visiting import ProcessVisit, spawned
from share_actors.testing.visits import VisitError
from share_actors.values import ExportLocation, RequestContext

BACKEND = "disk"
IMAGE_GIB = 8
NFS_PORT, MOUNT_PORT = 2049, 20048
FIRST, SECOND = (addresses[0] for addresses in CLIENTS)
"""The addresses of the two clients."""


class StorageSite:
    """The backend's options, and the clients that have its shares mounted."""

    def __init__(self, top: Path, network: ClientNetwork, image_gib: int) -> None:
        self._top, self._image_gib = top, image_gib
        self.mount = NfsMount(network, 3, NFS_PORT, MOUNT_PORT)
        """How its clients mount."""
        self._network = network
        self._visits: list[ProcessVisit] = []

    @property
    def options(self) -> dict[str, Any]:
        """The options of the driver `btrfs`."""
        return {
            "device": str(self._top / "disk.img"),
            "image_size_gib": self._image_gib,
            "root": str(self._top / "disk"),
            "address": SERVER[0],
            "nfs_port": NFS_PORT,
            "mount_port": MOUNT_PORT,
            "versions": [3, 4],
            "network_namespace": self._network.server,
        }

    @property
    def backends(self) -> dict[str, Any]:
        """The configuration of the backend."""
        return {BACKEND: {"driver": "btrfs", "options": self.options}}

    def visit(self, who: str, path: str) -> ProcessVisit:
        """Mount the export *path* as the client *who*, in a process of its own; raises `VisitError`."""
        visit = ProcessVisit(partial(self.mount, who, ExportLocation(path=path)), spawned)
        self._visits.append(visit)
        return visit

    def is_refused(self, who: str, path: str) -> bool:
        """Whether the client *who* cannot mount the export *path*."""
        try:
            self.visit(who, path)
        except VisitError:
            return True
        return False

    def ganesha(self) -> psutil.Process:
        """The NFS server of the backend."""
        return next(
            process
            for process in psutil.process_iter(["name", "cmdline"])
            if process.info["name"] == "ganesha.nfsd"
            and any(str(self._top) in word for word in process.info["cmdline"])
        )

    def end(self) -> None:
        """End the clients."""
        for visit in self._visits:
            visit.unmount()


@contextmanager
def storage_site(top: Path, image_gib: int = IMAGE_GIB) -> Iterator[StorageSite]:
    """The site below *top*, on a sparse file of *image_gib* GiB.

    The backend is stopped and the network removed at the end of the block.
    """
    with client_network() as network:
        site = StorageSite(top, network, image_gib)
        try:
            yield site
        finally:
            site.end()
            stop_backend(site)


def stop_backend(site: StorageSite) -> None:
    """End the NFS server and unmount everything, whether or not the system still runs."""
    driver = make_driver(BACKEND, "btrfs", site.options)
    assert isinstance(driver, RunsDaemons)
    driver.stop_backend(RequestContext())
