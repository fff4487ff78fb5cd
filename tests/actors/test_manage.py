"""Managing and unmanaging: data is left in place whatever drivers raise, and nothing is counted twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from share_actors.errors import InvalidRequest, Refused
from share_actors.events.share.manage import ManageShare, UnmanageShare
from share_actors.events.share.messages import DeleteShare, RetryShare
from share_actors.events.share.snapshot.messages import (
    CreateSnapshot,
    DeleteSnapshot,
    ManageSnapshot,
    UnmanageSnapshot,
)
from share_actors.events.share_type import CreateShareType
from share_actors.values import nest_spec
from tests.actors.two_backend_system import TwoBackendSystem, running_system, settings
from tests.waiting import until_async

Scenario = Callable[[TwoBackendSystem], Coroutine[Any, Any, None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """Run a scenario in a system; options are those of the backend without servers."""

    def run(scenario: Scenario, **options: Any) -> None:
        async def main() -> None:
            async with running_system(settings(tmp_path, **options)) as system, asyncio.timeout(60):
                await scenario(system)

        asyncio.run(main())

    return run


def manage(share_id: str = "s1", *, host: str = "plain", size: int = 5, **more: Any) -> ManageShare:
    who = {"project_id": "demo", "user_id": "alice"}
    return ManageShare(
        **nest_spec(
            {"share_id": share_id, "host": host, "driver_options": {"size": size}, **who, **more}
        )
    )


# -- shares --------------------------------------------------------------------------------------
def test_a_managed_share_has_the_size_pool_and_exports_that_the_driver_found(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        assert (await system.ask("s1", manage())).status == "done"

        share = await system.share("s1")
        assert (share.status, share.size, share.host) == ("available", 5, "plain#plain")
        assert share.export_locations[0].path == "dummy:/s1"

    play(scenario)


def test_a_share_managed_twice_is_managed_and_counted_once(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await asyncio.gather(system.ask("s1", manage()), system.ask("s1", manage()))
        assert (await system.ask("s1", manage())).status == "done"

        assert len(system.plain.calls("manage_existing")) == 1
        await system.manager._scheduler.ledger.read()
        assert system.manager._scheduler.ledger.room("plain#plain").provisioned == 5
        with pytest.raises(Refused, match="exists already and is available"):
            await system.ask("s1", manage(name="another"))

    play(scenario)


def test_a_share_that_could_not_be_managed_has_the_reason_and_can_be_retried(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        assert (await system.ask("s1", manage())).reason == "it is not there"
        share = await system.share("s1")
        assert (share.status, share.status_reason) == ("manage_error", "it is not there")
        with pytest.raises(Refused, match="not managed here"):
            await system.ask("s1", DeleteShare())

        await system.manager.reload(settings(system.config.home))
        assert (await system.ask("s1", RetryShare())).status == "done"
        assert (await system.share("s1")).status == "available"

    play(scenario, fail={"manage_existing": "it is not there"})


def test_a_share_that_could_not_be_managed_is_not_counted_and_can_be_unmanaged(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.ask("s1", manage())
        await system.manager._scheduler.ledger.read()
        assert system.manager._scheduler.ledger.room("plain").provisioned == 0

        assert (await system.ask("s1", UnmanageShare())).status == "done"
        assert (await system.share("s1")).status == "unmanaged"

    play(scenario, fail={"manage_existing": "it is not there"})


def test_managing_that_was_cut_off_is_repeated_and_counted_once(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        managing = asyncio.ensure_future(system.ask("s1", manage()))
        await until_async(lambda: system.plain.calls("manage_existing"))
        for host in system.cluster.running.values():
            await host.restart()

        assert (await managing).status == "done"
        assert system.plain.shares().keys() == {"s1"}

    play(scenario, delay_s=0.3)


@pytest.mark.parametrize("kind", ["fail", "refuse", "bug"])
def test_a_share_that_could_not_be_unmanaged_is_unchanged_and_can_be_retried(
    play: Any, kind: str
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        share = await system.create("s1", size=3, host="plain")
        before = system.plain.shares()
        assert (await system.ask("s1", UnmanageShare())).status == "failed"

        failed = await system.share("s1")
        assert failed.status == "unmanage_error"
        assert failed.status_reason
        assert failed.export_locations == share.export_locations
        assert system.plain.shares() == before

        await system.manager.reload(settings(system.config.home))
        assert (await system.ask("s1", RetryShare())).status == "done"
        assert (await system.share("s1")).status == "unmanaged"
        assert system.plain.shares() == before

    play(scenario, **{kind: ["unmanage"] if kind == "bug" else {"unmanage": "no"}})


def test_a_share_that_could_not_be_unmanaged_can_be_deleted(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", host="plain")
        await system.ask("s1", UnmanageShare())
        assert (await system.ask("s1", DeleteShare())).status == "done"
        assert system.plain.shares() == {}

    play(scenario, fail={"unmanage": "no"})


def test_a_share_with_snapshots_cannot_be_unmanaged(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", host="plain")
        await system.ask("s1", CreateSnapshot(snapshot_id="n1"))
        with pytest.raises(Refused, match=r"has snapshots \(n1\): unmanage or delete them first"):
            await system.ask("s1", UnmanageShare())

    play(scenario)


def test_a_share_without_its_share_server_or_of_another_type_cannot_be_managed(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        with pytest.raises(InvalidRequest, match="handles share servers: give the id of the one"):
            await system.ask("s1", manage(host="served"))
        specs = {"driver_handles_share_servers": "True"}
        await system.ask("share_type:t", CreateShareType(name="t", extra_specs=specs))
        with pytest.raises(Refused, match="ManageExistingShareTypeMismatch"):
            await system.ask("s1", manage(share_type="t"))

    play(scenario)


@pytest.mark.parametrize("size", [0, -3, 2**40])
def test_managing_fails_if_the_driver_returns_no_valid_size(play: Any, size: int) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        reply = await system.ask("s1", manage(size=size))
        assert "the driver returned no valid size in GiB" in str(reply.reason)
        assert (await system.share("s1")).status == "manage_error"

    play(scenario)


# -- snapshots -----------------------------------------------------------------------------------
def managed_snapshot(snapshot_id: str = "n1", at: str = "/old/n1") -> ManageSnapshot:
    return ManageSnapshot(snapshot_id=snapshot_id, provider_location=at)


def test_a_snapshot_is_managed_once_and_its_data_stays_when_it_is_unmanaged(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", host="plain")
        for _ in range(2):
            assert (await system.ask("s1", managed_snapshot())).status == "done"
        assert len(system.plain.calls("manage_existing_snapshot")) == 1
        with pytest.raises(Refused, match="is snapshot n1 already"):
            await system.ask("s1", managed_snapshot("n2"))

        before = system.plain.snapshots()
        await system.ask("s1", UnmanageSnapshot(snapshot_id="n1"))
        assert (await system.share("s1")).snapshots == ()
        assert system.plain.snapshots() == before != {}

    play(scenario)


def test_a_snapshot_that_could_not_be_managed_can_be_unmanaged_but_not_deleted(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s1", host="plain")
        assert (await system.ask("s1", managed_snapshot())).reason == "not there"
        [snapshot] = (await system.share("s1")).snapshots
        assert (snapshot.status, snapshot.reason) == ("manage_error", "not there")
        for command in (DeleteSnapshot(snapshot_id="n1"), DeleteShare(cascade=True)):
            with pytest.raises(Refused, match="not managed here"):
                await system.ask("s1", command)

        assert (await system.ask("s1", UnmanageSnapshot(snapshot_id="n1"))).status == "done"
        assert (await system.ask("s1", DeleteShare())).status == "done"

    play(scenario, fail={"manage_existing_snapshot": "not there"})
