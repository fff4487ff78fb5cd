"""The driver `btrfs-servers` with clients on the bridge of a share server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import ClassVar

import pytest

from share_actors.drivers import ShareDriver
from share_actors.drivers.btrfs_servers import BtrfsServersOptions
from share_actors.testing import Visit
from share_actors.testing.contracts.base import CONTEXT
from share_actors.testing.contracts.client.base import ClientBase
from share_actors.testing.leftovers import end, new_directory, remove_directory, started_with
from share_actors.testing.nfs.client import NfsMount
from share_actors.testing.nfs.networks import CLIENTS, SERVER, ClientNetwork, clients_on
from share_actors.testing.visiting import visits
from share_actors.testing.visits import Mount
from share_actors.values import ExportLocation
from tests.drivers.btrfs_servers.on_server import OnServer
from tests.storage.btrfs_clients import PROGRAMS
from tests.storage.conftest import need

NETWORKS = {SERVER[0]: "10.99.0.0/16", SERVER[1]: "fd99::/64"}
"""The share network of each server, by its address."""


class Site:
    """A backend with one share server and clients on its network, made when the first test needs it."""

    def __init__(self) -> None:
        self._made = ExitStack()
        self._address = ""
        self.driver: OnServer
        self.network: ClientNetwork

    def serve(self, address: str) -> None:
        """Have a server with this address, instead of one with another."""
        if address != self._address:
            self.remove()
            self._make(address)
            self._address = address

    def remove(self) -> None:
        """Remove everything, of which no namespace or interface may be left."""
        self._address = ""
        self._made.close()

    def _make(self, address: str) -> None:
        directory = new_directory()
        self._made.callback(remove_directory, directory)
        options = BtrfsServersOptions(
            device=directory / "pool.img",
            root=directory / "root",
            image_size_gib=8,
            versions=(3, 4),
        )
        self.driver = OnServer(True, configuration=options, backend_name="btrfs")
        self._made.callback(self._stop)
        self.driver.start_backend(CONTEXT)
        details = self.driver.prepare(address, NETWORKS[address])
        clients = clients_on(details["bridge"], details["namespace"])
        self.network = self._made.enter_context(clients)

    def _stop(self) -> None:
        self.driver.stop_backend(CONTEXT)
        assert self.driver.strays(delete=True) == ()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The backend of the module's tests."""
    need(PROGRAMS)
    made = Site()
    try:
        yield made
    finally:
        made.remove()


class ServerClients(ClientBase):
    """`driver` and `visit` of a share server, which many tests share, by one version of NFS."""

    version: ClassVar[int] = 4
    address: ClassVar[str] = SERVER[0]
    clients = (CLIENTS[0][0], CLIENTS[1][0])

    @pytest.fixture
    def driver(self, site: Site) -> ShareDriver:
        """The driver of the backend that runs, or of a new one."""
        site.serve(self.address)
        return site.driver

    @pytest.fixture(autouse=True)
    def started(self, driver: ShareDriver) -> None:
        """Starts the backend unless it runs; it goes on for the next test."""
        assert isinstance(driver, OnServer)
        driver.start_backend(CONTEXT)

    @pytest.fixture
    def visit(self, driver: ShareDriver, site: Site) -> Iterator[Mount]:
        """Mounts a share in the network of a client's address."""
        options = site.driver.configuration
        assert isinstance(options, BtrfsServersOptions)
        nfs = NfsMount(site.network, self.version, options.nfs_port, options.mount_port)
        with visits() as made:

            def mount(export: ExportLocation, who: str) -> Visit:
                return made.add(partial(nfs, who, export))

            yield mount

    def kill_daemon(self, driver: ShareDriver) -> None:
        """Kill Ganesha and all that would start it again."""
        assert isinstance(driver.configuration, BtrfsServersOptions)
        end(started_with(driver.configuration.root / "daemons"))
