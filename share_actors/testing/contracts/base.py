"""Fixtures and helpers of all parts of the driver contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from share_actors.drivers import share_stats
from share_actors.drivers.abilities import Reverts, RunsDaemons
from share_actors.drivers.base import ProbeResult, ShareDriver
from share_actors.testing.contracts.expectations import Unexpected
from share_actors.values import (
    AccessRule,
    AccessType,
    Capabilities,
    RequestContext,
    Share,
    Snapshot,
)

CONTEXT = RequestContext(user_id="contract", attempt=1)
PRINCIPALS: dict[AccessType, tuple[str, str]] = {
    "ip": ("192.0.2.1", "198.51.100.0/24"),
    "user": ("1001", "1002"),
    "cert": ("client-a", "client-b"),
    "cephx": ("alice", "bob"),
}


class ContractBase:
    """The fixtures of the contract; a subclass defines the fixture `driver`."""

    principals: ClassVar[dict[AccessType, tuple[str, str]]] = PRINCIPALS
    """Two values of `access_to` that the backend accepts, for each access type."""

    @pytest.fixture
    def driver(self) -> ShareDriver:
        """The driver under test, on an empty backend; a subclass must define it."""
        raise NotImplementedError("a subclass of DriverContract must define the fixture `driver`")

    @pytest.fixture(autouse=True)
    def started(self, driver: ShareDriver) -> Iterator[None]:
        """Starts the backend if it has daemons, attaches the driver, and stops the backend at the end."""
        if isinstance(driver, RunsDaemons):
            driver.start_backend(CONTEXT)
        try:
            driver.do_setup(CONTEXT)
            yield
        finally:
            if isinstance(driver, RunsDaemons):
                driver.stop_backend(CONTEXT)

    @pytest.fixture
    def share(self, driver: ShareDriver) -> Share:
        """A share that does not exist yet."""
        return new_share(driver)

    @pytest.fixture
    def snapshot(self, driver: ShareDriver, share: Share) -> Snapshot:
        """A snapshot of `share` that does not exist yet; the share exists."""
        if not driver.supports("create_snapshot"):
            pytest.skip("the driver does not support snapshots")
        driver.create_share(CONTEXT, share)
        return snapshot_of(share)

    def rules(self, driver: ShareDriver) -> list[AccessRule]:
        """Two access rules of each type that the driver supports."""
        return [
            AccessRule(id=str(uuid4()), access_type=kind, access_to=to)
            for kind in PRINCIPALS
            if kind in driver.rule_types()
            for to in self.principals[kind]
        ]

    def state_of(self, driver: ShareDriver, share: Share) -> Any:
        """What exists of *share*; override it if the driver's probe does not report all that calls change."""
        return driver.probe_share(CONTEXT, share)

    def unmanaged_share(self, driver: ShareDriver) -> Mapping[str, Any]:
        """The options with which `manage_existing` adopts a new unmanaged share; override if not a path."""
        share = new_share(driver)
        [export, *_] = driver.create_share(CONTEXT, share)
        driver.unmanage(share)
        return {"path": export.path}

    def fill(self, driver: ShareDriver, share: Share, size: int) -> None:
        """Make *share* use at least *size* bytes more, as its clients could; override it to test that."""
        pytest.skip("no test data can be put into a share (`fill` is not overridden)")

    def probe(self, driver: ShareDriver, share: Share) -> ProbeResult:
        """The probe result of another driver object; skips the test if the driver cannot probe."""
        result = same_driver(driver).probe_share(CONTEXT.replace(attempt=2), share)
        if result is None:
            pytest.skip("the driver cannot probe shares")
        return result


def snapshot_of(share: Share) -> Snapshot:
    """A snapshot of *share* with a new id."""
    proto = share.share_proto
    return Snapshot(id=str(uuid4()), share_id=share.id, size=share.size, share_proto=proto)


def new_share(driver: ShareDriver) -> Share:
    """A share with a new id, which does not exist on the backend."""
    return Share(
        id=str(uuid4()),
        name="contract",
        size=1,
        share_proto=driver.protocols[0],
        host=driver.backend_name,
    )


def same_driver(driver: ShareDriver) -> ShareDriver:
    """Another driver object for the same backend, like that of another process."""
    other = type(driver)(
        driver.driver_handles_share_servers,
        configuration=driver.configuration,
        backend_name=driver.backend_name,
    )
    other.do_setup(CONTEXT)
    return other


def without_use(result: ProbeResult | None) -> ProbeResult | None:
    """The probe result without the bytes in use, which a filesystem may count later than it has them."""
    return None if result is None else result.replace(used=None)


def copy_of(driver: ShareDriver, snapshot: Snapshot) -> Share:
    """Take *snapshot*; returns a share to create from it."""
    if not driver.supports("create_share_from_snapshot"):
        pytest.skip("the driver cannot create shares from snapshots")
    driver.create_snapshot(CONTEXT, snapshot)
    return new_share(driver).replace(snapshot_id=snapshot.id)


def revert(driver: ShareDriver, context: RequestContext, share: Share, snapshot: Snapshot) -> bool:
    """Revert *share*; returns whether clients must mount it again. Skips the test if the driver cannot."""
    if not isinstance(driver, Reverts):
        pytest.skip("the driver cannot revert shares")
    return driver.revert_to_snapshot(context, share, snapshot)


def capabilities_of(driver: ShareDriver) -> Capabilities:
    """The driver's statistics, which must be valid: the scheduler needs them to place shares."""
    stats = driver.get_share_stats(refresh=True)
    parsed = share_stats.read(stats, driver.backend_name, share_stats.class_capabilities(driver))
    problems = [f"{field}: {problem}".removeprefix(": ") for field, problem in parsed.wrong.items()]
    if parsed.capabilities is None or problems:
        raise Unexpected("get_share_stats", "valid statistics", "; ".join(problems))
    return parsed.capabilities
