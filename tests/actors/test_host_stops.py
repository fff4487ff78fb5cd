"""A host that stops ends the calls under way and begins no other."""

import asyncio
from pathlib import Path

import pytest

from share_actors.actors.hosting.host import ShareHost
from share_actors.actors.hosting.timings import HostTimings
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.errors import Moved, NotFound
from tests.actors.hosts import error_in, hosting
from tests.actors.in_process import config, create, in_memory
from tests.conftest import within


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
