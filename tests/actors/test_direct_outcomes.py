"""Outcomes that a client waits for at the host of a share, also while that or the manager does not answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from share_actors.actors.messaging import batch
from share_actors.client import direct_route
from tests.actors.test_direct_route import CountedHost, counted
from tests.conftest import within


def test_an_outcome_that_takes_time_is_waited_for_at_the_host(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with counted(tmp_path, delay_s=0.3) as (system, connection):
            share = await system.create_share(size=1)
            connection.cluster.find_manager().kill()

            rule = await share.allow_access("bob")

            assert rule.state == "active"

    within(30, scenario())


def test_an_outcome_that_a_host_no_longer_knows_is_found_by_the_manager(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with counted(tmp_path, delay_s=0.3) as (system, connection):
            share = await system.create_share(size=1)
            receipt = await share.allow_access("bob", wait=False, command_id="c1")
            await asyncio.sleep(0.6)
            for host in connection.cluster.running.values():
                await host.inner.passivate(0.0)

            rule = await share.allow_access("bob", command_id="c1")

            assert (receipt.id, rule.state) == (rule.id, "active")

    within(30, scenario())


def test_a_host_that_takes_in_nothing_more_is_asked_for_an_outcome_only_once(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with counted(tmp_path) as (system, connection):
            share = await system.create_share(size=1, command_id="c1")
            host = connection.cluster.host_of(share.id)
            manager = connection.cluster.find_manager().manager
            manager._supervisor.directory.close(host.name)
            await host.inner.leave()

            first = await manager.wait([(share.id, "c1")], 1.0)
            second = await manager.wait([(share.id, "c1")], 1.0)

            assert (first, [reply.status for reply in second]) == ([], ["done"])

    within(30, scenario())


class UnreachableHost(CountedHost):
    """A host to which the connection is cut: no call has an answer."""

    async def _call(self, method: str, *args: Any) -> Any:
        await asyncio.Event().wait()


@pytest.mark.parametrize("wait", [True, False])
def test_the_manager_is_asked_about_a_host_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait: bool
) -> None:
    async def scenario() -> None:
        async with counted(tmp_path, delay_s=0.1) as (system, connection):
            share = await system.create_share(size=1)
            host = UnreachableHost(connection.cluster.host_of(share.id))
            monkeypatch.setattr(connection, "host", AsyncMock(return_value=host))
            monkeypatch.setattr(batch, "FIRST_POLL_S", 0.1)
            monkeypatch.setattr(direct_route, "SILENCE_S", 0.1)

            await share.allow_access("bob", wait=wait)

            assert connection.by_manager == [share.id] * 2

    within(30, scenario())


class CutHost(CountedHost):
    """A host to which the connection is cut once it has recorded a command."""

    async def _call(self, method: str, *args: Any) -> Any:
        if method == "wait_here":
            await asyncio.Event().wait()
        return await super()._call(method, *args)


def test_the_manager_is_asked_for_an_outcome_that_the_host_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with counted(tmp_path, delay_s=0.5) as (system, connection):
            share = await system.create_share(size=1)
            host = CutHost(connection.cluster.host_of(share.id))
            host.seen = connection.direct
            monkeypatch.setattr(connection, "host", AsyncMock(return_value=host))
            monkeypatch.setattr(direct_route, "POLL_S", 0.1)
            monkeypatch.setattr(direct_route, "SILENCE_S", 0.1)

            rule = await share.allow_access("bob")

            assert rule.state == "active"
            assert (connection.direct, connection.by_manager) == ([share.id], [share.id])

    within(30, scenario())
