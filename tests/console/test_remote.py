"""A console asks a process of its own, which may end at any time."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from share_actors.cli.console import remote
from share_actors.cli.console.remote import RemoteSource
from share_actors.cli.session import Options
from share_actors.errors import NotFound, ShareActorsError, Unavailable
from tests.waiting import until_async

COMMAND = (sys.executable, "-m", "tests.console.connector")
ROOT = Path(__file__).parents[2]


def play(scenario: Callable[[RemoteSource], Awaitable[None]], namespace: str | None = None) -> None:
    """Run *scenario* with a process that says that it is connected, unless there is a *namespace*."""

    async def run() -> None:
        source = RemoteSource(Options(namespace=namespace), COMMAND)
        source.start()
        try:
            async with asyncio.timeout(60):
                await scenario(source)
        finally:
            await source.close()

    asyncio.run(run())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "RESTART_S", 0.01)
    monkeypatch.chdir(ROOT)


async def to_the_end(events: AsyncGenerator[object, None]) -> None:
    async for _ in events:
        pass


async def pid(source: RemoteSource) -> int:
    """The process that answers; 0 if none does."""
    try:
        return int((await source.about()).namespace)
    except Unavailable:
        return 0


def test_answers_and_errors_come_back_whole_and_a_question_that_is_given_up_ends() -> None:
    processes: list[psutil.Process] = []

    async def scenario(source: RemoteSource) -> None:
        assert await source.first_answer() is None
        [share] = (await source.shares({})).items
        with pytest.raises(NotFound) as not_found:
            await source.share("home")
        with pytest.raises(Unavailable, match="unexpected"):
            await source.reports()
        await give_up_questions(source)

        assert len(share.id) == 300_000
        assert (not_found.value.field, not_found.value.value) == ("share", "home")
        processes.append(psutil.Process(await pid(source)))

    async def give_up_questions(source: RemoteSource) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(source.snapshots({}), 0.05)
        async with aclosing(source.events(0)) as events:
            assert await anext(events) == ()

        async def given_up() -> bool:
            return (await source.about()).context.user_id == "2"

        await until_async(given_up)  # they end in the process, too

    play(scenario)

    assert not processes[0].is_running()  # it ends with the console


def test_a_process_that_ended_is_named_and_another_one_takes_its_place() -> None:
    async def scenario(source: RemoteSource) -> None:
        await source.first_answer()
        first = await pid(source)
        with pytest.raises(Unavailable, match="connection to the system was lost"):
            await source.backends()
        second = await until_async(lambda: pid(source))
        async with aclosing(source.events(0)) as events:
            await anext(events)
            os.kill(second, signal.SIGKILL)
            with pytest.raises(Unavailable, match="lost"):
                await to_the_end(events)

        assert first != second

    play(scenario)


def test_why_there_is_no_system_is_the_answer_to_every_question() -> None:
    async def scenario(source: RemoteSource) -> None:
        problem = await source.first_answer()

        assert str(problem) == "no system in nowhere"
        for ask in (source.about, source.status, lambda: anext(source.events(0))):
            with pytest.raises(ShareActorsError, match="no system in nowhere"):
                await ask()

    play(scenario, namespace="nowhere")


def test_a_process_that_cannot_be_started_is_a_problem_and_not_an_end() -> None:
    async def run() -> None:
        source = RemoteSource(Options(), ("/nothing/here",))
        source.start()
        try:
            problem = await source.first_answer()
            assert "No such file" in str(problem)
            assert await pid(source) == 0
        finally:
            await source.close()

    asyncio.run(run())
