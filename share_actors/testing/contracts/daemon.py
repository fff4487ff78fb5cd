"""The part of `DriverContract` about drivers with the ability `RunsDaemons`."""

from __future__ import annotations

import pytest

from share_actors.drivers.abilities import RunsDaemons
from share_actors.drivers.base import ProbeResult, ShareDriver
from share_actors.testing.contracts.base import CONTEXT, ContractBase, same_driver
from share_actors.values import Share


class DaemonContract(ContractBase):
    """Whatever is started and stopped how often, the same shares are served with the same rules."""

    @pytest.fixture
    def daemons(self, driver: ShareDriver) -> RunsDaemons:
        """The driver's daemons, which run; skips the test if it has none."""
        if not isinstance(driver, RunsDaemons):
            pytest.skip("the driver runs no daemons")
        return driver

    @pytest.fixture
    def served(self, driver: ShareDriver, share: Share) -> Share:
        """A share with rules that are applied."""
        driver.create_share(CONTEXT, share)
        rules = self.rules(driver)
        assert not driver.update_access(CONTEXT, share, rules, rules, ())
        return share

    @pytest.mark.usefixtures("daemons")
    def test_a_driver_with_daemons_can_probe_its_shares(
        self, driver: ShareDriver, served: Share
    ) -> None:
        assert driver.supports("probe_share")
        assert _examined(driver, served).state == "whole"

    def test_a_started_backend_is_healthy_and_starting_it_again_changes_nothing(
        self, driver: ShareDriver, daemons: RunsDaemons, served: Share
    ) -> None:
        before = _examined(driver, served)

        daemons.start_backend(CONTEXT)

        assert not daemons.check_health()
        assert _examined(driver, served) == before

    def test_a_backend_that_was_stopped_twice_and_started_serves_the_same_exports_and_rules(
        self, driver: ShareDriver, daemons: RunsDaemons, served: Share
    ) -> None:
        before = _examined(driver, served)

        for _ in range(2):
            daemons.stop_backend(CONTEXT)
        assert daemons.check_health()
        daemons.start_backend(CONTEXT)

        assert not daemons.check_health()
        assert _examined(driver, served) == before
        assert driver.ensure_share(CONTEXT, served) in (None, before.export_locations)

    def test_another_process_can_stop_and_start_the_backend(
        self, driver: ShareDriver, daemons: RunsDaemons, served: Share
    ) -> None:
        before = _examined(driver, served)
        other = same_driver(driver)
        assert isinstance(other, RunsDaemons)

        other.stop_backend(CONTEXT)
        other.start_backend(CONTEXT)

        assert not daemons.check_health()
        assert _examined(driver, served) == before


def _examined(driver: ShareDriver, share: Share) -> ProbeResult:
    """What another driver object finds of *share*, without what the clients change: the bytes used."""
    found = same_driver(driver).probe_share(CONTEXT.replace(attempt=2), share)
    assert found is not None, "a driver with daemons must examine its shares: probe_share"
    assert not found.problems
    return found.replace(used=None)
