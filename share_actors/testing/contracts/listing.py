"""The part of `DriverContract` about `list_backend`: it names everything that is on the backend."""

from __future__ import annotations

import pytest

from share_actors.drivers.abilities import BackendObject, ListsObjects
from share_actors.drivers.base import NotSupported, ShareDriver
from share_actors.testing.contracts.base import CONTEXT, ContractBase
from share_actors.testing.contracts.probe import clients
from share_actors.values import Share, Snapshot


def listed(driver: ShareDriver, kind: str) -> dict[str | None, BackendObject]:
    """The objects of this kind on the backend, by id; skips the test if the driver cannot list them."""
    if not isinstance(driver, ListsObjects):
        pytest.skip("the driver cannot list what is on the backend")
    try:
        items = driver.list_backend(CONTEXT)
    except NotSupported as error:
        pytest.skip(str(error))
    return {item.id: item for item in items if item.kind == kind}


class ListingContract(ContractBase):
    """Exactly what exists is listed, as it is."""

    def test_an_empty_backend_lists_nothing(self, driver: ShareDriver) -> None:
        assert listed(driver, "share") == listed(driver, "snapshot") == {}

    def test_a_share_is_listed_with_its_size_exports_and_rules_until_it_is_deleted(
        self, driver: ShareDriver, share: Share
    ) -> None:
        rules = self.rules(driver)
        exports = driver.create_share(CONTEXT, share)
        driver.update_access(CONTEXT, share, rules, rules, ())
        (item,) = listed(driver, "share").values()
        driver.delete_share(CONTEXT, share)

        assert (item.id, item.size in (None, share.size)) == (share.id, True)
        assert set(item.export_paths) in (set(), {export.path for export in exports})
        assert item.access in (None, clients(rules))
        assert item.access_on_file in (None, clients(rules))
        assert listed(driver, "share") == {}

    def test_a_snapshot_is_listed_until_it_is_deleted(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        driver.create_snapshot(CONTEXT, snapshot)
        before = listed(driver, "snapshot")
        driver.delete_snapshot(CONTEXT, snapshot)

        assert set(before) == {snapshot.id}
        assert listed(driver, "snapshot") == {}
