"""The part of `DriverContract` about drivers with the ability `RunsDaemons`."""

from __future__ import annotations

import pytest

from share_actors.drivers.abilities import RunsDaemons
from share_actors.drivers.base import ProbeResult, ShareDriver
from share_actors.testing.contracts.base import CONTEXT, ContractBase, same_driver
from share_actors.testing.contracts.expectations import (
    Unexpected,
    holds,
    keeps,
    nothing,
    one_of,
    same,
)
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
        failed = driver.update_access(CONTEXT, share, rules, rules, ())
        nothing(failed, "the rules that update_access refused")
        return share

    @pytest.mark.usefixtures("daemons")
    @keeps("daemons-restart")
    def test_a_driver_with_daemons_can_probe_its_shares(
        self, driver: ShareDriver, served: Share
    ) -> None:
        same(_examined(driver, served).state, "whole", "the state of a served share by its probe")

    @keeps("daemons-restart")
    def test_a_started_backend_is_healthy_and_starting_it_again_changes_nothing(
        self, driver: ShareDriver, daemons: RunsDaemons, served: Share
    ) -> None:
        before = _examined(driver, served)

        daemons.start_backend(CONTEXT)

        nothing(daemons.check_health(), "check_health of a started backend")
        same(_examined(driver, served), before, "the probe of a share, after the start")

    @keeps("daemons-restart")
    def test_a_backend_that_was_stopped_twice_and_started_serves_the_same_exports_and_rules(
        self, driver: ShareDriver, daemons: RunsDaemons, served: Share
    ) -> None:
        before = _examined(driver, served)

        for _ in range(2):
            daemons.stop_backend(CONTEXT)
        sick = daemons.check_health()
        holds(sick, "check_health of a stopped backend", "what is wrong", sick)
        daemons.start_backend(CONTEXT)

        nothing(daemons.check_health(), "check_health of a started backend")
        same(_examined(driver, served), before, "the probe of a share, after the start")
        ensured = driver.ensure_share(CONTEXT, served)
        one_of(ensured, (None, before.export_locations), "ensure_share, after the start")

    @keeps("daemons-restart")
    def test_another_process_can_stop_and_start_the_backend(
        self, driver: ShareDriver, daemons: RunsDaemons, served: Share
    ) -> None:
        before = _examined(driver, served)
        other = same_driver(driver)
        assert isinstance(other, RunsDaemons)

        other.stop_backend(CONTEXT)
        other.start_backend(CONTEXT)

        nothing(daemons.check_health(), "check_health of a started backend")
        same(_examined(driver, served), before, "the probe of a share, after the start")


def _examined(driver: ShareDriver, share: Share) -> ProbeResult:
    """What another driver object finds of *share*, without what the clients change: the bytes used."""
    found = same_driver(driver).probe_share(CONTEXT.replace(attempt=2), share)
    if found is None:
        raise Unexpected("probe_share of a driver with daemons", "a ProbeResult", "None")
    nothing(found.problems, "the problems of a served share by its probe")
    return found.replace(used=None)
