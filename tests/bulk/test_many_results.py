"""The results of requests that are sent together: in order, each once its reply leaves nothing to do."""

from __future__ import annotations

import asyncio
import time

import pytest

from share_actors.actors.messaging.messages import CommandMessage, CommandReply, error_reply
from share_actors.client.receipt import Receipt
from share_actors.client.requests import SentCommand
from share_actors.client.share.many import Results
from share_actors.errors import Busy, InvalidRequest, Refused, ShareActorsError, TimedOut
from tests.conftest import within

LATER = 3600.0
"""Seconds until the replies are awaited, where they come at once."""


def message(n: int) -> CommandMessage:
    return CommandMessage(f"s{n}", f"c{n}", "share.create", b"", b"", wait=True)


def sent(n: int) -> SentCommand:
    return SentCommand(message(n), asyncio.get_running_loop().create_future(), time.monotonic())


def reply(n: int, status: str = "done") -> CommandReply:
    return CommandReply(f"s{n}", f"c{n}", status)  # type: ignore[arg-type]


class Requests:
    """Requests that are finished one by one, once *gate* is open."""

    def __init__(self) -> None:
        self.finished: list[str] = []
        self.cancelled: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.results = Results(lambda receipt: receipt.share_id, self._finish)

    async def _finish(self, item: SentCommand) -> str:
        self.finished.append(item.message.share_id)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(item.message.share_id)
            raise
        if not item.reply.done():
            raise TimedOut("no reply")
        return f"{item.message.share_id} in the end"


def test_results_are_in_the_order_of_the_requests_whatever_comes_first() -> None:
    async def scenario() -> None:
        requests, items = Requests(), [sent(n) for n in range(3)]
        refused = InvalidRequest("size: missing")
        for n in (2, 0, 1):
            items[n].reply.set_result(reply(n))

        found = await requests.results.of([*items, refused], time.monotonic() + LATER)

        assert found == ["s0", "s1", "s2", refused]
        assert requests.finished == []

    within(10, scenario())


@pytest.mark.parametrize(
    "answer", [reply(0, "accepted"), error_reply(message(0), Busy("busy", retry_after=0.1))]
)
def test_only_a_request_whose_reply_leaves_more_to_do_is_finished_by_a_task(
    answer: CommandReply,
) -> None:
    async def scenario() -> None:
        requests, items = Requests(), [sent(0), sent(1)]
        items[0].reply.set_result(answer)
        items[1].reply.set_result(reply(1))

        found = await requests.results.of(items, time.monotonic() + LATER)

        assert found == ["s0 in the end", "s1"]
        assert requests.finished == ["s0"]

    within(10, scenario())


def test_a_request_is_sent_again_although_another_has_no_reply() -> None:
    async def scenario() -> None:
        requests, items = Requests(), [sent(0), sent(1)]
        items[1].reply.set_exception(Busy("busy", retry_after=0.1))
        waiting = asyncio.ensure_future(requests.results.of(items, time.monotonic() + LATER))
        while not requests.finished:
            await asyncio.sleep(0)
        assert not waiting.done()
        items[0].reply.set_result(reply(0))

        assert await waiting == ["s0", "s1 in the end"]

    within(10, scenario())


def test_a_request_without_a_reply_in_time_and_a_failed_work_are_errors_of_their_own() -> None:
    def result(receipt: Receipt) -> str:
        if receipt.status == "failed":
            raise Refused("the backend is full")
        return receipt.share_id

    async def finish(item: SentCommand) -> str:
        raise TimedOut(f"no reply for {item.message.share_id}")

    async def scenario() -> None:
        items = [sent(n) for n in range(3)]
        items[1].reply.set_result(reply(1, "failed"))
        items[2].reply.set_result(reply(2))

        found = await Results(result, finish).of(items, time.monotonic())

        late, failed, done = found
        assert isinstance(late, TimedOut)
        assert isinstance(failed, Refused)
        assert done == "s2"

    within(10, scenario())


def test_a_caller_that_leaves_takes_the_tasks_with_it() -> None:
    async def scenario() -> None:
        requests, item = Requests(), sent(0)
        requests.gate.clear()
        item.reply.set_result(reply(0, "accepted"))
        waiting = asyncio.ensure_future(requests.results.of([item], time.monotonic() + LATER))
        while not requests.finished:
            await asyncio.sleep(0)

        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        while not requests.cancelled:
            await asyncio.sleep(0)

    within(10, scenario())


def test_no_requests_have_no_results() -> None:
    async def scenario() -> None:
        found: list[str | ShareActorsError] = await Requests().results.of([], time.monotonic())
        assert found == []

    within(10, scenario())
