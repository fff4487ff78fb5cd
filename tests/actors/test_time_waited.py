"""A *timed out* says the whole time that the caller waited, over all tries of the request."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from share_actors import testing
from share_actors.config import BackendSettings, Config
from share_actors.errors import LogInDoubt, ShareActorsError, TimedOut
from tests.actors.test_in_doubt import FailingStorage, share_on
from tests.conftest import within

HANGS = Config(
    backends={
        "slow": BackendSettings(
            driver="dummy", options={"hang": {"extend_share": 9}, "hang_s": 2.5}
        )
    }
)


@contextmanager
def whole_time_said(*kinds: type[ShareActorsError]) -> Iterator[None]:
    """The block raises one of *kinds*, and its text and value say how long the block took."""
    began = time.monotonic()
    with pytest.raises(kinds or (TimedOut,)) as caught:
        yield
    took = time.monotonic() - began
    [said] = re.findall(r"(?:after|within|tried for) ([0-9.]+) s", str(caught.value))
    slack = 0.1 + 0.1 * took  # of the time before the request was sent
    assert took - slack <= float(said) <= took + 0.01, (str(caught.value), took)
    if caught.type is TimedOut:
        assert took - slack <= caught.value.value <= took + 0.01


@asynccontextmanager
async def slow_share() -> AsyncIterator[tuple[Any, Any]]:
    """A share whose extension does not end, and its system."""
    async with testing.system(HANGS) as system:
        yield await system.create_share(size=1), system


def test_a_request_that_is_recorded_says_the_time_until_its_timeout() -> None:
    async def scenario() -> None:
        async with slow_share() as (share, _):
            with whole_time_said():
                await share.extend(2, timeout=0.7)

    within(30, scenario())


def test_a_program_that_blocked_meanwhile_is_told_the_time_that_it_took() -> None:
    async def scenario() -> None:
        async with slow_share() as (share, _):
            with whole_time_said():
                waiting = asyncio.create_task(share.extend(2, timeout=0.2))
                await asyncio.sleep(0.1)
                time.sleep(1.0)
                await waiting

    within(30, scenario())


def test_a_synchronous_caller_is_told_the_same() -> None:
    with testing.sync_system(HANGS) as system:
        share = system.create_share(size=1)
        with whole_time_said():
            share.extend(2, timeout=0.7)


def test_tries_that_fail_one_after_the_other_are_one_time() -> None:
    async def scenario() -> None:
        storage = FailingStorage()
        async with share_on(storage) as (share, _):
            storage.is_full = True
            with whole_time_said(LogInDoubt, TimedOut):
                await share.extend(2, timeout=2.2, command_id="again")
            storage.is_full = False

    within(30, scenario())


def test_a_wait_over_the_death_of_the_host_and_the_manager_is_one_time() -> None:
    async def scenario() -> None:
        async with slow_share() as (share, system):

            async def kills() -> None:
                await asyncio.sleep(0.3)
                await system.kill_host_of(share.id)
                await system.kill_manager()

            killing = asyncio.create_task(kills())
            with whole_time_said():
                await share.extend(2, timeout=1.5)
            await killing

    within(30, scenario())
