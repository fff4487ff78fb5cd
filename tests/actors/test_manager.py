"""The manager: which actor hosts a share, and what a command is answered."""

import asyncio
from pathlib import Path

import pytest

from share_actors.actors.messaging.messages import unpack_error
from share_actors.config import BackendSettings, Config
from share_actors.errors import Busy, NotFound, Unavailable
from share_actors.events.share.messages import ExtendShare
from tests.actors.in_process import ONE, SHORT_WAIT, TWO, config, create, managed, tell
from tests.actors.outcomes import outcomes
from tests.conftest import within
from tests.waiting import until_async


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
