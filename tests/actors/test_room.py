"""The room of a pool in a system: whatever takes it or gives it back counts at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from share_actors.errors import Busy, NoValidHost, Refused, Unavailable
from share_actors.events.share.manage import UnmanageShare
from share_actors.events.share.messages import DeleteShare, ExtendShare, RetryShare, ShrinkShare
from share_actors.events.share.snapshot.messages import CreateSnapshot
from share_actors.scheduling.request import RequestSpec
from tests.actors.two_backend_system import (
    TwoBackendSystem,
    manage,
    replaced_manager,
    settings,
    with_options,
)
from tests.waiting import until_async

Scenario = Callable[[TwoBackendSystem], Coroutine[Any, Any, None]]


async def no_room(system: TwoBackendSystem, size: int, match: str = "do not fit into") -> None:
    with pytest.raises(NoValidHost, match=match):
        await system.create(size=size)


# -- extensions ------------------------------------------------------------------------------------
def test_an_extension_that_does_not_fit_is_refused_before_anything_is_recorded(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", size=10)
        before = len(await system.cluster.history("s1"))

        with pytest.raises(NoValidHost) as refusal:
            await system.ask("s1", ExtendShare(size=500))

        reason = "490 GiB more do not fit into 90 GiB (10 of 100 GiB are provisioned)"
        assert refusal.value.details["pools"] == {"plain#plain": {"capacity": reason}}
        assert (refusal.value.field, refusal.value.value) == ("size", 500)
        assert len(await system.cluster.history("s1")) == before
        assert (await system.ask("s1", ExtendShare(size=100))).status == "done"

    run_scenario(scenario, capacity_gib=100)


def test_extensions_and_creations_at_the_same_time_fill_a_pool_and_no_more(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        ids = [(await system.create(size=1)).id for _ in range(10)]
        extensions = [system.ask(i, ExtendShare(size=11)) for i in ids]
        creations = [system.create(size=10) for _ in range(10)]
        results = await asyncio.gather(*extensions, *creations, return_exceptions=True)

        errors = [result for result in results if isinstance(result, BaseException)]
        assert [type(error) for error in errors] == [NoValidHost] * 15
        assert sum(share["size"] for share in system.plain.shares().values()) == 60

    run_scenario(scenario, capacity_gib=60)


def test_of_two_extensions_of_one_share_only_the_one_that_is_recorded_takes_room(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", size=1)
        sizes = (60, 40)
        results = await asyncio.gather(
            *(system.ask("s1", ExtendShare(size=size)) for size in sizes), return_exceptions=True
        )

        assert [type(r) for r in results if isinstance(r, BaseException)] == [Refused]
        size = (await system.share("s1")).size
        assert (await system.create(size=100 - size)).status == "available"
        await no_room(system, 1)

    run_scenario(scenario, capacity_gib=100)


def test_a_repeated_extension_gets_its_first_reply_from_a_full_pool(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", size=1)
        assert (await system.ask("s1", ExtendShare(size=10), command_id="c1")).status == "done"
        await system.ask("s1", ShrinkShare(size=1))
        await system.create(size=9)
        with pytest.raises(NoValidHost):
            await system.ask("s1", ExtendShare(size=10), command_id="c2")

        again = await system.ask("s1", ExtendShare(size=10), command_id="c1", repeated=True)
        assert again.status == "done"
        assert (await system.share("s1")).size == 1

    run_scenario(scenario, capacity_gib=10)


def test_shares_from_snapshots_and_extensions_have_their_own_reserved_parts(
    run_scenario: Any,
) -> None:
    told = {
        "storage_protocol": "NFS",
        "total_capacity_gb": 100,
        "free_capacity_gb": 100,
        "reserved_percentage": 10,
        "reserved_snapshot_percentage": 50,
        "reserved_share_extend_percentage": 0,
    }

    async def scenario(system: TwoBackendSystem) -> None:
        await no_room(system, 91, "91 GiB do not fit into 90 GiB")
        await system.create("s1", size=10)
        await system.ask("s1", CreateSnapshot(snapshot_id="snap"))
        source = await system.cluster.catalog.ask("snapshot", snapshot_id="snap")
        with pytest.raises(NoValidHost, match="41 GiB do not fit into 40 GiB"):
            await system.create(size=41, source=source)
        assert (await system.ask("s1", ExtendShare(size=100))).status == "done"

    run_scenario(scenario, told=told)


def test_an_extension_on_a_pool_of_unknown_capacity_is_taken(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", size=1)
        assert (await system.ask("s1", ExtendShare(size=5000))).status == "done"

    words = {"total_capacity_gb": "unknown", "free_capacity_gb": "unknown"}
    run_scenario(scenario, told={"storage_protocol": "NFS", **words})


def test_a_thin_pool_may_be_provisioned_up_to_its_ratio_and_no_further(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", size=120)
        await no_room(system, 81, "81 GiB do not fit into 80 GiB")
        assert (await system.ask("s1", ExtendShare(size=200))).status == "done"
        await system.ask("s1", DeleteShare())
        assert (await system.create(size=200)).status == "available"

    thin = {"thin_provisioning": True, "max_over_subscription_ratio": 2.0}
    sizes = {"total_capacity_gb": 100, "free_capacity_gb": 100}
    run_scenario(scenario, told={"storage_protocol": "NFS", **sizes, **thin})


# -- room that is given back -----------------------------------------------------------------------
def test_room_that_is_given_back_is_seen_before_the_next_report(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", size=10)
        await system.manager.publish_service_capabilities(None, "plain")
        await no_room(system, 1)

        await system.ask("s1", ShrinkShare(size=4))
        assert (await system.create("s2", size=6)).status == "available"
        await no_room(system, 1)
        await system.ask("s1", DeleteShare())
        assert (await system.create(size=4)).status == "available"
        await no_room(system, 1)

    run_scenario(scenario, capacity_gib=10)


def test_a_failed_creation_gives_its_room_back_and_a_retry_takes_it_again(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        assert (await system.create_reply("s1", size=8)).status == "failed"
        await with_options(system, capacity_gib=10)
        await system.create("s2", size=8)
        before = len(await system.cluster.history("s1"))
        with pytest.raises(NoValidHost, match=r"do not fit into \d GiB \(8 of 10"):
            await system.ask("s1", RetryShare())
        assert len(await system.cluster.history("s1")) == before

        await system.ask("s2", DeleteShare())
        assert (await system.ask("s1", RetryShare())).status == "done"
        await no_room(system, 3)

    run_scenario(scenario, capacity_gib=10, fail={"create_share": "no"})


def test_a_failed_extension_gives_its_room_back_and_a_retry_takes_it_again(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", size=2)
        assert (await system.ask("s1", ExtendShare(size=10))).status == "failed"
        await with_options(system, capacity_gib=10)
        await system.create("s2", size=8)
        with pytest.raises(NoValidHost, match="8 GiB more do not fit into 0 GiB"):
            await system.ask("s1", RetryShare())

        await system.ask("s2", DeleteShare())
        assert (await system.ask("s1", RetryShare())).status == "done"
        assert (await system.share("s1")).size == 10

    run_scenario(scenario, capacity_gib=10, fail={"extend_share": "no"})


def test_a_managed_share_takes_its_room_as_soon_as_it_has_a_size(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create(size=1)
        await system.ask("s1", manage("s1", 7))
        await no_room(system, 3)
        assert (await system.create("s2", size=2)).status == "available"

        await system.ask("s2", UnmanageShare())  # what it takes of the backend stays there
        await no_room(system, 3)

    run_scenario(scenario, capacity_gib=10)


def test_a_share_that_is_managed_takes_no_free_room_in_addition(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.ask("s1", manage("s1", 30))
        assert (await system.create(size=40)).status == "available"
        await no_room(system, 1)

    sizes = {"total_capacity_gb": 100, "free_capacity_gb": 40}
    run_scenario(scenario, told={"storage_protocol": "NFS", **sizes})


# -- measurements ----------------------------------------------------------------------------------
def test_work_under_way_during_a_measurement_is_neither_forgotten_nor_counted_twice(
    run_scenario: Any,
) -> None:
    """The backend says that 40 GiB are free, whether or not that is with the share of 30 GiB."""

    async def scenario(system: TwoBackendSystem) -> None:
        creating = asyncio.ensure_future(system.create(size=30))
        await until_async(lambda: system.plain.calls("create_share"))
        await system.manager.publish_service_capabilities(None, "plain")
        with pytest.raises(Busy, match="work was under way on plain") as refusal:
            await system.create(size=20)
        assert "20 GiB do not fit into 10 GiB" in refusal.value.message

        await creating
        await system.manager.publish_service_capabilities(None, "plain")
        assert (await system.create(size=20)).status == "available"

    sizes = {"total_capacity_gb": 100, "free_capacity_gb": 40}
    run_scenario(
        scenario, told={"storage_protocol": "NFS", **sizes}, hang={"create_share": 1}, hang_s=1.0
    )


def test_an_extension_is_not_refused_for_good_before_the_first_report(
    tmp_path: Path, run_scenario: Any
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", size=1)
        report = (await system.manager.init_host("plain"))["plain"]
        await system.cluster.stats_actors["plain"].end()
        slow = settings(tmp_path, capacity_gib=10, hang={"get_share_stats": 100}, hang_s=3.0)
        at_once = slow.scheduler.model_copy(update={"first_stats_s": 0.0})
        system.cluster.config = slow.model_copy(update={"scheduler": at_once})
        manager = replaced_manager(system)
        with pytest.raises(Unavailable, match="no report yet") as refusal:
            await system.ask("s1", ExtendShare(size=5))
        assert refusal.value.details == {"passing": True}

        await manager.publish(report)
        assert (await system.ask("s1", ExtendShare(size=5))).status == "done"

    run_scenario(scenario, capacity_gib=10)


def test_the_next_manager_counts_from_the_last_measurement_not_from_its_own_start(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await until_async(lambda: system.manager._backend_reports.latest("plain"))
        await system.create(size=30)
        manager = replaced_manager(system)
        await manager.capabilities()

        [pool] = manager._scheduler.pools_of("plain#plain")
        assert pool.room(RequestSpec(share_id="s", size=1, share_proto="NFS")) == 10
        assert (await system.create(size=11)).status == "available"  # it is measured again

    sizes = {"total_capacity_gb": 100, "free_capacity_gb": 40}
    run_scenario(scenario, told={"storage_protocol": "NFS", **sizes})
