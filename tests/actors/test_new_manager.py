"""A manager that starts anew learns from the log and from the actors what there is."""

from dataclasses import replace
from pathlib import Path

from share_actors.events.aggregates import calls_drivers
from share_actors.events.share.messages import ExtendShare
from tests.actors.in_process import (
    FAST,
    ONE,
    TWO,
    attempts,
    available,
    config,
    create,
    managed,
    tell,
)
from tests.actors.outcomes import outcomes
from tests.conftest import within


def test_a_new_manager_finds_every_share_in_its_home(tmp_path: Path) -> None:
    async def scenario() -> None:
        settings = config(tmp_path, hosting=TWO)
        async with managed(settings) as (manager, cluster):
            await outcomes(manager, [create(f"s{n}") for n in range(4)])
            homes = {n: cluster.host_of(f"s{n}") for n in range(4)}
            manager.abandon()

            successor = cluster.start_manager().manager
            asks = [tell(f"s{n}", ExtendShare(size=2)) for n in range(4)]
            answers = await outcomes(successor, asks)

            assert [a.status for a in answers] == ["done"] * 4
            assert {n: cluster.host_of(f"s{n}") for n in range(4)} == homes
            assert len(cluster.running) == 2
            successor.abandon()

    within(20, scenario())


def test_a_new_manager_activates_only_shares_with_pending_work(tmp_path: Path) -> None:
    async def scenario() -> None:
        settings = config(tmp_path, hosting=ONE)
        async with managed(settings) as (manager, _):
            await outcomes(manager, [create(f"idle{n}") for n in range(3)])
        slow = config(tmp_path, hosting=ONE, delay_s=0.3)
        async with managed(slow) as (manager, cluster):
            await manager.submit([create(f"s{n}", wait=False) for n in range(3)])
            cluster.running["share-actor-1"].kill()
            manager.abandon()

        async with managed(settings) as (manager, cluster):
            await manager.ready()
            await available(cluster, "s0", "s1", "s2")

            held = await cluster.running["share-actor-1"].resident()
            assert sorted(i for i in held if calls_drivers(i)) == ["s0", "s1", "s2"]

    within(20, scenario())


def test_all_shares_with_pending_work_are_activated_although_few_fit_in_memory(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        shares = [f"s{n}" for n in range(6)]
        slow = config(tmp_path, hosting=ONE, delay_s=0.3)
        async with managed(slow) as (manager, cluster):
            await manager.submit([create(share_id, wait=False) for share_id in shares])
            cluster.running["share-actor-1"].kill()
            manager.abandon()

        small = config(tmp_path, hosting={**ONE, "entities_per_actor": 2}, delay_s=0.1)
        async with managed(small) as (manager, cluster):
            await manager.ready()
            await available(cluster, *shares)

    within(30, scenario())


def test_an_activation_that_a_bug_ended_is_followed_by_another(tmp_path: Path) -> None:
    settings = config(tmp_path, hosting=ONE, delay_s=0.3)

    async def scenario() -> None:
        async with managed(settings, timings=replace(FAST, recovery_retry_s=0.2)) as (
            manager,
            cluster,
        ):
            await manager.submit([create("a", wait=False)])

            cluster.host_of("a").inner._entities["a"]._fail(RuntimeError("a bug"))

            await available(cluster, "a")
            assert attempts(cluster, "a") == [1, 2]

    within(10, scenario())
