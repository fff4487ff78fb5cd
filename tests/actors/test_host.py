"""A host: entities are activated, work and are passivated; a command that fails gets a reply."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from share_actors.actors.hosting.host import ShareHost
from share_actors.actors.hosting.timings import HostTimings
from share_actors.actors.messaging.messages import CommandMessage, CommandReply, unpack_error
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.errors import Busy, InvalidRequest, LogError, Moved, NotFound, ShareActorsError
from share_actors.events.log import OpenLog, open_configured
from share_actors.events.share.messages import DeleteShare, ExtendShare
from share_actors.testing import system as running_system
from tests.actors.in_process import WHO, config, create, in_memory, tell
from tests.conftest import within

PATIENT = HostTimings(grace_s=5.0, max_outcome_wait_s=5.0)
"""Replies wait for outcomes, however long they take on a slow machine."""
HASTY = HostTimings(grace_s=0.01, max_outcome_wait_s=0.01)
"""Replies wait for no outcome that takes any time."""


@asynccontextmanager
async def hosting(
    home: Path,
    open_log: OpenLog = in_memory,
    timings: HostTimings = PATIENT,
    **settings: Any,
) -> AsyncIterator[ShareHost]:
    host = ShareHost(config(home, **settings), open_log=open_log, timings=timings)
    try:
        yield host
    finally:
        await host.stop()


def error_in(reply: CommandReply) -> ShareActorsError:
    assert reply.error is not None
    return unpack_error(reply.error)


def test_the_replies_to_commands_are_in_their_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as host:
            replies = await host.submit(
                [create("a"), create("b", wait=False), tell("none", DeleteShare()), create("c")]
            )

            assert [reply.share_id for reply in replies] == ["a", "b", "none", "c"]
            assert [reply.status for reply in replies] == ["done", "accepted", "error", "done"]
            assert isinstance(error_in(replies[2]), NotFound)

    within(10, scenario())


def test_a_command_that_takes_long_is_accepted_and_its_outcome_comes_from_wait(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, timings=HASTY, delay_s=0.3) as host:
            message = create("a")
            (accepted,) = await host.submit([message])
            assert accepted.status == "accepted"
            assert await host.wait([("a", message.command_id)], 0.0) == []

            (done,) = await host.wait([("a", message.command_id)], 10.0)

            assert done.status == "done"
            assert b'"available"' in (done.view or b"")

    within(10, scenario())


def test_wait_returns_as_soon_as_one_command_has_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, timings=HASTY, delay_s=0.2) as host:
            slow, unknown = create("a"), ("b", "no-such-command")
            await host.submit([slow])

            (first,) = await host.wait([("a", slow.command_id), unknown], 10.0)

            assert first.share_id == "b"
            assert isinstance(error_in(first), NotFound)

    within(10, scenario())


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (CommandMessage("a", "c", "share.rename", b"{}", WHO.context), "topic"),
        (CommandMessage("a", "c", "share.extend", b'{"size": 0}', WHO.context), "size"),
        (CommandMessage("a", "c", "share.extend", b"no JSON", WHO.context), ""),
        (CommandMessage("a", "c", "share.extend", b'{"size": 2, "by": 1}', WHO.context), "by"),
        (CommandMessage("a", "c", "share.extend", b'{"size": 2}', b'{"user": 1}'), "user"),
    ],
)
def test_an_invalid_command_gets_an_error_and_records_no_event(
    message: CommandMessage, field: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as host:
            (reply,) = await host.submit([message])

            assert isinstance(error_in(reply), InvalidRequest)
            assert error_in(reply).field == field
            assert host._log.head() == 0
            assert await host.resident() == {}

    within(10, scenario())


HEADERS: dict[str, Any] = {
    "no text as id": {"share_id": 5},
    "nothing as command id": {"command_id": None},
    "a number as command id": {"command_id": 5},
    "a list as command id": {"command_id": ["c"]},
    "an empty command id": {"command_id": ""},
    "a very long command id": {"command_id": "c" * 256},
    "a command id of half a pair of surrogates": {"command_id": "\ud800"},
    "a list as topic": {"topic": []},
    "a text as body": {"body": "{}"},
    "a mapping as context": {"context": {}},
    "a text as wait": {"wait": "no"},
    "a number as repeated": {"repeated": 1},
    "a list as project": {"project_id": []},
    "a list as backend": {"backend": []},
}
"""Headers that no client sends: a program that talks to the actors itself may."""


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_a_command_with_a_wrong_header_is_refused_alone_and_the_field_named(
    header: dict[str, Any], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as host, running_system() as running:
            manager = running.cluster.find_manager().manager
            for actor in (host, manager):
                share_id = str(uuid4())
                wrong = create(share_id)._replace(**header)

                refused, done = await actor.submit([wrong, create(share_id)])

                [(field, value)] = header.items()
                error = error_in(refused)
                assert isinstance(error, InvalidRequest)
                assert error.message.startswith("id: " if field == "share_id" else f"{field}: ")
                assert (error.value, done.status) == (value, "done")

    within(20, scenario())


def test_a_client_that_polls_for_an_outcome_leaves_nothing_behind(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, timings=HASTY, delay_s=5.0) as host:
            message = create("a")
            await host.submit([message])
            before = futures_that_wait()

            for _ in range(20):
                assert await host.wait([("a", message.command_id)], 0.0) == []

            assert futures_that_wait() < before + 10  # some are of the host's own tasks
            (done,) = await host.wait([("a", message.command_id)], 60.0)
            assert done.status == "done"

    within(90, scenario())


def futures_that_wait() -> int:
    """How many futures have no result: without those that a garbage collection frees."""
    gc.collect()
    known = [each for each in gc.get_objects() if type(each) is asyncio.Future]
    return sum(not future.done() for future in known)


def test_an_idle_share_is_passivated_and_activated_by_its_next_command(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, hosting={"idle_timeout_s": 0.1}) as host:
            await host.submit([create("a")])
            while await host.resident():
                await asyncio.sleep(0.02)

            assert await host.passivated([]) == ["a"]
            assert await host.passivated([]) == []
            (reply,) = await host.submit([tell("a", ExtendShare(size=2))])
            assert reply.status == "done"
            assert list(await host.resident()) == ["a"]

    within(10, scenario())


def test_a_share_that_is_active_again_does_not_count_as_passivated(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as host:
            await host.submit([create("a"), create("b")])
            await host.passivate(0.0)
            await host.view("a")

            assert await host.passivated(["a", "c"]) in (["b", "c"], ["c", "b"])

    within(10, scenario())


def test_a_share_with_pending_work_is_not_passivated(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, delay_s=0.3) as host:
            await host.submit([create("a", wait=False)])

            assert await host.passivate(0.0) == 0
            assert list(await host.resident()) == ["a"]

    within(10, scenario())


def test_beyond_the_limit_of_entities_the_longest_active_idle_one_is_passivated(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, hosting={"entities_per_actor": 2}) as host:
            for share_id in ("a", "b", "c"):
                await host.submit([create(share_id)])

            assert list(await host.resident()) == ["b", "c"]
            assert (await host.view("a")).status == "available"
            assert len(await host.resident()) == 2

    within(10, scenario())


def test_a_command_for_another_share_is_busy_while_all_shares_have_work(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, hosting={"entities_per_actor": 1}, delay_s=0.2) as host:
            await host.submit([create("a", wait=False)])

            (reply,) = await host.submit([create("b", wait=False)])

            busy = error_in(reply)
            assert isinstance(busy, Busy)
            assert busy.retry_after > 0
            assert [r.stream for r in host._log.read("share-b")] == []
            assert await host.passivated([]) == ["b"]  # so that the manager forgets this home

    within(10, scenario())


def test_a_command_beyond_the_backlog_is_busy(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, hosting={"backlog": 1}, delay_s=0.3) as host:
            first = asyncio.create_task(host.submit([create("a")]))
            while "a" not in await host.resident():
                await asyncio.sleep(0)

            (refused,) = await host.submit([create("b")])

            assert isinstance(error_in(refused), Busy)
            assert await host.passivated([]) == ["b"]
            assert (await first)[0].status in ("accepted", "done")

    within(10, scenario())


def test_an_activated_share_continues_its_pending_work(tmp_path: Path) -> None:
    async def scenario() -> None:
        killed = ShareHost(config(tmp_path, delay_s=0.2), open_log=in_memory)
        await killed.submit([create("a", wait=False)])
        killed._log.close()
        async with hosting(tmp_path) as host:
            await host.wake(["a"])
            while (await host.view("a")).status != "available":
                await asyncio.sleep(0.02)

    within(10, scenario())


def test_a_log_that_cannot_be_opened_is_an_error_until_it_can(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, open_configured) as host:
            (tmp_path / "log.db").write_bytes(b"no log")
            (reply,) = await host.submit([create("a")])
            assert isinstance(error_in(reply), LogError)
            with pytest.raises(LogError, match=r"log\.path"):
                await host.report()

            (tmp_path / "log.db").unlink()

            (reply,) = await host.submit([create("a")])
            assert reply.status == "done"

    within(10, scenario())


def test_a_host_that_stops_replies_moved_and_finishes_the_work_in_progress(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        host = ShareHost(config(tmp_path, delay_s=0.2), open_log=in_memory)
        await host.submit([create("a")])

        stopping = asyncio.create_task(host.stop())
        await asyncio.sleep(0)
        (reply,) = await host.submit([create("b")])
        await stopping

        assert isinstance(error_in(reply), Moved)
        async with hosting(tmp_path) as successor:
            assert (await successor.view("a")).status == "available"
            with pytest.raises(NotFound):
                await successor.view("b")

    within(10, scenario())


def test_a_host_that_stops_lets_a_driver_call_end_and_cuts_it_off_after_the_timeout(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        timings = HostTimings(grace_s=0.01, max_outcome_wait_s=0.01, stop_timeout_s=0.1)
        for share_id, timeout_s in (("patient", 20.0), ("hasty", 0.3)):
            home = tmp_path / share_id
            host = ShareHost(config(home, delay_s=1.0), open_log=in_memory, timings=timings)
            await host.submit([create(share_id)])
            [call] = await host.under_way()

            cut_off = await host.stop(timeout_s)

            assert (call.id, call.work) == (share_id, "create")
            assert [call.id for call in cut_off] == ([share_id] if share_id == "hasty" else [])

    within(20, scenario())


def test_a_host_that_stops_begins_none_of_the_calls_that_wait_for_a_thread(tmp_path: Path) -> None:
    async def scenario() -> None:
        timings = HostTimings(grace_s=0.01, max_outcome_wait_s=0.01, stop_timeout_s=0.1)
        settings = config(tmp_path, directory=str(tmp_path / "backend"), delay_s=1.0)
        single = settings.backends["dummy"].model_copy(update={"threads": 1})
        settings = settings.model_copy(update={"backends": {"dummy": single}})
        host = ShareHost(settings, timings=timings)
        await host.submit([create(share_id, wait=False) for share_id in ("a", "b", "c")])
        while len(await host.under_way()) != 1 or await host.place_in_line("c") is None:
            await asyncio.sleep(0.01)
        [begun] = await host.under_way()

        assert await host.stop(20.0) == []

        backend = DummyBackend(tmp_path / "backend")
        assert [call.share_id for call in backend.calls("create_share")] == [begun.id]
        successor = ShareHost(settings, timings=timings)
        assert await successor.wake(["a", "b", "c"]) == {}
        while len(backend.shares()) != 3:
            await asyncio.sleep(0.05)
        assert {call.attempt for call in backend.calls("create_share")} == {1, 2}
        await successor.stop(20.0)

    within(30, scenario())


def test_a_share_that_does_not_exist_does_not_stay_in_memory(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, hosting={"idle_timeout_s": 0.1}) as host:
            await host.submit([create("a")])
            with pytest.raises(NotFound):
                await host.view("nobody")
            while "nobody" in await host.resident():
                await asyncio.sleep(0.02)

    within(10, scenario())
