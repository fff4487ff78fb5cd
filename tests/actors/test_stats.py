"""StatsActor: reports of backends, valid, invalid and missing ones, and their consequences."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.stats import StatsActor
from share_actors.config import Config
from share_actors.errors import ConfigError, NoValidHost, Refused, Unavailable
from share_actors.events.backend import BackendDown, BackendUp
from share_actors.values import BackendReport, BackendState, RoomTaken
from tests.actors.two_backend_system import TwoBackendSystem, running_system, settings
from tests.waiting import until_async

Scenario = Callable[[TwoBackendSystem], Coroutine[Any, Any, None]]


@pytest.fixture
def run_scenario(tmp_path: Path) -> Callable[..., None]:
    """Run a scenario in a system; options are those of the backend without share servers."""

    def run(scenario: Scenario, config: Config | None = None, **options: Any) -> None:
        async def main() -> None:
            system_config = config or settings(tmp_path, **options)
            async with running_system(system_config) as system, asyncio.timeout(60):
                await system.manager._backend_reports.wait_for_backends(
                    system_config.backends, 10.0
                )
                await scenario(system)

        asyncio.run(main())

    return run


async def state(system: TwoBackendSystem, backend: str = "plain") -> BackendState:
    backend_state: BackendState = await system.manager.view(f"backend:{backend}")
    return backend_state


async def recorded(system: TwoBackendSystem, status: str, backend: str = "plain") -> BackendState:
    """The backend's state, once *status* is recorded."""

    async def in_status() -> BackendState | None:
        entity: BackendState | None = await system.cluster.catalog.ask(
            "entity", address=f"backend:{backend}"
        )
        return entity if entity is not None and entity.status == status else None

    backend_state: BackendState = await until_async(in_status)
    return backend_state


# -- reports -------------------------------------------------------------------------------------
def test_every_backend_reports_its_capabilities(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        reports = await system.manager.capabilities()

        assert set(reports) == {"plain", "served"}
        plain, served = reports["plain"].capabilities, reports["served"].capabilities
        assert plain is not None
        assert served is not None
        assert (plain.driver_handles_share_servers, served.driver_handles_share_servers) == (
            False,
            True,
        )
        assert [(p.name, p.total_capacity_gib) for p in plain.pools] == [("a", 30.0), ("b", 60.0)]

    run_scenario(scenario, pools={"a": 30, "b": 60})


def test_watch_returns_the_latest_reports_and_then_each_new_one(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        update = await system.manager.watch(0, 1.0)
        assert {report.backend for report in update.items} == {"plain", "served"}
        assert (await system.manager.watch(update.number, 0.05)).items == ()

        watching = asyncio.ensure_future(system.manager.watch(update.number, 10.0))
        await system.manager.publish_service_capabilities(None, "plain")
        assert [report.backend for report in (await watching).items] == ["plain"]

    run_scenario(scenario)


def test_init_host_publishes_capacities_that_include_new_shares(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create(size=40, host="plain")
        capabilities = (await system.manager.init_host())["plain"].capabilities

        assert capabilities is not None
        pool = capabilities.pools[0]
        assert (pool.free_capacity_gib, pool.allocated_capacity_gib) == (60.0, 40.0)

    run_scenario(scenario, capacity_gib=100)


def test_reports_are_published_every_period(tmp_path: Path, run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        first = (await system.manager.capabilities())["plain"].at

        async def again() -> bool:
            return (await system.manager.capabilities())["plain"].at > first

        await until_async(again)

    plain = settings(tmp_path)
    often = plain.scheduler.model_copy(update={"stats_period_s": 0.1})
    run_scenario(scenario, plain.model_copy(update={"scheduler": often}))


# -- missing and invalid statistics --------------------------------------------------------------
def test_a_backend_whose_driver_fails_takes_no_shares_and_affects_no_other_backend(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        status = (await system.manager.status())["backends"]
        assert (status["plain"]["status"], status["plain"]["reason"]) == ("down", "no route")
        assert status["served"]["status"] == "up"
        with pytest.raises(NoValidHost, match="plain: no route"):
            await system.create()
        await system.network()
        assert (await system.create(share_network_id="net")).status == "available"
        assert (await recorded(system, "down")).reason == "no route"

    run_scenario(scenario, fail={"get_share_stats": "no route"})


def test_a_backend_that_recovers_is_up_again_and_both_changes_are_events(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await recorded(system, "down")
        await system.manager.reload(settings(system.config.home))
        await recorded(system, "up")

        assert (await system.create()).host == "plain#plain"
        history = await system.cluster.history("backend:plain")
        kinds = [type(r.event) for r in history if isinstance(r.event, BackendUp | BackendDown)]
        assert kinds == [BackendDown, BackendUp]

    run_scenario(scenario, fail={"get_share_stats": "no route"})


def test_a_backend_that_exceeds_its_stats_timeout_is_down(
    tmp_path: Path, run_scenario: Any
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        report = (await system.manager.capabilities())["plain"]
        assert report.reason is not None
        assert "0.2" in report.reason
        with pytest.raises(Unavailable, match="is not ready"):
            await system.create(host="plain")

    plain = settings(tmp_path, hang={"get_share_stats": 99}, hang_s=30)
    impatient = plain.backends["plain"].model_copy(update={"stats_timeout_s": 0.2})
    run_scenario(
        scenario, plain.model_copy(update={"backends": {**plain.backends, "plain": impatient}})
    )


def test_a_backend_is_down_when_its_stats_actor_stops_reporting(
    tmp_path: Path, run_scenario: Any
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.cluster.stats_actors["plain"].inner.stop()
        assert (await recorded(system, "down")).reason == "no reports"
        status = (await system.manager.status())["backends"]["plain"]
        assert (status["status"], "no report for" in status["reason"]) == ("down", True)

    plain = settings(tmp_path)
    often = plain.scheduler.model_copy(update={"stats_period_s": 0.1})
    quick = {n: b.model_copy(update={"stats_timeout_s": 0.3}) for n, b in plain.backends.items()}
    run_scenario(scenario, plain.model_copy(update={"scheduler": often, "backends": quick}))


@pytest.mark.parametrize("told", [[], "fine", 7, {"pools": []}, {"pools": [5]}])
def test_invalid_statistics_are_reported_and_no_share_is_placed_there(
    run_scenario: Any, told: Any
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        report = (await system.manager.capabilities())["plain"]
        assert report.reason is not None or report.wrong
        with pytest.raises(NoValidHost):
            await system.create()

    run_scenario(scenario, told=told)


def test_a_pool_with_an_invalid_value_has_its_default_which_is_shown_by_field(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        assert (await system.create()).host == "plain#good"
        assert (await system.create(host="plain#odd")).host == "plain#odd"
        wrong = (await system.manager.status())["backends"]["plain"]["wrong"]
        assert wrong == {
            "pools.0.free_capacity_gib": "-5 is not 0 or more; 0 is used",
            "pools.1.total_capacity_gb": "'?' is not a number; 'unknown' is used",
        }

    full = {"name": "full", "total_capacity_gib": 10, "free_capacity_gib": -5}
    odd = {"name": "odd", "total_capacity_gb": "?", "free_capacity_gb": "unknown"}
    good = {"name": "good", "total_capacity_gib": 10, "free_capacity_gib": 10}
    run_scenario(scenario, told={"storage_protocols": ["NFS"], "pools": [full, odd, good]})


# -- exports that are out of date ----------------------------------------------------------------
def test_a_change_of_backend_info_ensures_its_shares_and_updates_their_exports(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        shares = [await system.create(host="plain") for _ in range(5)]
        before = [share.export_locations[0].path for share in shares]
        await until_async(lambda: _ensured(system))
        assert system.plain.calls("ensure_share") == []

        await system.manager.reload(settings(system.config.home, info={"address": "10.0.0.9"}))
        await until_async(lambda: _ensured(system, calls=5))

        for share, path in zip(shares, before, strict=True):
            now = await system.share(share.id)
            assert now.export_locations[0].path == path.replace("10.0.0.1", "10.0.0.9")
        await system.manager.reload(settings(system.config.home, info={"address": "10.0.0.9"}))
        assert len(system.plain.calls("ensure_share")) == 5

    run_scenario(scenario, info={"address": "10.0.0.1"})


async def _ensured(system: TwoBackendSystem, calls: int = 0) -> bool:
    backend = await state(system)
    done = backend.info is not None and backend.info == backend.ensured
    return done and len(system.plain.calls("ensure_share")) == calls


def test_a_share_that_cannot_be_ensured_stays_available_with_the_reason(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        share = await system.create(host="plain")
        await until_async(lambda: _ensured(system))
        changed = settings(system.config.home, info={"a": "2"}, fail={"ensure_share": "lost"})
        await system.manager.reload(changed)
        await until_async(lambda: _ensured(system, calls=1))

        share = await system.share(share.id)
        assert (share.status, share.status_reason) == ("available", "lost")

    run_scenario(scenario, info={"a": "1"})


# -- reload ---------------------------------------------------------------------------------------
def test_reload_adds_changes_and_removes_backends_of_a_running_system(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        share = await system.create(host="plain")
        config = settings(system.config.home, capacity_gib=7)
        plain = config.backends["plain"]
        extra = plain.model_copy(update={"options": {"capacity_gib": 3}})
        config = config.model_copy(update={"backends": {"plain": plain, "extra": extra}})
        difference = await system.manager.reload(config)

        assert difference == {"added": ["extra"], "changed": ["plain"], "removed": ["served"]}
        await system.manager._backend_reports.wait_for_backends(["extra"], 10.0)
        assert set(await system.manager.capabilities()) == {"plain", "extra"}
        assert (await system.create(host="extra", size=3)).host == "extra#extra"
        assert (await system.share(share.id)).status == "available"

        async def smaller() -> bool:
            capabilities = (await system.manager.capabilities())["plain"].capabilities
            return capabilities is not None and capabilities.pools[0].total_capacity_gib == 7

        await until_async(smaller)

    run_scenario(scenario)


def test_a_configuration_that_arrives_during_a_report_takes_effect_at_once(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        capacities: list[Any] = []

        class Listener:
            """Reconfigures the stats actor while it publishes its first report."""

            async def begin_measurement(self, backend: str, /) -> dict[str, RoomTaken]:
                return await system.manager.begin_measurement(backend)

            async def publish(self, published: BackendReport, /) -> None:
                assert published.capabilities is not None
                capacities.append(published.capabilities.pools[0].total_capacity_gib)
                if len(capacities) == 1:
                    await actor.reconfigure(settings(system.config.home, capacity_gib=7))

        actor = StatsActor("plain", system.config, Listener, system.manager._entity_client)
        await actor.follow()
        await until_async(lambda: capacities == [5.0, 7.0])
        await actor.stop()

    run_scenario(scenario, capacity_gib=5)


def test_reload_refuses_a_change_that_requires_a_restart(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        other = system.config.model_copy(update={"namespace": "other"})
        with pytest.raises(ConfigError, match="namespace: cannot change while the system runs"):
            await system.manager.reload(other)
        assert (await system.manager.config()).namespace == system.config.namespace

    run_scenario(scenario)


def test_preview_manage_returns_the_properties_and_changes_nothing(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        options = {"size": 4}
        assert await system.manager.preview_manage({}, options, backend="plain") == {"size": 4}
        assert system.plain.shares() == {}

    run_scenario(scenario)


def test_a_failed_preview_is_refused_with_the_reason_of_the_driver(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        with pytest.raises(Refused, match="nothing there"):
            await system.manager.preview_manage({}, {}, backend="plain")

    run_scenario(scenario, fail={"preview_manage": "nothing there"})
