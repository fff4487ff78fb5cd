"""The part of `DriverContract` about a share that uses more than the size it is to be shrunk to."""

from __future__ import annotations

import pytest

from share_actors.drivers.base import RefusedByBackend, ShareDriver
from share_actors.testing.contracts.base import CONTEXT, ContractBase, without_use
from share_actors.testing.contracts.expectations import keeps, one_of, refused, same
from share_actors.values import Share

GIB = 1 << 30


class ShrinkContract(ContractBase):
    """A share is never shrunk below what it uses; a refusal changes nothing.

    For drivers whose tests override `fill`.
    """

    @pytest.fixture
    def used_share(self, driver: ShareDriver, share: Share) -> Share:
        """A share of 2 GiB that uses more than 1 GiB."""
        if not driver.supports("shrink_share"):
            pytest.skip("the driver cannot shrink shares")
        share = share.replace(size=2)
        driver.create_share(CONTEXT, share)
        self.fill(driver, share, GIB + GIB // 8)
        return share

    @keeps("no-shrink-below-use")
    def test_shrinking_below_what_is_used_is_refused_and_changes_nothing(
        self, driver: ShareDriver, used_share: Share
    ) -> None:
        rules = self.rules(driver)
        driver.update_access(CONTEXT, used_share, rules, rules, ())
        before = without_use(self.probe(driver, used_share))

        for _ in range(2):
            with refused("shrink_share to less than is used", RefusedByBackend):
                driver.shrink_share(CONTEXT, used_share, 1)

        after = without_use(self.probe(driver, used_share))
        same(after, before, "the probe after the refusal")

    @keeps("no-shrink-below-use")
    def test_a_share_that_was_not_shrunk_can_still_be_extended(
        self, driver: ShareDriver, used_share: Share
    ) -> None:
        if not driver.supports("extend_share"):
            pytest.skip("the driver cannot extend shares")
        with refused("shrink_share to less than is used", RefusedByBackend):
            driver.shrink_share(CONTEXT, used_share, 1)

        driver.extend_share(CONTEXT, used_share, 3)

        extended = self.probe(driver, used_share).size
        one_of(extended, (None, 3), "the size after an extension")
        driver.shrink_share(CONTEXT, used_share.replace(size=3), 2)
        shrunk = self.probe(driver, used_share).size
        one_of(shrunk, (None, 2), "the size after a reduction")
