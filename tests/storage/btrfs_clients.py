"""The driver `btrfs` with clients in namespaces: what the tests of its clients have in common."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from share_actors.drivers import ShareDriver
from share_actors.drivers.btrfs import BtrfsDriver, BtrfsOptions
from share_actors.testing import Visit
from share_actors.testing.contracts.base import CONTEXT
from share_actors.testing.contracts.client.base import ClientBase
from share_actors.testing.leftovers import end, new_directory, remove_directory, started_with
from share_actors.testing.nfs.client import NfsMount
from share_actors.testing.nfs.networks import CLIENTS, SERVER, ClientNetwork
from share_actors.testing.visiting import visits
from share_actors.testing.visits import Mount
from share_actors.values import ExportLocation
from tests.storage.conftest import need

PORT, MOUNT_PORT = 20490, 20491
PROGRAMS = {
    "ganesha.nfsd": "nfs-ganesha",
    "dbus-daemon": "dbus-daemon",
    "mkfs.btrfs": "btrfs-progs",
    "rpcbind": "rpcbind",
}
"""The programs that the driver starts, and their Debian packages."""


class Backends:
    """The `btrfs` backend of a module's tests: one at a time, started when the first test needs it."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._key: tuple[type[BtrfsDriver], str] | None = None
        self._driver: BtrfsDriver | None = None
        self._directory: Path | None = None

    def get(self, kind: type[BtrfsDriver], address: str) -> BtrfsDriver:
        """The driver of this class whose server has this address; its backend may be stopped."""
        if self._driver is None or self._key != (kind, address):
            self.remove()
            self._directory = new_directory()
            options = self._options(self._directory, address)
            self._driver = kind(configuration=options, backend_name="btrfs")
            self._key = (kind, address)
        return self._driver

    def remove(self) -> None:
        """Stop the backend, and remove all that it has."""
        driver, directory = self._driver, self._directory
        self._driver = self._directory = self._key = None
        try:
            if driver is not None:
                driver.stop_backend(CONTEXT)
        finally:
            if directory is not None:
                remove_directory(directory)

    def _options(self, directory: Path, address: str) -> BtrfsOptions:
        return BtrfsOptions(
            device=directory / "pool.img",
            root=directory / "root",
            image_size_gib=8,
            address=address,
            nfs_port=PORT,
            mount_port=MOUNT_PORT,
            versions=(3, 4),
            network_namespace=self._namespace,
        )


@pytest.fixture(scope="module")
def backends(network: ClientNetwork) -> Iterator[Backends]:
    """The backend of the module's tests."""
    need(PROGRAMS)
    made = Backends(network.server)
    try:
        yield made
    finally:
        made.remove()


class BtrfsClients(ClientBase):
    """`driver` and `visit` of a `btrfs` backend, which many tests share, by one version of NFS."""

    kind: ClassVar[type[BtrfsDriver]] = BtrfsDriver
    version: ClassVar[int] = 4
    address: ClassVar[str] = SERVER[0]
    clients = (CLIENTS[0][0], CLIENTS[1][0])

    @pytest.fixture
    def driver(self, backends: Backends) -> ShareDriver:
        """The driver of the backend that runs, or of a new one."""
        return backends.get(self.kind, self.address)

    @pytest.fixture(autouse=True)
    def started(self, driver: ShareDriver) -> None:
        """Starts the backend unless it runs; it goes on for the next test."""
        assert isinstance(driver, BtrfsDriver)
        driver.start_backend(CONTEXT)
        driver.do_setup(CONTEXT)

    @pytest.fixture
    def visit(self, driver: ShareDriver, network: ClientNetwork) -> Iterator[Mount]:
        """Mounts a share in the network of a client's address."""
        nfs = NfsMount(network, self.version, PORT, MOUNT_PORT)
        with visits() as made:

            def mount(export: ExportLocation, who: str) -> Visit:
                return made.add(partial(nfs, who, export))

            yield mount

    def kill_daemon(self, driver: ShareDriver) -> None:
        """Kill Ganesha and all that would start it again."""
        assert isinstance(driver.configuration, BtrfsOptions)
        end(started_with(driver.configuration.root / "ganesha"))
