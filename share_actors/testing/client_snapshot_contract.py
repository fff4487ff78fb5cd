"""The part of `ClientContract` about snapshots that clients mount by themselves.

Only for drivers with the ability `MountableSnapshots`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import pytest

from share_actors.drivers.abilities import Reverts, RunsDaemons
from share_actors.drivers.base import DriverError, ShareDriver
from share_actors.testing.client_base import OUT, ServedShare
from share_actors.testing.client_daemon_contract import ClientDaemonContract
from share_actors.testing.contract_base import CONTEXT
from share_actors.testing.snapshot_access_contract import exports_of, mountable, update
from share_actors.testing.visits import Mount, ReadOnly
from share_actors.values import ExportLocation, Snapshot


class ClientSnapshotContract(ClientDaemonContract):
    """A client with a rule of the snapshot reads it, and nothing else; one without gets nothing."""

    @pytest.fixture
    def snapshot(self, driver: ShareDriver, served: ServedShare) -> Iterator[Snapshot]:
        """A snapshot of the share that is served, which exists."""
        mountable(driver)
        share = served.share
        taken = Snapshot(id=str(uuid4()), share_id=share.id, share_proto=share.share_proto)
        yield taken
        with suppress(DriverError):
            driver.delete_snapshot(CONTEXT, taken)

    def let_read(
        self, driver: ShareDriver, served: ServedShare, snapshot: Snapshot, *clients: str
    ) -> ExportLocation:
        """Let exactly *clients* read the snapshot; returns where they mount it."""
        rules = [served.rule(client, "ro") for client in clients]
        assert not update(driver, snapshot, rules, added=rules)
        return self.export_of(exports_of(driver, snapshot))

    def test_a_client_reads_the_snapshot_as_the_share_was(
        self, driver: ShareDriver, served: ServedShare, snapshot: Snapshot, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        mounted = visit(served.export, self.one)
        mounted.write("a", b"before")
        driver.create_snapshot(CONTEXT, snapshot)
        mounted.write("a", b"after")

        export = self.let_read(driver, served, snapshot, self.one)

        assert visit(export, self.one).read("a") == b"before"
        assert visit(served.export, self.one).read("a") == b"after"

    def test_a_client_cannot_write_to_a_snapshot(
        self, driver: ShareDriver, served: ServedShare, snapshot: Snapshot, visit: Mount
    ) -> None:
        driver.create_snapshot(CONTEXT, snapshot)
        export = self.let_read(driver, served, snapshot, self.one)

        with pytest.raises(ReadOnly):
            visit(export, self.one).write("b", b"1")

    def test_rules_of_the_share_and_of_its_snapshot_let_in_only_their_own_clients(
        self, driver: ShareDriver, served: ServedShare, snapshot: Snapshot, visit: Mount
    ) -> None:
        driver.create_snapshot(CONTEXT, snapshot)
        served.allow((self.one, "rw"))
        export = self.let_read(driver, served, snapshot, self.two)

        visit(served.export, self.one).names()
        visit(export, self.two).names()
        with pytest.raises(OUT):
            visit(export, self.one)
        with pytest.raises(OUT):
            visit(served.export, self.two)

    def test_a_client_loses_a_snapshot_with_its_rule(
        self, driver: ShareDriver, served: ServedShare, snapshot: Snapshot, visit: Mount
    ) -> None:
        driver.create_snapshot(CONTEXT, snapshot)
        export = self.let_read(driver, served, snapshot, self.one, self.two)
        mounted = visit(export, self.one)

        self.let_read(driver, served, snapshot, self.two)

        with pytest.raises(OUT):
            mounted.names()
        visit(export, self.two).names()

    @pytest.mark.parametrize("doing", ["deny", "delete"])
    def test_nobody_reads_a_snapshot_without_rules_or_one_that_is_deleted(
        self,
        driver: ShareDriver,
        served: ServedShare,
        snapshot: Snapshot,
        visit: Mount,
        doing: str,
    ) -> None:
        driver.create_snapshot(CONTEXT, snapshot)
        export = self.let_read(driver, served, snapshot, self.one)
        mounted = visit(export, self.one)

        if doing == "deny":
            update(driver, snapshot, ())
        else:
            driver.delete_snapshot(CONTEXT, snapshot)

        with pytest.raises(OUT):
            mounted.names()
        with pytest.raises(OUT):
            visit(export, self.one)

    def test_a_snapshot_is_served_while_its_share_is_reverted_and_when_the_daemon_is_back(
        self, driver: ShareDriver, served: ServedShare, snapshot: Snapshot, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        visit(served.export, self.one).write("a", b"before")
        driver.create_snapshot(CONTEXT, snapshot)
        export = self.let_read(driver, served, snapshot, self.two)
        mounted = visit(export, self.two)

        if isinstance(driver, Reverts):
            driver.revert_to_snapshot(CONTEXT, served.share, snapshot)
        assert mounted.read("a") == b"before"
        if isinstance(driver, RunsDaemons):
            self.kill_daemon(driver)
            self.restart_daemon(driver)

        assert visit(export, self.two).read("a") == b"before"
        with pytest.raises(OUT):
            visit(export, self.one)
