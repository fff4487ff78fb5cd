"""The part of `ClientContract` about sizes: a share that is full, extended, and shrunk."""

from __future__ import annotations

import pytest

from share_actors.drivers.base import RefusedByBackend, ShareDriver
from share_actors.testing.contracts.base import CONTEXT, without_use
from share_actors.testing.contracts.client.base import GIB, MIB, ClientBase, ServedShare
from share_actors.testing.visits import Full, Mount


class ClientSizeContract(ClientBase):
    """The size of a share is what its clients can write, from the moment that it is set."""

    def test_a_full_share_takes_no_more_until_it_is_extended(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        self.needs_limits()
        served.allow((self.one, "rw"))
        mounted = visit(served.export, self.one)
        mounted.write("first", b"1")
        file = mounted.hold("big")
        with pytest.raises(Full):
            file.fill(GIB + 64 * MIB)
        if not driver.supports("extend_share"):
            return

        driver.extend_share(CONTEXT, served.share, 2)

        mounted.hold("more").fill(64 * MIB)
        assert mounted.read("first") == b"1"

    def test_shrinking_below_what_is_used_is_refused_and_changes_nothing(
        self, driver: ShareDriver, visit: Mount, served: ServedShare
    ) -> None:
        self.needs_limits()
        if not (driver.supports("shrink_share") and driver.supports("extend_share")):
            pytest.skip("the driver cannot extend and shrink shares")
        share = served.share.replace(size=2)
        driver.extend_share(CONTEXT, served.share, 2)
        served.allow((self.one, "rw"))
        mounted = visit(served.export, self.one)
        mounted.hold("big").fill(GIB + 64 * MIB)
        before = without_use(driver.probe_share(CONTEXT, share))

        with pytest.raises(RefusedByBackend):
            driver.shrink_share(CONTEXT, share, 1)

        assert without_use(driver.probe_share(CONTEXT, share)) == before
        mounted.hold("more").fill(64 * MIB)
        driver.extend_share(CONTEXT, share, 3)
        mounted.hold("even more").fill(64 * MIB)
