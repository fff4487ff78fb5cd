"""The manager: routing, hosting, supervision and recovery, over real hosts in this process."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from share_actors.actors.messaging.messages import unpack_error
from share_actors.config import BackendSettings, Config
from share_actors.errors import Busy, NotFound, Unavailable
from share_actors.events.aggregates import calls_drivers
from share_actors.events.attempts import AttemptStarted
from share_actors.events.share.messages import DeleteShare, ExtendShare
from tests.actors.in_process import FAST, DummyCluster, config, create, managed, tell
from tests.actors.outcomes import outcome, outcomes
from tests.conftest import within
from tests.waiting import until_async

ONE = {"min_actors": 1, "max_actors": 1}
TWO = {"min_actors": 2, "max_actors": 2}
SHORT_WAIT = replace(FAST, supervisor=replace(FAST.supervisor, max_wait_s=0.3))


async def available(cluster: DummyCluster, *share_ids: str) -> None:
    """Return once these shares are recorded as available."""
    for share_id in share_ids:
        while await cluster.status(share_id) != "available":
            await asyncio.sleep(0.02)


def attempts(cluster: DummyCluster, share_id: str) -> list[int]:
    events = cluster.events(share_id)
    return [event.n for event in events if isinstance(event, AttemptStarted)]


# -- hosting ---------------------------------------------------------------------------------------
def test_a_new_share_goes_to_an_empty_actor_and_stays_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=TWO)) as (manager, cluster):
            await outcomes(manager, [create("a"), create("b")])
            before = cluster.host_of("a")
            assert before is not cluster.host_of("b")

            (answer,) = await outcomes(manager, [tell("a", ExtendShare(size=2))])

            assert answer.status == "done"
            assert cluster.host_of("a") is before

    within(10, scenario())


def test_actors_are_started_in_the_background_up_to_the_maximum(tmp_path: Path) -> None:
    async def scenario() -> None:
        hosting = {"min_actors": 1, "max_actors": 3}
        async with managed(config(tmp_path, hosting=hosting)) as (manager, cluster):
            for larger in (2, 3):
                answers = await outcomes(manager, [create(f"{larger}-{n}") for n in range(20)])
                assert {a.status for a in answers} == {"done"}
                await until_async(lambda: len(manager._supervisor.hosts) == larger)  # noqa: B023 - awaited here

            await outcomes(manager, [create(f"more-{n}") for n in range(20)])
            await asyncio.sleep(0.1)

            assert len(cluster.running) == 3

    within(20, scenario())


def test_no_actor_is_started_without_need(tmp_path: Path) -> None:
    async def scenario() -> None:
        hosting = {"min_actors": 2, "max_actors": 4}
        async with managed(config(tmp_path, hosting=hosting)) as (manager, cluster):
            await outcomes(manager, [create("a"), create("b")])
            await asyncio.sleep(0.1)

            assert len(cluster.running) == 2

    within(10, scenario())


def dedicated(home: Path, smallest: int, largest: int) -> Config:
    """A backend `dummy`, and a backend `alone` with dedicated hosting."""
    plain = config(home, hosting={"min_actors": smallest, "max_actors": largest})
    alone = BackendSettings(driver="dummy", dedicated=True)
    return plain.model_copy(update={"backends": {**plain.backends, "alone": alone}})


def test_a_dedicated_share_gets_an_actor_of_its_own_which_is_started_for_it(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with managed(dedicated(tmp_path, 1, 2)) as (manager, cluster):
            await outcomes(manager, [create("a")])

            await outcomes(manager, [create("d", host="alone")])
            await outcomes(manager, [create(f"s{n}") for n in range(6)])

            assert list(await cluster.host_of("d").resident()) == ["d"]
            assert len(cluster.running) == 2

    within(10, scenario())


def test_a_new_manager_has_a_share_dropped_where_its_activation_is_older(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=TWO)) as (manager, cluster):
            await outcomes(manager, [create("a")])
            first = cluster.host_of("a")
            [second] = [host for host in cluster.running.values() if host is not first]
            await outcomes(second, [tell("a", ExtendShare(size=2))])
            manager.abandon()

            successor = cluster.start_manager().manager
            view = await successor.view("a")
            await until_async(lambda: not first.hosts("a"))

            assert (view.size, cluster.host_of("a")) == (2, second)
            successor.abandon()

    within(20, scenario())


def test_a_dedicated_share_joins_other_shares_when_no_actor_can_be_started(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(dedicated(tmp_path, 1, 1)) as (manager, cluster):
            # this one first: nothing joins a dedicated share
            answers = await outcomes(manager, [create("a")])
            answers += await outcomes(manager, [create("d", host="alone")])

            assert [a.status for a in answers] == ["done", "done"]
            assert cluster.host_of("a") is cluster.host_of("d")

    within(10, scenario())


def test_a_share_that_no_actor_can_host_does_not_delay_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(dedicated(tmp_path, 1, 1), timings=SHORT_WAIT) as (manager, _):
            await outcomes(manager, [create("d", host="alone")])
            messages = [create("a"), tell("d", ExtendShare(size=2))]

            refused, extended = await outcomes(manager, messages)

            assert extended.status == "done"
            assert refused.error is not None
            assert isinstance(unpack_error(refused.error), Unavailable)

    within(10, scenario())


# -- deaths ----------------------------------------------------------------------------------------
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


# -- a new manager ---------------------------------------------------------------------------------
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


# -- answers ---------------------------------------------------------------------------------------
def test_commands_beyond_the_backlog_are_refused_as_busy(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting={**ONE, "backlog": 3})) as (manager, cluster):
            answers = await outcomes(manager, [create(f"s{n}") for n in range(5)])

            assert [a.status for a in answers] == ["done", "done", "done", "error", "error"]
            assert answers[3].error is not None
            assert isinstance(unpack_error(answers[3].error), Busy)
            assert sorted(cluster.backend.shares()) == ["s0", "s1", "s2"]

    within(10, scenario())


def test_a_receipt_does_not_wait_for_the_outcomes_of_other_commands(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=ONE, delay_s=0.5)) as (manager, _):
            slow = asyncio.create_task(manager.submit([create("a")]))

            (receipt,) = await manager.submit([create("b", wait=False)])

            assert receipt.status == "accepted"
            await slow

    within(10, scenario())


def test_a_share_that_was_never_requested_is_not_found(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=ONE)) as (manager, _):
            with pytest.raises(NotFound):
                await manager.view("nobody")
            with pytest.raises(NotFound):
                await manager.where("nobody")
            assert list(manager._supervisor.directory.hosts.values()) == [0]
            (answer,) = await manager.wait([("nobody", "c1")], 1.0)
            assert answer.error is not None
            assert isinstance(unpack_error(answer.error), NotFound)
            assert await manager.submit([]) == []

    within(10, scenario())


def test_where_and_status_report_homes_actors_and_counts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=TWO)) as (manager, cluster):
            await outcomes(manager, [create("a"), create("b")])

            where = await manager.where("a")
            status = await manager.status()

            assert (where["actor"], where["pid"]) == (cluster.host_of("a").name, 1)
            assert [(a["actor"], a["alive"], a["shares"]) for a in status["actors"]] == [
                ("share-actor-1", True, 1),
                ("share-actor-2", True, 1),
            ]
            dummy = status["backends"]["dummy"]
            assert (dummy["driver"], dummy["status"], dummy["wrong"]) == ("dummy", "up", {})

    within(10, scenario())


def test_a_stopping_manager_refuses_commands(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=ONE)) as (manager, _):
            await outcomes(manager, [create("a")])
            await manager.stop()

            (answer,) = await outcomes(manager, [create("b")])

            assert answer.error is not None
            assert "the system is stopping" in unpack_error(answer.error).message

    within(20, scenario())
