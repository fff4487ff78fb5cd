"""The driver `dummy`: its state, its record of calls, and its faults."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from share_actors.drivers import (
    DriverError,
    NotStarted,
    RefusedByBackend,
    RunsDaemons,
    TransientError,
    make_driver,
)
from share_actors.drivers.dummy import DummyBackend, DummyDriver
from share_actors.drivers.dummy.faults import EXIT_STATUS
from share_actors.errors import ConfigError
from share_actors.values import AccessRule, RequestContext, Share, Snapshot
from tests.drivers.conftest import CONTEXT, SHARE

OTHER = Share(id="s2", size=2)
SNAPSHOT = Snapshot(id="x1", share_id=SHARE.id)
RULE = AccessRule(id="r1", access_type="ip", access_to="192.0.2.1")


@pytest.fixture
def backend(tmp_path: Path) -> DummyBackend:
    return DummyBackend(tmp_path / "state")


def driver_of(backend: DummyBackend, **options: Any) -> DummyDriver:
    driver = make_driver("pretended", "dummy", {"directory": backend.directory, **options})
    assert isinstance(driver, DummyDriver)
    driver.do_setup(CONTEXT)
    return driver


def test_the_state_of_the_backend_can_be_read(backend: DummyBackend) -> None:
    driver = driver_of(backend)

    driver.create_share(CONTEXT, SHARE)
    driver.extend_share(CONTEXT, SHARE, 5)
    driver.create_snapshot(CONTEXT, SNAPSHOT)
    driver.update_access(CONTEXT, SHARE, [RULE], [RULE], [])

    assert backend.share("s1")["size"] == 5
    assert backend.snapshots() == {"x1": {"id": "x1", "share_id": "s1"}}
    assert backend.rules("s1")["r1"]["access_to"] == "192.0.2.1"


def test_every_call_is_recorded_with_its_attempt(backend: DummyBackend) -> None:
    driver = driver_of(backend)

    driver.create_share(RequestContext(attempt=1), SHARE)
    driver.create_share(RequestContext(attempt=2, token="t"), SHARE)
    driver.delete_share(CONTEXT, OTHER)

    assert [call.attempt for call in backend.calls("create_share", "s1")] == [1, 2]
    assert [call.token for call in backend.calls(share_id="s1")] == ["", "t"]
    assert len(backend.calls()) == 3
    assert backend.calls()[0].pid == os.getpid()


def test_two_drivers_share_the_state_of_a_backend(backend: DummyBackend) -> None:
    driver_of(backend).create_share(CONTEXT, SHARE)

    with pytest.raises(DriverError, match="s2 does not exist"):
        driver_of(backend).extend_share(CONTEXT, OTHER, 3)
    driver_of(backend).extend_share(CONTEXT, SHARE, 3)


def test_a_share_is_not_created_from_a_missing_snapshot(backend: DummyBackend) -> None:
    driver = driver_of(backend)

    with pytest.raises(DriverError, match="snapshot x1 does not exist"):
        driver.create_share_from_snapshot(CONTEXT, OTHER, SNAPSHOT)

    assert not backend.shares()


def test_transient_faults_are_counted_for_each_share_and_end(backend: DummyBackend) -> None:
    for _ in range(2):  # two drivers: the backend has the count
        with pytest.raises(TransientError):
            driver_of(backend, transient={"create_share": 2}).create_share(CONTEXT, SHARE)

    driver = driver_of(backend, transient={"create_share": 2})
    driver.create_share(CONTEXT, SHARE)
    with pytest.raises(TransientError):
        driver.create_share(CONTEXT, OTHER)

    assert list(backend.shares()) == ["s1"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"fail": {"create_share": "the disk is on fire"}}, DriverError),
        ({"refuse": {"create_share": "not today"}}, RefusedByBackend),
        ({"bug": ["create_share"]}, RuntimeError),
        ({"transient": ["create_share"]}, TransientError),
    ],
)
def test_a_fault_leaves_the_backend_unchanged(
    backend: DummyBackend, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        driver_of(backend, **options).create_share(CONTEXT, SHARE)

    assert not backend.shares()


def test_a_process_that_exits_has_changed_the_backend_before(
    backend: DummyBackend,
) -> None:
    driver = driver_of(backend, exit={"create_share": 1})

    if (child := os.fork()) == 0:
        driver.create_share(CONTEXT, SHARE)
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == EXIT_STATUS
    assert list(backend.shares()) == ["s1"]
    assert driver.create_share(CONTEXT, SHARE)


def test_a_call_can_hang_before_it_changes_the_backend(backend: DummyBackend) -> None:
    driver = driver_of(backend, hang=["create_share"], hang_s=0.05)
    start = time.monotonic()

    driver.create_share(CONTEXT, SHARE)

    assert time.monotonic() - start >= 0.05


def test_rules_for_configured_clients_are_refused(backend: DummyBackend) -> None:
    driver = driver_of(backend, refuse_access_to=["192.0.2.9"])
    driver.create_share(CONTEXT, SHARE)
    bad = RULE.replace(id="r2", access_to="192.0.2.9")

    failed = driver.update_access(CONTEXT, SHARE, [RULE, bad], [RULE, bad], [])

    assert failed == {"r2": "access_to '192.0.2.9' is refused"}
    assert list(backend.rules("s1")) == ["r1"]


def test_free_capacity_is_the_configured_capacity_less_the_shares(backend: DummyBackend) -> None:
    driver = driver_of(backend, capacity_gib=10)
    driver.create_share(CONTEXT, OTHER)

    (pool,) = driver.get_share_stats().pools

    assert (pool.total_capacity_gib, pool.free_capacity_gib) == (10, 8)
    assert pool.allocated_capacity_gib == 2


def test_a_managed_share_has_the_size_in_the_driver_options(backend: DummyBackend) -> None:
    driver = driver_of(backend)

    assert driver.manage_existing(SHARE, {"size": 7}) == {"size": 7}
    assert backend.share("s1")["size"] == 7


def test_a_fault_for_an_unknown_method_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"backends\.b\.options\.fail\.make_share"):
        make_driver("b", "dummy", {"fail": {"make_share": "no"}})


def test_nothing_works_before_the_daemon_is_started_and_its_problems_are_those_of_its_file(
    backend: DummyBackend,
) -> None:
    driver = make_driver("pretended", "dummy", {"directory": backend.directory, "daemon": True})
    assert isinstance(driver, RunsDaemons)
    with pytest.raises(NotStarted):
        driver.do_setup(CONTEXT)
    driver.start_backend(CONTEXT)
    driver.do_setup(CONTEXT)
    driver.create_share(CONTEXT, SHARE)

    (backend.directory / "started").write_text("too hot\ntoo loud\n")
    assert driver.check_health() == ("too hot", "too loud")
    driver.stop_backend(CONTEXT)
    with pytest.raises(NotStarted, match="the daemon does not run"):
        driver.ensure_share(CONTEXT, SHARE)


def test_a_daemon_needs_a_directory_and_without_the_option_there_is_none(
    backend: DummyBackend,
) -> None:
    assert not isinstance(driver_of(backend), RunsDaemons)
    with pytest.raises(ConfigError, match="daemon: it needs the option directory"):
        make_driver("b", "dummy", {"daemon": True})


def test_the_usage_of_existing_shares_is_the_recorded_number(backend: DummyBackend) -> None:
    driver = driver_of(backend, used_bytes={"s1": 7, "s2": 8})
    driver.create_share(CONTEXT, SHARE)

    assert driver.get_share_usage([SHARE, OTHER]) == {"s1": 7}
