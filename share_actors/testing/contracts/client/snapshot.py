"""The part of `ClientContract` about snapshots that clients mount by themselves.

Only for drivers with the ability `MountableSnapshots`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

from share_actors.drivers.abilities import Reverts, RunsDaemons
from share_actors.drivers.base import DriverError, ShareDriver
from share_actors.testing.contracts.base import CONTEXT, snapshot_of
from share_actors.testing.contracts.client.base import OUT, ServedShare
from share_actors.testing.contracts.client.daemon import ClientDaemonContract
from share_actors.testing.contracts.snapshot_access import exports_of, mountable, update
from share_actors.testing.visits import Mount, ReadOnly
from share_actors.values import ExportLocation, Snapshot


class ClientSnapshotContract(ClientDaemonContract):
    """A client with a rule of the snapshot reads it, and nothing else; one without gets nothing."""

    @pytest.fixture
    def exported(self, driver: ShareDriver, served: ServedShare) -> Iterator[Snapshot]:
        """A snapshot, which is not taken yet, of the share that is served."""
        mountable(driver)
        taken = snapshot_of(served.share)
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
        self, driver: ShareDriver, served: ServedShare, exported: Snapshot, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        mounted = visit(served.export, self.one)
        mounted.write("a", b"older")
        driver.create_snapshot(CONTEXT, exported)
        mounted.write("a", b"newer")

        export = self.let_read(driver, served, exported, self.one)

        assert visit(export, self.one).read("a") == b"older"
        assert visit(served.export, self.one).read("a") == b"newer"

    def test_a_client_cannot_write_to_a_snapshot(
        self, driver: ShareDriver, served: ServedShare, exported: Snapshot, visit: Mount
    ) -> None:
        driver.create_snapshot(CONTEXT, exported)
        export = self.let_read(driver, served, exported, self.one)

        with pytest.raises(ReadOnly):
            visit(export, self.one).write("b", b"1")

    def test_rules_of_the_share_and_of_its_snapshot_let_in_only_their_own_clients(
        self, driver: ShareDriver, served: ServedShare, exported: Snapshot, visit: Mount
    ) -> None:
        driver.create_snapshot(CONTEXT, exported)
        served.allow((self.one, "rw"))
        export = self.let_read(driver, served, exported, self.two)

        visit(served.export, self.one).names()
        visit(export, self.two).names()
        with pytest.raises(OUT):
            visit(export, self.one)
        with pytest.raises(OUT):
            visit(served.export, self.two)

    def test_a_client_loses_a_snapshot_with_its_rule(
        self, driver: ShareDriver, served: ServedShare, exported: Snapshot, visit: Mount
    ) -> None:
        driver.create_snapshot(CONTEXT, exported)
        export = self.let_read(driver, served, exported, self.one, self.two)
        mounted = visit(export, self.one)

        self.let_read(driver, served, exported, self.two)

        with pytest.raises(OUT):
            mounted.names()
        visit(export, self.two).names()

    @pytest.mark.parametrize("doing", ["deny", "delete"])
    def test_nobody_reads_a_snapshot_without_rules_or_one_that_is_deleted(
        self,
        driver: ShareDriver,
        served: ServedShare,
        exported: Snapshot,
        visit: Mount,
        doing: str,
    ) -> None:
        driver.create_snapshot(CONTEXT, exported)
        export = self.let_read(driver, served, exported, self.one)
        mounted = visit(export, self.one)

        if doing == "deny":
            update(driver, exported, ())
        else:
            driver.delete_snapshot(CONTEXT, exported)

        with pytest.raises(OUT):
            mounted.names()
        with pytest.raises(OUT):
            visit(export, self.one)

    def test_a_snapshot_is_served_while_its_share_is_reverted_and_when_the_daemon_is_back(
        self, driver: ShareDriver, served: ServedShare, exported: Snapshot, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))
        visit(served.export, self.one).write("a", b"older")
        driver.create_snapshot(CONTEXT, exported)
        export = self.let_read(driver, served, exported, self.two)
        mounted = visit(export, self.two)

        if isinstance(driver, Reverts):
            driver.revert_to_snapshot(CONTEXT, served.share, exported)
        assert mounted.read("a") == b"older"
        if isinstance(driver, RunsDaemons):
            self.kill_daemon(driver)
            self.restart_daemon(driver)

        assert visit(export, self.two).read("a") == b"older"
        with pytest.raises(OUT):
            visit(export, self.one)
