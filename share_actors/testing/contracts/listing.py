"""The part of `DriverContract` about `list_backend`: it names everything that is on the backend."""

from __future__ import annotations

import pytest

from share_actors.drivers.abilities import BackendObject, ListsObjects
from share_actors.drivers.base import NotSupported, ShareDriver
from share_actors.drivers.checks.returned import read_exports
from share_actors.testing.contracts.base import CONTEXT, ContractBase
from share_actors.testing.contracts.expectations import keeps, nothing, one_of, same
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

    @keeps("list-of-all")
    def test_an_empty_backend_lists_nothing(self, driver: ShareDriver) -> None:
        for kind in ("share", "snapshot"):
            nothing(
                listed(driver, kind), f"the {kind}s that list_backend lists on an empty backend"
            )

    @keeps("list-of-all")
    def test_a_share_is_listed_with_its_size_exports_and_rules_until_it_is_deleted(
        self, driver: ShareDriver, share: Share
    ) -> None:
        rules = self.rules(driver)
        exports = driver.create_share(CONTEXT, share)
        driver.update_access(CONTEXT, share, rules, rules, ())
        found = listed(driver, "share")
        driver.delete_share(CONTEXT, share)

        same(set(found), {share.id}, "the ids of the shares that list_backend lists")
        item = found[share.id]
        one_of(item.size, (None, share.size), "the size that list_backend lists")
        paths = {export.path for export in read_exports("create_share", exports)}
        one_of(set(item.export_paths), (set(), paths), "the export paths that list_backend lists")
        one_of(item.access, (None, clients(rules)), "the access that list_backend lists")
        one_of(item.access_on_file, (None, clients(rules)), "access_on_file of list_backend")
        nothing(listed(driver, "share"), "the shares that list_backend lists after their deletion")

    @keeps("list-of-all")
    def test_a_snapshot_is_listed_until_it_is_deleted(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        driver.create_snapshot(CONTEXT, snapshot)
        before = listed(driver, "snapshot")
        driver.delete_snapshot(CONTEXT, snapshot)

        same(set(before), {snapshot.id}, "the ids of the snapshots that list_backend lists")
        left = listed(driver, "snapshot")
        nothing(left, "the snapshots that list_backend lists after their deletion")
