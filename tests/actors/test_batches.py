"""A batch is not answered with its slowest member: each command has its reply as soon as it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from share_actors.actors.hosting.timings import HostTimings
from share_actors.actors.messaging.batch import Batch, OpenBatches, Rest
from share_actors.actors.messaging.messages import CommandReply
from share_actors.client.system import AsyncShareSystem
from share_actors.config import Config
from share_actors.drivers.dummy import DummyDriver
from share_actors.drivers.registry import drivers_registered
from share_actors.errors import Unavailable
from share_actors.testing.in_process.system import InProcessConnection
from share_actors.values import ExportLocation, RequestContext, Share
from tests.actors.in_process import DummyCluster, in_memory
from tests.conftest import within

NEVER = HostTimings(grace_s=3600.0, max_outcome_wait_s=3600.0)
"""No reply comes because time has passed."""


class HeldDriver(DummyDriver):
    """A driver whose creations wait until the test releases them."""

    began: ClassVar[threading.Event] = threading.Event()
    released: ClassVar[threading.Event]

    def create_share(
        self, context: RequestContext, share: Share, share_server: object = None
    ) -> list[ExportLocation]:
        self.began.set()
        self.released.wait()
        return list(super().create_share(context, share, share_server))


class SilentDriver(DummyDriver):
    """A driver that does not report before the test lets it."""

    def get_share_stats(self, refresh: bool = False) -> dict[str, Any]:
        HeldDriver.released.wait()
        return dict(super().get_share_stats(refresh))


@pytest.fixture(autouse=True)
def held() -> None:
    HeldDriver.released = threading.Event()


def two_backends(home: Path, slow: str = "held") -> Config:
    """The backend `fast`, and another one with this driver and name."""
    fast = {"driver": "dummy", "options": {"directory": str(home / "fast")}}
    other = {"driver": slow, "options": {"directory": str(home / slow)}}
    return Config(home=home, backends={"fast": fast, slow: other})


@asynccontextmanager
async def system(config: Config, timings: HostTimings = NEVER) -> AsyncIterator[AsyncShareSystem]:
    with drivers_registered({"held": HeldDriver, "silent": SilentDriver}):
        cluster = DummyCluster(config, in_memory, host_timings=timings)
        cluster.start_manager()
        running = AsyncShareSystem(InProcessConnection(cluster), config, None)
        try:
            await running.status()
            yield running
        finally:
            HeldDriver.released.set()
            await cluster.close()


@pytest.mark.parametrize("each", [1, 40, 700])
def test_each_create_on_a_fast_backend_ends_before_those_on_a_slow_one(
    tmp_path: Path, each: int
) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            creates = {
                backend: [
                    asyncio.create_task(running.create_share(size=1, backend=backend))
                    for _ in range(each)
                ]
                for backend in ("held", "fast")
            }

            fast = await asyncio.gather(*creates["fast"])

            assert {share.status for share in fast} == {"available"}
            assert not any(slow.done() for slow in creates["held"])
            HeldDriver.released.set()
            slow = await asyncio.gather(*creates["held"])
            assert {share.status for share in slow} == {"available"}

    within(60, scenario())


def test_creates_one_after_another_do_not_wait_for_slow_ones_sent_before_each(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            slow = []
            for _ in range(20):
                slow.append(asyncio.create_task(running.create_share(size=1, backend="held")))
                assert (await running.create_share(size=1, backend="fast")).status == "available"

            assert not any(create.done() for create in slow)

    within(60, scenario())


def test_a_create_does_not_wait_for_one_whose_backend_has_not_reported(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path, "silent")) as running:
            placing = asyncio.create_task(running.create_share(size=1, backend="silent"))
            fast = asyncio.create_task(running.create_share(size=1, backend="fast"))

            assert (await fast).status == "available"
            assert not placing.done()
            HeldDriver.released.set()
            assert (await placing).status == "available"

    within(30, scenario())


# -- one batch -------------------------------------------------------------------------------------
def reply(n: int) -> CommandReply:
    return CommandReply(f"s{n}", f"c{n}", "done")


def test_replies_are_handed_out_as_they_come() -> None:
    async def scenario() -> None:
        batches, batch = OpenBatches(), Batch(3, gather_s=0.0)
        batch.answer(1, reply(1))

        first = await batches.begin(batch)
        assert first.replies == {1: reply(1)}
        assert not first.taken
        assert first.rest is not None

        asking = asyncio.create_task(batches.more(first.rest))
        batch.take(0)
        batch.take(2)
        second = await asking
        assert (second.replies, second.taken) == ({}, True)

        assert second.rest is not None
        batch.answer(0, reply(0))
        batch.answer(2, reply(2))
        last = await batches.more(second.rest)
        assert last == ({0: reply(0), 2: reply(2)}, True, None)
        assert await batch.replies() == [reply(0), reply(1), reply(2)]

    within(5, scenario())


def test_a_part_whose_reply_was_lost_is_handed_out_again() -> None:
    async def scenario() -> None:
        batches, batch = OpenBatches(), Batch(3, gather_s=0.0)
        batch.answer(0, reply(0))
        first = await batches.begin(batch)
        assert first.rest is not None
        batch.answer(1, reply(1))

        second = await batches.more(first.rest)
        again = await batches.more(first.rest)

        assert second == again
        assert second.replies == {1: reply(1)}

    within(5, scenario())


def test_the_rest_of_an_unknown_batch_is_unavailable_for_a_moment() -> None:
    async def scenario() -> None:
        with pytest.raises(Unavailable, match="replies are lost") as raised:
            await OpenBatches().more(Rest("of another process", 1))
        assert raised.value.details == {"passing": True}

    within(5, scenario())


def test_only_the_first_reply_to_a_command_counts() -> None:
    async def scenario() -> None:
        batch = Batch(1)
        batch.answer(0, reply(0))
        batch.answer(0, reply(1))
        assert await batch.replies() == [reply(0)]
        assert (await OpenBatches().begin(Batch(0))).rest is None

    within(5, scenario())
