"""Recovery: shares with pending work are activated in batches, whatever can't be activated."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.hosting.host import ShareHost
from share_actors.events.log import OpenLog, open_configured
from share_actors.events.share.messages import ExtendShare
from tests.actors.in_process import ONE, available, config, create, in_memory, managed, tell
from tests.actors.outcomes import outcomes
from tests.conftest import within
from tests.waiting import until_async


async def end_during_creation(home: Path, shares: list[str], open_log: OpenLog = in_memory) -> None:
    """Leave these shares with pending work: everything ends while they are being created."""
    slow = config(home, hosting=ONE, delay_s=0.5)
    async with managed(slow, open_log) as (manager, cluster):
        await manager.submit([create(share_id, wait=False) for share_id in shares])
        await cluster.status(shares[0])  # the catalog has it all
        cluster.running["share-actor-1"].kill()
        manager.abandon()


def corrupt_stream(home: Path, share_id: str) -> None:
    """Overwrite the events of a share, so that they can't be read."""
    with closing(sqlite3.connect(home / "log.db")) as connection, connection:
        changed = connection.execute(
            "UPDATE stored_events SET state = 'no json' WHERE originator_id LIKE ?",
            (f"%{share_id}",),
        )
        assert changed.rowcount > 0


def test_a_stream_that_cannot_be_read_is_reported_and_the_others_recover(tmp_path: Path) -> None:
    async def scenario() -> None:
        await end_during_creation(tmp_path, ["s0", "broken", "s1"], open_configured)
        corrupt_stream(tmp_path, "broken")

        async with managed(config(tmp_path, hosting=ONE), open_configured) as (manager, cluster):
            await manager.ready()
            await available(cluster, "s0", "s1")
            await until_async(lambda: bool(manager._recovery.broken))

            broken: dict[str, str] = (await manager.status())["broken"]
            assert list(broken) == ["broken"]
            assert "share-broken" in broken["broken"]
            (reply,) = await outcomes(manager, [tell("s0", ExtendShare(size=2))])
            assert reply.status == "done"

    within(20, scenario())


def test_shares_are_activated_in_batches_of_the_configured_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    wake = ShareHost.wake

    async def counted(host: ShareHost, share_ids: Any) -> dict[str, str]:
        batches.append(len(share_ids))
        return await wake(host, share_ids)

    async def scenario() -> None:
        shares = [f"s{n}" for n in range(10)]
        await end_during_creation(tmp_path, shares)
        monkeypatch.setattr(ShareHost, "wake", counted)

        few = config(tmp_path, hosting={**ONE, "recovery_at_once": 3})
        async with managed(few) as (manager, cluster):
            await manager.ready()
            await available(cluster, *shares)

        assert batches[:4] == [3, 3, 3, 1]

    within(20, scenario())


def test_an_actor_with_too_many_hung_calls_is_restarted_and_its_shares_go_on(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        hangs = {"hang": {"create_share": 1}, "hang_s": 5.0}
        settings = config(tmp_path, hosting={**ONE, "hung_calls": 3}, **hangs)
        patient = settings.backends["dummy"].model_copy(update={"timeout_s": 0.2})
        settings = settings.model_copy(update={"backends": {"dummy": patient}})
        async with managed(settings) as (manager, cluster):
            await manager.submit([create(f"s{n}", wait=False) for n in range(3)])

            await available(cluster, "s0", "s1", "s2")

            await until_async(_was_restarted(cluster.running["share-actor-1"]))
            await until_async(lambda: "share-actor-1" in manager._supervisor.directory.hosts)
            assert (await cluster.running["share-actor-1"].report()).hung == 0
            (reply,) = await outcomes(manager, [tell("s0", ExtendShare(size=2))])
            assert reply.status == "done"

    within(30, scenario())


def _was_restarted(host: Any) -> Callable[[], bool]:
    return lambda: host.pid > 1


def test_an_actor_with_few_hung_calls_is_not_restarted(tmp_path: Path) -> None:
    async def scenario() -> None:
        hangs = {"hang": {"create_share": 1}, "hang_s": 1.0}
        settings = config(tmp_path, hosting={**ONE, "hung_calls": 3}, **hangs)
        patient = settings.backends["dummy"].model_copy(update={"timeout_s": 0.1})
        settings = settings.model_copy(update={"backends": {"dummy": patient}})
        async with managed(settings) as (manager, cluster):
            await outcomes(manager, [create("s0")])
            await asyncio.sleep(0.3)  # several reports

            assert cluster.running["share-actor-1"].pid == 1

    within(20, scenario())


def test_recovery_and_supervision_go_on_after_a_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await end_during_creation(tmp_path, ["s0"])
        async with managed(config(tmp_path, hosting=ONE)) as (manager, cluster):
            monkeypatch.setattr(manager._recovery, "_wake", _failing_once(manager._recovery._wake))
            monkeypatch.setattr(
                manager._supervisor, "_check", _failing_once(manager._supervisor._check)
            )
            await manager.ready()

            await available(cluster, "s0")

            cluster.running["share-actor-1"].kill()
            await until_async(lambda: not manager._supervisor.directory.hosts)

    within(20, scenario())


def _failing_once(method: Callable[..., Any]) -> Callable[..., Any]:
    failures = [RuntimeError("a bug")]

    async def failing(*args: Any) -> Any:
        if failures:
            raise failures.pop()
        return await method(*args)

    return failing
