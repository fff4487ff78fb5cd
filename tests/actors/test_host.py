"""Hosting: entities in one process wake, work, rest and leave; what cannot be is answered, not raised."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.hosting.host import ShareHost
from share_actors.actors.messaging.messages import CommandMessage, CommandReply, unpack_error
from share_actors.errors import Busy, InvalidRequest, LogError, Moved, NotFound, ShareActorsError
from share_actors.events.log import OpenLog, open_configured
from share_actors.events.share.messages import DeleteShare, ExtendShare
from tests.actors.in_process import WHO, config, create, in_memory, tell
from tests.conftest import within


@asynccontextmanager
async def hosting(
    home: Path, open_log: OpenLog = in_memory, **settings: Any
) -> AsyncIterator[ShareHost]:
    host = ShareHost(config(home, **settings), open_log=open_log)
    try:
        yield host
    finally:
        await host.stop()


def error_in(answer: CommandReply) -> ShareActorsError:
    assert answer.error is not None
    return unpack_error(answer.error)


def test_a_call_answers_each_command_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as host:
            asks = [create("a"), create("b", wait=False), tell("none", DeleteShare()), create("c")]

            answers = await host.submit(asks)

            assert [a.share_id for a in answers] == ["a", "b", "none", "c"]
            assert [a.status for a in answers] == ["done", "accepted", "error", "done"]
            assert isinstance(error_in(answers[2]), NotFound)

    within(10, scenario())


def test_what_takes_long_is_accepted_and_its_outcome_waited_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, delay_s=0.3) as host:
            asked = create("a")
            (accepted,) = await host.submit([asked])
            assert accepted.status == "accepted"
            assert await host.wait([("a", asked.command_id)], 0.0) == []

            (done,) = await host.wait([("a", asked.command_id)], 10.0)

            assert done.status == "done"
            assert b'"available"' in (done.view or b"")

    within(10, scenario())


def test_outcomes_come_as_they_are_and_none_holds_up_the_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, delay_s=0.2) as host:
            slow, unknown = create("a"), ("b", "no-such-command")
            await host.submit([slow])

            (first,) = await host.wait([("a", slow.command_id), unknown], 10.0)

            assert first.share_id == "b"
            assert isinstance(error_in(first), NotFound)

    within(10, scenario())


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (CommandMessage("a", "c", "share.rename", b"{}", WHO), "topic"),
        (CommandMessage("a", "c", "share.extend", b'{"size": 0}', WHO), "size"),
        (CommandMessage("a", "c", "share.extend", b"no JSON", WHO), ""),
        (CommandMessage("a", "c", "share.extend", b'{"size": 2, "by": 1}', WHO), "by"),
        (CommandMessage("a", "c", "share.extend", b'{"size": 2}', b'{"user": 1}'), "user"),
    ],
)
def test_a_command_that_makes_no_sense_is_answered_and_leaves_no_trace(
    asked: CommandMessage, field: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as host:
            (answer,) = await host.submit([asked])

            assert isinstance(error_in(answer), InvalidRequest)
            assert error_in(answer).field == field
            assert host._log.head() == 0
            assert await host.resident() == []

    within(10, scenario())


def test_an_idle_share_leaves_memory_and_wakes_with_its_next_call(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, hosting={"idle_timeout_s": 0.1}) as host:
            await host.submit([create("a")])
            while await host.resident():
                await asyncio.sleep(0.02)

            assert await host.passivated([]) == ["a"]
            assert await host.passivated([]) == []
            (answer,) = await host.submit([tell("a", ExtendShare(size=2))])
            assert answer.status == "done"
            assert await host.resident() == ["a"]

    within(10, scenario())


def test_a_share_that_is_back_has_not_departed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as host:
            await host.submit([create("a"), create("b")])
            await host.passivate(0.0)
            await host.view("a")

            assert await host.passivated(["a", "c"]) in (["b", "c"], ["c", "b"])

    within(10, scenario())


def test_a_share_that_owes_work_stays(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, delay_s=0.3) as host:
            await host.submit([create("a", wait=False)])

            assert await host.passivate(0.0) == 0
            assert await host.resident() == ["a"]

    within(10, scenario())


def test_no_more_shares_live_here_than_the_limit_and_the_longest_idle_goes_first(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, hosting={"entities_per_actor": 2}) as host:
            for share_id in ("a", "b", "c"):
                await host.submit([create(share_id)])

            assert await host.resident() == ["b", "c"]
            assert (await host.view("a")).status == "available"
            assert len(await host.resident()) == 2

    within(10, scenario())


def test_when_all_shares_are_at_work_another_is_answered_busy(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, hosting={"entities_per_actor": 1}, delay_s=0.2) as host:
            await host.submit([create("a", wait=False)])

            (answer,) = await host.submit([create("b", wait=False)])

            busy = error_in(answer)
            assert isinstance(busy, Busy)
            assert busy.retry_after > 0
            assert [r.stream for r in host._log.read("share-b")] == []
            assert await host.passivated([]) == ["b"]  # it takes up no room in the manager's books

    within(10, scenario())


def test_beyond_its_backlog_a_host_answers_busy(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, hosting={"backlog": 1}, delay_s=0.3) as host:
            first = asyncio.create_task(host.submit([create("a")]))
            await asyncio.sleep(0.01)

            (refused,) = await host.submit([create("b")])

            assert isinstance(error_in(refused), Busy)
            assert await host.passivated([]) == ["b"]
            assert (await first)[0].status in ("accepted", "done")

    within(10, scenario())


def test_waking_a_share_makes_it_see_to_what_it_owes(tmp_path: Path) -> None:
    async def scenario() -> None:
        killed = ShareHost(config(tmp_path, delay_s=0.2), open_log=in_memory)
        await killed.submit([create("a", wait=False)])
        killed._log.close()
        async with hosting(tmp_path) as host:
            await host.wake(["a"])
            while (await host.view("a")).status != "available":
                await asyncio.sleep(0.02)

    within(10, scenario())


def test_a_log_that_cannot_be_opened_is_told_and_opened_once_it_can(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, open_configured) as host:
            (tmp_path / "log.db").write_bytes(b"no log")
            (answer,) = await host.submit([create("a")])
            assert isinstance(error_in(answer), LogError)
            with pytest.raises(LogError, match=r"log\.path"):
                await host.report()

            (tmp_path / "log.db").unlink()

            (answer,) = await host.submit([create("a")])
            assert answer.status == "done"

    within(10, scenario())


def test_a_host_that_goes_down_sends_commands_elsewhere_and_finishes_what_runs(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        host = ShareHost(config(tmp_path, delay_s=0.2), open_log=in_memory)
        asked = create("a")
        await host.submit([asked])

        stopping = asyncio.create_task(host.stop())
        await asyncio.sleep(0.01)
        (answer,) = await host.submit([create("b")])
        await stopping

        assert isinstance(error_in(answer), Moved)
        async with hosting(tmp_path) as other:
            assert (await other.view("a")).status == "available"
            with pytest.raises(NotFound):
                await other.view("b")

    within(10, scenario())


def test_a_share_that_never_was_does_not_stay_in_memory(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, hosting={"idle_timeout_s": 0.1}) as host:
            await host.submit([create("a")])
            with pytest.raises(NotFound):
                await host.view("nobody")
            while "nobody" in await host.resident():
                await asyncio.sleep(0.02)

    within(10, scenario())
