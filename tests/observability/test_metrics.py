"""The endpoint that Prometheus scrapes: what a system serves after work that succeeded, failed and waits."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from share_actors import Config, ConfigError, NoValidHost, OperationFailed, testing
from share_actors.client.sync.background_loop import run
from share_actors.drivers import DriverError
from share_actors.drivers.dummy import DummyDriver
from share_actors.observability import exporter
from share_actors.observability.metrics import METRICS
from share_actors.testing import SyncInProcessSystem
from share_actors.testing.in_process.host import InProcessHost
from share_actors.values import ExportLocation, RequestContext, Share
from tests.observability.scrape import Scraped, endpoint, scrape
from tests.waiting import until

UNITS = ("_seconds", "_bytes", "_total", "_events", "_info")
WITHOUT_UNIT = re.compile(
    r"_(up|work|entities|waiting|hung|nodes|problems|streams|shares|activated)$"
)


class HeldDriver(DummyDriver):
    """A driver whose creations named *held* wait until their test ends; those named *bad* fail."""

    released: ClassVar[dict[Path, threading.Event]] = {}
    """By the directory of the backend."""

    def create_share(
        self, context: RequestContext, share: Share, share_server: object = None
    ) -> list[ExportLocation]:
        if share.name == "bad":
            raise DriverError("the storage refuses")
        if share.name == "held":
            self.released[self._options.directory or Path()].wait()
        return list(super().create_share(context, share, share_server))


def config(home: Path, address: str = "127.0.0.1:0", **changes: Any) -> Config:
    options = {"directory": str(home / "storage"), "capacity_gib": 100}
    backend = {"driver": "held", "threads": 1, "options": options}
    return Config(
        home=home,
        hosting={"min_actors": 1, "max_actors": 1},
        backends={"main": backend},
        metrics={"address": address, "every_s": 0.05},
        **changes,
    )


@contextmanager
def running(settings: Config) -> Iterator[SyncInProcessSystem]:
    """A system whose held creations go on at the end."""
    with testing.sync_system(settings, drivers={"held": HeldDriver}, durable=True) as system:
        HeldDriver.released[settings.home / "storage"] = threading.Event()
        try:
            yield system
        finally:
            release(system)


def release(system: SyncInProcessSystem) -> None:
    """Let held creations go on."""
    HeldDriver.released[system.config.home / "storage"].set()


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncInProcessSystem]:
    """A system that has done something of every kind, for tests that only look at it."""
    with running(config(tmp_path_factory.mktemp("worked"))) as system:
        busy(system)
        yield system


@pytest.fixture
def system(tmp_path: Path) -> Iterator[SyncInProcessSystem]:
    with running(config(tmp_path)) as system:
        yield system


def served(system: SyncInProcessSystem, name: str, wanted: float, **labels: str) -> Scraped:
    """The first scrape in which a metric has the *wanted* value."""
    last: list[Scraped] = []

    def is_served() -> bool:
        last[:] = [scrape(system)] if endpoint(system) else []
        return bool(last) and last[0].value(name, **labels) == wanted

    until(is_served)
    return last[0]


def busy(system: SyncInProcessSystem) -> Scraped:
    """A scrape of *system* after it did something of every kind."""
    system.create_share(size=1, name="good")
    with pytest.raises(OperationFailed):
        system.create_share(size=1, name="bad")
    with pytest.raises(NoValidHost):
        system.create_share(size=1000)
    for _ in range(3):  # one thread: two wait for it
        system.create_share(size=1, name="held", wait=False)
    return served(system, "driver_calls_waiting", 2, backend="main")


# -- the declarations ------------------------------------------------------------------------------
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_name_of_a_metric_follows_the_conventions_of_prometheus(metric: Any) -> None:
    assert re.fullmatch(r"share_actors_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.name.endswith(UNITS) or WITHOUT_UNIT.search(metric.name)
    assert metric.help.endswith(".")


def test_no_metric_has_a_label_of_which_there_are_as_many_as_shares_or_users() -> None:
    labels = {label for metric in METRICS for label in metric.labels}

    assert labels == set("actor backend effect kind outcome pool state status version".split())  # noqa: SIM905


# -- the endpoint ----------------------------------------------------------------------------------
def test_every_metric_is_served_with_its_labels_and_no_other_is(
    worked: SyncInProcessSystem,
) -> None:
    scraped = scrape(worked)

    expected = {name: set(metric.labels) for metric in METRICS for name in metric.series}
    labels = {name: found - {"le"} for name, found in scraped.labels().items()}
    assert labels == expected
    kinds = {metric.name.removesuffix("_total"): metric.kind for metric in METRICS}
    assert {family.name: family.type for family in scraped.families} == kinds


def test_commands_are_counted_by_kind_and_outcome_where_they_were_answered(
    worked: SyncInProcessSystem,
) -> None:
    scraped = scrape(worked)

    creations = {"kind": "share.create"}
    assert scraped.value("commands_total", outcome="accepted", **creations) == 5
    refused = {"actor": "manager", "outcome": "no_valid_host"}
    assert scraped.value("commands_total", **refused, **creations) == 1
    assert scraped.value("outcomes_total", outcome="done", **creations) == 1
    assert scraped.value("outcomes_total", outcome="failed", **creations) == 1
    assert scraped.value("command_reply_seconds_count", **creations) == 5
    assert scraped.value("command_outcome_seconds_count", **creations) == 2
    assert scraped.value("command_outcome_seconds_bucket", le="+Inf", **creations) == 2


def test_attempts_are_counted_by_backend_effect_and_outcome(worked: SyncInProcessSystem) -> None:
    scraped = scrape(worked)

    creation = {"backend": "main", "effect": "provision"}
    assert scraped.value("attempts_total", outcome="done", **creation) == 1
    assert scraped.value("attempts_total", outcome="failed", **creation) == 1
    assert scraped.value("attempt_seconds_count", **creation) == 2


def test_pending_work_is_told_by_backend_until_it_has_ended(system: SyncInProcessSystem) -> None:
    busy(system)
    ages = [pending_s(served(system, "pending_work", 3, backend="main")) for _ in range(2)]

    assert 0.0 < ages[0] <= ages[1]
    release(system)
    until(lambda: scrape(system).value("pending_work") is None)
    assert served(system, "shares", 4, status="available").value("shares", status="error") == 1


def pending_s(scraped: Scraped) -> float:
    """The age of the oldest pending work."""
    return scraped.value("pending_work_oldest_seconds", backend="main") or 0.0


def test_the_log_its_disk_and_the_catalog_are_told(worked: SyncInProcessSystem) -> None:
    events = worked.status()["catalog"]["events"]
    scraped = served(worked, "log_events_total", events)

    assert scraped.value("catalog_lag_events") == scraped.value("catalog_lag_seconds") == 0
    written = sum(f.stat().st_size for f in worked.config.home.glob("log.db*"))
    assert 0 < (scraped.value("log_size_bytes") or 0) <= written
    disk = shutil.disk_usage(worked.config.home)
    assert scraped.value("log_disk_size_bytes") == disk.total
    assert (scraped.value("log_commit_seconds_count") or 0) >= 4


def test_capacities_are_in_bytes_by_pool(worked: SyncInProcessSystem) -> None:
    scraped = served(worked, "backend_up", 1, backend="main")

    assert scraped.value("pool_capacity_bytes", backend="main", pool="main") == 100 * 2**30


def test_no_series_names_a_share(worked: SyncInProcessSystem) -> None:
    scraped = scrape(worked)

    texts = " ".join(value for _, labels in scraped.series for _, value in labels)
    assert not [share.id for share in worked.shares().items if share.id in texts]
    assert worked.shares().items


def test_a_share_actor_that_is_lost_is_told_to_be_down(system: SyncInProcessSystem) -> None:
    served(system, "actor_up", 1)
    [host] = system._in_process.cluster.running.values()
    host.kill()

    served(system, "actor_up", 0)
    run(started_again(host))
    served(system, "actor_up", 1)


async def started_again(host: InProcessHost) -> None:
    """Start *host* on the loop that the system runs on."""
    host.start()


# -- where it is served ----------------------------------------------------------------------------
def test_the_next_manager_serves_at_the_same_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with running(config(tmp_path, address)) as system:
        before = started_at(served(system, "actor_up", 1))
        system.kill_manager()

        until(lambda: endpoint(system) == f"http://{address}/metrics")
        assert started_at(served(system, "actor_up", 1)) > before


def started_at(scraped: Scraped) -> float:
    """When the manager that was scraped started."""
    return scraped.value("manager_start_time_seconds") or 0.0


def test_an_address_in_use_is_told_by_the_status_and_taken_once_it_is_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with running(config(tmp_path, address)) as system:
            metrics = system.status()["manager"]["metrics"]
            assert (
                metrics["error"] == f"metrics cannot be served at {address}: Address already in use"
            )
            assert system.create_share(size=1).status == "available"
            taken.close()

            until(lambda: endpoint(system) is not None)
            assert system.status()["manager"]["metrics"]["error"] is None


def test_without_an_address_nothing_is_served() -> None:
    with testing.sync_system() as system:
        assert system.status()["manager"]["metrics"] == {"url": None, "error": None}


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("9464", "is not HOST:PORT"),
        ("::1:9464", "is not HOST:PORT"),
        ("127.0.0.1:", "which is not a number from 0 to 65535"),
        ("127.0.0.1:70000", "which is not a number from 0 to 65535"),
        ("[localhost]:1", "does not appear to be an IPv4 or IPv6 address"),
        ("a b:1", "is not HOST:PORT"),
    ],
)
def test_an_address_that_cannot_be_is_refused_by_name(address: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        Config(metrics={"address": address})

    assert refused.value.field == "metrics.address"
    assert repr(address) in str(refused.value)


def test_a_missing_library_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exporter, "find_spec", lambda _: None)

    with pytest.raises(ConfigError, match=r"pip install 'share-actors\[metrics\]'"):
        exporter.check_library("127.0.0.1:9464")
    exporter.check_library(None)
