"""Hosts of an older version than an event needs: others serve its share, and the older host is drained."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.hosting import upgrades
from share_actors.actors.messaging.messages import CommandReply
from share_actors.errors import Refused, Unavailable
from share_actors.events.share.messages import ExtendShare
from share_actors.events.share.properties import ChangeShare
from share_actors.testing.in_process.host import InProcessHost
from share_actors.testing.in_process.manager import InProcessManager
from share_actors.versions import OWN
from tests.actors.hosts import error_in
from tests.actors.in_process import (
    FAST,
    ONE,
    TWO,
    DummyCluster,
    attempts,
    available,
    config,
    create,
    in_memory,
    managed,
    tell,
)
from tests.actors.older_hosts import NEWER, older, restarted_with
from tests.actors.outcomes import outcomes
from tests.conftest import within
from tests.waiting import until_async

RARELY = replace(FAST, recovery_retry_s=30.0)
"""Recovery does not hurry commands along."""


async def noticed(manager: InProcessManager, cluster: DummyCluster) -> None:
    """Return once the manager has heard of every process that hosts have now."""

    async def all_alive() -> bool:
        hosts = await versions(manager)
        now = {name: (host.pid, host.told.program) for name, host in cluster.running.items()}
        told = {n: (h["pid"], h.get("version")) for n, h in hosts.items() if h["alive"]}
        return now == told

    assert await until_async(all_alive)


async def versions(manager: InProcessManager) -> dict[str, Any]:
    """The status of each host, by name."""
    status = await manager.status()
    return {actor["actor"]: actor for actor in status["actors"]}


def has_left(cluster: DummyCluster, host: InProcessHost) -> bool:
    """Whether a host has ended, without another restart than that of the fixture."""
    return host.name not in cluster.running and host.pid == 2


async def extended(manager: InProcessManager, share_id: str, command_id: str = "") -> CommandReply:
    command = tell(share_id, ExtendShare(size=2), command_id=command_id)
    [reply] = await outcomes(manager, [command])
    return reply


@asynccontextmanager
async def with_newer_event(
    home: Path, hosts: dict[str, int], **options: Any
) -> AsyncIterator[tuple[InProcessManager, DummyCluster]]:
    """A system with the shares `old` and `new`; `new` has an event that older hosts cannot read.

    All hosts are of the older version now, and have no shares.
    """
    settings = config(home, hosting=hosts, **options)
    async with managed(settings, timings=RARELY) as (manager, cluster):
        await outcomes(manager, [create("new"), create("old")])
        await outcomes(manager, [tell("new", ChangeShare(name="n"))])
        await restarted_with(cluster, older, *cluster.running)
        await noticed(manager, cluster)
        yield manager, cluster


def test_without_a_newer_host_a_request_is_refused_at_once_with_the_versions(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with with_newer_event(tmp_path, TWO) as (manager, _):
            error = error_in(await extended(manager, "new"))

            assert isinstance(error, Unavailable)
            assert f"unknown event topic '{NEWER}'" in error.message
            assert "share-actor-1 0.1.9, share-actor-2 0.1.9" in error.message
            assert "upgrade show" in error.details["next_step"]
            with pytest.raises(Unavailable, match="new needs a newer version"):
                await manager.view("new")

    within(20, scenario())


def test_hosts_of_one_older_version_go_on_with_the_shares_that_they_can_read(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with with_newer_event(tmp_path, ONE) as (manager, cluster):
            await extended(manager, "new")

            assert (await extended(manager, "old")).status == "done"
            assert [host.pid for host in cluster.running.values()] == [2]
            assert NEWER in (await versions(manager))["share-actor-1"]["outdated"]

    within(20, scenario())


def test_a_command_that_an_older_host_cannot_decide_goes_to_a_newer_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_newer_event(tmp_path, TWO) as (manager, cluster):
            assert (await extended(manager, "new", "c")).status == "error"
            await restarted_with(cluster, in_memory, "share-actor-2")
            await noticed(manager, cluster)

            assert (await extended(manager, "new", "c")).status == "done"
            assert (await manager.where("new"))["actor"] == "share-actor-2"

    within(20, scenario())


def test_an_older_host_ends_its_driver_calls_then_gives_its_shares_up_and_is_ended(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with with_newer_event(tmp_path, TWO, delay_s=0.5) as (manager, cluster):
            await restarted_with(cluster, in_memory, "share-actor-2")
            await noticed(manager, cluster)
            await manager.submit([create(name, wait=False) for name in ("busy", "other")])
            assert cluster.host_of("busy").name == "share-actor-1"

            older_host = cluster.running["share-actor-1"]
            assert (await extended(manager, "new")).status == "done"

            assert await until_async(lambda: has_left(cluster, older_host))
            await available(cluster, "busy", "other")
            assert (attempts(cluster, "busy"), attempts(cluster, "new")) == ([1], [1, 1])

    within(30, scenario())


def test_an_older_host_gets_no_shares_until_it_runs_another_version(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_newer_event(tmp_path, TWO) as (manager, cluster):
            await restarted_with(cluster, in_memory, "share-actor-2")
            await noticed(manager, cluster)
            older_host = cluster.running["share-actor-1"]
            await extended(manager, "new")
            assert await until_async(lambda: has_left(cluster, older_host))

            await outcomes(manager, [create(f"s{n}") for n in range(4)])

            assert not any(older_host.hosts(f"s{n}") for n in range(4))

    within(30, scenario())


def test_pending_work_of_a_share_with_a_newer_event_goes_on_in_a_newer_host(tmp_path: Path) -> None:
    async def scenario() -> None:
        settings = config(tmp_path, hosting=TWO, delay_s=0.5)
        async with managed(settings, timings=RARELY) as (manager, cluster):
            await manager.submit([create("new", wait=False)])
            await manager.submit([tell("new", ChangeShare(name="n"), wait=False)])

            await restarted_with(cluster, older, "share-actor-1")

            await available(cluster, "new")
            assert cluster.host_of("new").name == "share-actor-2"

    within(30, scenario())


def test_a_wait_for_an_outcome_ends_if_no_host_can_read_the_share(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_newer_event(tmp_path, TWO) as (manager, _):
            [reply] = await manager.wait([("new", "any")], 5.0)

            assert "needs a newer version" in error_in(reply).message

    within(20, scenario())


def test_an_upgrade_is_finished_once_every_host_can_read_the_format(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=TWO)) as (manager, cluster):
            await manager.ready()
            told = OWN._replace(program="0.1.9", log_format=0)
            cluster.running["share-actor-2"].told = told

            with pytest.raises(Refused, match=r"share-actor-2 \(0\.1\.9\) cannot read log format"):
                await manager.check_upgrade(OWN.log_format)

            assert (await manager.versions())["share-actor-2"] == told.told()
            with pytest.raises(Refused, match="manager"):
                await manager.check_upgrade(OWN.log_format + 1)

    within(20, scenario())


def test_an_upgrade_is_not_finished_if_a_host_has_been_restarted_in_an_older_version(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=TWO)) as (manager, cluster):
            await manager.ready()
            await manager.check_upgrade(OWN.log_format)

            cluster.running["share-actor-2"].told = OWN._replace(program="0.1.9", log_format=0)

            with pytest.raises(Refused, match=r"share-actor-2 \(0\.1\.9\) cannot read log format"):
                await manager.check_upgrade(OWN.log_format)

    within(20, scenario())


def test_an_upgrade_is_not_finished_while_a_host_is_silent_that_may_be_of_an_older_version(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=TWO)) as (manager, cluster):
            await manager.ready()
            await manager.versions()
            cluster.running["share-actor-2"].kill()
            await until_async(lambda: "share-actor-2" not in manager._supervisor.directory.hosts)

            with pytest.raises(Refused, match="whether share-actor-2 can read log format 1") as no:
                await manager.check_upgrade(OWN.log_format)
            assert "node forget" in no.value.details["next_step"]
            assert (await manager.versions())["share-actor-2"] == OWN.told() | {"silent": True}

            cluster.running["share-actor-2"].start()
            await until_async(lambda: "share-actor-2" in manager._supervisor.directory.hosts)
            await manager.check_upgrade(OWN.log_format)

    within(20, scenario())


def test_an_upgrade_is_not_finished_if_a_host_does_not_answer_when_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrades, "ANSWER_S", 0.1)

    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=TWO)) as (manager, cluster):
            await manager.ready()
            cluster.running["share-actor-1"].suspend()

            with pytest.raises(Refused, match="whether share-actor-1 can read log format 1"):
                await manager.check_upgrade(OWN.log_format)
            await cluster.running["share-actor-1"].restart()

    within(20, scenario())


def test_stats_actors_tell_their_versions_and_do_not_hold_up_an_upgrade(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path, hosting=ONE)) as (manager, cluster):
            await manager.ready()

            async def is_told(silent: dict[str, bool]) -> bool:
                told = (await manager.versions())["stats-dummy"]
                return told == OWN.told() | silent

            await until_async(lambda: is_told({}))
            await cluster.stats_actors["dummy"].end()
            await until_async(lambda: is_told({"silent": True}))
            await manager.check_upgrade(OWN.log_format)

    within(20, scenario())


def test_a_client_that_speaks_another_protocol_is_told_which_side_to_upgrade(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with managed(config(tmp_path)) as (manager, _):
            ancient = OWN._replace(program="0.0.1", protocol=OWN.oldest_protocol - 1)

            assert await manager.hello(OWN.told()) == OWN.told()
            with pytest.raises(
                Unavailable, match=r"the client runs share_actors 0\.0\.1 .*upgrade"
            ):
                await manager.hello(ancient.told())

    within(20, scenario())
