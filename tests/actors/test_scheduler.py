"""Placement of shares: pools are chosen once, room is taken at once, verdicts are recorded."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.messaging.messages import unpack_error
from share_actors.config import Config
from share_actors.errors import (
    Busy,
    NotFound,
    NoValidHost,
    Refused,
    ShareActorsError,
    Unavailable,
)
from share_actors.events.share.messages import CreateShare, DeleteShare
from share_actors.events.share.snapshot.messages import CreateSnapshot
from share_actors.events.share_type import CreateShareType
from share_actors.values import BackendReport, nest_spec, utc_now
from tests.actors.in_process import config as one_backend
from tests.actors.in_process import managed, tell
from tests.actors.outcomes import outcomes
from tests.actors.two_backend_system import NET, TwoBackendSystem, settings
from tests.waiting import until_async


def gold_type(**specs: str) -> CreateShareType:
    return CreateShareType(
        name="gold", extra_specs={"driver_handles_share_servers": "False", **specs}
    )


# -- capacity ------------------------------------------------------------------------------------
def test_200_concurrent_creations_fill_a_pool_of_100_gib_and_no_more(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        messages = [_create(f"s{n}") for n in range(200)]
        replies = await asyncio.gather(*(system.manager.submit([m]) for m in messages))
        refused = Counter(reply.status == "error" for [reply] in replies)

        assert refused == {False: 100, True: 100}
        await until_async(lambda: len(system.plain.shares()) == 100)
        errors = [unpack_error(reply.error) for [reply] in replies if reply.error is not None]
        assert {type(error) for error in errors} == {NoValidHost}
        assert "100 of 100 GiB are provisioned" in errors[0].message

    run_scenario(scenario, capacity_gib=100)


def _create(share_id: str, size: int = 1, **fields: Any) -> Any:
    properties = {"size": size, "host": "", "project_id": "demo", "user_id": "alice", **fields}
    return tell(share_id, CreateShare(**nest_spec({"share_id": share_id, **properties})))


def test_capacity_freed_by_a_deletion_is_available_to_the_next_creation(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("big", size=9)
        with pytest.raises(NoValidHost):
            await system.create("other", size=2)
        await system.ask("big", DeleteShare())

        assert (await system.create("other", size=2)).host == "plain#plain"

    run_scenario(scenario, capacity_gib=10)


def test_a_new_manager_counts_the_shares_that_its_predecessor_placed(tmp_path: Path) -> None:
    settings_10_gib = one_backend(tmp_path, capacity_gib=10)

    async def scenario() -> None:
        async with managed(settings_10_gib) as (manager, cluster):
            await outcomes(manager, [_create(f"s{n}") for n in range(7)])
            manager.abandon()
        async with managed(settings_10_gib) as (manager, cluster):
            replies = await outcomes(manager, [_create(f"t{n}") for n in range(7)])
            assert Counter(reply.status for reply in replies) == {"done": 3, "error": 4}
            assert len(cluster.backend.shares()) == 10

    asyncio.run(scenario())


def test_a_repeated_creation_keeps_its_place_in_a_full_pool(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        create = _create("s1", size=10)._replace(command_id="c1")
        first = await outcomes(system.manager, [create])
        repeated = await outcomes(system.manager, [create._replace(repeated=True)])
        same_share = await outcomes(system.manager, [_create("s1", size=10)])

        statuses = [reply.status for reply in (*first, *repeated, *same_share)]
        assert statuses == ["done"] * 3
        assert system.manager._scheduler.ledger.room("plain#plain").provisioned == 10

    run_scenario(scenario, capacity_gib=10)


def test_a_creation_that_the_share_refuses_takes_no_room(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", size=4)
        with pytest.raises(Refused, match="exists already"):
            await system.create("s1", size=6)

        assert (await system.create("s2", size=6)).status == "available"

    run_scenario(scenario, capacity_gib=10)


def test_shares_are_spread_over_pools_in_proportion_to_their_capacity(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        hosts = Counter([(await system.create(size=10)).host for _ in range(9)])
        assert hosts == {"plain#a": 3, "plain#b": 6}

    run_scenario(scenario, pools={"a": 30, "b": 60})


# -- requirements --------------------------------------------------------------------------------
def test_a_share_is_placed_only_on_a_pool_that_satisfies_its_share_type(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.ask("share_type:gold", gold_type(flash="<is> True"))
        share = await system.create(share_type="gold")
        assert (share.host, share.share_type) == ("plain#plain", "gold")

        await system.ask("share_type:gold2", gold_type(flash="<is> False").replace(name="gold2"))
        with pytest.raises(NoValidHost, match="its flash is True, and must be <is> False"):
            await system.create(share_type="gold2")

    run_scenario(scenario, capabilities={"flash": True})


def test_a_private_share_type_can_be_used_by_its_projects_only(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        private = gold_type().replace(is_public=False, projects=("physics",))
        await system.ask("share_type:gold", private)

        assert (await system.create(share_type="gold", project_id="physics")).share_type == "gold"
        with pytest.raises(NotFound, match="there is no share type gold"):
            await system.create(share_type="gold", project_id="demo")
        with pytest.raises(NotFound, match="there is no share type silver"):
            await system.create(share_type="silver")

    run_scenario(scenario)


def test_a_share_without_a_type_gets_the_default_share_type(
    tmp_path: Path, run_scenario: Any
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.ask("share_type:gold", gold_type())
        assert (await system.create()).share_type == "gold"

    plain = settings(tmp_path)
    scheduler = plain.scheduler.model_copy(update={"default_share_type": "gold"})
    run_scenario(scenario, plain.model_copy(update={"scheduler": scheduler}))


def test_a_share_from_a_snapshot_is_placed_on_the_pool_of_the_snapshot(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("first", size=5, host="plain#a")
        await system.ask("first", CreateSnapshot(snapshot_id="snap"))
        source = await system.cluster.catalog.ask("snapshot", snapshot_id="snap")

        assert (await system.create(size=5, source=source)).host == "plain#a"
        with pytest.raises(NoValidHost, match="the snapshot is on plain#a"):
            await system.create(size=50, source=source)

    run_scenario(scenario, pools={"a": 30, "b": 60})


def test_scheduler_hints_place_shares_together_or_apart(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("first", host="plain#a")

        assert (await system.create(same_host=("first",))).host == "plain#a"
        assert (await system.create(different_host=("first",))).host == "plain#b"

    run_scenario(scenario, pools={"a": 30, "b": 30})


@pytest.mark.parametrize("hint", ["same_host", "different_host"])
def test_a_hint_of_a_share_that_is_not_there_is_refused_by_its_name(
    run_scenario: Any, hint: str
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("gone", host="plain")
        await system.ask("gone", DeleteShare())

        for share_id in ("nobody", "gone"):
            hints: Any = {hint: (share_id,)}
            with pytest.raises(NotFound, match=f"{hint}: there is no share {share_id}") as refused:
                await system.create(**hints)
            assert (refused.value.field, refused.value.value) == (hint, share_id)

    run_scenario(scenario)


def test_a_driver_without_statistics_gets_shares(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        assert (await system.create(host="plain")).host == "plain#plain"

    run_scenario(scenario, told={})


def test_a_share_on_a_share_network_is_placed_on_a_backend_with_share_servers(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.network()
        assert (await system.create(share_network_id=NET)).host == "served#served"
        assert (await system.create()).host == "plain#plain"
        with pytest.raises(NoValidHost, match="has no share servers"):
            await system.create(share_network_id=NET, host="plain")

    run_scenario(scenario)


# -- reasons -------------------------------------------------------------------------------------
def test_the_creation_event_records_the_verdict_of_every_filter_on_every_pool(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await until_async(lambda: _every_backend_reported(system))
        await system.create("s1", size=40)
        [first, *_] = await system.cluster.history("s1")
        placement = getattr(first.event, "placement", None)

        assert placement is not None
        assert {"capacity", "protocol", "capabilities", "backend"} <= set(placement.filter_names)
        verdicts = {verdict.pool: verdict for verdict in placement.pools}
        assert list(verdicts["plain#a"].refused) == ["capacity"]
        assert verdicts["plain#b"].refused == {}
        assert list(verdicts["served#served"].refused) == ["share_servers"]

    run_scenario(scenario, pools={"a": 30, "b": 60})


async def _every_backend_reported(system: TwoBackendSystem) -> bool:
    return (await system.manager.capabilities()).keys() == system.config.backends.keys()


def test_a_requested_backend_that_is_down_is_unavailable_with_its_reason(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        with pytest.raises(Unavailable, match="backend 'plain' is not ready: no route to it"):
            await system.create(host="plain")
        with pytest.raises(NoValidHost, match="plain: no route to it"):
            await system.create()

    run_scenario(scenario, fail={"get_share_stats": "no route to it"})


# -- first reports ---------------------------------------------------------------------------------
def test_a_creation_waits_for_the_first_report_of_a_backend_that_was_added_later(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create(size=100)
        larger = settings(system.config.home, capacity_gib=100)
        extra = larger.backends["plain"].model_copy(update={"options": {"capacity_gib": 500}})
        backends = {**larger.backends, "extra": extra}
        await system.manager.reload(larger.model_copy(update={"backends": backends}))

        assert (await system.create(size=50)).host == "extra#extra"

    run_scenario(scenario, capacity_gib=100)


async def _report(system: TwoBackendSystem, backend: str) -> BackendReport | None:
    return (await system.manager.capabilities()).get(backend)


def test_the_first_share_is_on_the_best_pool_although_another_backend_reports_first(
    tmp_path: Path, run_scenario: Any
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        assert (await system.create()).host == "roomy#roomy"

    late: Any = {"hang": {"get_share_stats": 1}, "hang_s": 0.5, "capacity_gib": 1000}
    backends: Any = {
        name: {"driver": "dummy", "options": {"directory": str(tmp_path / name), **options}}
        for name, options in {"small": {"capacity_gib": 100}, "roomy": late}.items()
    }
    run_scenario(scenario, Config(home=tmp_path, backends=backends))


def test_a_creation_is_busy_until_the_backend_that_fits_has_reported(
    tmp_path: Path, run_scenario: Any
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        errors = []
        for host in ("", "plain"):
            try:
                await system.create("s1", host=host)
            except ShareActorsError as error:
                errors.append(error)
        assert [type(error) for error in errors] == [Busy, Unavailable]
        assert errors[1].details == {"passing": True}
        with pytest.raises(NotFound):
            await system.share("s1")

        served = (await until_async(lambda: _report(system, "served"))).capabilities
        free = served.replace(driver_handles_share_servers=False)
        await system.manager.publish(
            BackendReport(backend="plain", at=utc_now(), capabilities=free)
        )
        assert (await system.create("s1")).host == "plain#served"

    slow = settings(tmp_path, hang={"get_share_stats": 1}, hang_s=30.0)
    at_once = slow.scheduler.model_copy(update={"first_stats_s": 0.0})
    run_scenario(scenario, slow.model_copy(update={"scheduler": at_once}))
