"""What the parts of `DriverContract` share: the fixtures, and drivers as other processes have them."""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

import pytest

from share_actors.drivers.base import ProbeResult, ShareDriver
from share_actors.values import AccessRule, AccessType, RequestContext, Share, Snapshot

CONTEXT = RequestContext(user_id="contract", attempt=1)
PRINCIPALS: dict[AccessType, tuple[str, str]] = {
    "ip": ("192.0.2.1", "198.51.100.0/24"),
    "user": ("1001", "1002"),
    "cert": ("client-a", "client-b"),
    "cephx": ("alice", "bob"),
}


class ContractBase:
    """The fixtures; a subclass gives `driver`."""

    principals: ClassVar[dict[AccessType, tuple[str, str]]] = PRINCIPALS

    @pytest.fixture
    def driver(self) -> ShareDriver:
        raise NotImplementedError("a subclass of DriverContract gives the fixture `driver`")

    @pytest.fixture(autouse=True)
    def _set_up(self, driver: ShareDriver) -> None:
        driver.do_setup(CONTEXT)

    @pytest.fixture
    def share(self, driver: ShareDriver) -> Share:
        return new_share(driver)

    @pytest.fixture
    def snapshot(self, driver: ShareDriver, share: Share) -> Snapshot:
        """A snapshot to take of `share`, which exists."""
        if not driver.supports("create_snapshot"):
            pytest.skip("takes no snapshots")
        driver.create_share(CONTEXT, share)
        return Snapshot(id=str(uuid4()), share_id=share.id, size=share.size)

    def rules(self, driver: ShareDriver) -> list[AccessRule]:
        return [
            AccessRule(id=str(uuid4()), access_type=kind, access_to=to)
            for kind in PRINCIPALS
            if kind in driver.access_types
            for to in self.principals[kind]
        ]

    def found(self, driver: ShareDriver, share: Share) -> ProbeResult:
        """What another process's driver says that there is; skips where a driver can't tell."""
        found = same_driver(driver).probe_share(CONTEXT.replace(attempt=2), share)
        if found is None:
            pytest.skip("can't tell what exists")
        return found


def new_share(driver: ShareDriver) -> Share:
    """A share that *driver* has not seen."""
    return Share(
        id=str(uuid4()),
        name="contract",
        size=1,
        share_proto=driver.protocols[0],
        host=driver.backend_name,
    )


def same_driver(driver: ShareDriver) -> ShareDriver:
    """Another driver object for the same backend, as another process has."""
    again = type(driver)(
        driver.driver_handles_share_servers,
        configuration=driver.configuration,
        backend_name=driver.backend_name,
    )
    again.do_setup(CONTEXT)
    return again


def copy_of(driver: ShareDriver, snapshot: Snapshot) -> Share:
    """A share to make from *snapshot*, which exists then."""
    if not driver.supports("create_share_from_snapshot"):
        pytest.skip("makes no shares from snapshots")
    driver.create_snapshot(CONTEXT, snapshot)
    return new_share(driver).replace(snapshot_id=snapshot.id)
