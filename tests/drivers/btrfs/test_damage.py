"""Backends of the driver `btrfs` of which a part was removed, unmounted or killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from share_actors.actors.daemons import Daemons, MarkInMemory
from share_actors.config import BackendSettings
from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.btrfs import BtrfsDriver
from share_actors.testing.contracts.base import snapshot_of
from share_actors.values import Share
from tests.drivers.btrfs.conftest import CONTEXT, RULE, place, run, subvolume
from tests.drivers.ganesha.conftest import wait_until


def kill_server(driver: BtrfsDriver) -> None:
    """Kill the NFS server of the backend."""
    root = str(driver.exclusive_directories()["root"])
    servers = [
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] == "ganesha.nfsd"
        and any(root in part for part in process.info["cmdline"] or ())
    ]
    assert len(servers) == 1
    servers[0].kill()


@contextmanager
def mounted(driver: BtrfsDriver) -> Iterator[Path]:
    """Mount the filesystem of a stopped backend."""
    pool = subvolume(driver)
    run("mount", "-o", "loop", pool.parents[1] / "disk.img", pool)
    try:
        yield pool
    finally:
        run("umount", pool)


def test_a_subvolume_that_was_removed_by_hand_is_a_problem_and_its_share_can_be_deleted(
    driver: BtrfsDriver, share: Share
) -> None:
    run("btrfs", "subvolume", "delete", subvolume(driver, "shares", share.id))

    problems = driver.check_health()
    state = driver.probe_share(CONTEXT, share).state
    with pytest.raises(DriverError, match="does not exist"):
        driver.ensure_share(CONTEXT, share)
    driver.delete_share(CONTEXT, share)

    assert any("its subvolume" in problem and "is lost" in problem for problem in problems)
    assert state == "partial"
    assert driver.probe_share(CONTEXT, share).state == "absent"
    assert driver.check_health() == ()


def test_a_share_that_was_unmounted_is_a_problem_until_it_is_ensured(
    driver: BtrfsDriver, share: Share
) -> None:
    driver.update_access(CONTEXT, share, [RULE], [RULE], ())
    run("umount", "--lazy", place(driver, share))

    problems = driver.check_health()
    state = driver.probe_share(CONTEXT, share)
    driver.ensure_share(CONTEXT, share)

    assert any("is not mounted" in problem for problem in problems)
    assert (state.state, len(state.problems)) == ("partial", 1)
    after = driver.probe_share(CONTEXT, share)
    assert (after.state, after.access) == ("whole", frozenset({("ip", "192.0.2.7", "rw")}))
    assert driver.check_health() == ()


def test_a_server_that_restarts_over_a_missing_mount_does_not_export_the_directory_beneath(
    driver: BtrfsDriver, share: Share
) -> None:
    driver.update_access(CONTEXT, share, [RULE], [RULE], ())
    run("umount", "--lazy", place(driver, share))
    kill_server(driver)

    def restarted_without_the_share() -> bool:
        return any("is not served" in problem for problem in driver.check_health())

    wait_until(restarted_without_the_share)
    access = driver.probe_share(CONTEXT, share).access
    driver.ensure_share(CONTEXT, share)

    assert access == frozenset()
    assert driver.probe_share(CONTEXT, share).access == frozenset({("ip", "192.0.2.7", "rw")})
    assert driver.check_health() == ()


def test_a_backend_with_a_lost_subvolume_starts_and_serves_the_other_shares(
    driver: BtrfsDriver, share: Share
) -> None:
    other = Share(id="s2", size=1)
    driver.create_share(CONTEXT, other)
    driver.update_access(CONTEXT, other, [RULE], [RULE], ())
    driver.stop_backend(CONTEXT)
    driver.start_backend(CONTEXT)
    driver.stop_backend(CONTEXT)
    with mounted(driver) as top:
        run("btrfs", "subvolume", "delete", top / "shares" / share.id)

    driver.start_backend(CONTEXT)

    assert driver.probe_share(CONTEXT, other).access == frozenset({("ip", "192.0.2.7", "rw")})
    assert [share.id in problem for problem in driver.check_health()] == [True]
    driver.delete_share(CONTEXT, share)
    assert driver.check_health() == ()


def test_snapshots_are_exported_again_by_a_start_and_a_lost_one_hinders_none(
    driver: BtrfsDriver, share: Share
) -> None:
    kept, lost = snapshot_of(share), snapshot_of(share)
    share = share.replace(snapshots=(kept, lost))
    reader = RULE.replace(access_level="ro")
    for snapshot in share.snapshots:
        driver.create_snapshot(CONTEXT, snapshot)
        driver.snapshot_update_access(CONTEXT, snapshot, [reader], [reader], ())
    driver.stop_backend(CONTEXT)
    with mounted(driver) as top:
        run("btrfs", "subvolume", "delete", top / "snapshots" / f"{share.id}@{lost.id}")

    driver.start_backend(CONTEXT)

    in_force = frozenset({("ip", "192.0.2.7", "ro")})
    assert driver.probe_share(CONTEXT, share).snapshot_access == {kept.id: in_force}
    assert [lost.id in problem for problem in driver.check_health()] == [True]
    driver.delete_snapshot(CONTEXT, lost)
    assert driver.check_health() == ()


def test_a_share_whose_server_was_just_killed_is_deleted_by_an_attempt_or_the_next(
    driver: BtrfsDriver, share: Share
) -> None:
    driver.update_access(CONTEXT, share, [RULE], [RULE], ())
    kill_server(driver)

    def is_deleted() -> bool:
        try:
            driver.delete_share(CONTEXT, share)
        except TransientError:  # what the server had open keeps the mount busy until it is gone
            return False
        return True

    wait_until(is_deleted)
    assert driver.probe_share(CONTEXT, share).state == "absent"
    wait_until(lambda: driver.check_health() == ())


def test_a_filesystem_unmounted_under_the_running_backend_is_reported_and_start_mounts_it_again(
    driver: BtrfsDriver, share: Share
) -> None:
    run("umount", subvolume(driver))

    problems = driver.check_health()
    with pytest.raises(TransientError, match=r"is not mounted at .*: nothing was changed"):
        driver.delete_share(CONTEXT, share)
    driver.start_backend(CONTEXT)

    assert ["is not mounted" in problem for problem in problems] == [True]
    assert driver.probe_share(CONTEXT, share).state == "whole"
    assert driver.check_health() == ()


def test_the_health_check_replaces_a_killed_supervisor_of_nfs_ganesha(
    driver: BtrfsDriver, share: Share, tmp_path: Path
) -> None:
    async def call(question: Callable[[], object], timeout_s: float) -> object:
        return await asyncio.wait_for(asyncio.to_thread(question), timeout_s)

    daemons = Daemons(
        "disk", lambda: BackendSettings(driver="btrfs"), call, MarkInMemory(), CONTEXT
    )
    driver.update_access(CONTEXT, share, [RULE], [RULE], ())
    (record,) = tmp_path.rglob("pids/supervisor")
    supervisor = psutil.Process(json.loads(record.read_text())["pid"])
    supervisor.kill()
    psutil.wait_procs([supervisor], timeout=60)

    told = asyncio.run(daemons.tend(driver))

    assert "supervisor" in told[0]
    assert driver.check_health() == ()
    assert driver.probe_share(CONTEXT, share).state == "whole"
