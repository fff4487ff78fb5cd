"""Actors that die, restart or cannot be reached: their shares and their work move."""

import asyncio
from pathlib import Path

import pytest

from share_actors.actors.messaging.messages import unpack_error
from share_actors.errors import Unavailable
from share_actors.events.share.messages import DeleteShare, ExtendShare
from tests.actors.in_process import (
    ONE,
    SHORT_WAIT,
    TWO,
    attempts,
    available,
    config,
    create,
    managed,
    tell,
)
from tests.actors.outcomes import outcome, outcomes
from tests.conftest import within
from tests.waiting import until_async


def test_commands_in_flight_when_an_actor_dies_go_to_the_new_home(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=TWO, delay_s=0.3)) as (manager, cluster):
            sent = asyncio.create_task(outcomes(manager, [create(f"s{n}") for n in range(10)]))
            await until_async(lambda: len(cluster.backend.calls()) > 4)

            cluster.running["share-actor-1"].kill()

            assert [reply.status for reply in await sent] == ["done"] * 10
            assert len(cluster.backend.shares()) == 10

    within(30, scenario())


def test_pending_work_of_a_dead_actor_is_done_by_another_without_a_request(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=TWO, delay_s=0.3)) as (manager, cluster):
            await manager.submit([create(f"s{n}", wait=False) for n in range(10)])

            cluster.running["share-actor-1"].kill()

            await available(cluster, *(f"s{n}" for n in range(10)))

    within(30, scenario())


def test_the_receipt_of_a_joined_request_outlives_the_actor_that_gave_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=TWO, delay_s=0.3)) as (manager, cluster):
            asks = [create("a", wait=False), tell("a", DeleteShare()), tell("a", DeleteShare())]
            told = [(await manager.submit([each._replace(wait=False)]))[0] for each in asks]
            cluster.host_of("a").kill()

            for answer in told[1:]:
                ended = await outcome(manager, answer.share_id, answer.command_id)
                assert ended.status == "done", ended

    within(30, scenario())


def test_an_actor_that_restarted_between_two_health_checks_counts_as_lost(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=ONE, delay_s=0.3)) as (manager, cluster):
            await manager.submit([create(f"s{n}", wait=False) for n in range(5)])

            cluster.running["share-actor-1"].kill()
            cluster.running["share-actor-1"].start()

            await available(cluster, *(f"s{n}" for n in range(5)))

    within(30, scenario())


def test_a_single_actor_hosts_its_shares_again_after_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=ONE)) as (manager, cluster):
            await outcomes(manager, [create("a")])
            cluster.running["share-actor-1"].kill()
            waiting = asyncio.create_task(outcomes(manager, [tell("a", ExtendShare(size=2))]))
            await asyncio.sleep(0.2)

            cluster.running["share-actor-1"].start()

            (answer,) = await waiting
            assert answer.status == "done"
            assert (await manager.view("a")).size == 2

    within(30, scenario())


def test_an_unreachable_actor_records_nothing_for_shares_that_moved(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=TWO, delay_s=0.3)) as (manager, cluster):
            asked = create("a", wait=False)
            await manager.submit([asked])
            zombie = cluster.host_of("a")

            zombie.cut_off()
            assert (await outcome(manager, "a", asked.command_id)).status == "done"
            await asyncio.sleep(0.5)

            assert attempts(cluster, "a") == [1, 2]
            assert await cluster.status("a") == "available"
            assert "a" in zombie.inner._entities
            assert zombie.inner._entities["a"].lost

    within(30, scenario())


def test_all_shares_of_a_dead_actor_move_and_it_takes_new_ones_when_restarted(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=TWO)) as (manager, cluster):
            await outcomes(manager, [create(f"s{n}") for n in range(4)])
            dead, other = cluster.running.values()

            dead.kill()
            views = [(await manager.view(f"s{n}")).status for n in range(4)]
            assert views == ["available"] * 4
            shares = {address for address in await other.resident() if ":" not in address}
            assert shares == {"s0", "s1", "s2", "s3"}

            dead.start()
            await until_async(lambda: "share-actor-1" in manager._supervisor.directory.hosts)
            await outcomes(manager, [create("new")])
            assert cluster.host_of("new") is dead

    within(30, scenario())


def test_a_command_is_unavailable_when_no_actor_is_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        one = config(tmp_path, hosting=ONE)
        async with managed(one, timings=SHORT_WAIT) as (manager, cluster):
            await manager.ready()
            cluster.running["share-actor-1"].kill()

            (answer,) = await outcomes(manager, [create("a")])

            assert answer.error is not None
            assert isinstance(unpack_error(answer.error), Unavailable)
            with pytest.raises(Unavailable):
                await manager.view("a")
            cluster.running["share-actor-1"].start()

    within(10, scenario())
