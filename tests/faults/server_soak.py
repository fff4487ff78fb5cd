"""`python -m tests.faults.server_soak --minutes 5`: as `storage_soak`, on share servers of `btrfs-servers`.

It needs root. Clients of two networks with the same addresses mount shares and write, while processes of the
system and the daemons of the servers are killed. Afterwards all is deleted, and nothing may be left.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from share_actors.drivers import make_driver
from share_actors.drivers.btrfs_servers import BtrfsServersDriver
from share_actors.drivers.filesystem.own_files import records
from share_actors.drivers.namespaces import Ip, Names, ServerNetwork, default_prefix
from share_actors.drivers.namespaces.network import remove_interface
from share_actors.testing.leftovers import own_directory
from share_actors.testing.nfs.networks import ClientNetwork, clients_on
from share_actors.values import RequestContext, Share
from tests.acceptance.systems import Site, eventually
from tests.drivers.btrfs_servers.kills import left_of
from tests.faults.mounting_clients import MountingClient
from tests.faults.reconciliation import replayed
from tests.faults.server_reconciliation import HeldServers, differing_servers
from tests.faults.soak import soak
from tests.faults.soak_clients import MAX_WAIT_S
from tests.faults.storage_soak import (
    IMAGE_GIB,
    BtrfsBackend,
    StorageKiller,
    main,
    patient_site,
    running_servers,
)

BACKEND = "served"
SEGMENTS = (100, 200)
CIDR = "10.99.0.0/16"
"""Of each network: the addresses of their servers and clients are the same."""
SHARES_PER_SERVER = 5


class ServersBackend(BtrfsBackend):
    """The backend with share servers after a run."""

    def __init__(self, site: Site, root: Path, driver: BtrfsServersDriver) -> None:
        super().__init__(site, root)
        self._driver = driver

    def leaked(self, shares: Mapping[str, Share]) -> list[str]:
        """Where servers, addresses, networks and daemons differ between the log and the machine."""
        return [
            *self._driver.check_health(),
            *differing_servers(self._site, shares, self._held()),
            *(f"stray {stray}" for stray in self._driver.strays()),
            *self._daemons_differing(),
        ]

    def _servers_differ(self) -> bool:
        return bool(self._driver.check_health())

    def _held(self) -> HeldServers:
        servers = frozenset(path.name for path in (self._root / "servers").iterdir())
        found = records(self._root / "networks")
        addresses = {i: tuple(record.get("addresses", ())) for i, record in found.items()}
        return HeldServers(servers, {i: each for i, each in addresses.items() if each})

    def _daemons_differing(self) -> list[str]:
        units = self._root / "daemons"
        running = running_servers(units)
        needed = sorted(path.name for path in units.iterdir())
        return [] if running == needed else [f"NFS servers: {running}, not {needed}"]


@contextmanager
def client_networks(root: Path) -> Iterator[list[ClientNetwork]]:
    """Clients on the bridge of each segment, which they keep there when the last server is removed."""
    with ExitStack() as made:
        networks = []
        for segment in SEGMENTS:
            network = {"network_type": "vlan", "segmentation_id": segment}
            bridge = Names(default_prefix(root)).bridge(network)
            record_bridge(root.with_name("clients"), bridge)
            subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
            made.callback(remove_interface, Ip(), bridge)
            networks.append(made.enter_context(clients_on(bridge, bridge)))
        yield networks


def record_bridge(directory: Path, bridge: str) -> None:
    """Record the bridge below *directory*, so that the next run removes it if this one is killed."""
    record = directory / "servers" / bridge / "network.json"
    record.parent.mkdir(parents=True)
    network = ServerNetwork(name=f"{bridge}c", bridge=bridge, address=CIDR)
    record.write_text(network.model_dump_json())


@contextmanager
def driver_below(top: Path) -> Iterator[BtrfsServersDriver]:
    """The driver of a backend below *top*, which is stopped at the end of the block."""
    options = {
        "device": str(top / "pool.img"),
        "image_size_gib": IMAGE_GIB,
        "root": str(top / BACKEND),
    }
    driver = make_driver(BACKEND, "btrfs-servers", options, handles_servers=True)
    assert isinstance(driver, BtrfsServersDriver)
    try:
        yield driver
    finally:
        driver.stop_backend(RequestContext())


def site_on(driver: BtrfsServersDriver, top: Path) -> Site:
    """A site whose only backend is that of *driver*; servers are deleted with their last shares."""
    backend = {
        "driver": "btrfs-servers",
        "driver_handles_share_servers": True,
        "options": driver.configuration.model_dump(mode="json"),
        "max_shares_per_server": SHARES_PER_SERVER,
        "delete_server_with_last_share": True,
    }
    return patient_site(top, {BACKEND: backend})


def delete_all(site: Site) -> None:
    """Delete all shares, with which their servers go, and the networks."""
    for share_id in site.settled():
        site.system.share(share_id).delete(cascade=True, timeout=MAX_WAIT_S)
    eventually(lambda: all(s.server.status == "deleted" for s in replayed("share_server", site)))
    for network in site.system.networks.list().items:
        site.system.networks.delete(network.id)


def run(
    minutes: float, seed: int, clients_count: int, report_progress: Any = None
) -> dict[str, Any]:
    """The report of a run on an image of its own; everything is removed afterwards."""
    with own_directory() as top, driver_below(top) as driver:
        site = site_on(driver, top)
        try:
            with client_networks(top / BACKEND) as clients:
                report = _soaked(
                    site, driver, clients, (minutes, seed, report_progress, clients_count)
                )
                delete_all(site)
            left = left_of(driver)
        finally:
            site.clear()
    return report | {"left": len(left), "wrong": report["wrong"] | ({"left": left} if left else {})}


def _soaked(
    site: Site,
    driver: BtrfsServersDriver,
    clients: Sequence[ClientNetwork],
    load: tuple[float, int, Any, int],
) -> dict[str, Any]:
    """The report of a run with a network for each of *clients*."""
    create, root = site.system.networks.create, driver.exclusive_directories()["root"]
    networks = [
        create(cidr=CIDR, network_type="vlan", segmentation_id=segment).id for segment in SEGMENTS
    ]
    mounting: list[MountingClient] = []

    def client(*arguments: Any) -> MountingClient:
        mounting.append(MountingClient(dict(zip(networks, clients, strict=True)), *arguments))
        return mounting[-1]

    killer = StorageKiller(site, load[1], root / "daemons")
    backend = ServersBackend(site, root, driver)
    report = soak(site, *load, killer, backends=backend, kind=client, networks=networks)
    servers = len(replayed("share_server", site))
    told = {"share servers": servers, "of them lost a process": len(killer.units)}
    return report | told | {"visits": sum(client.mounts for client in mounting)}


if __name__ == "__main__":
    raise SystemExit(main(run, __doc__))
