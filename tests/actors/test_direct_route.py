"""The direct route: a client that knows the home of a share sends its commands there, past the manager."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.actors.messaging.routes import Homes, may_go_direct
from share_actors.client.system import AsyncShareSystem
from share_actors.errors import NotFound, Unavailable
from share_actors.events.decider import Command
from share_actors.events.share.access import AllowAccess, DenyAccess
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.messages import (
    DeleteShare,
    ExtendShare,
    ReapplyShare,
    ShrinkShare,
)
from share_actors.events.share.snapshot.messages import CreateSnapshot, DeleteSnapshot
from share_actors.testing.in_process.system import InProcessConnection, InProcessDirectHost
from share_actors.values import RequestContext
from tests.actors.in_process import DummyCluster, config, create, tell
from tests.conftest import within


class CountedHost(InProcessDirectHost):
    """A host as a client calls it; *seen* gets the ids of the shares whose commands it is sent."""

    seen: list[str]

    async def _call(self, method: str, *args: Any) -> Any:
        if method == "begin_here":
            self.seen.extend(message.share_id for message in args[0])
        return await super()._call(method, *args)


class CountedConnection(InProcessConnection):
    """A connection that notes which shares' commands go which way."""

    def __init__(self, cluster: DummyCluster) -> None:
        super().__init__(cluster)
        self.cluster = cluster
        self.by_manager: list[str] = []
        self.direct: list[str] = []
        self.views = 0

    async def call_manager(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if method == "begin":
            self.by_manager.extend(message.share_id for message in args[0])
        self.views += method == "view"
        return await super().call_manager(method, *args, **kwargs)

    async def host(self, name: str) -> CountedHost:
        await super().host(name)
        host = CountedHost(self.cluster.running[name])
        host.seen = self.direct
        return host


@asynccontextmanager
async def counted(
    home: Path, hosting: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[tuple[AsyncShareSystem, CountedConnection]]:
    hosting = {"min_actors": 2, "max_actors": 2, **(hosting or {})}
    settings = config(home, hosting=hosting, **options)
    cluster = DummyCluster(settings)
    connection = CountedConnection(cluster)
    system = AsyncShareSystem(connection, settings, RequestContext(is_admin=True))
    cluster.start_manager()
    try:
        yield system, connection
    finally:
        await cluster.close()


def test_commands_of_a_known_share_go_to_its_host(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with counted(tmp_path) as (system, connection):
            share = await system.create_share(size=1)
            rule = await share.allow_access("bob")
            await share.deny_access(rule)
            await share.refresh()
            await share.delete()

            assert connection.by_manager == [share.id]  # the creation, which is placed
            assert connection.direct == [share.id] * 3
            assert connection.views == 0

    within(30, scenario())


def test_a_share_that_was_passivated_is_found_by_the_manager(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with counted(tmp_path) as (system, connection):
            share = await system.create_share(size=1)
            for host in connection.cluster.running.values():
                await host.inner.passivate(0.0)

            await share.allow_access("bob")

            assert connection.direct == [share.id]
            assert connection.by_manager == [share.id] * 2
            assert len(connection.cluster.host_of(share.id).inner._entities.versions()) >= 1

    within(30, scenario())


def test_commands_to_a_host_that_is_killed_are_each_done_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with counted(tmp_path) as (system, connection):
            share = await system.create_share(size=1)
            users = [f"user{n}" for n in range(20)]
            allowing = [asyncio.ensure_future(share.allow_access(user)) for user in users]
            await asyncio.sleep(0)
            await connection.cluster.host_of(share.id).restart()
            await asyncio.gather(*allowing)

            rules = (await share.refresh()).access_rules
            assert sorted(rule.access_to for rule in rules) == sorted(users)
            assert connection.direct

    within(60, scenario())


class SilentHost(CountedHost):
    """A host that is killed once it has recorded a command, before it replies."""

    recorded: asyncio.Event

    async def _call(self, method: str, *args: Any) -> Any:
        await super()._call(method, *args)
        self.recorded.set()
        raise Unavailable("the host was killed", passing=True)


def test_a_recorded_command_without_a_reply_is_in_doubt_while_the_system_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with counted(tmp_path) as (system, connection):
            share = await system.create_share(size=1)
            host = SilentHost(connection.cluster.host_of(share.id))
            host.seen, host.recorded = [], asyncio.Event()
            monkeypatch.setattr(connection, "host", AsyncMock(return_value=host))
            connection.cluster.find_manager().manager._supervisor.stopping = True

            with pytest.raises(Unavailable, match="unknown whether") as told:
                await share.allow_access("bob", timeout=0.5)

            assert host.recorded.is_set()
            assert "the system is stopping" in str(told.value)
            assert "nothing was recorded" not in str(told.value)

    within(30, scenario())


def test_a_known_share_takes_commands_while_there_is_no_manager(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with counted(tmp_path) as (system, connection):
            share = await system.create_share(size=1)
            connection.cluster.find_manager().kill()

            await share.allow_access("bob")
            assert [rule.access_to for rule in (await share.refresh()).access_rules] == ["bob"]
            with pytest.raises(Unavailable, match="killed"):
                await connection.call_manager("status")

    within(30, scenario())


def test_another_project_does_not_learn_an_outcome_by_the_direct_route(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with counted(tmp_path) as (system, connection):
            share = await system.as_user(RequestContext(project_id="a")).create_share(
                size=1, command_id="c1"
            )
            host = await connection.host(connection.cluster.host_of(share.id).name)

            [theirs] = await host.wait_here([(share.id, "c1")], 1.0, RequestContext(project_id="b"))
            [own] = await host.wait_here([(share.id, "c1")], 1.0, RequestContext(project_id="a"))

            assert (theirs.status, own.status) == ("error", "done")

    within(30, scenario())


def test_a_host_refuses_the_commands_of_a_share_that_is_not_active_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with counted(tmp_path) as (system, connection):
            share = await system.create_share(size=1)
            home = connection.cluster.host_of(share.id)
            others = [host for host in connection.cluster.running.values() if host is not home]
            command = tell(share.id, AllowAccess(access_id="r", access_type="user", access_to="b"))

            for other in others:
                answers = await other.inner.begin_here([command])
                assert b"moved" in (answers.replies[0].error or b"")
                assert not other.hosts(share.id)

    within(30, scenario())


def test_another_project_does_not_see_a_share_by_the_direct_route(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with counted(tmp_path) as (system, connection):
            share = await system.as_user(RequestContext(project_id="a")).create_share(size=1)
            host = await connection.host(connection.cluster.host_of(share.id).name)

            with pytest.raises(NotFound):
                await host.view_here(share.id, RequestContext(project_id="b"))
            assert (await host.view_here(share.id, RequestContext(project_id="a"))).id == share.id

    within(30, scenario())


@pytest.mark.parametrize(
    ("command", "direct"),
    [
        (AllowAccess(access_id="r", access_type="user", access_to="bob"), True),
        (DenyAccess(access_id="r"), True),
        (CreateSnapshot(snapshot_id="n"), False),
        (ReapplyShare(), True),
        (DeleteShare(), True),
        (DeleteShare(cascade=True), False),
        (DeleteSnapshot(snapshot_id="n"), False),
        (ExtendShare(size=2), False),
        (ShrinkShare(size=1), False),
    ],
)
def test_what_the_manager_has_to_look_at_does_not_go_past_it(
    command: Command, direct: bool
) -> None:
    assert may_go_direct(tell("s", command)) is direct


def test_creations_and_commands_of_other_entities_go_by_the_manager() -> None:
    assert not may_go_direct(create("s"))
    assert not may_go_direct(CommandMessage("s", "c", ManageShare.topic, b"{}", b"{}"))
    assert not may_go_direct(CommandMessage("share_type:gold", "c", "x", b"{}", b"{}"))


def test_the_oldest_homes_are_forgotten() -> None:
    homes = Homes(most=2)
    for share_id in ("a", "b", "a", "c"):
        homes.learn([CommandReply(share_id, "c", "done", home=f"host of {share_id}")])

    assert len(homes) == 2
    assert (homes.get("a"), homes.get("b"), homes.get("c")) == ("host of a", None, "host of c")
