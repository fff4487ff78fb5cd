"""The part of the contracts about storage that one system at a time may use."""

from __future__ import annotations

import pytest

from share_actors.actors.effects.directories import Directories
from share_actors.drivers.base import ShareDriver
from share_actors.events.log.lease.lease import Owner
from share_actors.testing.contracts.base import ContractBase, same_driver
from share_actors.testing.contracts.expectations import keeps, refused

FIRST = Owner("session-1/contract", "contract", "/home/first", "here", 1)
SECOND = Owner("session-2/contract", "contract", "/home/second", "here", 2)


class OneSystemContract(ContractBase):
    """A second system on the directories of `exclusive_directories` is refused, with who holds them."""

    @keeps("one-system")
    def test_a_second_system_on_the_same_storage_is_refused_naming_the_holder(
        self, driver: ShareDriver
    ) -> None:
        if not driver.exclusive_directories():
            pytest.skip("the driver names no directory that only one system may use")
        first = Directories(lambda: FIRST)
        first.hold(driver)

        Directories(lambda: FIRST).hold(same_driver(driver), wait_s=0.0)  # another process
        with refused("a second system on the same directories"):
            Directories(lambda: SECOND).hold(same_driver(driver), wait_s=0.0)
