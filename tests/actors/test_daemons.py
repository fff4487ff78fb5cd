"""Backends with daemons: started, watched, started again, stopped and started by their stats actor."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.effects.backends import BackendDrivers, NotStartedYet
from share_actors.config import Config
from share_actors.drivers import RunsDaemons, make_driver
from share_actors.drivers.dummy import DummyBackend, DummyDriver
from share_actors.errors import NotFound, Refused, Unavailable
from share_actors.events.backend import BackendDown, BackendHealthy, BackendUnhealthy, BackendUp
from share_actors.events.share.messages import DeleteShare
from share_actors.values import RequestContext
from tests.actors.two_backend_system import TwoBackendSystem, running_system, settings
from tests.waiting import until_async

Scenario = Callable[[TwoBackendSystem], Coroutine[Any, Any, None]]
HEALTH = BackendUp | BackendDown | BackendUnhealthy | BackendHealthy


@pytest.fixture
def run_scenario(tmp_path: Path) -> Callable[..., None]:
    """Run a scenario in a system whose backend `plain` has a daemon and these options."""

    def run(scenario: Scenario, **options: Any) -> None:
        async def main() -> None:
            config = with_daemon(tmp_path, **options)
            async with running_system(config) as system, asyncio.timeout(60):
                await scenario(system)

        asyncio.run(main())

    return run


def with_daemon(home: Path, **options: Any) -> Config:
    """Two backends of which `plain` has a daemon, and reports often."""
    config = settings(home, daemon=True, **options)
    often = config.scheduler.model_copy(update={"stats_period_s": 0.1})
    return config.model_copy(update={"scheduler": often})


def started_file(system: TwoBackendSystem) -> Path:
    return system.plain.directory / "started"


async def health(system: TwoBackendSystem) -> list[type]:
    """The kinds of the events about whether the backend `plain` is well."""
    try:
        history = await system.cluster.history("backend:plain")
    except NotFound:  # nothing is recorded yet
        return []
    return [type(r.event) for r in history if isinstance(r.event, HEALTH)]


async def recorded(system: TwoBackendSystem, kinds: list[type]) -> None:
    async def all_there() -> bool:
        return await health(system) == kinds

    await until_async(all_there)


async def status(system: TwoBackendSystem) -> dict[str, Any]:
    backend: dict[str, Any] = (await system.manager.status())["backends"]["plain"]
    return backend


# -- starting --------------------------------------------------------------------------------------
def test_a_backend_is_started_once_before_it_reports(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await recorded(system, [BackendUp])
        await system.create(host="plain")

        assert len(system.plain.calls("start_backend")) == 1
        assert (await status(system))["problems"] == []

    run_scenario(scenario)


def test_a_backend_that_cannot_be_started_is_down_with_the_reason_and_tried_again(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await until_async(lambda: len(system.plain.calls("start_backend")) >= 3)
        backend = await status(system)
        assert backend["status"] == "down"
        assert backend["reason"] == "it could not be started: port 2049 is taken"

        await system.manager.reload(with_daemon(system.config.home))
        await recorded(system, [BackendDown, BackendUp])

    run_scenario(scenario, fail={"start_backend": "port 2049 is taken"})


def test_a_share_created_before_its_backend_is_started_waits_for_it(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await recorded(system, [BackendUp])
        started_file(system).unlink()
        share = await system.create(host="plain")

        assert share.status == "available"

    run_scenario(scenario)


def test_hosts_attach_in_a_thread_and_wait_for_a_backend_that_is_not_started(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        backends = BackendDrivers(with_daemon(tmp_path).backends)
        assert await prepared(backends)
        with pytest.raises(NotStartedYet, match="the daemon does not run"):
            backends.get("plain")
        assert backends.driver("plain").supports("create_share")

        daemon = make_driver("plain", "dummy", {"directory": tmp_path / "plain", "daemon": True})
        assert isinstance(daemon, RunsDaemons)
        daemon.start_backend(RequestContext())
        assert await prepared(backends)
        assert backends.get("plain").driver is backends.driver("plain")
        assert not await prepared(backends)
        assert len(DummyBackend(tmp_path / "plain").calls("start_backend")) == 1
        backends.close()

    asyncio.run(scenario())


async def prepared(backends: BackendDrivers) -> bool:
    """Whether the set-up of the backend `plain` was due, which has ended then."""
    preparation = backends.preparation("plain")
    if preparation is not None:
        await preparation
    return preparation is not None


def test_a_driver_whose_set_up_blocks_does_not_block_its_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def blocks(driver: DummyDriver, context: RequestContext) -> None:
        entered.set()
        assert go_on.wait(30)

    async def scenario() -> None:
        backends = BackendDrivers(settings(tmp_path).backends)
        setting_up = asyncio.ensure_future(prepared(backends))
        await until_async(entered.is_set)
        with pytest.raises(Unavailable, match="it is being set up"):
            backends.get("plain")
        go_on.set()
        assert await setting_up
        assert backends.get("plain").name == "plain"
        backends.close()

    monkeypatch.setattr(DummyDriver, "do_setup", blocks)
    asyncio.run(scenario())


# -- health ----------------------------------------------------------------------------------------
def test_a_daemon_that_ends_is_started_again_and_both_are_in_the_history(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await recorded(system, [BackendUp])
        started_file(system).unlink()
        await recorded(system, [BackendUp, BackendUnhealthy, BackendHealthy])

        assert len(system.plain.calls("start_backend")) == 2
        assert started_file(system).exists()

    run_scenario(scenario)


def test_problems_that_stay_are_shown_and_recorded_once(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await recorded(system, [BackendUp])
        started_file(system).unlink()
        refusing = with_daemon(system.config.home, fail={"start_backend": "no memory"})
        await system.manager.reload(refusing)

        async def shown() -> bool:
            return "no memory" in str((await status(system))["reason"])

        await until_async(shown)
        await until_async(lambda: len(system.plain.calls("start_backend")) >= 4)
        kinds = await health(system)
        assert kinds.count(BackendDown) == 1

    run_scenario(scenario)


# -- stop and start --------------------------------------------------------------------------------
def test_a_stopped_backend_stays_stopped_and_what_it_has_to_do_waits_until_it_is_started(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        share = await system.create(host="plain")
        report = await system.manager.stop_backend("plain")
        assert "backend start plain" in str(report.reason)
        deleting = asyncio.ensure_future(system.ask(share.id, DeleteShare()))
        await until_async(lambda: _waits(system, share.id))
        assert not started_file(system).exists()

        assert (await system.manager.start_backend("plain")).reason is None
        assert (await deleting).status == "done"

    run_scenario(scenario)


async def _waits(system: TwoBackendSystem, share_id: str) -> bool:
    """Whether an attempt at the share failed, more often than attempts are made for other reasons."""
    history = await system.cluster.history(share_id)
    failed = [r for r in history if "attempt_failed" in type(r.event).topic]
    return len(failed) > system.config.backends["plain"].max_attempts


def test_a_backend_that_cannot_be_stopped_says_why(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await recorded(system, [BackendUp])
        with pytest.raises(Unavailable, match="'plain' could not be stopped: busy"):
            await system.manager.stop_backend("plain")

    run_scenario(scenario, fail={"stop_backend": "busy"})


@pytest.mark.parametrize("verb", ["start_backend", "stop_backend"])
def test_a_backend_without_daemons_is_neither_started_nor_stopped(
    run_scenario: Any, verb: str
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        with pytest.raises(Refused, match="backend 'served' has nothing to start or stop"):
            await getattr(system.manager, verb)("served")

    run_scenario(scenario)


# -- usage -----------------------------------------------------------------------------------------
def test_usage_is_measured_by_the_driver_and_shares_that_are_not_there_have_none(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", size=2, host="plain")
        await system.create("s2", host="plain")
        DummyBackend(system.plain.directory).drop_share("s2")
        usage = await system.manager.share_usage("s1")

        assert (usage.used, usage.size, usage.percent) == (2**30, 2**31, 50.0)
        assert await system.manager.backend_usage("plain") == {"s1": usage}

    run_scenario(scenario, used_bytes={"s1": 2**30})


def test_a_measurement_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        config = settings(tmp_path, hang=["get_share_usage"], hang_s=30)
        plain = config.backends["plain"].model_copy(update={"timeout_s": 0.3})
        config = config.model_copy(update={"backends": {**config.backends, "plain": plain}})
        async with running_system(config) as system, asyncio.timeout(60):
            await system.create("s1", host="plain")
            with pytest.raises(Unavailable, match="could not measure its shares: no answer within"):
                await system.manager.share_usage("s1")

    asyncio.run(scenario())
