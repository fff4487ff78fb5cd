"""`testing.system`: what users' tests of drivers and automations do with it, without Ray."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from share_actors import testing
from share_actors.config import Config
from share_actors.drivers import DriverError
from share_actors.drivers.dummy import DummyDriver
from share_actors.errors import NotFound, OperationFailed, Unavailable
from share_actors.events.share.messages import ShareCreationRequested
from share_actors.values import ExportLocation, RequestContext, Share
from tests.conftest import within
from tests.drivers.whole import WholeDriver


class RefusingDriver(WholeDriver):
    """A driver whose backend has room, but cannot create shares."""

    def get_share_stats(self, refresh: bool = False) -> dict[str, float]:
        return {"total_capacity_gib": 10, "free_capacity_gib": 10}

    def create_share(
        self, context: RequestContext, share: Share, share_server: object = None
    ) -> list[ExportLocation]:
        raise DriverError("the shelf is full")


def dummy(home: Path, **options: object) -> Config:
    backend = {"driver": "dummy", "options": {"directory": str(home / "dummy"), **options}}
    return Config(home=home, backends={"dummy": backend})


def test_a_share_is_created_used_and_deleted_through_the_real_client() -> None:
    async def scenario() -> None:
        async with testing.system() as system:
            share = await system.create_share(size=1, name="home")
            rule = await share.allow_access("alice")
            snapshot = await share.create_snapshot("before")

            assert (share.status, rule.state, snapshot.status) == (
                "available",
                "active",
                "available",
            )
            assert (await system.share("home")).id == share.id
            assert isinstance((await share.history())[0].event, ShareCreationRequested)

            await share.delete(cascade=True)
            assert (await system.shares()).items == ()

    within(30, scenario())


def test_a_share_survives_the_death_of_its_host_and_of_the_manager() -> None:
    async def scenario() -> None:
        async with testing.system() as system:
            share = await system.create_share(size=1)

            await system.kill_host_of(share.id)
            await share.extend(2)
            await system.kill_manager()
            await share.extend(3)

            assert (await share.refresh()).size == 3

    within(30, scenario())


def test_a_creation_under_way_is_completed_after_its_host_was_killed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with testing.system(dummy(tmp_path, delay_s=0.3)) as system:
            share = await system.create_share(size=1, wait=False)
            await system.kill_host_of(share.id)

            assert share.receipt is not None
            await system.wait(share.receipt, timeout=20)

            assert (await share.refresh()).status == "available"

    within(30, scenario())


def test_a_driver_that_is_not_installed_is_used_by_its_name() -> None:
    async def scenario() -> None:
        config = Config(backends={"shelf": {"driver": "refusing"}})
        async with testing.system(config, drivers={"refusing": RefusingDriver}) as system:
            with pytest.raises(OperationFailed, match="the shelf is full"):
                await system.create_share(size=1)

    within(30, scenario())


def test_a_registered_driver_is_forgotten_after_the_block() -> None:
    from share_actors.drivers import known_drivers

    with testing.sync_system(drivers={"mine": DummyDriver}):
        assert "mine" in known_drivers()

    assert "mine" not in known_drivers()


def test_the_synchronous_form_has_the_same_methods() -> None:
    with testing.sync_system() as system:
        share = system.create_share(size=1)
        system.kill_host_of(share.id)
        system.kill_manager()

        assert share.extend(2).size == 2
        with pytest.raises(Unavailable, match="no Ray actor handle"):
            _ = system.manager


def test_a_log_in_memory_can_be_continued_by_another_system(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = testing.InMemoryLog()
        async with testing.system(dummy(tmp_path), log=log) as system:
            share = await system.create_share(size=1)
        async with testing.system(dummy(tmp_path), log=log) as system:
            assert (await system.share(share.id)).status == "available"
        async with testing.system(dummy(tmp_path)) as system:
            with pytest.raises(NotFound):
                await system.share(share.id)
        log.close()

    within(30, scenario())


def test_a_durable_system_keeps_its_log_in_the_home(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with testing.system(dummy(tmp_path), durable=True) as system:
            share = await system.create_share(size=1)
        async with testing.system(dummy(tmp_path), durable=True) as system:
            assert (await system.share(share.id)).status == "available"

    within(30, scenario())
    assert (tmp_path / "log.db").is_file()


def test_a_system_in_memory_leaves_no_file_in_the_home(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with testing.system(dummy(tmp_path)) as system:
            await system.create_share(size=1)

    within(30, scenario())
    assert not list(tmp_path.glob("*.db*"))


def test_arguments_and_results_are_copies_as_between_processes() -> None:
    async def scenario() -> None:
        async with testing.system() as system:
            share = await system.create_share(size=1)
            first = await system.cluster.host_of(share.id).view(share.id)
            second = await system.cluster.host_of(share.id).view(share.id)

            assert first == second
            assert first is not second

    within(30, scenario())


def test_neither_ray_nor_pytest_is_imported() -> None:
    program = """if True:
        import sys
        from share_actors import testing
        with testing.sync_system() as system:
            assert system.create_share(size=1).status == "available"
        assert not {"ray", "pytest"} & sys.modules.keys()
    """

    ran = subprocess.run([sys.executable, "-W", "error", "-c", program], check=False)

    assert ran.returncode == 0


def test_several_systems_run_side_by_side() -> None:
    async def scenario() -> None:
        async with testing.system() as one, testing.system() as other:
            share, _ = await asyncio.gather(
                one.create_share(size=1, name="mine"), other.create_share(size=1, name="theirs")
            )
            assert (await one.shares()).items[0].id == share.id
            assert [s.name for s in (await other.shares()).items] == ["theirs"]

    within(30, scenario())


def test_the_temporary_directory_is_removed_though_an_abandoned_driver_call_still_writes() -> None:
    stop, directories = threading.Event(), list[Path]()

    def write(directory: Path) -> None:
        n = 0
        while not stop.is_set():
            with suppress(OSError):
                directory.mkdir(exist_ok=True)
                (directory / str(n % 50)).touch()
            n += 1

    async def scenario() -> None:
        async with testing.system() as running:
            home = running.config.home
            directories.append(home)
            writer = threading.Thread(target=write, args=(home / "dummy",))
            writer.start()
            threading.Timer(0.3, stop.set).start()
        writer.join()

    within(60, scenario())
    assert not directories[0].exists()
