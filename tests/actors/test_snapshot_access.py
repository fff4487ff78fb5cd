"""Snapshots under access rules of their own, in a system with the driver `dummy`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from share_actors.errors import InvalidRequest, NotFound
from share_actors.events.share.messages import CreateShare, DeleteShare
from share_actors.events.share.snapshot.access import AllowSnapshotAccess, DenySnapshotAccess
from share_actors.events.share.snapshot.messages import CreateSnapshot, DeleteSnapshot
from share_actors.values import ExportLocation, ShareSpec, Snapshot
from tests.actors.two_backend_system import TwoBackendSystem, running_system, settings

Scenario = Callable[[TwoBackendSystem], Coroutine[Any, Any, None]]
READER = AllowSnapshotAccess(
    snapshot_id="n1", access_id="r1", access_type="user", access_to="alice"
)
NO_READER = DenySnapshotAccess(snapshot_id="n1", access_id="r1")


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """Run a scenario in a system that has a share with a snapshot; options are those of its backend."""

    def run(scenario: Scenario, **options: Any) -> None:
        async def main() -> None:
            async with running_system(settings(tmp_path, **options)) as system, asyncio.timeout(60):
                spec = ShareSpec(host="plain", project_id="demo", user_id="alice")
                await system.ask("s1", CreateShare(share_id="s1", size=1, spec=spec))
                await system.ask("s1", CreateSnapshot(snapshot_id="n1"))
                await scenario(system)

        asyncio.run(main())

    return run


async def snapshot_of(system: TwoBackendSystem) -> Snapshot:
    [snapshot] = (await system.share("s1")).snapshots
    return snapshot


def test_a_snapshot_is_exported_while_it_has_rules(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        assert (await system.ask("s1", READER)).status == "done"
        mounted = await snapshot_of(system)
        assert (await system.ask("s1", NO_READER)).status == "done"
        alone = await snapshot_of(system)

        assert [rule.state for rule in mounted.access_rules] == ["active"]
        assert mounted.export_locations == (ExportLocation(path="dummy:/s1@n1", preferred=True),)
        assert (alone.access_rules, alone.export_locations) == ((), ())

    play(scenario)


def test_rules_are_removed_before_the_snapshot_and_before_the_share(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.ask("s1", READER)
        await system.ask("s1", DeleteSnapshot(snapshot_id="n1"))
        await system.ask("s1", CreateSnapshot(snapshot_id="n1"))
        await system.ask("s1", READER)
        assert (await system.ask("s1", DeleteShare(cascade=True))).status == "done"

        ends = [call.method for call in system.plain.calls() if call.snapshot_id == "n1"]
        once = ["create_snapshot", "snapshot_update_access", "snapshot_update_access"]
        assert ends == [*once, "delete_snapshot"] * 2

    play(scenario)


def test_a_transient_failure_is_attempted_again_and_a_refused_client_is_in_error(
    play: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        assert (await system.ask("s1", READER)).status == "done"
        refused = READER.replace(access_id="r2", access_to="mallory")
        assert (await system.ask("s1", refused)).status == "failed"

        rules = {rule.access_to: rule for rule in (await snapshot_of(system)).access_rules}
        assert rules["alice"].state == "active"
        assert rules["mallory"].reason == "access_to 'mallory' is refused"

    play(scenario, transient={"snapshot_update_access": 1}, refuse_access_to=["mallory"])


def test_what_cannot_be_is_refused_before_it_is_recorded(play: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        with pytest.raises(NotFound, match="there is no snapshot n9"):
            await system.ask("s1", READER.replace(snapshot_id="n9"))
        with pytest.raises(InvalidRequest, match="a snapshot can only be read"):
            await system.ask("s1", READER.replace(access_level="rw"))

    play(scenario)
