"""A host: entities are activated and work; a command that fails gets a reply."""

import asyncio
import gc
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from share_actors.actors.hosting.host import ShareHost
from share_actors.actors.messaging.messages import CommandMessage
from share_actors.errors import Busy, InvalidRequest, LogError, NotFound
from share_actors.events.log import open_configured
from share_actors.events.share.messages import DeleteShare
from share_actors.testing import system as running_system
from tests.actors.hosts import HASTY, error_in, hosting
from tests.actors.in_process import WHO, config, create, in_memory, tell
from tests.conftest import within


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

                good = create(share_id)
                refused, done = await actor.submit([wrong, good])
                while done.status == "accepted":  # the machine is busy
                    [done] = await actor.wait([(share_id, good.command_id)], 10.0) or [done]

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
