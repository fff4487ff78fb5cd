"""The contract of a driver as its clients see it: subclass `ClientContract`, define `driver` and `visit`.

    class TestMyClients(ClientContract):
        clients = ("192.0.2.1", "192.0.2.2")

        @pytest.fixture
        def driver(self, tmp_path: Path) -> ShareDriver: ...

        @pytest.fixture
        def visit(self, driver: ShareDriver) -> Iterator[Mount]:
            visits: list[MyVisit] = []

            def mount(export: ExportLocation, who: str) -> Visit: ...

            yield mount
            for visit in visits: visit.unmount()

`DriverContract` asks the driver what it did; this contract asks a client what it sees. Needs pytest.
"""

from __future__ import annotations

from share_actors.testing.contracts.client.access import ClientAccessContract
from share_actors.testing.contracts.client.content import ClientContentContract
from share_actors.testing.contracts.client.daemon import ClientDaemonContract
from share_actors.testing.contracts.client.network import ClientNetworkContract
from share_actors.testing.contracts.client.size import ClientSizeContract
from share_actors.testing.contracts.client.snapshot import ClientSnapshotContract


class ClientContract(
    ClientAccessContract,
    ClientNetworkContract,
    ClientContentContract,
    ClientSizeContract,
    ClientSnapshotContract,
    ClientDaemonContract,
):
    """What the driver says of shares, rules, sizes and snapshots is what real clients find.

    Subclasses define the fixtures `driver`, a driver on an empty backend, and `visit`, which mounts a share
    as a client (`visits.Mount`). They set `access_type` and `clients`, and say with `ipv6_clients`,
    `most_rules`, `keeps_open_files` and `unlimited` what the backend cannot do: its tests are skipped with
    that reason. Drivers with daemons override `kill_daemon`.
    """
