"""A system in this process with something of each kind, and the command lines that list and show it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

from share_actors.cli.session import Session
from share_actors.client import ShareSystem
from share_actors.config import load
from share_actors.drivers.dummy import DummyDriver
from share_actors.testing import sync_system
from share_actors.values import RequestContext, Share, ShareClient, SnapshotSchedule
from tests.waiting import until

CONFIG = """
erasure.seal = ["user"]

[hosting]
min_actors = 1
max_actors = 1

[backends.fast]
driver = "telling"
options = {{ capacity_gib = 100, directory = "{home}/fast" }}

[backends.tenants]
driver = "telling"
driver_handles_share_servers = true
options = {{ capacity_gib = 100, directory = "{home}/tenants" }}
"""
ALICE = RequestContext(user_id="alice", project_id="default", is_admin=True)
LAST, FIRST = "2100-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
READS: Mapping[str, Sequence[str]] = {
    "share list": (),
    "share show": ("homes",),
    "share usage": ("homes",),
    "share clients": ("homes",),
    "share history": ("homes",),
    "access list": ("homes",),
    "snapshot list": (),
    "snapshot show": ("SNAPSHOT",),
    "snapshot rules": ("SNAPSHOT",),
    "network list": (),
    "network show": ("blue",),
    "network history": ("blue",),
    "server list": (),
    "server show": ("SERVER",),
    "server history": ("SERVER",),
    "type list": (),
    "type show": ("gold",),
    "type history": ("gold",),
    "backend list": (),
    "backend show": ("fast",),
    "backend usage": ("fast",),
    "backend stats": (),
    "backend audit": ("fast",),
    "backend history": ("fast",),
    "backend capacity": ("fast",),
    "node list": (),
    "node show": ("here",),
    "node history": (),
    "subject list": (),
    "upgrade show": (),
    "quota show": (),
    "quota list": (),
    "quota history": (),
    "snapshot-policy list": (),
    "snapshot-policy show": ("usual",),
    "snapshot-policy history": ("usual",),
    "metrics list": (),
    "config show": (),
    "log list": ("--at", LAST),
    "log diff": ("--from", FIRST, "--to", LAST),
    "log history": ("homes",),
    "log access": ("homes", "--at", LAST),
    "log reach": ("10.0.0.7", "--from", FIRST, "--to", LAST),
    "log exposure": (),
}
"""The arguments of every command that lists or shows something."""


class TellingDriver(DummyDriver):
    """A driver without storage that has a client on every share."""

    def get_share_clients(self, share: Share) -> Sequence[ShareClient]:
        at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        return [ShareClient(address="10.0.0.7", protocol="NFSv4", since=at, bytes_read=7)]


@contextmanager
def site(home: Path) -> Iterator[dict[str, list[str]]]:
    """A running system that the command line connects to; gives the words of each of its `READS`."""
    config = home / "site.toml"
    config.write_text(CONFIG.format(home=home), encoding="utf-8")
    variables = {"SHARE_ACTORS_CONFIG": str(config), "SHARE_ACTORS_HOME": str(home / "home")}
    with (
        mock.patch.dict(os.environ, variables),
        sync_system(
            load(config), durable=True, drivers={"telling": TellingDriver}, context=ALICE
        ) as system,
        mock.patch.object(Session, "system", system),
    ):
        ids = fill(system)
        yield {
            name: [*name.split(), *(ids.get(word, word) for word in words)]
            for name, words in READS.items()
        }


def fill(system: ShareSystem) -> dict[str, str]:
    """Make something of each kind; gives the ids that `READS` has words for."""
    system.types.create("gold", {"driver_handles_share_servers": "False"}, description="fast disks")
    system.quotas.set({"shares": 100, "gigabytes": 5000})
    network = system.networks.create(cidr="10.0.0.0/28", name="blue", gateway="10.0.0.1")
    system.create_share(size=1, name="tenant", share_network_id=network.id, backend="tenants")
    homes = system.create_share(
        size=10, name="homes", share_type="gold", description="of all users"
    )
    homes.allow_access("10.0.0.0/8", type="ip", level="ro")
    homes.deny_access(homes.allow_access("0.0.0.0/0", type="ip").id)
    homes.allow_access("10.0.0.7", type="ip")
    snapshot = homes.create_snapshot("monday")
    system.create_share(size=2, name="süß und schön", backend="fast")
    system.snapshot_policies.create("usual", [SnapshotSchedule.hourly(24)])
    system.snapshot_policies.attach("usual", [homes.id])
    system.nodes.drain("here", reason="new kernel", wait=False)
    system.nodes.undrain("here")
    [server] = system.servers.list().items
    until(lambda: len(system.backends.history("fast")) == 3)  # it is set up
    return {"SNAPSHOT": snapshot.id, "SERVER": server.id}
