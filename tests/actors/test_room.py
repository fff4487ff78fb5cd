"""The room of a pool in a system: whatever takes it or gives it back counts at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

import pytest

from share_actors.errors import Busy, NoValidHost, Refused, Unavailable
from share_actors.events.share.manage import ManageShare, UnmanageShare
from share_actors.events.share.messages import DeleteShare, ExtendShare, RetryShare, ShrinkShare
from share_actors.events.share.snapshot.messages import CreateSnapshot
from share_actors.scheduling.request import RequestSpec
from share_actors.values import nest_spec
from tests.actors.two_backend_system import TwoBackendSystem, settings
from tests.waiting import until_async

Scenario = Callable[[TwoBackendSystem], Coroutine[Any, Any, None]]


def manage(share_id: str, size: int) -> ManageShare:
    who = {"project_id": "demo", "user_id": "alice"}
    fields = {"share_id": share_id, "host": "plain", "driver_options": {"size": size}, **who}
    return ManageShare(**nest_spec(fields))


async def with_options(system: TwoBackendSystem, **options: Any) -> None:
    """Give the backend `plain` other options."""
    await system.manager.reload(settings(system.config.home, **options))


async def no_room(system: TwoBackendSystem, size: int, match: str = "do not fit into") -> None:
    with pytest.raises(NoValidHost, match=match):
        await system.create(size=size)


# -- extensions ----------------------------------------------------------------------------------
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


def replaced_manager(system: TwoBackendSystem) -> Any:
    """Another manager, which has to learn everything from the log and from the backends."""
    system.cluster.find_manager().kill()
    system.manager = system.cluster.start_manager().manager
    return system.manager


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


# -- random histories ------------------------------------------------------------------------------
class Model:
    """What each share of the pool takes, and what a share in error takes after a retry."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}
        self.retry: dict[str, int] = {}
        self.left = 0

    def fits(self, more: int) -> bool:
        return sum(self.taken.values()) + self.left + more <= CAPACITY


CAPACITY = 50
FAIL = {"create_share": "no", "extend_share": "no"}


class Histories:
    """Sends random commands one after another; each must be answered as the model says."""

    def __init__(self, system: TwoBackendSystem, seed: int) -> None:
        self.system, self.random, self.model = system, Random(seed), Model()
        self.failing, self._numbers = False, 0

    async def run(self, steps: int) -> None:
        kinds = [self.create, self.create, self.extend, self.shrink, self.delete, self.retry]
        kinds += [self.manage, self.unmanage, self.report, self.toggle, self.restart]
        for step in self.random.choices(kinds, k=steps):
            await step()
            await self.system.manager._scheduler.ledger.read()
            taken = self.system.manager._scheduler.ledger.room("plain#plain")
            assert taken.provisioned == sum(self.model.taken.values())

    def some(self) -> str | None:
        """A share that is available."""
        available = [i for i in self.model.taken if i not in self.model.retry]
        return self.random.choice(available) if available else None

    def size(self) -> int:
        return self.random.randint(1, 25)

    async def asked(self, more: int, command: Coroutine[Any, Any, Any]) -> str:
        """The status of the outcome, which is a refusal exactly if *more* does not fit."""
        try:
            reply = await command
        except NoValidHost:
            assert not self.model.fits(more)
            return "refused"
        assert self.model.fits(more)
        return str(reply.status)

    async def create(self) -> None:
        self._numbers += 1
        share_id, size = f"s{self._numbers}", self.size()
        status = await self.asked(size, self.system.create_reply(share_id, size=size, host="plain"))
        if status != "refused":
            assert status == ("failed" if self.failing else "done")
            self.model.taken[share_id] = 0 if self.failing else size
            if self.failing:
                self.model.retry[share_id] = size

    async def extend(self) -> None:
        if (share_id := self.some()) is None:
            return
        more = self.size()
        target = self.model.taken[share_id] + more
        status = await self.asked(more, self.system.ask(share_id, ExtendShare(size=target)))
        if status == "failed":
            self.model.retry[share_id] = target
        elif status == "done":
            self.model.taken[share_id] = target

    async def retry(self) -> None:
        if not self.model.retry:
            return
        share_id = self.random.choice(list(self.model.retry))
        target = self.model.retry[share_id]
        more = target - self.model.taken[share_id]
        if await self.asked(more, self.system.ask(share_id, RetryShare())) == "done":
            self.model.taken[share_id] = self.model.retry.pop(share_id)

    async def shrink(self) -> None:
        if (share_id := self.some()) is not None and self.model.taken[share_id] > 1:
            size = self.random.randint(1, self.model.taken[share_id] - 1)
            await self.system.ask(share_id, ShrinkShare(size=size))
            self.model.taken[share_id] = size

    async def delete(self) -> None:
        if self.model.taken:
            share_id = self.random.choice(list(self.model.taken))
            await self.system.ask(share_id, DeleteShare())
            del self.model.taken[share_id]
            self.model.retry.pop(share_id, None)

    async def manage(self) -> None:
        self._numbers += 1
        share_id, size = f"m{self._numbers}", self.random.randint(1, 3)
        if self.model.fits(size):
            await self.system.ask(share_id, manage(share_id, size))
            self.model.taken[share_id] = size
            await self.report()  # the driver finds what it did not have before

    async def unmanage(self) -> None:
        if (share_id := self.some()) is not None:
            await self.system.ask(share_id, UnmanageShare())
            self.model.left += self.model.taken.pop(share_id)

    async def report(self) -> None:
        await self.system.manager.publish_service_capabilities(None, "plain")

    async def toggle(self) -> None:
        self.failing = not self.failing
        options: dict[str, Any] = {"fail": FAIL} if self.failing else {}
        await with_options(self.system, capacity_gib=CAPACITY, **options)

    async def restart(self) -> None:
        replaced_manager(self.system)


@pytest.mark.parametrize("seed", range(4))
def test_in_any_history_each_request_is_taken_exactly_if_it_fits(
    run_scenario: Any, seed: int
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await Histories(system, seed).run(60)

    run_scenario(scenario, capacity_gib=CAPACITY)
